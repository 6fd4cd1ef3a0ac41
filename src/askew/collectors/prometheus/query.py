"""What to ask of Prometheus: of which series, over which span of time, in which queries."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlencode

import msgspec

from askew.collectors.metrics.collect import seconds_of
from askew.facts.values.duration import go_duration

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a plain value of a label never holds; a dot alone is part of many names.
_PATTERN = re.compile(r"\.[*+?]|[|*^$\[\](){}\\]")
_HEADER = re.compile(r"[!-~]{1,200}")
_LONGEST = 6000  # characters of a query in a URL; many servers refuse more than 8 KiB
_WINDOW = 1800.0
# Scrapers put these labels of their own on everything, and rename an exporter's to exported_…
_RENAMED = ("namespace", "pod", "container", "service", "node")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asks for. ``selectors`` are PromQL's without braces, the plain one first; ``end`` is in seconds
    since 1970, ``window`` in seconds. ``headers`` go with every question."""

    selectors: tuple[str, ...]
    end: float
    window: float
    headers: Mapping[str, str] = {}

    @property
    def times(self) -> str:
        """The span of time, as a URL and a person write it."""
        return datetime.fromtimestamp(self.end, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class OptionError(ValueError):
    """An option that says nothing, with what was expected."""


def asked(options: Iterable[tuple[str, str]], now: float | None = None) -> Asked:
    """Read the options of a source: ``window``, ``at``, ``tenant``, and labels with their values.

    A value with a pattern's signs in it (``llm-.*``), or behind ``~``, is a regular expression; ``!`` before it turns
    it round. Raises OptionError.
    """
    labels: list[tuple[str, str, str]] = []
    end, window = time.time() if now is None else now, _WINDOW
    headers: dict[str, str] = {}
    for name, raw in options:
        value = unquote(raw)
        if name == "window":
            window = _duration(value)
        elif name == "at":
            at = seconds_of(value)
            if at is None:
                raise OptionError(f"at={value}: expected a time such as 2026-11-23T08:45:00Z")
            end = at
        elif name == "tenant":
            if not _HEADER.fullmatch(value):
                raise OptionError("tenant: expected one word that a header can hold")
            # Mimir, Cortex and Loki; Thanos.
            headers = {"X-Scope-OrgID": value, "THANOS-TENANT": value}
        elif _LABEL.fullmatch(name) and value:
            labels.append((name, *_matcher(value)))
        else:
            raise OptionError(f"{name}={value}: expected a label with its value, window=30m or at=TIME")
    if not labels:
        raise OptionError("nothing says which workload is meant")
    plain = ",".join(f"{name}{sign}{_quoted(value)}" for name, sign, value in labels)
    exported = ",".join(
        f"{'exported_' if name in _RENAMED else ''}{name}{sign}{_quoted(value)}" for name, sign, value in labels
    )
    return Asked(
        selectors=(plain,) if plain == exported else (plain, exported), end=end, window=window, headers=headers
    )


def _matcher(value: str) -> tuple[str, str]:
    turned = value.startswith("!")
    value = value.removeprefix("!")
    if value.startswith("~"):
        return ("!~" if turned else "=~"), value[1:]
    if _PATTERN.search(value):
        return ("!~" if turned else "=~"), value
    return ("!=" if turned else "="), value


def _duration(text: str) -> float:
    try:
        seconds = float(text) if text.isdigit() and len(text) < 10 else float(go_duration(_without_days(text)))
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 400 * 86400:
        raise OptionError(f"window={text}: expected a span of time such as 30m or 6h")
    return seconds


def _without_days(text: str) -> str:
    """Prometheus has days and weeks, Go's durations have not."""
    found = re.fullmatch(r"(\d{1,6})([dw])", text)
    return f"{int(found[1]) * (24 if found[2] == 'd' else 168)}h" if found is not None else text


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def names_path(asked: Asked, selector: str) -> str:
    """The question for the names of all metrics that have series."""
    parameters = {"match[]": f"{{{selector}}}", "start": _number(asked.end - asked.window), "end": _number(asked.end)}
    return f"/api/v1/label/__name__/values?{urlencode(parameters, quote_via=quote)}"


def raw_queries(asked: Asked, selector: str, names: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Queries for every point of several metrics, each as long as a URL may be, with the metrics that it is of."""
    batch: list[str] = []
    for name in names:
        if batch and len(quote("|".join((*batch, name)), safe="")) + len(quote(selector, safe="")) > _LONGEST:
            yield raw_query(asked, selector, batch), tuple(batch)
            batch = []
        batch.append(name)
    if batch:
        yield raw_query(asked, selector, batch), tuple(batch)


def raw_query(asked: Asked, selector: str, names: Sequence[str]) -> str:
    """Every point of these metrics in the window. One name stands before the braces: not every server takes a pattern
    of names."""
    seconds = _number(asked.window)
    if len(names) == 1 and _LABEL.fullmatch(names[0].replace(":", "_")):
        return f"{names[0]}{{{selector}}}[{seconds}s]"
    pattern = "|".join(re.escape(name) for name in names)
    return f"{{__name__=~{_quoted(pattern)},{selector}}}[{seconds}s]"


def shown(asked: Asked, selector: str) -> str:
    """A query as a location has it: without the names, which each of its series has."""
    return f"{{{selector}}}[{_number(asked.window)}s]"


def increase_query(asked: Asked, selector: str, name: str) -> str:
    """How much each series of one metric grew in the window, as the server works it out."""
    return f"increase({name}{{{selector}}}[{_number(asked.window)}s])"


def query_path(asked: Asked, query: str) -> str:
    """The question that a query is."""
    return f"/api/v1/query?{urlencode({'query': query, 'time': _number(asked.end)}, quote_via=quote)}"


def steps_path(asked: Asked, query: str, steps: int) -> str:
    """The question for a query at some moments of the window."""
    step = max(asked.window / steps, 1.0)
    parameters = {
        "query": query, "start": _number(asked.end - asked.window), "end": _number(asked.end), "step": _number(step),
    }  # fmt: skip
    return f"/api/v1/query_range?{urlencode(parameters, quote_via=quote)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
