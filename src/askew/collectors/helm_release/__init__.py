"""Releases that Helm keeps in a cluster."""

from askew.collectors.helm_release.collect import COLLECTOR

__all__ = ["COLLECTOR"]
