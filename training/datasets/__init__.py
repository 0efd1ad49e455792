"""The data sets training can read: one file each, one row each in ``table.DATASETS``."""
