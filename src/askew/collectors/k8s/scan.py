"""Reads one cluster: which objects belong to what was asked for, in as few calls as there are kinds and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from askew.collectors.k8s import history
from askew.collectors.k8s.discovery import Known
from askew.collectors.k8s.lists import Lists
from askew.collectors.k8s.objects import identified, list_at, owner_uids, text_at
from askew.collectors.k8s.relations import (
    among,
    family_of,
    group_of,
    identity_of,
    is_of,
    kind_of,
    named,
    plain_of,
    pointers_of,
    references_of,
    selector_of,
)
from askew.collectors.k8s.resources import Resource, by_kind, of_role
from askew.collectors.k8s.server import RequestError
from askew.collectors.k8s.target import Target
from askew.evidence.document import Document

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
    """What one cluster showed, as it comes. ``intended`` says where the intended state of workloads is kept."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        self.documents: list[Document] = []
        self.intended: list[str] = []

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
        whole = self.lists.maker.plain(raw)
        live = self.lists.maker.document(identified(self.lists.maker.plain(raw), resource, known.version))
        keeper = history.KEEPERS.get((resource.group, resource.kind))
        family = family_of([live], self._owned(resource, keeper, namespace, selector_of(whole)))
        document = live
        if target.revision in ("previous", "number"):
            document, family = self._former(live, family, keeper, target)
        elif target.revision == "applied":
            document = self.lists.applied(whole, known) or live
            family = _without_pods(family)
        self.documents.extend((document, *family))
        self._surroundings(namespace, target)
        self._used([document, *family], namespace, target)
        self._nodes([one for one in (document, *family) if kind_of(one) == "Pod"], everything=False)

    def _owned(self, resource: Resource, keeper: tuple[str, str] | None, namespace: str, labels: str) -> list[Document]:
        """What may be of one workload: revisions, pods, and what its kind makes in between."""
        if resource.kind == "Pod":
            return []
        rows = [one for one in of_role("workload") if one.kind not in ("Job", "CronJob", "ReplicationController")]
        if resource.kind == "CronJob":
            rows = [one for one in of_role("workload") if one.kind == "Job"]
        elif resource.group in ("apps", "batch", ""):
            rows = []
        kinds = {"Pod"}
        if keeper == ("apps", "ControllerRevision"):
            kinds.add("ControllerRevision")
        if keeper == ("apps", "ReplicaSet") or (rows and resource.group != "batch"):
            kinds.add("ReplicaSet")
        made = [one for one in of_role("owned") if one.kind in kinds]
        selected = {"labelSelector": labels} if labels else {}
        return [*self.lists.each(rows, namespace, {}), *self.lists.each(made, namespace, selected)]

    def _namespace(self, target: Target, namespace: str) -> None:
        options = {"labelSelector": target.selector} if target.selector else {}
        refused = len(self.lists.denied)
        rows = [one for one in of_role("workload") if self.lists.kinds.get(one) is not None]
        for one in self.lists.each(rows, namespace, options, applied=target.revision == "applied"):
            self.documents.append(one)
        workloads = list(self.documents)
        if len(self.lists.denied) - refused >= len(rows) > 0:
            what = f"the namespace '{namespace}'" if namespace else "the cluster"
            raise NotFoundError(
                f"no workload of {what} may be listed: it needs {'; '.join(self.lists.missing_rights())}",
                "ask for the ClusterRole in the documentation of sources, or name one workload that you may read",
            )
        if not workloads and namespace and not target.selector:
            self._exists(namespace)
        owned = [one for one in of_role("owned") if one.kind != "ControllerRevision"]
        found = list(self.lists.each(owned, namespace, {}, alive=True))
        family = family_of(workloads, found, standalone=not target.selector)
        if target.revision == "applied":
            family = _without_pods(family)
        self.documents.extend(family)
        if not self.documents:
            return
        self._surroundings(namespace, target)
        self._used([*workloads, *family], namespace, target)
        self._nodes([one for one in family if kind_of(one) == "Pod"], everything=not namespace)

    def _find(self, target: Target, namespace: str) -> tuple[Known, bytes]:
        """The object that the user named, of the first kind of that name that has one."""
        candidates = self.lists.kinds.named(target.kind)
        if not candidates:
            raise NotFoundError(
                f"the cluster knows no kind '{target.kind}'",
                "kubectl api-resources lists the kinds; write KIND.GROUP where two have one name",
            )
        problem = ""
        for known in candidates:
            title = known.resource.title
            try:
                body = self.lists.server.get(known.path(namespace, target.name))
                self.lists.maker.plain(body)
            except ValueError as error:
                problem = problem or f"the answer is no {known.resource.kind}: {error}"
            except RequestError as failed:
                if failed.status == 403:
                    problem = f"cannot get {title} in {namespace}: needs get on {title}"
                    self.lists.deny("get", known.resource, namespace)
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
            page = next(self.lists.server.pages(known.path(namespace), {}), None)
            for raw in (page.items or [])[:_MOST_NAMES] if page else ():
                names.append(text_at(self.lists.maker.plain(raw), "metadata", "name"))
        except (RequestError, ValueError):
            return "kubectl get shows what there is"
        return f"there are: {', '.join(names)}" if names else f"the namespace has no {known.resource.kind} at all"

    def _exists(self, namespace: str) -> None:
        if self.lists.stopped is not None:
            return
        try:
            self.lists.server.get(f"/api/v1/namespaces/{namespace}")
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
            revision = history.chosen(workload, history.kept(workload, held, self.lists.maker.source), target.number)
        except history.RevisionError as error:
            if any(
                keeper[1].lower() in one
                for one in (" ".join(self.lists.denied).lower(), " ".join(self.lists.failed).lower())
            ):
                row = by_kind(*keeper)
                title = row.title if row else keeper[1]
                raise NotFoundError(
                    f"the revisions could not be read: cannot list {title}", "needs list on it"
                ) from None
            raise NotFoundError(error.message, error.hint) from None
        document = self.lists.maker.document(history.restored(workload, revision), redacted=True)
        uid, name = text_at(revision.held, "metadata", "uid"), text_at(revision.held, "metadata", "name")
        # What runs now is of another revision; only pods that are left of this one tell something about it.
        rest = [one for one in family if kind_of(one) == "Pod" and is_of(plain_of(one), uid, name)]
        return document, rest

    # -- what is around ----------------------------------------------------------------------------------

    def _surroundings(self, namespace: str, target: Target) -> None:
        found = list(self.lists.each([one for one in of_role("around") if one.kind != "Event"], namespace, {}))
        self.documents.extend(found)
        groups = {group_of(one) for one in self.documents}
        self.documents.extend(self._gateways(found, namespace))
        self.documents.extend(self._pointers())
        for row in of_role("cluster"):
            if row.kind in ("Node", "PriorityClass"):
                continue
            # A class is of interest only where something may name it.
            if row.group in groups:
                self.documents.extend(self.lists.each((row,), "", {}))
        if any(text_at(plain_of(one), "spec", "priorityClassName") for one in self.documents if kind_of(one) == "Pod"):
            self.documents.extend(
                self.lists.each([one for one in of_role("cluster") if one.kind == "PriorityClass"], "", {})
            )
        if target.events:
            self.documents.extend(self._events(namespace))

    def _gateways(self, found: Iterable[Document], namespace: str) -> Iterator[Document]:
        """Gateways in other namespaces that routes name."""
        row = by_kind("gateway.networking.k8s.io", "Gateway")
        known = self.lists.kinds.get(row) if row is not None else None
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
            yield from self.lists.one(known, where, name)

    def _pointers(self) -> Iterator[Document]:
        """Argo CD Applications and Flux objects that workloads say they are of, and releases of Helm."""
        found: dict[str, set[tuple[str, str]]] = {}
        for one in self.documents:
            plain = plain_of(one)
            for kind, namespace, name in pointers_of(plain):
                what = f"{kind_of(one)} {'/'.join(identity_of(plain))}"
                line = f"{what}: {kind} {namespace}/{name}" if namespace else f"{what}: {kind} {name}"
                if line not in self.intended:
                    self.intended.append(line)
                found.setdefault(kind, set()).add((namespace, name))
        for row in of_role("pointer"):
            known, names = self.lists.kinds.get(row), found.get(row.kind, set())
            if known is None or not names:
                continue
            if all(namespace for namespace, _ in names) and len(names) <= _ONE_BY_ONE:
                for namespace, name in sorted(names):
                    yield from self.lists.one(known, namespace, name)
            else:  # Argo CD's own namespace may be any
                yield from self.lists.each((row,), "", {}, keep=named({name for _, name in names}))

    def _events(self, namespace: str) -> Iterator[Document]:
        """Warnings about what is there. Old ones are gone after an hour, and many say the same."""
        row = by_kind("", "Event")
        about = {uid for one in self.documents if (uid := text_at(plain_of(one), "metadata", "uid"))}
        count = 0
        for one in self.lists.each(
            (row,) if row else (), namespace, {"fieldSelector": "type=Warning"}, most=2 * _MOST_EVENTS
        ):
            if text_at(plain_of(one), "involvedObject", "uid") in about and count < _MOST_EVENTS:
                count += 1
                yield one

    def _used(self, holders: Iterable[Document], namespace: str, target: Target) -> None:
        """ConfigMaps, Secrets and claims that pods name."""
        named = references_of(holders)
        for row in of_role("parts"):
            known, names = self.lists.kinds.get(row), named.get(row.kind, set())
            if known is None or not names or (row.kind == "Secret" and not target.secrets):
                continue
            if len(names) <= _ONE_BY_ONE:
                for where, name in sorted(names):
                    self.documents.extend(self.lists.one(known, where, name))
                continue
            self.documents.extend(self.lists.each((row,), namespace, {}, keep=among(names)))

    def _nodes(self, pods: Iterable[Document], *, everything: bool) -> None:
        row = by_kind("", "Node")
        known = self.lists.kinds.get(row) if row else None
        names = {name for one in pods if (name := text_at(plain_of(one), "spec", "nodeName"))}
        if known is None or row is None or (not names and not everything):
            return
        if not everything and len(names) <= _ONE_BY_ONE:
            for name in sorted(names):
                self.documents.extend(self.lists.one(known, "", name))
            return
        keep = None if everything else (lambda one: text_at(one, "metadata", "name") in names)
        self.documents.extend(self.lists.each((row,), "", {}, keep=keep))


def _without_pods(family: list[Document]) -> list[Document]:
    """What pods run is not what was applied: only those that nobody made are workloads of their own."""
    return [one for one in family if kind_of(one) != "Pod" or not owner_uids(plain_of(one))]
