"""What counters, gauges and histograms say of a span of time: increase across restarts, rates, quantiles.

Quantiles are those of Prometheus' ``histogram_quantile``, so that a figure here is the figure on the dashboard. Source:
https://github.com/prometheus/prometheus/blob/v3.4.0/promql/quantile.go (bucketQuantile, histogramQuantile).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from askew.evidence.location import Location

# Time in seconds and value. Of dumps that do not say when they were taken, the time is their number.
Point: TypeAlias = tuple[float, float]
# The upper bound of a bucket, and how many values were at or below it.
Bucket: TypeAlias = tuple[float, float]
# The bounds of a bucket of a native histogram, and how many values were in it.
NativeBucket: TypeAlias = tuple[float, float, float]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One metric with one set of labels, over time. ``at`` is where its last value stands; ``replica`` who gave it.

    ``total``: the points are what was counted up to each of them; else ``points`` has one, which is what was counted in
    ``span`` seconds, as a server worked it out. ``native`` are the buckets of a native histogram over the span.
    """

    name: str
    labels: Mapping[str, str]
    points: tuple[Point, ...]
    at: Location
    replica: str = ""
    total: bool = True
    span: float = 0.0
    native: tuple[NativeBucket, ...] = ()


class Increase(msgspec.Struct, frozen=True):
    """How much a counter grew: ``value`` in ``seconds``, with ``resets`` restarts seen in between."""

    value: float
    seconds: float
    resets: int = 0


def increase(points: Sequence[Point]) -> Increase | None:
    """The growth of a counter between the first and the last point. None for fewer than two.

    A counter that fell was started anew from zero, and what it shows then it counted since. Points that are no number
    are passed over.
    """
    known = [point for point in points if math.isfinite(point[1])]
    if len(known) < 2:
        return None
    grown, resets = 0.0, 0
    for (_, before), (_, after) in itertools.pairwise(known):
        if after < before:
            resets += 1
            grown += after
        else:
            grown += after - before
    return Increase(max(grown, 0.0), known[-1][0] - known[0][0], resets)


def quantile(rank: float, buckets: Iterable[Bucket]) -> float | None:
    """The value below which the share ``rank`` (0–1) of what a classic histogram counted lies.

    ``buckets`` are cumulative, in any order. None where they hold nothing, or the last is not infinite. In the infinite
    bucket the answer is the highest bound below it: at least so much.
    """
    ordered = _monotonic(buckets)
    if len(ordered) < 2 or ordered[-1][0] != math.inf or ordered[-1][1] <= 0:
        return None
    wanted = rank * ordered[-1][1]
    index = next((i for i, (_, count) in enumerate(ordered[:-1]) if count >= wanted), len(ordered) - 1)
    if index == len(ordered) - 1:
        return ordered[-2][0]
    upper, count = ordered[index]
    if index == 0:
        if upper <= 0:
            return upper
        return upper * wanted / count if count else 0.0
    lower, below = ordered[index - 1]
    inside = count - below
    return lower + (upper - lower) * (wanted - below) / inside if inside else upper


def is_beyond(rank: float, buckets: Iterable[Bucket]) -> bool:
    """Whether the quantile lies in the infinite bucket, so that only a lower bound of it is known."""
    ordered = _monotonic(buckets)
    return len(ordered) > 1 and ordered[-2][1] < rank * ordered[-1][1]


def native_quantile(rank: float, buckets: Iterable[NativeBucket]) -> float | None:
    """The same for the buckets of a native histogram, between whose bounds values lie evenly on a logarithmic scale."""
    ordered = sorted(bucket for bucket in buckets if 0 < bucket[2] < math.inf)
    total = sum(count for _, _, count in ordered)
    if not total:
        return None
    wanted, below, place = rank * total, 0.0, 0
    while place < len(ordered) - 1 and below + ordered[place][2] < wanted:
        below += ordered[place][2]
        place += 1
    lower, upper, count = ordered[place]
    share = min(max((wanted - below) / count, 0.0), 1.0)
    if lower == -math.inf or upper == math.inf:
        return upper if lower == -math.inf else lower
    if lower <= 0 <= upper:  # the bucket around zero; values that are never negative lie above it
        lower = 0.0 if ordered[0][0] >= 0 or lower == 0 or not any(b[1] <= 0 for b in ordered) else lower
        return lower + (upper - lower) * share
    if lower > 0:
        return lower * math.pow(upper / lower, share)
    return -(-lower * math.pow(upper / lower, share))


def summed(parts: Iterable[Iterable[Bucket]]) -> tuple[Bucket, ...]:
    """Histograms of several series as one. Bounds that not all of them have count what is at or below them there."""
    together: dict[float, float] = {}
    lists = [_monotonic(part) for part in parts]
    bounds = sorted({bound for part in lists for bound, _ in part})
    for part in lists:
        index, count = 0, 0.0
        for bound in bounds:
            while index < len(part) and part[index][0] <= bound:
                count = part[index][1]
                index += 1
            together[bound] = together.get(bound, 0.0) + count
    return tuple(sorted(together.items()))


def _monotonic(buckets: Iterable[Bucket]) -> list[Bucket]:
    """Sorted, one of each bound, never falling: buckets are scraped one after the other, and may be a little apart."""
    merged: dict[float, float] = {}
    for bound, count in buckets:
        if not math.isnan(bound) and math.isfinite(count):
            merged[bound] = merged.get(bound, 0.0) + count
    ordered: list[Bucket] = []
    most = 0.0
    for bound, count in sorted(merged.items()):
        most = max(most, count)
        ordered.append((bound, most))
    return ordered
