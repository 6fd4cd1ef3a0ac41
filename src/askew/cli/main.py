"""The entry point. ``--version`` answers before anything else is imported."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return the exit code: 0 aligned, 1 findings, 2 bad input, 3 incomplete, 4
    internal error."""
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        from askew import __version__

        print(f"askew {__version__}")
        return 0
    from askew.cli.run import run

    return run(words)
