"""Findings to text and to the versioned machine formats."""
