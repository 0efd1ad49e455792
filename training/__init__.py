"""Floor 4: the command line that makes models: ``python -m training``."""
