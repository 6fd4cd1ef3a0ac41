"""When two measured figures say nothing about each other: one rests on too little, or the loads were not the same."""

from __future__ import annotations

from collections.abc import Mapping

from askew.facts.catalogue import FACTS
from askew.facts.types import Fact
from askew.resolve.workload import Resolved

# What clients send decides how long an answer takes; how many of them ask at once, or how often, how long it waits.
# Either of the last two is a load: an engine that became slower has more requests at once at the same rate.
_SIZES = ("input_tokens", "output_tokens")
_PRESSURE = ("request_rate", "concurrency")


def why_silent(
    fact: Fact, a: Resolved, b: Resolved, here: Mapping[str, Resolved], there: Mapping[str, Resolved], declared: bool
) -> str:
    """Why two different figures are no difference; empty where they are one.

    ``declared``: the first side is a contract, which need not say under which load it means a figure.
    """
    if fact.category != "performance":
        return ""
    if "possible" in (a.confidence, b.confidence):
        kind = fact.type.entry(a.key) if a.key and fact.type.entry is not None else fact.type
        thin = "reference" if a.confidence == "possible" else "target"
        return f"{kind.show(a.value)} against {kind.show(b.value)}, but the {thin}'s figure rests on too little"
    if not fact.under or (declared and fact.under not in here):
        return ""
    return _other_load(here.get(fact.under), there.get(fact.under))


def _other_load(a: Resolved | None, b: Resolved | None) -> str:
    kind = FACTS["performance.load"].type
    known_a, known_b = _known(a), _known(b)
    both = [key for key in (*_SIZES, *_PRESSURE) if key in known_a and key in known_b]
    alike = {
        key: (kind.entry(key) if kind.entry is not None else kind).same(known_a[key].value, known_b[key].value)
        for key in both
    }
    pressure = [key for key in _PRESSURE if key in alike]
    if not pressure:
        return "the load under which it was measured is not known of both sides"
    other = [key for key in _SIZES if key in alike and not alike[key]]
    if not any(alike[key] for key in pressure):
        other += pressure
    shown = ", ".join(f"{key} {known_a[key].value} against {known_b[key].value}" for key in other)
    return f"measured under different loads: {shown}" if other else ""


def _known(load: Resolved | None) -> Mapping[str, Resolved]:
    """The parts of a load that are known and rest on enough."""
    if load is None:
        return {}
    return {key: one for key, one in load.entries.items() if one.state == "known" and one.confidence != "possible"}
