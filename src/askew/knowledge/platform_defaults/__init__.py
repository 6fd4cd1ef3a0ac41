"""What the components between client and engine do when nobody writes anything.

`platform_defaults.json` beside this module holds one line for each, with the public source it was read in. Only what
was read in source or documentation stands there.
"""

from __future__ import annotations

import os
from functools import lru_cache

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value


class PlatformDefault(msgspec.Struct, frozen=True):
    """One default: ``component`` (``ingress-nginx``), its ``setting``, the value as the component writes it, and a
    URL."""

    component: str
    setting: str
    value: Value
    source: str

    @property
    def citation(self) -> Location:
        """The public source as the place of an observation."""
        return Location(self.source)


@lru_cache(maxsize=1)
def catalogue() -> dict[tuple[str, str], PlatformDefault]:
    """Every known default by component and setting."""
    with open(os.path.join(os.path.dirname(__file__), "platform_defaults.json"), "rb") as file:
        rows = msgspec.json.decode(file.read())
    found: dict[tuple[str, str], PlatformDefault] = {}
    for row in rows:
        one = PlatformDefault(row["component"], row["setting"], row["value"], row["source"])
        found[(one.component, one.setting)] = one
    return found


def default_of(component: str, setting: str) -> PlatformDefault:
    """The default of one setting. Raises KeyError for one that nobody has read: guessing is worse than not knowing."""
    return catalogue()[(component, setting)]
