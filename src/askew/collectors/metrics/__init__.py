"""Reads captured dumps of metrics: ``metrics:``."""

from askew.collectors.metrics.collect import COLLECTOR

__all__ = ["COLLECTOR"]
