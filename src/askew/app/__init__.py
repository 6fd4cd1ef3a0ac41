"""The pipeline: collect, resolve, compare, diagnose, report."""
