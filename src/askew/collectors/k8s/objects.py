"""Answers of the API server to documents: only the fields that matter, without secrets, with the place of each."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from askew.collectors.k8s.resources import Resource
from askew.evidence.document import Context, Document, Node
from askew.evidence.redaction import MARKER, Redactor

Plain: TypeAlias = dict[str, object]

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# The volume with the token of the service account is called otherwise in every pod.
_TOKEN_VOLUME = re.compile(rb"kube-api-access-[a-z0-9]{5}\b")
_TOKEN_NAME = b"kube-api-access"
_MOST_SHARED = 20_000


class _Owner(msgspec.Struct, rename="camel", omit_defaults=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class _Meta(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[_Owner] | None = None


class _PodStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    start_time: str | None = None
    qos_class: str = ""
    conditions: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    container_statuses: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    init_container_statuses: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    resource_claim_statuses: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Pod(msgspec.Struct, omit_defaults=True):
    metadata: _Meta
    spec: dict[str, msgspec.Raw] = {}
    status: _PodStatus | None = None


class _NodeStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    """Without the images that a node holds: that list is longer than everything else."""

    capacity: dict[str, object] | None = None
    allocatable: dict[str, object] | None = None
    conditions: list[object] | None = None
    node_info: dict[str, object] | None = None


class _Machine(msgspec.Struct, omit_defaults=True):
    metadata: _Meta
    spec: dict[str, object] = {}
    status: _NodeStatus | None = None


class Maker:
    """Makes documents of one cluster's objects. Equal parts of pods are decoded, redacted and kept once."""

    def __init__(self, source: str, redactor: Redactor) -> None:
        self.source = source
        self._redactor = redactor
        self._shared: dict[bytes, object] = {}

    def make(self, resource: Resource, version: str, raw: bytes | msgspec.Raw) -> Document:
        """One object. Raises ValueError where it is none: the message tells the fault, and nothing of the content."""
        try:
            value = self._decoded(resource, raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(str(error)[:200]) from None
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        return self.document(identified(value, resource, version), redacted=resource.deep)

    def plain(self, raw: bytes | msgspec.Raw) -> Plain:
        """One object as it was answered, not redacted: for whoever picks from it. Raises ValueError."""
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(str(error)[:200]) from None
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(value, dict):
            raise ValueError("expected an object")
        return value

    def document(self, value: Plain, *, source: str = "", redacted: bool = False) -> Document:
        """Plain data as a document. ``redacted``: it was redacted already."""
        name = source or self.source
        context = Context(name)
        document = Document(context, 0, Node(context, value), (), 0, 0)
        if not redacted:
            self._redactor.document(document)
        return document

    def _decoded(self, resource: Resource, raw: bytes | msgspec.Raw) -> Plain:
        if resource.deep and resource.kind == "Pod":
            return self._pod(msgspec.json.decode(raw, type=_Pod))
        if resource.deep:
            machine = msgspec.json.decode(raw, type=_Machine)
            _without_applied(machine.metadata)
            plain: Plain = msgspec.to_builtins(machine)
            return self._redacted(plain)
        value = msgspec.json.decode(raw)
        if not isinstance(value, dict):
            raise ValueError("expected an object")
        if (resource.group, resource.kind) == ("", "Secret"):
            return self._secret(value)
        if (resource.group, resource.kind) == ("", "ConfigMap"):
            _digest_binaries(value)
        return value

    def _pod(self, pod: _Pod) -> Plain:
        """Most of a pod is as in all others of its workload: these parts are the same objects in every document."""
        _without_applied(pod.metadata)
        status = pod.status
        rest: Plain = {"metadata": msgspec.to_builtins(pod.metadata)}
        if status is not None:
            rest["status"] = msgspec.json.decode(msgspec.json.encode(status))
        plain = self._redacted(rest)
        plain["spec"] = {key: self._part(key, raw) for key, raw in pod.spec.items()}
        return plain

    def _part(self, key: str, raw: msgspec.Raw) -> object:
        data = bytes(raw)
        if len(data) < 32:
            return msgspec.json.decode(data)
        data = _TOKEN_VOLUME.sub(_TOKEN_NAME, data)
        found = self._shared.get(data)
        if found is None:
            found = self._redacted({key: msgspec.json.decode(data)})[key]
            if len(self._shared) < _MOST_SHARED:
                self._shared[data] = found
        return found

    def _secret(self, value: Plain) -> Plain:
        """What a Secret holds is a marker before anyone has seen it, whatever it looks like."""
        kept: Plain = {key: value[key] for key in ("metadata", "type", "immutable") if key in value}
        kept["kind"] = "Secret"
        for section in ("data", "stringData"):
            entries = value.get(section)
            if isinstance(entries, dict):
                kept[section] = dict(entries)
        plain = self._redacted(kept)
        for section in ("data", "stringData"):
            held = plain.get(section)
            if isinstance(held, dict):
                for key, entry in held.items():
                    if not (isinstance(entry, str) and MARKER.fullmatch(entry)):
                        held[key] = self._redactor.marker(str(entry))
        return plain

    def _redacted(self, value: Plain) -> Plain:
        self.document(value)
        return value


def identified(value: Plain, resource: Resource, version: str) -> Plain:
    """With what items of a list lack, and without what no reader needs."""
    api_version = f"{resource.group}/{version}" if resource.group else version
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        managed = metadata.pop("managedFields", None)
        if not resource.group and resource.kind in ("ConfigMap", "Secret") and isinstance(managed, list):
            metadata["managedFields"] = [_edit(entry) for entry in managed if isinstance(entry, dict)]
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict):
            annotations.pop(APPLIED, None)
    named = {"apiVersion": value.get("apiVersion") or api_version, "kind": value.get("kind") or resource.kind}
    return {**named, **{key: part for key, part in value.items() if key not in named}}


def _edit(entry: Plain) -> Plain:
    """Who changed which keys last, and when: that tells whether a process started before it."""
    return {key: entry[key] for key in ("manager", "operation", "time", "fieldsV1") if key in entry}


def text_at(value: object, *path: str) -> str:
    """The text at a path of plain data; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def mapping_at(value: object, *path: str) -> Plain:
    """The mapping at a path of plain data; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def list_at(value: object, *path: str) -> list[object]:
    """The list at a path of plain data; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def owner_uids(value: object) -> list[str]:
    """The uids of the objects that own this one."""
    return [uid for owner in list_at(value, "metadata", "ownerReferences") if (uid := text_at(owner, "uid"))]


def _without_applied(metadata: _Meta) -> None:
    if metadata.annotations:
        metadata.annotations.pop(APPLIED, None)


def _digest_binaries(value: Plain) -> None:
    import hashlib

    held = value.get("binaryData")
    if isinstance(held, dict):
        for key, entry in held.items():
            held[key] = "sha256:" + hashlib.sha256(str(entry).encode()).hexdigest()
