"""A live market-data server: one ordered stream, one cursor, every transport."""

__version__ = "0.1.0"
