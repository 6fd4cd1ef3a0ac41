r"""Java's ``.properties``, as ``java.util.Properties.load`` reads them.

``=``, ``:`` or a blank ends a name; ``#`` and ``!`` begin a comment; a backslash at the end of a line joins the next
one without its leading blanks; ``\uXXXX``, ``\t``, ``\n``, ``\r`` and ``\f`` are escapes, another backslash is dropped;
blanks at the end of a value are part of it; of equal names the last one counts.
https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from askew.engines.settings import LARGEST, MOST, Setting, Settings, unreadable
from askew.evidence.launch import Content, Token
from askew.evidence.location import Location

_BLANK = " \t\f"
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class Property(msgspec.Struct, frozen=True):
    """A name and its value; ``places`` has line and column, from 0, of each character of the value and of its end."""

    name: str
    value: str
    places: tuple[tuple[int, int], ...]

    def at(self, content: Content, offset: int = 0) -> Location:
        """Where a character of the value stands."""
        line, column = self.places[min(max(offset, 0), len(self.places) - 1)]
        return content.place(line, column)


def read(path: str, content: Content) -> tuple[tuple[Property, ...], Settings]:
    """The properties of a file, the last of each name only, and the same as settings. Never raises on its content."""
    if len(content.text) > LARGEST:
        problem = unreadable(f"{path} is too large for a properties file", content.location, "name the right file")
        return (), Settings(problem=problem)
    found: dict[str, Property] = {}
    for text, places in _logical(content.text):
        try:
            one = _property(text, places)
        except _EscapeError as error:
            at = content.place(*error.place)
            message = f"{path}: a \\u must be followed by four hexadecimal digits"
            return (), Settings(problem=unreadable(message, at, "write '\\\\u' for a backslash before a u"))
        found.pop(one.name, None)
        found[one.name] = one
        if len(found) > MOST:
            message = f"{path} has more than {MOST} settings: no file of a server"
            return (), Settings(problem=unreadable(message, one.at(content), "name the right file"))
    settings = []
    for one in found.values():
        unknown = next((why for part, why in content.unknown.items() if part and part in one.value), None)
        settings.append(Setting(one.name, Token(one.value, one.at(content), unknown)))
    return tuple(found.values()), Settings(tuple(settings))


class _EscapeError(Exception):
    def __init__(self, place: tuple[int, int]) -> None:
        super().__init__(place)
        self.place = place


def _logical(text: str) -> list[tuple[str, list[tuple[int, int]]]]:
    """The lines that hold a property, joined, each with the place of every character and of the end."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found: list[tuple[str, list[tuple[int, int]]]] = []
    number = 0
    while number < len(lines):
        first = lines[number].lstrip(_BLANK)
        if not first or first[0] in "#!":
            number += 1
            continue
        parts: list[str] = []
        places: list[tuple[int, int]] = []
        while number < len(lines):
            line = lines[number]
            start = len(line) - len(line.lstrip(_BLANK))
            joined = _continues(line)
            end = max(len(line) - joined, start)
            parts.append(line[start:end])
            places.extend((number, column) for column in range(start, end))
            number += 1
            if not joined:
                break
        last = number - 1
        places.append((last, len(lines[last])))
        found.append(("".join(parts), places))
    return found


def _continues(line: str) -> bool:
    """Whether the line ends in an odd number of backslashes."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _property(text: str, places: Sequence[tuple[int, int]]) -> Property:
    index, escaped = 0, False
    while index < len(text) and (escaped or text[index] not in "=:" + _BLANK):
        escaped = not escaped and text[index] == "\\"
        index += 1
    start = index
    while start < len(text) and text[start] in _BLANK:
        start += 1
    if start < len(text) and text[start] in "=:":
        start += 1
        while start < len(text) and text[start] in _BLANK:
            start += 1
    name, _ = _unescaped(text[:index], places[:index])
    value, where = _unescaped(text[start:], places[start:-1])
    return Property(name, value, (*where, places[-1]))


def _unescaped(text: str, places: Sequence[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    if "\\" not in text:
        return text, list(places)
    out: list[str] = []
    where: list[tuple[int, int]] = []
    index = 0
    while index < len(text):
        letter, place, step = text[index], places[index], 1
        if letter == "\\":
            following = text[index + 1 : index + 2]
            step = 2
            letter = _ESCAPES.get(following, following)
            if following == "u":
                digits = text[index + 2 : index + 6]
                if len(digits) != 4 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                    raise _EscapeError(place)
                letter, step = chr(int(digits, 16)), 6
        if letter:
            out.append(letter)
            where.append(place)
        index += step
    return "".join(out), where
