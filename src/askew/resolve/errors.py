"""Errors of resolution: always a mistake in Askew's or a plug-in's data, never in what the user wrote."""

from __future__ import annotations


class ResolveError(Exception):
    """The rules given cannot be evaluated: they depend on each other in a circle."""
