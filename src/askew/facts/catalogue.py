"""Every fact, by key."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from askew.facts import governance, hardware, model, orchestration, performance, runtime, serving
from askew.facts.types import Category, Fact


class UnknownFact(KeyError):  # noqa: N818  # reads as what it is: an unknown fact
    """A name that no fact has. The message suggests the nearest names."""

    def __str__(self) -> str:
        return str(self.args[0])


def collect(*groups: tuple[Fact, ...]) -> Mapping[str, Fact]:
    """The facts of all groups by key. Raises ValueError when a key is declared twice."""
    facts: dict[str, Fact] = {}
    for group in groups:
        for one in group:
            if one.key in facts:
                raise ValueError(f"the fact {one.key} is declared twice: remove or rename one of them")
            facts[one.key] = one
    return MappingProxyType(facts)


FACTS: Mapping[str, Fact] = collect(
    model.FACTS,
    runtime.FACTS,
    hardware.FACTS,
    serving.FACTS,
    orchestration.FACTS,
    performance.FACTS,
    governance.FACTS,
)


def fact(key: str) -> Fact:
    """The fact named ``key``. Raises UnknownFact, with a suggestion, when there is none."""
    found = FACTS.get(key)
    if found is not None:
        return found
    near = _near(key)
    hint = f"did you mean {' or '.join(near)}?" if near else "`askew explain` lists all facts"
    raise UnknownFact(f"there is no fact {key[:80]!r}; {hint}")


def by_category() -> dict[Category, tuple[Fact, ...]]:
    """The facts of each category, in the order of declaration."""
    grouped: dict[Category, list[Fact]] = {}
    for one in FACTS.values():
        grouped.setdefault(one.category, []).append(one)
    return {category: tuple(facts) for category, facts in grouped.items()}


def _near(key: str) -> list[str]:
    """Up to three keys that the writer probably meant: by spelling, or by the last part alone."""
    import difflib

    wanted = key[:80].strip().lower().replace("-", "_")
    tails = [name for name in FACTS if wanted and name.endswith("." + wanted)]
    tails.sort(key=lambda name: (FACTS[name].milestone, len(name)))
    return tails[:3] or difflib.get_close_matches(wanted, FACTS, n=3, cutoff=0.7)
