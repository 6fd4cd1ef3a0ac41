"""Writes what is derived from the code: the plug-in index, the reference pages, the JSON Schemas."""
