"""``bundle:FILE``: evidence that ``askew bundle`` captured, on any machine, as it was then.

``bundle:-`` reads standard input. Where a bundle holds several sources, ``bundle:FILE#2`` or
``bundle:FILE?source=URI`` names one. Everything is checked before anything is believed, and nothing is unpacked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import cast, get_args

import msgspec

from askew.collectors.files.collect import UnreadableError, piped
from askew.collectors.interface import Capability, Evidence, Request, SourceError, Status, Text, located
from askew.evidence.archive import ArchiveError
from askew.evidence.bundle import Bundle, Part, Source, opened
from askew.evidence.redaction import Redactor

_SHOWN = 8  # names of sources in a message


class BundleCollector:
    """A bundle, and in it one source."""

    name = "bundle"
    schemes: tuple[str, ...] = ("bundle",)
    capabilities: tuple[Capability, ...] = ("filesystem",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """What the source gave when it was captured, in its parts. Never raises for what the file holds."""
        path, number = _numbered(request)
        wanted = number or dict(request.options).get("source", "")
        shown = redactor.text(request.uri)
        try:
            bundle = _opened(path)
            source = _chosen(bundle.manifest.sources, wanted, f"bundle:{request.target.removesuffix('#' + number)}")
            parts = tuple(_evidence(bundle, part) for part in source.parts)
        except ArchiveError as error:
            fault = SourceError(source=path, message=redactor.text(error.message), hint=redactor.text(error.hint))
            return Evidence(uri=shown, status="failed", reason=fault.message, errors=(fault,))
        return Evidence(uri=source.uri, parts=parts)


COLLECTOR = BundleCollector()


def _numbered(request: Request) -> tuple[str, str]:
    """The path and the number behind ``#``; a file that is called so is meant itself."""
    path = located(request.target, request.base)
    name, hash_, number = path.rpartition("#")
    if hash_ and number.isascii() and number.isdigit() and not os.path.exists(path):
        return name, number
    return path, ""


def _opened(path: str) -> Bundle:
    if path == "-":
        try:
            return opened(piped("pipe a bundle in, as in: askew bundle deploy.yaml -o - | askew facts bundle:-"))
        except UnreadableError as error:
            raise ArchiveError(error.message, error.hint) from None
    try:
        # Without blocking: a pipe that nobody writes to must not make this wait.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | _without_waiting(path))
        with open(descriptor, "rb") as file:
            return opened(cast(Callable[[int], bytes], file.read))
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "it cannot be read").lower()
        raise ArchiveError(why, "name a file that `askew bundle` wrote, or '-' for standard input") from None


def _without_waiting(path: str) -> int:
    return 0 if path.startswith(("/dev/fd/", "/proc/self/fd/")) else getattr(os, "O_NONBLOCK", 0)


def _chosen(sources: list[Source], wanted: str, name: str) -> Source:
    """The source that was asked for, by number or URI, or the only one. Raises ArchiveError, which lists them."""
    if not wanted and len(sources) == 1:
        return sources[0]
    if wanted:
        for source in sources:
            if wanted in (str(source.number), source.uri):
                return source
    listed = ", ".join(f"{name}#{source.number} ({source.uri[:80]})" for source in sources[:_SHOWN])
    more = f" and {len(sources) - _SHOWN} more" if len(sources) > _SHOWN else ""
    if not sources:
        raise ArchiveError("the bundle holds no source: it was stopped before any was read", "collect it again")
    if wanted:
        raise ArchiveError(f"the bundle holds no source {wanted[:80]!r}", f"name one of these: {listed}{more}")
    raise ArchiveError(f"the bundle holds {len(sources)} sources", f"name one of these: {listed}{more}")


def _reads(platform: str) -> bool:
    """Whether a platform of this name reads what a scheme says is its own."""
    if not (platform.isascii() and platform.isidentifier()):
        return False
    try:
        code = getattr(import_module(f"askew.platforms.{platform}.read").read, "__code__", None)
    except (ImportError, AttributeError):
        return False
    return code is not None and code.co_argcount == 2


def _evidence(bundle: Bundle, part: Part) -> Evidence:
    documents, texts = bundle.part(part)
    if part.status not in get_args(Status):
        raise ArchiveError(
            f"a collection ended as {part.status[:40]!r}, which this build does not know", "update Askew"
        )
    if part.platform and not _reads(part.platform):
        raise ArchiveError(f"no platform {part.platform[:40]!r} is in this build", "update Askew")
    return Evidence(
        uri=part.uri,
        documents=documents,
        texts=tuple(Text(source=source, text=text) for source, text in texts),
        status=cast(Status, part.status),
        reason=part.reason,
        errors=tuple(SourceError(**msgspec.structs.asdict(error)) for error in part.errors),
        files=part.files,
        platform=part.platform,
    )
