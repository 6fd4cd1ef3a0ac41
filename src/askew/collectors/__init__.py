"""The only I/O on the inspected world."""
