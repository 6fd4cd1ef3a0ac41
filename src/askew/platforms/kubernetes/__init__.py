"""Kubernetes objects, from files or from the API server, to workloads. Pure: no I/O."""
