"""What running engines say of themselves, read by the engine that says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import cast

import msgspec

from askew.engines._live import ENDPOINTS, LOGS, METERS
from askew.engines.live import Endpoints, Log, Meters
from askew.evidence.told import Told
from askew.resolve.observation import Observation


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The engine that spoke, the release that it says it is (empty where it says none), and what it states.

    ``engine`` is empty where what was told is not an engine's own: what an exporter measures of its GPU.
    """

    engine: str
    release: str
    observations: tuple[Observation, ...]


def heard(told: Sequence[Told], engine: str = "") -> Heard | None:
    """What was told, read by ``engine`` where it is known, else by the one whose way of speaking it is. None where no
    engine is recognised in it.

    Each replica is read on its own; what several say alike is one observation. Their metrics are read together: a
    quantile over all requests is no mean of quantiles.
    """
    groups: dict[tuple[str, str, str], list[Told]] = {}
    for one in told:
        who = ("", "") if one.kind == "metrics" else (one.replica, one.container)
        groups.setdefault((*who, one.kind), []).append(one)
    found: list[Observation] = []
    for (_, _, kind), group in groups.items():
        read = _READERS.get(kind)
        if read is not None:
            name, said = read(group, engine)
            engine = engine or name
            found.extend(said if name == engine else ())
    if not engine and not found:
        return None
    distinct = tuple({repr(msgspec.structs.replace(one, locations=())): one for one in found}.values())
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


def _metrics(group: Sequence[Told], engine: str) -> tuple[str, tuple[Observation, ...]]:
    """The metrics of the engine that is known where it speaks in them, else of the one of whom they show the most (a
    platform passes on those of the engine that it runs); and what exporters measure of the same workload."""
    from askew.engines import exporters, meters
    from askew.evidence.scrapes import gathered

    tables = {name: cast(Meters, import_module(module).METERS) for name, module in METERS.items()}
    scrapes = gathered(group, meters.wanted((*tables.values(), *exporters.TABLES)))
    names = {one.name for one in scrapes.series}
    scores = {name: score for name, table in tables.items() if (score := meters.speaks(table, names, name == engine))}
    speaker = engine if engine in scores else max(scores, key=lambda name: (scores[name], name), default="")
    said = meters.read(scrapes, tables[speaker]) if speaker else ()
    return engine or speaker, (*said, *exporters.read(scrapes))


def _chosen(modules: Mapping[str, str], engine: str) -> Sequence[tuple[str, str]]:
    """The modules to ask: that of the engine that is known, or all."""
    return [(name, module) for name, module in modules.items() if not engine or name == engine]


_READERS: Mapping[str, Callable[[Sequence[Told], str], tuple[str, tuple[Observation, ...]]]] = {
    "answer": _answers,
    "log": _logs,
    "metrics": _metrics,
}
