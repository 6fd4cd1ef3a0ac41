"""``k8s:NAMESPACE/KIND/NAME``: objects of a cluster as they are now, as they were, or as they were applied."""

from __future__ import annotations

import msgspec

from askew.collectors.interface import Capability, Evidence, Request, Text
from askew.collectors.k8s.target import Target, TargetError, parse
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

PLATFORM = "cluster"


class ClusterCollector:
    """Reads lists of a Kubernetes API server. It changes nothing, and keeps what came before a fault."""

    name = "k8s"
    schemes: tuple[str, ...] = ("k8s",)
    capabilities: tuple[Capability, ...] = ("network", "cluster")

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read what the URI names. What may not be read lowers the status and is named."""
        reader = Reader(redactor)
        uri = redactor.text(request.uri)
        try:
            target = parse(request.target, request.options)
        except TargetError as error:
            reader.fail(uri, error.message, error.hint)
            return reader.evidence(uri, "", "", PLATFORM)
        for context in target.contexts or ("",):
            self._context(context, target, reader, redactor, request)
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
            scan = Scan(server, kinds, Maker(source, redactor), reader, request.progress)
            try:
                scan.read(target, "" if target.everywhere else target.namespace or way.namespace)
            finally:
                reader.documents.extend(scan.documents)
                for name, lines in (("denied", scan.denied), ("failed", scan.failed)):
                    if lines:
                        reader.texts.append(
                            Text(source=f"{source}#{name}", text=redactor.text("\n".join(lines) + "\n"))
                        )
        except (AccessError, NotFoundError) as error:
            reader.fail(source, error.message, error.hint)
        except RequestError as failed:
            reader.fail(source, failed.message, "kubectl get --raw /version shows whether the API server answers")
        finally:
            if server is not None:
                server.close()


COLLECTOR = ClusterCollector()
