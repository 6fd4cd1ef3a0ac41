"""Live objects of a cluster."""
