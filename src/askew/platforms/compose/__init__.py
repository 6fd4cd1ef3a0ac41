"""Docker Compose files: one workload for each service."""

from askew.platforms.compose.read import read

__all__ = ["read"]
