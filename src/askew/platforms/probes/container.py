"""A container as it is described, with what commands printed inside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from askew.evidence.launch import Launch
from askew.platforms.interface import SourceText
from askew.platforms.probes.read import engine_release, main_process
from askew.platforms.shell.wrappers import program
from askew.resolve.observation import Observation
from askew.resolve.workload import Container

_SHELLS = frozenset(("sh", "bash", "dash", "ash"))
_MOST_PLACES = 4


def into(container: Container, seen: Sequence[tuple[Observation, ...]], texts: Sequence[SourceText]) -> Container:
    """A container with what its probes show: ``seen`` of each of its replicas, of which what all show alike is taken,
    and the outputs of one of them. The process that runs is taken where the container's description hides it."""
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
