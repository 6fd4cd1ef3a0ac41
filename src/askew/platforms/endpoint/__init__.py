"""Serving endpoints."""
