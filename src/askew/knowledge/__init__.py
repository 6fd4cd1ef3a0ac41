"""What the world knows, as data with sources."""
