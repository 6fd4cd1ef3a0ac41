"""Facts of later milestones, written as rows: they are named and typed now so that nobody names them twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from askew.facts.types import Category, Fact, Severity, Value, ValueType

# Key without its category, type, severity, how to observe it, examples, brief, why.
Row: TypeAlias = tuple[str, ValueType, Severity, str, tuple[Value, ...], str, str]


def later(
    category: Category,
    rows: Iterable[Row],
    playbook: str,
    follows: Mapping[str, str] = {},
    settled_by: Mapping[str, str] = {},
    evidence: Collection[str] = (),
    under: Mapping[str, str] = {},
) -> tuple[Fact, ...]:
    """The facts that ``rows`` declare: of the second milestone, and experimental. ``follows``, ``settled_by`` and
    ``under`` by the row's key; ``evidence`` are the keys of those that are not compared."""
    return tuple(
        Fact(
            key=f"{category}.{key}",
            type=kind,
            brief=brief,
            why=why,
            severity=severity,
            examples=examples,
            observe_with=observe_with,
            milestone=2,
            stability="experimental",
            playbook=playbook,
            follows=follows.get(key, ""),
            settled_by=settled_by.get(key, ""),
            compared=key not in evidence,
            under=under.get(key, ""),
        )
        for key, kind, severity, observe_with, examples, brief, why in rows
    )
