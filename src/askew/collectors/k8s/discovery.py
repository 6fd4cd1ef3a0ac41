"""Which kinds a cluster has, asked with two calls, so that no call is spent on what is not installed."""

from __future__ import annotations

import msgspec

from askew.collectors.k8s.resources import RESOURCES, Resource, by_kind
from askew.collectors.k8s.server import RequestError, Server

# Aggregated discovery, general since Kubernetes 1.30: https://kubernetes.io/docs/concepts/overview/kubernetes-api/
_FORM = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
_ACCEPT = ",".join((_FORM.format("v2"), _FORM.format("v2beta1"), "application/json"))
_NO_LISTS = frozenset({"ComponentStatus", "Binding"})


class _Kind(msgspec.Struct):
    kind: str = ""
    group: str = ""
    version: str = ""


class _Resource(msgspec.Struct, rename="camel"):
    resource: str = ""
    response_kind: _Kind | None = None
    scope: str = ""
    singular_resource: str = ""
    verbs: list[str] = []
    short_names: list[str] = []


class _Version(msgspec.Struct):
    version: str = ""
    resources: list[_Resource] = []


class _Name(msgspec.Struct):
    name: str = ""


class _Group(msgspec.Struct, rename="camel"):
    """A group in either form: ``metadata`` in the aggregated one, ``name`` in the older one."""

    metadata: _Name | None = None
    name: str = ""
    versions: list[_Version] = []


class _Groups(msgspec.Struct):
    items: list[_Group] = []
    groups: list[_Group] = []


class Known(msgspec.Struct, frozen=True):
    """A kind that can be read: its row, and the version to ask for."""

    resource: Resource
    version: str

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of a list, or of one object."""
        group = self.resource.group
        base = f"/apis/{group}/{self.version}" if group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace and self.resource.namespaced else ""
        return f"{base}{inside}/{self.resource.name}" + (f"/{name}" if name else "")


class Kinds:
    """What can be asked for. ``aggregated`` is false where the server only names its groups."""

    def __init__(self, known: dict[tuple[str, str], Known], words: dict[str, list[Known]]) -> None:
        self._known = known
        self._words = words

    def get(self, resource: Resource) -> Known | None:
        """How to ask for a kind of the table; None where the cluster has none of it."""
        return self._known.get((resource.group, resource.kind))

    def named(self, word: str) -> tuple[Known, ...]:
        """The kinds that a user may mean by ``deploy``, ``Deployment`` or ``models.kubeai.org``: those of the table
        first."""
        return tuple(self._words.get(word.lower(), ()))


def discover(server: Server) -> Kinds:
    """The kinds of a cluster. Where it does not tell, those of the table in their best version: a call for one that is
    not there says so. Raises RequestError where nothing is answered at all."""
    versions: dict[str, dict[str, _Version]] = {}
    told: dict[str, list[str]] = {}
    try:
        found = msgspec.json.decode(server.get("/apis", accept=_ACCEPT), type=_Groups)
    except RequestError as failed:
        if failed.status not in (403, 404, 406):
            raise
        found = None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    for group in (*found.items, *found.groups) if found is not None else ():
        name = group.metadata.name if group.metadata else group.name
        versions[name] = {each.version: each for each in group.versions}
        told[name] = [each.version for each in group.versions]
    known: dict[tuple[str, str], Known] = {}
    words: dict[str, list[Known]] = {}
    for row in RESOURCES:
        here = told.get(row.group)
        if found is not None and row.group and here is None:
            continue
        version = next((each for each in row.versions if here is None or each in here), here[0] if here else "")
        listed = versions.get(row.group, {}).get(version)
        if listed is not None and listed.resources and not _has(listed, row):
            version = next((each for each in told[row.group] if _has(versions[row.group][each], row)), "")
        if version:
            one = known[row.group, row.kind] = Known(row, version)
            _name(words, one, row.short)
    for group_name, by_version in versions.items():
        for each in by_version.values():
            for listed_kind in each.resources:
                _other(words, group_name, each.version, listed_kind)
    return Kinds(known, words)


def _has(version: _Version, row: Resource) -> bool:
    return any(each.resource == row.name and "list" in each.verbs for each in version.resources)


def _other(words: dict[str, list[Known]], group: str, version: str, found: _Resource) -> None:
    """A kind that the table does not have: a pod template in it is read all the same. Names that its owner gave it
    join those of the table."""
    kind = found.response_kind.kind if found.response_kind else ""
    if not kind or "get" not in found.verbs or kind in _NO_LISTS or "/" in found.resource or ".." in found.resource:
        return
    row = by_kind(group, kind)
    if row is None:
        row = Resource(
            group=group,
            name=found.resource,
            kind=kind,
            versions=(version,),
            role="workload",
            why="a kind that is not among those known",
            namespaced=found.scope != "Cluster",
            asked=True,
        )
        _name(words, Known(row, version), found.short_names)
        return
    for one in [one for one in words.get(kind.lower(), ()) if one.resource is row]:
        _name(words, one, found.short_names)


def _name(words: dict[str, list[Known]], one: Known, short: list[str] | tuple[str, ...]) -> None:
    row = one.resource
    for word in (row.kind.lower(), row.name, *short):
        for spelt in (word, f"{word}.{row.group}") if row.group else (word,):
            listed = words.setdefault(spelt, [])
            if not any(other.resource.group == row.group and other.resource.kind == row.kind for other in listed):
                listed.append(one)
