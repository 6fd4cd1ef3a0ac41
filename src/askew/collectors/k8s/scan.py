"""Reads one cluster: which objects belong to what was asked for, in as few calls as there are kinds and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from askew.collectors.k8s import history
from askew.collectors.k8s.access import AccessError
from askew.collectors.k8s.discovery import Kinds, Known
from askew.collectors.k8s.objects import Maker, Plain, identified, list_at, owner_uids, text_at
from askew.collectors.k8s.relations import (
    among,
    family_of,
    group_of,
    has_replicas,
    is_of,
    kind_of,
    plain_of,
    references_of,
    selector_of,
)
from askew.collectors.k8s.resources import Resource, by_kind, of_role
from askew.collectors.k8s.server import DeadlineError, RequestError, Server
from askew.collectors.k8s.target import Target
from askew.collectors.reading import Reader
from askew.evidence.document import Document

_MOST_OBJECTS = 300_000
_MOST_EVENTS = 1000
# Up to this many are asked for one by one; more come with the list of all.
_ONE_BY_ONE = 12
_MOST_NAMES = 20
_FEW = 3


class NotFoundError(Exception):
    """What the user named is not there, or may not be read: why, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Scan:
    """What one cluster showed, as it comes. ``denied`` holds what RBAC refuses, ``failed`` what could not be read
    otherwise, ``stopped`` why nothing more was asked."""

    def __init__(
        self, server: Server, kinds: Kinds, maker: Maker, reader: Reader, progress: Callable[[str], None] | None
    ) -> None:
        self.server = server
        self.kinds = kinds
        self.maker = maker
        self.documents: list[Document] = []
        self.denied: list[str] = []
        self._rights: dict[tuple[str, str], list[str]] = {}
        self.failed: list[str] = []
        self.stopped: AccessError | DeadlineError | None = None
        self._reader = reader
        self._progress = progress

    # -- what is read ------------------------------------------------------------------------------------

    def read(self, target: Target, namespace: str) -> None:
        """Everything that belongs to the target. Raises NotFoundError where nothing of it can be read."""
        if target.name:
            self._workload(target, namespace)
        else:
            self._namespace(target, namespace)

    def _workload(self, target: Target, namespace: str) -> None:
        known, raw = self._find(target, namespace)
        resource = known.resource
        whole = self.maker.plain(raw)
        # Some kinds make others, which make pods; these only are asked for besides revisions and pods.
        between = [] if resource.group in ("apps", "batch", "") else self._between(namespace)
        labels = selector_of(whole)
        keeper = history.KEEPERS.get((resource.group, resource.kind))
        wanted = [one for one in of_role("owned") if one.kind == "Pod" or keeper or between]
        if not (keeper and keeper[1] == "ControllerRevision"):
            wanted = [one for one in wanted if one.kind != "ControllerRevision"]
        elif not between:
            wanted = [one for one in wanted if one.kind != "ReplicaSet"]
        owned = [*between, *self._each(wanted, namespace, {"labelSelector": labels} if labels else {})]
        live = self.maker.document(identified(self.maker.plain(raw), resource, known.version))
        family = family_of([live], owned)
        document = live
        if target.revision in ("previous", "number"):
            document, family = self._former(live, family, keeper, target)
        elif target.revision == "applied":
            document = self._applied(whole, known) or live
        self.documents.extend((document, *family))
        pods = [one for one in family if kind_of(one) == "Pod"]
        self._surroundings(namespace, target)
        self._used([document, *family], namespace, target)
        self._nodes(pods, everything=False)

    def _namespace(self, target: Target, namespace: str) -> None:
        options = {"labelSelector": target.selector} if target.selector else {}
        refused = len(self.denied)
        rows = [one for one in of_role("workload") if self.kinds.get(one) is not None]
        for one in self._each(rows, namespace, options, applied=target.revision == "applied"):
            self.documents.append(one)
        workloads = list(self.documents)
        if len(self.denied) - refused >= len(rows) > 0:
            what = f"the namespace '{namespace}'" if namespace else "the cluster"
            raise NotFoundError(
                f"no workload of {what} may be listed: it needs {'; '.join(self.missing_rights())}",
                "ask for the ClusterRole in the documentation of sources, or name one workload that you may read",
            )
        if not workloads and namespace and not target.selector:
            self._exists(namespace)
        owned = [one for one in of_role("owned") if one.kind != "ControllerRevision"]
        found = list(self._each(owned, namespace, {}, alive=True))
        family = family_of(workloads, found, standalone=not target.selector)
        self.documents.extend(family)
        if not self.documents:
            return
        self._surroundings(namespace, target)
        self._used([*workloads, *family], namespace, target)
        self._nodes([one for one in family if kind_of(one) == "Pod"], everything=not namespace)

    def _find(self, target: Target, namespace: str) -> tuple[Known, bytes]:
        """The object that the user named, of the first kind of that name that has one."""
        candidates = self.kinds.named(target.kind)
        if not candidates:
            raise NotFoundError(
                f"the cluster knows no kind '{target.kind}'",
                "kubectl api-resources lists the kinds; write KIND.GROUP where two have one name",
            )
        problem = ""
        for known in candidates:
            title = known.resource.title
            try:
                body = self.server.get(known.path(namespace, target.name))
                self.maker.plain(body)
            except ValueError as error:
                problem = problem or f"the answer is no {known.resource.kind}: {error}"
            except RequestError as failed:
                if failed.status == 403:
                    problem = f"cannot get {title} in {namespace}: needs get on {title}"
                    self._deny("get", known.resource, namespace)
                elif failed.status != 404:
                    problem = problem or failed.message
            else:
                return known, body
        if problem:
            raise NotFoundError(
                problem, "see what kubectl get says, and what the ClusterRole in the documentation allows"
            )
        kind = candidates[0].resource.kind
        raise NotFoundError(
            f"there is no {kind} '{target.name}' in the namespace '{namespace}'",
            self._similar(candidates[0], namespace),
        )

    def _similar(self, known: Known, namespace: str) -> str:
        names: list[str] = []
        try:
            page = next(self.server.pages(known.path(namespace), {}), None)
            for raw in (page.items or [])[:_MOST_NAMES] if page else ():
                names.append(text_at(self.maker.plain(raw), "metadata", "name"))
        except (RequestError, ValueError):
            return "kubectl get shows what there is"
        return f"there are: {', '.join(names)}" if names else f"the namespace has no {known.resource.kind} at all"

    def _exists(self, namespace: str) -> None:
        if self.stopped is not None:
            return
        try:
            self.server.get(f"/api/v1/namespaces/{namespace}")
        except RequestError as failed:
            if failed.status == 404:
                raise NotFoundError(
                    f"there is no namespace '{namespace}'", "kubectl get namespaces lists them"
                ) from None

    # -- revisions ---------------------------------------------------------------------------------------

    def _former(
        self, live: Document, family: list[Document], keeper: tuple[str, str] | None, target: Target
    ) -> tuple[Document, list[Document]]:
        workload = plain_of(live)
        kind = text_at(workload, "kind")
        if keeper is None:
            made = sorted(
                f"{text_at(plain_of(one), 'kind').lower()}/{text_at(plain_of(one), 'metadata', 'name')}"
                for one in family
                if (group_of(one), kind_of(one)) in history.KEEPERS
            )
            hint = (
                f"what it makes does: {', '.join(made[:_FEW])}" if made else "compare with the manifest in git instead"
            )
            raise NotFoundError(f"the cluster keeps no revisions of a {kind}", hint)
        held = [plain_of(one) for one in family if (group_of(one), kind_of(one)) == keeper]
        try:
            revision = history.chosen(workload, history.kept(workload, held, self.maker.source), target.number)
        except history.RevisionError as error:
            if any(keeper[1].lower() in one for one in (" ".join(self.denied).lower(), " ".join(self.failed).lower())):
                row = by_kind(*keeper)
                title = row.title if row else keeper[1]
                raise NotFoundError(
                    f"the revisions could not be read: cannot list {title}", "needs list on it"
                ) from None
            raise NotFoundError(error.message, error.hint) from None
        document = self.maker.document(history.restored(workload, revision), redacted=True)
        uid, name = text_at(revision.held, "metadata", "uid"), text_at(revision.held, "metadata", "name")
        # What runs now is of another revision; only pods that are left of this one tell something about it.
        rest = [one for one in family if kind_of(one) == "Pod" and is_of(plain_of(one), uid, name)]
        return document, rest

    def _applied(self, whole: Plain, known: Known) -> Document | None:
        found = history.applied(whole)
        name = text_at(whole, "metadata", "name")
        if found is None:
            self._note(f"nothing tells what was applied of {known.resource.kind} {name}: what is live is shown instead")
            return None
        value, how = found
        return self.maker.document(
            identified(value, known.resource, known.version), source=f"{self.maker.source}#{how}"
        )

    # -- what is around ----------------------------------------------------------------------------------

    def _between(self, namespace: str) -> list[Document]:
        rows = [one for one in of_role("workload") if one.kind not in ("Job", "CronJob", "ReplicationController")]
        return list(self._each([one for one in rows if not one.asked], namespace, {}))

    def _surroundings(self, namespace: str, target: Target) -> None:
        rows = [one for one in of_role("around", "pointer") if one.kind != "Event"]
        found = list(self._each(rows, namespace, {}))
        self.documents.extend(found)
        groups = {(group_of(one), kind_of(one)) for one in found} | {
            (group_of(one), kind_of(one)) for one in self.documents
        }
        self.documents.extend(self._gateways(found, namespace))
        for row in of_role("cluster"):
            if row.kind in ("Node", "PriorityClass"):
                continue
            # A class is of interest only where something may name it.
            if any(group == row.group for group, _ in groups):
                self.documents.extend(self._each((row,), "", {}))
        if any(text_at(plain_of(one), "spec", "priorityClassName") for one in self.documents if kind_of(one) == "Pod"):
            self.documents.extend(
                self._each([one for one in of_role("cluster") if one.kind == "PriorityClass"], "", {})
            )
        if target.events:
            self.documents.extend(self._events(namespace))

    def _gateways(self, found: Iterable[Document], namespace: str) -> Iterator[Document]:
        """Gateways in other namespaces that routes name."""
        row = by_kind("gateway.networking.k8s.io", "Gateway")
        known = self.kinds.get(row) if row is not None else None
        if known is None or not namespace:
            return
        named = {
            (text_at(parent, "namespace"), text_at(parent, "name"))
            for one in found
            if group_of(one) == "gateway.networking.k8s.io" and kind_of(one) != "Gateway"
            for parent in list_at(plain_of(one), "spec", "parentRefs")
            if text_at(parent, "namespace") not in ("", namespace)
        }
        for where, name in sorted(named)[:_ONE_BY_ONE]:
            yield from self._one(known, where, name)

    def _events(self, namespace: str) -> Iterator[Document]:
        """Warnings about what is there. Old ones are gone after an hour, and many say the same."""
        row = by_kind("", "Event")
        about = {uid for one in self.documents if (uid := text_at(plain_of(one), "metadata", "uid"))}
        count = 0
        for one in self._each(
            (row,) if row else (), namespace, {"fieldSelector": "type=Warning"}, most=2 * _MOST_EVENTS
        ):
            if text_at(plain_of(one), "involvedObject", "uid") in about and count < _MOST_EVENTS:
                count += 1
                yield one

    def _used(self, holders: Iterable[Document], namespace: str, target: Target) -> None:
        """ConfigMaps, Secrets and claims that pods name."""
        named = references_of(holders)
        for row in of_role("parts"):
            known, names = self.kinds.get(row), named.get(row.kind, set())
            if known is None or not names or (row.kind == "Secret" and not target.secrets):
                continue
            if len(names) <= _ONE_BY_ONE:
                for where, name in sorted(names):
                    self.documents.extend(self._one(known, where, name))
                continue
            self.documents.extend(self._each((row,), namespace, {}, keep=among(names)))

    def _nodes(self, pods: Iterable[Document], *, everything: bool) -> None:
        row = by_kind("", "Node")
        known = self.kinds.get(row) if row else None
        names = {name for one in pods if (name := text_at(plain_of(one), "spec", "nodeName"))}
        if known is None or row is None or (not names and not everything):
            return
        if not everything and len(names) <= _ONE_BY_ONE:
            for name in sorted(names):
                self.documents.extend(self._one(known, "", name))
            return
        keep = None if everything else (lambda one: text_at(one, "metadata", "name") in names)
        self.documents.extend(self._each((row,), "", {}, keep=keep))

    # -- calls -------------------------------------------------------------------------------------------

    def _one(self, known: Known, namespace: str, name: str) -> Iterator[Document]:
        resource = known.resource
        if self.stopped is not None:
            return
        try:
            yield self.maker.make(resource, known.version, self.server.get(known.path(namespace, name)))
        except ValueError as error:
            self._fail("get", resource, namespace, str(error))
        except RequestError as failed:
            if failed.status == 403:
                self._deny("get", resource, namespace)
            elif failed.status != 404:
                self._fail("get", resource, namespace, failed.message)
            if isinstance(failed, DeadlineError):
                self.stopped = failed
        except AccessError as error:
            self.stopped = error
            self._fail("get", resource, namespace, error.message)

    def _each(
        self,
        rows: Iterable[Resource],
        namespace: str,
        parameters: Mapping[str, str],
        *,
        keep: Callable[[Plain], bool] | None = None,
        alive: bool = False,
        applied: bool = False,
        most: int = _MOST_OBJECTS,
    ) -> Iterator[Document]:
        """The objects of some kinds. What cannot be listed is noted, and what came before is kept."""
        for row in rows:
            known = self.kinds.get(row)
            if known is None or self.stopped is not None:
                continue
            found: list[Document] = []
            where = namespace if row.namespaced else ""
            if alive and row.kind == "Pod":
                parameters = {**parameters, "fieldSelector": "status.phase!=Succeeded"}
            try:
                for page in self.server.pages(known.path(where), parameters):
                    if page is None:
                        found.clear()
                        continue
                    found.extend(self._page(known, page.items or [], keep, alive=alive, applied=applied))
                    if self._progress is not None and len(found) > 2000:
                        self._progress(f"{len(found):,} {row.name}")
                    if len(found) >= most:
                        self._fail("list", row, where, f"only the first {most:,} were read")
                        break
            except RequestError as failed:
                if isinstance(failed, DeadlineError):
                    self.stopped = failed
                if failed.status == 403:
                    self._deny("list", row, where)
                elif failed.status != 404 or row.group == "":
                    self._fail("list", row, where, failed.message)
            except AccessError as error:
                self.stopped = error
                self._fail("list", row, where, error.message)
            yield from found

    def _page(
        self,
        known: Known,
        items: Iterable[msgspec.Raw],
        keep: Callable[[Plain], bool] | None,
        *,
        alive: bool,
        applied: bool,
    ) -> Iterator[Document]:
        for raw in items:
            try:
                if applied:
                    whole = self.maker.plain(raw)
                    found = None if owner_uids(whole) else self._applied(whole, known)
                    yield found or self.maker.make(known.resource, known.version, raw)
                    continue
                one = self.maker.make(known.resource, known.version, raw)
            except ValueError as error:
                self._fail("list", known.resource, "", f"an object is not as expected: {error}")
                continue
            if keep is not None and not keep(plain_of(one)):
                continue
            if alive and known.resource.kind == "ReplicaSet" and not has_replicas(plain_of(one)):
                continue
            yield one

    # -- what went wrong ---------------------------------------------------------------------------------

    def _deny(self, verb: str, resource: Resource, namespace: str) -> None:
        line = f"{verb} {resource.title}" + (f" {namespace}" if namespace else "")
        if line not in self.denied:
            self.denied.append(line)
            if (resource.group, resource.kind) == ("", "Secret"):
                return  # few may read them, and without them all else is complete: what depends on one says so
            self._rights.setdefault((verb, namespace), []).append(resource.title)

    def missing_rights(self) -> list[str]:
        """What the user would have to be allowed to see everything: ``list on pods, services in prod``."""
        return [
            f"{verb} on {', '.join(titles)}" + (f" in {namespace}" if namespace else "")
            for (verb, namespace), titles in self._rights.items()
        ]

    def _fail(self, verb: str, resource: Resource, namespace: str, reason: str) -> None:
        line = f"{verb} {resource.title}" + (f" {namespace}" if namespace else "") + f": {reason}"
        if line not in self.failed:
            self.failed.append(line)
            self._note(line)

    def _note(self, text: str) -> None:
        self._reader.notes.append(text)
