"""ModelSpec documents and askew.lock."""
