"""A captured log, split into those who wrote it."""
