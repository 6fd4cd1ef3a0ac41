"""Raw material from a source, redacted, with its location."""
