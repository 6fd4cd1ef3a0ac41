"""Kustomizations, built by the kustomize or kubectl on PATH."""

from askew.collectors.kustomize.collect import COLLECTOR

__all__ = ["COLLECTOR"]
