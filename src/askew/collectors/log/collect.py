"""``log:PATH`` and ``log:-``: a log that someone captured, of which the start of the process counts.

Read are the first bytes and, of a longer log of a known engine, what follows the last place where that engine started
again. Everything between is passed over unread but for its line ends, so that a log of any size costs little memory.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import cast

import msgspec

from askew.collectors import logs
from askew.collectors.files.collect import UnreadableError, piped
from askew.collectors.interface import Capability, Evidence, Request, SourceError, Status, Text, located
from askew.engines._live import LOGS
from askew.engines.live import Log
from askew.evidence.redaction import Redactor
from askew.evidence.speakers import SPEAKER

_PART = 2**20
_HEAD = 4 * 2**20  # bytes of the start; the longest recorded one, with every route listed, has 50 KB
_AGAIN = 4 * 2**20  # bytes of a later start
_FARTHEST = 4 * 2**30  # bytes within which a later start is looked for
_FARTHEST_UNKNOWN = 128 * 2**20  # where it is not known whose start to look for
_CLUSTER = 4_000  # bytes within which several marks are of one start
_LINES = 200_000  # of either part
_LINES_BEFORE = 4_000_000  # before a later start: they stay as empty lines
_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 100_000  # of a gzip file; those of bgzip have 64 KiB each
_HINT = "name a file that holds the log, or pipe it in: kubectl logs POD | askew … log:-"

Read = Callable[[int], bytes]


class LogCollector:
    """A captured log in one file, plain or compressed with gzip, or on standard input."""

    name = "log"
    schemes: tuple[str, ...] = ("log",)
    capabilities: tuple[Capability, ...] = ("filesystem",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the part of the log that tells how its process started. Never raises for what it holds."""
        uri = redactor.text(request.uri)
        if not request.target:
            return _failed(uri, "no log is named")
        source = "-" if request.target == "-" else redactor.text(request.target)
        try:
            part = _read(request)
        except UnreadableError as error:
            return _failed(uri, error.message)
        except (OSError, ValueError, zlib.error) as error:
            return _failed(uri, _why(error))
        if not part.data.strip(b"\0 \r\n\t"):
            return _failed(uri, "the log is empty")
        if part.binary:
            return _failed(uri, "expected the text of a log, found a binary file")
        text = "\n" * part.before + logs.clean(part.data.decode("utf-8", "replace"), redactor)
        status: Status = "partial" if part.reason else "complete"
        return Evidence(
            uri=uri,
            texts=(Text(source=source, text=text),),
            status=status,
            reason=part.reason,
            files=1,
            platform="log",
        )


class _Part(msgspec.Struct, frozen=True):
    """The part of a log that counts, how many lines are before it, and what was not looked at."""

    data: bytes
    before: int = 0
    reason: str = ""
    binary: bool = False


def _read(request: Request) -> _Part:
    if request.target == "-":
        return _parts(piped(_HINT))
    path = located(request.target, request.base)
    # Judged by the open descriptor, so that no pipe or device can make this wait or run on.
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
    if not path.startswith(("/dev/fd/", "/proc/self/fd/")):
        flags |= getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb", buffering=0) as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(path)
        if not stat.S_ISREG(mode) and not (stat.S_ISFIFO(mode) and not flags & getattr(os, "O_NONBLOCK", 0)):
            raise ValueError("expected a file, found a device, a socket or a named pipe")
        return _parts(file.read)


def _parts(read: Read) -> _Part:
    parts = _unpacked(read)
    head = bytearray()
    for part in parts:
        head += part
        if len(head) >= _HEAD:
            break
    else:
        return _short(bytes(head))
    return _long(bytes(head), parts)


def _short(data: bytes) -> _Part:
    kept = _first_lines(data, _LINES)
    reason = f"only the first {_LINES:,} lines were read" if len(kept) < len(data) else ""
    return _Part(kept, 0, reason, _is_binary(kept))


def _long(head: bytes, parts: Iterator[bytes]) -> _Part:
    """What of a long log counts: the last start in it."""
    kept = _first_lines(head[: head.rfind(b"\n") + 1] or head, _LINES)
    first = f"only the first {len(kept) / 2**20:.0f} MiB were read"
    if _is_binary(kept):
        return _Part(kept, binary=True)
    if SPEAKER.match(kept[:400].decode("utf-8", "replace")):
        return _Part(kept, 0, f"{first}: of a log of several pods no later start is looked for")
    marks, farthest = _marks(kept)
    longest = max(map(len, marks), default=1)
    carried = head  # the end of what was looked at, from the start of its last line on
    lines = looked = begun = 0
    again: bytearray | None = None
    before = 0
    reason = ""
    for part in parts:
        cut = max(carried.rfind(b"\n", 0, len(carried) - longest) + 1, len(carried) - _PART)
        lines += carried.count(b"\n", 0, cut)
        carried = carried[cut:] + part
        at = _last_start(carried, marks)
        if at >= 0 and (again is None or looked + len(part) - len(carried) + at - begun > _CLUSTER):
            begun = looked + len(part) - len(carried) + at
            at = carried.rfind(b"\n", 0, at) + 1
            again, before = bytearray(carried[at:]), lines + carried.count(b"\n", 0, at)
        elif again is not None and len(again) < _AGAIN:
            again += part
        looked += len(part)
        if looked >= farthest or lines >= _LINES_BEFORE:
            reason = f"later starts were looked for in the first {looked // 2**20:,} MiB only"
            break
    if again is None:
        return _Part(kept, 0, reason)
    if len(again) >= _AGAIN:
        del again[again.rfind(b"\n", 0, _AGAIN) + 1 or _AGAIN :]
    return _Part(_first_lines(bytes(again), _LINES), before, reason)


def _marks(head: bytes) -> tuple[Sequence[bytes], int]:
    """The words with which the engines start that start in ``head``, else those of all; and how far to look for them:
    each takes a pass over what is looked at."""
    everything: list[bytes] = []
    found: list[bytes] = []
    for module in LOGS.values():
        starts = [start.encode() for start in cast(Log, import_module(module).LOG).starts]
        everything.extend(starts)
        if any(start in head for start in starts):
            found.extend(starts)
    return (found, _FARTHEST) if found else (everything, _FARTHEST_UNKNOWN)


def _last_start(data: bytes, marks: Sequence[bytes]) -> int:
    """Where the last start in ``data`` begins: at the first of the marks that stand close together; -1 for none."""
    first, mark = max(((data.rfind(mark), mark) for mark in marks if mark in data), default=(-1, b""))
    at, seen = first, set[bytes]()
    while at >= 0 and mark not in seen:
        first = at
        seen.add(mark)
        at, mark = max((data.rfind(mark, max(first - _CLUSTER, 0), first), mark) for mark in marks)
    return first


def _first_lines(data: bytes, most: int) -> bytes:
    if data.count(b"\n") <= most:
        return data
    at = -1
    for _ in range(most):
        at = data.find(b"\n", at + 1)
    return data[: at + 1]


def _is_binary(data: bytes) -> bool:
    """Whether a file is no text: one of another kind has NULs and bytes that no terminal takes all over."""
    sample = data[:65536].replace(b"\0", b"")
    odd = sum(sample.count(bytes((code,))) for code in (*range(1, 8), *range(14, 27)))
    return len(sample) < len(data[:65536]) // 4 or odd * 20 > len(sample)


def _unpacked(read: Read) -> Iterator[bytes]:
    """The bytes, a part at a time; those of a gzip file unpacked, as far as they can be."""
    first = read(_PART)
    if not first.startswith(_GZIP):
        while first:
            yield first
            first = read(_PART)
        return
    unpacker = zlib.decompressobj(wbits=31)
    members = 0
    while first or unpacker.unconsumed_tail:
        try:
            part = unpacker.decompress(unpacker.unconsumed_tail + first, _PART)
        except zlib.error:
            return  # half-written or damaged: what came before stands
        if part:
            yield part
        if unpacker.eof:
            rest = unpacker.unused_data.lstrip(b"\0")
            members += 1
            if not rest.startswith(_GZIP) or members >= _MOST_MEMBERS:
                return
            unpacker, first = zlib.decompressobj(wbits=31), rest  # logrotate and others append members
        else:
            first = b"" if unpacker.unconsumed_tail else read(_PART)
    while part := unpacker.decompress(b"", _PART):
        yield part


def _why(error: Exception) -> str:
    if isinstance(error, IsADirectoryError):
        return "expected a log, found a directory"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError):
        return error.strerror or "the file cannot be read"
    return str(error)


def _failed(uri: str, message: str) -> Evidence:
    error = SourceError(source=uri, message=message, hint=_HINT)
    return Evidence(uri=uri, status="failed", reason=message, errors=(error,))


COLLECTOR = LogCollector()
