"""Processes that run on a machine."""
