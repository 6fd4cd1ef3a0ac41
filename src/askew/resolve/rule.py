"""Defaults that depend on other facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Origin, Unknown


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A computed value for ``fact`` where no source states it.

    ``needs`` are facts that must be known (an absent one is passed as None); a missing one makes the result unknown,
    naming it. ``uses`` are passed when known and left out when not. ``compute`` gets the canonical values by fact key
    and returns a canonical value, None for absent, or Unknown with its reason. Of several rules for one fact the one
    with the lowest ``rank`` wins. ``because`` says in a sentence why, for people. ``location`` cites the public
    source of the rule.
    """

    fact: str
    needs: tuple[str, ...]
    compute: Callable[[Mapping[str, Value]], Value | Unknown]
    because: str
    uses: tuple[str, ...] = ()
    key: str = ""
    origin: Origin = "engine-default"
    confidence: Confidence = "certain"
    location: Location | None = None
    rank: int = 0
