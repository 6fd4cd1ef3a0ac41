"""Reads lists of installed packages: ``packages:``, ``sbom:``."""

from askew.collectors.packages.collect import COLLECTOR

__all__ = ["COLLECTOR"]
