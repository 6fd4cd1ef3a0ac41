"""Askew finds training-serving configuration skew and shows the difference that proves it."""

__version__ = "0.1.0"
