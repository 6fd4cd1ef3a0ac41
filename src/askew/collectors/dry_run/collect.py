"""``dry-run:PATH``: manifests as an API server would store them, with its defaults and all of its admission.

Asks with ``dryRun=All``, so that nothing is stored, and under another name, so that nothing that is there already is
merged with: a dry run of an update would take over what somebody changed by hand.
"""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from askew.collectors.interface import Capability, Evidence, Request, Status
from askew.collectors.k8s.target import TargetError, common
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

FORM = "dry-run:PATH, or dry-run://CONTEXT/PATH; options: namespace=, context=, as=, as-group=, timeout="
_MOST_NOTES = 5


class DryRunCollector:
    """Reads files as the files collector does, and asks the cluster what it would make of the workloads in them."""

    name = "dry_run"
    schemes: tuple[str, ...] = ("dry-run",)
    capabilities: tuple[Capability, ...] = ("filesystem", "network", "cluster")
    takes = ("context",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the manifests, and what the cluster would store of them. What it does not tell stays as it is written,
        and the status says so."""
        from askew.collectors.files.collect import FilesCollector

        uri = redactor.text(request.uri)
        asked = Reader(redactor)
        try:
            context, path = _place(request.target)
            namespace = next((unquote(word) for key, word in reversed(request.options) if key == "namespace"), "")
            given = common(tuple(one for one in request.options if one[0] != "namespace"))
        except TargetError as error:
            asked.fail(uri, error.message, error.hint)
            return asked.evidence(uri, "", "")
        files = msgspec.structs.replace(request, uri=uri, scheme="", target=path, options=())
        found = FilesCollector().collect(files, redactor)
        if not found.documents or found.interrupted:
            return found
        if context:
            given = msgspec.structs.replace(given, context=context)
        try:
            from askew.collectors.dry_run.ask import ask

            ask(found.documents, given, namespace, asked, redactor, request.progress)
        except KeyboardInterrupt:
            asked.stopped(request)
        return _with(found, asked, redactor)


COLLECTOR = DryRunCollector()


def _place(target: str) -> tuple[str, str]:
    """The context and the path of a URI. Raises TargetError."""
    context, path = "", target
    if target.startswith("//"):
        context, _, path = target[2:].partition("/")
        if not context:
            raise TargetError(f"dry-run:{target} names no context", FORM)
    if not path:
        raise TargetError("a dry run needs a manifest", FORM)
    return unquote(context), path


def _with(found: Evidence, asked: Reader, redactor: Redactor) -> Evidence:
    """What the files gave, with what went wrong when the cluster was asked."""
    status: Status = "partial" if asked.errors or asked.notes else found.status
    reasons = [found.reason] if found.reason else []
    if asked.errors:
        reasons.append(asked.errors[0].message)
    reasons.extend(redactor.text(note) for note in asked.notes[:_MOST_NOTES])
    if len(asked.notes) > _MOST_NOTES:
        reasons.append(f"and {len(asked.notes) - _MOST_NOTES} more of this kind")
    return msgspec.structs.replace(
        found,
        status=status,
        reason="; ".join(reasons),
        errors=(*found.errors, *asked.errors),
        interrupted=asked.interrupted,
    )
