"""Serving endpoints."""

from askew.collectors.http.collect import COLLECTOR

__all__ = ["COLLECTOR"]
