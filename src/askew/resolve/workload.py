"""A model deployment as one source shows it, before and after resolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from askew.evidence.launch import Launch
from askew.evidence.location import Location
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Basis, Confidence, Observation, Origin

State: TypeAlias = Literal["known", "unknown", "absent", "unsupported", "redacted"]
ProblemKind: TypeAlias = Literal[
    "invalid-value", "unknown-argument", "removed-argument", "ignored-argument", "malformed", "unreadable"
]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something written in the launch that the engine would reject, ignore or misread.

    ``suggestion`` is the argument or value that was probably meant, ready to paste; empty when there is none. A file
    that the engine could not read is ``unreadable``: an error of the input, with what was expected in ``suggestion``.
    """

    kind: ProblemKind
    message: str
    locations: tuple[Location, ...]
    argument: str = ""
    value: str = ""
    suggestion: str = ""
    fact: str = ""


class Member(msgspec.Struct, frozen=True):
    """A part of a workload that runs in other pods: the workers of a multi-node group."""

    id: str
    role: str
    launches: tuple[Launch, ...] = ()
    pods: int = 1


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """Where a process passes requests on to, and what a request meets on that way.

    Either the ``host`` of an address (``llm.prod.svc``) with its ``port``, or the pods that a Kubernetes label
    ``selector`` takes in ``namespace`` (empty: that of the process). ``observations`` are those of this hop; whoever
    joins them to the workload behind it names the hop, with ``part`` where a process has several ways to it (the name
    of a model). ``place`` is where the address is written.
    """

    host: str = ""
    port: int | None = None
    selector: str = ""
    namespace: str = ""
    part: str = ""
    observations: tuple[Observation, ...] = ()
    place: Location | None = None


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container, unit or process of a workload, before an engine has looked at it.

    ``launch`` is what the platform starts; ``processes`` what that really runs after shells and wrappers.
    ``observations`` are the facts that belong to this container alone (image, resources, probes, mounts, env).
    """

    name: str
    launch: Launch
    processes: tuple[Launch, ...]
    observations: tuple[Observation, ...] = ()
    gpus: int = 0
    problems: tuple[str, ...] = ()


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One running pod of a workload, and what holds of it alone.

    ``part`` is empty for the pods that the workload's own template describes, else the role of the member it is one of
    (``worker``). ``revision`` tells pods of different templates apart. ``containers`` are those that run otherwise than
    the workload's template says: one of another revision, or changed by admission. ``seen`` is what is observed of the
    pod, by container name; the empty name stands for the pod as a whole.
    """

    name: str
    location: Location
    part: str = ""
    revision: str = ""
    containers: tuple[Container, ...] = ()
    seen: Mapping[str, tuple[Observation, ...]] = {}


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform reads: identity, containers, and the facts of the workload as a whole.

    ``engine`` is the engine's name where the platform declares it (KubeAI ``engine: VLLM``, a KServe model format);
    empty where the containers must tell. ``ignores`` are the rules named by the annotation ``askew.dev/ignore``.
    ``labels`` are those of its pods. ``told`` is what its engine says of itself while it runs. ``replicas`` are its
    pods as they run, where a source shows them; ``templated``: ``containers`` are as the template of these pods says,
    and not worked out of an object that a controller makes the template of.
    """

    namespace: str
    kind: str
    name: str
    group: str = ""
    role: str = ""
    source: str = ""
    location: Location
    containers: tuple[Container, ...] = ()
    observations: tuple[Observation, ...] = ()
    members: tuple[Member, ...] = ()
    engine: str = ""
    ignores: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    told: tuple[Told, ...] = ()
    replicas: tuple[Replica, ...] = ()
    templated: bool = True

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}" + (f"#{self.role}" if self.role else "")


class Shadowed(msgspec.Struct, frozen=True, kw_only=True):
    """A value that lost to the effective one."""

    value: Value
    origin: Origin
    locations: tuple[Location, ...] = ()


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """The value at one hop between client and engine."""

    name: str
    value: Value
    origin: Origin
    locations: tuple[Location, ...] = ()


class MemberValue(msgspec.Struct, frozen=True, kw_only=True):
    """The value in one member of a workload, where members differ: one of its pods. None is that it is not set."""

    member: str
    value: Value = None
    location: Location | None = None


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """The effective value of one fact: the winner and what it shadowed, or unknown with a reason.

    For map facts ``entries`` holds one resolved value per key and ``value`` the known ones together; ``whole``: some
    source states the map as a whole, so that a key which is not in it is not set. ``values`` are those of the members,
    where these differ.
    """

    fact: str
    state: State
    key: str = ""
    value: Value = None
    origin: Origin = "engine-default"
    confidence: Confidence = "certain"
    basis: Basis = "asked"
    locations: tuple[Location, ...] = ()
    shadowed: tuple[Shadowed, ...] = ()
    hops: tuple[Hop, ...] = ()
    because: tuple[str, ...] = ()
    reason: str = ""
    observe_with: str = ""
    text: str = ""
    missing: bool = False
    entries: Mapping[str, Resolved] = {}
    values: tuple[MemberValue, ...] = ()
    whole: bool = False


class EngineIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine runs, and which release of it; ``version`` is None when no source tells."""

    name: str
    version: str | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A workload with every fact resolved.

    ``apart`` are the facts in which its replicas differ from one another, each with their values. ``overruled`` is what
    the workload's template says of settings that all of its replicas have otherwise.
    """

    workload: Workload
    id: str
    facts: Mapping[str, Resolved]
    engine: EngineIdentity | None = None
    container: Container | None = None
    launch: Launch | None = None
    problems: tuple[Problem, ...] = ()
    apart: tuple[Resolved, ...] = ()
    overruled: tuple[Resolved, ...] = ()
