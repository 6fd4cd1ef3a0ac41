"""The pods of a workload as they run: what they were admitted with, and what their containers report.

A template is what was asked for. Admission changes pods and not templates, a rollout leaves pods of an older template,
and a tag becomes a digest only where it is pulled. Fields: https://kubernetes.io/docs/reference/kubernetes-api/
workload-resources/pod-v1/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.platforms.kubernetes.draft import Draft
from askew.platforms.kubernetes.nodes import asks_for_devices, seen_on
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, scalar, text_of
from askew.platforms.kubernetes.owners import part_of, revision_of, running_pods
from askew.platforms.kubernetes.pods import INJECTED
from askew.resolve.images import read_image
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Container, Replica

DIGEST = "runtime.image.digest"
_RESTARTS = "orchestration.restarts"
_LAST = "orchestration.last_termination"
# The fields of a container that say what it runs. Mounts are left out: admission adds some to every pod.
_RUN = (
    *("image", "command", "args", "env", "envFrom", "workingDir"),
    *("startupProbe", "readinessProbe", "livenessProbe", "lifecycle"),
)
# Groups whose objects hold the template of their pods as it is; a LeaderWorkerSet only adds variables.
_TEMPLATED = frozenset({"", "apps", "batch", "extensions", "leaderworkerset.x-k8s.io", "argoproj.io", "apps.kruise.io"})
_MOST_NAMED = 6

ReadContainers = Callable[[Object], tuple[Container, ...]]
"""Reads the containers of one pod."""


def replicas_of(draft: Draft, objects: Objects, read: ReadContainers) -> tuple[Replica, ...]:
    """Every running pod of the workload. A container that runs otherwise than the template says comes with it."""
    template = {text_of(one["name"]): one for layer in draft.pod for one in layer["containers"].each()}
    plain = len(draft.pod) == 1 and not draft.additions
    known: list[tuple[dict[str, object], Container]] = []
    found: list[Replica] = []
    parts = {"": asks_for_devices(draft.pod), **{group.role: asks_for_devices(group.pod) for group in draft.groups}}
    for pod in running_pods(draft, objects):
        part = part_of(pod)
        other: list[Container] = []
        if pod is not draft.object and not part:
            wanted = [one for one in pod.node["spec"]["containers"].each() if text_of(one["name"]) not in INJECTED]
            unlike = [one for one in wanted if not (plain and _alike(one, template.get(text_of(one["name"]))))]
            other = [container for one in unlike if (container := _container(one, pod, read, known)) is not None]
        found.append(
            Replica(
                name=pod.name,
                location=pod.location,
                part=part,
                revision=revision_of(pod),
                containers=tuple(other),
                seen={"": seen_on(_node(pod), objects) if parts.get(part) else (), **dict(_seen(pod))},
            )
        )
    return tuple(found)


def as_made(
    containers: tuple[Container, ...], found: tuple[Replica, ...]
) -> tuple[tuple[Container, ...], tuple[Replica, ...]]:
    """Containers and replicas of an object that holds no template, but what a controller makes one of.

    Its pods are told from one another, never from what was worked out of the object. Where that is not known (the
    runtime of a service is not among the sources), the pods tell what it is.
    """
    if not _one_form(found):
        return containers, found
    made = {one.name: one for replica in found if not replica.part for one in replica.containers}
    return (
        tuple(_as_made(one, made.get(one.name)) for one in containers),
        tuple(msgspec.structs.replace(one, containers=()) for one in found),
    )


def _as_made(container: Container, made: Container | None) -> Container:
    if container.launch.image is not None or made is None:
        return container
    known = [one for one in container.observations if not isinstance(one.value, Unknown)]
    facts = {one.fact for one in known}
    more = (one for one in made.observations if one.fact not in facts)
    return msgspec.structs.replace(
        container,
        launch=made.launch,
        processes=made.processes,
        observations=(*known, *more),
        gpus=container.gpus or made.gpus,
        problems=made.problems,
    )


def templated(draft: Draft) -> bool:
    """Whether the object holds the template of its pods, and not what a controller makes one of."""
    return draft.object.group in _TEMPLATED


def _one_form(found: Sequence[Replica]) -> bool:
    """Whether all replicas have the same containers: what is alike was read once."""
    return len({tuple(id(one) for one in replica.containers) for replica in found if not replica.part}) == 1


def reported(draft: Draft, objects: Objects, container: Container) -> tuple[Observation, ...]:
    """What the pods' statuses say of one container: the digest behind its tag, restarts, and how it ended last."""
    pods = [pod for pod in running_pods(draft, objects) if not part_of(pod)]
    statuses = [(pod, status) for pod in pods if (status := _status(pod, container.name)) is not None]
    if not statuses:
        return ()
    return (*_digest(container, statuses), *_restarts(statuses), *_last(statuses))


def _container(
    node: Node, pod: Object, read: ReadContainers, known: list[tuple[dict[str, object], Container]]
) -> Container | None:
    """One container of a pod; pods of one template have the same, which is then read once."""
    key = {"name": node["name"].value, **_form(node)}
    same = next((container for form, container in known if form == key), None)
    if same is not None:
        return same
    name = text_of(node["name"])
    container = next((one for one in read(pod) if one.name == name), None)
    if container is not None:
        known.append((key, container))
    return container


def _alike(own: Node, template: Node | None) -> bool:
    """Whether a container of a pod is as its template says, but for what every pod is given."""
    return template is not None and _form(own) == _form(template)


def _form(container: Node) -> dict[str, object]:
    value = container.value
    if not isinstance(value, Mapping):
        return {}
    form = {field: value[field] for field in _RUN if value.get(field)}
    resources = value.get("resources")
    if isinstance(resources, Mapping):
        limits, requests = (resources.get(part) or {} for part in ("limits", "requests"))
        if isinstance(limits, Mapping) and isinstance(requests, Mapping):
            # The API server gives a pod the requests that its template leaves to the limits.
            form["limits"], form["requests"] = dict(limits), {**limits, **requests}
    return form


def _node(pod: Object) -> str:
    return text_of(pod.node["spec"]["nodeName"])


def _status(pod: Object, container: str) -> Node | None:
    statuses = pod.node["status"]["containerStatuses"].each()
    return next((one for one in statuses if text_of(one["name"]) == container), None)


def _seen(pod: Object) -> Iterator[tuple[str, tuple[Observation, ...]]]:
    """By container what only its status tells."""
    images = {text_of(one["name"]): text_of(one["image"]) for one in pod.node["spec"]["containers"].each()}
    for status in pod.node["status"]["containerStatuses"].each():
        name = text_of(status["name"])
        if name and name not in INJECTED:
            found = (*_running(images.get(name, ""), status), *_restarts([(pod, status)]))
            yield name, found


def _running(image: str, status: Node) -> Iterator[Observation]:
    """The digest that one container runs behind a tag. A pinned image runs what it says, and needs no second witness:
    what runtimes report for an image of several platforms is not always the digest it was pulled by."""
    running = status["imageID"]
    if "@" not in image and "@sha256:" in text_of(running):
        yield observed(DIGEST, text_of(running), running.location, origin="reported", basis="seen")


def _digest(container: Container, statuses: Sequence[tuple[Object, Node]]) -> Iterator[Observation]:
    reference = read_image(container.launch.image)
    if reference is None or reference.digest is not None:
        return
    found: dict[str, list[tuple[str, Location]]] = {}
    for pod, status in statuses:
        for one in _running("", status):
            found.setdefault(str(one.value), []).append((pod.name, status["imageID"].location))
    places = tuple(at for pods in found.values() for _, at in pods)[:_MOST_NAMED]
    if len(found) == 1:
        yield observed(DIGEST, next(iter(found)), *places, origin="reported", basis="seen")
    elif found:
        shown = "; ".join(f"{digest[:19]}… in {_named([name for name, _ in pods])}" for digest, pods in found.items())
        value = Unknown(f"the pods run different images ({shown})")
        yield observed(DIGEST, value, *places, origin="reported", basis="seen")


def _restarts(statuses: Sequence[tuple[Object, Node]]) -> Iterator[Observation]:
    """The most that any of the pods has."""
    counted = [(status["restartCount"].integer(), pod, status) for pod, status in statuses]
    counts = [
        (number, pod.name, status["restartCount"].location) for number, pod, status in counted if number is not None
    ]
    if not counts:
        return
    most = max(number for number, _, _ in counts)
    places = [at for number, _, at in counts if number == most][:_MOST_NAMED]
    because: tuple[str, ...] = ()
    if len(counts) > 1 and most:
        because = tuple(f"{name}: {number}" for number, name, _ in sorted(counts, reverse=True)[:_MOST_NAMED])
    yield observed(_RESTARTS, most, *places, origin="reported", basis="seen", because=because)


def _last(statuses: Sequence[tuple[Object, Node]]) -> Iterator[Observation]:
    """The latest end of the container in any of the pods."""
    ends = [(pod, status["lastState"]["terminated"]) for pod, status in statuses]
    ends = [(pod, end) for pod, end in ends if end.is_mapping]
    if not ends:
        return
    pod, end = max(ends, key=lambda pair: (text_of(pair[1]["finishedAt"]), pair[0].name))
    fields = (("exitCode", "exit_code"), ("signal", "signal"), ("reason", "reason"), ("finishedAt", "at"))
    entries = {
        name: Entry(scalar(end[field].value), end[field].location)
        for field, name in fields
        if end[field].value not in (None, "")
    }
    entries["pod"] = Entry(pod.name, end.location)
    for one in observed_map(_LAST, entries, origin="reported"):
        yield msgspec.structs.replace(one, basis="seen")


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(sorted(names)[:_MOST_NAMED]) + more
