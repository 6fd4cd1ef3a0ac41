"""The tensors that a file of weights lists, each with its place in the file, and what a safetensors header may say.

A header is somebody else's text: the tensors must lie inside the file, one after another, each as long as its dtype and
shape make it. Anything else would be read wrongly, or over and over.
Source: https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Literal, Protocol, TypeAlias

import msgspec

Mode: TypeAlias = Literal["full", "sample"]  # how much of the weights a digest reads

LONGEST_HEADER = 100_000_000  # bytes; safetensors itself refuses longer ones
_POINTER = b"version https://git-lfs.github.com/spec/"
_MOST_DIMENSIONS = 64
_AGAIN = "download the file again (git lfs pull, hf download); `sha256sum` tells whether it is whole"
_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6,
    "F6_E3M2": 6, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
    "C64": 64,
}  # fmt: skip


class Tensor(msgspec.Struct, frozen=True):
    """One tensor of a file: its name, dtype and shape as stored, and its bytes, counted from the file's begin."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    size: int


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """What tells that a file is still the same."""

    size: int
    mtime_ns: int


class Status(Protocol):
    """What a system says of a file, as ``os.stat_result`` names it."""

    @property
    def st_size(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...
    @property
    def st_ctime_ns(self) -> int: ...
    @property
    def st_ino(self) -> int: ...
    @property
    def st_dev(self) -> int: ...


class WeightFile(msgspec.Struct, frozen=True):
    """A file of weights: its name, where it really lies (a path, or an address in a store), and its tensors."""

    name: str
    path: str
    tensors: tuple[Tensor, ...]
    status: Status

    @property
    def stamp(self) -> Stamp:
        """What the file has to be still while it is read."""
        return Stamp(self.status.st_size, self.status.st_mtime_ns)


class MalformedError(Exception):
    """A file that is not what its name says; the message tells what was expected."""


@contextmanager
def opened(path: str) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """A regular file, open to read, and what the system says of it. No pipe or device can make this wait.

    Raises MalformedError for what is no regular file, OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise MalformedError("expected a file of weights, found something else")
        if status.st_size < 1024 and file.read(64).startswith(_POINTER):
            raise MalformedError("a pointer of Git LFS lies in the place of the file")
        file.seek(0)
        yield file, status


def why(error: MalformedError | OSError) -> tuple[str, str]:
    """What to say of a file of a model that cannot be read, and what to do."""
    hint = getattr(error, "hint", "") or _AGAIN
    return (str(error) if isinstance(error, MalformedError) else (error.strerror or "it cannot be read").lower()), hint


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read_safetensors(file: BinaryIO, size: int) -> tuple[str, tuple[Tensor, ...]]:
    """The header of a safetensors file as text, and its tensors. Raises MalformedError, OSError."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, LONGEST_HEADER):
        most = max(0, min(size - 8, LONGEST_HEADER))
        raise MalformedError(f"expected a header of at most {most:,} bytes, the file says {length:,}")
    try:
        text = file.read(length).decode("utf-8")
        listed = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        entries = {
            name: msgspec.json.decode(raw, type=_Entry) for name, raw in listed.items() if name != "__metadata__"
        }
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        raise MalformedError("expected a header of JSON that lists the tensors") from None
    data = 8 + length
    tensors = []
    for name, entry in entries.items():
        begin, end = entry.data_offsets
        if begin < 0 or end < begin:
            raise MalformedError(f"the tensor {shortened(name)} ends before it begins")
        if data + end > size:
            raise MalformedError(f"the header lists {end:,} bytes of tensors, and the file ends before")
        if len(entry.shape) > _MOST_DIMENSIONS or any(not 0 <= length < 2**63 for length in entry.shape):
            raise MalformedError(f"the tensor {shortened(name)} has no possible shape")
        bits = _BITS.get(entry.dtype)
        if bits is not None and math.prod(entry.shape) * bits != (end - begin) * 8:
            shape = "×".join(map(str, entry.shape)) or "a single"
            raise MalformedError(
                f"the tensor {shortened(name)} of {shape} {entry.dtype} cannot have {end - begin:,} bytes"
            )
        tensors.append(Tensor(name, entry.dtype, tuple(entry.shape), data + begin, end - begin))
    in_order(tensors)
    return text, tuple(tensors)


def as_header(tensors: Iterable[Tensor]) -> str:
    """Tensors as a safetensors header lists them; places count from the begin of the file."""
    listed = {
        one.name: {"dtype": one.dtype, "shape": one.shape, "data_offsets": (one.begin, one.begin + one.size)}
        for one in tensors
    }
    return msgspec.json.encode(listed).decode()


def in_order(tensors: Iterable[Tensor]) -> Sequence[Tensor]:
    """The tensors by their place in the file. Raises MalformedError where two share bytes: no writer makes such a
    file, and a small one could ask for terabytes to be read."""
    placed = sorted(tensors, key=lambda tensor: (tensor.begin, tensor.size))
    end = 0
    for tensor in placed:
        if tensor.size and tensor.begin < end:
            raise MalformedError(f"the tensor {shortened(tensor.name)} overlaps the one before it")
        end = max(end, tensor.begin + tensor.size)
    return placed


def with_the_rest(tensors: Iterable[Tensor], size: int) -> tuple[Tensor, ...]:
    """The tensors of a file, and all between them as tensors without a name, so that each byte counts. The file as one,
    where they do not lie in it one after another."""
    whole = (Tensor("", "bytes", (), 0, size),)
    found: list[Tensor] = []
    at = 0
    for tensor in sorted((one for one in tensors if one.size > 0), key=lambda one: one.begin):
        if tensor.begin < at or tensor.begin + tensor.size > size:
            return whole
        if tensor.begin > at:
            found.append(Tensor("", "bytes", (), at, tensor.begin - at))
        found.append(tensor)
        at = tensor.begin + tensor.size
    if at < size:
        found.append(Tensor("", "bytes", (), at, size - at))
    return tuple(found) or whole


def shortened(name: str) -> str:
    """A name out of a file, fit for a message."""
    return ascii(name if len(name) <= 120 else name[:117] + "...")[1:-1]
