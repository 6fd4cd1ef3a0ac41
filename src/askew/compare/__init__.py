"""Resolved snapshots to differences; knows facts, never engines."""
