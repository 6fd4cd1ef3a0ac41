"""Containers that Docker or Podman run: ``docker:NAME``."""

from askew.collectors.docker.collect import COLLECTOR

__all__ = ["COLLECTOR"]
