"""Observations to effective values: precedence, lineage, computed defaults, honest unknowns."""
