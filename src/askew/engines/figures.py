"""Series of metrics to figures: one number with how many values it rests on, and how sure that makes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from askew.engines.live import Meter
from askew.evidence.location import Location
from askew.evidence.series import (
    Bucket,
    Increase,
    NativeBucket,
    Series,
    increase,
    is_beyond,
    native_quantile,
    quantile,
    summed,
)  # fmt: skip
from askew.facts.catalogue import FACTS
from askew.resolve.observation import Confidence

FEWEST = 30  # values below which a figure says too little to be compared
_FEWEST_MOMENTS = 10  # points in time of a gauge
_WIDEST = 0.25  # half the interval that holds the true value with 95 %, relative to the figure
_CERTAINTY = 1.96  # standard deviations on both sides that hold 95 %
_PLACES = 3
_LARGEST = 1e18  # no engine has counted so far; what claims it has is no counter
_BLANK, _BLANK_32 = 140737488355328.0, 2147483632.0


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A number in the unit of its fact, or None with ``why``. ``rank`` is the quantile's, where it is one.

    ``sure``: many values agree on it. ``because`` says what it rests on.
    """

    value: float | None
    places: tuple[Location, ...]
    because: tuple[str, ...] = ()
    rank: str = ""
    sure: Confidence = "certain"
    why: str = ""


class Index:
    """Series by name and replica. Names are looked up as the releases have had them, the newest first."""

    def __init__(self, series: Iterable[Series], aliases: Mapping[str, str], windowed: bool, timed: bool) -> None:
        self.windowed, self.timed = windowed, timed
        models: set[str] = set()
        worked_out = False
        self._by_name: dict[str, dict[str, list[Series]]] = {}
        for one in series:
            name = canonical(one.name, aliases)
            self._by_name.setdefault(name, {}).setdefault(one.replica, []).append(one)
            models.add(one.labels.get("model_name") or one.labels.get("model") or "")
            worked_out = worked_out or not one.total
        named = sorted(models - {""})
        # What whoever reads a figure has to know: two models in one are neither of them.
        self.notes = (
            *((f"over {len(named)} models: {', '.join(named[:4])}",) if len(named) > 1 else ()),
            *(("worked out by the server's increase()",) if worked_out else ()),
        )

    def find(
        self,
        names: Sequence[str],
        suffix: str = "",
        where: Mapping[str, tuple[str, ...]] = {},
        unless: Mapping[str, tuple[str, ...]] = {},
    ) -> list[Series]:
        """The series of the first name that each replica has: a release that renames emits both for a while."""
        found: dict[str, list[Series]] = {}
        for name in names:
            for spelling in _spellings(name) if not suffix else (name + suffix,):
                for replica, series in self._by_name.get(spelling, {}).items():
                    found.setdefault(replica, series)
        return [
            one
            for series in found.values()
            for one in series
            if all(one.labels.get(label, "") in values for label, values in where.items())
            and not any(one.labels.get(label, "") in values for label, values in unless.items())
        ]

    def grown(self, one: Series) -> Increase:
        """What a counter counted: in the window, or since its process began where there is no window."""
        if self.windowed and one.total:
            grown = increase(one.points) or Increase(0.0, 0.0)
        else:
            grown = Increase(one.points[0][1] if one.points else 0.0, one.span)
        return grown if 0 <= grown.value < _LARGEST else Increase(0.0, grown.seconds, grown.resets)


def canonical(name: str, aliases: Mapping[str, str]) -> str:
    """The name as the engine itself has it."""
    for prefix, own in aliases.items():
        if name.startswith(prefix):
            return own + name.removeprefix(prefix)
    return name


def _spellings(name: str) -> tuple[str, ...]:
    """Clients add ``_total`` to the name of a counter, or do not."""
    return (name, name.removesuffix("_total")) if name.endswith("_total") else (name, name + "_total")


def figures(meter: Meter, index: Index, ranks: Sequence[tuple[str, float]]) -> tuple[Figure, ...]:
    """The figures that a meter gives; none where the metrics are not there. ``ranks`` are the quantiles to state."""
    if meter.how == "quantiles":
        return tuple(_quantiles(meter, index, ranks))
    found = index.find(meter.names, where=meter.where, unless=meter.unless)
    if meter.how == "mean":
        return tuple(_mean(meter, index))
    if not found and not meter.lazy:
        return ()
    return tuple(_READERS[meter.how](meter, index, found))


def _quantiles(meter: Meter, index: Index, ranks: Sequence[tuple[str, float]]) -> Iterator[Figure]:
    found = index.find(meter.names, "_bucket", meter.where, meter.unless)
    plain = index.find(meter.names, where=meter.where, unless=meter.unless)
    natives = [bucket for one in plain for bucket in one.native]
    places = _places(found or plain)
    yield from _mean(meter, index, rank="mean")
    if not found and not natives:
        yield from _summary(meter, index, ranks)
        return
    grown = [(one, index.grown(one)) for one in found]
    histograms: dict[tuple[str, tuple[tuple[str, str], ...]], list[Bucket]] = {}
    for one, growth in grown:
        others = tuple(sorted((key, value) for key, value in one.labels.items() if key != "le"))
        histograms.setdefault((one.replica, others), []).append((_bound(one), growth.value))
    buckets = summed(histograms.values())
    native = _merged(natives)
    total = buckets[-1][1] if buckets else sum(count for _, _, count in native)
    if total <= 0:
        for name, _ in ranks:
            yield Figure(value=None, places=places, rank=name, why=_nothing(index))
        return
    basis = _basis(index, total, [growth for _, growth in grown], {one.replica for one in found})

    def at(rank: float) -> float | None:
        return quantile(rank, buckets) if buckets else native_quantile(rank, native)

    for name, rank in ranks:
        value = at(rank)
        if value is None:
            yield Figure(value=None, places=places, rank=name, why="the histogram has no bucket without a bound")
            continue
        half = _CERTAINTY * math.sqrt(rank * (1 - rank) / total)
        low, high = at(max(rank - half, 0.0)), at(min(rank + half, 1.0))
        because = basis
        sure: Confidence = "certain"
        if buckets and is_beyond(rank, buckets):
            sure, because = "possible", (*basis, f"beyond the last bucket: at least {_text(value * meter.scale)}")
        elif low is not None and high is not None:
            because = (*basis, f"with 95 % certainty from {_text(low * meter.scale)} to {_text(high * meter.scale)}")
            wide = (high - low) / 2 > _WIDEST * value or (buckets and is_beyond(min(rank + half, 1.0), buckets))
            sure = "possible" if wide or total < FEWEST else "certain"
        yield Figure(value=value * meter.scale, places=places, because=because, rank=name, sure=sure)


def _summary(meter: Meter, index: Index, ranks: Sequence[tuple[str, float]]) -> Iterator[Figure]:
    """Quantiles that the engine works out itself, over its last minutes: they cannot be added up over replicas."""
    found = [one for one in index.find(meter.names, where=meter.where, unless=meter.unless) if "quantile" in one.labels]
    for name, rank in ranks:
        same = [one for one in found if _number(one.labels["quantile"]) == rank]
        values = [value for one in same for _, value in one.points[-1:] if math.isfinite(value)]
        if len(same) == 1 and values:
            because = ("the engine's own quantile over its last minutes",)
            yield Figure(value=values[0] * meter.scale, places=_places(same), because=because, rank=name, sure="likely")
        elif same:
            why = f"{len(same)} series have a quantile of their own; quantiles cannot be added up"
            yield Figure(value=None, places=_places(same), rank=name, why=why if values else _nothing(index))


def _mean(meter: Meter, index: Index, rank: str = "") -> Iterator[Figure]:
    """The sum of a histogram by its count, or one counter by another."""

    def part(names: Sequence[str], suffix: str) -> list[Series]:
        return index.find(names, "" if meter.of else suffix, meter.where, meter.unless)

    parts, counts = part(meter.names, "_sum"), part(meter.of or meter.names, "_count")
    if not parts or not counts:
        return
    growths = [index.grown(one) for one in counts]
    total = sum(growth.value for growth in growths)
    places = _places(parts)
    if total <= 0:
        yield Figure(value=None, places=places, rank=rank, why=_nothing(index))
        return
    value = sum(index.grown(one).value for one in parts) / total * meter.scale
    basis = _basis(index, total, growths, {one.replica for one in counts})
    yield Figure(value=value, places=places, because=basis, rank=rank, sure=_enough(total))


def _rate(meter: Meter, index: Index, found: Sequence[Series]) -> Iterator[Figure]:
    """Per second and replica: everything counted, by the time for which each replica was seen, together."""
    places = _places(found)
    if not index.timed:
        why = "one dump shows what was counted since the engine started, which is no current rate"
        if index.windowed:
            why = "the dumps do not say how much time lies between them"
        yield Figure(value=None, places=places, why=why)
        return
    growths = [(one.replica, index.grown(one)) for one in found]
    spans: dict[str, float] = {}
    for replica, growth in growths:
        spans[replica] = max(spans.get(replica, 0.0), growth.seconds)
    seconds, total = sum(spans.values()), sum(growth.value for _, growth in growths)
    if seconds <= 0:
        yield Figure(value=None, places=places, why="each counter was seen once only in this window")
        return
    basis = _basis(index, total, [growth for _, growth in growths], set(spans))
    yield Figure(
        value=total / seconds * meter.scale, places=places, because=basis, sure=_enough(total) if total else "certain"
    )


def _share(meter: Meter, index: Index, found: Sequence[Series]) -> Iterator[Figure]:
    whole = index.find(meter.names, unless=meter.unless)
    if meter.of:
        whole = [one for name in meter.of for one in index.find((name,), unless=meter.unless)]
    growths = [index.grown(one) for one in whole]
    total = sum(growth.value for growth in growths)
    places = _places(found or whole)
    if total <= 0:
        yield Figure(value=None, places=places, why=_nothing(index))
        return
    part = sum(index.grown(one).value for one in found)
    value = min(part / total, 1.0)
    half = _CERTAINTY * math.sqrt(value * (1 - value) / total)
    sure: Confidence = "certain" if total >= FEWEST and half <= max(_WIDEST * value, 0.02) else "possible"
    basis = _basis(index, total, growths, {one.replica for one in whole})
    yield Figure(value=value, places=places, because=basis, sure=sure)


def _level(meter: Meter, index: Index, found: Sequence[Series]) -> Iterator[Figure]:
    """The mean over time of what the series of one replica are together, and the mean of that over the replicas."""
    moments = _together(meter, found)
    means = [sum(values.values()) / len(values) for values in moments.values() if values]
    if not means:
        return
    most = max(len(values) for values in moments.values())
    because = (
        f"the mean of {most} moments" if most > 1 else "at one moment, which says little of the time around it",
        *_replicas(len(means)),
    )
    sure: Confidence = "certain" if most >= _FEWEST_MOMENTS else "possible"
    value = sum(means) / len(means) * meter.scale
    if meter.nonzero and not value:
        return
    yield Figure(value=value, places=_places(found), because=because, sure=sure)


def _peak(meter: Meter, index: Index, found: Sequence[Series]) -> Iterator[Figure]:
    """The p95 over time, as ``quantile_over_time`` has it."""
    moments = _together(meter, found)
    values = sorted(value for each in moments.values() for value in each.values())
    if len(values) < _FEWEST_MOMENTS:
        return
    place = 0.95 * (len(values) - 1)
    low = math.floor(place)
    value = values[low] + (values[min(low + 1, len(values) - 1)] - values[low]) * (place - low)
    because = (f"of {len(values)} moments", *_replicas(len(moments)))
    sure: Confidence = "certain" if len(values) >= FEWEST else "possible"
    yield Figure(value=value * meter.scale, places=_places(found), because=because, sure=sure)


def _value(meter: Meter, index: Index, found: Sequence[Series]) -> Iterator[Figure]:
    """What a gauge says: the same of all series, or nothing. What each start measures anew is a little apart."""
    latest = sorted({one.points[-1][1] for one in found if one.points and _says_something(one.points[-1][1])})
    if latest and FACTS[meter.fact].type.same(latest[0] * meter.scale, latest[-1] * meter.scale):
        because = ("the smallest: other series are a little above it",) if len(latest) > 1 else ()
        yield Figure(value=latest[0] * meter.scale, places=_places(found), because=because)
    elif latest:
        shown = ", ".join(_text(value * meter.scale) for value in latest[:4])
        yield Figure(value=None, places=_places(found), why=f"the replicas say different things: {shown}")


_READERS: Mapping[str, Callable[[Meter, Index, Sequence[Series]], Iterator[Figure]]] = {
    "rate": _rate,
    "share": _share,
    "level": _level,
    "peak": _peak,
    "value": _value,
}


def _together(meter: Meter, found: Sequence[Series]) -> Mapping[str, Mapping[float, float]]:
    """By replica, the value at each time: what its series are together that have a point then."""
    moments: dict[str, dict[float, list[float]]] = {}
    for one in found:
        for time, value in one.points:
            if _says_something(value):
                moments.setdefault(one.replica, {}).setdefault(time, []).append(value)
    return {
        replica: {time: sum(values) / (len(values) if meter.across == "mean" else 1) for time, values in each.items()}
        for replica, each in moments.items()
    }


def _says_something(value: float) -> bool:
    """Whether a gauge has a value. DCGM writes one of these for "not supported":
    https://github.com/NVIDIA/DCGM/blob/v4.2.3/dcgmlib/dcgm_structs.h (DCGM_INT32_BLANK, DCGM_FP64_BLANK)."""
    return math.isfinite(value) and value < _BLANK and not _BLANK_32 <= value < _BLANK_32 + 16


def _basis(index: Index, total: float, growths: Sequence[Increase], replicas: set[str]) -> tuple[str, ...]:
    """What a figure rests on, in words."""
    counted = f"{round(total):,} counted"
    resets = max((growth.resets for growth in growths), default=0)
    times = "once" if resets == 1 else f"{resets} times"
    restarts = (f"the counters began anew {times} in between",) if resets else ()
    if not index.windowed:
        since = f"{counted} since the engine started: one dump shows totals, not what holds now"
        return (since, *_replicas(len(replicas)), *index.notes)
    seconds = max((growth.seconds for growth in growths), default=0.0)
    during = f" in {_duration(seconds)}" if index.timed else " between the dumps"
    return (counted + during, *_replicas(len(replicas)), *restarts, *index.notes)


def _replicas(count: int) -> tuple[str, ...]:
    return (f"over {count} replicas",) if count > 1 else ()


def _nothing(index: Index) -> str:
    return "nothing was counted in this window" if index.windowed else "nothing was counted since the engine started"


def _enough(total: float) -> Confidence:
    return "certain" if total >= FEWEST else "possible"


def _places(found: Sequence[Series]) -> tuple[Location, ...]:
    """The place of the first series of each replica, of a few of them."""
    first: dict[str, Location] = {}
    for one in found:
        first.setdefault(one.replica, one.at)
    return tuple(first.values())[:_PLACES]


def _merged(natives: Iterable[NativeBucket]) -> tuple[NativeBucket, ...]:
    together: dict[tuple[float, float], float] = {}
    for lower, upper, count in natives:
        together[lower, upper] = together.get((lower, upper), 0.0) + count
    return tuple((lower, upper, count) for (lower, upper), count in sorted(together.items()))


def _bound(one: Series) -> float:
    return _number(one.labels.get("le", ""))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _text(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
