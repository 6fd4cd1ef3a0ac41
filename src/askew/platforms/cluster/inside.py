"""What was seen inside the containers of a workload's pods: outputs of commands that only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from askew.platforms.interface import SourceText
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Container, Replica, Workload

_MOST_PLACES = 8

Outputs = Mapping[tuple[str, str, str], Sequence[SourceText]]
"""By namespace, pod and container."""


def with_outputs(workload: Workload, outputs: Outputs) -> Workload:
    """The workload with what its containers showed: each pod's in its replica, and what all pods agree on as a fact."""
    replicas = tuple(_replica(one, workload, outputs) for one in workload.replicas)
    if replicas == workload.replicas:
        return workload
    containers = tuple(
        msgspec.structs.replace(one, observations=(*one.observations, *_together(one, workload, replicas)))
        for one in workload.containers
    )
    return msgspec.structs.replace(workload, replicas=replicas, containers=containers)


def _replica(replica: Replica, workload: Workload, outputs: Outputs) -> Replica:
    from askew.platforms.probes.read import launches, read

    seen, processes = dict(replica.seen), dict(replica.processes)
    for container in workload.containers:
        texts = outputs.get((workload.namespace, replica.name, container.name), ())
        if texts:
            seen[container.name] = (*seen.get(container.name, ()), *read(texts))
            processes[container.name] = launches(texts, container.launch)
    if processes == replica.processes and seen == replica.seen:
        return replica
    return msgspec.structs.replace(replica, seen=seen, processes=processes)


def _together(container: Container, workload: Workload, replicas: Sequence[Replica]) -> Iterator[Observation]:
    """What the pods that answer show of one container, where it was not known before: known where they agree."""
    before = {one.name: len(one.seen.get(container.name, ())) for one in workload.replicas}
    found: dict[tuple[str, str], dict[str, Observation]] = {}
    for replica in replicas:
        if not replica.part:
            for one in replica.seen.get(container.name, ())[before.get(replica.name, 0) :]:
                found.setdefault((one.fact, one.key), {})[replica.name] = one
    for said in found.values():
        first = next(iter(said.values()))
        places = tuple(dict.fromkeys(at for one in said.values() for at in one.locations[:1]))[:_MOST_PLACES]
        if all(one.value == first.value for one in said.values()):
            yield msgspec.structs.replace(first, locations=places)
        else:
            names = ", ".join(list(said)[:4])
            yield msgspec.structs.replace(first, value=Unknown(f"the pods differ in it ({names})"), locations=places)
