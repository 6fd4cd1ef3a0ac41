"""Files, directories and standard input."""

from askew.collectors.files.collect import COLLECTOR

__all__ = ["COLLECTOR"]
