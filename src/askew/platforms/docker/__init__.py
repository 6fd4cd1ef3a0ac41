"""Containers that Docker or Podman run, as ``inspect`` shows them."""
