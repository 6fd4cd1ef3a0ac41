"""What the reader of one kind yields, before the objects around it are joined to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Content, Token, Variable
from askew.evidence.location import Location
from askew.platforms.kubernetes.objects import Object, Objects
from askew.resolve.observation import Confidence, Observation

Layers: TypeAlias = tuple[Node, ...]
"""Pod specs laid over one another, the base first.

They merge as Kubernetes' strategic merge patch does: containers, env and volumes by name, mounts by path, maps by
key; ``args``, ``command`` and tolerations are replaced. Every value keeps the location it was written at. One layer is
the ordinary case.
"""


class PodGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Further pods of one replica of a workload: the workers of a multi-node group.

    ``pods`` is how many of them one replica has; None when that is not written, and ``unknown`` then says why.
    ``place`` is where that number stands, where one is written.
    """

    role: str
    pod: Layers
    pods: int | None = 1
    unknown: str = ""
    place: Location | None = None
    pod_labels: Mapping[str, str] = {}
    pod_annotations: Mapping[str, str] = {}


class Addition(msgspec.Struct, frozen=True, kw_only=True):
    """What a controller adds to one container: KServe's model arguments, the variables KubeAI sets.

    ``args`` are appended after the container's own; ``env`` comes after the pod's variables, so it wins over them,
    except where ``env_first`` is true. ``container`` is a name; empty means the first container.
    ``command`` replaces the argument vector (command and args) when it is not None. ``files`` are what the controller
    hands to the process beside its mounts, by path.
    """

    container: str = ""
    args: tuple[Token, ...] = ()
    env: tuple[Variable, ...] = ()
    env_first: bool = False
    command: tuple[Token, ...] | None = None
    image: Token | None = None
    observations: tuple[Observation, ...] = ()
    files: Mapping[str, Content] = {}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One workload as its own object states it.

    ``object`` is where it is declared; ``kind``, ``name``, ``namespace`` and ``group`` are taken from it when empty.
    ``role`` tells several workloads of one object apart (``prefill``, ``decode``). ``pod`` is the pod spec (not the
    template) as layers. ``replicas`` is the node of the replica count, where there is one; ``replicas_default`` what
    its absence means, None when the count means nothing here (a Job). ``pods_per_replica`` multiplies the pod's own
    GPUs (a StatefulSet is 1); other pods of the replica are ``groups``. ``observations`` are facts of the whole
    workload; what stands there is not worked out again from the pod (a reader that knows ``orchestration.replicas.min``
    better than ``replicas`` says so there). ``container_observations`` are facts about the engine's container, by
    container name ("" for all). ``engine`` is the engine's name where the platform declares it, else "".
    ``shm`` is why /dev/shm may be larger than its default although the pod's fields mount nothing there.
    ``targets`` are further (group, kind, name) under which autoscalers, routes and services may refer to this workload.
    """

    object: Object
    pod: Layers
    kind: str = ""
    name: str = ""
    namespace: str = ""
    group: str = ""
    role: str = ""
    pod_labels: Mapping[str, str] = {}
    pod_annotations: Mapping[str, str] = {}
    replicas: Node | None = None
    replicas_default: int | None = 1
    pods_per_replica: int = 1
    groups: tuple[PodGroup, ...] = ()
    additions: tuple[Addition, ...] = ()
    observations: tuple[Observation, ...] = ()
    container_observations: Mapping[str, tuple[Observation, ...]] = {}
    engine: str = ""
    shm: str = ""
    confidence: Confidence = "certain"
    targets: tuple[tuple[str, str, str], ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def workload_name(self) -> str:
        return self.name or self.object.name

    @property
    def workload_kind(self) -> str:
        return self.kind or self.object.kind

    @property
    def workload_namespace(self) -> str:
        return self.namespace or self.object.namespace

    @property
    def workload_group(self) -> str:
        return self.group or self.object.group


Reader: TypeAlias = Callable[[Object, Objects], tuple[Draft, ...]]
"""Reads one object of a kind; an empty tuple means that it runs nothing of its own."""

Join: TypeAlias = Callable[[Draft, Objects], Sequence[Observation]]
"""What the objects around a workload (its autoscaler, services, routes) say about it."""


def pick(layers: Layers, *path: str) -> Node:
    """The node at ``path`` (field names) in the topmost layer that has one; else the missing node of the last layer."""
    for layer in reversed(layers):
        node = layer
        for step in path:
            node = node[step]
        if node.exists:
            return node
    node = layers[-1]
    for step in path:
        node = node[step]
    return node
