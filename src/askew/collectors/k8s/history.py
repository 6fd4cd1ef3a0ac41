"""What a workload was: the pod templates that former revisions keep, and what was last applied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from askew.collectors.k8s.objects import APPLIED, Plain, list_at, mapping_at, owner_uids, text_at
from askew.evidence.document import Placed
from askew.evidence.location import Location

REVISION = "deployment.kubernetes.io/revision"
_GENERATION = "serving.knative.dev/configurationGeneration"
_ROLLOUT = "rollout.argoproj.io/revision"
# What controllers put on the pods of one revision, so that it differs between revisions by itself.
_NOISE = ("pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash", "pod-template-generation")
_MOST_LISTED = 10
_MOST_DEPTH = 60
# Who applies manifests with updates rather than with server-side apply.
_APPLIERS = re.compile(
    r"kubectl-client-side-apply|kubectl-create|kubectl-replace|helm|argocd.*|kustomize-controller|helm-controller|flux.*|"
    r"terraform.*|pulumi.*|kapp.*"
)

# Kind of a workload → the kind that keeps its revisions.
KEEPERS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("apps", "Deployment"): ("apps", "ReplicaSet"),
    ("argoproj.io", "Rollout"): ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"): ("apps", "ControllerRevision"),
    ("apps", "DaemonSet"): ("apps", "ControllerRevision"),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): ("apps", "ControllerRevision"),
    ("apps.kruise.io", "CloneSet"): ("apps", "ControllerRevision"),
    ("serving.knative.dev", "Service"): ("serving.knative.dev", "Revision"),
}


class RevisionError(Exception):
    """A revision that is not kept: which there are is in ``hint``."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Kept(msgspec.Struct, frozen=True):
    """One revision that the cluster keeps: its number, and the object that holds it."""

    number: int
    held: Plain
    at: Location


def kept(workload: Plain, held: Sequence[Plain], source: str) -> list[Kept]:
    """The revisions of a workload among the objects that may hold them, oldest first."""
    uid, name = text_at(workload, "metadata", "uid"), text_at(workload, "metadata", "name")
    found: list[Kept] = []
    for one in held:
        mine = uid in owner_uids(one) if uid else False
        if text_at(one, "kind") == "Revision":
            mine = text_at(one, "metadata", "labels", "serving.knative.dev/service") == name
        number = _number(one)
        if mine and number:
            found.append(Kept(number, one, Location(source, object=_label(one))))
    return sorted(found, key=lambda each: each.number)


def chosen(workload: Plain, revisions: Sequence[Kept], number: int) -> Kept:
    """The revision of a number; of 0 the one before that which runs. Raises RevisionError."""
    what = f"{text_at(workload, 'kind')} {text_at(workload, 'metadata', 'name')}"
    numbers = ", ".join(str(each.number) for each in revisions[-_MOST_LISTED:]) or "none"
    if number:
        for each in revisions:
            if each.number == number:
                return each
        raise RevisionError(
            f"{what} has no revision {number} any more, or had none",
            f"the cluster keeps {numbers}; revisionHistoryLimit says how many",
        )
    now = _current(workload, revisions)
    before = [each for each in revisions if each.number < now]
    if not before:
        raise RevisionError(
            f"the cluster keeps no revision of {what} before the one that runs ({now or 'unknown'})",
            f"it keeps {numbers}; a rollout that changes the pod template makes one",
        )
    return before[-1]


def restored(workload: Plain, revision: Kept) -> Plain:
    """The workload with what the revision holds in the place of what runs now."""
    spec = dict(mapping_at(workload, "spec"))
    if text_at(revision.held, "kind") == "Revision":
        annotations = mapping_at(revision.held, "metadata", "annotations")
        own = {key: value for key, value in annotations.items() if not key.startswith("serving.knative.dev/")}
        template: Plain = {"metadata": {"annotations": own}, "spec": mapping_at(revision.held, "spec")}
        spec["template"] = Placed(template, revision.at)
    elif text_at(revision.held, "kind") == "ControllerRevision":
        # A merge patch of the spec: https://kubernetes.io/docs/tasks/manage-daemon/rollback-daemon-set/
        for key, part in mapping_at(revision.held, "data", "spec").items():
            if isinstance(part, dict):
                spec[key] = Placed(_plain(part), _in(revision, f"data.spec.{key}"))
            else:
                spec[key] = part
    else:
        spec["template"] = Placed(_plain(mapping_at(revision.held, "spec", "template")), _in(revision, "spec.template"))
    metadata = dict(mapping_at(workload, "metadata"))
    annotations = mapping_at(metadata, "annotations")
    if REVISION in annotations:
        metadata["annotations"] = {**annotations, REVISION: str(revision.number)}
    kept = {key: part for key, part in workload.items() if key != "status"}
    return {**kept, "metadata": metadata, "spec": spec}


def _in(revision: Kept, path: str) -> Location:
    return msgspec.structs.replace(revision.at, path=path)


def _plain(template: Plain) -> Plain:
    """Without the mark of a patch, and without the labels that tell revisions apart."""
    out = {key: part for key, part in template.items() if key != "$patch"}
    metadata = out.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("labels"), dict):
        labels = {key: value for key, value in metadata["labels"].items() if key not in _NOISE}
        out["metadata"] = {**metadata, "labels": labels}
    return out


def _number(one: Plain) -> int:
    direct = one.get("revision")
    if isinstance(direct, int) and not isinstance(direct, bool):
        return direct
    for key, where in ((REVISION, "annotations"), (_ROLLOUT, "annotations"), (_GENERATION, "labels")):
        text = text_at(one, "metadata", where, key)
        if text.isascii() and text.isdigit() and len(text) < 19:
            return int(text)
    return 0


def _current(workload: Plain, revisions: Sequence[Kept]) -> int:
    """The number of the revision that the workload asks for now."""
    text = text_at(workload, "metadata", "annotations", REVISION) or text_at(
        workload, "metadata", "annotations", _ROLLOUT
    )
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    for path in (("status", "updateRevision"), ("status", "latestCreatedRevisionName")):
        name = text_at(workload, *path)
        for each in revisions:
            if name and text_at(each.held, "metadata", "name") == name:
                return each.number
    return revisions[-1].number if revisions else 0


def _label(one: Plain) -> str:
    metadata = mapping_at(one, "metadata")
    return f"{text_at(one, 'apiVersion')} {text_at(one, 'kind')} {metadata.get('namespace')}/{metadata.get('name')}"


# -- what was applied --------------------------------------------------------------------------------------


def applied(live: Plain) -> tuple[Plain, str] | None:
    """What somebody last applied, and how that is known: the annotation of ``kubectl apply``, else the fields that an
    applying manager owns. None where neither says anything."""
    text = text_at(live, "metadata", "annotations", APPLIED)
    if text:
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            value = None
        if isinstance(value, dict):
            metadata = dict(mapping_at(value, "metadata"))
            metadata.setdefault("namespace", text_at(live, "metadata", "namespace"))
            return {**value, "metadata": metadata}, "last-applied"
    owned: Plain = {}
    for entry in list_at(live, "metadata", "managedFields"):
        manager, operation = text_at(entry, "manager"), text_at(entry, "operation")
        if text_at(entry, "subresource") or not (operation == "Apply" or _APPLIERS.fullmatch(manager)):
            continue
        _merge(owned, mapping_at(entry, "fieldsV1"), 0)
    if not owned:
        return None
    part = _owned(live, owned, 0)
    if not isinstance(part, dict) or "spec" not in part:
        return None
    metadata = dict(mapping_at(part, "metadata"))
    for key in ("name", "namespace", "uid"):
        if held := text_at(live, "metadata", key):
            metadata[key] = held
    identity = {key: live[key] for key in ("apiVersion", "kind") if key in live}
    return {**identity, **part, "metadata": metadata}, "managed-fields"


def _merge(into: Plain, fields: Plain, depth: int) -> None:
    for key, part in fields.items():
        held = into.setdefault(key, {})
        if isinstance(held, dict) and isinstance(part, dict) and depth < _MOST_DEPTH:
            _merge(held, part, depth + 1)


def _owned(value: object, fields: Plain, depth: int) -> object:
    """The part of a value whose fields are listed (FieldsV1: ``f:name``, ``k:{"name":"x"}``, ``v:1``, ``i:0``):
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/"""
    named = {key: part for key, part in fields.items() if key != "."}
    if not named or depth > _MOST_DEPTH:
        return value
    if isinstance(value, dict):
        out: Plain = {}
        for key, inner in value.items():
            part = named.get(f"f:{key}")
            if isinstance(part, dict):
                out[key] = _owned(inner, part, depth + 1)
        return out
    if isinstance(value, list):
        return [
            _owned(item, part, depth + 1)
            for index, item in enumerate(value)
            if (part := _item(named, item, index)) is not None
        ]
    return value


def _item(fields: Plain, item: object, index: int) -> Plain | None:
    for key, part in fields.items():
        form, _, text = key.partition(":")
        if not isinstance(part, dict):
            continue
        if form == "i" and text == str(index):
            return part
        try:
            wanted = msgspec.json.decode(text) if form in ("k", "v") else None
        except (msgspec.DecodeError, RecursionError):
            continue
        if form == "v" and wanted == item:
            return part
        # A key that the server filled in (protocol TCP) may be absent in the item.
        if (
            form == "k"
            and isinstance(wanted, dict)
            and isinstance(item, dict)
            and all(item.get(name, value) == value for name, value in wanted.items())
        ):
            return {**part, **{f"f:{name}": {} for name in wanted}}
    return None
