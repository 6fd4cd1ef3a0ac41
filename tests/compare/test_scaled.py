"""An autoscaler that only one side shows is one difference, where the other side's count is within its bounds."""

from __future__ import annotations

import pytest

from askew.compare.compare import compare
from askew.evidence.location import Location
from askew.resolve.observation import Observation, Origin
from askew.resolve.resolve import resolve
from askew.resolve.workload import Snapshot, Workload

AT = Location("a.yaml", line=1)
KIND, LOW, HIGH = "orchestration.autoscaler.kind", "orchestration.replicas.min", "orchestration.replicas.max"


def snapshot(kind: str | None, low: int, high: int | None, origin: Origin = "explicit") -> Snapshot:
    workload = Workload(namespace="prod", kind="Deployment", name="llm", location=AT)
    values = ((KIND, kind, origin), (LOW, low, "explicit"), (HIGH, high, "explicit" if kind else "derived"))
    found = [Observation(fact=f, value=v, origin=o, locations=(AT,)) for f, v, o in values]  # type: ignore[arg-type]
    return Snapshot(workload=workload, id=workload.id, facts=resolve(found))


def fixed(count: int) -> Snapshot:
    return snapshot(None, count, count, "platform-default")


@pytest.mark.parametrize(
    ("count", "low", "high", "found"),
    [
        (3, 2, 6, {KIND}),
        (2, 2, 6, {KIND}),
        (6, 2, 6, {KIND}),
        (3, 2, None, {KIND}),
        (1, 2, 6, {KIND, LOW, HIGH}),
        (7, 2, 6, {KIND, LOW, HIGH}),
    ],
)
def test_a_count_within_the_bounds_is_where_it_starts(count: int, low: int, high: int | None, found: set[str]) -> None:
    scaled = snapshot("hpa", low, high)
    for left, right in ((fixed(count), scaled), (scaled, fixed(count))):
        assert {one.fact.key for one in compare(left, right).differences} == found


def test_two_autoscalers_are_compared_by_their_bounds() -> None:
    differences = compare(snapshot("hpa", 2, 6), snapshot("hpa", 3, 6)).differences
    assert {one.fact.key for one in differences} == {LOW}


def test_no_autoscaler_that_somebody_asked_for_is_no_count_to_start_from() -> None:
    differences = compare(snapshot("none", 3, 3), snapshot("hpa", 2, 6)).differences
    assert {one.fact.key for one in differences} == {KIND, LOW, HIGH}
