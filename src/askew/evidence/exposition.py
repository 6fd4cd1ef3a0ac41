"""Prometheus' text format and OpenMetrics: what ``/metrics`` answers, as samples with their lines.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/ . Names of Prometheus 3 that stand in quotes inside the braces
are read too, and the header lines that ``curl -i`` puts before an answer: their date is when it was given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

import msgspec

# A hundred replicas of an engine with its largest metrics are some 200,000 samples.
MOST_SAMPLES = 1_000_000
_LONGEST = 64 * 1024  # characters of a line
_MOST_PROBLEMS = 20
_MILLISECONDS = 1e11  # seconds up to here; OpenMetrics writes seconds, the older format milliseconds

# Possessive throughout: a hostile line costs what it is long.
_LABEL_BLOCK = r'(?:[^"}]|"(?:[^"\\]|\\.)*+")*+'
_QUOTED = r'"((?:[^"\\]|\\.)*+)"'
_SAMPLE = re.compile(
    rf"([A-Za-z_:][A-Za-z0-9_:]*+)?+\s*+(?:\{{({_LABEL_BLOCK})\}})?+\s*+"
    r"([^\s#{}]++)(?:\s++([^\s#]++))?+\s*+(?:#.*)?+"
)
_LABEL = re.compile(rf"\s*+(?:([A-Za-z_:][A-Za-z0-9_:.]*+)|{_QUOTED})\s*+(?:=\s*+{_QUOTED}\s*+)?+(?:,|\Z)")
_ESCAPE = re.compile(r"\\(.)")
_DATE = re.compile(r"(?a)[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEADER = re.compile(r"HTTP/[0-9.]+ \d{3}[^\n]*\n")


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value. ``timestamp`` is in seconds since 1970, None where the line has none; ``line`` counts from 1."""

    name: str
    labels: Mapping[str, str]
    value: float
    timestamp: float | None
    line: int


class Problem(msgspec.Struct, frozen=True):
    """A line that is no sample, with what is wrong with it."""

    line: int
    message: str


class Dump(msgspec.Struct, frozen=True, kw_only=True):
    """One text of metrics.

    ``kinds`` are the types that it declares by family (``counter``, ``histogram``), ``units`` the units. ``refused``
    counts the lines that could not be read, of which ``problems`` has the first. ``left_out`` counts samples beyond the
    limit. ``at`` is when it was answered, in seconds since 1970, where header lines before it say so; else 0.
    """

    samples: tuple[Sample, ...]
    kinds: Mapping[str, str] = {}
    units: Mapping[str, str] = {}
    problems: tuple[Problem, ...] = ()
    refused: int = 0
    left_out: int = 0
    at: float = 0.0


def parse(text: str, wanted: Callable[[str], bool] | None = None, most: int = MOST_SAMPLES) -> Dump:
    """The samples of a text, in its order. Never raises: what is no sample is in ``problems``.

    ``wanted`` says by its name whether a metric is of interest; the others are passed over unread. At most ``most``
    samples are kept.
    """
    first, at = _headers(text)
    samples: list[Sample] = []
    kinds: dict[str, str] = {}
    units: dict[str, str] = {}
    problems: list[Problem] = []
    refused = left_out = 0
    known: dict[str, Mapping[str, str] | None] = {}  # one block of labels stands on many lines
    asked: dict[str, bool] = {}
    match = _SAMPLE.fullmatch
    for number, line in enumerate(text.split("\n"), 1):
        if number < first or not line or line == "\r":
            continue
        if line[0] == "#":
            if line.startswith(("# TYPE ", "# UNIT ")):
                words = line.split(None, 3)
                if len(words) == 4:
                    into = kinds if words[1] == "TYPE" else units
                    into.setdefault(_plain(words[2]), words[3].strip())
            continue
        found = match(line) if len(line) <= _LONGEST else None
        value = _number(found[3]) if found is not None else None
        if found is None or value is None:
            refused += bool(line.strip())
            if line.strip() and len(problems) < _MOST_PROBLEMS:
                problems.append(Problem(number, _refusal(line)))
            continue
        name = found[1] or ""
        block = found[2] or ""
        if name and wanted is not None:
            interest = asked.get(name)
            if interest is None:
                interest = asked[name] = wanted(name)
            if not interest:
                continue
        if block not in known:
            known[block] = _labels(block)
        labels = known[block]
        time = None if found[4] is None else _time(found[4])
        if labels is not None and not name:
            name = labels.get("__name__", "")
            if name and wanted is not None and not wanted(name):
                continue
        if labels is None or not name:
            refused += 1
            if len(problems) < _MOST_PROBLEMS:
                problems.append(Problem(number, 'expected name{label="value"} and a number'))
        elif len(samples) < most:
            samples.append(Sample(name, labels, value, time, number))
        else:
            left_out += 1
    return Dump(
        samples=tuple(samples), kinds=kinds, units=units, problems=tuple(problems), refused=refused,
        left_out=left_out, at=at,
    )  # fmt: skip


def _headers(text: str) -> tuple[int, float]:
    """The line after the header of an HTTP answer (1 where there is none), and the date that it states."""
    if not text.startswith("HTTP/") or _HEADER.match(text) is None:
        return 1, 0.0
    at = 0.0
    for number, line in enumerate(text[:_LONGEST].split("\n"), 1):
        if not line.strip():
            return number, at
        name, _, value = line.partition(":")
        if name.lower() == "date":
            at = _date(value.strip())
    return 1, at


def _date(text: str) -> float:
    """The time of ``Mon, 23 Nov 2026 08:45:29 GMT``, in seconds since 1970; 0 for anything else."""
    from datetime import UTC, datetime

    found = _DATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return 0.0
    day, month, year, hour, minute, second = found[1], _MONTHS.index(found[2]) + 1, *found.groups()[2:]
    try:
        return datetime(int(year), month, int(day), int(hour), int(minute), int(second), tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _number(text: str) -> float | None:
    if "_" in text:  # Python takes 1_000
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _time(text: str) -> float | None:
    """A timestamp in seconds; None for what is none, which takes nothing from the value before it."""
    stamp = _number(text)
    if stamp is None or not math.isfinite(stamp):
        return None
    return stamp / 1000 if abs(stamp) >= _MILLISECONDS else stamp


def _labels(block: str) -> Mapping[str, str] | None:
    """The labels of a block; a name in quotes without a value is the metric's, under ``__name__``. None where the block
    is not well formed."""
    if not block.strip():
        return {}
    labels: dict[str, str] = {}
    at = 0
    while at < len(block):
        found = _LABEL.match(block, at)
        if found is None:
            return None if block[at:].strip() else labels
        name, quoted, value = found.groups()
        if value is None:
            if quoted is None:
                return None
            labels["__name__"] = _plain(quoted)
        else:
            labels[name if name is not None else _plain(quoted)] = _plain(value)
        at = found.end()
    return labels


def _plain(text: str) -> str:
    if text[:1] == '"' and text[-1:] == '"' and len(text) > 1:
        text = text[1:-1]
    return _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], text) if "\\" in text else text


def _refusal(line: str) -> str:
    if len(line) > _LONGEST:
        return f"the line has {len(line):,} characters; at most {_LONGEST:,} are read"
    if line.lstrip()[:1] == "<":
        return "expected metrics in Prometheus' text format, found HTML or XML"
    if line.lstrip()[:1] in ("{", "["):
        return "expected metrics in Prometheus' text format, found JSON"
    return "expected a name, labels in braces and a number"
