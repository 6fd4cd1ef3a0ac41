"""Lists and single objects as documents; what may not or cannot be read is noted, and what came before is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from askew.collectors.k8s import history
from askew.collectors.k8s.access import AccessError
from askew.collectors.k8s.discovery import Kinds, Known
from askew.collectors.k8s.objects import Maker, Plain, identified, owner_uids, text_at
from askew.collectors.k8s.relations import has_replicas, plain_of
from askew.collectors.k8s.resources import Resource
from askew.collectors.k8s.server import DeadlineError, RequestError, Server
from askew.collectors.reading import Reader
from askew.evidence.document import Document

MOST_OBJECTS = 300_000


class Lists:
    """``denied`` holds what RBAC refuses, ``failed`` what could not be read otherwise, ``stopped`` why nothing more was
    asked."""

    def __init__(
        self, server: Server, kinds: Kinds, maker: Maker, reader: Reader, progress: Callable[[str], None] | None
    ) -> None:
        self.server = server
        self.kinds = kinds
        self.maker = maker
        self.denied: list[str] = []
        self.failed: list[str] = []
        self.stopped: AccessError | DeadlineError | None = None
        self._rights: dict[tuple[str, str], list[str]] = {}
        self._reader = reader
        self._progress = progress

    def one(self, known: Known, namespace: str, name: str) -> Iterator[Document]:
        resource = known.resource
        if self.stopped is not None:
            return
        try:
            yield self.maker.make(resource, known.version, self.server.get(known.path(namespace, name)))
        except ValueError as error:
            self.fail("get", resource, namespace, str(error))
        except RequestError as failed:
            if failed.status == 403:
                self.deny("get", resource, namespace)
            elif failed.status != 404:
                self.fail("get", resource, namespace, failed.message)
            if isinstance(failed, DeadlineError):
                self.stopped = failed
        except AccessError as error:
            self.stopped = error
            self.fail("get", resource, namespace, error.message)

    def each(
        self,
        rows: Iterable[Resource],
        namespace: str,
        parameters: Mapping[str, str],
        *,
        keep: Callable[[Plain], bool] | None = None,
        alive: bool = False,
        applied: bool = False,
        most: int = MOST_OBJECTS,
    ) -> Iterator[Document]:
        """The objects of some kinds. What cannot be listed is noted, and what came before is kept."""
        for row in rows:
            known = self.kinds.get(row)
            if known is None or self.stopped is not None:
                continue
            found: list[Document] = []
            where = namespace if row.namespaced else ""
            living = {"fieldSelector": "status.phase!=Succeeded"} if alive and row.kind == "Pod" else {}
            try:
                for page in self.server.pages(known.path(where), {**parameters, **living}):
                    if page is None:
                        found.clear()
                        continue
                    found.extend(self._page(known, page.items or [], keep, alive=alive, applied=applied))
                    if self._progress is not None and len(found) > 2000:
                        self._progress(f"{len(found):,} {row.name}")
                    if len(found) >= most:
                        if row.kind == "Event":  # the rest would say the same
                            self._reader.remarks.append(f"of the events only the first {most:,} were read")
                        else:
                            self.fail("list", row, where, f"only the first {most:,} were read")
                        break
            except RequestError as failed:
                if isinstance(failed, DeadlineError):
                    self.stopped = failed
                if failed.status == 403:
                    self.deny("list", row, where)
                elif failed.status != 404 or row.group == "":
                    self.fail("list", row, where, failed.message)
            except AccessError as error:
                self.stopped = error
                self.fail("list", row, where, error.message)
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
                    found = None if owner_uids(whole) else self.applied(whole, known)
                    yield found or self.maker.make(known.resource, known.version, raw)
                    continue
                one = self.maker.make(known.resource, known.version, raw)
            except ValueError as error:
                self.fail("list", known.resource, "", f"an object is not as expected: {error}")
                continue
            if keep is not None and not keep(plain_of(one)):
                continue
            if alive and known.resource.kind == "ReplicaSet" and not has_replicas(plain_of(one)):
                continue
            yield one

    def applied(self, whole: Plain, known: Known) -> Document | None:
        found = history.applied(whole)
        name = text_at(whole, "metadata", "name")
        if found is None:
            self.note(f"nothing tells what was applied of {known.resource.kind} {name}: what is live is shown instead")
            return None
        value, how = found
        return self.maker.document(
            identified(value, known.resource, known.version), source=f"{self.maker.source}#{how}"
        )

    def deny(self, verb: str, resource: Resource, namespace: str) -> None:
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

    def fail(self, verb: str, resource: Resource, namespace: str, reason: str) -> None:
        line = f"{verb} {resource.title}" + (f" {namespace}" if namespace else "") + f": {reason}"
        if line not in self.failed:
            self.failed.append(line)
            self.note(line)

    def note(self, text: str) -> None:
        self._reader.notes.append(text)
