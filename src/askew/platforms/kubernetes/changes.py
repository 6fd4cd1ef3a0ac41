"""ConfigMaps and Secrets that changed after the processes that read them had started.

Variables are set when a container starts, and a ``subPath`` mount keeps the file it began with; a mounted directory
follows its object, but engines read their files once. When an object changed is in its managed fields, which name who
changed which fields last and when: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.platforms.kubernetes.draft import Draft, Layers
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.owners import part_of, running_pods
from askew.platforms.kubernetes.volumes import is_injected
from askew.resolve.observation import Confidence, Observation

FACT = "orchestration.config.changed_after_start"
_DATA = ("f:data", "f:binaryData")
_APPLIED = "f:kubectl.kubernetes.io/last-applied-configuration"
_MOST_PLACES = 6

Way: TypeAlias = Literal["variable", "sub-path", "mount"]


class _Use(msgspec.Struct, frozen=True):
    """One use of an object by a container: how it comes there, and which of its keys (None: all)."""

    kind: str
    name: str
    way: Way
    key: str | None = None


class _Start(msgspec.Struct, frozen=True):
    """When the container of one pod started."""

    pod: str
    at: str
    location: Location


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an object after pods had started. ``keys`` are those that changed, None where that is not told;
    ``before`` of ``pods`` pods started before it."""

    kind: str
    name: str
    at: str
    confidence: Confidence
    keys: frozenset[str] | None
    way: Way
    before: int
    pods: int
    locations: tuple[Location, ...]

    def reason(self) -> str:
        """Why what the object says now is not what the process has."""
        pods = "the pods" if self.before == self.pods else f"{self.before} of {self.pods} pods"
        return f"{self.kind} {self.name} changed at {self.at}, after {pods} had started"


def changes(draft: Draft, objects: Objects, container: str, layers: Layers) -> Sequence[Change]:
    """The objects of one container that changed after it had started, in some pod at least."""
    uses = list(_uses(layers, draft.pod))
    starts = list(_starts(draft, objects, container)) if uses else []
    if not starts:
        return ()
    found: dict[tuple[str, str], Change] = {}
    for use in uses:
        one = objects.near(draft.object, "", use.kind, use.name)
        if one is None or one.node["immutable"].boolean():
            continue
        change = _changed(one, use, starts)
        known = found.get((use.kind, use.name))
        if change is not None and (known is None or _weight(change) < _weight(known)):
            found[use.kind, use.name] = change
    return tuple(change for _, change in sorted(found.items()))


def observations(found: Sequence[Change]) -> Iterator[Observation]:
    """One for each object, the time of its change as the value."""
    ways = {
        "variable": "variables are set when a container starts",
        "sub-path": "a file mounted by subPath stays as it was when the container started",
        "mount": "the mounted file follows; a process that read it before does not",
    }
    for one in found:
        yield observed(
            FACT,
            one.at,
            *one.locations,
            origin="reported",
            basis="seen",
            confidence=one.confidence,
            key=f"{one.kind} {one.name}",
            because=(one.reason(), ways[one.way]),
        )


def _starts(draft: Draft, objects: Objects, container: str) -> Iterator[_Start]:
    for pod in running_pods(draft, objects):
        if part_of(pod):
            continue
        for status in pod.node["status"]["containerStatuses"].each():
            at = status["state"]["running"]["startedAt"]
            if text_of(status["name"]) == container and text_of(at):
                yield _Start(pod.name, text_of(at), at.location)


def _uses(container: Layers, pods: Layers) -> Iterator[_Use]:
    for layer in container:
        for item in layer["envFrom"].each():
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if text_of(item[field]["name"]):
                    yield _Use(kind, text_of(item[field]["name"]), "variable")
        for item in layer["env"].each():
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                source = item["valueFrom"][field]
                if text_of(source["name"]):
                    yield _Use(kind, text_of(source["name"]), "variable", text_of(source["key"]))
        for mount in layer["volumeMounts"].each():
            yield from _mounted(mount, pods)


def _mounted(mount: Node, pods: Layers) -> Iterator[_Use]:
    """Mounted Secrets are mostly certificates, which processes read again: only those mounted by subPath count."""
    volume_name, sub_path = text_of(mount["name"]), text_of(mount["subPath"]).strip("/")
    if is_injected(volume_name, text_of(mount["mountPath"])):
        return
    way: Way = "sub-path" if sub_path else "mount"
    for layer in pods:
        for volume in layer["volumes"].each():
            if text_of(volume["name"]) != volume_name:
                continue
            sources = [volume, *volume["projected"]["sources"].each()]
            for source in sources:
                for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
                    name = text_of(source[field][key]) or text_of(source[field]["name"])
                    if name and (kind == "ConfigMap" or sub_path):
                        yield _Use(kind, name, way, _key_of(source[field], sub_path))


def _key_of(source: Node, sub_path: str) -> str | None:
    """The key behind a file that is mounted alone."""
    if not sub_path:
        return None
    items = {text_of(item["path"]).strip("/"): text_of(item["key"]) for item in source["items"].each()}
    return items.get(sub_path, sub_path)


def _changed(one: Object, use: _Use, starts: Sequence[_Start]) -> Change | None:
    earliest = min(start.at for start in starts)
    best: Change | None = None
    for at, place, keys, alone in _edits(one):
        if at <= earliest or (use.key is not None and keys is not None and use.key not in keys):
            continue
        before = [start for start in starts if start.at < at]
        sure = alone and use.way != "mount"
        change = Change(
            kind=use.kind,
            name=use.name,
            at=at,
            confidence="likely" if sure else "possible",
            keys=keys,
            way=use.way,
            before=len(before),
            pods=len(starts),
            locations=(place, *(start.location for start in before))[:_MOST_PLACES],
        )
        if best is None or _weight(change) < _weight(best):
            best = change
    return best


def _edits(one: Object) -> Iterator[tuple[str, Location, frozenset[str] | None, bool]]:
    """Changes of the data: when, where that stands, which keys, and whether nothing else changed with them.

    Who changed labels or annotations in the same write, or later, has one time for all: then the data may be older.
    """
    metadata = one.node["metadata"]
    made = metadata["creationTimestamp"]
    told = False
    for entry in metadata["managedFields"].each():
        fields, at = entry["fieldsV1"], entry["time"]
        data = [fields[name] for name in _DATA if fields[name].exists]
        if not data or not text_of(at):
            continue
        told = True
        keys = {key[2:] for part in data for key, _ in part.items() if key.startswith("f:")}
        # Made anew: who starts needs it, so there was one before, which may have said the same.
        alone = text_of(at) != text_of(made) and _only_data(fields)
        yield text_of(at), at.location, frozenset(keys) or None, alone
    if not told and text_of(made):
        yield text_of(made), made.location, None, False


def _only_data(fields: Node) -> bool:
    """Whether a manager has nothing but data, and what ``kubectl apply`` notes of it."""
    return all(
        name in _DATA
        or (name == "f:metadata" and all(kind == "f:annotations" and _noted(those) for kind, those in part.items()))
        for name, part in fields.items()
    )


def _noted(annotations: Node) -> bool:
    return all(key in (".", _APPLIED) for key, _ in annotations.items())


def _weight(change: Change) -> tuple[int, str]:
    return ({"certain": 0, "likely": 1, "possible": 2}[change.confidence], change.at)
