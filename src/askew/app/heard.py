"""What running engines say of themselves, read by the engine that says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import cast

import msgspec

from askew.engines._live import ENDPOINTS, LOGS
from askew.engines.live import Endpoints, Log
from askew.evidence.told import Told
from askew.resolve.observation import Observation


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The engine that spoke, the release that it says it is, and what it states. The engine is empty where none is
    recognised, the release where none is told."""

    engine: str
    release: str
    observations: tuple[Observation, ...]


def heard(told: Sequence[Told], engine: str = "") -> Heard | None:
    """What was told, read by ``engine`` where it is known, else by the one whose way of speaking it is. Where none is
    recognised in answers, what any of them would mean by these; None where there are none.

    Each replica is read on its own; what several say alike is one observation.
    """
    groups: dict[tuple[str, str, str], list[Told]] = {}
    for one in told:
        groups.setdefault((one.replica, one.container, one.kind), []).append(one)
    found: list[Observation] = []
    for (_, _, kind), group in groups.items():
        read = _READERS.get(kind)
        if read is not None:
            name, said = read(group, engine)
            engine = engine or name
            found.extend(said if name == engine else ())
    if not engine:
        from askew.engines.unrecognised_answers import read as read_unrecognised

        for (_, _, kind), group in groups.items():
            if kind == "answer":
                found.extend(read_unrecognised({one.name: one for one in group}))
        if not found:
            return None
    alike = {repr(msgspec.structs.replace(one, locations=())): one for one in reversed(found)}  # the first stays
    distinct = tuple(reversed(alike.values()))
    return Heard(engine=engine, release=_release(distinct), observations=distinct)


def _release(observations: Sequence[Observation]) -> str:
    """The one release that all replicas report, or empty."""
    said = {one.value for one in observations if one.fact == "runtime.engine.version" and isinstance(one.value, str)}
    return said.pop() if len(said) == 1 else ""


def _answers(group: Sequence[Told], engine: str) -> tuple[str, tuple[Observation, ...]]:
    answers = {one.name: one for one in group}
    for name, module in _chosen(ENDPOINTS, engine):
        endpoints = cast(Endpoints, import_module(module).ENDPOINTS)
        if endpoints.speaks(answers):
            return name, endpoints.read(answers)
    return "", ()


def _logs(group: Sequence[Told], engine: str) -> tuple[str, tuple[Observation, ...]]:
    for name, module in _chosen(LOGS, engine):
        log = cast(Log, import_module(module).LOG)
        if any(log.speaks(one) for one in group):
            return name, tuple(observation for one in group for observation in log.read(one))
    return "", ()


def _chosen(modules: Mapping[str, str], engine: str) -> Sequence[tuple[str, str]]:
    """The modules to ask: that of the engine that is known, or all."""
    return [(name, module) for name, module in modules.items() if not engine or name == engine]


_READERS: Mapping[str, Callable[[Sequence[Told], str], tuple[str, tuple[Observation, ...]]]] = {
    "answer": _answers,
    "log": _logs,
}
