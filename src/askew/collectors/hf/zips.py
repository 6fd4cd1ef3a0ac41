"""The members of a zip archive and where their bytes lie, read within bounds: a directory that claims to be huge, or a
member that would unpack to more than it should, is an error and not a full memory.

Source: APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import msgspec

from askew.collectors.hf.tensors import MalformedError, shortened

_LARGEST_DIRECTORY = 64 * 2**20
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_MEMBER, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_FULL, _FULL_COUNT = 2**32 - 1, 2**16 - 1


class Member(msgspec.Struct, frozen=True):
    """One member: how it is packed (0: not at all, 8: deflate), its size packed and unpacked, its header's place."""

    method: int
    packed: int
    size: int
    header: int


def members(file: BinaryIO, size: int) -> dict[str, Member]:
    """All members by name. Raises MalformedError, OSError."""
    try:
        return _members(file, size)
    except struct.error:
        raise MalformedError("expected a zip archive, and its directory is cut off") from None


def _members(file: BinaryIO, size: int) -> dict[str, Member]:
    file.seek(max(0, size - 65_557))
    tail = file.read(65_557)
    at = tail.rfind(_END)
    if at < 0:
        raise MalformedError("expected a zip archive, and it has no directory: it may be cut off")
    count, length, begin = struct.unpack_from("<HII", tail, at + 10)
    if (count == _FULL_COUNT or _FULL in (length, begin)) and tail[max(0, at - 20) : at].startswith(_LOCATOR64):
        (place,) = struct.unpack_from("<Q", tail, at - 12)
        if place > size - 56:
            raise MalformedError("the directory of the zip archive lies beyond its end")
        file.seek(place)
        record = file.read(56)
        if not record.startswith(_END64):
            raise MalformedError("the directory of the zip archive is not where it should be")
        count, length, begin = struct.unpack_from("<QQQ", record, 32)
    if length > min(size, _LARGEST_DIRECTORY) or begin + length > size:
        raise MalformedError(f"the directory of the zip archive claims {length:,} bytes")
    file.seek(begin)
    directory = file.read(length)
    found: dict[str, Member] = {}
    at = 0
    while at < len(directory) and directory.startswith(_MEMBER, at):
        method, packed, full, named, more, comment = struct.unpack_from("<H8xIIHHH", directory, at + 10)
        (header,) = struct.unpack_from("<I", directory, at + 42)
        name = directory[at + 46 : at + 46 + named].decode("utf-8", "replace")
        extra = directory[at + 46 + named : at + 46 + named + more]
        found[name] = _wide(Member(method, packed, full, header), extra)
        at += 46 + named + more + comment
    return found


def _wide(member: Member, extra: bytes) -> Member:
    """The member with the numbers of eight bytes that stand in its extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            numbers = list(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            size = numbers.pop(0) if member.size == _FULL and numbers else member.size
            packed = numbers.pop(0) if member.packed == _FULL and numbers else member.packed
            header = numbers.pop(0) if member.header == _FULL and numbers else member.header
            return Member(member.method, packed, size, header)
        at += 4 + length
    return member


def begin_of(file: BinaryIO, size: int, member: Member) -> int:
    """Where the bytes of a member begin. Raises MalformedError where they are not in the file."""
    if member.header + 30 > size:
        raise MalformedError("a member of the zip archive lies beyond its end")
    file.seek(member.header)
    local = file.read(30)
    if not local.startswith(_LOCAL) or len(local) < 30:
        raise MalformedError("a member of the zip archive is not where its directory says")
    name, extra = struct.unpack_from("<HH", local, 26)
    begin = member.header + 30 + int(name) + int(extra)
    if begin + member.packed > size:
        raise MalformedError("a member of the zip archive ends beyond its end")
    return begin


def unpacked(file: BinaryIO, size: int, name: str, member: Member, most: int) -> bytes:
    """The content of a member. Raises MalformedError where it has more than ``most`` bytes, OSError."""
    begin = begin_of(file, size, member)
    file.seek(begin)
    too_much = MalformedError(f"{shortened(name)} in the archive has more than {most:,} bytes")
    if member.method == 0:
        if member.packed > most:
            raise too_much
        return file.read(member.packed)
    if member.method != 8:
        raise MalformedError(f"{shortened(name)} in the archive is packed in a way that is not read")
    if member.packed > most:
        raise too_much
    engine = zlib.decompressobj(-15)
    try:
        data = engine.decompress(file.read(member.packed), most + 1)
    except zlib.error:
        raise MalformedError(f"{shortened(name)} in the archive is damaged") from None
    if len(data) > most:
        raise too_much
    return data
