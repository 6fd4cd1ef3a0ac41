"""Which workload on one side is which on the other."""

from __future__ import annotations

import pytest

from askew.app.errors import UsageError
from askew.app.match import covers, match
from askew.evidence.location import Location
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Snapshot, Workload

AT = Location(source="deploy.yaml", line=1, column=1)


def workload(namespace: str, name: str, kind: str = "Deployment", model: str = "", role: str = "") -> Snapshot:
    here = Workload(namespace=namespace, kind=kind, name=name, group="apps", role=role, location=AT)
    observations = (
        [Observation(fact="model.served_names", value=[model], origin="explicit", locations=(AT,))] if model else []
    )
    return Snapshot(workload=here, id=here.id, facts=resolve(observations))


def pairs(references, targets, mapping=()):
    found = match(references, targets, mapping)
    return (
        [(a.id, b.id) for a, b in found.pairs],
        [s.id for s in found.removed],
        [s.id for s in found.added],
    )


def test_the_same_object_is_the_same_workload():
    a, b = workload("prod", "llm"), workload("prod", "embed")
    assert pairs([a, b], [workload("prod", "embed"), workload("prod", "llm")]) == (
        [("prod/Deployment/embed", "prod/Deployment/embed"), ("prod/Deployment/llm", "prod/Deployment/llm")],
        [],
        [],
    )


def test_staging_matches_production_by_name_across_namespaces():
    got = pairs(
        [workload("staging", "llm"), workload("staging", "embed")], [workload("prod", "llm"), workload("prod", "embed")]
    )
    assert got[0] == [
        ("staging/Deployment/llm", "prod/Deployment/llm"),
        ("staging/Deployment/embed", "prod/Deployment/embed"),
    ]


def test_a_deployment_that_became_a_statefulset_is_still_the_same():
    got = pairs(
        [workload("prod", "llm"), workload("prod", "embed")],
        [workload("prod", "llm", "StatefulSet"), workload("prod", "embed")],
    )
    assert ("prod/Deployment/llm", "prod/StatefulSet/llm") in got[0]


def test_other_names_match_by_what_they_serve():
    got = pairs(
        [workload("prod", "llama-blue", model="llama"), workload("prod", "qwen-blue", model="qwen")],
        [workload("prod", "qwen-green", model="qwen"), workload("prod", "llama-green", model="llama")],
    )
    assert sorted(got[0]) == [
        ("prod/Deployment/llama-blue", "prod/Deployment/llama-green"),
        ("prod/Deployment/qwen-blue", "prod/Deployment/qwen-green"),
    ]


def test_two_that_serve_the_same_are_no_match_by_what_they_serve():
    got = pairs(
        [workload("a", "one", model="llama"), workload("a", "two", model="llama")],
        [workload("b", "three", model="llama"), workload("b", "four", model="llama")],
    )
    assert got[0] == []
    assert len(got[1]) == len(got[2]) == 2


def test_one_on_each_side_always_matches():
    assert pairs([workload("a", "x")], [workload("b", "y", "StatefulSet")])[0] == [
        ("a/Deployment/x", "b/StatefulSet/y")
    ]


def test_map_decides_first():
    got = pairs(
        [workload("a", "blue"), workload("a", "green")],
        [workload("a", "blue"), workload("a", "green")],
        [("blue", "green")],
    )
    assert ("a/Deployment/blue", "a/Deployment/green") in got[0]


def test_a_map_to_nothing_names_what_there_is():
    with pytest.raises(UsageError, match="a/Deployment/blue"):
        match([workload("a", "blue")], [workload("a", "green")], [("bluu", "green")])


def test_what_is_left_is_added_or_removed():
    got = pairs(
        [workload("a", "one"), workload("a", "gone")],
        [workload("a", "one"), workload("a", "new"), workload("a", "newer")],
    )
    assert got == (
        [("a/Deployment/one", "a/Deployment/one")],
        ["a/Deployment/gone"],
        ["a/Deployment/new", "a/Deployment/newer"],
    )


def test_one_that_went_and_one_that_came_are_not_the_same_workload():
    got = pairs(
        [workload("a", "one"), workload("a", "gone", model="llama")],
        [workload("a", "one"), workload("a", "new", model="qwen")],
    )
    assert got == ([("a/Deployment/one", "a/Deployment/one")], ["a/Deployment/gone"], ["a/Deployment/new"])


def test_prefill_is_never_compared_with_decode():
    got = pairs(
        [workload("a", "llm", role="prefill"), workload("a", "llm", role="decode")],
        [workload("b", "llm", role="decode"), workload("b", "llm", role="prefill")],
    )
    assert sorted(got[0]) == [
        ("a/Deployment/llm#decode", "b/Deployment/llm#decode"),
        ("a/Deployment/llm#prefill", "b/Deployment/llm#prefill"),
    ]


def test_a_contract_covers_what_has_its_name_or_serves_its_model():
    contract = workload("contract", "llm", "ModelSpec", model="Qwen/Qwen3-8B")
    assert covers(contract, workload("prod", "llm"))
    assert covers(contract, workload("prod", "other", model="qwen/qwen3-8b"))
    assert not covers(contract, workload("prod", "other", model="meta-llama/Llama-3.1-8B"))
