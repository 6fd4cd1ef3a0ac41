"""What was told in metrics, as series over time: dumps of ``/metrics``, and answers of Prometheus' HTTP API."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from askew.evidence.exposition import Dump, parse
from askew.evidence.location import Location
from askew.evidence.series import NativeBucket, Point, Series
from askew.evidence.told import Told

_COUNTED = ("_total", "_bucket", "_count", "_sum")
_STARTED = "process_start_time_seconds"
_SKEW = 60.0  # seconds by which two clocks may differ
# The names that exporters and scrapers give to the one who is measured, the most exact first.
_REPLICA = ("exported_pod", "pod", "pod_name", "kubernetes_pod_name", "instance")
# What tells apart two servers of a pair, or two jobs that scrape one target: of the same series one counts.
_SCRAPER = ("prometheus_replica", "__replica__", "prometheus", "job", "service")
# increase(name{…}[1800s]): what a server worked out, and over how many seconds.
_WORKED_OUT = re.compile(r"increase\(([A-Za-z_:][A-Za-z0-9_:]*)\{[^\n]*\[(\d{1,9})s\]")


class Scrapes(msgspec.Struct, frozen=True, kw_only=True):
    """All series, and what the reader of them has to know.

    ``windowed``: they cover a span of time; else each has one point, and counters count since their process began.
    ``timed``: how long that span is, is known.
    """

    series: tuple[Series, ...]
    windowed: bool
    timed: bool


class _Entry(msgspec.Struct):
    """One result of the HTTP API. ``histogram`` is ``[time, {count, sum, buckets: [[rule, lower, upper, count]]}]``."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None
    histogram: tuple[float, dict[str, str | list[tuple[int, str, str, str]]]] | None = None


class _Data(msgspec.Struct):
    result: list[_Entry] = []


class _Answer(msgspec.Struct):
    """https://prometheus.io/docs/prometheus/latest/querying/api/#expression-query-result-formats"""

    data: _Data


def gathered(told: Sequence[Told], wanted: Callable[[str], bool]) -> Scrapes:
    """The series of everything that was told in metrics. ``wanted`` says by its name whether a metric is of interest.

    Several dumps of one replica are points in time, in the order of their times, else in that in which they come.
    Dumps of two processes that ran at once are two replicas, whoever named them together.
    """

    def is_wanted(name: str) -> bool:
        return name == _STARTED or wanted(name)

    series: list[Series] = []
    answered: dict[tuple[str, frozenset[tuple[str, str]]], Series] = {}
    dumps: dict[tuple[str, str], list[tuple[Told, Dump]]] = {}
    for one in told:
        if one.text.lstrip()[:1] == "{" and '"data"' in one.text[:400]:
            with contextlib.suppress(msgspec.DecodeError, RecursionError, ValueError):  # its collector said it
                for each in _of_answer(one, wanted):
                    key = each.name, frozenset(pair for pair in each.labels.items() if pair[0] not in _SCRAPER)
                    held = answered.get(key)
                    if held is None or len(each.points) > len(held.points):
                        answered[key] = each
            continue
        dump = parse(one.text, is_wanted)
        dumps.setdefault((one.replica, one.container), []).append((one, dump))
    timed = True
    for found in dumps.values():
        times = [one.at or dump.at for one, dump in found]
        stamped = all(times) and len(set(times)) == len(times)
        if stamped:
            found.sort(key=lambda pair: pair[0].at or pair[1].at)
        own = any(sample.timestamp is not None for _, dump in found for sample in dump.samples)
        timed = timed and (stamped or own)
        processes = _processes(found, stamped)
        for process in processes:
            who = process[0][0].replica or (process[0][0].source if len(processes) > 1 else "")
            series.extend(_of_dumps(process, stamped, who))
    series.extend(answered.values())
    windowed = any(len(one.points) > 1 or not one.total for one in series)
    return Scrapes(series=tuple(series), windowed=windowed, timed=timed and windowed)


def _processes(found: Sequence[tuple[Told, Dump]], stamped: bool) -> list[list[tuple[Told, Dump]]]:
    """Dumps by the process that gave them, each with those that it gave after it began anew."""
    groups: list[list[tuple[Told, Dump]]] = []
    for pair in found:
        group = next((one for one in groups if _goes_on(one[-1], pair, stamped)), None)
        if group is None:
            groups.append([pair])
        else:
            group.append(pair)
    return groups


def _goes_on(before: tuple[Told, Dump], after: tuple[Told, Dump], stamped: bool) -> bool:
    """Whether a dump can be a later one of the same engine: it has the same metrics, and its process is the same, or
    began after the dump before was taken."""
    if {one.name for one in before[1].samples}.isdisjoint(one.name for one in after[1].samples):
        return False
    began_before, began = _began(before[1]), _began(after[1])
    if began_before is None or began is None or abs(began - began_before) < 1:
        return True
    return stamped and began >= (before[0].at or before[1].at) - _SKEW


def _began(dump: Dump) -> float | None:
    return next((one.value for one in dump.samples if one.name == _STARTED), None)


def _of_dumps(found: Sequence[tuple[Told, Dump]], stamped: bool, replica: str) -> Iterator[Series]:
    points: dict[tuple[str, tuple[tuple[str, str], ...]], dict[float, float]] = {}
    places: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[Location, Mapping[str, str]]] = {}
    keys: dict[int, tuple[tuple[str, str], ...]] = {}  # one mapping of labels serves many samples of a dump
    start = last = 0.0
    began: float | None = None
    for index, (one, dump) in enumerate(found):
        time = (one.at or dump.at) if stamped else float(index)
        start = time if not index else start
        anew = _anew(began, _began(dump), last, time) if index else None
        began, last = _began(dump), time
        for sample in dump.samples:
            labels = keys.get(id(sample.labels))
            if labels is None:
                labels = keys[id(sample.labels)] = tuple(sorted(sample.labels.items()))
            key = (sample.name, labels)
            # A gauge may be called so too: nv_inference_pending_request_count
            counts = sample.name.endswith(_COUNTED) and dump.kinds.get(sample.name) != "gauge"
            if key not in places:
                points[key] = {}
                if index and counts and sample.timestamp is None:
                    points[key][start] = 0.0  # counted for the first time since the first dump
            elif anew is not None and counts and sample.timestamp is None:
                points[key][anew] = 0.0  # even where it has counted more since than it had before
            places[key] = Location(one.source, path=sample.name, line=sample.line, column=1), sample.labels
            points[key].setdefault(time if sample.timestamp is None else sample.timestamp, sample.value)
    for (name, _), values in points.items():
        at, labels_of = places[name, _]
        yield Series(
            name=name, labels=labels_of, points=tuple(sorted(values.items())), at=at,
            replica=replica or replica_of(labels_of),
        )  # fmt: skip


def _anew(before: float | None, after: float | None, last: float, time: float) -> float | None:
    """When a process began between two dumps; None where both are of one."""
    if before is None or after is None or abs(after - before) < 1:
        return None
    return after if last < after < time else (last + time) / 2


def _of_answer(told: Told, wanted: Callable[[str], bool]) -> Iterator[Series]:
    answer = msgspec.json.decode(told.text, type=_Answer)
    worked_out = _WORKED_OUT.search(told.source)
    for entry in answer.data.result:
        name = entry.metric.get("__name__") or (worked_out[1] if worked_out else "")
        if not wanted(name):
            continue
        pairs = entry.values or ([entry.value] if entry.value is not None else [])
        points: tuple[Point, ...] = tuple((time, float(value)) for time, value in pairs)
        native: tuple[NativeBucket, ...] = ()
        if entry.histogram is not None:
            listed = entry.histogram[1].get("buckets", [])
            native = tuple(
                (float(lower), float(upper), float(count))
                for _, lower, upper, count in (listed if isinstance(listed, list) else ())
            )
        if not points and not native:
            continue
        yield Series(
            name=name,
            labels=entry.metric,
            points=points,
            at=Location(told.source, path=_shown(name, entry.metric)),
            replica=told.replica or replica_of(entry.metric),
            total=worked_out is None,
            span=float(worked_out[2]) if worked_out else 0.0,
            native=native,
        )


def replica_of(labels: Mapping[str, str]) -> str:
    """Who gave a series, as scrapers label it; empty where no label tells."""
    return next((labels[name] for name in _REPLICA if labels.get(name)), "")


def _shown(name: str, labels: Mapping[str, str]) -> str:
    who = replica_of(labels)
    return f"{name}{{{who}}}" if who else name
