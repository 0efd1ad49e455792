"""Where body frames come from: one file a source, one row each in ``table.SOURCES``."""
