"""What is understood of real deployments: launches, facts, files. Written to ``docs/reference/coverage.md``."""
