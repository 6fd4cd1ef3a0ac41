"""Lists of Python packages: what ``pip freeze`` writes, locks, environments of conda, SBOMs."""
