"""Rules over one snapshot; one file per rule."""
