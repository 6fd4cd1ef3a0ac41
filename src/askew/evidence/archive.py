"""An archive of plain files that other programs can open (``tar xzf``), written and read as a stream.

Written the same each time: POSIX ``ustar`` headers without times, users or groups, in a gzip stream without a time or a
name. Read with distrust: plain files in ``ustar`` headers and nothing else, each name once, all of bounded size, and
nothing is ever written to a disk. The format is that of POSIX.1-2024, pax, "ustar Interchange Format", and of RFC 1952.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

from askew.evidence.errors import EvidenceError

MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 512 * 2**20
MAX_BYTES = 2**30  # of all members together

_BLOCK = 512
_CHUNK = 256 * 1024
# ID1 ID2, deflate, no flags, no time, no hint about the level, an unknown system: RFC 1952, 2.3.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,79}){0,8}")
_LONGEST_NAME = 100
_KINDS = {
    "1": "a hard link", "2": "a symbolic link", "3": "a device", "4": "a device", "5": "a directory", "6": "a pipe",
    "x": "an extended header", "g": "an extended header", "L": "a long name", "K": "a long link", "S": "a sparse file",
}  # fmt: skip


class ArchiveError(EvidenceError):
    """The archive is not one that Askew wrote: what is wrong, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Writer:
    """Writes members one after another; nothing is held back but what the compressor holds. Call ``close`` at the end.

    ``write`` takes bytes: of a file, or of a pipe.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = 0
        self._size = 0
        write(_GZIP_HEADER)

    def add(self, name: str, data: bytes) -> None:
        """Write one member. Raises ValueError for a name that ``read`` would refuse."""
        if not is_name(name):
            raise ValueError(f"{name!r} is no name of a member")
        self._put(_header(name, len(data)))
        for at in range(0, len(data), _CHUNK):
            self._put(data[at : at + _CHUNK])
        self._put(b"\0" * (-len(data) % _BLOCK))

    def close(self) -> None:
        """Write the end of the archive. What ``write`` writes to stays open."""
        self._put(b"\0" * (2 * _BLOCK))
        self._write(self._deflate.flush())
        self._write(self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little"))

    def _put(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        if packed := self._deflate.compress(data):
            self._write(packed)


def is_name(name: str) -> bool:
    """Whether a member may have this name: relative, without ``..``, short, of letters, digits and ``._-``."""
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def read(take: Callable[[int], bytes]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member, in order. ``take`` gives at most so many bytes, and none at the end.

    Raises ArchiveError where the archive ends early, is damaged, too large, or holds anything but plain files.
    """
    stream = _Inflated(take)
    seen: set[str] = set()
    total = 0
    while True:
        header = stream.exactly(_BLOCK)
        if not header.strip(b"\0"):
            stream.finish()
            return
        name, size = _parsed(header)
        total += size
        if size > MAX_MEMBER_BYTES or total > MAX_BYTES or len(seen) >= MAX_MEMBERS:
            raise ArchiveError(
                f"it unpacks to more than {MAX_BYTES:,} bytes, or to more than {MAX_MEMBERS:,} files",
                "bundle fewer sources at once",
            )
        if name in seen:
            raise ArchiveError(f"two of its files are called {name}", _WRITTEN)
        seen.add(name)
        data = stream.exactly(size)
        stream.exactly(-size % _BLOCK)
        yield name, data


_WRITTEN = "give the file as `askew bundle` wrote it, not unpacked and packed again"
_CUT = "it was not copied in full, or was still being written: copy it again"


class _Inflated:
    """The bytes that a gzip stream holds, as many as are asked for."""

    def __init__(self, take: Callable[[int], bytes]) -> None:
        self._take = take
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._ready = b""
        self._at = 0  # in what is ready: cutting it off for each small file would copy it each time
        self._begun = False

    def exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            if self._at >= len(self._ready) and not self._more():
                raise ArchiveError("the archive ends too early", _CUT)
            parts.append(self._ready[self._at : self._at + size])
            self._at += len(parts[-1])
            size -= len(parts[-1])
        return b"".join(parts)

    def finish(self) -> None:
        """Read to the end, where nothing may follow but what fills the last blocks."""
        filled = 0
        while self._at < len(self._ready) or self._more():
            rest = self._ready[self._at :]
            self._at = len(self._ready)
            filled += len(rest)
            if rest.strip(b"\0") or filled > 1024 * 1024:
                raise ArchiveError("something follows the end of the archive", _WRITTEN)
        if not self._inflate.eof:
            raise ArchiveError("the archive ends too early", _CUT)
        if self._inflate.unused_data or self._take(1):
            raise ArchiveError("something follows the end of the archive", _WRITTEN)

    def _more(self) -> bool:
        """Make some bytes ready; false at the end. Never unpacks more than a chunk at a time."""
        self._ready, self._at = b"", 0
        try:
            while not self._inflate.eof and not self._ready:
                packed = self._inflate.unconsumed_tail or self._take(_CHUNK)
                if not self._begun and packed and not packed.startswith(b"\x1f"[: len(packed)]):
                    raise ArchiveError(
                        "this is no bundle: expected a .tar.gz archive", "write one: askew bundle SOURCE"
                    )
                if not packed:
                    # What went in may still have something to come out.
                    self._ready = self._inflate.decompress(b"", _CHUNK)
                    return bool(self._ready)
                self._begun = True
                self._ready = self._inflate.decompress(packed, _CHUNK)
        except zlib.error as error:
            raise ArchiveError(f"the archive is damaged: {error}", _CUT) from None
        return bool(self._ready)


def _header(name: str, size: int) -> bytes:
    block = bytearray(_BLOCK)

    def put(at: int, text: str) -> None:
        block[at : at + len(text)] = text.encode("ascii")

    put(0, name)
    put(100, "0000644\0" + "0000000\0" * 2 + f"{size:011o}\0" + "00000000000\0")
    put(148, " " * 8)
    put(156, "0")
    put(257, "ustar\0" + "00")
    put(329, "0000000\0" * 2)
    put(148, f"{sum(block):06o}\0 ")
    return bytes(block)


def _parsed(block: bytes) -> tuple[str, int]:
    """Name and size, where the header is one that ``Writer`` could have written."""
    kind = chr(block[156]) if block[156] else "0"
    told = block[148:156].strip(b" \0")
    if told != f"{sum(block) - sum(block[148:156]) + 8 * 32:06o}".encode():
        raise ArchiveError("a header of the archive is damaged", _CUT)
    name = block[:100].split(b"\0", 1)[0].decode("ascii", "replace")
    if block[257:263] != b"ustar\0" or kind != "0" or block[345:346] != b"\0":
        what = _KINDS.get(kind, "of an unknown kind") if kind != "0" else "in another dialect of tar"
        raise ArchiveError(f"{_printable(name)} is {what}; a bundle holds plain files in ustar headers only", _WRITTEN)
    if not is_name(name):
        raise ArchiveError(f"{_printable(name)} is no name that a file of a bundle has", _WRITTEN)
    digits = block[124:136].strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise ArchiveError(f"the size of {name} is not written in octal digits", _WRITTEN)
    return name, int(digits, 8)


def _printable(name: str) -> str:
    return repr(name[:60])
