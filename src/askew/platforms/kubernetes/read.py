"""All Kubernetes objects of one source to workloads.

Readers and joins are data: a module that reads further kinds has ``READERS``, one that joins objects to workloads has
``JOINS``, and each is one line here. Modules are imported only when an object of their API group is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module

import msgspec

from askew.evidence.document import Document
from askew.platforms.kubernetes import workloads
from askew.platforms.kubernetes.draft import Draft, Join, Reader
from askew.platforms.kubernetes.objects import Denied, Object, Objects, Refused, index
from askew.resolve.workload import Problem, Workload

# API group, or group/Kind where the rest of the group is read by its pod templates alone → the module whose READERS
# know it.
_READER_MODULES: Mapping[str, str] = {
    "serving.kserve.io": "askew.platforms.kubernetes.kserve",
    "serving.knative.dev": "askew.platforms.kubernetes.knative",
    "ray.io": "askew.platforms.kubernetes.ray",
    "leaderworkerset.x-k8s.io": "askew.platforms.kubernetes.leaderworkerset",
    "kubeai.org": "askew.platforms.kubernetes.kubeai",
    "apps.nvidia.com": "askew.platforms.kubernetes.nim",
    "workloads.x-k8s.io/RoleBasedGroup": "askew.platforms.kubernetes.generic",
    "inference.llmkube.dev": "askew.platforms.kubernetes.generic",
    "ome.io": "askew.platforms.kubernetes.generic",
}

# API group (or group/Kind) of the objects that are joined → the module whose JOINS do it.
_JOIN_MODULES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({""}), "askew.platforms.kubernetes.services"),
    (frozenset(), "askew.platforms.kubernetes.autoscalers"),
    (frozenset({"autoscaling", "keda.sh"}), "askew.platforms.kubernetes.autoscaler_status"),
    (
        frozenset({"argoproj.io/Application", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"}),
        "askew.platforms.kubernetes.gitops",
    ),
    (frozenset({"resource.k8s.io/ResourceClaim"}), "askew.platforms.kubernetes.allocations"),
    (frozenset({"policy"}), "askew.platforms.kubernetes.disruption"),
    (frozenset({"/Node"}), "askew.platforms.kubernetes.nodes"),
    (frozenset({"apps", "/Pod", "leaderworkerset.x-k8s.io"}), "askew.platforms.kubernetes.rollout"),
    (
        frozenset(
            {
                *("networking.k8s.io", "extensions", "route.openshift.io", "traefik.io", "traefik.containo.us"),
                *("networking.istio.io", "gateway.networking.k8s.io"),
            }
        ),
        "askew.platforms.kubernetes.routes",
    ),
)

# Kinds that hold pod templates of something else than a workload, or objects that only describe kinds.
_NO_WORKLOADS = frozenset(
    {
        "apiextensions.k8s.io",
        "admissionregistration.k8s.io",
        "rbac.authorization.k8s.io",
        "kyverno.io",
        "templates.gatekeeper.sh",
        "constraints.gatekeeper.sh",
        "kustomize.toolkit.fluxcd.io",
        "helm.toolkit.fluxcd.io",
        "source.toolkit.fluxcd.io",
    }
)


class KubernetesReading(msgspec.Struct, frozen=True, kw_only=True):
    """What one source's objects are: workloads, what could not be read in them, documents that are no objects, and the
    index itself for whoever joins further."""

    workloads: tuple[Workload, ...]
    problems: tuple[Problem, ...]
    refused: tuple[Refused, ...]
    objects: Objects


def read(documents: Iterable[Document], denied: Iterable[Denied] = ()) -> KubernetesReading:
    """Every workload in the documents of one source, joined with the objects around it.

    ``denied`` is what a cluster refused: facts that need it are unknown, and say so. Pure, and never raises on what a
    user may write: what cannot be read is in ``problems`` and ``refused``.
    """
    objects = index(documents, denied)
    joins = _joins(objects)
    found: list[Workload] = []
    problems: list[Problem] = []
    refused = list(objects.refused)
    for one in objects:
        reader = _reader(one)
        if reader is None:
            continue
        drafts = reader(one, objects)
        for draft in drafts:
            if nothing := _no_containers(draft):
                refused.append(nothing)
            else:
                found.append(workloads.build(draft, objects, joins, problems))
    return KubernetesReading(workloads=tuple(found), problems=tuple(problems), refused=tuple(refused), objects=objects)


def _reader(one: Object) -> Reader | None:
    reader = workloads.READERS.get((one.group, one.kind))
    if reader is not None:
        return reader
    module = _READER_MODULES.get(f"{one.group}/{one.kind}") or _READER_MODULES.get(one.group)
    if module is not None:
        readers: Mapping[tuple[str, str], Reader] = import_module(module).READERS
        return readers.get((one.group, one.kind))
    if not one.group or one.group in _NO_WORKLOADS or one.group in _CORE_GROUPS or one.kind in _ELSEWHERE:
        return None
    return workloads.generic


# Kinds of Argo CD: what they deploy is elsewhere. Another kind of the group, the Rollout, holds a pod template.
_ELSEWHERE = frozenset({"Application", "ApplicationSet", "AppProject"})

# Groups of Kubernetes itself whose kinds hold no pod template.
_CORE_GROUPS = frozenset(
    {
        "networking.k8s.io",
        "gateway.networking.k8s.io",
        "storage.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "node.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "metrics.k8s.io",
        "events.k8s.io",
        "autoscaling",
        "policy",
    }
)


def _joins(objects: Objects) -> tuple[Join, ...]:
    groups = {one.group for one in objects} | {f"{one.group}/{one.kind}" for one in objects}
    joins: list[Join] = []
    for wanted, module in _JOIN_MODULES:
        if not wanted or groups & wanted:
            joins.extend(import_module(module).JOINS)
    if objects.denied:
        joins.extend(import_module("askew.platforms.kubernetes.denials").JOINS)
    return tuple(joins)


def _no_containers(draft: Draft) -> Refused | None:
    """Why a draft runs nothing: its reader's own reason, a patch, or a pod template that is no pod template."""
    if any(layer["containers"].is_sequence for layer in draft.pod):
        return None
    if draft.problems:
        return Refused(draft.object.location, draft.problems[0])
    label, place = draft.object.label, draft.pod[-1]["containers"].location
    if any(layer["containers"] for layer in draft.pod):
        return Refused(place, f"{label}: containers is not a list; Kubernetes refuses this manifest")
    return Refused(
        place, f"{label}: the pod template has no containers (is this a patch, or is the indentation wrong?)"
    )
