"""Which workload on one side is which on the other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec

from askew.app.errors import UsageError
from askew.resolve.workload import Snapshot


class Matches(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs, and what is left on each side."""

    pairs: tuple[tuple[Snapshot, Snapshot], ...]
    removed: tuple[Snapshot, ...]
    added: tuple[Snapshot, ...]


def match(
    references: Sequence[Snapshot],
    targets: Sequence[Snapshot],
    mapping: Iterable[tuple[str, str]] = (),
    *,
    lone: bool = True,
) -> Matches:
    """Match by ``--map``; then by API group, kind, namespace and name; by kind and name across namespaces; by
    name alone; by what they serve. A step matches only where it leaves no choice. With ``lone``, sources of one
    workload each always match.

    Raises UsageError when a ``--map`` names no workload.
    """
    left, right = list(references), list(targets)
    pairs: list[tuple[Snapshot, Snapshot]] = []

    def take(a: Snapshot, b: Snapshot) -> None:
        pairs.append((a, b))
        left.remove(a)
        right.remove(b)

    for pattern_a, pattern_b in mapping:
        found_a, found_b = _named(left, pattern_a), _named(right, pattern_b)
        if len(found_a) != 1 or len(found_b) != 1:
            side, found, pattern = (
                ("reference", found_a, pattern_a) if len(found_a) != 1 else ("target", found_b, pattern_b)
            )
            names = ", ".join(s.id for s in (left if side == "reference" else right)) or "none"
            raise UsageError(
                f"--map {pattern_a}={pattern_b}: '{pattern}' names {len(found) or 'no'} workloads of the {side}",
                f"use one of: {names}",
            )
        take(found_a[0], found_b[0])

    keys: tuple[Callable[[Snapshot], Hashable], ...] = (
        lambda s: (s.workload.group, s.id),
        lambda s: (s.workload.group, s.workload.kind, s.workload.name, s.workload.role, _container(s)),
        lambda s: (s.workload.name, s.workload.role, _container(s)),
        _serves,
    )
    for key in keys:
        by_left, by_right = _unique(left, key), _unique(right, key)
        for value, a in by_left.items():
            if value in by_right:
                take(a, by_right[value])
    if lone and left and len(references) == 1 and len(targets) == 1:
        # Of many, the last two have nothing in common that was not tried: one has gone, another has come.
        take(left[0], right[0])
    order = {id(s): index for index, s in enumerate(targets)}
    pairs.sort(key=lambda pair: order[id(pair[1])])
    return Matches(pairs=tuple(pairs), removed=tuple(left), added=tuple(right))


def covers(contract: Snapshot, target: Snapshot) -> bool:
    """Whether a contract speaks of a workload: it has the workload's name, or the workload serves its model."""
    if contract.workload.name == target.workload.name:
        return True
    declared = _texts(contract, "model.id") | _texts(contract, "model.source") | _texts(contract, "model.served_names")
    logical = contract.facts.get("model.id")
    if logical is not None and logical.text:
        declared.add(logical.text)
    served = _texts(target, "model.id") | _texts(target, "model.source") | _texts(target, "model.served_names")
    return bool({_plain(name) for name in declared} & {_plain(name) for name in served})


def _plain(name: str) -> str:
    return name.removeprefix("hf://").lower()


def _container(snapshot: Snapshot) -> str:
    return snapshot.id.removeprefix(snapshot.workload.id)


def _texts(snapshot: Snapshot, fact: str) -> set[str]:
    resolved = snapshot.facts.get(fact)
    if resolved is None or resolved.state != "known":
        return set()
    values = resolved.value if isinstance(resolved.value, list) else [resolved.value]
    return {str(value) for value in values}


def _serves(snapshot: Snapshot) -> Hashable:
    names = _texts(snapshot, "model.served_names") or _texts(snapshot, "model.id")
    return (frozenset(names), snapshot.workload.role) if names else ("no model", id(snapshot))


def _unique(snapshots: list[Snapshot], key: Callable[[Snapshot], Hashable]) -> dict[Hashable, Snapshot]:
    seen: dict[Hashable, list[Snapshot]] = {}
    for snapshot in snapshots:
        seen.setdefault(key(snapshot), []).append(snapshot)
    return {value: found[0] for value, found in seen.items() if len(found) == 1}


def _named(snapshots: list[Snapshot], pattern: str) -> list[Snapshot]:
    exact = [s for s in snapshots if pattern in (s.id, s.workload.name, f"{s.workload.namespace}/{s.workload.name}")]
    return exact or [s for s in snapshots if fnmatchcase(s.id, pattern) or fnmatchcase(s.workload.name, pattern)]
