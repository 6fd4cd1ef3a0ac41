"""Documents whose every key and value knows its line and column.

A document is plain Python data (``dict``, ``list``, scalars) whose containers also hold marks: the offsets at
which each key and value stands in the text. A ``Node`` walks that data together with the marks. Lines and
columns are computed from offsets only when somebody asks, so reading stays cheap.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import overload

import msgspec

from askew.evidence.location import Location
from askew.evidence.redaction import MARKER

Scalar = str | int | float | bool | None

_KEY_SHIFT = 64
_START_SHIFT = 32
_LOW = 0xFFFFFFFF

_BARE_KEY = re.compile(r"[^.\[\]'\"\s]+")
_INTEGER = re.compile(r"\s*[-+]?[0-9]+\s*")
_LINE_END = re.compile(r"\r\n?|\n")
_COMMENT = re.compile(r"(?:(?<=[ \t])|^)#")
_BLOCK_HEADER = re.compile(r"[|>]([-+0-9]*)[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n|\Z)")
_QUOTED_KEY = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_WORD = re.compile(r"\s+|[^\s=:,\"'{}\[\]]+|[=:,\"'{}\[\]]")
_PUNCTUATION = re.compile(r"[^\w\s]+")
# Below this length a secret is masked where it stands, but not hunted for in the rest of the text: short words
# ("admin", "none") stand in many places that are no secret.
_SWEEP_LENGTH = 8


class Problem(msgspec.Struct, frozen=True):
    """Something in a document that can be read but should not be there: a duplicate key, an unknown tag."""

    location: Location
    message: str


class MarkedMap(dict[str, object]):
    """A mapping that knows where its entries stand.

    ``marks`` holds per key ``key_offset << 64 | value_offset << 32 | value_end``, offsets into the text.
    """

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: dict[str, int] = {}


class MarkedList(list[object]):
    """A sequence that knows where its items stand: ``marks`` holds per item ``offset << 32 | end``."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: list[int] = []


class Placed(dict[str, object]):
    """A mapping that was read elsewhere than what stands around it: the pod template of a former revision, put into
    its Deployment. Locations in it begin at ``place``."""

    __slots__ = ("place",)

    def __init__(self, value: dict[str, object], place: Location) -> None:
        super().__init__(value)
        self.place = place


class MixedMap(MarkedMap):
    """A mapping of which some entries were read elsewhere: what an API server would add to a manifest. ``others`` has
    the place of each of these; the rest stand where ``marks`` says."""

    __slots__ = ("others",)

    def __init__(self) -> None:
        super().__init__()
        self.others: dict[str, Location] = {}


class MixedList(MarkedList):
    """A sequence of which some items were read elsewhere. ``others`` has the place of each of these by its index, and
    their mark is -1."""

    __slots__ = ("others",)

    def __init__(self) -> None:
        super().__init__()
        self.others: dict[int, Location] = {}


class Text:
    """The raw lines of one stream, and where an offset into it lies.

    ``first_line`` and ``first_column`` (1-based) shift everything, for a text that stands inside another file.
    ``outer`` and ``offsets`` do the same exactly, character by character, for the text of a scalar whose
    quoting or folding moved characters about. A text from nowhere (``fixed``) has one place for all offsets.
    """

    __slots__ = ("_first_column", "_first_line", "_fixed", "_offsets", "_outer", "_secrets", "_starts", "lines")

    def __init__(
        self,
        text: str,
        *,
        first_line: int = 1,
        first_column: int = 1,
        outer: Text | None = None,
        offsets: Sequence[int] = (),
        fixed: tuple[int, int] | None = None,
    ) -> None:
        self._first_line = first_line
        self._first_column = first_column
        self._outer = outer
        self._offsets = offsets
        self._fixed = fixed
        self._secrets: dict[str, list[str]] = {}
        starts = array("I", [0])
        if "\r" in text:
            lines: list[str] = []
            begin = 0
            for match in _LINE_END.finditer(text):
                lines.append(text[begin : match.start()])
                begin = match.end()
                starts.append(begin)
            lines.append(text[begin:])
        else:
            lines = text.split("\n")
            begin = 0
            for line in lines[:-1]:
                begin += len(line) + 1
                starts.append(begin)
        self.lines = lines
        self._starts = starts

    @property
    def first_line(self) -> int:
        """The 1-based line at which the first character stands."""
        return self._first_line

    @property
    def first_column(self) -> int:
        """The 1-based column at which the first character stands."""
        return self._first_column

    @property
    def fixed(self) -> tuple[int, int] | None:
        """The one place of everything in a text that stands nowhere."""
        return self._fixed

    @property
    def outer(self) -> Text | None:
        """The text of which this is a scalar."""
        return self._outer

    @property
    def offsets(self) -> Sequence[int]:
        """Where in ``outer`` each character stands."""
        return self._offsets

    def whole(self) -> str:
        """The text with its line ends as far as offsets tell them, every noted secret masked."""
        starts, count = self._starts, len(self.lines)
        parts: list[str] = []
        for row, line in enumerate(self.lines):
            parts.append(self.shown(row))
            if row < count - 1:
                parts.append("\r\n" if starts[row + 1] - starts[row] - len(line) == 2 else "\n")
        return "".join(parts)

    def row(self, offset: int) -> int:
        """The 0-based index into ``lines`` of the line that holds ``offset``."""
        return bisect_right(self._starts, offset) - 1

    def start(self, row: int) -> int:
        """The offset at which the line ``row`` (0-based) begins."""
        return self._starts[row]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, 1-based, of an offset; ``(0, 0)`` when this text stands nowhere."""
        if self._fixed is not None:
            return self._fixed
        if self._outer is not None:
            offsets = self._offsets
            return self._outer.position(offsets[min(offset, len(offsets) - 1)])
        row = bisect_right(self._starts, offset) - 1
        return row + self._first_line, offset - self._starts[row] + self._first_column

    def slice(self, start: int, end: int) -> str:
        """The raw text between two offsets, as it stands after masking."""
        first, last = self.row(start), self.row(end)
        starts, lines = self._starts, self.lines
        if first == last:
            return lines[first][start - starts[first] : end - starts[first]]
        parts = [lines[first][start - starts[first] :]]
        for row in range(first, last):
            parts.append("\r\n" if starts[row + 1] - starts[row] - len(lines[row]) == 2 else "\n")
            parts.append(lines[row + 1])
        parts[-1] = parts[-1][: max(end - starts[last], 0)]
        return "".join(parts)

    def mask(self, start: int, end: int) -> None:
        """Overwrite everything but white space between two offsets by ``*``; offsets stay true."""
        for row in range(self.row(start), self.row(end) + 1):
            line, begin = self.lines[row], self._starts[row]
            a, b = max(start - begin, 0), min(end - begin, len(line))
            if a < b:
                self.lines[row] = line[:a] + re.sub(r"\S", "*", line[a:b]) + line[b:]
        if self._outer is not None and start < end and self._offsets:
            last = len(self._offsets) - 1
            self._outer.mask(self._offsets[min(start, last)], self._offsets[min(end - 1, last)] + 1)

    def forget(self, secret: str) -> None:
        """Note a secret: from now on ``shown`` masks it wherever it stands."""
        for line in secret.splitlines():
            line = line.strip()
            if len(line) >= _SWEEP_LENGTH:
                same_head = self._secrets.setdefault(line[:_SWEEP_LENGTH], [])
                if line not in same_head:
                    same_head.append(line)
        if self._outer is not None:
            self._outer.forget(secret)

    def shown(self, row: int) -> str:
        """The line ``row`` (0-based) with every noted secret masked. Linear in the line, not in the secrets."""
        line, heads = self.lines[row], self._secrets
        if not heads or len(line) < _SWEEP_LENGTH:
            return line
        if len(heads) <= 32 and not any(head in line for head in heads):
            return line
        for at in range(len(line) - _SWEEP_LENGTH + 1):
            for secret in heads.get(line[at : at + _SWEEP_LENGTH], ()):
                if line.startswith(secret, at):
                    line = line[:at] + "*" * len(secret) + line[at + len(secret) :]
        return line


class Lines(Sequence[str]):
    """The raw lines of a stream, secrets masked as they are read."""

    __slots__ = ("_text",)

    def __init__(self, text: Text) -> None:
        self._text = text

    def __len__(self) -> int:
        return len(self._text.lines)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """The line at a 0-based index, or a list for a slice."""
        rows = range(len(self._text.lines))[index]
        if isinstance(rows, range):
            return [self._text.shown(row) for row in rows]
        return self._text.shown(rows)


class Context:
    """What all nodes below one root share."""

    __slots__ = ("decoded", "fixed", "object", "source", "text")

    def __init__(
        self, source: str, object: str = "", text: Text | None = None, fixed: tuple[int, int] = (0, 0)
    ) -> None:
        self.source = source
        self.object = object
        self.text = text
        self.fixed = fixed
        self.decoded: tuple[int, str, list[int]] = (-1, "", [])


class Node:
    """A cursor: a value and where it stands. Missing keys give a missing node, never an exception.

    A node is false when it is missing, null, or an empty mapping or sequence; ``0``, ``""`` and ``false`` are
    values, so their nodes are true.
    """

    __slots__ = ("_base", "_context", "_key", "_parent", "_span", "exists", "value")

    value: object
    exists: bool

    def __init__(
        self,
        context: Context,
        value: object,
        *,
        exists: bool = True,
        parent: Node | None = None,
        key: str | int = "",
        base: str | None = None,
        span: int = -1,
    ) -> None:
        self._context = context
        self.value = value
        self.exists = exists
        self._parent = parent
        self._key = key
        self._base = base
        self._span = span

    def __repr__(self) -> str:
        # Values may be secrets that nobody has redacted yet: a node in a traceback or a log must not show them.
        return f"<Node {self.location} {self.path or '.'} {type(self.value).__name__ if self.exists else 'missing'}>"

    # Walking

    def __getitem__(self, key: str | int) -> Node:
        """The child at a key or index; a missing node where there is none."""
        value = self.value
        if isinstance(key, str):
            if isinstance(value, dict) and key in value:
                return self._child(key, value[key])
        elif isinstance(value, list) and -len(value) <= key < len(value):
            return self._item(key if key >= 0 else key + len(value), value[key])
        return Node(self._context, None, exists=False, parent=self, key=key)

    def _child(self, key: str, value: object) -> Node:
        if type(value) is Placed:
            return self._elsewhere(key, value, value.place)
        if type(self.value) is MixedMap and key in self.value.others:
            return self._elsewhere(key, value, self.value.others[key])
        return Node(self._context, value, parent=self, key=key)

    def _item(self, index: int, value: object) -> Node:
        if type(self.value) is MixedList and index in self.value.others:
            return self._elsewhere(index, value, self.value.others[index])
        return Node(self._context, value, parent=self, key=index)

    def _elsewhere(self, key: str | int, value: object, at: Location) -> Node:
        context = Context(at.source, at.object, fixed=(at.line, at.column))
        return Node(context, value, parent=self, key=key, base=at.path)

    def get(self, *keys: str | int) -> Node:
        """The descendant at a chain of keys and indexes; a missing node where it ends early."""
        node = self
        for key in keys:
            node = node[key]
        return node

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and children of a mapping, in order; nothing for anything else."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                yield key, self._child(key, value)

    def each(self) -> Iterator[Node]:
        """Items of a sequence, in order; nothing for anything else."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield self._item(index, value)

    def __iter__(self) -> Iterator[Node]:
        return self.each()

    def __contains__(self, key: object) -> bool:
        return isinstance(self.value, (dict, list)) and key in self.value

    def __bool__(self) -> bool:
        value = self.value
        return self.exists and value is not None and not (isinstance(value, (dict, list)) and not value)

    @property
    def key(self) -> str | int:
        """The key or index under which this node stands in its parent; empty for a root."""
        return self._key

    @property
    def is_mapping(self) -> bool:
        """Whether the value is a mapping."""
        return isinstance(self.value, dict)

    @property
    def is_sequence(self) -> bool:
        """Whether the value is a sequence."""
        return isinstance(self.value, list)

    # Reading

    def text(self) -> str | None:
        """The scalar as text: strings as they are, numbers and booleans as the source spells them.

        None for null, a missing node and containers.
        """
        value = self.value
        if isinstance(value, str) or value is None:
            return value
        if isinstance(value, (dict, list)):
            return None
        span = self._mark()
        text = self._context.text
        if span >= 0 and text is not None:
            raw = text.slice((span >> _START_SHIFT) & _LOW, span & _LOW)
            return decode_scalar(raw)[0] if raw[:1] in ("'", '"') else raw
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def integer(self) -> int | None:
        """The value as an integer: a number without fraction, or a string of digits; else None."""
        value = self.value
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and len(value) <= 1000 and _INTEGER.fullmatch(value):
            return int(value)
        return None

    def boolean(self) -> bool | None:
        """The value as a boolean: a boolean, or the string ``true`` or ``false`` in any of YAML's cases; else None."""
        value = self.value
        if isinstance(value, bool):
            return value
        if value in ("true", "True", "TRUE"):
            return True
        if value in ("false", "False", "FALSE"):
            return False
        return None

    def string_map(self) -> dict[str, str]:
        """The scalar entries of a mapping as text. Null becomes empty, as in Go's ``map[string]string``."""
        out: dict[str, str] = {}
        for key, child in self.items():
            if child.value is None:
                out[key] = ""
            elif (text := child.text()) is not None:
                out[key] = text
        return out

    # Where

    @property
    def path(self) -> str:
        """JSON path from the root (or the object, after ``with_object``): ``spec.containers[0].args[3]``."""
        parts: list[str] = []
        node = self
        while node._base is None and node._parent is not None:
            key = node._key
            if isinstance(key, int):
                parts.append(f"[{key}]")
            elif _BARE_KEY.fullmatch(key):
                parts.append("." + key)
            else:
                parts.append("['" + key.replace("\\", "\\\\").replace("'", "\\'") + "']")
            node = node._parent
        parts.append(node._base or "")
        path = "".join(reversed(parts))
        return path[1:] if path.startswith(".") else path

    def _mark(self) -> int:
        """Packed offsets of key, value and end; -1 when the source has none."""
        if self._span >= 0:
            return self._span
        parent = self._parent
        if parent is None:
            return -1
        container, key = parent.value, self._key
        if isinstance(container, MarkedMap) and isinstance(key, str):
            return container.marks.get(key, -1)
        if isinstance(container, MarkedList) and isinstance(key, int) and 0 <= key < len(container.marks):
            return container.marks[key]
        return -1

    def _at(self, offset: int) -> Location:
        context = self._context
        line, column = context.text.position(offset) if context.text is not None else context.fixed
        return Location(context.source, self.path, line, column, context.object)

    @property
    def location(self) -> Location:
        """Where the value stands. A missing node stands where its nearest existing ancestor does."""
        node: Node | None = self
        while node is not None:
            span = node._mark()
            if span >= 0:
                return self._at((span >> _START_SHIFT) & _LOW)
            node = node._parent
        context = self._context
        return Location(context.source, self.path, context.fixed[0], context.fixed[1], context.object)

    @property
    def key_location(self) -> Location:
        """Where the key stands; for an item of a sequence and for a root, where the value stands."""
        if isinstance(self._key, str) and self._parent is not None:
            span = self._mark()
            if span >= 0:
                return self._at(span >> _KEY_SHIFT)
        return self.location

    def source_map(self) -> tuple[str, Sequence[int]] | None:
        """The scalar's text and the offset of each of its characters.

        None when the value is no string or its source has no lines. Where the value was replaced by something
        that cannot be followed back to the lines, the text is that of the masked lines.
        """
        span, context = self._mark(), self._context
        if span < 0 or context.text is None or not isinstance(self.value, str):
            return None
        if context.decoded[0] != span:
            start, end = (span >> _START_SHIFT) & _LOW, span & _LOW
            decoded, offsets = decode_scalar(context.text.slice(start, end), self.value)
            offsets = [start + offset for offset in offsets]
            if decoded != self.value and (aligned := _align(self.value, decoded, offsets)) is not None:
                decoded, offsets = self.value, aligned
            context.decoded = (span, decoded, offsets)
        return context.decoded[1], context.decoded[2]

    def outer_text(self) -> tuple[str, Text, Sequence[int]] | None:
        """The scalar's text, the raw lines that hold it, and the offset of each character, plus the end's."""
        found, text = self.source_map(), self._context.text
        if found is None or text is None:
            return None
        return found[0], text, [*found[1], self._mark() & _LOW]

    def locate(self, fragment: str, after: Location | None = None) -> Location:
        """Where ``fragment`` stands inside this scalar, as a whole word if it does; else the scalar's location.

        Block, folded, plain and quoted scalars are read back from the raw lines, so the line and column are
        those of the fragment's first character in the file. With ``after``, only later places count.
        """
        found = self.source_map()
        if found is None or not fragment:
            return self.location
        text, offsets = found
        source = self._context.text
        begin = 0
        if after is not None and after.line and source is not None:
            begin = bisect_right(offsets, (after.line, after.column), key=source.position)
        pattern = re.compile(rf"(?<![\w./-]){re.escape(fragment)}(?![\w./-])")
        match = pattern.search(text, begin)
        index = match.start() if match else text.find(fragment, begin)
        if index < 0:
            return self.location
        return self._at(offsets[index])

    def with_object(self, object: str) -> Node:
        """The same node as the root of a Kubernetes object: paths below it start here and locations name it."""
        return self._derived(self._context.source, object, "")

    def with_source(self, source: str) -> Node:
        """The same node under another name of its source."""
        return self._derived(source, self._context.object, self.path)

    def _derived(self, source: str, object: str, base: str) -> Node:
        old = self._context
        context = Context(source, object, old.text, old.fixed)
        return Node(
            context,
            self.value,
            exists=self.exists,
            parent=self._parent,
            key=self._key,
            base=base,
            span=self._span,
        )


class Document:
    """One document of one source."""

    __slots__ = ("_context", "_end", "_start", "index", "problems", "root", "source")

    def __init__(
        self, context: Context, index: int, root: Node, problems: tuple[Problem, ...], start: int, end: int
    ) -> None:
        self._context = context
        self._start = start
        self._end = end
        self.source = context.source
        self.index = index
        self.root = root
        self.problems = problems

    def __repr__(self) -> str:
        return f"<Document {self.index} of {self.source}>"

    @property
    def lines(self) -> Sequence[str]:
        """The raw lines of the whole stream, without line ends; replaced secrets are masked."""
        text = self._context.text
        return Lines(text) if text is not None else ()

    @property
    def first_line(self) -> int:
        """The 1-based line in which this document, with the comments before it, begins; 0 without lines."""
        text = self._context.text
        return text.position(self._start)[0] if text is not None else 0

    def mask_comments(self, masked: Callable[[str], str]) -> None:
        """Put what ``masked`` makes of it, of the same length, in the place of the rest of each raw line from ``#`` on.

        Of the whole stream, so once for its first document; values were masked where they stand.
        """
        text = self._context.text
        if text is None or self.index:
            return
        for row, line in enumerate(text.lines):
            at = line.find("#")
            if at >= 0 and (clean := masked(line[at:])) != line[at:] and len(clean) == len(line) - at:
                text.lines[row] = line[:at] + clean

    def comments(self) -> Iterator[tuple[int, str]]:
        """Line (1-based, as in locations) and text (from ``#`` on) of each comment outside scalars."""
        text = self._context.text
        if text is None:
            return
        lines = text.lines
        rows = range(text.row(self._start), text.row(max(self._end - 1, self._start)) + 1)
        if not any("#" in lines[row] for row in rows):
            return
        spans = self._scalar_spans(text)
        begins = [span[0] for span in spans]
        for row in rows:
            if "#" not in lines[row]:
                continue
            for match in _COMMENT.finditer(lines[row]):
                offset = text.start(row) + match.start()
                if not self._start <= offset < self._end:
                    continue
                at = bisect_right(begins, offset) - 1
                if at < 0 or offset >= spans[at][1]:
                    yield text.position(offset)[0], text.shown(row)[match.start() :].rstrip()
                    break

    def _scalar_spans(self, text: Text) -> list[tuple[int, int]]:
        spans: set[tuple[int, int]] = set()

        def scalar(mark: int) -> None:
            start, end = (mark >> _START_SHIFT) & _LOW, mark & _LOW
            row = text.row(start)
            line = text.lines[row]
            column = start - text.start(row)
            if line[column : column + 1] in ("|", ">"):
                # A comment may stand in the header line of a block scalar.
                start = min(text.start(row) + len(line), end)
            if start < end:
                spans.add((start, end))

        seen: set[int] = set()
        stack: list[object] = [self.root.value]
        if not isinstance(self.root.value, (dict, list)):
            scalar(self.root._mark())
        while stack:
            container = stack.pop()
            if id(container) in seen:
                continue
            seen.add(id(container))
            if isinstance(container, MarkedMap):
                for key, mark in container.marks.items():
                    start = mark >> _KEY_SHIFT
                    if text.slice(start, start + 1) in ("'", '"'):
                        match = _QUOTED_KEY.match(text.slice(start, max((mark >> _START_SHIFT) & _LOW, start)))
                        if match:
                            spans.add((start, start + match.end()))
                    value = container.get(key)
                    if isinstance(value, (dict, list)):
                        stack.append(value)
                    else:
                        scalar(mark)
            elif isinstance(container, MarkedList):
                for value, mark in zip(container, container.marks, strict=False):
                    if isinstance(value, (dict, list)):
                        stack.append(value)
                    elif mark >= 0:
                        scalar(mark)
        return sorted(spans)

    def replace(self, node: Node, new_value: str, secrets: Collection[str] = ()) -> None:
        """Put ``new_value`` in the place of a scalar and mask what it replaces in ``lines``.

        With ``secrets``, those fragments of the scalar are masked; without, every word of the old value that
        the new one lacks. Masking keeps lengths, so locations stay true. Nodes made before this call keep the
        old value, except ``node`` itself and ``root``.
        """
        found = node.source_map()
        text = node._context.text
        old = found[0] if found is not None else node.text() or ""
        if text is not None:
            if found is not None and found[1]:
                offsets = found[1]
                for start, end in _changed(old, new_value, secrets):
                    text.mask(offsets[start], offsets[end - 1] + 1 if end < len(offsets) else node._mark() & _LOW)
                    text.forget(old[start:end])
            elif (mark := node._mark()) >= 0:
                text.mask((mark >> _START_SHIFT) & _LOW, mark & _LOW)
            node._context.decoded = (-1, "", [])
            self._context.decoded = (-1, "", [])
        node.value = new_value
        parent = node._parent
        if parent is None:
            if self.root._span == node._span:
                self.root.value = new_value
        elif isinstance(parent.value, (dict, list)):
            parent.value[node._key] = new_value  # type: ignore[index]


def mask_unread(documents: Sequence[Document]) -> None:
    """Overwrite what stands between the documents of one stream, but for comments: a document that could not be read
    may hold secrets, which nobody could find there."""
    text = documents[0]._context.text if documents else None
    if text is None:
        return
    at = 0
    ends = [(document._start, document._end) for document in documents]
    for start, end in (*ends, (text.start(len(text.lines) - 1) + len(text.lines[-1]), 0)):
        if at < start:
            for row in range(text.row(at), text.row(start) + 1):
                line, begin = text.lines[row], text.start(row)
                if not line.lstrip().startswith("#"):
                    text.mask(max(at, begin), min(start, begin + len(line)))
        at = max(at, end)


def _changed(old: str, new: str, secrets: Collection[str]) -> list[tuple[int, int]]:
    """The ranges of ``old`` to mask: each occurrence of a secret, or else each run of words that ``new`` lacks."""
    ranges: list[tuple[int, int]] = []
    for secret in secrets:
        at = old.find(secret) if secret else -1
        while at >= 0:
            ranges.append((at, at + len(secret)))
            at = old.find(secret, at + len(secret))
    if ranges or not old:
        return ranges
    before, after = _WORD.findall(old), set(_WORD.findall(new))
    at = 0
    only_marks = False  # between the last range and here stand punctuation marks only
    for word in before:
        end = at + len(word)
        if word not in after and not word.isspace():
            if only_marks:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((at, end))
            only_marks = True
        elif not _PUNCTUATION.fullmatch(word):
            only_marks = False
        at = end
    return ranges


def _align(value: str, decoded: str, offsets: list[int]) -> list[int] | None:
    """The offset of each character of a redacted value, by the pieces between its markers; None if they differ."""
    pieces = MARKER.split(value)
    if len(pieces) == 1 or not decoded.startswith(pieces[0]):
        return None
    out = offsets[: len(pieces[0])]
    at = len(pieces[0])
    markers = [len(match.group()) for match in MARKER.finditer(value)]
    for index, (piece, length) in enumerate(zip(pieces[1:], markers, strict=True)):
        last = index == len(markers) - 1
        found = len(decoded) - len(piece) if last and decoded.endswith(piece) else decoded.find(piece, at)
        if found < at or at >= len(decoded):
            return None
        out.extend([offsets[at]] * length)
        out.extend(offsets[found : found + len(piece)])
        at = found + len(piece)
    return out if at == len(decoded) and len(out) == len(value) else None


def wrap(value: object, source: str, path: str = "", location: Location | None = None) -> Node:
    """A node over plain data without marks: a live object, JSON from an API, a decoded argument.

    With ``location``, the data stands there as a whole: every node has its line, column and object, and a path
    that continues its path.
    """
    if location is None:
        return Node(Context(source), value, base=path)
    context = Context(source, location.object, fixed=(location.line, location.column))
    return Node(context, value, base=path or location.path)


# Reading a scalar back from its raw text, with the place of each character. This follows libyaml's scanner, so
# that the result equals the value; what it cannot follow (NEL and other rare line ends) only costs exactness of
# columns inside that scalar.

_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_HEX_LENGTH = {"x": 2, "u": 4, "U": 8}
_SPACE = re.compile(r"[ \t\r\n]+")
_PIECE = {
    '"': re.compile(r"[^\\ \t\r\n]+|\\(?:\r\n|.)[ \t]*|[ \t\r\n]+", re.DOTALL),
    "'": re.compile(r"[^' \t\r\n]+|''|[ \t\r\n]+"),
    "": re.compile(r"[^ \t\r\n]+|[ \t\r\n]+"),
}


def decode_scalar(raw: str, value: str | None = None) -> tuple[str, list[int]]:
    """The text of a scalar from its raw YAML or JSON spelling, and the offset in ``raw`` of each character.

    ``value``, the text as the parser read it, tells the indentation of a block scalar with an explicit one.
    """
    style = raw[:1]
    if style in ("|", ">"):
        return _decode_block(raw, value)
    if style in ("'", '"'):
        return _decode_flow(raw, style, 1, len(raw) - 1 if len(raw) > 1 and raw[-1] == style else len(raw))
    if not _SPACE.search(raw):
        return raw, list(range(len(raw)))
    return _decode_flow(raw, "", 0, len(raw))


def _decode_flow(raw: str, style: str, begin: int, end: int) -> tuple[str, list[int]]:
    out: list[str] = []
    offsets: list[int] = []
    at = begin
    piece = _PIECE[style]
    joined = False
    while at < end:
        match = piece.match(raw, at, end)
        if match is None:
            out.append(raw[at])
            offsets.append(at)
            at += 1
            continue
        text = match.group()
        first = text[0]
        if first in " \t\r\n":
            breaks = len(_LINE_END.findall(text))
            if joined:
                # After an escaped line end, further line ends are kept and blanks dropped.
                out.extend("\n" * breaks)
                offsets.extend([at] * breaks)
            elif breaks == 0:
                out.append(text)
                offsets.extend(range(at, at + len(text)))
            else:
                folded = " " if breaks == 1 else "\n" * (breaks - 1)
                out.append(folded)
                offsets.extend([at] * len(folded))
            joined = False
            at = match.end()
            continue
        joined = False
        if style == '"' and first == "\\":
            code = text[1]
            if code in "\r\n":
                joined = True
                at = match.end()
                continue
            size = _HEX_LENGTH.get(code, 0)
            if size:
                digits = raw[at + 2 : at + 2 + size]
                try:
                    number = int(digits, 16)
                    # JSON writes characters beyond the first plane as two surrogates.
                    if 0xD800 <= number < 0xDC00 and raw[at + 6 : at + 8] == "\\u":
                        low = int(raw[at + 8 : at + 12], 16)
                        if 0xDC00 <= low < 0xE000:
                            number = 0x10000 + ((number - 0xD800) << 10) + low - 0xDC00
                            size += 6
                    out.append("\ufffd" if 0xD800 <= number < 0xE000 else chr(number))
                except ValueError:
                    out.append("\ufffd")
            else:
                out.append(_ESCAPES.get(code, code))
            offsets.append(at)
            at += 2 + size
            continue
        if style == "'" and first == "'":
            out.append("'")
            offsets.append(at)
        else:
            out.append(text)
            offsets.extend(range(at, at + len(text)))
        at = match.end()
    return "".join(out), offsets


def _decode_block(raw: str, value: str | None) -> tuple[str, list[int]]:
    header = _BLOCK_HEADER.match(raw)
    if header is None:
        return raw, list(range(len(raw)))
    literal, flags = raw[0] == "|", header.group(1)
    rows: list[tuple[int, str]] = []
    at = header.end()
    for match in _LINE_END.finditer(raw, at):
        rows.append((at, raw[at : match.start()]))
        at = match.end()
    if at < len(raw):
        rows.append((at, raw[at:]))
    indent = 0
    for _, line in rows:
        if line.strip(" "):
            indent = len(line) - len(line.lstrip(" "))
            if value is not None and any(char.isdigit() for char in flags):
                first = value.lstrip("\n")
                indent -= len(first) - len(first.lstrip(" "))
            break
    out: list[str] = []
    offsets: list[int] = []
    breaks: list[int] = []
    previous_blank = False
    begun = False
    for begin, line in rows:
        content = line[indent:]
        if not content and not line.strip(" "):
            breaks.append(begin + len(line))
            continue
        blank = content[:1] in (" ", "\t")
        if begun and not literal and not previous_blank and not blank:
            if len(breaks) == 1:
                out.append(" ")
                offsets.append(breaks[0])
            breaks = breaks[1:]
            if breaks:
                out.append("\n" * len(breaks))
                offsets.extend(breaks)
        else:
            out.append("\n" * len(breaks))
            offsets.extend(breaks)
        out.append(content)
        offsets.extend(range(begin + indent, begin + len(line)))
        breaks = [begin + len(line)]
        previous_blank = blank
        begun = True
    if begun and not raw.endswith(("\n", "\r")) and breaks and breaks[-1] == len(raw):
        breaks.pop()
    if "-" in flags:
        breaks = []
    elif "+" not in flags:
        breaks = breaks[:1] if begun else []
    out.append("\n" * len(breaks))
    offsets.extend(breaks)
    return "".join(out), offsets
