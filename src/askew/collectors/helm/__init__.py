"""Helm charts, rendered with values by the Helm on PATH."""

from askew.collectors.helm.collect import COLLECTOR

__all__ = ["COLLECTOR"]
