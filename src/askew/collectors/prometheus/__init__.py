"""Asks Prometheus and what speaks its HTTP API: ``prometheus:``."""

from askew.collectors.prometheus.collect import COLLECTOR

__all__ = ["COLLECTOR"]
