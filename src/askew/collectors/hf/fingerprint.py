"""The digest of weights: over tensors, not files, so that it stays when a checkpoint is cut into other shards, when
files get other names, other metadata or another order of tensors, and changes when one bit of one value does.

- A tensor's bytes are cut into leaves of 4 MiB. A leaf's digest is its SHA-256. A tensor's digest is the SHA-256 of
  ``askew tensor 1``, a NUL, the tensor's size (eight bytes, little endian) and the digests of its leaves.
- The digest of a set of tensors is the SHA-256 of one line of JSON per tensor, ``["name","dtype",[shape],"digest"]``
  and a line feed; the lines sorted, equal ones once. It is written ``sha256-tensors:…``.
- A file without a list of tensors is one tensor without name and shape, of the dtype ``bytes``.
- With ``hash=blake3`` a leaf's digest is its BLAKE3, which is quicker; all of it is written ``blake3-tensors:…`` and
  says nothing about a digest of the other kind.
- In the sampled mode the leaves are the first and the last 64 KiB of a tensor and 4 KiB at places that follow from its
  size. It finds another checkpoint and most re-trained ones, not one changed value; it is written
  ``sha256-tensors-sampled:…`` and says nothing about a digest of the other kind.

Leaves are hashed by a ``concurrent.futures`` executor: threads here, as hashlib releases the lock of the interpreter.
A piece of work names a path and places in it and gives digests, so that any executor can do it. Memory is bounded by
the pieces in flight, whatever the size of a file.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from functools import cache
from importlib import import_module
from io import FileIO
from typing import Literal, Protocol, TypeAlias, cast

import msgspec

from askew.collectors.hf.cache import Known
from askew.collectors.hf.tensors import Mode, Stamp, Tensor, WeightFile

Hash: TypeAlias = Literal["sha256", "blake3"]  # of a leaf
LEAF = 4 * 2**20
_READ = 512 * 2**10  # what is read at once stays in the processor's cache until it is hashed
_SMALL = 32 * 2**10
_WORK = 32 * 2**20  # bytes of one piece of work
_MOST_SPANS = 2048
_EDGE, _SPOT, _SPOTS = 64 * 2**10, 4096, 32
LARGEST = 2**44  # bytes of a file; beyond it, a sparse file could keep this busy for hours
_SAMPLE = 2 * _EDGE + _SPOTS * _SPOT
_SAVE_EVERY = 10.0  # seconds
_SHOW_EVERY = 0.2

Span: TypeAlias = tuple[int, int]  # begin and size, in bytes


class ChangedError(Exception):
    """A file that is not any more what it was when its tensors were listed."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Work that one worker does: hash these spans of a file."""

    path: str
    stamp: Stamp
    spans: tuple[Span, ...]
    hash: Hash = "sha256"


class Line(msgspec.Struct, frozen=True, array_like=True, order=True):
    """What a tensor adds to the digest of a set."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str


class Outcome(msgspec.Struct, frozen=True):
    """The tensors of one file with their digests, or why it could not be read."""

    file: WeightFile
    lines: tuple[Line, ...] = ()
    trouble: str = ""


class Hasher(Protocol):
    """What hashlib and blake3 share."""

    def update(self, data: bytes | memoryview, /) -> object: ...

    def digest(self) -> bytes: ...


def hasher(hash: Hash) -> Callable[[], Hasher]:
    """What makes the hashers of leaves. Raises ImportError where the library is not installed."""
    return hashlib.sha256 if hash == "sha256" else cast(Callable[[], Hasher], import_module("blake3").blake3)


def algorithm(mode: Mode, hash: Hash = "sha256") -> str:
    """What a digest is called: ``sha256-tensors``, ``blake3-tensors-sampled``."""
    return f"{hash}-tensors" + ("-sampled" if mode == "sample" else "")


def digest_of(lines: Iterable[Line], mode: Mode, hash: Hash = "sha256") -> str:
    """The digest of a set of tensors."""
    total = hashlib.sha256()
    for line in sorted(set(lines)):
        total.update(msgspec.json.encode(line) + b"\n")
    return f"{algorithm(mode, hash)}:{total.hexdigest()}"


def tensor_digest(size: int, leaves: Iterable[bytes]) -> str:
    """The digest of one tensor out of those of its leaves."""
    total = hashlib.sha256(b"askew tensor 1\0" + size.to_bytes(8, "little"))
    for leaf in leaves:
        total.update(leaf)
    return total.hexdigest()


def spans_of(tensor: Tensor, mode: Mode) -> Iterator[Span]:
    """The leaves of a tensor, as places in its file."""
    if mode == "full" or tensor.size <= _SAMPLE:
        for at in range(0, tensor.size, LEAF):
            yield tensor.begin + at, min(LEAF, tensor.size - at)
        return
    yield tensor.begin, _EDGE
    inner = (tensor.size - 2 * _EDGE - _SPOT) // 16
    seed = hashlib.shake_128(tensor.size.to_bytes(8, "little")).digest(8 * _SPOTS)
    for at in range(0, len(seed), 8):
        spot = int.from_bytes(seed[at : at + 8], "little") % inner * 16
        yield tensor.begin + _EDGE + spot, _SPOT
    yield tensor.begin + tensor.size - _EDGE, _EDGE


def leaf_count(tensor: Tensor, mode: Mode) -> int:
    """How many leaves ``spans_of`` gives."""
    return -(-tensor.size // LEAF) if mode == "full" or tensor.size <= _SAMPLE else _SPOTS + 2


def weighed(tensor: Tensor, mode: Mode) -> int:
    """How many bytes of a tensor are read."""
    return tensor.size if mode == "full" else min(tensor.size, _SAMPLE)


def hashed(piece: Piece) -> list[bytes]:
    """The digest of each span. Raises ChangedError, OSError, and ImportError where this machine lacks the library."""
    if "://" in piece.path:
        return list(_of_stored(piece))
    descriptor = os.open(piece.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or Stamp(status.st_size, status.st_mtime_ns) != piece.stamp:
            raise ChangedError("the file changed while it was read")
        sparse = getattr(status, "st_blocks", 0) * 512 < status.st_size
        buffer = memoryview(bytearray(min(_READ, sum(size for _, size in piece.spans))))
        found: list[bytes] = []
        at = 0
        while at < len(piece.spans):
            begin, size = piece.spans[at]
            if size > len(buffer):
                found.append(_of_large(file, begin, size, buffer, sparse, piece.hash))
                at += 1
                continue
            # Small tensors that lie side by side are read at once.
            end, after = begin, at
            while after < len(piece.spans) and piece.spans[after][0] == end:
                if end + piece.spans[after][1] - begin > len(buffer):
                    break
                end += piece.spans[after][1]
                after += 1
            _fill(file, begin, buffer[: end - begin])
            found.extend(
                _of_small(buffer[one - begin : one - begin + two], piece.hash) for one, two in piece.spans[at:after]
            )
            at = after
        return found


def _of_stored(piece: Piece) -> Iterator[bytes]:
    """The digest of each span of a file in a store. Spans that lie side by side are fetched at once, as far as a leaf
    is long."""
    from askew.collectors.hf import remote

    if not remote.unchanged(piece.path, piece.stamp.size):
        raise ChangedError("the file changed while it was read")
    at = 0
    while at < len(piece.spans):
        begin, after, end = piece.spans[at][0], at, piece.spans[at][0]
        while after < len(piece.spans) and piece.spans[after][0] == end:
            if after > at and end + piece.spans[after][1] - begin > LEAF:
                break
            end += piece.spans[after][1]
            after += 1
        data = memoryview(remote.read(piece.path, begin, end))
        if len(data) != end - begin:
            raise ChangedError("the file ends before its last tensor does")
        for one, size in piece.spans[at:after]:
            yield _of_small(data[one - begin : one - begin + size], piece.hash)
        at = after


def _of_large(file: FileIO, begin: int, size: int, buffer: memoryview, sparse: bool, hash: Hash) -> bytes:
    if sparse and _is_hole(file.fileno(), begin, size):
        return _of_zeros(size, hash)
    total = hasher(hash)()
    file.seek(begin)
    while size > 0:
        count = file.readinto(buffer[:size])
        if not count:
            raise ChangedError("the file ends before its last tensor does")
        total.update(buffer[:count])
        size -= count
    return total.digest()


def _fill(file: FileIO, begin: int, view: memoryview) -> None:
    file.seek(begin)
    while len(view):
        count = file.readinto(view)
        if not count:
            raise ChangedError("the file ends before its last tensor does")
        view = view[count:]


def _of_small(view: memoryview, hash: Hash) -> bytes:
    """hashlib lets the interpreter's lock go from 2,048 bytes on; for a few kilobytes waiting to get it back would take
    longer than hashing."""
    total = hasher(hash)()
    if len(view) > _SMALL or hash != "sha256":
        total.update(view)
        return total.digest()
    for at in range(0, len(view), 2047):
        total.update(view[at : at + 2047])
    return total.digest()


def _is_hole(descriptor: int, begin: int, size: int) -> bool:
    """Whether nothing is stored in a part of a file: it reads as zeros, and need not be read."""
    try:
        return os.lseek(descriptor, begin, os.SEEK_DATA) >= begin + size
    except AttributeError:  # this system cannot tell
        return False
    except OSError as error:
        return error.errno == 6  # ENXIO: no data from here to the end


@cache
def _of_zeros(size: int, hash: Hash) -> bytes:
    total = hasher(hash)()
    total.update(bytes(size))
    return total.digest()


class Fingerprint:
    """Hashes files one after another, many pieces at a time."""

    def __init__(
        self,
        executor: Executor,
        workers: int,
        mode: Mode,
        known: Callable[[WeightFile], Known],
        progress: Callable[[str], None] | None = None,
        failures: tuple[type[Exception], ...] = (ChangedError, OSError),
        hash: Hash = "sha256",
    ) -> None:
        self._executor = executor
        self._window = 2 * workers + 2
        self._mode = mode
        self._known = known
        self._progress = progress
        self._failures = failures
        self._hash_of_leaves = hash
        self._shown = 0.0
        self._done = self._all = 0

    def of(self, files: Sequence[WeightFile]) -> list[Outcome]:
        """The digests of all tensors of all files. What is known of an earlier run is not read again."""
        self._all = sum(weighed(tensor, self._mode) for file in files for tensor in file.tensors)
        return [self._file(file) for file in files]

    def _file(self, file: WeightFile) -> Outcome:
        known = self._known(file)
        trouble = ""
        try:
            self._hash(file, known)
        except self._failures as error:
            strerror = error.strerror.lower() if isinstance(error, OSError) and error.strerror else ""
            trouble = strerror or str(error) or "it cannot be read"
        finally:
            known.save()  # an interrupted run goes on from here
        if trouble:
            return Outcome(file, trouble=trouble)
        return Outcome(
            file,
            tuple(
                Line(tensor.name, tensor.dtype, tensor.shape, known.digests[index])
                for index, tensor in enumerate(file.tensors)
            ),
        )

    def _hash(self, file: WeightFile, known: Known) -> None:
        queue: deque[tuple[Future[list[bytes]], Piece, tuple[int, ...]]] = deque()
        leaves: dict[int, list[bytes]] = {}
        wanted: dict[int, int] = {}
        saved = time.monotonic()

        def take() -> None:
            nonlocal saved
            future, piece, owners = queue.popleft()
            for owner, digest in zip(owners, future.result(), strict=True):
                found = leaves[owner]
                found.append(digest)
                if len(found) == wanted[owner]:
                    known.digests[owner] = tensor_digest(file.tensors[owner].size, leaves.pop(owner))
            self._done += sum(size for _, size in piece.spans)
            self._show(file)
            if (now := time.monotonic()) - saved > _SAVE_EVERY:
                known.save()
                saved = now

        try:
            for piece, owners in self._pieces(file, known, leaves, wanted):
                queue.append((self._executor.submit(hashed, piece), piece, owners))
                if len(queue) >= self._window:
                    take()
            while queue:
                take()
        finally:
            for future, _, _ in queue:
                future.cancel()

    def _pieces(
        self, file: WeightFile, known: Known, leaves: dict[int, list[bytes]], wanted: dict[int, int]
    ) -> Iterator[tuple[Piece, tuple[int, ...]]]:
        """The work of one file, in the order of its bytes."""
        spans: list[Span] = []
        owners: list[int] = []
        size = 0
        for index in sorted(range(len(file.tensors)), key=lambda at: file.tensors[at].begin):
            tensor = file.tensors[index]
            if index in known.digests:
                self._done += weighed(tensor, self._mode)
                continue
            leaves[index], wanted[index] = [], leaf_count(tensor, self._mode)
            if not wanted[index]:
                known.digests[index] = tensor_digest(tensor.size, ())
            for span in spans_of(tensor, self._mode):
                spans.append(span)
                owners.append(index)
                size += span[1]
                if size >= _WORK or len(spans) >= _MOST_SPANS:
                    yield Piece(file.path, file.stamp, tuple(spans), self._hash_of_leaves), tuple(owners)
                    spans, owners, size = [], [], 0
        if spans:
            yield Piece(file.path, file.stamp, tuple(spans), self._hash_of_leaves), tuple(owners)

    def _show(self, file: WeightFile) -> None:
        if self._progress is not None and (now := time.monotonic()) - self._shown > _SHOW_EVERY:
            self._shown = now
            share = 100 * min(self._done, self._all) // max(1, self._all)
            what = "sampling" if self._mode == "sample" else "reading"
            self._progress(f"{what} {file.name}: {share} % of {self._all / 1e9:,.1f} GB of weights")
