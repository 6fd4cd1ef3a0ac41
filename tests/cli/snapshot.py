"""Committed outputs of whole commands. ``ASKEW_UPDATE_SNAPSHOTS=1 pytest tests/cli`` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "snapshots"


def same(text: str, name: str) -> None:
    """Assert that ``text`` is what was committed under ``name``."""
    path = FOLDER / name
    if os.environ.get("ASKEW_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    assert path.exists(), f"no snapshot {name}: ASKEW_UPDATE_SNAPSHOTS=1 writes it"
    assert text == path.read_bytes().decode()
