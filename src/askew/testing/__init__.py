"""Conformance kits for authors of plug-ins: what every engine, check and collector must hold to.

Each function raises AssertionError with what is wrong, so that one line in a test runs the kit.
"""
