"""How values are written in the field, and the one canonical form Askew compares: one module per kind of value.

Patterns are kept as text and compiled by `re` on first use, which its cache makes once: compiling all of them at import
would be a good part of a cold start.
"""
