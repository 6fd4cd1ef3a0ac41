"""Pickled models, by what their opcodes say: archives of torch, joblib and plain pickles. Nothing is unpickled.

Of an archive of torch the tensors are listed, each with its place in the file, under the names that a loader would give
them. A pickle that would call into the system when it is loaded is named.
Sources: ``torch.save`` and ``_rebuild_tensor_v2``, https://github.com/pytorch/pytorch/blob/v2.8.0/torch/serialization.py
and torch/_utils.py; how joblib packs: ``_COMPRESSORS`` of
https://github.com/joblib/joblib/blob/1.5.2/joblib/compressor.py; ``_sklearn_version``, https://github.com/scikit-learn/scikit-learn/blob/1.7.1/sklearn/base.py
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, Protocol

import msgspec

from askew.collectors.hf.opcodes import Call, Global, Machine, Pairs, Stored
from askew.collectors.hf.tensors import MalformedError, Tensor, shortened
from askew.collectors.hf.zips import Member, begin_of, members, unpacked

_LARGEST_PICKLE = 64 * 2**20  # of an archive: it lists the tensors, which lie beside it
_LARGEST_UNPACKED = 256 * 2**20  # of a compressed joblib file
_LZ4 = b"\x04\x22\x4d\x18"
# What a compressed file begins with, as joblib tells them apart, and what unpacks it.
_PACKED: tuple[tuple[bytes, str], ...] = (
    (b"x", "zlib"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"]\0\0", "lzma"),
)  # fmt: skip
_MOST_MEMORY = 128 * 2**20  # that a dictionary of lzma may ask for
_LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # the number that torch.save began with until 1.6
_STORAGES = {
    "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2), "DoubleStorage": ("F64", 8),
    "LongStorage": ("I64", 8), "IntStorage": ("I32", 4), "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1), "BoolStorage": ("BOOL", 1), "ComplexFloatStorage": ("C64", 8),
}  # fmt: skip
_DTYPES = {
    "torch.float8_e4m3fn": ("F8_E4M3", 1), "torch.float8_e5m2": ("F8_E5M2", 1), "torch.uint16": ("U16", 2),
    "torch.uint32": ("U32", 4), "torch.uint64": ("U64", 8), "torch.float8_e8m0fnu": ("F8_E8M0", 1),
}  # fmt: skip
_WRAPPED = ("state_dict", "model_state_dict", "model", "module")  # what trainers put around the tensors
_MOST_NODES = 2_000_000
# Modules whose names a model never needs, and which run programs, load code or reach out when they are called.
_DANGEROUS = frozenset(
    ("os", "posix", "nt", "subprocess", "sys", "shutil", "socket", "pty", "runpy", "importlib", "imp", "webbrowser",
     "ctypes", "multiprocessing", "asyncio", "code", "codeop", "bdb", "pdb", "cProfile", "profile", "timeit",
     "commands", "popen2", "pip", "signal", "threading", "http", "urllib", "requests", "httplib", "ssl", "smtplib",
     "ftplib", "pickle", "marshal", "shelve")
)  # fmt: skip
_DANGEROUS_BUILTINS = frozenset(
    ("eval", "exec", "compile", "execfile", "open", "__import__", "breakpoint", "input", "exit", "quit", "globals")
)


class NoPickleError(MalformedError):
    """A file that is no pickle at all, nor an archive of them."""


class Scan(msgspec.Struct, frozen=True):
    """What stands in a pickle. ``kind``: torch, torchscript or pickle. ``dangerous``: the names that have no place in a
    model. ``unread``: why not all of it was followed."""

    kind: str
    globals: list[str]
    dangerous: list[str]
    releases: dict[str, list[str]]
    unread: str = ""


def _is_dangerous(found: Global) -> bool:
    *path, attribute = found.name.split(".")  # torch, serialization.os.system: a name may lead through modules
    if found.module in ("builtins", "__builtin__", "__builtins__"):
        return attribute in _DANGEROUS_BUILTINS
    return found.module.partition(".")[0] in _DANGEROUS or any(part in _DANGEROUS for part in path)


def read_pickle(file: BinaryIO, size: int) -> tuple[Scan, tuple[Tensor, ...]]:
    """What a pickled model says, and its tensors; none where they cannot be listed. Raises MalformedError, OSError."""
    head = file.read(16)
    file.seek(0)
    if head.startswith(_LZ4):
        return Scan("pickle", [], [], {}, "it is packed with lz4, which Python does not unpack by itself"), ()
    if head.startswith(b"PK\x03\x04"):
        return _of_archive(file, size)
    for begin, method in _PACKED:
        if head.startswith(begin):
            return _of_stream(_Unpacked(file, method)), ()
    if not head or (head[0] not in b"\x80(c]}Nl)" and not head.startswith(b"I")):
        raise NoPickleError("expected a pickle or an archive of torch")
    return _of_stream(_Plain(file, size), 4 if head.startswith(_LEGACY) else 1), ()


def _of_stream(source: _Plain | _Unpacked, count: int = 1) -> Scan:
    """Plain pickles. Until 1.6 torch.save wrote four, one after another: a number, a protocol, sizes, the object."""
    machine = Machine(source)
    unread = ""
    try:
        for _ in range(count):
            machine.run()
    except MalformedError as error:
        if not machine.globals:
            raise
        unread = str(error)
    return _scan("torch" if count > 1 else "pickle", machine, unread)


def _scan(kind: str, machine: Machine, unread: str = "") -> Scan:
    releases = {library: sorted(found) for library, found in machine.releases.items()}
    dangerous = sorted(name for name, found in machine.globals.items() if _is_dangerous(found))
    return Scan(kind, sorted(machine.globals), dangerous, releases, unread)


def _of_archive(file: BinaryIO, size: int) -> tuple[Scan, tuple[Tensor, ...]]:
    found = members(file, size)
    name = min((one for one in found if one.rpartition("/")[2] == "data.pkl"), key=len, default="")
    if not name:
        raise MalformedError("expected an archive of torch, and it has no data.pkl")
    folder = name.removesuffix("data.pkl")
    data = unpacked(file, size, name, found[name], _LARGEST_PICKLE)
    machine = Machine(_Plain(BytesIO(data), len(data)))
    root = machine.run()
    scripted = any(one.startswith(f"{folder}code/") for one in found)
    scan = _scan("torchscript" if scripted else "torch", machine)
    order = found.get(f"{folder}byteorder")
    if order is not None and unpacked(file, size, f"{folder}byteorder", order, 64) != b"little":
        return scan, ()
    return scan, _tensors(file, size, root, folder, found)


def _tensors(file: BinaryIO, size: int, root: object, folder: str, found: dict[str, Member]) -> tuple[Tensor, ...]:
    """The tensors by their names in the state; none at all where one of them has no place of its own in the file."""
    begins: dict[str, int] = {}
    listed: list[Tensor] = []
    total = 0
    for name, call in _named(root):
        described = _described(call)
        if described is None:
            return ()
        dtype, width, key, offset, shape = described
        member = found.get(f"{folder}data/{key}")
        length = math.prod(shape) * width
        if member is None or member.method != 0 or offset * width + length > member.packed:
            return ()
        if key not in begins:
            begins[key] = begin_of(file, size, member)
        total += length
        listed.append(Tensor(name, dtype, shape, begins[key] + offset * width, length))
    if total > 4 * size or len({tensor.name for tensor in listed}) != len(listed):
        return ()  # tensors share bytes: a few do, many would make this read for ever
    return _unwrapped(listed)


def _unwrapped(listed: list[Tensor]) -> tuple[Tensor, ...]:
    for word in _WRAPPED:
        prefix = f"{word}."
        if listed and all(tensor.name.startswith(prefix) for tensor in listed):
            return tuple(msgspec.structs.replace(one, name=one.name.removeprefix(prefix)) for one in listed)
    return tuple(listed)


def _named(root: object) -> Iterator[tuple[str, Call]]:
    """Every call that makes a tensor, with the path of keys that leads to it."""
    seen: set[int] = set()
    todo: list[tuple[str, object]] = [("", root)]
    while todo:
        path, node = todo.pop()
        if isinstance(node, Call) and str(node.what).startswith("torch._utils._rebuild_"):
            yield path, node
            continue
        if not isinstance(node, (Pairs, Call, list, tuple)) or id(node) in seen:
            continue
        seen.add(id(node))
        if len(seen) > _MOST_NODES or len(path) > 4096:
            return
        if isinstance(node, Call):
            todo.extend((path, part) for part in (node.items, node.state))
            continue
        pairs = node.pairs if isinstance(node, Pairs) else list(enumerate(node))
        todo.extend((f"{path}.{key}" if path else str(key), value) for key, value in reversed(pairs))


def _described(call: Call) -> tuple[str, int, str, int, tuple[int, ...]] | None:
    """Dtype, its width, storage, offset in elements and shape of a tensor that lies in one piece; None of any other."""
    arguments = call.arguments
    if str(call.what) in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
        inner = arguments[0] if isinstance(arguments, tuple) and arguments else None
        return _described(inner) if isinstance(inner, Call) and inner is not call and _is_tensor(inner) else None
    if not _is_tensor(call) or not isinstance(arguments, tuple) or len(arguments) < 4:
        return None
    storage, offset, shape, strides = arguments[:4]
    place = storage.name if isinstance(storage, Stored) else None
    if not isinstance(place, tuple) or len(place) < 3 or not isinstance(place[1], Global):
        return None
    dtype, width = _STORAGES.get(place[1].name, ("", 0))
    if str(call.what) == "torch._utils._rebuild_tensor_v3":
        dtype, width = _DTYPES.get(str(arguments[-2]) if len(arguments) > 6 else "", ("", 0))
    whole = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides)
    if not dtype or not whole or not isinstance(offset, int) or not 0 <= offset < 2**62 or len(shape) > 64:
        return None
    sizes = []
    for length in (*shape, *strides):
        if not isinstance(length, int) or not 0 <= length < 2**62:
            return None
        sizes.append(length)
    lengths, steps = tuple(sizes[: len(shape)]), sizes[len(shape) :]
    step = 1
    for length, stride in zip(reversed(lengths), reversed(steps), strict=True):
        if length != 1 and stride != step:
            return None
        step *= length
    return dtype, width, shortened(str(place[2])), offset, lengths


def _is_tensor(call: Call) -> bool:
    return str(call.what) in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3")


class _Plain:
    """Bytes of a file as they are."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def read(self, count: int, /) -> bytes:
        return self._file.read(min(count, self._size))

    def skip(self, count: int, /) -> None:
        if self._file.tell() + count > self._size:
            raise MalformedError("the pickle ends before its last opcode")
        self._file.seek(count, 1)


class _Engine(Protocol):
    """What unpacks: a piece at a time, never more than it is asked for."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Unpacked:
    """Bytes of a file that joblib packed; not more than a model's description takes."""

    def __init__(self, file: BinaryIO, method: str) -> None:
        self._file = file
        self._engine = _engine(method)
        self._buffer = b""
        self._at = self._total = 0

    def read(self, count: int, /) -> bytes:
        while len(self._buffer) - self._at < count and self._more():
            pass
        data = self._buffer[self._at : self._at + count]
        self._at += len(data)
        return data

    def skip(self, count: int, /) -> None:
        while count > 0:
            taken = len(self.read(min(count, 2**20)))
            if not taken:
                raise MalformedError("the pickle ends before its last opcode")
            count -= taken

    def _more(self) -> bool:
        if self._engine.eof:
            return False
        # zlib hands back what it did not take; the others keep it, and say when they need more.
        packed = getattr(self._engine, "unconsumed_tail", b"")
        if not packed and getattr(self._engine, "needs_input", True):
            packed = self._file.read(2**16)
            if not packed:
                return False
        try:
            data = self._engine.decompress(packed, 2**20)
        except MemoryError:
            raise
        except Exception:  # zlib.error, OSError, LZMAError: each engine has its own
            raise MalformedError("the compressed pickle is damaged, or asks for too much memory") from None
        self._total += len(data)
        if self._total > _LARGEST_UNPACKED:
            raise MalformedError(f"the pickle unpacks to more than {_LARGEST_UNPACKED:,} bytes")
        self._buffer = self._buffer[self._at :] + data
        self._at = 0
        return True


def _engine(method: str) -> _Engine:
    """What unpacks this; the rarer ones are imported when they are met."""
    if method in ("zlib", "gzip"):
        return zlib.decompressobj(47)
    try:
        if method == "bzip2":
            from bz2 import BZ2Decompressor

            return BZ2Decompressor()
        from lzma import FORMAT_ALONE, FORMAT_XZ, LZMADecompressor
    except ImportError:
        raise MalformedError(f"it is packed with {method}, which this Python was built without") from None
    return LZMADecompressor(FORMAT_XZ if method == "xz" else FORMAT_ALONE, memlimit=_MOST_MEMORY)
