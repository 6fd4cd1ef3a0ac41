"""Contracts and locks that lie in the working directory."""

from __future__ import annotations

import os


def in_directory(directory: str, target: str) -> tuple[str, ...]:
    """The contracts and locks of a directory, by name, without the target itself: ``modelspec.yaml``,
    ``*.modelspec.yaml`` (also ``.yml``, ``.json``) and ``askew.lock``."""
    found = []
    for entry in sorted(os.listdir(directory)):
        stem, extension = os.path.splitext(entry)
        is_spec = extension in (".yaml", ".yml", ".json") and (stem == "modelspec" or stem.endswith(".modelspec"))
        if is_spec or entry == "askew.lock":
            path = os.path.normpath(os.path.join(directory, entry))
            if not (os.path.exists(target) and os.path.samefile(path, target)):
                found.append(path)
    return tuple(found)
