"""Workloads to snapshots: find the engine in the containers, let it read its launch, resolve every fact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from askew.app import registry
from askew.app.members import differing
from askew.app.signals import missing_metrics
from askew.engines.interface import Reading
from askew.evidence.launch import Launch
from askew.facts.catalogue import FACTS
from askew.knowledge.rules import RULES
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Container, EngineIdentity, Resolved, Snapshot, Workload

if TYPE_CHECKING:
    from askew.app.heard import Heard


def snapshots(workload: Workload, extra: Sequence[Observation] = ()) -> tuple[Snapshot, ...]:
    """One snapshot per engine that the workload runs; one without an engine when none is recognised.

    ``extra`` are observations from joined sources and assumptions. The container's name joins the id only where several
    engines run in one workload.
    """
    if not workload.replicas and not workload.told:
        return _snapshots(workload, list(running(workload)), extra)
    from askew.app.heard import heard
    from askew.app.replicas import apart, as_running

    workload, overruled = as_running(workload)
    engines = list(running(workload))
    said = heard(workload.told, engines[0][2] if len(engines) == 1 else "")
    found = _snapshots(workload, engines, extra, said)
    return tuple(
        msgspec.structs.replace(
            one,
            apart=(*apart(workload, one.container), *(said.apart if said is not None else ())),
            overruled=overruled.get(one.container.name, ()) if one.container is not None else (),
        )
        for one in found
    )


def running(workload: Workload) -> Iterator[tuple[Container, Launch, str]]:
    """Every process of the workload that is an engine, with the engine's name."""
    for container in workload.containers:
        for process in container.processes or (container.launch,):
            if (name := registry.recognise(process)) is not None:
                yield container, process, name


def _snapshots(
    workload: Workload,
    engines: Sequence[tuple[Container, Launch, str]],
    extra: Sequence[Observation],
    said: Heard | None = None,
) -> tuple[Snapshot, ...]:
    if said is not None:
        extra = (*said.observations, *extra)
        engines = [
            (container, msgspec.structs.replace(process, release=said.release), name)
            if name == said.engine
            else (container, process, name)
            for container, process, name in engines
        ]
        if not engines and not workload.engine:
            workload = msgspec.structs.replace(workload, engine=said.engine)
    if not engines:
        return (_without_engine(workload, extra),)
    names = [container.name for container, _, _ in engines]
    out: list[Snapshot] = []
    for index, (container, process, name) in enumerate(engines):
        suffix = ""
        if len(engines) > 1:
            same = names.count(container.name) > 1
            suffix = f"/{container.name}" + (f"[{names[:index].count(container.name)}]" if same else "")
        reading = registry.engine(name).read(process)
        out.append(_snapshot(workload, container, process, name, reading, suffix, extra))
    return tuple(out)


def _without_engine(workload: Workload, extra: Sequence[Observation]) -> Snapshot:
    container = _main_container(workload)
    if container is None:
        name = workload.engine or None
        return _resolved(workload, None, None, name, None, "", [*workload.observations, *extra])
    hinted = workload.engine if workload.engine in registry.engine_names() else None
    if hinted is None and container.launch.image is not None and not container.launch.argv:
        hinted = registry.engine_of_image(container.launch.image.text)
    if hinted is not None:
        reading = registry.engine(hinted).read(container.launch)
        return _snapshot(workload, container, container.launch, hinted, reading, "", extra)
    from askew.engines.unrecognised import read as read_unrecognised

    process = container.processes[-1] if container.processes else container.launch
    return _snapshot(workload, container, process, workload.engine or None, read_unrecognised(process), "", extra)


def _main_container(workload: Workload) -> Container | None:
    """The container that serves, where no engine is recognised: the one with accelerators, else the first."""
    return next((c for c in workload.containers if c.gpus), workload.containers[0] if workload.containers else None)


def _snapshot(
    workload: Workload,
    container: Container,
    launch: Launch,
    name: str | None,
    reading: Reading,
    suffix: str,
    extra: Sequence[Observation],
) -> Snapshot:
    observations = [*workload.observations, *container.observations, *reading.observations, *extra]
    if name in registry.engine_names() and any(member.launches for member in workload.members):
        observations.extend(differing(workload, name, reading))
    return _resolved(workload, container, launch, name, reading, suffix, observations)


def _resolved(
    workload: Workload,
    container: Container | None,
    launch: Launch | None,
    name: str | None,
    reading: Reading | None,
    suffix: str,
    observations: Sequence[Observation],
) -> Snapshot:
    facts = dict(resolve(observations, (*RULES, *(reading.rules if reading else ()))))
    if name in registry.engine_names() and launch is not None:
        for key, why in registry.engine(name).unsupported.items():
            if key not in facts and FACTS[key].milestone == 1:
                facts[key] = Resolved(fact=key, state="unsupported", reason=why, locations=(launch.location,))
    if (signals := missing_metrics(name, launch, facts)) is not None:
        facts[signals.fact] = signals
    version = facts.get("runtime.engine.version")
    known = str(version.value) if version is not None and version.state == "known" else None
    return Snapshot(
        workload=workload,
        id=workload.id if not suffix else _with_container(workload, suffix),
        facts=facts,
        engine=EngineIdentity(name=name, version=known) if name else None,
        container=container,
        launch=launch,
        problems=reading.problems if reading else (),
    )


def _with_container(workload: Workload, suffix: str) -> str:
    base, role = f"{workload.namespace}/{workload.kind}/{workload.name}", workload.role
    return base + suffix + (f"#{role}" if role else "")
