"""Measured figures: compared with a tolerance, where they rest on enough and the loads were alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.compare.compare import Comparison, compare
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Snapshot, Workload

AT = Location("metrics.txt", line=1)
LOAD: dict[str, Value] = {"request_rate": 10, "input_tokens": 500, "output_tokens": 200}


def side(load: dict[str, Value] | None = None, confidence: Confidence = "certain", **values: Value) -> Snapshot:
    """A snapshot with figures: ``ttft_p95`` stands for ``performance.ttft.p95``."""
    found = [
        Observation(
            fact="performance." + name.replace("_p9", ".p9"),
            value=value,
            origin="measured",
            basis="seen",
            locations=(AT,),
            confidence=confidence,
        )
        for name, value in values.items()
    ]
    for key, value in (load or {}).items():
        found.append(
            Observation(fact="performance.load", key=key, value=value, origin="measured", basis="seen", locations=(AT,))
        )
    workload = Workload(namespace="", kind="Metrics", name="m", location=AT)
    return Snapshot(workload=workload, id=workload.id, facts=resolve(found))


def different(found: Comparison) -> list[str]:
    return [one.fact.key for one in found.differences]


def test_what_is_close_is_the_same_and_what_is_far_is_not():
    reference = side(LOAD, ttft_p95=0.8)
    assert different(compare(reference, side(LOAD, ttft_p95=0.9))) == []
    assert different(compare(reference, side(LOAD, ttft_p95=1.2))) == ["performance.ttft.p95"]
    assert different(compare(side(LOAD, ttft_p95=0.001), side(LOAD, ttft_p95=0.005))) == []  # nobody notices


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({**LOAD, "request_rate": 40}, "request_rate 10 against 40"),
        ({**LOAD, "input_tokens": 5000}, "input_tokens 500 against 5000"),
    ],
)
def test_another_load_is_told(other: dict[str, Value], reason: str):
    found = compare(side(LOAD, ttft_p95=0.8), side(other, ttft_p95=8.0))
    assert "performance.ttft.p95" not in different(found)
    (unverified,) = [one for one in found.unverified if one.fact.key == "performance.ttft.p95"]
    assert reason in unverified.resolved.reason


@pytest.mark.parametrize("load", [{"input_tokens": 500}, {}])
def test_figures_that_nobody_measured_under_a_load_only_lower_the_coverage(load: dict[str, Value]):
    """What two endpoints counted since they started: a comparison of their settings is not incomplete for it."""
    found = compare(side(load, ttft_p95=0.8), side(load, ttft_p95=8.0))
    assert not found.differences and not found.unverified
    assert found.unknown == 1


def test_more_at_once_at_the_same_rate_is_the_same_load():
    """An engine that became slower has more requests at once: that is what is looked for, and not another load."""
    a, b = side({**LOAD, "concurrency": 4}, ttft_p95=0.8), side({**LOAD, "concurrency": 20}, ttft_p95=4.0)
    assert "performance.ttft.p95" in different(compare(a, b))


def test_what_the_load_does_not_move_needs_none():
    assert different(compare(side(error_rate=0.001), side(error_rate=0.2))) == ["performance.error_rate"]


def test_figures_that_rest_on_too_little():
    found = compare(side(LOAD, ttft_p95=0.8), side(LOAD, "possible", ttft_p95=8))
    assert different(found) == []
    assert found.unverified[0].resolved.reason == "0.8 s against 8 s, but the target's figure rests on too little"


def test_a_contract_need_not_say_under_which_load_and_is_met_by_what_is_better():
    declared = side(ttft_p95=0.8, output_tokens_per_second=1000)
    slower = compare(declared, side(LOAD, ttft_p95=2.0, output_tokens_per_second=400), "contract")
    assert different(slower) == ["performance.output_tokens_per_second", "performance.ttft.p95"]
    faster = compare(declared, side(LOAD, ttft_p95=0.2, output_tokens_per_second=4000), "contract")
    assert different(faster) == []


FIGURES = [one for key, one in FACTS.items() if key.startswith("performance.") and not one.type.keyed]


@given(st.sampled_from(FIGURES), st.floats(0, 1), st.floats(0, 1))
def test_the_tolerance_is_symmetric_and_reflexive(fact: object, a: float, b: float):
    kind = next(one for one in FIGURES if one is fact).type
    x, y = (kind.parse(round(v * 1000) if kind.name in ("tokens", "bytes") else v) for v in (a, b))
    assert kind.same(x, x)
    assert kind.same(x, y) == kind.same(y, x)
