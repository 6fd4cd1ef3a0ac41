"""The bundle on disk, ``askew/bundle/v1``: what its manifest says.

A bundle is a ``.tar.gz`` of plain files (see ``archive``). ``N/P/`` holds what collection P of source N gave (see
``packing``): ``lines/`` the raw texts of manifests, secrets masked; ``texts/`` other texts; ``index.json`` and
``documents.jsonl`` what they were read as. ``timeline.txt`` and ``timeline.json`` tell what changed when. The manifest
comes last, so that a bundle can be written as it is collected, and lists every other member with its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from askew.evidence.archive import ArchiveError, Writer, read
from askew.evidence.document import Document
from askew.evidence.packing import Clean, Index, Packer, Unpacker, decoded, line

FORMAT = "askew/bundle/v1"
MANIFEST = "manifest.json"
_HINT = "give the file as `askew bundle` wrote it"

Number = Annotated[int, Meta(ge=0)]


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the bundle: its size in bytes, and the SHA-256 of its content in hexadecimal digits."""

    name: str
    size: Number
    sha256: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read when the bundle was written. ``line`` is 0 where there is none."""

    source: str
    message: str
    hint: str
    line: Number = 0
    column: Number = 0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one collector gave. ``folder`` holds its members; ``platform`` reads them, where the source said it."""

    uri: str
    folder: str
    status: Annotated[
        str, Meta(description="How the collection ended.", examples=["complete", "partial", "failed", "skipped"])
    ]
    reason: str = ""
    platform: str = ""
    files: Number = 0
    documents: Number = 0
    texts: Number = 0
    interrupted: bool = False
    errors: list[Fault] = []


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A source as it was named on the command line. Joined sources, ``a+b``, have several parts."""

    number: Number
    uri: str
    parts: list[Part] = []


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """What wrote the bundle."""

    name: str
    version: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds. ``interrupted``: it was stopped, and holds what there was until then. ``missing`` are the
    sources that were then not read at all."""

    schema: str
    tool: Tool
    created_at: Annotated[str, Meta(description="RFC 3339, in UTC.")]
    interrupted: bool = False
    anonymised: bool = False
    sources: list[Source] = []
    missing: list[str] = []
    members: list[Member] = []


class Sealing:
    """Writes the members of a bundle, and its manifest at the end."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._writer = Writer(write)
        self._members: list[Member] = []

    @property
    def size(self) -> int:
        """Bytes of all members so far, unpacked."""
        return sum(member.size for member in self._members)

    def add(self, name: str, data: bytes) -> None:
        """Write one member."""
        self._writer.add(name, data)
        self._members.append(Member(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest()))

    def part(
        self,
        folder: str,
        documents: tuple[Document, ...],
        texts: tuple[tuple[str, str], ...],
        clean: Clean,
    ) -> None:
        """Write what one collection gave, with ``clean`` put on every string of it."""
        packer = Packer(folder, clean)
        lines: list[bytes] = []
        written = 0
        for document in documents:
            lines.append(packer.document(document))
            written = self._flush(packer, written)
        for source, text in texts:
            packer.text(source, text)
            written = self._flush(packer, written)
        self.add(f"{folder}/documents.jsonl", b"".join(lines))
        self.add(f"{folder}/index.json", line(packer.index))

    def close(self, manifest: Manifest) -> None:
        """Write the manifest, with the members, and the end."""
        whole = msgspec.structs.replace(manifest, members=self._members)
        self._writer.add(MANIFEST, msgspec.json.format(line(whole), indent=1) + b"\n")
        self._writer.close()

    def _flush(self, packer: Packer, written: int) -> int:
        for name, data in packer.members[written:]:
            self.add(name, data)
        done = len(packer.members)
        packer.members[written:done] = [(name, b"") for name, _ in packer.members[written:done]]
        return done


class Bundle:
    """A bundle that was read whole, and whose hashes are right."""

    def __init__(self, manifest: Manifest, members: Mapping[str, bytes]) -> None:
        self.manifest = manifest
        self._members = members

    def part(self, part: Part) -> tuple[tuple[Document, ...], tuple[tuple[str, str], ...]]:
        """The documents of a part and its texts, with their sources. Raises ArchiveError."""
        found = []
        for name in ("index.json", "documents.jsonl"):
            member = f"{part.folder}/{name}"
            if member not in self._members:
                raise ArchiveError(f"{member[:100]} is not in the bundle", _HINT)
            found.append(self._members[member])
        unpacker = Unpacker(decoded(found[0], Index, "an index"), self._members)
        return tuple(unpacker.documents(found[1])), tuple(unpacker.texts)


def opened(take: Callable[[int], bytes]) -> Bundle:
    """Read a bundle from a stream; ``take`` gives at most so many bytes. Raises ArchiveError where anything is not as
    it was written: nothing of it is believed then."""
    members = dict(read(take))
    told = members.pop(MANIFEST, None)
    if told is None:
        raise ArchiveError("the archive has no manifest.json, so it is no bundle", "write one: askew bundle SOURCE")
    manifest = decoded(told, Manifest, "the manifest")
    if manifest.schema != FORMAT:
        name = manifest.schema[:60]
        raise ArchiveError(f"expected {FORMAT}, found {name!r}", "read it with the Askew that wrote it, or a newer one")
    for fault in _faults(manifest, members):
        raise ArchiveError(fault, f"it was changed after it was written: {_HINT}")
    return Bundle(manifest, members)


def _faults(manifest: Manifest, members: Mapping[str, bytes]) -> Iterator[str]:
    told: dict[str, Member] = {}
    for member in manifest.members:
        if member.name in told:
            yield f"the manifest names {member.name[:100]!r} twice"
        told[member.name] = member
    for name in sorted(told.keys() ^ members.keys()):
        yield f"{name[:100]!r} is in the manifest and not in the archive, or the other way round"
    for name, member in told.items():
        if len(members[name]) != member.size or hashlib.sha256(members[name]).hexdigest() != member.sha256:
            yield f"the content of {name} has not the hash that the manifest tells"
