"""``metrics:FILE``: what somebody captured of ``/metrics``, once or several times.

``metrics:before.txt,after.txt`` are two dumps of one endpoint, of which the difference is what happened in between.
``window=90s`` says how much time lies between the first and the last, ``at=TIME,TIME`` when each was taken; ``curl -i``
keeps the time in the file. ``-`` is standard input.
"""

from __future__ import annotations

import os

from askew.collectors.files.collect import UnreadableError, read_bytes, read_piped
from askew.collectors.interface import Capability, Evidence, Request, Text, located
from askew.collectors.metrics import redact
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor
from askew.facts.values.duration import go_duration

MAX_BYTES = 64 * 2**20  # of one dump
_MOST = 64  # dumps of one source
_YEAR_10000 = 253_402_300_800.0  # in seconds since 1970
_HINT = "name a dump: curl -si http://HOST:8000/metrics > metrics.txt"


class MetricsCollector:
    """Dumps of metrics in Prometheus' text format."""

    name = "metrics"
    schemes: tuple[str, ...] = ("metrics",)
    capabilities: tuple[Capability, ...] = ("filesystem",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the dumps. Never raises for what they hold."""
        reader = Reader(redactor)
        names = _names(request)
        times, fault = _times(request.options, len(names))
        if fault:
            reader.fail(request.uri, fault, "write ?window=90s, or ?at=2026-11-23T08:44:00Z,2026-11-23T08:45:30Z")
            return reader.evidence(request.uri, "", "", platform="metrics")
        for name, time in zip(names, times, strict=True):
            text = _read(reader, name, request.base)
            if text is None:
                continue
            source = f"{name}#at={time}" if time else name
            reader.texts.append(Text(source=source, text=redact.dump(text, redactor)))
        return reader.evidence(request.uri, "the dump is empty", _HINT, platform="metrics")


COLLECTOR = MetricsCollector()


def _names(request: Request) -> tuple[str, ...]:
    """The files: one, or several with commas between them."""
    whole = os.path.join(request.base, os.path.expanduser(request.target))
    if os.path.exists(whole) or "," not in request.target:
        return (request.target,)
    return tuple(name for name in request.target.split(",") if name)[:_MOST]


def _times(options: tuple[tuple[str, str], ...], count: int) -> tuple[tuple[str, ...], str]:
    """When each dump was taken, as seconds in words, and what is wrong with the options; of those known to none."""
    given = dict(options)
    if unknown := sorted(given.keys() - {"at", "window"}):
        return ("",) * count, f"'{unknown[0]}' is no option of metrics:"
    if at := given.get("at"):
        times = [seconds_of(part) for part in at.split(",")]
        if len(times) != count or None in times:
            return ("",) * count, f"at={at}: expected one RFC 3339 time for each of {count} dumps"
        return tuple(str(time) for time in times), ""
    if window := given.get("window"):
        try:
            seconds = float(go_duration(window)) if not window.isdigit() else float(window)
        except ValueError:
            seconds = 0.0
        if count < 2 or not 0 < seconds < 1e9:
            return ("",) * count, f"window={window}: expected the time between several dumps, such as 90s"
        step = seconds / (count - 1)
        return tuple(str(1 + index * step) for index in range(count)), ""
    return ("",) * count, ""


def seconds_of(text: str) -> float | None:
    """A time as RFC 3339 writes it, or in seconds since 1970; None for anything else, and for what no calendar has."""
    from datetime import UTC, datetime

    try:
        if text.replace(".", "", 1).isdigit() and len(text) < 20:
            seconds = float(text)
        else:
            time = datetime.fromisoformat(text)
            seconds = (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < _YEAR_10000 else None


def _read(reader: Reader, name: str, base: str) -> str | None:
    """The text of a dump; None where it is none, which the reader then says."""
    reader.files += 1
    try:
        data = read_piped(MAX_BYTES, _HINT) if name == "-" else read_bytes(located(name, base), MAX_BYTES)
    except UnreadableError as error:
        reader.fail(name, error.message, _HINT)
        return None
    if not data.strip():
        reader.fail(name, "the file is empty", _HINT)
    elif (at := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, at) + 1
        reader.fail(name, "expected text, found a NUL byte: this is a binary file", _HINT, line, 1)
    else:
        return data.decode("utf-8-sig", "replace")  # a bad byte in a label does not spoil the numbers
    return None
