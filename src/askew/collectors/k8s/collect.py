"""``k8s:NAMESPACE/KIND/NAME``: objects of a cluster as they are now, as they were, or as they were applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from askew.collectors.interface import Capability, Evidence, Request, Text
from askew.collectors.k8s.target import Target, TargetError, parse
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

if TYPE_CHECKING:
    from askew.collectors.k8s.scan import Scan

PLATFORM = "cluster"


class ClusterCollector:
    """Reads lists of a Kubernetes API server. It changes nothing, and keeps what came before a fault."""

    name = "k8s"
    schemes: tuple[str, ...] = ("k8s",)
    capabilities: tuple[Capability, ...] = ("network", "cluster")
    takes = ("context", "logs", "endpoints", "exec")

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read what the URI names. What may not be read lowers the status and is named."""
        reader = Reader(redactor)
        uri = redactor.text(request.uri)
        try:
            target = parse(request.target, request.options)
        except TargetError as error:
            reader.fail(uri, error.message, error.hint)
            return reader.evidence(uri, "", "", PLATFORM)
        try:
            for context in target.contexts or ("",):
                self._context(context, target, reader, redactor, request)
        except KeyboardInterrupt:
            reader.stopped(request)
        evidence = reader.evidence(
            uri,
            "the cluster shows no workload there",
            "kubectl get deployments,statefulsets,pods shows the same; name another namespace, or k8s:* for all",
            PLATFORM,
        )
        return msgspec.structs.replace(evidence, files=len(evidence.documents))

    def _context(self, context: str, target: Target, reader: Reader, redactor: Redactor, request: Request) -> None:
        from askew.collectors.k8s.access import AccessError, access
        from askew.collectors.k8s.discovery import discover
        from askew.collectors.k8s.lists import Lists
        from askew.collectors.k8s.objects import Maker
        from askew.collectors.k8s.scan import NotFoundError, Scan
        from askew.collectors.k8s.server import RequestError, Server

        source = f"k8s://{context}" if context else "k8s:"
        server = None
        try:
            way = access(context)
            source = f"k8s://{way.context}"
            server = Server(way, seconds=target.seconds, user=target.user, groups=target.groups)
            kinds = discover(server)
            lists = Lists(server, kinds, Maker(source, redactor), reader, request.progress)
            scan = Scan(lists)
            try:
                scan.read(target, "" if target.everywhere else target.namespace or way.namespace)
                if lists.stopped is not None and not scan.documents:
                    raise lists.stopped
                if isinstance(lists.stopped, AccessError):
                    reader.fail(source, lists.stopped.message, lists.stopped.hint)
                elif target.logs or target.endpoints or target.exec:
                    self._inside(scan, source, target, reader, redactor, request)
            finally:
                reader.documents.extend(scan.documents)
                if scan.documents and (rights := lists.missing_rights()):
                    reader.notes.insert(0, f"not everything may be read: it needs {'; '.join(rights)}")
                for name, lines in (("denied", lists.denied), ("failed", lists.failed), ("intended", scan.intended)):
                    if lines and scan.documents:  # about what was read; else the errors say it
                        text = redactor.text("\n".join(lines) + "\n")
                        reader.texts.append(Text(source=f"{source}#{name}", text=text))
        except (AccessError, NotFoundError) as error:
            reader.fail(source, error.message, error.hint)
        except RequestError as failed:
            reader.fail(source, failed.message, "kubectl get --raw /version shows whether the API server answers")
        finally:
            if server is not None:
                server.close()

    def _inside(
        self, scan: Scan, source: str, target: Target, reader: Reader, redactor: Redactor, request: Request
    ) -> None:
        from askew.collectors.k8s.access import AccessError
        from askew.collectors.k8s.inside import MOST_PODS, chosen, listen
        from askew.collectors.k8s.relations import kind_of, plain_of
        from askew.collectors.k8s.server import RequestError

        pods, left = chosen([plain_of(one) for one in scan.documents if kind_of(one) == "Pod"])
        if left:
            reader.notes.append(f"{left} pods were not asked themselves: at most {MOST_PODS} of each workload are")
        try:
            for number, said in enumerate(listen(scan.lists.server, source, pods, target, redactor)):
                if request.progress is not None:
                    request.progress(f"asking pods: {number + 1} of {len(pods)}")
                scan.documents.extend(said.documents)
                reader.texts.extend(said.texts)
                scan.lists.denied.extend(said.denied)
                scan.lists.failed.extend(said.failed)
                reader.notes.extend(f"cannot {line}: the right is missing" for line in said.denied)
                reader.notes.extend(said.failed)
        except (AccessError, RequestError) as error:
            reader.notes.append(f"not all pods were asked: {error.message}")


COLLECTOR = ClusterCollector()
