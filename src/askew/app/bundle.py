"""Evidence of several sources to one archive, redacted, that gives the same report wherever it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from askew import __version__
from askew.app import sources
from askew.app.errors import UsageError
from askew.app.load import Progress, collected
from askew.app.timeline import Timeline
from askew.collectors.interface import Evidence, Request, Status
from askew.evidence.bundle import FORMAT, Fault, Manifest, Part, Sealing, Source, Tool
from askew.evidence.packing import Clean
from askew.evidence.redaction import Recalling, Redactor

_INTERRUPTED = "interrupted before everything was read"


class Bundling(msgspec.Struct, frozen=True, kw_only=True):
    """How to bundle. ``now`` is an RFC 3339 time; ``key`` makes the markers of secrets and the names of
    ``anonymise``, random where it is None; ``rename`` are words to rename although they are known. ``allowed`` are
    options for every source in a cluster (see ``load``)."""

    now: str
    key: bytes | None = None
    anonymise: bool = False
    rename: tuple[str, ...] = ()
    progress: Progress | None = None
    allowed: tuple[tuple[str, str], ...] = ()


class Bundled(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: the manifest, without its members, and the bytes of all members, unpacked."""

    manifest: Manifest
    size: int

    @property
    def errors(self) -> tuple[Fault, ...]:
        """Everything that could not be read, in order."""
        return tuple(error for source in self.manifest.sources for part in source.parts for error in part.errors)


def bundle(uris: Sequence[str], write: Callable[[bytes], object], how: Bundling) -> Bundled:
    """Collect every source and write what they gave through ``write``, as far as it goes: Ctrl-C ends the collection,
    and what was there is written. The same evidence at the same time under the same key gives the same bytes.

    Raises UsageError for a source that is none, before anything is read or written.
    """
    requests = [(uri, sources.parse(uri)) for uri in uris]
    if sum(request.target == "-" for _, parsed in requests for request in parsed) > 1:
        raise UsageError("several sources are '-'", "stdin can be read once: give the others as files")
    stop = _Stop()
    try:
        return _bundled(requests, Sealing(write), how, stop)
    finally:
        stop.end()


def _bundled(
    requests: Sequence[tuple[str, Sequence[Request]]], sealing: Sealing, how: Bundling, stop: _Stop
) -> Bundled:
    redactor = Recalling(how.key)
    timeline = Timeline()
    done: list[tuple[str, list[Evidence]]] = []
    kept: list[Source] = []
    missing: list[str] = []
    interrupted = False
    for number, (uri, parsed) in enumerate(requests, 1):
        interrupted = interrupted or stop.asked
        if interrupted:
            missing.append(redactor.text(uri))
            continue
        found: list[Evidence] = []
        names: list[str] = []
        try:
            with stop:
                for whole in collected(parsed, redactor, how.progress, how.allowed, keep=True):
                    found.extend(whole.parts or (whole,))
                    names.append(whole.uri)  # what another bundle holds has the name it had where it was captured
        except KeyboardInterrupt:
            left = parsed[len(names)].uri if len(names) < len(parsed) else uri
            found.append(Evidence(uri=redactor.text(left), status="failed", interrupted=True))
        interrupted = stop.asked or any(part.interrupted for part in found)
        done.append((redactor.text("+".join(names) if len(names) == len(parsed) else uri), found))
        if not how.anonymise:
            kept.append(_written(sealing, number, *done.pop(), redactor, redactor.without, timeline))
    if how.anonymise:
        from askew.app.anonymise import renaming

        rename = renaming([part for _, found in done for part in found], redactor, how.rename)

        def clean(text: str) -> str:
            return rename(redactor.without(text))

        kept = [
            _written(sealing, number, uri, found, redactor, clean, timeline)
            for number, (uri, found) in enumerate(done, 1)
        ]
        missing = [clean(uri) for uri in missing]
    sealing.add("timeline.json", timeline.json())
    sealing.add("timeline.txt", timeline.text())
    manifest = Manifest(
        schema=FORMAT,
        tool=Tool(name="askew", version=__version__),
        created_at=how.now,
        interrupted=interrupted,
        anonymised=how.anonymise,
        sources=kept,
        missing=missing,
    )
    size = sealing.size
    sealing.close(manifest)
    return Bundled(manifest=manifest, size=size)


class _Stop:
    """Ctrl-C, which ends a collection at once (inside ``with``) and lets what is written be finished. Pressed again
    while that goes on, it ends that, too."""

    def __init__(self) -> None:
        self.asked = False
        self._collecting = False

    def __enter__(self) -> None:
        import signal
        import threading

        self._collecting = True
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._press)

    def __exit__(self, *_: object) -> None:
        self._collecting = False

    def end(self) -> None:
        """Give Ctrl-C back its meaning."""
        import signal

        if signal.getsignal(signal.SIGINT) == self._press:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _press(self, number: int, frame: object) -> None:
        again, self.asked = self.asked, True
        if self._collecting or again:
            raise KeyboardInterrupt


def _written(
    sealing: Sealing,
    number: int,
    uri: str,
    found: Sequence[Evidence],
    redactor: Redactor,
    clean: Clean,
    timeline: Timeline,
) -> Source:
    def told(text: str) -> str:
        return clean(redactor.text(text))

    parts: list[Part] = []
    for position, part in enumerate(found, 1):
        folder = f"{number}/{position}"
        texts = tuple((text.source, text.text) for text in part.texts)
        sealing.part(folder, part.documents, texts, clean)
        timeline.add(part, clean)
        status, reason = _status(part)
        parts.append(
            Part(
                uri=told(part.uri),
                folder=folder,
                status=status,
                reason=told(reason),
                platform=part.platform,
                files=part.files,
                documents=len(part.documents),
                texts=len(part.texts),
                interrupted=part.interrupted,
                errors=[
                    Fault(
                        source=told(error.source),
                        message=told(error.message),
                        hint=told(error.hint),
                        line=error.line,
                        column=error.column,
                    )
                    for error in part.errors
                ],
            )
        )
    return Source(number=number, uri=told(uri), parts=parts)


def _status(part: Evidence) -> tuple[Status, str]:
    """How a part ended; one that was stopped is never complete."""
    if not part.interrupted:
        return part.status, part.reason
    status: Status = "partial" if part.documents or part.texts else "failed"
    return status, "; ".join(filter(None, (_INTERRUPTED, part.reason)))
