"""Arguments, exit codes, rendering choice."""
