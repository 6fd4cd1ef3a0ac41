"""systemd units and Podman quadlets: one workload for each service or container."""

from askew.platforms.systemd.read import read

__all__ = ["read"]
