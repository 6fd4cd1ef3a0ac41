"""How values are written in the field, and the one canonical form Askew compares: one module per kind of value."""
