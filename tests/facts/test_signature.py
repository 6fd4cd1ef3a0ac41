"""Signatures that mean the same, and what differs in those that do not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from askew.facts.catalogue import FACTS
from askew.facts.values.signature import difference, mismatches, same, tells


def columns(*pairs, **more):
    return {"inputs": [{"name": name, "type": kind} for name, kind in pairs], **more}


def tensors(*triples):
    return {"inputs": [{"name": name, "type": kind, "shape": shape} for name, kind, shape in triples]}


TABLE = columns(("age", "float64"), ("visits", "int64"), ("city", "string"))
SAME = {
    "tensors in another order": (
        tensors(("a", "float32", [-1]), ("b", "int64", [-1])),
        tensors(("b", "int64", [-1]), ("a", "float32", [-1])),
    ),
    "one tensor for each column": (
        TABLE,
        tensors(("visits", "int64", [-1]), ("age", "float64", [-1, 1]), ("city", "bytes", [-1])),
    ),
    "a batch that one side leaves out": (tensors(("x", "float32", [3, 224])), tensors(("x", "float32", [-1, 3, 224]))),
    "any size": (tensors(("x", "float32", [-1, 4])), tensors(("x", "float32", [8, 4]))),
    "a wider number": (columns(("a", "float32")), columns(("a", "float64"))),
    "names that a framework counts": (
        tensors(("image", "float32", [-1, 3])),
        tensors(("INPUT__0", "float32", [-1, 3])),
    ),
    "an output that is called otherwise": (
        {**columns(("a", "int64")), "outputs": [{"type": "float64", "shape": [-1]}]},
        {**columns(("a", "int64")), "outputs": [{"name": "risk", "type": "float64", "shape": [-1]}]},
    ),
    "outputs that one side does not state": (
        columns(("a", "int64")),
        {**columns(("a", "int64")), "outputs": [{"name": "p", "type": "int64"}]},
    ),
    "an input that may be left out": (
        {"inputs": [{"name": "a", "type": "int64"}, {"name": "b", "type": "int64", "optional": True}]},
        columns(("a", "int64")),
    ),
}
DIFFERENT = {
    "a missing column": (TABLE, columns(("age", "float64"), ("visits", "int64")), "input city is missing"),
    "a new column": (columns(("age", "float64")), columns(("age", "float64"), ("x", "int64")), "x is not in the ref"),
    "another order": (
        TABLE,
        columns(("visits", "int64"), ("age", "float64"), ("city", "string")),
        "the order of the inputs differs from age on",
    ),
    "another type": (
        TABLE,
        columns(("age", "float64"), ("visits", "float64"), ("city", "string")),
        "visits is float64",
    ),
    "a narrower integer": (columns(("a", "int64")), columns(("a", "int32")), "a is int32 instead of int64"),
    "other features": (
        TABLE,
        tensors(("x", "float32", [-1, 4])),
        "4 inputs instead of 3",
    ),
    "another shape": (
        tensors(("x", "float32", [-1, 3])),
        tensors(("x", "float32", [-1, 4])),
        "the shape [any, 4] instead of [any, 3]",
    ),
    "text into a matrix of numbers": (
        columns(("a", "string"), ("b", "int64")),
        tensors(("x", "float32", [-1, 2])),
        "a is float32 instead of string",
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_what_means_the_same(name):
    a, b = SAME[name]
    assert same(a, b) and tells(a, b)
    assert not any(one.weighty for one in mismatches(a, b))


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_does_not(name):
    a, b, words = DIFFERENT[name]
    assert not same(a, b) and tells(a, b)
    assert words in difference(a, b)


def test_columns_in_one_tensor_have_lost_their_names():
    table = columns(("a", "float32"), ("b", "float32"))
    assert not tells(table, tensors(("x", "float32", [-1, 2])))
    assert not tells(table, tensors(("x", "float32", [-1, -1])))


def test_several_models_are_no_one_signature():
    assert not tells(columns(("a", "int64")), {"model-a": columns(("a", "int64"))})
    assert tells({"m": columns(("a", "int64"))}, {"m": columns(("a", "int64"))})


def test_fewer_bits_are_told_and_are_no_difference():
    a, b = columns(("a", "float64")), columns(("a", "float32"))
    assert same(a, b)
    assert [one.kind for one in mismatches(a, b)] == ["narrower"]


TYPES = st.sampled_from(("float32", "float64", "int64", "int32", "string", "bool", "datetime", "array<int64>", ""))
ENTRY = st.fixed_dictionaries(
    {"type": TYPES},
    optional={
        "name": st.sampled_from(("a", "b", "c", "INPUT__0")),
        "shape": st.lists(st.sampled_from((-1, 1, 2, 4)), max_size=3),
        "optional": st.booleans(),
    },
)
SIGNATURE = st.fixed_dictionaries(
    {"inputs": st.lists(ENTRY, max_size=4)}, optional={"outputs": st.lists(ENTRY, max_size=2)}
)


@given(SIGNATURE)
def test_a_signature_is_itself(one):
    kind = FACTS["model.signature"].type
    assert kind.same(one, one) and kind.tells is not None and kind.tells(one, one)
    assert not mismatches(one, one)


@given(SIGNATURE, SIGNATURE)
@example(
    a={"inputs": [{"type": "float32"}, {"type": "array<int64>"}]},
    b={"inputs": [{"type": "float64"}, {"type": "float32"}]},
)
def test_what_can_be_told_from_one_side_can_from_the_other(a, b):
    assert tells(a, b) == tells(b, a)
    for one in mismatches(a, b):
        assert one.side in ("inputs", "outputs") and difference(a, b)
