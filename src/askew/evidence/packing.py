"""Documents as JSON and back, exactly: their data, the place of every key and value, the redacted lines they stood in.

A part is what one collection gave. Its raw texts are members of the archive as they stand, secrets masked, so that
people can read them. Everything else refers to them by number: streams (the texts and where they begin), contexts
(a source name, an object, a stream), documents. A document's containers are listed children first, because anchors
put one container in many places; in the values of a container, ``[n]`` is the container ``n``.

What is read back is not trusted: numbers are held to their bounds, and a document to the limits of ``yaml``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, TypeVar

import msgspec

from askew.evidence.archive import ArchiveError
from askew.evidence.document import (
    Context,
    Document,
    MarkedList,
    MarkedMap,
    MixedList,
    MixedMap,
    Node,
    Placed,
    Problem,
    Text,
)
from askew.evidence.location import Location
from askew.evidence.yaml import MAX_BYTES, MAX_DEPTH, MAX_EXPANDED, MAX_NODES

Clean = Callable[[str], str]
_T = TypeVar("_T")

_MAX_PART_NODES = 4 * MAX_NODES
_KEY, _START, _LOW = 64, 32, 0xFFFFFFFF
_HINT = "give the file as `askew bundle` wrote it; a newer Askew may be needed to read it"

Offset = Annotated[int, msgspec.Meta(ge=0, le=_LOW)]
Count = Annotated[int, msgspec.Meta(ge=0, le=_LOW)]


class Stream(msgspec.Struct, omit_defaults=True):
    """A raw text: the member that holds it, where its first character stands, or the one place of all of it.

    ``outer`` is the stream of which it is a scalar, and ``offsets`` where in that each of its characters stands.
    """

    member: str
    line: Count = 1
    column: Count = 1
    fixed: tuple[Count, Count] | None = None
    outer: Count | None = None
    offsets: list[Offset] = []


class Place(msgspec.Struct, omit_defaults=True):
    """What the values of a document share: the name of the source, the object, the stream."""

    source: str
    object: str = ""
    stream: Count | None = None
    fixed: tuple[Count, Count] = (0, 0)


class PackedText(msgspec.Struct):
    """A text that is no document: the name of its source, and the member that holds it."""

    source: str
    member: str


class Index(msgspec.Struct, omit_defaults=True):
    """What the documents of a part refer to, and its texts."""

    streams: list[Stream] = []
    places: list[Place] = []
    texts: list[PackedText] = []


class Spot(msgspec.Struct, omit_defaults=True):
    """A location."""

    source: str
    path: str = ""
    line: Count = 0
    column: Count = 0
    object: str = ""


class Container(msgspec.Struct, omit_defaults=True):
    """A mapping (with ``keys``) or a sequence. ``marks``: per entry the offsets of key, value and end, -1 where it has
    none; per item those of value and end; absent for plain data. ``more``: marks of keys without a value. ``spot``:
    where a mapping was read that was put into another object. ``others``: by their number the entries or items that
    were read elsewhere, and where."""

    values: list[object] = msgspec.field(name="v", default_factory=list)
    keys: list[str] | None = msgspec.field(name="k", default=None)
    marks: list[int] | None = msgspec.field(name="m", default=None)
    more: list[tuple[str, Offset, Offset, Offset]] = msgspec.field(name="x", default_factory=list)
    spot: Spot | None = msgspec.field(name="p", default=None)
    others: list[tuple[Count, Spot]] = msgspec.field(name="o", default_factory=list)


class Note(msgspec.Struct, omit_defaults=True):
    """A problem of a document, with its place."""

    message: str
    spot: Spot


class PackedDocument(msgspec.Struct, omit_defaults=True):
    """One document: its place and its root's, its data, and its extent in the stream."""

    place: Count
    root: object
    root_place: Count | None = None
    path: str | None = None
    key: str | int = ""
    mark: tuple[Offset, Offset, Offset] | None = None
    exists: bool = True
    index: Count = 0
    start: Offset = 0
    end: Offset = 0
    containers: list[Container] = []
    problems: list[Note] = []


class Packer:
    """Packs the documents and texts of one part. ``clean`` is put on every string that is packed; it keeps lengths
    where a text or a key stands, or offsets are lost."""

    def __init__(self, folder: str, clean: Clean = lambda text: text) -> None:
        self._folder = folder
        self._clean = clean
        self._streams: dict[int, int] = {}
        self._places: dict[int, int] = {}
        # Objects are told apart by their identity, so they must live as long as the numbers given to them.
        self._alive: list[object] = []
        self.index = Index()
        self.members: list[tuple[str, bytes]] = []

    def document(self, document: Document) -> bytes:
        """One line of JSON. New members that it refers to are in ``members`` afterwards."""
        root = document.root
        containers: list[Container] = []
        top = self._data(root.value, containers)
        mark = root._mark()
        span = (mark >> _KEY, (mark >> _START) & _LOW, mark & _LOW) if mark >= 0 else None
        place = self._place(document._context)
        root_place = self._place(root._context)
        # A root that continues the path of another, such as an item of a list, begins where that one ends.
        path = root._base if root._parent is None or root._base is not None else root.path
        packed = PackedDocument(
            place=place,
            root=top,
            root_place=root_place if root_place != place else None,
            path=self._clean(path) if path else path,
            key=self._clean(root.key) if isinstance(root.key, str) else root.key,
            mark=span,
            exists=root.exists,
            index=document.index,
            start=document._start,
            end=document._end,
            containers=containers,
            problems=[self._note(problem) for problem in document.problems],
        )
        return line(packed)

    def text(self, source: str, text: str) -> None:
        """A text that is no document."""
        member = self._member("texts", len(self.index.texts) + 1, source, text)
        self.index.texts.append(PackedText(source=self._clean(source), member=member))

    def _data(self, value: object, containers: list[Container]) -> object:
        """``value`` as JSON, its containers appended children first. Without recursion: they may be deep."""
        if not isinstance(value, (dict, list)):
            return self._scalar(value)
        numbers: dict[int, int] = {}
        stack: list[tuple[dict[str, object] | list[object], bool]] = [(value, False)]
        while stack:
            container, ready = stack.pop()
            if id(container) in numbers:
                continue
            parts = container.values() if isinstance(container, dict) else container
            if not ready:
                stack.append((container, True))
                stack.extend((part, False) for part in parts if isinstance(part, (dict, list)))
                continue
            values = [[numbers[id(p)]] if isinstance(p, (dict, list)) else self._scalar(p) for p in parts]
            numbers[id(container)] = len(containers)
            containers.append(self._container(container, values))
        return [numbers[id(value)]]

    def _container(self, container: dict[str, object] | list[object], values: list[object]) -> Container:
        marks: list[int] | None = None
        if isinstance(container, list):
            if isinstance(container, MarkedList):
                of_items = [max(mark, 0) for mark in container.marks]
                marks = [part for mark in of_items for part in ((mark >> _START) & _LOW, mark & _LOW)]
            elsewhere = container.others if isinstance(container, MixedList) else {}
            return Container(
                values=values, marks=marks, others=[(number, self._spot(at)) for number, at in elsewhere.items()]
            )
        more: list[tuple[str, int, int, int]] = []
        if isinstance(container, MarkedMap):
            marks = []
            for key in container:
                mark = container.marks.get(key, -1)
                marks.extend((mark >> _KEY, (mark >> _START) & _LOW, mark & _LOW) if mark >= 0 else (-1, -1, -1))
            for key in container.marks.keys() - container.keys():
                mark = container.marks[key]
                more.append((self._clean(key), mark >> _KEY, (mark >> _START) & _LOW, mark & _LOW))
            more.sort()
        keys = [self._clean(key) for key in container]
        spot = self._spot(container.place) if isinstance(container, Placed) else None
        others: list[tuple[int, Spot]] = []
        if isinstance(container, MixedMap):
            numbers = {key: number for number, key in enumerate(container)}
            others = [(numbers[key], self._spot(at)) for key, at in container.others.items()]
        return Container(values=values, keys=keys, marks=marks, more=more, spot=spot, others=others)

    def _scalar(self, value: object) -> object:
        if isinstance(value, str):
            return self._clean(value)
        return value if value is None or isinstance(value, (bool, int, float)) else str(value)

    def _place(self, context: Context) -> int:
        number = self._places.get(id(context))
        if number is None:
            self._alive.append(context)
            stream = None if context.text is None else self._stream(context.text, context.source)
            self.index.places.append(
                Place(
                    source=self._clean(context.source),
                    object=self._clean(context.object),
                    stream=stream,
                    fixed=context.fixed,
                )
            )
            number = self._places[id(context)] = len(self.index.places) - 1
        return number

    def _stream(self, text: Text, source: str) -> int:
        number = self._streams.get(id(text))
        if number is None:
            self._alive.append(text)
            outer = None if text.outer is None else self._stream(text.outer, source)
            member = self._member("lines", len(self.index.streams) + 1, source, text.whole())
            self.index.streams.append(
                Stream(
                    member=member,
                    line=text.first_line,
                    column=text.first_column,
                    fixed=text.fixed,
                    outer=outer,
                    offsets=list(text.offsets) if outer is not None else [],
                )
            )
            number = self._streams[id(text)] = len(self.index.streams) - 1
        return number

    def _member(self, kind: str, number: int, source: str, text: str) -> str:
        member = f"{self._folder}/{kind}/{number:05d}{_readable(self._clean(source))}"
        self.members.append((member, self._clean(text).encode("utf-8", "surrogatepass")))
        return member

    def _note(self, problem: Problem) -> Note:
        return Note(message=self._clean(problem.message), spot=self._spot(problem.location))

    def _spot(self, at: Location) -> Spot:
        return Spot(
            source=self._clean(at.source),
            path=self._clean(at.path),
            line=at.line,
            column=at.column,
            object=self._clean(at.object),
        )


def _readable(source: str) -> str:
    """The end of a source's name, as far as the name of a member can hold it."""
    name = source.rstrip("/").rpartition("/")[2]
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
    return f"-{kept[-40:]}" if kept.strip("_") else ""


def line(value: object) -> bytes:
    """A struct as one line of ASCII JSON, which any reader takes, also where a name is no valid Unicode."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def decoded(data: bytes, kind: type[_T], what: str) -> _T:
    """A struct from JSON. Raises ArchiveError, which names ``what`` was read."""
    try:
        return msgspec.convert(json.loads(data), kind)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        text = str(error).split("\n", 1)[0][:200]
        raise ArchiveError(f"{what} of the bundle cannot be understood: {text}", _HINT) from None


class Unpacker:
    """Gives back what a ``Packer`` was given, from its index and the members of the archive."""

    def __init__(self, index: Index, members: Mapping[str, bytes]) -> None:
        self._members = members
        self._room = _MAX_PART_NODES
        # Places overlap only where anchors and merges repeat them; each may be read back once per look at comments.
        self._places = 2 * MAX_BYTES
        self._texts: list[Text] = []
        self._sizes: list[int] = []
        self._contexts: list[Context] = []
        self.texts = [(one.source, self._content(one.member)) for one in index.texts]
        for number, stream in enumerate(index.streams):
            self._add_stream(number, stream)
        for place in index.places:
            text = None if place.stream is None else _at(self._texts, place.stream, "a stream")
            self._contexts.append(Context(place.source, place.object, text, place.fixed))

    def documents(self, lines: bytes) -> Iterator[Document]:
        """The documents of the lines, in order. Raises ArchiveError."""
        begin = 0
        while begin < len(lines):
            end = lines.find(b"\n", begin)
            end = len(lines) if end < 0 else end
            yield self._document(decoded(lines[begin:end], PackedDocument, "a document"))
            begin = end + 1

    def _content(self, member: str) -> str:
        if member not in self._members:
            raise ArchiveError(f"it refers to {member[:100]!r}, which it does not hold", _HINT)
        data = self._members[member]
        if len(data) > 4 * MAX_BYTES:
            raise ArchiveError(f"{member} has {len(data):,} bytes; at most {4 * MAX_BYTES:,} are read of a text", _HINT)
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise ArchiveError(f"{member} is not UTF-8", _HINT) from None

    def _add_stream(self, number: int, stream: Stream) -> None:
        outer = None
        if stream.outer is not None:
            outer = _at(self._texts, stream.outer, "a stream")
            if not stream.offsets or max(stream.offsets) > self._sizes[stream.outer]:
                raise ArchiveError(f"stream {number} stands outside the text around it", _HINT)
        content = self._content(stream.member)
        self._sizes.append(len(content))
        self._places += 4 * len(content)
        self._texts.append(
            Text(
                content,
                first_line=stream.line,
                first_column=stream.column,
                outer=outer,
                offsets=stream.offsets,
                fixed=stream.fixed,
            )
        )

    def _document(self, packed: PackedDocument) -> Document:
        context = _at(self._contexts, packed.place, "a place")
        around = context if packed.root_place is None else _at(self._contexts, packed.root_place, "a place")
        value = self._value(packed)
        span = -1 if packed.mark is None else _mark(*packed.mark)
        root = Node(around, value, exists=packed.exists, key=packed.key, base=packed.path, span=span)
        problems = tuple(Problem(_location(note.spot), note.message) for note in packed.problems)
        return Document(context, packed.index, root, problems, packed.start, packed.end)

    def _value(self, packed: PackedDocument) -> object:
        built: list[dict[str, object] | list[object]] = []
        # Of each container, with all below it and as often as it stands there: values, and levels.
        sizes: list[int] = []
        depths: list[int] = []
        size = depth = 0

        def resolved(value: object) -> object:
            nonlocal size, depth
            if isinstance(value, list):
                number = value[0] if len(value) == 1 and type(value[0]) is int else -1
                if not 0 <= number < len(built):
                    raise ArchiveError("a document refers to a part of it that does not come before", _HINT)
                size += sizes[number]
                depth = max(depth, depths[number] + 1)
                return built[number]
            if isinstance(value, dict):
                raise ArchiveError("a document holds a mapping where a reference belongs", _HINT)
            return value

        for container in packed.containers:
            size, depth = 1 + len(container.values), 1
            values = [resolved(value) for value in container.values]
            if depth > MAX_DEPTH + 1 or size > MAX_NODES + MAX_EXPANDED:
                raise ArchiveError("a document is nested too deeply, or expands to too many values", _HINT)
            self._room -= len(values)
            if self._room < 0:
                raise ArchiveError(f"a part holds more than {_MAX_PART_NODES:,} values", "bundle fewer sources at once")
            made, length = _made(container, values)
            self._places -= length
            if self._places < 0:
                raise ArchiveError("the places in a document overlap", _HINT)
            built.append(made)
            sizes.append(size)
            depths.append(depth)
        return resolved(packed.root)


def _made(container: Container, values: list[object]) -> tuple[dict[str, object] | list[object], int]:
    """The container, and how many characters its scalars take."""
    marks = container.marks
    if any(number >= len(values) for number, _ in container.others):
        raise ArchiveError("a document has the place of an entry that is not there", _HINT)
    if container.keys is None:
        if marks is None:
            return values, 0
        if len(marks) % 2 or any(not 0 <= mark <= _LOW for mark in marks):
            raise ArchiveError("a document has places that are none", _HINT)
        items = MixedList() if container.others else MarkedList()
        items.extend(values)
        items.marks = [marks[at] << _START | marks[at + 1] for at in range(0, len(marks), 2)]
        if isinstance(items, MixedList):
            items.others = {number: _location(spot) for number, spot in container.others}
            items.marks = [-1 if number in items.others else mark for number, mark in enumerate(items.marks)]
        return items, _length(values, [marks[at + 1] - marks[at] for at in range(0, len(marks), 2)])
    if len(container.keys) != len(values) or len(set(container.keys)) != len(values):
        raise ArchiveError("a document has keys without values, or twice", _HINT)
    if container.spot is not None:
        return Placed(dict(zip(container.keys, values, strict=True)), _location(container.spot)), 0
    if marks is None:
        return dict(zip(container.keys, values, strict=True)), 0
    if len(marks) != 3 * len(values) or any(not -1 <= mark <= _LOW for mark in marks):
        raise ArchiveError("a document has places that are none", _HINT)
    entries = MixedMap() if container.others else MarkedMap()
    entries.update(zip(container.keys, values, strict=True))
    if isinstance(entries, MixedMap):
        entries.others = {container.keys[number]: _location(spot) for number, spot in container.others}
    for number, key in enumerate(container.keys):
        first, start, end = marks[3 * number : 3 * number + 3]
        if min(first, start, end) >= 0:
            entries.marks[key] = _mark(first, start, end)
    for key, first, start, end in container.more:
        entries.marks.setdefault(key, _mark(first, start, end))
    return entries, _length(values, [marks[at + 2] - marks[at + 1] for at in range(0, len(marks), 3)]) + sum(
        max(end - start, 0) for _, _, start, end in container.more
    )


def _location(spot: Spot) -> Location:
    return Location(spot.source, spot.path, spot.line, spot.column, spot.object)


def _length(values: Sequence[object], lengths: Sequence[int]) -> int:
    return sum(
        max(length, 0) for value, length in zip(values, lengths, strict=False) if not isinstance(value, (dict, list))
    )


def _mark(key: int, start: int, end: int) -> int:
    return key << _KEY | start << _START | end


def _at(found: Sequence[_T], number: int, what: str) -> _T:
    if number >= len(found):
        raise ArchiveError(f"a document refers to {what} that is not there", _HINT)
    return found[number]
