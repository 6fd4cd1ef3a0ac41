"""One folder per serving engine: recognise it, read its flags, know its defaults."""
