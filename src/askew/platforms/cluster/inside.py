"""What commands printed in the pods of a workload: of each pod what it shows, of the workload what all of them show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from askew.evidence.launch import Launch
from askew.platforms.interface import SourceText
from askew.platforms.probes.read import engine_release, main_process, read
from askew.platforms.shell.wrappers import program
from askew.resolve.observation import Observation
from askew.resolve.workload import Container, Replica, Workload

# Namespace and pod → container → the outputs of its probes.
Ran = Mapping[tuple[str, str], Mapping[str, Sequence[SourceText]]]

_COUNT = "hardware.gpu.count"
_SHELLS = frozenset(("sh", "bash", "dash", "ash"))
_MOST_PLACES = 4


def of_workload(workload: Workload, ran: Ran) -> Workload:
    """A workload with what was seen in its pods. What they show differently stays with the pods; the process that runs
    is taken where the template does not tell what its image or script starts."""
    replicas: list[Replica] = []
    seen: dict[str, list[tuple[Observation, ...]]] = {}
    running: dict[str, Sequence[SourceText]] = {}
    for replica in workload.replicas:
        outputs = ran.get((workload.namespace, replica.name), {})
        mine = dict(replica.seen)
        for name, texts in outputs.items():
            # A pod of several that make one replica shows the devices of that pod.
            found = tuple(one for one in read(texts) if not (workload.members and one.fact == _COUNT))
            mine[name] = (*mine.get(name, ()), *found)
            if not replica.part:
                seen.setdefault(name, []).append(found)
                running.setdefault(name, texts)
        replicas.append(msgspec.structs.replace(replica, seen=mine) if outputs else replica)
    if not seen:
        return msgspec.structs.replace(workload, replicas=tuple(replicas))
    containers = (_container(one, seen.get(one.name, ()), running.get(one.name, ())) for one in workload.containers)
    return msgspec.structs.replace(workload, replicas=tuple(replicas), containers=tuple(containers))


def _container(container: Container, seen: Sequence[tuple[Observation, ...]], texts: Sequence[SourceText]) -> Container:
    if not seen:
        return container
    shared = tuple(_shared(seen))
    processes = container.processes
    if _is_opaque(container) and (found := main_process(texts, container.launch)) is not None:
        processes = (found,)
    release = engine_release(processes or (container.launch,), shared)
    if release is not None:
        shared = (*shared, release)
        version = str(release.value)
        processes = tuple(msgspec.structs.replace(one, release=version) for one in processes)
    return msgspec.structs.replace(container, processes=processes, observations=(*container.observations, *shared))


def _is_opaque(container: Container) -> bool:
    """Whether the template does not say what runs: nothing but an image, or a script that it does not show."""
    started: Iterable[Launch] = container.processes or (container.launch,)
    return all(
        not one.argv or one.argv[0].text.endswith(".sh") or program(one.argv[0].text) in _SHELLS for one in started
    )


def _shared(seen: Sequence[tuple[Observation, ...]]) -> Iterator[Observation]:
    """What all pods that show a setting show alike, with the places of some of them."""
    grouped: dict[tuple[str, str], list[Observation]] = {}
    for found in seen:
        for one in found:
            grouped.setdefault((one.fact, one.key), []).append(one)
    for group in grouped.values():
        if all(one.value == group[0].value for one in group[1:]):
            places = tuple(dict.fromkeys(at for one in group for at in one.locations[:_MOST_PLACES]))
            yield msgspec.structs.replace(group[0], locations=places[:_MOST_PLACES])
