"""Evidence that was captured earlier."""

from askew.collectors.bundle.collect import COLLECTOR

__all__ = ["COLLECTOR"]
