"""Where the intended state of a workload is kept: the Argo CD Application or the Flux object that applied it.

Sources: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/ and
https://fluxcd.io/flux/components/kustomize/kustomizations/, …/helm/helmreleases/ (the labels that they put on objects).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from askew.evidence.document import Node
from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import Entry, observed_map, text_of
from askew.resolve.observation import Observation

FACT = "orchestration.gitops"
ARGO = "argoproj.io"
_KUSTOMIZE, _HELM = "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"
_SOURCES = "source.toolkit.fluxcd.io"
_TRACKING = "argocd.argoproj.io/tracking-id"


def intended(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """Repository, path, revision and how far the cluster is from it, of whatever applied the workload."""
    entries: dict[str, Entry] = {}
    argo = _application(draft.object, objects)
    if argo is not None:
        entries.update(_of_argo(argo, draft.object))
    for group, kind in ((_KUSTOMIZE, "Kustomization"), (_HELM, "HelmRelease")):
        name = draft.object.labels.get(f"{group}/name", "")
        namespace = draft.object.labels.get(f"{group}/namespace", "") or draft.object.namespace
        flux = objects.get(group, kind, namespace, name) if name else None
        if flux is not None:
            entries.update(_of_flux(flux, objects))
    observations = observed_map(FACT, entries, origin="declared") if entries else ()
    return tuple(msgspec.structs.replace(one, basis="seen") for one in observations)


def _application(one: Object, objects: Objects) -> Object | None:
    """The Application that lists the object among its resources, or that the object names as the one tracking it."""
    tracked = one.annotations.get(_TRACKING, "").partition(":")[0].rpartition("_")[2]
    managed = objects.once("resources of Applications", _managed)
    found = managed.get((one.group, one.kind, one.namespace, one.name))
    if found is not None:
        return found
    named = [other for other in objects.of(ARGO, "Application") if tracked and other.name == tracked]
    return named[0] if len(named) == 1 else None


def _managed(objects: Objects) -> Mapping[tuple[str, str, str, str], Object]:
    return {
        tuple(text_of(resource[field]) for field in ("group", "kind", "namespace", "name")): one  # type: ignore[misc]
        for one in objects.of(ARGO, "Application")
        for resource in one.node["status"]["resources"].each()
    }


def _of_argo(one: Object, of: Object) -> Iterator[tuple[str, Entry]]:
    spec, status = one.node["spec"], one.node["status"]
    yield "by", Entry(f"Argo CD Application {one.name}", one.location)
    source = spec["source"] if spec["source"].is_mapping else next(iter(spec["sources"].each()), spec["source"])
    for field, name in (
        ("repoURL", "repository"),
        ("path", "path"),
        ("chart", "chart"),
        ("targetRevision", "wanted_revision"),
    ):
        yield from _text(name, source[field])
    revision = status["sync"]["revision"]
    revision = revision if revision else next(iter(status["sync"]["revisions"].each()), revision)
    yield from _text("revision", revision)
    yield from _text("application_status", status["sync"]["status"])
    for resource in status["resources"].each():
        key = tuple(text_of(resource[field]) for field in ("group", "kind", "namespace", "name"))
        if key == (of.group, of.kind, of.namespace, of.name):
            yield from _text("status", resource["status"])


def _of_flux(one: Object, objects: Objects) -> Iterator[tuple[str, Entry]]:
    spec, status = one.node["spec"], one.node["status"]
    yield "by", Entry(f"Flux {one.kind} {one.namespace}/{one.name}", one.location)
    yield from _text("path", spec["path"])
    reference = spec["sourceRef"] if one.kind == "Kustomization" else spec["chart"]["spec"]["sourceRef"]
    yield from _text("chart", spec["chart"]["spec"]["chart"])
    source = objects.get(
        _SOURCES,
        text_of(reference["kind"]),
        text_of(reference["namespace"]) or one.namespace,
        text_of(reference["name"]),
    )
    if source is not None:
        yield from _text("repository", source.node["spec"]["url"])
    yield from _text("revision", status["lastAppliedRevision"])
    latest = next(iter(status["history"].each()), None)
    if latest is not None and not status["lastAppliedRevision"]:
        yield from _text("revision", latest["chartVersion"])
    for condition in status["conditions"].each():
        if text_of(condition["type"]) == "Ready":
            word = "Ready" if text_of(condition["status"]) == "True" else text_of(condition["reason"]) or "NotReady"
            yield "status", Entry(word, condition.location)
    if spec["suspend"].boolean():
        yield "status", Entry("Suspended", spec["suspend"].location)


def _text(name: str, node: Node) -> Iterator[tuple[str, Entry]]:
    if text_of(node):
        yield name, Entry(text_of(node), node.location)


JOINS: tuple[Join, ...] = (intended,)
