"""Asks an API server what it would store of each workload of some documents, and puts that into them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import msgspec

from askew.collectors.dry_run.merge import DEFAULTS, Defaults, mapping, with_pod
from askew.collectors.k8s.access import AccessError, access
from askew.collectors.k8s.objects import Maker, Plain, list_at, mapping_at, text_at
from askew.collectors.k8s.resources import Resource, by_kind
from askew.collectors.k8s.server import DeadlineError, RequestError, Server
from askew.collectors.k8s.target import Common
from askew.collectors.reading import Reader
from askew.evidence.document import Document, MixedMap, Node, wrap
from askew.evidence.redaction import MARKER, Redactor

# An API server takes no larger object: https://kubernetes.io/docs/reference/using-api/api-concepts/ (3 MiB).
_MOST_BYTES = 3 * 2**20
_MOST_ANSWER = 8 * 2**20
_MOST_LISTS = 8
# Dry runs are general since Kubernetes 1.18. An older server may not know them, and would create the object:
# https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
_SINCE = (1, 18)
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"v[0-9][a-z0-9]{0,30}")
_STEP = re.compile(r"[^.\[\]]+")
_RIGHT = "cannot create resource"
_NO_DRY_RUN = "does not support dry run"
# The server appends five characters to the beginning of a name: staging/src/k8s.io/apiserver/pkg/storage/names.
_SUFFIX = r"[a-z0-9]{5}"
_LONG_NAME = 40
# What the server gives an object that is another one under this name.
_GIVEN = (
    *("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields", "selfLink"),
    *("ownerReferences", "generateName", "name"),
)
# https://github.com/knative/serving/blob/main/pkg/apis/serving/v1/revision_validation.go: "must have prefix".
_KNATIVE = ("serving.knative.dev", "Service")
_REVISION_NAME = ("spec", "template", "metadata", "name")
# Where the pod templates of these stand, out of which their controllers make pods as they are written.
_TEMPLATE = ("spec", "template")
_TEMPLATES: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    **{("apps", kind): (_TEMPLATE,) for kind in ("Deployment", "StatefulSet", "DaemonSet")},
    ("", "ReplicationController"): (_TEMPLATE,),
    ("batch", "Job"): (_TEMPLATE,),
    ("batch", "CronJob"): (("spec", "jobTemplate", "spec", "template"),),
    ("argoproj.io", "Rollout"): (_TEMPLATE,),
    ("apps.kruise.io", "CloneSet"): (_TEMPLATE,),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): (
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ),
}


def ask(
    documents: Sequence[Document],
    given: Common,
    namespace: str,
    reader: Reader,
    redactor: Redactor,
    progress: Callable[[str], None] | None,
) -> None:
    """Replace each workload in the documents by what the server would store. Whatever fails is told to ``reader``."""
    found = [one for document in documents for one in _workloads(document.root, None, 0)]
    if not found:
        return
    source = f"k8s://{given.context}" if given.context else "k8s:"
    server = runs = None
    try:
        way = access(given.context)
        source = f"k8s://{way.context}"
        server = Server(way, seconds=given.seconds, user=given.user, groups=given.groups)
        _knows_dry_runs(server)
        runs = _Runs(server, f"{source}#dry-run", namespace or way.namespace, reader, redactor)
        for number, (node, row, around) in enumerate(found):
            if progress is not None:
                progress(f"dry run: {number + 1} of {len(found)}")
            made = runs.one(node, row)
            if made is None:
                continue
            node.value = made
            if around is not None and isinstance(node.key, int):
                around[node.key] = made
    except (AccessError, _TooOldError) as error:
        reader.fail(source, error.message, error.hint)
    except RequestError as failed:
        hint = "kubectl get --raw /version shows whether the API server answers"
        reader.fail(source, f"the dry run ended early: {failed.message}", hint)
    finally:
        if runs is not None:
            runs.end()
        if server is not None:
            server.close()


class _TooOldError(AccessError):
    pass


class _Version(msgspec.Struct):
    major: str = ""
    minor: str = ""


def _knows_dry_runs(server: Server) -> None:
    """Raises where the server does not say that it knows dry runs."""
    try:
        said = msgspec.json.decode(server.get("/version"), type=_Version)
        version = int(said.major), int(re.sub(r"\D.*", "", said.minor))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        version = (0, 0)
    if version < _SINCE:
        raise _TooOldError(
            "the API server does not say that it is Kubernetes 1.18 or later, and an older one may not know dry runs",
            "nothing was sent; compare the file itself",
        )


def _workloads(
    node: Node, around: list[object] | None, depth: int
) -> Iterator[tuple[Node, Resource, list[object] | None]]:
    """The objects of a document that run something; those in lists, too, with the list around them."""
    api_version, kind = node["apiVersion"].value, node["kind"].value
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return
    if kind == "List":
        items = node["items"].value
        for item in node["items"] if depth < _MOST_LISTS else ():
            yield from _workloads(item, items if isinstance(items, list) else None, depth + 1)
        return
    row = by_kind(api_version.rpartition("/")[0], kind)
    if row is not None and row.namespaced and (row.role == "workload" or (row.group, kind) == ("", "Pod")):
        yield node, row, around


class _Runs:
    """The dry runs of one source. ``missing`` holds the rights that were refused, by namespace."""

    def __init__(self, server: Server, source: str, namespace: str, reader: Reader, redactor: Redactor) -> None:
        self._server = server
        self._source = source
        self._namespace = namespace
        self._reader = reader
        self._maker = Maker(source, redactor)
        self._missing: dict[str, list[str]] = {}

    def end(self) -> None:
        """Say what rights are missing."""
        rights = [f"create on {', '.join(names)} in {where}" for where, names in self._missing.items()]
        if rights:
            self._reader.notes.insert(0, f"not everything could be asked: a dry run needs {'; '.join(rights)}")

    def one(self, node: Node, row: Resource) -> MixedMap | None:
        """One workload as it would be stored; None where it stays as it is written. Raises RequestError and AccessError
        where no further one need be asked."""
        written = node.value
        metadata = mapping_at(written, "metadata")
        name = metadata.get("name") or metadata.get("generateName")
        namespace = metadata.get("namespace") or self._namespace
        version = text_at(written, "apiVersion").rpartition("/")[2]
        if not isinstance(written, dict) or not isinstance(name, str):
            return None  # whoever reads it says what is missing
        if not (isinstance(namespace, str) and _NAMESPACE.fullmatch(namespace) and _VERSION.fullmatch(version)):
            self._fail(
                node["metadata"]["namespace"], f"{row.kind}: its namespace or version is none that a server knows"
            )
            return None
        what = f"{row.kind} {name}"
        base = _base(name)
        sent = {**written, "metadata": {**_own(metadata), "generateName": base, "namespace": namespace}}
        sent.pop("status", None)
        revision = text_at(written, *_REVISION_NAME) if (row.group, row.kind) == _KNATIVE else ""
        if revision:
            sent["spec"] = _without_revision(mapping_at(written, "spec"))
        try:
            stored = self._stored(_path(row.group, version, namespace, row.name), sent, name, base)
        except _RefusedError as refused:
            self._refused(refused.failed, node, row.title, namespace, what, _named(refused.failed.message, base, name))
            return None
        except ValueError as error:
            self._reader.notes.append(f"{what} is shown as written: {error}")
            return None
        if revision:
            mapping_at(stored, *_REVISION_NAME[:-1])["name"] = revision
        label = f"{text_at(written, 'apiVersion')} {row.kind} {namespace}/{name}"
        try:
            defaults = DEFAULTS.get((row.group, row.kind), {})
            made = _merged(written, wrap(stored, self._source).with_object(label), defaults)
            for path in _TEMPLATES.get((row.group, row.kind), ()):
                self._pod(made, stored, path, namespace, name, what)
        except RecursionError:
            self._reader.notes.append(f"{what} is shown as written: what the server made of it is nested too deeply")
            return None
        return made

    def _pod(self, made: MixedMap, stored: Plain, path: tuple[str, ...], namespace: str, name: str, what: str) -> None:
        """What admission would give the pods of a template, such as the resources of a LimitRange."""
        template = mapping_at(stored, *path)
        into = _at(made, path)
        if into is None or not list_at(template, "spec", "containers"):
            return
        base = _base(name)
        sent: Plain = {"apiVersion": "v1", "kind": "Pod", **template, "spec": _pod_spec(stored, template)}
        sent["metadata"] = {**_own(mapping_at(template, "metadata")), "generateName": base, "namespace": namespace}
        try:
            pod = self._stored(_path("", "v1", namespace, "pods"), sent, name, base)
        except _RefusedError as refused:
            said = _named(refused.failed.message, base, name)
            self._refused(refused.failed, None, "pods", namespace, f"the pod template of {what}", said)
            return
        except ValueError as error:
            self._reader.notes.append(f"the pods of {what} are not shown as admitted: {error}")
            return
        with_pod(into, wrap(pod, self._source).with_object(f"v1 Pod {namespace}/{name}"))

    def _stored(self, path: str, sent: Plain, name: str, base: str) -> Plain:
        """What the server would store, under the name of the file. Raises ValueError where it says nothing readable."""
        try:
            body = msgspec.json.encode(sent)
        except (TypeError, ValueError, OverflowError, RecursionError):
            raise ValueError("it holds values that JSON has not") from None
        if len(body) > _MOST_BYTES:
            raise ValueError(f"it has {len(body):,} bytes; an API server takes at most {_MOST_BYTES:,}")
        try:
            answer = self._server.dry_run(path, body, limit=_MOST_ANSWER)
        except RequestError as failed:
            if isinstance(failed, DeadlineError) or not failed.status:
                raise
            raise _RefusedError(failed) from None
        value = self._maker.plain(answer)
        if value.get("kind") != sent["kind"] or not isinstance(value.get("spec"), dict):
            raise ValueError(f"the API server did not answer with a {sent['kind']}")
        made, uid = text_at(value, "metadata", "name"), text_at(value, "metadata", "uid")
        if re.fullmatch(re.escape(base[:58]) + _SUFFIX, made):  # what was made of the name, too
            value = self._maker.plain(answer.replace(made.encode(), name.encode()))
        metadata = mapping_at(value, "metadata")
        for key in _GIVEN:
            metadata.pop(key, None)
        value.pop("status", None)
        if uid:
            _without(value, uid)
        self._maker.document(value)  # redacts in place
        return value

    def _refused(
        self, failed: RequestError, node: Node | None, title: str, namespace: str, what: str, said: str
    ) -> None:
        if failed.status == 403 and _RIGHT in failed.message:
            names = self._missing.setdefault(namespace, [])
            if title not in names:
                names.append(title)
            return
        wrong = failed.status in _INVALID and _NO_DRY_RUN not in said and "exceeded quota" not in said
        if node is not None and wrong and not MARKER.search(said):  # a marker in the place of a secret may be refused
            at = node
            for step in _STEP.findall(failed.field)[:100]:
                at = at[int(step) if step.isdigit() and len(step) < 9 and at.is_sequence else step]
            self._fail(at, f"the API server would refuse {what}: {said}")
            return
        if failed.status == 404 and not failed.message.startswith("namespaces "):
            said = f"the API server knows no {title} of this version"
        self._reader.notes.append(f"{what} is shown as written: {said}")

    def _fail(self, at: Node, message: str) -> None:
        place = at.location
        hint = "correct the manifest at this place; it is compared as it is written"
        self._reader.fail(place.source, message, hint, place.line, place.column)


# Bad request, forbidden (by admission), unprocessable.
_INVALID = (400, 403, 422)


class _RefusedError(Exception):
    def __init__(self, failed: RequestError) -> None:
        super().__init__(failed.message)
        self.failed = failed


def _base(name: str) -> str:
    """The beginning of the other name. Where the name is long, the other one is as long: kinds have limits."""
    return f"{name if len(name) <= _LONG_NAME else name[:-6]}-"


def _named(said: str, base: str, name: str) -> str:
    return re.sub(re.escape(base[:58]) + _SUFFIX + r"\b", lambda _: name, said)


def _own(metadata: Plain) -> Plain:
    return {key: part for key, part in metadata.items() if key not in _GIVEN}


def _path(group: str, version: str, namespace: str, name: str) -> str:
    return (
        f"/apis/{quote(group)}/{version}/namespaces/{namespace}/{name}"
        if group
        else (f"/api/{version}/namespaces/{namespace}/{name}")
    )


def _without_revision(spec: Plain) -> Plain:
    """A Service of Knative without the name of its revision, which has to begin with the name of the Service."""
    template = mapping_at(spec, "template")
    metadata = {key: part for key, part in mapping_at(template, "metadata").items() if key != "name"}
    return {**spec, "template": {**template, "metadata": metadata}}


def _pod_spec(stored: Plain, template: Plain) -> Plain:
    """With the volumes that a StatefulSet's controller adds: those of its claims."""
    spec = dict(mapping_at(template, "spec"))
    claims = [text_at(one, "metadata", "name") for one in list_at(stored, "spec", "volumeClaimTemplates")]
    if claims:
        volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
        kept = [one for one in list_at(spec, "volumes") if text_at(one, "name") not in claims]
        spec["volumes"] = [*kept, *volumes]
    return spec


def _merged(written: Plain, stored: Node, defaults: Defaults) -> MixedMap:
    """The object as stored, called and placed as it is written."""
    made = mapping(written, stored, frozenset(("apiVersion", "kind", "metadata", "status")), defaults)
    metadata = written.get("metadata")
    if isinstance(metadata, dict):
        made["metadata"] = mapping(metadata, stored["metadata"], frozenset((*_GIVEN, "namespace")))
    return made


def _at(made: MixedMap, path: tuple[str, ...]) -> MixedMap | None:
    part: object = made
    for key in path:
        part = part.get(key) if isinstance(part, dict) else None
    return part if isinstance(part, MixedMap) else None


def _without(value: object, uid: str) -> None:
    """Without the entries that name the identity of what was not created: labels of a Job and its pods."""
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            for key in [key for key, held in part.items() if held == uid]:
                del part[key]
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
