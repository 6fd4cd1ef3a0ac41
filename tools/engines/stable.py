"""The defaults that are equal in every release that was read: what may be said of a release that nobody names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

# A default of None that start-up replaces says nothing; these spellings of "off" are one.
OFF = ("null", '""', "false", "{}", "[]")
DECIDED = -1  # "decide at start"


def stable(releases: Sequence[Mapping[str, Mapping[str, object]]]) -> dict[str, object]:
    """The defaults that do not differ between the releases that have the argument; the last release must have it."""
    found: dict[str, object] = {}
    for name in releases[-1]:
        entries = [arguments[name] for arguments in releases if name in arguments]
        values = [entry.get("value") for entry in entries]
        if all(json.dumps(value) in OFF for value in values):
            if any(entry.get("kind") == "rule" for entry in entries):
                continue
            found[name] = next((value for value in values if value is False), None)
        elif values[0] != DECIDED and all(json.dumps(value) == json.dumps(values[0]) for value in values):
            found[name] = values[0]
    return dict(sorted(found.items()))


def record(
    engine: str,
    source: str,
    names: Sequence[str],
    contents: Sequence[Mapping[str, Mapping[str, Mapping[str, object]]]],
) -> dict[str, object]:
    """``stable.json`` of the releases, oldest first."""
    return {
        "engine": engine,
        "source": source,
        "releases": list(names),
        "defaults": stable([content.get("arguments", {}) for content in contents]),
        "variables": sorted({name for content in contents for name in content.get("variables", {})}),
    }
