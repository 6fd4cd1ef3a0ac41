"""A command line given as the source itself."""

from askew.collectors.command.collect import COLLECTOR

__all__ = ["COLLECTOR"]
