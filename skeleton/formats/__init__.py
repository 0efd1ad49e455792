"""Recording formats: one file each, listed in ``table.FORMATS``; all read and write the same ``Recording``."""
