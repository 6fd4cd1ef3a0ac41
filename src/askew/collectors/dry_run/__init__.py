"""Manifests as an API server would store them."""

from askew.collectors.dry_run.collect import COLLECTOR

__all__ = ["COLLECTOR"]
