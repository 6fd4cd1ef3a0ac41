"""Conformance kits for authors of plug-ins."""
