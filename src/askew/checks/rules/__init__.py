"""The checks: one file per rule; the docstring is its documentation."""
