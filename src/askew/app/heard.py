"""What running engines say of themselves, read by the engine that says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import cast

import msgspec

from askew.engines._live import ENDPOINTS, LOGS, METERS
from askew.engines.live import Endpoints, Log, Meters
from askew.evidence.told import Told
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Resolved


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The engine that spoke, the release that it says it is, and what it states. The engine is empty where none is
    recognised (an exporter measures a GPU of whichever engine), the release where none is told. ``apart`` are the facts
    that several replicas report differently; ``observations`` has them as unknown.
    """

    engine: str
    release: str
    observations: tuple[Observation, ...]
    apart: tuple[Resolved, ...] = ()


def heard(told: Sequence[Told], engine: str = "") -> Heard | None:
    """What was told, read by ``engine`` where it is known, else by the one whose way of speaking it is. Where none is
    recognised in answers, what any of them would mean by these; None where there are none.

    Each replica is read on its own; what several say alike is one observation. Their metrics are read together: a
    quantile over all requests is no mean of quantiles.
    """
    groups: dict[tuple[str, str, str], list[Told]] = {}
    for one in told:
        who = ("", "") if one.kind == "metrics" else (one.replica, one.container)
        groups.setdefault((*who, one.kind), []).append(one)
    found: list[tuple[str, Observation]] = []
    for (replica, _, kind), group in groups.items():
        read = _READERS.get(kind)
        if read is not None:
            name, said = read(group, engine)
            engine = engine or name
            found.extend((replica, one) for one in (said if name == engine else ()))
    if not engine:
        from askew.engines.unrecognised_answers import read as read_unrecognised

        for (replica, _, kind), group in groups.items():
            if kind == "answer":
                found.extend((replica, one) for one in read_unrecognised({one.name: one for one in group}))
        if not found:
            return None
    apart = _apart(found)
    differing = {(one.fact, one.key) for one in apart}
    agreed = (one for _, one in found if (one.fact, one.key) not in differing)
    distinct = _distinct(agreed)
    return Heard(
        engine=engine,
        release=_release(distinct),
        observations=(*distinct, *(_unknown(one) for one in apart)),
        apart=apart,
    )


def _distinct(found: Iterable[Observation]) -> tuple[Observation, ...]:
    alike = {repr(msgspec.structs.replace(one, locations=())): one for one in reversed(list(found))}  # the first stays
    return tuple(reversed(alike.values()))


def _apart(found: Sequence[tuple[str, Observation]]) -> tuple[Resolved, ...]:
    """What several replicas report differently: each with the last that it says."""
    from askew.app.replicas import differing

    said: dict[tuple[str, str], dict[str, Observation]] = {}
    for replica, one in found:
        if replica and not isinstance(one.value, Unknown):
            said.setdefault((one.fact, one.key), {})[replica] = one
    groups = [sorted(values.items()) for _, values in sorted(said.items()) if len(values) > 1]
    return tuple(fact for group in groups if (fact := differing(group)) is not None)


def _unknown(one: Resolved) -> Observation:
    return Observation(
        fact=one.fact,
        key=one.key,
        value=Unknown(one.reason, one.observe_with),
        origin=one.origin,
        basis=one.basis,
        locations=one.locations,
    )


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
    from askew.engines import nccl
    from askew.engines.logged import last_start

    for name, module in _chosen(LOGS, engine):
        log = cast(Log, import_module(module).LOG)
        if any(log.speaks(one) for one in group):
            said = (found for one in group for found in (*log.read(one), *nccl.read(one, last_start(one, log.starts))))
            return name, tuple(said)
    return "", ()


def _metrics(group: Sequence[Told], engine: str) -> tuple[str, tuple[Observation, ...]]:
    """The metrics of the engine that is known where it speaks in them, else of the one of whom they show the most (a
    platform passes on those of the engine that it runs); and what exporters measure of the same workload."""
    from askew.engines import exporters, meters
    from askew.evidence.scrapes import gathered

    tables = {name: cast(Meters, import_module(module).METERS) for name, module in METERS.items()}
    scrapes = gathered(group, meters.wanted((*tables.values(), *exporters.TABLES)))
    names = {one.name for one in scrapes.series}
    spoken = {name: found for name, table in tables.items() if (found := meters.speaks(table, names, name == engine))}
    speaker = engine if engine in spoken else max(spoken, key=lambda name: (len(spoken[name]), name), default="")
    said = meters.read(scrapes, tables[speaker]) if speaker else ()
    others = sorted(name for name, found in spoken.items() if len(found - spoken[speaker]) >= _AN_ENGINE)
    if others:  # a selection that holds several engines: these figures are of one of them
        left_out = f"of {speaker} alone: there are metrics of {', '.join(others)} too"
        said = tuple(msgspec.structs.replace(one, because=(*one.because, left_out)) for one in said)
    return engine or speaker, (*said, *exporters.read(scrapes))


def _chosen(modules: Mapping[str, str], engine: str) -> Sequence[tuple[str, str]]:
    """The modules to ask: that of the engine that is known, or all."""
    return [(name, module) for name, module in modules.items() if not engine or name == engine]


_AN_ENGINE = 4  # metrics of its own that show that another engine is there too

_READERS: Mapping[str, Callable[[Sequence[Told], str], tuple[str, tuple[Observation, ...]]]] = {
    "answer": _answers,
    "log": _logs,
    "metrics": _metrics,
}
