"""The version of Dagster whose public API is followed here: what code that reads `__version__` compares with."""

__version__ = "1.13.27"
