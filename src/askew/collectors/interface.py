"""What a collector provides: the only door between Askew and the inspected world.

A collector folder ``collectors/<name>/`` has a module-level ``COLLECTOR`` that satisfies ``Collector``.
Collectors read and redact; they never interpret.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import msgspec

from askew.evidence.document import Document
from askew.evidence.redaction import Redactor

Capability: TypeAlias = Literal["filesystem", "network", "cluster", "exec"]
Status: TypeAlias = Literal["complete", "partial", "failed", "skipped"]


class SourceError(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read: where, what was expected, and what to do."""

    source: str
    message: str
    hint: str
    line: int = 0
    column: int = 0


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text that is neither YAML nor JSON: a systemd unit, a quadlet, a command line. Redacted."""

    source: str
    text: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one source gave, redacted, and how the collection ended.

    ``files`` counts what was looked at. ``reason`` says why the status is not complete. ``platform`` names the module
    of ``platforms`` that reads all of it, where the scheme says what it is; else the content decides. ``parts`` holds
    instead what several collections gave that were one source when they were captured: a bundle's ``a+b``.
    ``interrupted`` says that somebody stopped the collection, and that this is what it had.
    """

    uri: str
    documents: tuple[Document, ...] = ()
    texts: tuple[Text, ...] = ()
    status: Status = "complete"
    reason: str = ""
    errors: tuple[SourceError, ...] = ()
    files: int = 0
    platform: str = ""
    parts: tuple[Evidence, ...] = ()
    interrupted: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to collect: the URI as the user wrote it, and its parts. ``base`` is the directory relative paths
    start from. ``progress`` takes a line that says how far a long collection has come; None where nobody looks.
    ``keep``: what was read until Ctrl-C is wanted, with ``Evidence.interrupted``; else KeyboardInterrupt passes."""

    uri: str
    scheme: str
    target: str
    options: tuple[tuple[str, str], ...] = ()
    base: str = "."
    progress: Callable[[str], None] | None = None
    keep: bool = False


def located(name: str, base: str) -> str:
    """Where a file lies that a source names: ``~`` is the user's home, and a relative path starts from ``base``."""
    path = os.path.expanduser(name)
    return path if base in ("", ".") else os.path.join(base, path)


class Collector(Protocol):
    """One kind of source. ``schemes`` are the URI schemes it answers (``git``); the files collector also takes
    plain paths. Where a collector has ``takes``, the options in it are given to it from the command line, too
    (``--logs``: ``logs``)."""

    name: str
    schemes: tuple[str, ...]
    capabilities: tuple[Capability, ...]

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the source. Never raises for what the source contains: the status and the errors say it."""
        ...
