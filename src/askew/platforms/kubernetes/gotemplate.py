"""The few words of Go's text/template that KServe's runtimes and presets use. Nothing is run.

Source: https://pkg.go.dev/text/template; KServe fills in ``{{.Name}}`` and ``{{ .Spec.Model.Name }}`` before a pod is
made. What cannot be told stays as written; an ``if`` whose condition cannot be told takes its ``else``, and is noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

Datum: TypeAlias = "str | int | bool | None"


class NotKnown(msgspec.Struct, frozen=True):
    """A value that no source shows."""

    expression: str


Lookup: TypeAlias = Callable[[Sequence[str]], "Datum | NotKnown"]
"""The value at a path (``("Spec", "Model", "Name")``); None where there is none."""

_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_WORD = re.compile(r"`[^`]*`|\"[^\"]*\"|[^\s]+")
_MOST_ACTIONS = 2_000


def fill(text: str, lookup: Lookup, noted: list[str]) -> str:
    """``text`` with its actions done. ``noted`` gains the conditions that could not be told."""
    out: list[str] = []
    # One entry for each open "if": (what is being written now, whether any branch was taken).
    open_ifs: list[tuple[bool, bool]] = []
    at, trim = 0, False
    for count, match in enumerate(_ACTION.finditer(text)):
        if count > _MOST_ACTIONS:
            break
        between = text[at : match.start()]
        if trim:
            between = between.lstrip()
        if match[1]:
            between = between.rstrip()
        writing = all(now for now, _ in open_ifs)
        if writing:
            out.append(between)
        at, trim = match.end(), bool(match[3])
        words = _WORD.findall(match[2])
        head = words[0] if words else ""
        if head in ("if", "with"):
            value = _value(words[1:], lookup)
            if isinstance(value, NotKnown) and writing:
                noted.append(value.expression)
            truth = bool(value) and not isinstance(value, NotKnown)
            open_ifs.append((truth, truth))
        elif head == "range":
            open_ifs.append((False, True))
            noted.append(match[2].strip())
        elif head == "else" and open_ifs:
            _, taken = open_ifs.pop()
            truth = not taken
            if truth and len(words) > 1:
                value = _value(words[2:], lookup)
                truth = bool(value) and not isinstance(value, NotKnown)
            open_ifs.append((truth, taken or truth))
        elif head == "end" and open_ifs:
            open_ifs.pop()
        elif writing:
            out.append(_written(_value(words, lookup), match[0]))
    rest = text[at:]
    out.append(rest.lstrip() if trim else rest)
    return "".join(out)


def _written(value: Datum | NotKnown, raw: str) -> str:
    if isinstance(value, NotKnown):
        return raw
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _value(words: list[str], lookup: Lookup) -> Datum | NotKnown:
    if not words:
        return NotKnown("")
    head, rest = words[0], words[1:]
    expression = " ".join(words)
    if not rest:
        return _operand(head, lookup)
    values = [_operand(word, lookup) for word in rest]
    if head in ("or", "and"):
        for value in values:
            if isinstance(value, NotKnown):
                return NotKnown(expression)
            if bool(value) == (head == "or"):
                return value
        return values[-1]
    if head == "not" and len(values) == 1:
        return NotKnown(expression) if isinstance(values[0], NotKnown) else not values[0]
    if head in ("eq", "ne") and len(values) == 2:
        if any(isinstance(value, NotKnown) for value in values):
            return NotKnown(expression)
        return (values[0] == values[1]) == (head == "eq")
    if head == "ChildName" and len(values) == 2 and all(isinstance(value, str) for value in values):
        return f"{values[0]}{values[1]}"
    return NotKnown(expression)


def _operand(word: str, lookup: Lookup) -> Datum | NotKnown:
    if word.startswith(".") and len(word) > 1 and re.fullmatch(r"[\w.-]+", word):
        return lookup(word[1:].split("."))
    if word[0] in '`"' and len(word) > 1:
        return word[1:-1]
    if word.isascii() and word.isdigit() and len(word) < 18:
        return int(word)
    if word in ("true", "false"):
        return word == "true"
    return None if word == "nil" else NotKnown(word)
