"""When two measured figures say nothing about each other: one rests on too little, or the loads were not the same."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.facts.catalogue import FACTS
from askew.facts.types import Fact
from askew.resolve.workload import Resolved

_LOAD = "performance.load"
# What clients send decides how long an answer takes; how many of them ask at once, or how often, how long it waits.
# Either of the last two is a load: an engine that became slower has more requests at once at the same rate.
_SIZES = ("input_tokens", "output_tokens")
_PRESSURE = ("request_rate", "concurrency")


class Silence(msgspec.Struct, frozen=True):
    """Why two different figures are no difference. ``told``: both sides measured under a load that is known, so that
    they were meant to be compared; else they are by-catch, such as what an endpoint counted since it started."""

    reason: str
    told: bool


def silence(
    fact: Fact, a: Resolved, b: Resolved, here: Mapping[str, Resolved], there: Mapping[str, Resolved], declared: bool
) -> Silence | None:
    """None where two figures of a fact of performance are a difference.

    ``declared``: the first side is a contract, which need not say under which load it means a figure.
    """
    known_a, known_b = _known(here.get(_LOAD)), _known(there.get(_LOAD))
    told = any(key in known_a and key in known_b for key in _PRESSURE)
    if "possible" in (a.confidence, b.confidence):
        kind = fact.type.of(a.key)
        thin = "reference" if a.confidence == "possible" else "target"
        shown = f"{kind.show(a.value)} against {kind.show(b.value)}"
        return Silence(f"{shown}, but the {thin}'s figure rests on too little", told)
    if declared and not known_a:
        return None
    if not told and fact.severity == "info":  # what requests are like, of sides that nobody loaded alike
        return Silence("the load of one side is not known", told)
    if not fact.under:
        return None
    if not told:
        return Silence("the load under which it was measured is not known of both sides", told)
    other = _other_load(known_a, known_b)
    return Silence(f"measured under different loads: {other}", told) if other else None


def _other_load(a: Mapping[str, Resolved], b: Mapping[str, Resolved]) -> str:
    """In what two loads differ; empty where they do not."""
    load = FACTS[_LOAD].type
    alike = {
        key: load.of(key).same(a[key].value, b[key].value) for key in (*_SIZES, *_PRESSURE) if key in a and key in b
    }
    other = [key for key in _SIZES if not alike.get(key, True)]
    if not any(alike.get(key) for key in _PRESSURE):
        other += [key for key in _PRESSURE if key in alike]
    return ", ".join(f"{key} {a[key].value} against {b[key].value}" for key in other)


def _known(load: Resolved | None) -> Mapping[str, Resolved]:
    """The parts of a load that are known and rest on enough."""
    if load is None:
        return {}
    return {key: one for key, one in load.entries.items() if one.state == "known" and one.confidence != "possible"}
