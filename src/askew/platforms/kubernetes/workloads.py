"""The workload kinds of Kubernetes itself, and the making of a workload from any reader's draft."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Launch
from askew.platforms.kubernetes.accelerators import Devices, devices, model_observations
from askew.platforms.kubernetes.citations import APPS_DEFAULTS
from askew.platforms.kubernetes.config import Surroundings
from askew.platforms.kubernetes.draft import Draft, Join, Layers, PodGroup, Reader
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, observed_map, text_of
from askew.platforms.kubernetes.owners import MOST_OWNERS, family_of, owners_of
from askew.platforms.kubernetes.pods import PodContainer, containers_by_name, read_pod
from askew.platforms.kubernetes.scheduling import pod_observations, strategy
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.workload import Container, Member, Problem, Replica, Workload

if TYPE_CHECKING:
    from askew.platforms.kubernetes.changes import Change

_SHM = "orchestration.shm.bytes"
_IGNORE = "askew.dev/ignore"
_MOST_PODS = 100_000


# -- the kinds of Kubernetes -----------------------------------------------------------------------------


def _template(one: Object, template: Node, **more: object) -> tuple[Draft, ...]:
    metadata = template["metadata"]
    draft = Draft(
        object=one,
        pod=(template["spec"],),
        pod_labels=metadata["labels"].string_map(),
        pod_annotations=metadata["annotations"].string_map(),
    )
    return (msgspec.structs.replace(draft, **more) if more else draft,)


def deployment(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A Deployment, StatefulSet, ReplicaSet or ReplicationController, unless what owns it is read instead."""
    if owned(one, objects):
        return ()
    spec = one.node["spec"]
    return _template(one, spec["template"], replicas=spec["replicas"])


def daemon_set(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A DaemonSet: as many replicas as nodes fit."""
    if owned(one, objects):
        return ()
    return _template(one, one.node["spec"]["template"], replicas_default=None)


def pod(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A pod of its own; one whose owner is among the sources is read there. Several pods of one owner that is not are
    one workload, called as the owner is."""
    if owned(one, objects):
        return ()
    draft = Draft(object=one, pod=(one.node["spec"],), pod_labels=one.labels, pod_annotations=one.annotations)
    family = family_of(one, objects)
    if family is None:
        return (draft,)
    if family.pods[0] is not one:
        return ()
    group, kind, name = family.owner
    return (msgspec.structs.replace(draft, group=group, kind=kind, name=name, replicas_default=None),)


def job(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A Job: runs to its end, so replicas mean nothing."""
    if owned(one, objects):
        return ()
    return _template(one, one.node["spec"]["template"], replicas_default=None)


def cron_job(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A CronJob, read as the Job it makes."""
    return _template(one, one.node["spec"]["jobTemplate"]["spec"]["template"], replicas_default=None)


# Owners that no reader reads, or only for want of what they own: that counts as owned by their own owners.
_BETWEEN = frozenset({("serving.knative.dev", "Revision"), ("serving.knative.dev", "Configuration")})


def owned(one: Object, objects: Objects, depth: int = 0) -> bool:
    """Whether an object that is read in its own right owns this one, directly or not, and is among the sources."""
    if depth > MOST_OWNERS:
        return False
    return any(
        (owner.group, owner.kind) not in _BETWEEN or owned(owner, objects, depth + 1)
        for owner in owners_of(one, objects)
    )


READERS: Mapping[tuple[str, str], Reader] = {
    ("apps", "Deployment"): deployment,
    ("extensions", "Deployment"): deployment,
    ("apps", "StatefulSet"): deployment,
    ("apps", "ReplicaSet"): deployment,
    ("", "ReplicationController"): deployment,
    ("apps", "DaemonSet"): daemon_set,
    ("", "Pod"): pod,
    ("batch", "Job"): job,
    ("batch", "CronJob"): cron_job,
}


# -- kinds nobody knows, which still hold a pod template -------------------------------------------------


def generic(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """Any other kind whose spec holds pod templates: Argo Rollout, CloneSet, role-based groups.

    The template is read as it stands and the kind named as written; what the kind's controller adds is not known, so
    the reading is likely, not certain.
    """
    if owned(one, objects):
        return ()
    spec = one.node["spec"]
    if not isinstance(spec.value, dict):
        return ()
    shared = {text_of(entry["name"]): entry["template"] for entry in spec["roleTemplates"].each()}
    drafts = [
        draft
        for role, template, layers, holder in _templates(spec, shared, 0)
        for draft in _role_draft(one, role, template, layers, holder)
    ]
    if len(drafts) == 1:
        return (msgspec.structs.replace(drafts[0], role=""),)
    seen: dict[str, int] = {}
    for number, draft in enumerate(drafts):
        seen[draft.role] = seen.get(draft.role, 0) + 1
        if seen[draft.role] > 1:  # two workloads never share an id
            drafts[number] = msgspec.structs.replace(draft, role=f"{draft.role}-{seen[draft.role]}")
    return tuple(drafts)


_TemplateFound = tuple[str, Node, Layers, Node]


def _templates(node: Node, shared: Mapping[str, Node], depth: int, role: str = "") -> Iterator[_TemplateFound]:
    """Pod templates below a spec: (role, template, pod layers, the node that holds the replica count)."""
    if depth > 4 or not isinstance(node.value, dict):
        return
    if node["headGroupSpec"].is_mapping:
        # A Ray cluster inside another kind: the head's pod starts the engine, which spreads over the workers.
        head = node["headGroupSpec"]
        yield role, head["template"], (head["template"]["spec"],), node
        return
    template = node["template"]
    reference = node["templateRef"]
    if isinstance(template["spec"]["containers"].value, list):
        yield role, template, (template["spec"],), node
        return
    base = shared.get(text_of(reference["name"])) if reference.exists else None
    if base is not None:
        patches = [patch for patch in (reference["patch"], node["templatePatch"]) if patch]
        yield role, base, (base["spec"], *(patch["spec"] for patch in patches if patch["spec"])), node
        return
    for key, child in node.items():
        if key in ("roleTemplates", "status"):
            continue
        if isinstance(child.value, dict):
            yield from _templates(child, shared, depth + 1, role or _field_role(key))
        elif isinstance(child.value, list):
            for item in child.each():
                if isinstance(item.value, dict):
                    name = text_of(item["name"]) or text_of(item["role"]) or text_of(item["groupName"])
                    yield from _templates(item, shared, depth + 1, name or role or _field_role(key))


def _field_role(field: str) -> str:
    """The role that a field's name says: ``prefillSpec`` and ``prefill`` are ``prefill``; ``template`` says none."""
    for suffix in ("GroupSpecs", "GroupSpec", "Template", "Spec", "Specs"):
        field = field.removesuffix(suffix)
    return "" if field in ("template", "spec", "templates", "roles", "replicaSpecs") else field


def _role_draft(one: Object, role: str, template: Node, layers: Layers, holder: Node) -> Iterator[Draft]:
    metadata = template["metadata"]
    yield Draft(
        object=one,
        pod=layers,
        role=role,
        pod_labels=metadata["labels"].string_map(),
        pod_annotations=metadata["annotations"].string_map(),
        replicas=holder["replicas"],
        groups=tuple(_ray_group(group) for group in holder["workerGroupSpecs"].each()),
        confidence="likely",
    )


def _ray_group(group: Node) -> PodGroup:
    pods = group["replicas"].integer()
    name = text_of(group["groupName"]) or "worker"
    unknown = "" if pods is not None else f"how many {name} pods the Ray cluster has is not written"
    place = group["replicas"].location if group["replicas"] else None
    return PodGroup(role=name, pod=(group["template"]["spec"],), pods=pods, unknown=unknown, place=place)


# -- from a draft to a workload --------------------------------------------------------------------------


def build(
    draft: Draft, objects: Objects, joins: Sequence[Join] = (), problems: list[Problem] | None = None
) -> Workload:
    """The workload that a draft and the objects around it describe. Never raises on what a user may write.

    ``problems`` gains what the API server would refuse.
    """
    one = draft.object
    around = Surroundings(
        origin=one,
        objects=objects,
        namespace=draft.workload_namespace,
        name=draft.workload_name,
        labels=draft.pod_labels,
        annotations=draft.pod_annotations,
        malformed=[] if problems is None else problems,
    )
    running = bool(objects.of("", "Pod"))
    changed = _changed(draft, objects) if running else {}
    if changed:
        around = msgspec.structs.replace(around, stale=_stale(changed.values()))
    templates = {text_of(t["metadata"]["name"]): t for t in one.node["spec"]["volumeClaimTemplates"].each()}
    read = read_pod(draft.pod, around, draft.additions, templates)
    observations = _observations(draft, objects, joins)
    members = tuple(_member(draft, group, around) for group in draft.groups)
    more = (draft.container_observations, draft.problems)
    containers = tuple(_finish(c, read, draft, objects, more) for c in read)
    replicas: tuple[Replica, ...] = ()
    of_template = True
    if running:
        from askew.platforms.kubernetes import changes
        from askew.platforms.kubernetes.running import as_made, replicas_of, reported, templated

        of_template = templated(draft)

        replicas = replicas_of(draft, objects, lambda pod: _as_admitted(pod, around))
        if not of_template:
            containers, replicas = as_made(containers, replicas)
        containers = tuple(
            msgspec.structs.replace(
                c,
                observations=(
                    *c.observations,
                    *reported(draft, objects, c),
                    *changes.observations(changed.get(c.name, ())),
                ),
            )
            for c in containers
        )
    if refused := objects.refusal("pods", one.namespace):
        containers = tuple(_unseen_digest(c, refused) for c in containers)
    if draft.confidence != "certain":
        observations = tuple(_weaker(o, draft.confidence) for o in observations)
        containers = tuple(
            msgspec.structs.replace(c, observations=tuple(_weaker(o, draft.confidence) for o in c.observations))
            for c in containers
        )
    return Workload(
        namespace=draft.workload_namespace,
        kind=draft.workload_kind,
        name=draft.workload_name,
        group=draft.workload_group,
        role=draft.role,
        source=one.source,
        location=one.location,
        containers=containers,
        observations=observations,
        members=members,
        engine=draft.engine,
        ignores=_ignores(one.annotations, draft.pod_annotations),
        labels=draft.pod_labels,
        replicas=replicas,
        templated=of_template,
    )


def _unseen_digest(container: Container, reason: str) -> Container:
    """The digest behind a tag, which only a pod shows."""
    return msgspec.structs.replace(
        container,
        observations=tuple(
            msgspec.structs.replace(o, value=Unknown(reason, missing=True))
            if o.fact == "runtime.image.digest" and isinstance(o.value, Unknown)
            else o
            for o in container.observations
        ),
    )


def _changed(draft: Draft, objects: Objects) -> dict[str, Sequence[Change]]:
    """By container the ConfigMaps and Secrets that changed after it had started."""
    from askew.platforms.kubernetes.changes import changes

    found = ((name, changes(draft, objects, name, layers)) for name, layers in containers_by_name(draft.pod).items())
    return {name: those for name, those in found if those}


def _stale(changed: Iterable[Sequence[Change]]) -> Callable[[str, str, str], str]:
    """Why a variable's value, as its object says it now, is not the process's."""
    sure = {
        (one.kind, one.name): one
        for those in changed
        for one in those
        if one.way == "variable" and one.confidence == "likely"
    }

    def reason(kind: str, name: str, key: str) -> str:
        one = sure.get((kind, name))
        return one.reason() if one is not None and (one.keys is None or key in one.keys) else ""

    return reason


def _as_admitted(pod: Object, around: Surroundings) -> tuple[Container, ...]:
    """The containers of one running pod; its spec is whole, so nothing is added to it."""
    spec = (pod.node["spec"],)
    within = msgspec.structs.replace(
        around, origin=pod, name=pod.name, labels=pod.labels, annotations=pod.annotations, malformed=[]
    )
    return tuple(
        c.with_devices(c.devices.number, c.devices.unknown, c.devices.locations) for c in read_pod(spec, within)
    )


def _finish(
    container: PodContainer,
    beside: Sequence[PodContainer],
    draft: Draft,
    objects: Objects,
    more: tuple[Mapping[str, tuple[Observation, ...]], tuple[str, ...]],
) -> Container:
    """Count the devices over all pods of one replica, and let what the reader knows better stand instead."""
    own = container.devices
    total, unknown, places = own.number, own.unknown, list(own.locations)
    if total is not None:
        total *= max(draft.pods_per_replica, 1)
    for group in draft.groups:
        of_group = _group_devices(draft, group, objects)
        if group.pods is None and any(d.number != 0 for d in of_group):
            total, unknown = None, group.unknown or f"how many {group.role} pods one replica has is not written"
        for one in of_group:
            places.extend(one.locations)
            if one.number is None:
                total, unknown = None, one.unknown
            elif total is not None:
                total += one.number * (group.pods or 0)
    if total is not None and total > _MOST_PODS * 16:
        total, unknown = None, "the number of devices is out of any range"
    finished = container.with_devices(total, unknown, tuple(dict.fromkeys(places)))
    given = (*more[0].get("", ()), *more[0].get(container.name, ()))
    better = {o.fact for o in given}
    plain = (_shared_memory(o, draft.shm) if o.fact == _SHM else o for o in finished.observations)
    return msgspec.structs.replace(
        finished,
        observations=(*(o for o in plain if o.fact not in better), *given),
        problems=(*finished.problems, *more[1]),
    )


def _group_devices(draft: Draft, group: PodGroup, objects: Objects) -> list[Devices]:
    found: list[Devices] = []
    for layers in containers_by_name(group.pod).values():
        own = devices(layers, group.pod)
        if own.number is None:
            from askew.platforms.kubernetes import resourceclaims

            own = resourceclaims.claimed(own, layers, group.pod, draft.object, objects)
        found.append(own)
    return found


def _shared_memory(observation: Observation, controller: str) -> Observation:
    """The size of /dev/shm: not its default where the kind's controller may mount memory there."""
    if not controller or observation.origin != "platform-default":
        return observation
    return msgspec.structs.replace(observation, value=Unknown(controller, "df -h /dev/shm in the container"))


def _member(draft: Draft, group: PodGroup, around: Surroundings) -> Member:
    within = msgspec.structs.replace(around, labels=group.pod_labels, annotations=group.pod_annotations)
    launches: list[Launch] = []
    for container in read_pod(group.pod, within):
        launches.extend(container.processes or (container.launch,))
    identity = f"{draft.workload_namespace}/{draft.workload_kind}/{draft.workload_name}#{group.role}"
    return Member(identity, group.role, tuple(launches), group.pods if group.pods is not None else 1)


def _observations(draft: Draft, objects: Objects, joins: Sequence[Join]) -> tuple[Observation, ...]:
    """Facts of the workload as a whole: what the reader says beats what a join says, and that beats plain fields."""
    joined = [observation for join in joins for observation in join(draft, objects)]
    said = {observation.fact for observation in draft.observations}
    joined = [observation for observation in joined if observation.fact not in said or observation.hop]
    # What was seen beats what was asked for in resolution, which then shows both.
    known = said | {observation.fact for observation in joined if observation.basis != "seen"}
    found: list[Observation] = []
    found.append(observed("orchestration.kind", draft.workload_kind, draft.object.node["kind"].location))
    found.extend(_replicas(draft))
    found.append(_hosts(draft))
    entries = strategy(draft.object.node["spec"], draft.workload_kind) if not draft.kind else {}
    if entries:
        found.extend(
            observed_map(
                "orchestration.strategy",
                {key: msgspec.structs.replace(entry, cite=APPS_DEFAULTS) for key, entry in entries.items()},
            )
        )
    if any(isinstance(layer.value, dict) for layer in draft.pod):
        kind = "Pod" if draft.object.kind == "Pod" else draft.workload_kind
        found.extend(pod_observations(draft.pod, kind))
        found.extend(model_observations(draft.pod))
    return (*(o for o in found if o.fact not in known), *joined, *draft.observations)


def _hosts(draft: Draft) -> Observation:
    """How many pods one replica has."""
    fact = "orchestration.hosts"
    unknown = next((group for group in draft.groups if group.pods is None), None)
    if unknown is not None:
        reason = unknown.unknown or f"how many {unknown.role} pods one replica has is not written"
        return observed(fact, Unknown(reason), unknown.pod[-1].location)
    total = draft.pods_per_replica + sum(group.pods or 0 for group in draft.groups)
    if total == 1:
        return observed(fact, 1, draft.object.location, origin="derived", because=("each replica is one pod",))
    return observed(fact, total, *(group.place or group.pod[-1].location for group in draft.groups))


def _replicas(draft: Draft) -> Iterator[Observation]:
    if draft.replicas_default is None and draft.replicas is None:
        return
    node = draft.replicas
    for fact in ("orchestration.replicas.min", "orchestration.replicas.max"):
        if node is not None and node:
            number = node.integer()
            value = Unknown("the replica count is no whole number", text=text_of(node)) if number is None else number
            if fact.endswith(".max"):
                # Whoever writes the count means the fewest; that it is also the most follows from no autoscaler.
                because = ("no autoscaler: the replica count is fixed",)
                yield observed(fact, value, node.location, origin="derived", because=because)
            else:
                yield observed(fact, value, node.location)
        elif draft.replicas_default is not None:
            yield observed(fact, draft.replicas_default, APPS_DEFAULTS, origin="platform-default")


def _weaker(observation: Observation, confidence: Confidence) -> Observation:
    if observation.confidence != "certain":
        return observation
    return msgspec.structs.replace(observation, confidence=confidence)


def _ignores(*annotations: Mapping[str, str]) -> dict[str, str]:
    """Rules named by ``askew.dev/ignore``: ``rule, rule: reason; rule``; entries end at ``;`` or a line end."""
    found: dict[str, str] = {}
    for one in annotations:
        for entry in one.get(_IGNORE, "").replace("\n", ";").split(";"):
            rules, _, reason = entry.partition(":")
            for rule in rules.split(","):
                if rule.strip():
                    found.setdefault(rule.strip(), reason.strip())
    return found
