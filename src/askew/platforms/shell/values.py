"""What the reader of scripts passes about: text with its origin, words, variables, and what a shell knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from askew.evidence.launch import Content, Token, Variable
from askew.evidence.location import Location
from askew.platforms.shell.kubernetes import Expanded
from askew.platforms.shell.parse import Node, Place, Stretch, Text, Via

MAX_TOKENS: Final = 10_000
MAX_STEPS: Final = 20_000
MAX_CHARACTERS: Final = 4_000_000
MAX_VALUE: Final = 200_000


class Run(msgspec.Struct):
    """Text with one origin. ``opaque`` text could not be expanded; other ``unknown`` text may be absent."""

    text: str
    quoted: bool = False
    place: Place | None = None
    unknown: str | None = None
    via: Via = ()
    opaque: bool = False


class Field(msgspec.Struct):
    """One word after expansion and where it stands."""

    runs: list[Run]
    home: Place

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    @property
    def unknown(self) -> str | None:
        return next((run.unknown for run in self.runs if run.unknown is not None), None)


class Value(msgspec.Struct):
    """A shell variable: one field, or an array's."""

    fields: list[Field]
    array: bool = False

    def key(self) -> list[str]:
        return [field.text for field in self.fields]


class StopError(Exception):
    """The budget is spent."""


class State:
    """What a shell knows at one point of its script."""

    def __init__(self, env: Mapping[str, Variable], files: dict[str, Content | None], cwd: str) -> None:
        self.env = env
        self.files = files
        self.cwd = cwd
        self.vars: dict[str, Value] = {}
        self.exported: set[str] = set()
        self.removed: set[str] = set()
        self.functions: dict[str, tuple[Node, Text]] = {}
        self.args: list[Field] = []
        self.zero: Field | None = None
        self.all_exported = False
        self.stop = ""
        # In a function or a sourced file, where `return` means something; in how many loops, for `break`.
        self.returns = False
        self.loops = 0
        self.replaced = False
        self.condition: str | None = None

    def copy(self) -> State:
        twin = State(self.env, dict(self.files), self.cwd)
        twin.vars = dict(self.vars)
        twin.exported = set(self.exported)
        twin.removed = set(self.removed)
        twin.functions = dict(self.functions)
        twin.args = self.args
        twin.zero = self.zero
        twin.all_exported = self.all_exported
        twin.stop = self.stop
        twin.returns = self.returns
        twin.loops = self.loops
        twin.condition = self.condition
        return twin

    def become(self, other: State) -> None:
        for name in ("files", "cwd", "vars", "exported", "removed", "functions", "args", "all_exported", "stop"):
            setattr(self, name, getattr(other, name))
        self.condition = self.condition or other.condition

    def set(self, name: str, value: Value) -> None:
        self.vars[name] = value
        self.removed.discard(name)


class Budget:
    """How much work one command line may cost."""

    def __init__(self) -> None:
        self.steps = 0
        self.characters = 0

    def spend(self, characters: int) -> None:
        self.steps += 1
        self.characters += characters
        if self.steps > MAX_STEPS or self.characters > MAX_CHARACTERS:
            raise StopError("the script is too long to follow to its end; what starts later is not shown")

    def limit(self, runs: list[Run]) -> None:
        """Text made by one expansion."""
        size = sum(len(run.text) for run in runs)
        self.spend(size + 30 * len(runs))
        if size > MAX_VALUE or len(runs) > MAX_TOKENS:
            raise StopError("a variable grows too long to follow; what starts later is not shown")


def whole(token: Token) -> Place:
    """All of a token."""
    return Place(token, 0, len(token.text))


def within(place: Place, home: Place) -> bool:
    """Whether one place lies in another."""
    return place.token is home.token and home.start <= place.start and place.end <= home.end


def to_line_end(place: Place) -> Place:
    """The text from a place to the end of its line, which is found more surely than one character."""
    end = place.token.text.find("\n", place.start)
    return Place(place.token, place.start, len(place.token.text) if end < 0 else end)


def with_text(run: Run, text: str) -> Run:
    """Other text of the same origin."""
    return Run(text, run.quoted, run.place, run.unknown, run.via, run.opaque)


def unquoted(run: Run) -> Run:
    """The same text, to be split into words."""
    return Run(run.text, False, run.place, run.unknown, run.via, run.opaque)


def part_of(run: Run, start: int, text: str) -> Run:
    """A piece of a run, from an offset in it."""
    place = run.place
    if place is not None and place.end - place.start == len(run.text):
        place = Place(place.token, place.start + start, place.start + start + len(text))
    return Run(text, False, place, run.unknown, run.via, run.opaque)


def sliced(field: Field, start: int) -> list[Run]:
    """The runs of a field from an offset on."""
    out: list[Run] = []
    for run in field.runs:
        if start >= len(run.text):
            start -= len(run.text)
            continue
        out.append(part_of(run, start, run.text[start:]) if start else run)
        start = 0
    return out


def doubt_run(run: Run, reason: str) -> Run:
    """Text that may be absent."""
    return Run(run.text, run.quoted, run.place, run.unknown or reason, run.via, run.opaque)


def doubted(field: Field, reason: str) -> Field:
    """A word that may be absent."""
    return Field([doubt_run(run, reason) for run in field.runs], field.home)


def shortened(text: str) -> str:
    """Text on one line, short enough for a message."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "…"


def argument(token: Token) -> Field:
    """A word of an argument vector as it stands."""
    return Field([Run(token.text, True, whole(token), token.unknown, (), token.unknown is not None)], whole(token))


def script_text(token: Token) -> Text:
    """A script in an argument; parts that the kubelet put in keep the place of their variable."""
    size = len(token.text)
    if not isinstance(token, Expanded):
        place = whole(Token(token.text, token.location))
        return Text(token.text, (Stretch(0, size, place, token.unknown, token.via),))
    base = Token(token.raw, token.location)
    stretches: list[Stretch] = []
    at = raw = 0
    for span in token.spans:
        if span.start > at:
            stretches.append(Stretch(at, span.start, Place(base, raw, span.raw_start)))
        written = Place(base, span.raw_start, span.raw_end)
        variable = span.variable
        if variable is None:
            stretches.append(Stretch(span.start, span.end, written, supplied=True))
        elif variable.value is None or variable.unknown is not None:
            reason = variable.unknown or f"the value of {variable.name} could not be seen"
            via: Via = (variable.location, *variable.via)
            stretches.append(Stretch(span.start, span.end, written, reason, via, True))
        else:
            place = whole(Token(variable.value, variable.location))
            stretches.append(Stretch(span.start, span.end, place, None, (written, *variable.via)))
        at, raw = span.end, span.raw_end
    if at < size or not stretches:
        stretches.append(Stretch(at, size, Place(base, raw, len(token.raw))))
    return Text(token.text, tuple(stretches))


def joined(fields: list[Field]) -> Text:
    """The text that ``eval`` reads: fields joined by blanks, each stretch with its origin."""
    out: list[str] = []
    stretches: list[Stretch] = []
    length = 0
    for index, field in enumerate(fields):
        for run in ([Run(" ")] if index else []) + field.runs:
            if not run.text:
                continue
            place = run.place or field.home
            direct = place.end - place.start == len(run.text)
            end = length + len(run.text)
            reason = run.unknown if run.opaque else None
            doubt = None if run.opaque else run.unknown
            stretches.append(Stretch(length, end, place, reason, run.via, not direct, doubt))
            out.append(run.text)
            length = end
    if not stretches:
        home = fields[0].home if fields else whole(Token("", Location("")))
        stretches.append(Stretch(0, 0, home))
    return Text("".join(out), tuple(stretches))
