"""Reads captured logs: ``log:``."""

from askew.collectors.log.collect import COLLECTOR

__all__ = ["COLLECTOR"]
