"""``http://host:8000``: what a running engine answers, asked with the questions of the engines that are installed."""

from __future__ import annotations

import os

from askew.collectors.asking import Asked, ask
from askew.collectors.http.address import AddressError, address, without_user
from askew.collectors.interface import Capability, Evidence, Request, SourceError, Status, Text
from askew.engines.live import Ask
from askew.evidence.redaction import Redactor

_MOST_REASONS = 6
_UNRECOGNISED = (
    "no engine that this build knows was recognised by its answers (TorchServe tells of itself on its management port, "
    "Ray Serve on that of the dashboard)"
)


class HttpCollector:
    """A serving endpoint: its identity, configuration and metrics. Only reads."""

    name = "http"
    schemes: tuple[str, ...] = ("http", "https")
    capabilities: tuple[Capability, ...] = ("network",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Ask an endpoint. The texts hold the list of the questions, named as the endpoint with ``#asked``."""
        from askew.collectors.http.transport import Transport

        try:
            where = address(request.uri, os.environ)
        except AddressError as error:
            said = redactor.text(without_user(request.uri))
            wrong = SourceError(source=said, message=error.message, hint=error.hint)
            return Evidence(uri=said, status="failed", reason=error.message, errors=(wrong,))
        first = (Ask(where.model),) if where.model else ()
        asked = ask(Transport(where).get, redactor, where.shown, first=first)
        return _evidence(where.shown, asked)


COLLECTOR = HttpCollector()


def _evidence(shown: str, asked: Asked) -> Evidence:
    status, reason, errors = _ended(shown, asked)
    return Evidence(
        uri=shown,
        documents=tuple(one.document for one in asked.told if one.document is not None),
        texts=(
            Text(source=f"{shown}#asked", text="\n".join(asked.log)),
            *(Text(source=one.source, text=one.text) for one in asked.told if one.document is None),
        ),
        status=status,
        reason=reason,
        errors=errors,
        files=asked.requests,
        platform="" if asked.silent else "endpoint",
    )


def _ended(shown: str, asked: Asked) -> tuple[Status, str, tuple[SourceError, ...]]:
    """How it ended. A path that a server does not have is no fault; what stays unknown without it is said."""
    faults = [one for one in asked.refused if one.status == 0]
    if asked.silent:
        worst = next(iter([*faults, *(one for one in asked.refused if one.hint), *asked.refused]), None)
        message = "nothing was answered"
        if worst is not None:
            message = worst.why if worst.status == 0 else f"{worst.name}: {worst.why}"
        hint = (worst.hint if worst is not None else "") or "point at the port on which an engine answers"
        return "failed", message, (SourceError(source=shown, message=message, hint=hint),)
    reasons = list(asked.missed)
    if not asked.engine:
        reasons.insert(0, _UNRECOGNISED)
    reasons.extend(f"{one.name}: {one.why}" for one in faults if not one.lacking)
    denied = [one for one in asked.refused if one.status in (401, 403) and not one.lacking]
    reasons.extend(f"{one.name}: {one.why}; {one.hint}" for one in denied[:1])
    if len(reasons) > _MOST_REASONS:
        reasons[_MOST_REASONS:] = [f"and {len(reasons) - _MOST_REASONS} more"]
    return ("partial" if reasons else "complete"), "; ".join(reasons), ()
