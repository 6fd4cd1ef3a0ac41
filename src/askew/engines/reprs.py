"""What programs print of their settings: ``Namespace(a=1, b='x')``, ``{'a': None}``, ``Config { a: Some(1) }``.

Python's ``repr``, Rust's ``Debug`` and JSON, read as text; nothing is run. A text that ends too early gives what was
whole before its end.
"""

from __future__ import annotations

import re

import msgspec

from askew.facts.types import Value

_DEEPEST = 40
_LONGEST = 1_000_000
_MOST = 5_000
_MOST_VALUES = 50_000  # tried; what begins as a map and is none is read again as a list
_WORDS: dict[str, Value] = {
    "None": None, "null": None, "nil": None, "True": True, "true": True, "False": False, "false": False
}  # fmt: skip
_MEMBER = re.compile(r"[A-Z][A-Za-z0-9]{0,60}\.[A-Z][A-Z0-9_]{0,60}")  # of an enumeration: LoadFormat.AUTO
_CLOSES = {"(": ")", "[": "]", "{": "}", "<": ">"}
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}


class Field(msgspec.Struct, frozen=True):
    """One setting of a printed object: its name, its value, and where the value begins and ends in the text.

    Numbers, texts, booleans, lists and maps are what they are; an object inside is the map of its fields; a word that
    is none of these (``torch.bfloat16``, ``auto``) is its text, an enumeration its value.
    """

    name: str
    value: Value
    start: int
    end: int


class _EndError(Exception):
    """The text ends before the value does, or is no value."""


def fields(text: str, start: int = 0) -> tuple[Field, ...]:
    """The fields of the object, or the entries of the map, that begins at ``start``: at its name, its opening bracket,
    or its first field. Up to where the text is cut; a last field that may be cut is left out."""
    reader = _Reader(text[: start + _LONGEST])
    at = reader.blank(start)
    while at < len(text) and (text[at].isalnum() or text[at] in "_.:"):
        at += 1
    opening = reader.blank(at)
    here = text[opening : opening + 1]
    if here and here in "({[":
        return reader.entries(opening + 1, _CLOSES[here], 0)[0]
    return reader.entries(start, "", 0)[0]


def value(text: str, start: int = 0) -> tuple[Value, int] | None:
    """The value that begins at ``start``, and where it ends; None where it is cut or none."""
    reader = _Reader(text[: start + _LONGEST])
    try:
        return reader.value(reader.blank(start), 0)
    except _EndError:
        return None


class _Reader:
    """One pass over a text. An object because every step needs the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0

    def blank(self, at: int) -> int:
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        return at

    def entries(self, at: int, close: str, depth: int) -> tuple[tuple[Field, ...], int, bool]:
        """Fields up to ``close`` (or the end, where there is none), where they end, and whether they are whole."""
        found: list[Field] = []
        while len(found) < _MOST:
            at = self.blank(at)
            while self.text.startswith(",", at):
                at = self.blank(at + 1)
            if at >= len(self.text):
                return tuple(found), at, not close
            if close and self.text.startswith(close, at):
                return tuple(found), at + 1, True
            try:
                name, after = self.name(at)
                start = self.blank(after)
                inner, end = self.value(start, depth + 1)
            except _EndError:
                return tuple(found), at, False
            following = self.blank(end)
            if self.text[following : following + 1] not in (",", ")", "]", "}", ">"):
                if following >= len(self.text) and self.text[end - 1] in "}])>'\"":
                    found.append(Field(name, inner, start, end))  # the text ends here, but not in the middle of it
                return tuple(found), end, False
            found.append(Field(name, inner, start, end))
            at = end
            if not close and self.text[following : following + 1] in (")", "]", "}", ">"):
                return tuple(found), following, True
        return tuple(found), at, False

    def name(self, at: int) -> tuple[str, int]:
        if self.text[at] in "'\"":
            name, at = self.quoted(at)
        else:
            start = at
            while at < len(self.text) and (self.text[at].isalnum() or self.text[at] in "_-."):
                at += 1
            name = self.text[start:at]
        at = self.blank(at)
        if not name or at >= len(self.text) or self.text[at] not in "=:":
            raise _EndError
        return name, at + 1

    def quoted(self, at: int) -> tuple[str, int]:
        quote = self.text[at]
        parts: list[str] = []
        at += 1
        while True:
            end = at
            while end < len(self.text) and self.text[end] not in ("\\", quote):
                end += 1
            if end >= len(self.text):
                raise _EndError
            parts.append(self.text[at:end])
            if self.text[end] == quote:
                return "".join(parts), end + 1
            code = self.text[end + 1 : end + 2]
            parts.append(_ESCAPED.get(code, code))
            at = end + 2

    def value(self, at: int, depth: int) -> tuple[Value, int]:
        self.steps += 1
        if at >= len(self.text) or depth > _DEEPEST or self.steps > _MOST_VALUES:
            raise _EndError
        first = self.text[at]
        if first in "'\"":
            return self.quoted(at)
        if first in "[(":
            return self.sequence(at + 1, _CLOSES[first], depth)
        if first == "{":
            inner, end, whole = self.entries(at + 1, "}", depth)
            if whole:
                return {one.name: one.value for one in inner}, end
            return self.sequence(at + 1, "}", depth)  # a set
        if first == "<":
            return self.enumeration(at)
        return self.word(at, depth)

    def sequence(self, at: int, close: str, depth: int) -> tuple[Value, int]:
        found: list[Value] = []
        while len(found) < _MOST:
            at = self.blank(at)
            if at >= len(self.text):
                break
            if self.text[at] == close:
                return found, at + 1
            if self.text[at] == ",":
                at += 1
                continue
            one, at = self.value(at, depth + 1)
            found.append(one)
        raise _EndError

    def enumeration(self, at: int) -> tuple[Value, int]:
        """``<Mode.EAGER: 0>`` is its name, ``<Kind.BACKED: 'backed'>`` its text, ``<function f at 0x7f>`` a text."""
        end = self.text.find(">", at)
        if end < 0 or "\n" in self.text[at:end]:
            raise _EndError
        inside = self.text[at + 1 : end]
        name, colon, held = inside.partition(": ")
        if not colon:
            return inside, end + 1
        return (held[1:-1] if held[:1] in "'\"" and len(held) > 1 else name.rpartition(".")[2]), end + 1

    def word(self, at: int, depth: int) -> tuple[Value, int]:
        """A number, a word of the language, an object with its name, or any other text up to the next comma."""
        end = at
        while end < len(self.text) and self.text[end] not in ",()[]{}<>'\"\n=" and not self.text.startswith(": ", end):
            end += 1
        word = self.text[at:end].strip()
        opening = self.text[end : end + 1]
        if opening and opening in "({":
            inner, after, whole = self.entries(end + 1, _CLOSES[opening], depth)
            if word == "Some" and opening == "(":
                some, after = self.sequence(end + 1, ")", depth)
                return (some[0] if isinstance(some, list) and len(some) == 1 else some), after
            if whole:
                return {one.name: one.value for one in inner}, after
            return self.sequence(end + 1, _CLOSES[opening], depth)
        if not word or (opening and opening in "[<'\"="):
            raise _EndError
        if word in _WORDS:
            return _WORDS[word], end
        if _MEMBER.fullmatch(word):
            return word.rpartition(".")[2].lower(), end
        return _number(word), end


def _number(word: str) -> Value:
    if len(word) > 40 or not word[-1:].isdigit():
        return word
    try:
        return int(word) if word.lstrip("+-").isdecimal() else float(word)
    except ValueError:
        return word
