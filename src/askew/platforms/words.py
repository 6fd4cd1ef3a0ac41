"""Command lines to words that know where they stood."""

from __future__ import annotations

import re

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Token
from askew.evidence.location import Location

_MAX_WORDS = 10_000
_SYSTEMD_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}


class Word(msgspec.Struct, frozen=True):
    """One word: its text without quotes, and its place in what was split."""

    text: str
    start: int
    end: int
    quoted: bool = False


def split(text: str, *, systemd: bool = False) -> tuple[Word, ...]:
    """Words of a command line. Nothing is expanded, and an open quote ends with the text.

    Without ``systemd``: quotes and backslashes as a POSIX shell has them, which is what Compose does
    (github.com/mattn/go-shellwords). With it: escapes are C's, inside quotes too (src/basic/extract-word.c of
    github.com/systemd/systemd).
    """
    words: list[Word] = []
    at, size = 0, len(text)
    while at < size and len(words) < _MAX_WORDS:
        if text[at].isspace():
            at += 1
            continue
        start, out, quote, quoted = at, [], "", False
        while at < size:
            char = text[at]
            if quote:
                if char == quote:
                    quote = ""
                elif char == "\\" and at + 1 < size and (systemd or (quote == '"' and text[at + 1] in '\\"$`\n')):
                    at += 1
                    out.append(_escaped(text[at], systemd))
                else:
                    out.append(char)
            elif char.isspace():
                break
            elif char in "'\"":
                quote, quoted = char, True
            elif char == "\\" and at + 1 < size:
                at += 1
                if systemd or text[at] != "\n":
                    out.append(_escaped(text[at], systemd))
            else:
                out.append(char)
            at += 1
        words.append(Word("".join(out), start, at, quoted))
    return tuple(words)


def _escaped(char: str, systemd: bool) -> str:
    if not systemd:
        return char
    return _SYSTEMD_ESCAPES.get(char, char if char in "\\\"'" else "\\" + char)


class Lines:
    """Where the characters of a text stand that was read line by line: a unit file, a command line."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self.text = text

    def at(self, offset: int, path: str = "") -> Location:
        """Line and column of an offset."""
        begin = self.text.rfind("\n", 0, offset) + 1
        return Location(self.source, path, self.text.count("\n", 0, offset) + 1, offset - begin + 1)

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column, both 1-based."""
        at = 0
        for _ in range(line - 1):
            found = self.text.find("\n", at)
            if found < 0:
                break
            at = found + 1
        return at + column - 1

    def find(self, token: Token, fragment: str, after: Location | None) -> Location:
        """The next place of ``fragment`` from the token's on and behind ``after``; else the token's place."""
        place = token.location
        if place.source != self.source or not fragment:
            return place
        at = self.offset(place.line, place.column)
        if (
            after is not None
            and after.source == self.source
            and (after.line, after.column) >= (place.line, place.column)
        ):
            at = self.offset(after.line, after.column) + 1
        word = re.compile(rf"(?<![\w./-]){re.escape(fragment)}(?![\w./-])").search(self.text, at)
        found = word.start() if word else self.text.find(fragment, at)
        return self.at(found, place.path) if found >= 0 else place


def locate_in(node: Node, word: Word, raw: str, after: Location | None) -> Location:
    """Where a word of a scalar stands in its source, behind the word before it."""
    return node.locate(raw[word.start : word.end], after)
