"""What holds for every engine that runs, whatever it answers, logs and counts: the kit for ``askew.engines.live``.

The cases are the author's: what the real engine said, with invented values. ``others`` is what other engines say, which
must not be taken for this one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from askew.collectors.asking import document_of
from askew.engines import meters
from askew.engines.live import Answers, Ask, Endpoints, Log, Meters
from askew.evidence.redaction import Redactor
from askew.evidence.scrapes import Scrapes, gathered
from askew.evidence.told import Told
from askew.facts.catalogue import FACTS
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.testing.engines import canonical

# What an endpoint answers, by ``Ask.name``: JSON, or a text.
Replies: TypeAlias = Mapping[str, object]

_BASE = "http://conformance:8000"
_LOG = "startup.log"
_ROUNDS = 8
_QUERY = re.compile(r"/[^\s#]*")

# What a server may answer to any question, and in any field.
ODD_ANSWERS: tuple[object, ...] = (
    None, True, 0, -1, 2**70, 1e308, "", "x", "\N{SNOWMAN}", "1" * 500, [], [None], [[]], {}, {"data": None},
    {"data": [{}]}, {"models": "x"}, {"": {"": []}}, [{"id": 5, "name": ["x"]}],
)  # fmt: skip
# Lines that no engine writes so.
ODD_LINES: tuple[str, ...] = (
    "", " ", "\x00", "\N{SNOWMAN}", "{" * 500, "(" * 500, "'", '"', "a=b" * 50, "=" * 5000, "server_args=", "args: {",
)  # fmt: skip
ODD_NUMBERS: tuple[str, ...] = ("0", "-1", "NaN", "+Inf", "-Inf", "1e308", "9223372036854775794", "0.5")


def answers(replies: Replies) -> Answers:
    """Replies as they come from an endpoint."""
    return {name: _answer(name, reply) for name, reply in replies.items()}


def _answer(name: str, reply: object) -> Told:
    source = _BASE + name
    text = reply if isinstance(reply, str) else json.dumps(reply)
    if text.lstrip()[:1] in ("{", "[", '"'):
        document = document_of(text, source, Redactor())
        if not isinstance(document, str):
            return Told(kind="answer", name=name, source=source, document=document)
    return Told(kind="answer", name=name, source=source, text=text)


def endpoints_conform(
    engine: str, endpoints: Endpoints, own: Sequence[Replies], others: Sequence[Replies] = ()
) -> None:
    """Run the kit with what the engine's endpoints answer.

    Raises AssertionError: it is not recognised in its own answers, or is in those of others or in none; a question is
    no path; it never stops asking; an observation is not canonical, not seen or has no place; reading raises for some
    answer or is not repeatable.
    """
    assert own, f"no answers of {engine} are given"
    assert not endpoints.speaks({}), f"{engine} is recognised where nobody answers"
    endpoints.read({})
    for replies in others:
        assert not endpoints.speaks(answers(replies)), f"{engine} is recognised in what another answers: {[*replies]}"
    for replies in own:
        heard, asked = _talk(engine, endpoints, replies)
        assert endpoints.speaks(heard), f"{engine} is not recognised in its own answers: {[*heard]}"
        found = _twice(engine, lambda heard=heard: endpoints.read(heard))  # type: ignore[misc]
        _named(engine, found)
        for one in found:
            _seen(engine, one)
            told = all(at.source.startswith(f"{_BASE}/") and not at.line for at in one.locations)
            assert told, f"{engine} states {one.fact} at {one.locations}, which is no place of an answer"
        for odd in _odd(replies, asked):
            said = answers(odd)
            endpoints.asks(said)
            if endpoints.speaks(said):
                _resolves(engine, endpoints.read(said))


def _talk(engine: str, endpoints: Endpoints, replies: Replies) -> tuple[Answers, list[str]]:
    """Ask until nothing new is asked: what was answered, and all that was asked."""
    heard: dict[str, Told] = {}
    asked: dict[str, None] = {}
    for _ in range(_ROUNDS):
        new = [ask for ask in endpoints.asks(heard) if ask.name not in asked]
        if not new:
            return heard, [*asked]
        for ask in new:
            _question(engine, ask)
            asked[ask.name] = None
            if ask.name in replies and not (ask.instead_of and ask.instead_of in heard):
                heard[ask.name] = _answer(ask.name, replies[ask.name])
    raise AssertionError(f"{engine} still asks after {_ROUNDS} rounds: {[*asked]}")


def _question(engine: str, ask: Ask) -> None:
    assert _QUERY.fullmatch(ask.path), f"{engine} asks for {ask.path!r}, which is no path"
    assert not ask.body or isinstance(json.loads(ask.body), dict), f"{engine} asks with {ask.body!r}, which is no JSON"


def _odd(replies: Replies, asked: Sequence[str]) -> Iterator[Replies]:
    """The same conversation with one answer, or one field of it, left out or strange."""
    for name in dict.fromkeys((*asked, *replies)):
        yield {other: reply for other, reply in replies.items() if other != name}
        for odd in ODD_ANSWERS:
            yield {**replies, name: odd}
    for name, reply in replies.items():
        for changed in _fields(reply):
            yield {**replies, name: changed}


def _fields(value: object, depth: int = 4) -> Iterator[object]:
    if isinstance(value, dict) and depth:
        for key, inner in value.items():
            yield {other: one for other, one in value.items() if other != key}
            yield from ({**value, key: odd} for odd in ODD_ANSWERS)
            yield from ({**value, key: one} for one in _fields(inner, depth - 1))
    elif isinstance(value, list) and value and depth:
        yield from ([odd, *value[1:]] for odd in (*ODD_ANSWERS, *_fields(value[0], depth - 1)))


def log_conforms(engine: str, log: Log, own: Sequence[str], others: Sequence[str] = ()) -> None:
    """Run the kit with start-up logs of the engine.

    Raises AssertionError: it is not recognised in its own logs, or is in those of others or in an empty one; none of
    its first lines stands in them; an observation is not canonical, not seen or has no line; reading raises for some
    lines or is not repeatable.
    """
    assert own, f"no logs of {engine} are given"
    for text in ("", *others):
        assert not log.speaks(_logged(text)), f"{engine} is recognised in another log: {text[:200]!r}"
    for text in own:
        told = _logged(text)
        assert log.speaks(told), f"{engine} is not recognised in its own log: {text[:200]!r}"
        begins = not log.starts or any(mark in text for mark in log.starts)
        assert begins, f"no line with which {engine} starts is in its own log"
        found = _twice(engine, lambda told=told: log.read(told))  # type: ignore[misc]
        _named(engine, found)
        for one in found:
            _seen(engine, one)
            placed = all(at.source == _LOG and 0 < at.line <= text.count("\n") + 1 for at in one.locations)
            assert placed, f"{engine} states {one.fact} at {one.locations}, which are no lines of the log"
        lines = text.splitlines(keepends=True)
        for number, line in enumerate(lines):
            before, after = "".join(lines[:number]), "".join(lines[number + 1 :])
            odd = (ODD_LINES[number % len(ODD_LINES)], line[: len(line) // 2], line.rstrip() * 3)
            for other in (before + line[: len(line) // 2], *(f"{before}{one}\n{after}" for one in odd)):
                log.speaks(_logged(other))
                _resolves(engine, log.read(_logged(other)))


def _logged(text: str) -> Told:
    return Told(kind="log", name=_LOG, source=_LOG, text=text)


def meters_conform(engine: str, table: Meters, own: Sequence[str], others: Sequence[str] = ()) -> None:
    """Run the kit with dumps of the engine's metrics.

    Raises AssertionError: a meter has no name or states what is no fact; it is not recognised in its own dumps, or is
    in those of others; they state nothing; an observation is not canonical or not seen; reading raises for some numbers
    or is not repeatable.
    """
    assert own, f"no metrics of {engine} are given"
    for meter in table.meters:
        states = any(f"{meter.fact}.{rank}" in FACTS for rank in ("p50", "p95", "p99", "mean"))
        assert meter.names, f"{engine} states {meter.fact} by no metric"
        assert meter.fact in FACTS or (meter.how == "quantiles" and states), f"no fact is called {meter.fact}"
    for one in table.stated:
        assert one.fact in FACTS and one.names and one.labels, f"{engine} states {one.fact} by no label of a metric"
    for text in ("", *others):
        spoken = meters.speaks(table, {series.name for series in _scraped(table, text).series})
        assert not spoken, f"{engine} is recognised in metrics of another: {sorted(spoken)[:4]}"
    for text in own:
        scrapes = _scraped(table, text)
        assert meters.speaks(table, {one.name for one in scrapes.series}), f"{engine} is not recognised in its metrics"
        found = _twice(engine, lambda scrapes=scrapes: meters.read(scrapes, table))  # type: ignore[misc]
        assert found, f"the metrics of {engine} state nothing"
        for seen in found:
            _seen(engine, seen)
        for number in ODD_NUMBERS:
            odd = re.sub(r"(?m)^([^#\n]*[\s}])\S+$", rf"\g<1>{number}", text)
            for dumps in ((odd,), (text, odd), (odd, text)):
                _resolves(engine, meters.read(_scraped(table, *dumps), table))


def _scraped(table: Meters, *texts: str) -> Scrapes:
    dumps = [
        Told(kind="metrics", name="metrics", source=f"metrics-{number}.txt", text=text, at=1000.0 + 300 * number)
        for number, text in enumerate(texts)
    ]
    return gathered(dumps, meters.wanted((table,)))


def _twice(engine: str, read: Callable[[], tuple[Observation, ...]]) -> tuple[Observation, ...]:
    found = read()
    assert found == read(), f"{engine} reads the same in two ways"
    return found


def _named(engine: str, found: Sequence[Observation]) -> None:
    names = {one.value for one in found if one.fact == "runtime.engine.name"}
    assert names == {engine}, f"{engine} calls itself {sorted(map(str, names)) or 'nothing'}"


def _seen(engine: str, one: Observation) -> None:
    canonical(engine, one)
    assert one.basis == "seen", f"{engine} states {one.fact} as {one.basis}, and what runs is seen"
    assert one.origin in ("reported", "measured", "derived"), f"{engine} states {one.fact} with origin {one.origin}"
    assert one.locations, f"{engine} states {one.fact} without a place"


def _resolves(engine: str, found: Sequence[Observation]) -> None:
    for one in found:
        canonical(engine, one)
    resolve(found)
