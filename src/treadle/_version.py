"""The version, as a constant: asking the installed package's metadata takes longer than `treadle --version` may."""

__version__ = "0.1.0"
