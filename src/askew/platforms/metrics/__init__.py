"""Metrics of a running engine: captured dumps, and what a Prometheus server kept of them."""
