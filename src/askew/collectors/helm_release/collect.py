"""``helm-release:NAMESPACE/NAME@REVISION``: the manifest that Helm installed, from what it keeps in the cluster.

Locations name the line of the manifest, which is what ``helm get manifest NAME --revision N`` prints.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from askew.collectors.interface import Capability, Evidence, Request
from askew.collectors.k8s.target import TargetError, common
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

if TYPE_CHECKING:
    from askew.collectors.helm_release.stored import Entry, Release
    from askew.collectors.k8s.server import Server

_FORM = re.compile(
    r"(?://(?P<context>[^/]+)/)?(?:(?P<namespace>[a-z0-9][a-z0-9-]*)/)?(?P<name>[a-z0-9][a-z0-9.-]*)"
    r"(?:@(?P<revision>[0-9]{1,9}))?"
)
_HINT = "write helm-release:NAMESPACE/NAME[@REVISION], or helm-release://CONTEXT/NAMESPACE/NAME[@REVISION]"
_ONLY_NAMES = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_MOST_REVISIONS = 12


class HelmReleaseCollector:
    """Reads Secrets or ConfigMaps of Helm, and of these only what belongs to one release."""

    name = "helm-release"
    schemes: tuple[str, ...] = ("helm-release",)
    capabilities: tuple[Capability, ...] = ("network", "cluster")
    takes = ("context",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read one revision's manifest. Secrets in it are markers before anyone else sees it."""
        from askew.collectors.k8s.access import AccessError, access
        from askew.collectors.k8s.server import RequestError, Server

        reader = Reader(redactor)
        uri = redactor.text(request.uri)
        match = _FORM.fullmatch(request.target)
        server = None
        try:
            if match is None:
                raise TargetError(f"'{request.target}' names no release", _HINT)
            given = common(request.options)
            way = access(unquote(match["context"] or "") or given.context)
            server = Server(way, seconds=given.seconds, user=given.user, groups=given.groups)
            _read(server, match["namespace"] or way.namespace, match["name"], int(match["revision"] or 0), reader)
        except (TargetError, AccessError) as error:
            reader.fail(uri, error.message, error.hint)
        except RequestError as failed:
            hint = "Helm keeps releases in Secrets: get and list on secrets of the namespace are needed"
            reader.fail(uri, failed.message, hint if failed.status == 403 else "helm history shows whether it answers")
        finally:
            if server is not None:
                server.close()
        return reader.evidence(uri, "the release installs nothing", "helm get manifest shows the same")


COLLECTOR = HelmReleaseCollector()


def _read(server: Server, namespace: str, name: str, revision: int, reader: Reader) -> None:
    from askew.collectors.helm_release.stored import PREFIX, StoredError, release
    from askew.collectors.k8s.server import RequestError

    denied: RequestError | None = None
    for resource in ("secrets", "configmaps"):
        path = f"/api/v1/namespaces/{namespace}/{resource}"
        try:
            wanted = revision or _latest(_entries(server, path, name))
            if not wanted:
                continue
            body = server.get(f"{path}/{PREFIX}.{name}.v{wanted}")
        except RequestError as failed:
            if failed.status == 403:
                denied = denied or failed
            elif failed.status != 404:
                raise
            continue
        try:
            held = release(body, secret=resource == "secrets")
        except StoredError as error:
            reader.fail(
                f"helm-release:{namespace}/{name}@{wanted}",
                f"{PREFIX}.{name}.v{wanted} holds no release: {error}",
                "helm history shows what is stored; name another revision",
            )
            return
        _manifest(held, f"helm-release:{namespace}/{name}@{wanted}", reader)
        return
    if denied is not None:
        raise denied
    _missing(server, namespace, name, revision)


def _manifest(held: Release, source: str, reader: Reader) -> None:
    reader.files += 1
    reader.add_manifest(source, held.manifest.encode("utf-8", "replace"), False)


def _entries(server: Server, path: str, name: str) -> list[Entry]:
    """The revisions of a release, by their labels: the data of each may have a megabyte."""
    from askew.collectors.helm_release.stored import Entry

    found: list[Entry] = []
    for page in server.pages(path, {"labelSelector": f"owner=helm,name={name}"}, accept=_ONLY_NAMES):
        if page is None:
            found.clear()
            continue
        for raw in page.items or ():
            try:
                entry = msgspec.json.decode(raw, type=Entry)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if entry.revision:
                found.append(entry)
    return found


def _latest(entries: list[Entry]) -> int:
    """The revision that is installed: the latest that Helm calls deployed, else the latest."""
    deployed = [one.revision for one in entries if one.labels.get("status") == "deployed"]
    return max(deployed or [one.revision for one in entries], default=0)


def _missing(server: Server, namespace: str, name: str, revision: int) -> None:
    from askew.collectors.k8s.server import RequestError

    kept: list[int] = []
    names: set[str] = set()
    for resource in ("secrets", "configmaps"):
        path = f"/api/v1/namespaces/{namespace}/{resource}"
        try:
            kept.extend(one.revision for one in _entries(server, path, name))
            if not kept:
                for page in server.pages(path, {"labelSelector": "owner=helm"}, accept=_ONLY_NAMES):
                    names.update(_names(page.items if page else None))
        except RequestError:
            continue
    if kept:
        listed = ", ".join(str(number) for number in sorted(kept)[-_MOST_REVISIONS:])
        raise TargetError(
            f"the release '{name}' in the namespace '{namespace}' has no revision {revision}", f"Helm keeps {listed}"
        )
    others = ", ".join(sorted(names)[:_MOST_REVISIONS])
    raise TargetError(
        f"there is no release '{name}' in the namespace '{namespace}'",
        f"Helm keeps there: {others}" if others else "helm list -A names the releases and their namespaces",
    )


def _names(items: list[msgspec.Raw] | None) -> set[str]:
    from askew.collectors.helm_release.stored import Entry

    names: set[str] = set()
    for raw in items or ():
        try:
            names.add(msgspec.json.decode(raw, type=Entry).labels.get("name", ""))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return names - {""}
