"""What the lines of a start-up log state, by tables: each engine's ``log.py`` says which of its lines state which fact.

A line is found by words that stand in every such line, and read by one pattern. A last line without a line end may be
half-written and is not read, nor is a value in which something was redacted. Values are *reported*, and *seen*.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec

from askew.engines.arguments import Given, Parsed, Table
from askew.engines.observe import observe, read_arguments
from askew.engines.reprs import Field
from askew.evidence.launch import Token
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown

_MOST = 2_000  # lines of one kind: a process that logs more of them than this logs requests
_LONGEST = 100_000  # characters of a line
_CLUSTER = 4_000  # characters within which several marks are of one start
_CLUSTER_LINES = 8
_STRENGTH = 1_000_000_000  # more than lines of a log
ARGUMENTS, STATED, EFFECTIVE = 0, 1, 2  # what a line tells: what was asked for, what is in force, what came out
CONFIGURED = ("the arguments as the log has them: what was asked for, not what came of it",)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that a line states: ``group`` of its pattern, as ``read`` turns it into a raw value, or ``value``.

    ``read`` raises ValueError for what states nothing. ``key`` addresses one entry of a map.
    """

    fact: str
    group: int | str = 1
    key: str = ""
    read: Callable[[str], Value] | None = None
    value: Value = None


class Says(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of line. ``mark`` stands in every such line; ``pattern`` is searched in it.

    Where several lines state one fact, the ``strength`` decides, then the last line.
    """

    mark: str
    pattern: str
    states: tuple[State, ...]
    strength: int = STATED
    confidence: Confidence = "certain"
    because: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True):
    """One whole line of a log, or several that belong together."""

    told: Told
    number: int
    text: str
    start: int = 0  # in the text of the log

    def at(self, column: int = 0) -> Location:
        """A place in it; ``column`` is counted from 0."""
        before = self.text.count("\n", 0, column)
        return self.told.line(self.number + before, column - (self.text.rfind("\n", 0, column) if before else -1))


def last_start(told: Told, marks: Sequence[str], *others: Sequence[str]) -> int:
    """Where in the text the last start begins: at the first of the lines close together that have one of the marks.
    Where no line has one, ``others`` are looked for in turn; 0 for none at all."""
    text = told.text[: told.text.rfind("\n") + 1]
    found = [(text.rfind(mark), mark) for mark in marks]
    at, mark = max(found, default=(-1, ""))
    if at < 0:
        return last_start(told, *others) if others else 0
    seen: set[str] = set()
    while at >= 0 and mark not in seen:
        first = at
        seen.add(mark)
        at, mark = max((text.rfind(mark, max(first - _CLUSTER, 0), first), mark) for mark in marks)
        if text.count("\n", max(at, 0), first) > _CLUSTER_LINES:
            break
    return text.rfind("\n", 0, first) + 1


def lines(told: Told, mark: str, since: int = 0) -> Iterator[Line]:
    """The whole lines from ``since`` on in which ``mark`` stands."""
    text = told.text
    whole = text.rfind("\n") + 1
    number, counted, found = 1, 0, 0
    at = text.find(mark, since, whole)
    while at >= 0 and found < _MOST:
        start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        number += text.count("\n", counted, start)
        counted = start
        if end - start <= _LONGEST:
            found += 1
            yield Line(told, number, text[start:end], start)
        at = text.find(mark, end, whole)


def blocks(told: Told, mark: str, end: str, since: int = 0, most: int = 400) -> Iterator[Line]:
    """Lines in which ``mark`` stands, each with those behind it up to the first that is ``end``, blanks apart; without
    those where there is none among the next ``most``, or the line holds ``end`` itself."""
    for line in lines(told, mark, since):
        at = line.start + len(line.text)
        whole = told.text.rfind("\n") + 1
        found = at if line.text.rstrip().endswith(end) else -1
        for _ in range(most if found < 0 else 0):
            following = told.text.find("\n", at + 1, whole)
            if following < 0:
                break
            if told.text[at + 1 : following].strip() == end:
                found = following
                break
            at = following
        if found >= 0:
            yield Line(told, line.number, told.text[line.start : found], line.start)


def stated(told: Told, table: Sequence[Says], since: int = 0) -> tuple[Observation, ...]:
    """What the lines of a table state, each at its place."""
    found: list[Observation] = []
    for says in table:
        pattern = re.compile(says.pattern)
        for line in lines(told, says.mark, since):
            match = pattern.search(line.text)
            if match is None:
                continue
            for state in says.states:
                found.extend(_observed(state, says, line, match))
    return tuple(found)


def _observed(state: State, says: Says, line: Line, match: re.Match[str]) -> Iterator[Observation]:
    text = match[0] if state.value is not None else match[state.group]
    if text is None or is_redacted(text):
        return
    column = match.start() if state.value is not None else match.start(state.group)
    try:
        raw = state.value if state.value is not None else state.read(text) if state.read is not None else text
    except ValueError:
        return
    yield from reported(
        state.fact,
        raw,
        (line.at(column),),
        key=state.key,
        order=says.strength * _STRENGTH + line.number,
        text=text,
        confidence=says.confidence,
        because=says.because,
    )


def reported(
    fact: str,
    raw: Value,
    locations: tuple[Location, ...],
    *,
    key: str = "",
    order: int = 0,
    text: str = "",
    confidence: Confidence = "certain",
    because: tuple[str, ...] = (),
) -> Iterator[Observation]:
    """One observation of what an engine says of itself; nothing where the fact's type does not read the value."""
    if is_redacted(raw):
        return
    noted = observe(
        fact, raw, origin="reported", locations=locations, key=key, order=order, text=text, confidence=confidence,
        because=because,
    )  # fmt: skip
    for one in noted.observations:
        if not isinstance(one.value, Unknown) and not is_redacted(one.value):
            yield msgspec.structs.replace(one, basis="seen")


def named(engine: str, found: Sequence[Observation]) -> tuple[Observation, ...]:
    """What was found, and whose log it is: at the first line that states something."""
    first = min((at for one in found for at in one.locations[:1]), default=None)
    return (*found, *(reported("runtime.engine.name", engine, (first,)) if first is not None else ()))


def strong(strength: int, line: Line) -> int:
    """The order of what a line states, by how much it tells."""
    return strength * _STRENGTH + line.number


def arguments(
    line: Line,
    settings: Sequence[Field],
    flags: Table,
    *,
    offset: int = 0,
    strength: int = ARGUMENTS,
    deferred: Mapping[str, Collection[str]] = {},
    names: Callable[[str], str] = lambda name: "--" + name.replace("_", "-"),
    because: tuple[str, ...] = CONFIGURED,
    off: Collection[str] = (),
) -> tuple[Observation, ...]:
    """What printed settings state, by the engine's own table of arguments: ``names`` tells the argument of a setting.

    ``offset`` is where in the line the text of the settings begins. Settings that no argument has say nothing, nor do
    those that are none, empty or ``deferred``. Where all settings are printed, ``off`` are the facts of which a switch
    that is off says as much as one that is on.
    """
    given: list[Given] = []
    for order, setting in enumerate(settings):
        entry = flags.names.get(names(setting.name))
        words = _words(setting.value)
        if entry is None or words is None or is_redacted(" ".join(words)):
            continue
        flag, negated = entry.flag, entry.negated
        place = line.at(offset + setting.start)
        if isinstance(setting.value, bool) and flag.takes in ("switch", "toggle"):
            if flag.takes == "switch" and not setting.value and flag.fact not in off:
                continue
            negated, words = negated is setting.value, ()
        elif flag.takes in ("switch", "toggle"):
            continue
        elif flag.takes == "json" or (isinstance(setting.value, dict) and flag.takes == "value"):
            words = (msgspec.json.encode(setting.value).decode(),)
        given.append(
            Given(
                flag=flag,
                name=Token(names(setting.name), place),
                spelled=names(setting.name),
                values=tuple(Token(word, place) for word in words),
                negated=negated,
                order=order,
            )
        )
    noted = read_arguments(Parsed(given=tuple(given)), engine=flags.title, origin="reported", deferred=deferred)
    return tuple(
        msgspec.structs.replace(one, basis="seen", order=strong(strength, line), because=because)
        for one in noted.observations
        if not isinstance(one.value, Unknown) and not one.fact.startswith(("serving.api_key", "serving.secrets"))
    )


def _words(value: Value) -> tuple[str, ...] | None:
    """A printed value as the words of an argument; None for none."""
    if value is None or value == "" or value == [] or value == {}:
        return None
    if isinstance(value, list):
        return tuple(one if isinstance(one, str) else _word(one) for one in value)
    return (value if isinstance(value, str) else _word(value),)


def _word(value: Value) -> str:
    return msgspec.json.encode(value).decode()


def gathered(
    told: Told, mark: str, pattern: str, fact: str = "model.served_names", since: int = 0
) -> Iterator[Observation]:
    """A set of what lines name one by one, each by the first group of ``pattern``: as far as the log goes."""
    found: dict[str, Location] = {}
    for line in lines(told, mark, since):
        for match in re.finditer(pattern, line.text):
            if match[1] and not is_redacted(match[1]):
                found.setdefault(match[1], line.at(match.start(1)))
    if found:
        because = ("those that the log names, as far as it goes",)
        yield from reported(fact, [*found], tuple(found.values()), confidence="likely", because=because)


def inner(found: Sequence[Observation]) -> tuple[Observation, ...]:
    """What another engine, which runs inside this one, says: all but its own name and release."""
    return tuple(one for one in found if one.fact not in ("runtime.engine.name", "runtime.engine.version"))


def gpu_models(told: Told, since: int, mark: str, pattern: re.Pattern[str]) -> Iterator[Observation]:
    """The GPUs that lines name, each by the first group of ``pattern``; nothing where one of them is not known."""
    from askew.knowledge.gpus import parse_gpu_label

    models: set[str] = set()
    places = []
    for line in lines(told, mark, since):
        match = pattern.search(line.text)
        if match is None:
            continue
        try:
            models.update(parse_gpu_label(match[1].strip()).ids)
        except ValueError:
            return
        places.append(line.at(match.start(1)))
    if models:
        yield from reported("hardware.gpu.model", [*sorted(models)], tuple(places))


def whole(text: str) -> Value:
    """A whole number, perhaps with commas between thousands."""
    if len(text) > 40:
        raise ValueError("too long for a number")
    return int(text.replace(",", ""))


def gibibytes(text: str) -> Value:
    """GiB with a fraction, as bytes."""
    return int(decimal(text) * 2**30)


def mebibytes(text: str) -> Value:
    """MiB with a fraction, as bytes."""
    return int(decimal(text) * 2**20)


def decimal(text: str) -> float:
    """A number, perhaps with commas between thousands."""
    if len(text) > 40:
        raise ValueError("too long for a number")
    return float(text.replace(",", ""))


# Files with the tuned settings of kernels, which vLLM and SGLang look for by the name of the GPU: fused_moe.py.
DEVICE_NAME = re.compile(r"\bdevice_name=(\w{2,80}?)(?:,|\.json)")
_CLOCK = re.compile(r"\b(\d\d):(\d\d):(\d\d)\b")
_DAY = 86_400


def startup(told: Told, since: int, ready: Sequence[str]) -> Iterator[Observation]:
    """The time from the first line with a time to the one that says that the engine is ready: of one start, which is
    too little to compare."""
    at = min((found for mark in ready if (found := told.text.find(mark, since)) >= 0), default=-1)
    last = next(lines(told, told.text[at : told.text.find("\n", at)], max(at - 1, 0)), None) if at >= 0 else None
    head = told.text[since : min(at, since + _LONGEST)] if last is not None else ""
    began = _CLOCK.search(head)
    ended = _CLOCK.search(last.text) if last is not None else None
    if last is None or began is None or ended is None:
        return
    first = Line(told, told.text.count("\n", 0, since + began.start()) + 1, "")
    took = (_seconds(ended) - _seconds(began)) % _DAY
    yield from (
        msgspec.structs.replace(one, origin="derived")
        for one in reported(
            "performance.startup",
            took,
            (first.at(), last.at()),
            confidence="possible",
            because=("from the engine's first line to the one with which it is ready", "one start"),
        )
    )


def _seconds(match: re.Match[str]) -> int:
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])


# Of uvicorn, which most servers in Python run in: https://github.com/Kludex/uvicorn/blob/main/uvicorn/server.py
UVICORN = Says(
    mark="Uvicorn running on ",
    pattern=r"Uvicorn running on https?://(?:[\w.-]+|\[[\da-f:]+\]):(\d+)(?:\s|$)",
    states=(State(fact="serving.port", read=whole),),
)
