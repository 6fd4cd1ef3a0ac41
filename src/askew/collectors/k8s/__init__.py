"""Live objects of a Kubernetes cluster, from its API server."""

from askew.collectors.k8s.collect import COLLECTOR

__all__ = ["COLLECTOR"]
