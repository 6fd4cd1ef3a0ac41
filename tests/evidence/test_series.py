"""Counters across restarts, and quantiles as Prometheus works them out."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.evidence.series import increase, is_beyond, native_quantile, quantile, summed

INF = math.inf


def test_buckets_without_a_number_tell_nothing():
    for count in (math.inf, math.nan, -1.0):
        assert native_quantile(0.5, [(1.0, 2.0, count)]) is None
        assert native_quantile(0.5, [(1.0, 4.0, 10.0), (4.0, 8.0, count)]) == pytest.approx(2.0)


def test_a_counter_that_falls_began_anew():
    found = increase([(0, 10), (15, 14), (30, 3), (45, 5)])
    assert found is not None
    assert (found.value, found.seconds, found.resets) == (4 + 3 + 2, 45, 1)


def test_one_point_has_no_increase():
    assert increase([(0, 10)]) is None
    assert increase([]) is None
    assert increase([(0, math.nan), (1, 5)]) is None


@given(
    st.floats(0, 1e9),
    st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=60),
)
def test_a_random_walk_gives_what_was_really_counted(start: float, steps: list[tuple[int, bool]]):
    """Each step counts some events; where it restarts, the counter begins at zero before it does. A restart after which
    a counter is at least as high as before cannot be seen by anyone, and is not made here."""
    value, true = float(int(start)), 0
    points = [(0.0, value)]
    for index, (events, restarts) in enumerate(steps, 1):
        if restarts and events < value:
            value = float(events)
        else:
            value += events
        true += events
        points.append((index * 15.0, value))
    found = increase(points)
    assert found is not None
    assert found.value >= 0
    assert found.value == pytest.approx(true)
    assert found.seconds == len(steps) * 15


# The rules of bucketQuantile; tests/collectors/test_prometheus_real.py holds them to the server itself.
@pytest.mark.parametrize(
    ("rank", "buckets", "expected"),
    [
        (0.5, [(1, 0), (2, 10), (INF, 10)], 1.5),
        (0.5, [(INF, 10), (2, 10), (1, 0)], 1.5),
        (0.0, [(1, 4), (2, 10), (INF, 10)], 0.0),
        (0.2, [(1, 4), (2, 10), (INF, 10)], 0.5),
        (1.0, [(1, 4), (2, 10), (INF, 10)], 2.0),
        (0.95, [(1, 4), (2, 5), (INF, 10)], 2.0),  # in the last bucket: the highest bound
        (0.5, [(-1, 10), (2, 10), (INF, 10)], -1.0),  # in a first bucket that is not above zero: its bound
        (0.9, [(1, 5), (2, 4), (4, 10), (INF, 10)], 3.6),  # scraped a little apart: never falling
        (0.5, [(1, 0), (2, 0), (INF, 0)], None),
        (0.5, [(1, 3), (2, 5)], None),
        (0.5, [(INF, 5)], None),
        (0.5, [], None),
    ],
)
def test_classic_quantiles(rank: float, buckets: list[tuple[float, float]], expected: float | None):
    found = quantile(rank, buckets)
    assert found == (None if expected is None else pytest.approx(expected))


def reference(rank: float, values: list[float], bounds: list[float]) -> float:
    """The definition: within the bucket that holds the value of this rank, values lie evenly."""
    wanted = rank * len(values)
    edges = [0.0, *bounds]
    for low, high in zip(edges, bounds, strict=False):
        upto = sum(1 for value in values if value <= high)
        if upto >= wanted:
            before = sum(1 for value in values if value <= low) if low > 0 else 0
            inside = upto - before
            return low + (high - low) * (wanted - before) / inside if inside else low
    return bounds[-1]


@given(
    st.lists(st.floats(0.001, 100), min_size=1, max_size=200),
    st.lists(st.floats(0.01, 90), min_size=1, max_size=12, unique=True),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_quantiles_are_those_of_the_definition(values: list[float], bounds: list[float], rank: float):
    bounds = sorted(bounds)
    buckets = [(bound, float(sum(1 for value in values if value <= bound))) for bound in bounds]
    buckets.append((INF, float(len(values))))
    assert quantile(rank, buckets) == pytest.approx(reference(rank, values, bounds))


@given(st.lists(st.integers(0, 50), min_size=3, max_size=10), st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_a_higher_quantile_is_never_lower(counts: list[int], ranks: list[float]):
    upto = list(accumulate(counts))
    buckets = [(float(index), float(count)) for index, count in enumerate(upto[:-1])] + [(INF, float(upto[-1]))]
    found = [value for rank in sorted(ranks) if (value := quantile(rank, buckets)) is not None]
    assert found == sorted(found)


def test_beyond_the_last_bucket():
    buckets = [(1.0, 4.0), (2.0, 9.0), (INF, 10.0)]
    assert not is_beyond(0.9, buckets)
    assert is_beyond(0.95, buckets)


def test_histograms_of_replicas_add_up_also_where_their_bounds_differ():
    a, b = [(1.0, 2.0), (2.0, 3.0), (INF, 3.0)], [(1.0, 1.0), (2.0, 1.0), (INF, 4.0)]
    assert summed([a, b]) == ((1.0, 3.0), (2.0, 4.0), (INF, 7.0))
    assert summed([a, [(2.0, 5.0), (INF, 5.0)]]) == ((1.0, 2.0), (2.0, 8.0), (INF, 8.0))
    assert summed([]) == ()


# https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile : exponential in between.
@pytest.mark.parametrize(
    ("rank", "buckets", "expected"),
    [
        (0.5, [(1, 4, 10)], 2.0),
        (0.25, [(1, 4, 4), (4, 16, 4)], 2.0),
        (1.0, [(1, 4, 4), (4, 16, 4)], 16.0),
        (0.5, [(-4, -1, 10)], -2.0),
        (0.5, [(-0.001, 0.001, 10)], 0.0005),  # the zero bucket of values that are never negative
        (0.5, [], None),
        (0.5, [(1, 2, 0)], None),
    ],
)
def test_native_quantiles(rank: float, buckets: list[tuple[float, float, float]], expected: float | None):
    found = native_quantile(rank, buckets)
    assert found == (None if expected is None else pytest.approx(expected))


@given(st.integers(-20, 20), st.integers(1, 6), st.floats(0.01, 0.99))
def test_a_native_quantile_lies_in_its_bucket(start: int, width: int, rank: float):
    bounds = [2.0 ** (start + i) for i in range(width + 1)]
    buckets = [(low, high, 3.0) for low, high in pairwise(bounds)]
    found = native_quantile(rank, buckets)
    assert found is not None
    assert bounds[0] <= found <= bounds[-1]
