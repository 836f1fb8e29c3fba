"""The version, which the build and saved states read."""

__version__ = "0.1.0"
