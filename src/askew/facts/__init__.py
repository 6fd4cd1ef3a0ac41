"""The vocabulary: every fact Askew can state about a deployed model, and its value types."""
