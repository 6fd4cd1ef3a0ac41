"""Directories of models."""

from askew.collectors.hf.collect import COLLECTOR

__all__ = ["COLLECTOR"]
