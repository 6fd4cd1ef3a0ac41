"""YAML and JSON text to documents, valued as kubectl reads them, every key and value with its place.

kubectl decodes YAML with sigs.k8s.io/yaml, which is go-yaml v2 followed by a conversion to JSON. Its scalars are
neither YAML 1.1's nor 1.2's: ``on`` is true, ``0777`` is 511, ``1:30`` is a string, ``1e3`` is 1000, the key
``y`` is ``"true"``. The rules below follow ``resolve.go`` of go.yaml.in/yaml/v2 and ``convertToJSONableObject``
of sigs.k8s.io/yaml, and the tests hold what the Go code answered.

A stream is split at ``---`` lines, as kubectl does, and each document is parsed on its own: one broken document
does not hide the others, and memory is that of the text and one document.

Nothing is constructed from tags and nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, NoReturn

from askew.evidence.document import (
    Context,
    Document,
    MarkedList,
    MarkedMap,
    Node,
    Problem,
    Scalar,
    Text,
)
from askew.evidence.errors import DocumentError, EvidenceError
from askew.evidence.location import Location

__all__ = ["Dialect", "DocumentError", "EvidenceError", "Stream", "documents", "nested", "read", "resolve"]

Dialect = Literal["kubectl", "yaml"]
"""``kubectl``: go-yaml v2 (see above). ``yaml``: go-yaml v3, as docker compose reads: ``yes``, ``on`` and ``y`` are
strings, and a key beats a ``<<`` merge wherever it stands."""

MAX_BYTES = 64 * 2**20
MAX_LINES = 5_000_000
MAX_DEPTH = 200
MAX_NODES = 5_000_000  # of one document; some 200 bytes each. 64 MiB of real manifests hold half as many.
MAX_EXPANDED = 1_000_000
MAX_DOCUMENTS = 200_000
MAX_NOTES = 1_000
MAX_ERRORS = 100

_SEPARATOR = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_EMPTY = re.compile(r"(?:---)?[ \t]*(?:#[^\n\r]*)?(?:[\r\n][ \t]*(?:#[^\n\r]*)?)*\Z")
_ONLY_PREAMBLE = re.compile(r"(?:[ \t]*(?:#[^\n\r]*)?[\r\n]|%[^\n\r]*[\r\n])*[ \t]*(?:#[^\n\r]*)?\Z")
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:[ \t\r\n]+(?:#[^\r\n]*[\r\n]+[ \t\r\n]*)*|(?=[,\[\]{}]|\Z)))+")
# Compiled only when needed: the ranges take longer to compile than all other patterns together.
_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff"
_TEMPLATE = re.compile(r"\{\{|\{%")

_KEY = 64
_START = 32

# Scalars ------------------------------------------------------------------------------------------------------

_NULLS: dict[str, Scalar] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS_V3: dict[str, Scalar] = {
    **_NULLS,
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WORDS_V2: dict[str, Scalar] = {
    **_WORDS_V3,
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_FIRST = frozenset("0123456789+-.yYnNtTfFoO~")
_NUMERIC = frozenset("0123456789+-.")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]([0-7]+)|0[bB]([01]+)|0([0-7]+)|(0|[1-9][0-9]*))")
# Behind a leading dot, Go allows underscores between digits only.
_LOOSE = re.compile(r"(?<![0-9])_|_(?![0-9])")
# go-yaml v2 hands what follows 0b to strconv.ParseInt, which takes a sign.
_BINARY = re.compile(r"0b([-+][01]{1,63})")
_BASES = ((2, 16), (3, 8), (4, 2), (5, 8), (6, 10))
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = frozenset(
    sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")
) | {".nan", ".NaN", ".NAN"}  # fmt: skip
_MAX_INT = 2**63 - 1
_EXACT = 2**53
_MAX_UINT = 2**64 - 1


def _number(text: str) -> int | float | None:
    """A number as go-yaml v2 reads a plain scalar that begins like one; None where it reads a string."""
    if text[0] == "." and _LOOSE.search(text):
        return None
    plain = text.replace("_", "")
    match = _INTEGER.fullmatch(plain)
    if match and len(plain) <= 80:
        for group, base in _BASES:
            digits = match.group(group)
            if digits is not None:
                number = int(digits, base)
                if match.group(1) == "-":
                    number = -number
                if -_MAX_INT - 1 <= number <= _MAX_INT or (not match.group(1) and number <= _MAX_UINT):
                    return number
                break
    elif match := _BINARY.fullmatch(plain):
        return int(match.group(1), 2)
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        if value in (float("inf"), float("-inf")):
            return None
        # JSON writes a float without fraction as an integer up to 1e21, and Kubernetes then reads an integer.
        return int(value) if value.is_integer() and abs(value) <= _EXACT else value
    return None


def resolve(text: str, dialect: Dialect = "kubectl") -> Scalar:
    """The value of a plain scalar. Infinity and NaN stay text: JSON, and so Kubernetes, cannot hold them."""
    if text and text[0] not in _FIRST:
        return text
    words = _WORDS_V2 if dialect == "kubectl" else _WORDS_V3
    if text in words:
        return words[text]
    if text[0] in _NUMERIC:
        number = _number(text)
        return text if number is None else number
    return text


def _key_text(value: Scalar) -> str:
    """A resolved key as sigs.k8s.io/yaml writes it: ``true``, ``16``, and floats in Go's shortest ``%g``."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def _float_key(text: str) -> str:
    """A float key: ``strconv.FormatFloat(x, 'g', -1, 32)``."""
    import struct

    value = float(text.replace("_", ""))
    try:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        single = value * float("inf")
    if single in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    digits = 1
    while digits < 9 and struct.unpack("f", struct.pack("f", float(f"{single:.{digits - 1}e}")))[0] != single:
        digits += 1
    mantissa, exponent = f"{single:.{digits - 1}e}".split("e")
    power = int(exponent)
    if power < -4 or power >= 6:
        return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return f"{single:.{max(digits - power - 1, 0)}f}"


# Bytes to text ------------------------------------------------------------------------------------------------


def _decode(data: bytes, source: str) -> str:
    codec = "utf-8"
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            data, codec = data[len(mark) :], name
            break
    if codec == "utf-8" and (at := data.find(b"\0")) >= 0:
        _binary(source, data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at))
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if codec != "utf-8":
            raise DocumentError(
                source, line, 1, "the file begins as UTF-16 but is not valid UTF-16", "save it as UTF-8"
            ) from None
        begin = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[begin : error.start].decode("utf-8", "replace")) + 1
        raise DocumentError(
            source,
            line,
            column,
            f"expected UTF-8 text, found the byte 0x{data[error.start]:02x}",
            "save the file as UTF-8; if it is not a text file, leave it out",
        ) from None


def _binary(source: str, line: int, column: int) -> NoReturn:
    raise DocumentError(
        source,
        line,
        column,
        "expected text, found a NUL byte: this is a binary file",
        "point at a YAML or JSON file; if this is one, save it as UTF-8",
    )


def _prepare(text: str | bytes, source: str) -> str:
    size = len(text)
    if size <= MAX_BYTES and isinstance(text, str) and not text.isascii():
        size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise DocumentError(
            source,
            0,
            0,
            f"the file has {size:,} bytes; at most {MAX_BYTES:,} are read",
            "point at the manifest itself, or split the file at its '---' lines",
        )
    if isinstance(text, bytes):
        text = _decode(text, source)
    text = text.lstrip("\ufeff")
    if (at := text.find("\0")) >= 0:
        _binary(source, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
    if text.count("\n") + text.count("\r") > MAX_LINES:
        raise DocumentError(
            source,
            0,
            0,
            f"the file has more than {MAX_LINES:,} lines",
            "point at the manifest itself, or split the file at its '---' lines",
        )
    return text


# JSON ---------------------------------------------------------------------------------------------------------

_J_SPACE = re.compile(r"[ \t\n\r]*")
_J_KEY = re.compile(r'[ \t\n\r]*"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
_J_STRING = re.compile(r'"([^"\\\x00-\x1f]*)"')
_J_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_J_NEXT = re.compile(r"[ \t\n\r]*([,\]}])[ \t\n\r]*")
_J_BEGIN = re.compile(r'[{\[]\s*["{\[]')
_J_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_J_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}


class _NotJsonError(Exception):
    """The text is not JSON; it may still be YAML."""

    def __init__(self, offset: int, expected: str) -> None:
        super().__init__(expected)
        self.offset = offset
        self.expected = expected


class _Json:
    """Reads one JSON value after another from a text, with marks."""

    def __init__(self, text: str, base: int) -> None:
        self.text = text
        self.base = base
        self.duplicates: list[tuple[str, int, int]] = []
        self.size = 0
        self.keys: dict[str, str] = {}

    def string(self, at: int) -> tuple[str, int]:
        """A string with escapes, which begins at its quote."""
        from _json import scanstring

        try:
            value, end = scanstring(self.text, at + 1, True)
        except ValueError as error:
            raise _NotJsonError(getattr(error, "pos", at), "a closed string with JSON's escapes") from None
        if not value.isascii():
            # A lone surrogate, which Go replaces likewise.
            value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return value, end

    def value(self, at: int, depth: int) -> tuple[object, int]:
        """The value that begins at an offset, and the offset behind it."""
        text = self.text
        char = text[at : at + 1]
        if char == '"':
            match = _J_STRING.match(text, at)
            if match:
                return match.group(1), match.end()
            return self.string(at)
        if char == "{":
            return self.mapping(at, depth + 1)
        if char == "[":
            return self.sequence(at, depth + 1)
        match = _J_LITERAL.match(text, at)
        if match is None:
            raise _NotJsonError(at, "a value")
        word = match.group()
        if word in _J_WORDS:
            return _J_WORDS[word], match.end()
        if len(word) <= 18 and word.lstrip("-").isdigit():
            return int(word), match.end()
        if "." in word or "e" in word or "E" in word:
            number = float(word)
            # A JSON number that no float can hold: Kubernetes refuses it; here it stays text.
            return (word if number in (float("inf"), float("-inf")) else number), match.end()
        number = _number(word) or 0
        return number, match.end()

    def mapping(self, at: int, depth: int) -> tuple[MarkedMap, int]:
        if depth > MAX_DEPTH:
            raise _NotJsonError(at, f"at most {MAX_DEPTH} levels of nesting")
        text, base, keys = self.text, self.base, self.keys
        out = MarkedMap()
        marks = out.marks
        match = _J_SPACE.match(text, at + 1)
        at = match.end() if match else at + 1
        if text[at : at + 1] == "}":
            return out, at + 1
        while True:
            match = _J_KEY.match(text, at)
            if match:
                key = match.group(1)
                begin, at = match.start(1) - 1, match.end()
            else:
                if text[at : at + 1] != '"':
                    raise _NotJsonError(at, "a key in double quotes")
                begin = at
                key, at = self.string(at)
                match = _J_COLON.match(text, at)
                if match is None:
                    raise _NotJsonError(at, "':' after the key")
                at = match.end()
            key = keys.setdefault(key, key)
            value, end = self.value(at, depth)
            mark = (base + begin) << _KEY | (base + at) << _START | (base + end)
            if key in marks and len(self.duplicates) < MAX_NOTES:
                self.duplicates.append((key, mark >> _KEY, marks[key] >> _KEY))
            marks[key] = mark
            out[key] = value
            match = _J_NEXT.match(text, end)
            if match is None or match.group(1) == "]":
                raise _NotJsonError(end, "',' or '}'")
            if match.group(1) == "}":
                self.size += len(marks) + 1
                return out, match.end(1)
            if self.size + len(marks) > MAX_NODES:
                raise _FaultError(at, _TOO_LARGE, _TOO_LARGE_HINT)
            at = match.end()

    def sequence(self, at: int, depth: int) -> tuple[MarkedList, int]:
        if depth > MAX_DEPTH:
            raise _NotJsonError(at, f"at most {MAX_DEPTH} levels of nesting")
        text, base = self.text, self.base
        out = MarkedList()
        marks = out.marks
        match = _J_SPACE.match(text, at + 1)
        at = match.end() if match else at + 1
        if text[at : at + 1] == "]":
            return out, at + 1
        while True:
            value, end = self.value(at, depth)
            out.append(value)
            marks.append((base + at) << _START | (base + end))
            match = _J_NEXT.match(text, end)
            if match is None or match.group(1) == "}":
                raise _NotJsonError(end, "',' or ']'")
            if match.group(1) == "]":
                self.size += len(marks) + 1
                return out, match.end(1)
            if self.size + len(marks) > MAX_NODES:
                raise _FaultError(at, _TOO_LARGE, _TOO_LARGE_HINT)
            at = match.end()


# YAML ---------------------------------------------------------------------------------------------------------


class _FaultError(Exception):
    """A fault that the builder found at an offset of its chunk."""

    def __init__(self, offset: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.hint = hint


class _Anchor:
    __slots__ = ("end", "height", "size", "start", "value")

    def __init__(self, value: object, start: int, end: int, size: int, height: int) -> None:
        self.value = value
        self.start = start
        self.end = end
        self.size = size
        self.height = height


_TAG = "tag:yaml.org,2002:"
_NAMES = ("map", "seq", "set", "omap", "pairs", "str", "binary", "timestamp", "merge", "int", "float", "bool", "null")
_PLAIN_TAGS = frozenset(_TAG + name for name in _NAMES)
_PROPERTY = ("!", "&")
_NO_MAPPING_KEY = "expected a plain key, found a mapping or a sequence as the key"
_DUPLICATE = "is set twice in this mapping; the last one counts, and strict validation refuses it"
_LATE_MERGE = "is overwritten by the '<<' below it: kubectl copies merged keys over what stands before"
_TOO_MANY = f"aliases expand this document to more than {MAX_EXPANDED:,} nodes"
_TOO_MANY_HINT = "write the values out, or use fewer nested aliases"

_TOO_LARGE = f"the document has more than {MAX_NODES:,} values"
_TOO_LARGE_HINT = "point at the manifest itself, or split it into several documents"

_Note = tuple[int, str, int]
"""Offset, message, and the offset of an earlier place or -1."""
_Built = tuple[object, int, int, list[_Note]]
"""Root value, its mark, the offset behind the document, and notes."""


class _Builder:
    """Builds documents from the events of one chunk of text.

    It walks the parser's events itself: PyYAML's own constructor would resolve scalars as YAML 1.1, drop the
    places, and take twice as long.
    """

    def __init__(self, text: str, base: int, dialect: Dialect, keys: dict[str, str], begun: list[int]) -> None:
        from yaml.events import (
            AliasEvent,
            DocumentEndEvent,
            DocumentStartEvent,
            MappingEndEvent,
            ScalarEvent,
            SequenceEndEvent,
            SequenceStartEvent,
            StreamEndEvent,
        )

        self.text = text
        self.base = base
        self.dialect = dialect
        self.keys = keys
        self.alias_event: Any = AliasEvent
        self.document_start: Any = DocumentStartEvent
        self.document_end: Any = DocumentEndEvent
        self.mapping_end: Any = MappingEndEvent
        self.scalar_event: Any = ScalarEvent
        self.sequence_start: Any = SequenceStartEvent
        self.sequence_end: Any = SequenceEndEvent
        self.stream_end: Any = StreamEndEvent
        self.event: Any = _parser(text).get_event
        self.anchors: dict[str, _Anchor | None] = {}
        self.notes: list[_Note] = []
        self.size = 0
        self.expanded = 0
        self.deepest = 0
        self.open = begun

    def documents(self) -> Iterator[_Built]:
        """Each document of the chunk."""
        while True:
            event = self.event()
            kind = type(event)
            if kind is self.stream_end or event is None:
                return
            if kind is not self.document_start:
                continue
            self.anchors, self.notes = {}, []
            self.size = self.expanded = self.deepest = 0
            value, start, end = self.node(self.event(), 0)
            finish: int = self.event().end_mark.index
            yield value, (self.base + start) << _START | (self.base + end), self.base + finish, self.notes

    def node(self, event: Any, depth: int) -> tuple[object, int, int]:
        """The value of the node that an event begins, with its offsets in the chunk."""
        kind = type(event)
        start: int = event.start_mark.index
        name: str | None = event.anchor
        if kind is self.alias_event:
            return self.alias(name or "", start, depth)
        tag: str | None = event.tag
        if kind is self.scalar_event:
            end: int = event.end_mark.index
            if name or tag or self.text[start : start + 1] in ("!", "&"):
                start = self.behind_properties(start, end)
            value = self.scalar(event, start)
            if name:
                self.anchors[name] = _Anchor(value, start, end, 1, 0)
            return value, start, end
        if name or tag:
            at = start
            start = self.behind_properties(start, len(self.text))
            if tag and tag not in _PLAIN_TAGS and tag != "!":
                self.note((self.base + at, f"the tag {_short(tag)} is not applied; the plain value is read", -1))
        depth += 1
        if depth > MAX_DEPTH:
            raise _FaultError(start, f"expected at most {MAX_DEPTH} levels of nesting", "flatten the document")
        before, deepest = self.size, self.deepest
        if name:
            self.anchors[name] = None
            self.deepest = depth
        elif depth > deepest:
            self.deepest = depth
        container: MarkedMap | MarkedList
        self.open.append(start)
        if kind is self.sequence_start:
            container, end = self.sequence(depth)
        else:
            container, end = self.mapping(depth)
        self.open.pop()
        self.size += len(container) + 1
        if name:
            self.anchors[name] = _Anchor(container, start, end, self.size - before, self.deepest - depth)
            self.deepest = max(self.deepest, deepest)
        return container, start, end

    def alias(self, name: str, start: int, depth: int) -> tuple[object, int, int]:
        if name not in self.anchors:
            raise _FaultError(
                start,
                f"the alias *{name} has no anchor &{name} before it in this document",
                f"define &{name} above, or quote a value that begins with '*'",
            )
        anchor = self.anchors[name]
        if anchor is None:
            raise _FaultError(start, f"the anchor &{name} contains itself", "write the inner value out")
        self.size += anchor.size
        self.expanded += anchor.size
        if self.expanded > MAX_EXPANDED:
            raise _FaultError(start, _TOO_MANY, _TOO_MANY_HINT)
        reached = depth + 1 + anchor.height
        if reached > MAX_DEPTH:
            raise _FaultError(start, f"expected at most {MAX_DEPTH} levels of nesting", "flatten the document")
        self.deepest = max(self.deepest, reached)
        return anchor.value, anchor.start, anchor.end

    def behind_properties(self, start: int, end: int) -> int:
        """Where the node itself begins, behind its tag and anchor."""
        match = _PROPERTIES.match(self.text, start, end)
        return match.end() if match else start

    def scalar(self, event: Any, start: int) -> Scalar:
        value: str = event.value
        tag: str | None = event.tag
        at: int = event.start_mark.index
        if tag is None:
            # libyaml forgets the tag "!", which makes a plain scalar a string.
            if not event.implicit[0] or self.text[at : at + 1] == "!":
                return value
            if value in _NOT_FINITE:
                self.note_not_finite(at)
            return resolve(value, self.dialect)
        if not tag.startswith(_TAG):
            self.note((self.base + at, f"the tag {_short(tag)} is not applied; the plain text is read", -1))
            return value
        name = tag[len(_TAG) :]
        if name == "str" or name == "timestamp":
            return value
        if name == "binary":
            from binascii import Error, a2b_base64

            packed = value.replace("\r", "").replace("\n", "").encode("ascii", "replace")
            try:
                return a2b_base64(packed, strict_mode=True).decode("utf-8", "replace")
            except Error:
                raise _FaultError(
                    start, "expected base64 after !!binary", "encode the value, or remove the tag"
                ) from None
        if name in ("int", "float", "bool", "null"):
            resolved = resolve(value, "kubectl")
            if name == "float" and value in _NOT_FINITE:
                self.note_not_finite(at)
                return value
            if name == "float" and isinstance(resolved, (int, float)) and not isinstance(resolved, bool):
                return resolved
            if name == "int" and isinstance(resolved, int) and not isinstance(resolved, bool):
                if not _INTEGER.fullmatch(value.replace("_", "")) or abs(resolved) > _MAX_UINT:
                    raise _FaultError(
                        start, "expected an integer after !!int, found a float", "remove the tag or the fraction"
                    )
                return resolved
            if (name == "bool" and isinstance(resolved, bool)) or (name == "null" and resolved is None):
                return resolved
            raise _FaultError(start, f"the text after !!{name} is no {name}", "quote the value or remove the tag")
        if tag not in _PLAIN_TAGS:
            self.note((self.base + at, f"the tag {_short(tag)} is not applied; the plain text is read", -1))
        return value

    def note(self, note: _Note) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(note)

    def note_not_finite(self, at: int) -> None:
        self.note((self.base + at, "infinity and NaN cannot be written as JSON; Kubernetes refuses them", -1))

    def key(self, event: Any, depth: int) -> tuple[str, int, bool]:
        """A key as text, its offset, and whether it is a merge key."""
        kind = type(event)
        if kind is not self.scalar_event and kind is not self.alias_event:
            raise _FaultError(event.start_mark.index, _NO_MAPPING_KEY, "quote the key")
        value, start, _ = self.node(event, depth)
        if isinstance(value, (dict, list)):
            raise _FaultError(start, _NO_MAPPING_KEY, "quote the key")
        if value is None:
            raise _FaultError(start, "expected a key, found null", "quote the key")
        if kind is self.scalar_event:
            text: str = event.value
            if value == "<<" and (event.implicit[0] or event.tag == _TAG + "merge"):
                return "<<", start, True
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                plain = text.replace("_", "")
                if not (_INTEGER.fullmatch(plain) or _BINARY.fullmatch(plain)) or (
                    isinstance(value, int) and abs(value) > _MAX_UINT
                ):
                    return _float_key(text), start, False
            if event.implicit[0] and text in _NOT_FINITE:
                return text.lstrip("+").lower(), start, False
        assert isinstance(value, (str, int, float))
        return _key_text(value), start, False

    def mapping(self, depth: int) -> tuple[MarkedMap, int]:
        out = MarkedMap()
        marks = out.marks
        next_event, scalar_event, end_event = self.event, self.scalar_event, self.mapping_end
        keys, base, source = self.keys, self.base, self.text
        merged: set[str] = set()
        while True:
            event: Any = next_event()
            if type(event) is end_event:
                return out, event.end_mark.index
            if type(event) is scalar_event and event.value in keys and event.implicit[0] and event.anchor is None:
                key, begin, merge = keys[event.value], event.start_mark.index, False
            else:
                key, begin, merge = self.key(event, depth)
                if not merge and type(event) is scalar_event and event.implicit[0] and event.anchor is None:
                    keys[event.value] = key
            event = next_event()
            value: Any
            if type(event) is scalar_event and event.tag is None and event.anchor is None:
                value, start, end = event.value, event.start_mark.index, event.end_mark.index
                if event.implicit[0]:
                    if source[start : start + 1] in _PROPERTY:
                        value, start, end = self.node(event, depth)
                    elif not value or value[0] in _FIRST:
                        value = self.scalar(event, start)
            else:
                value, start, end = self.node(event, depth)
            if merge:
                self.merge(out, merged, value, start)
                continue
            if key in marks and key not in merged:
                self.note((base + begin, f"the key {key!r} {_DUPLICATE}", marks[key] >> _KEY))
            merged.discard(key)
            marks[key] = (base + begin) << _KEY | (base + start) << _START | (base + end)
            out[key] = value
            if self.size + len(marks) > MAX_NODES:
                raise _FaultError(begin, _TOO_LARGE, _TOO_LARGE_HINT)

    def sequence(self, depth: int) -> tuple[MarkedList, int]:
        out = MarkedList()
        marks = out.marks
        base, end_event = self.base, self.sequence_end
        while True:
            event: Any = self.event()
            if type(event) is end_event:
                return out, event.end_mark.index
            value, start, end = self.node(event, depth)
            out.append(value)
            marks.append((base + start) << _START | (base + end))
            if self.size + len(marks) > MAX_NODES:
                raise _FaultError(start, _TOO_LARGE, _TOO_LARGE_HINT)

    def merge(self, out: MarkedMap, merged: set[str], value: object, start: int) -> None:
        """Merge ``<<`` into a mapping that has been read so far; ``merged`` names the keys that came by merging.

        go-yaml v2 copies at the place of the ``<<``, over keys that stand before it, against YAML's own rule.
        """
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, MarkedMap) for source in sources):
            raise _FaultError(
                start, "expected a mapping or a list of mappings after '<<'", "quote the key if no merge is meant"
            )
        explicit = set(out) - merged
        taken: set[str] = set()
        for source in sources:
            assert isinstance(source, MarkedMap)
            self.expanded += len(source)
            if self.expanded > MAX_EXPANDED:
                raise _FaultError(start, _TOO_MANY, _TOO_MANY_HINT)
            for key, mark in source.marks.items():
                if key in taken:
                    continue
                taken.add(key)
                if key in explicit:
                    if self.dialect != "kubectl" or out[key] == source[key]:
                        continue
                    self.note((out.marks[key] >> _KEY, f"the key {key!r} {_LATE_MERGE}", -1))
                elif self.dialect != "kubectl" and key in merged:
                    continue
                out[key] = source[key]
                out.marks[key] = mark
                merged.add(key)


def _short(tag: str) -> str:
    return "!!" + tag[len(_TAG) :] if tag.startswith(_TAG) else tag


def _parser(text: str) -> Any:
    """A source of events: libyaml's if PyYAML was built with it, else PyYAML's own, slower by a factor of ten."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        from yaml.parser import Parser
        from yaml.reader import Reader
        from yaml.scanner import Scanner

        class _Pure(Reader, Scanner, Parser):
            def __init__(self, stream: str) -> None:
                Reader.__init__(self, stream)
                Scanner.__init__(self)
                Parser.__init__(self)

        return _Pure(text)
    return CParser(text)


# Faults in plain words ----------------------------------------------------------------------------------------

_TEMPLATE_HINT = (
    "this looks like an unrendered Helm or Jinja template; render it first, or point at the chart: "
    "helm:CHART/?values=values.yaml"
)
_ALIGN = "align the line with its siblings"
_QUOTE = "quote the value"
_TAB = ("found a tab in the indentation; YAML indents with spaces only", "replace the tab by spaces")

_UNCLOSED = (
    "expected ',' or the closing bracket of what begins here",
    "close it, or quote the text if the bracket belongs to the value",
)


class _Meaning(NamedTuple):
    """What a parser's complaint means. ``begins``: the fault lies where the construct begins."""

    said: str
    means: str
    hint: str
    begins: bool = False


# The words of libyaml's scanner.c and parser.c and of PyYAML's scanner.py and parser.py.
_MEANINGS = (
    _Meaning(
        "mapping values are not allowed",
        "found ': ' where no key can stand",
        "quote the value if the colon belongs to it, or check the indentation of this line and the one before",
    ),
    _Meaning(
        "could not find expected ':'",
        "expected ':' after this key",
        "add ': ', or indent the line if it continues a value",
        begins=True,
    ),
    _Meaning(
        "expected ',' or",
        *_UNCLOSED,
        begins=True,
    ),
    _Meaning(
        "expected key",
        "expected a key at the indentation of the mapping around it",
        f"{_ALIGN}; quote a value as a whole if it begins with a quote and goes on behind it",
    ),
    _Meaning("expected '-' indicator", "expected '- ' at the indentation of the list around it", _ALIGN),
    _Meaning("expected <block end>", "expected a key or '- ' at the indentation of what stands before it", _ALIGN),
    _Meaning("node content", "expected a value", "quote the value if it begins with a special character"),
    _Meaning(
        "sequence entries are not allowed",
        "found '- ' where no list item can stand",
        "begin the list on a line of its own, or quote the value",
    ),
    _Meaning("mapping keys are not allowed", "found '? ' where no key can stand", _QUOTE),
    _Meaning("unexpected end of stream", "expected a closing quote", "close the quote that begins here", begins=True),
    _Meaning("unexpected document", "expected a closing quote", "close the quote that begins here", begins=True),
    _Meaning("tab character", *_TAB),
    _Meaning(
        "unknown escape character",
        "expected one of YAML's escapes behind the backslash",
        "double the backslash, or use single quotes",
    ),
    _Meaning(
        "hexdecimal", "expected hexadecimal digits behind the backslash", "double the backslash, or use single quotes"
    ),
    _Meaning(
        "hexadecimal", "expected hexadecimal digits behind the backslash", "double the backslash, or use single quotes"
    ),
    _Meaning("invalid Unicode character escape", "expected an escape that names a character", "write the character"),
    _Meaning("tag handle", "expected a tag whose prefix is declared", "quote the value if the '!' belongs to it"),
    _Meaning(
        "expected <document start>",
        "expected '---' or the end of the document",
        "check the indentation of this line and the one before, or put '---' between two documents",
    ),
    _Meaning(
        "expected '<document start>'",
        "expected '---' or the end of the document",
        "check the indentation of this line and the one before, or put '---' between two documents",
    ),
    _Meaning("alphabetic or numeric", "expected a name behind '&' or '*'", _QUOTE),
    _Meaning(
        "indentation indicator",
        "expected an indentation from 1 to 9 behind '|' or '>'",
        "leave the digit out, or begin the text on the next line",
    ),
    _Meaning("expected a comment or a line break", "expected the end of the line", "put the text on the next line"),
    _Meaning("expected chomping", "expected the end of the line", "put the text on the next line"),
)


def _without_colon(text: str, at: int) -> str:
    """``in the line before`` when that line looks like a key without its ``: ``; else nothing."""
    line = text.rfind("\n", 0, at)
    before = text[text.rfind("\n", 0, max(line, 0)) + 1 : max(line, 0)].strip()
    lacks = before and before[0] not in "-#'\"[{" and not re.search(r":(?:\s|$)", before)
    return "in the line before" if lacks else ""


def _translate(error: Any, text: str, begun: list[int]) -> _FaultError:
    """A parser's complaint as a place in the chunk and plain words; ``begun`` are the offsets of open containers."""
    problem = str(getattr(error, "problem", None) or "")
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is None:
        if match := re.search(_FORBIDDEN, text):
            found = f"found the character U+{ord(match.group()):04X}, which YAML does not allow"
            return _FaultError(match.start(), found, "remove it, or write it as an escape in double quotes")
        return _FaultError(0, f"expected YAML: {problem or error}", "check the file with a YAML editor")
    at: int = min(mark.index, len(text))
    if begun and at >= len(text.rstrip()) and text[begun[-1]] in "[{":
        return _FaultError(begun[-1], *_UNCLOSED)
    before = text[text.rfind("\n", 0, at) + 1 : at + 1]
    if "\t" in before and not before[:-1].strip():
        return _FaultError(at, *_TAB)
    if "cannot start any token" in problem:
        char = text[at : at + 1]
        return _FaultError(at, f"expected a value, which cannot begin with {char!r} unless it is quoted", _QUOTE)
    for meaning in _MEANINGS:
        if meaning.said in problem:
            hint = meaning.hint
            if (meaning.begins or at >= len(text.rstrip())) and context is not None:
                at = min(context.index, at)
            if meaning is _MEANINGS[0] and (line := _without_colon(text, at)):
                hint = f"add ': ' behind the key {line}, or quote the value if the colon belongs to it"
            return _FaultError(at, meaning.means, hint)
    return _FaultError(at, f"expected YAML: {problem}", "check this line and the one before")


# Streams ------------------------------------------------------------------------------------------------------


class Stream:
    """The documents of a text, read one by one as they are asked for; broken ones become ``errors``.

    Iterate for bounded memory, or take ``documents`` for all. ``errors`` is complete once everything was read;
    asking for it reads the rest.
    """

    def __init__(
        self,
        text: str | bytes,
        source: str,
        *,
        base: Location | None = None,
        dialect: Dialect = "kubectl",
        _context: tuple[Context, str] | None = None,
    ) -> None:
        self._source = source
        self._dialect: Dialect = dialect
        self._errors: list[DocumentError] = []
        self._read: list[Document] = []
        self._path = ""
        self._iterator: Iterator[Document] = iter(())
        try:
            prepared = _prepare(text, source)
        except DocumentError as error:
            self._errors.append(error)
            return
        if _context is not None:
            self._context, self._path = _context
        elif base is not None:
            fixed = None if base.line else (0, 0)
            lines = Text(prepared, first_line=base.line, first_column=base.column, fixed=fixed)
            self._context, self._path = Context(source, base.object, lines), base.path
        else:
            self._context = Context(source, "", Text(prepared))
        self._iterator = self._documents(prepared)

    def __iter__(self) -> Iterator[Document]:
        """Documents not yet read, one by one, without keeping them."""
        return self._iterator

    @property
    def documents(self) -> tuple[Document, ...]:
        """All documents that could be read (and were not taken by iterating before)."""
        self._read.extend(self._iterator)
        return tuple(self._read)

    @property
    def errors(self) -> tuple[DocumentError, ...]:
        """One error per broken document. Reads what is unread."""
        self._read.extend(self._iterator)
        return tuple(self._errors)

    def _documents(self, text: str) -> Iterator[Document]:
        index = begin = 0
        keys: dict[str, str] = {}
        for start, end in _chunks(text):
            if len(self._errors) >= MAX_ERRORS:
                self._fail(start, f"more than {MAX_ERRORS} documents are broken; the rest is not read", "point at YAML")
                return
            if _EMPTY.match(text, start, end):
                # kubectl skips it as well; comments in it belong to what follows.
                continue
            if index >= MAX_DOCUMENTS:
                self._fail(start, f"more than {MAX_DOCUMENTS:,} documents; the rest is not read", "split the file")
                return
            if len(keys) > 10_000:
                keys = {}
            for value, mark, finish, notes in self._chunk(text[start:end], start, keys):
                problems = tuple(self._problem(*note) for note in notes)
                root = Node(self._context, value, base=self._path, span=mark)
                yield Document(self._context, index, root, problems, begin, finish)
                index += 1
                begin = finish
            begin = end

    def _chunk(self, chunk: str, base: int, keys: dict[str, str]) -> Iterator[_Built]:
        at = _J_SPACE.match(chunk)
        first = at.end() if at else 0
        fault: _FaultError | None = None
        if chunk[first : first + 1] in ("{", "["):
            try:
                found = list(_json_documents(chunk, base))
            except _NotJsonError as error:
                if _J_BEGIN.match(chunk, first):
                    fault = _FaultError(
                        error.offset, f"expected {error.expected}", "this begins as JSON: correct it here"
                    )
            except _FaultError as error:
                self._fail(base + error.offset, error.message, error.hint)
                return
            else:
                yield from found
                return
        from yaml.error import YAMLError

        begun: list[int] = []
        try:
            yield from _Builder(chunk, base, self._dialect, keys, begun).documents()
        except _FaultError as error:
            self._fail(base + error.offset, error.message, error.hint, chunk)
        except YAMLError as error:
            fault = fault or _translate(error, chunk, begun)
            self._fail(base + fault.offset, fault.message, fault.hint, chunk)
        except UnicodeEncodeError as error:
            self._fail(base + error.start, "found half of a surrogate pair, which is no character", "save it as UTF-8")

    def _fail(self, offset: int, message: str, hint: str, chunk: str = "") -> None:
        line, column = self._context.text.position(offset) if self._context.text is not None else (0, 0)
        if _TEMPLATE.search(chunk):
            hint = _TEMPLATE_HINT
        self._errors.append(DocumentError(self._source, line, column, message, hint))

    def _problem(self, offset: int, message: str, other: int) -> Problem:
        text, context = self._context.text, self._context
        line, column = text.position(offset) if text is not None else (0, 0)
        if other >= 0 and text is not None and line:
            message += f" (set before in line {text.position(other)[0]})"
        return Problem(Location(context.source, "", line, column, context.object), message)


def _chunks(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each document's text; comments and directives before a ``---`` belong to what follows."""
    start = 0
    for match in _SEPARATOR.finditer(text):
        at = match.start()
        if at > start and not _ONLY_PREAMBLE.match(text, start, at):
            yield start, at
            start = at
    yield start, len(text)


def _json_documents(chunk: str, base: int) -> Iterator[_Built]:
    reader = _Json(chunk, base)
    at = 0
    while True:
        match = _J_SPACE.match(chunk, at)
        at = match.end() if match else at
        if at >= len(chunk):
            return
        if chunk[at] not in "{[":
            raise _NotJsonError(at, "'{' or '[' or the end of the text")
        reader.duplicates, reader.size = [], 0
        value, end = reader.value(at, 0)
        notes = [(offset, f"the key {key!r} {_DUPLICATE}", other) for key, offset, other in reader.duplicates]
        yield value, (base + at) << _START | (base + end), base + end, notes
        at = end


def read(text: str | bytes, source: str, *, base: Location | None = None, dialect: Dialect = "kubectl") -> Stream:
    """Read all documents of a text; never raises for what the text holds: see ``Stream.errors``.

    ``source`` is shown in every location. ``base`` is the place of the text's first character when it stands
    inside another file, with the path and object to continue.
    """
    return Stream(text, source, base=base, dialect=dialect)


def documents(
    text: str | bytes, source: str, *, base: Location | None = None, dialect: Dialect = "kubectl"
) -> Iterator[Document]:
    """Yield every document that can be read, then raise the first ``DocumentError`` if there was any."""
    stream = Stream(text, source, base=base, dialect=dialect)
    yield from stream
    if stream.errors:
        raise stream.errors[0]


def nested(node: Node, *, dialect: Dialect = "kubectl") -> Document:
    """Read the text of a scalar as YAML or JSON, with locations in the file that holds the scalar.

    Paths continue the scalar's path: ``spec.serveConfigV2.applications[0].name``. An empty text gives a document
    whose root is null. Raises ``DocumentError`` when the text is broken, and when it is no scalar.
    """
    at = node.location
    text = node.text()
    if text is None:
        found = "nothing" if node.value is None else "a mapping or a sequence"
        raise DocumentError(
            at.source,
            at.line,
            at.column,
            f"expected YAML or JSON text at {at.path}, found {found}",
            "put it behind '|'",
        )
    outer = node.outer_text()
    lines = (
        Text(outer[0], outer=outer[1], offsets=outer[2])
        if outer is not None and outer[0] == text
        else Text(text, fixed=(at.line, at.column))
    )
    context = Context(at.source, at.object, lines)
    stream = Stream(text, at.source, dialect=dialect, _context=(context, at.path))
    for document in stream:
        if document.root.value is not None or not stream.errors:
            return document
    if stream.errors:
        raise stream.errors[0]
    return Document(context, 0, Node(context, None, base=at.path), (), 0, 0)
