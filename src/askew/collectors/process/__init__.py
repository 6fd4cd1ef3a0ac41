"""Processes of this machine: ``pid:4711``."""

from askew.collectors.process.collect import COLLECTOR

__all__ = ["COLLECTOR"]
