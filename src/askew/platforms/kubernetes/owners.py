"""Which objects own which, and so which pods are those of a workload, whatever stands between.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from askew.platforms.kubernetes.draft import Draft
from askew.platforms.kubernetes.objects import Object, Objects

MOST_OWNERS = 8
_ENDED = frozenset({"Succeeded", "Failed"})
_HASH = "pod-template-hash"
# The StatefulSets of a group have each a revision of their own: what the group's controller says comes first. Its
# labels: https://github.com/kubernetes-sigs/lws/blob/main/api/leaderworkerset/v1/leaderworkerset_types.go
_REVISIONS = ("leaderworkerset.sigs.k8s.io/template-revision-hash", _HASH, "controller-revision-hash")
# Labels by which the controllers of multi-node groups tell the pods of a group apart.
_RAY_NODE, _RAY_GROUP = "ray.io/node-type", "ray.io/group"
_GROUP_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
_KSERVE_APP = "app"
# Groups whose objects have one pod template, so that all of their pods are of it.
_ONE_TEMPLATE = frozenset({"", "apps", "batch", "extensions"})


class Family(msgspec.Struct, frozen=True):
    """Pods by name, and (group, kind, name) of what made them."""

    owner: tuple[str, str, str]
    pods: tuple[Object, ...]


def owners_of(one: Object, objects: Objects) -> Iterator[Object]:
    """The objects among the sources that own this one."""
    for group, kind, name in one.owners:
        owner = objects.near(one, group, kind, name)
        if owner is None and (group, kind) == ("apps", "ReplicaSet"):
            # A pod names its ReplicaSet, and that is called after its Deployment; dumps often leave it out.
            stem = name.rpartition("-")[0]
            owner = objects.near(one, "apps", "Deployment", stem) if stem else None
        if owner is not None:
            yield owner


def pods_of(draft: Draft, objects: Objects) -> tuple[Object, ...]:
    """The pods of a workload, by name, those that have ended among them. A pod of its own is its own pod."""
    if draft.object.kind == "Pod":
        family = family_of(draft.object, objects) if draft.kind else None
        return (draft.object,) if family is None else family.pods
    found = objects.once("pods by owner", _pods_by_owner).get(id(draft.object), ())
    return tuple(pod for pod in found if _belongs(pod, draft))


def running_pods(draft: Draft, objects: Objects) -> tuple[Object, ...]:
    """The pods of a workload that run, looked up once: several readers ask."""
    known: dict[tuple[int, str, str], tuple[Object, ...]] = objects.once("running pods", lambda _: {})
    key = (id(draft.object), draft.role, draft.kind)
    if key not in known:
        known[key] = tuple(pod for pod in pods_of(draft, objects) if runs(pod))
    return known[key]


def family_of(pod: Object, objects: Objects) -> Family | None:
    """The pods that one object made, itself among them, where that object is not among the sources. None for a pod
    that nothing made, or whose siblings the sources do not have."""
    return objects.once("pods without their owner", _families).get(id(pod))


def _families(objects: Objects) -> Mapping[int, Family]:
    found: dict[tuple[str, tuple[str, str, str]], list[Object]] = {}
    for pod in sorted(objects.of("", "Pod"), key=_order):
        owner = next(iter(pod.owners), None)
        if owner is not None and next(owners_of(pod, objects), None) is None:
            found.setdefault((pod.namespace, _maker(pod, owner)), []).append(pod)
    families: dict[int, Family] = {}
    for (_, owner), pods in found.items():
        if len(pods) > 1:
            family = Family(owner, tuple(pod for pod in pods if runs(pod)) or tuple(pods))
            families.update((id(pod), family) for pod in pods)
    return families


def _maker(pod: Object, owner: tuple[str, str, str]) -> tuple[str, str, str]:
    """The object that somebody wrote: a ReplicaSet is called after its Deployment and the hash of the template."""
    group, kind, name = owner
    revision = pod.labels.get(_HASH, "")
    if (group, kind) == ("apps", "ReplicaSet") and revision and name.endswith(f"-{revision}"):
        return group, "Deployment", name.removesuffix(f"-{revision}")
    return owner


def runs(pod: Object) -> bool:
    """Whether a pod has not ended and nobody asked it to."""
    value = pod.node.value
    whole: Mapping[str, object] = value if isinstance(value, dict) else {}
    metadata, status = whole.get("metadata"), whole.get("status")
    if isinstance(metadata, dict) and metadata.get("deletionTimestamp"):
        return False
    phase = status.get("phase") if isinstance(status, dict) else None
    return not isinstance(phase, str) or phase not in _ENDED


def revision_of(pod: Object) -> str:
    """What tells the pods of one template from those of another; empty where nothing does."""
    return next((pod.labels[key] for key in _REVISIONS if pod.labels.get(key)), "")


def part_of(pod: Object) -> str:
    """Empty for a pod that answers (the only one, the leader, the head), else which member of its group it is."""
    labels = pod.labels
    if labels.get(_RAY_NODE) == "worker":
        return labels.get(_RAY_GROUP) or "worker"
    if labels.get(_GROUP_INDEX, "0") != "0":
        return "worker"
    app = labels.get(_KSERVE_APP, "")
    return "worker" if app.startswith("isvc.") and app.endswith("-worker") else ""


def _pods_by_owner(objects: Objects) -> Mapping[int, tuple[Object, ...]]:
    """Pods by the identity of every object that owns them, directly or not."""
    chains: dict[int, tuple[Object, ...]] = {}
    found: dict[int, dict[int, Object]] = {}
    for pod in sorted(objects.of("", "Pod"), key=_order):
        for owner in owners_of(pod, objects):
            for one in _chain(owner, objects, chains, 0):
                found.setdefault(id(one), {})[id(pod)] = pod
    return {owner: tuple(pods.values()) for owner, pods in found.items()}


def _chain(one: Object, objects: Objects, chains: dict[int, tuple[Object, ...]], depth: int) -> tuple[Object, ...]:
    """An object and all that own it; remembered, since many pods have one owner."""
    known = chains.get(id(one))
    if known is not None:
        return known
    above: dict[int, Object] = {id(one): one}
    if depth < MOST_OWNERS:
        chains[id(one)] = (one,)  # objects that own each other are nonsense, and end here
        for owner in owners_of(one, objects):
            above.update((id(other), other) for other in _chain(owner, objects, chains, depth + 1))
    chains[id(one)] = tuple(above.values())
    return chains[id(one)]


def _belongs(pod: Object, draft: Draft) -> bool:
    """Whether a pod of the object is one of this draft's, where the object has several (a predictor and a transformer,
    prefill and decode): no label that tells them apart says otherwise."""
    component = ("component", "app.kubernetes.io/component")
    if draft.object.group not in _ONE_TEMPLATE and any(
        key in draft.pod_labels and pod.labels.get(key, draft.pod_labels[key]) != draft.pod_labels[key]
        for key in component
    ):
        return False
    if not draft.role or draft.object.group == "serving.kserve.io":
        return True
    return draft.role in pod.labels.values() or f"-{draft.role}-" in f"-{pod.name}-"


def _order(one: Object) -> tuple[str, str, str]:
    return (one.name, one.namespace, one.source)
