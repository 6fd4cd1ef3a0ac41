"""When two results of one input agree."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.probe.agree import Tolerance, agree

T = Tolerance()


@pytest.mark.parametrize(
    ("recorded", "now", "said"),
    [
        ([0.1, 0.2], [0.1 + 1e-9, 0.2], ""),
        ([0.1, 0.2], [0.1, 0.21], "[1]: 0.2, now 0.21"),
        ([1, 0], [1, 1], "[1]: 0, now 1"),
        ([100000, 0], [100001, 0], "[0]: 100000, now 100001"),
        ([1.0], [1], ""),
        ([[1.5, None], ["a"]], [[1.5, None], ["a"]], ""),
        (["cat"], ["dog"], "'cat', now 'dog'"),
        ([1.0, 2.0], [1.0], "2 values, now 1"),
        ({"a": [1.0]}, {"b": [1.0]}, "only one of the two has a, b"),
        ({"p": {"a": 1.0}}, {"p": {"a": 2.0}}, "p.a: 1.0, now 2.0"),
        ([float("nan")], [float("nan")], ""),
        ([float("nan")], [1.0], "nan, now 1.0"),
        ([float("inf")], [float("inf")], ""),
        ([True], [1], "true, now 1"),
        (["1"], [1], "'1', now 1"),
    ],
)
def test_values(recorded: object, now: object, said: str) -> None:
    found = agree("v2", recorded, now, T)
    assert found.agrees == (not said)
    assert said in found.why


@pytest.mark.parametrize(
    ("recorded", "now", "said"),
    [
        ([1.0, 0.0], [1.0, 0.001], ""),
        ([1.0, 0.0], [0.9, 0.4], "1 - cosine is 0.0862"),
        ([1.0, 0.0], [1.0, 0.0, 0.0], "2 dimensions, now 3"),
        ([1.0, 0.0], [2.0, 0.0], "the length of the vector is 1, now 2"),
        ([0.0, 0.0], [1.0, 0.0], "zero"),
        ([0.0], [0.0], ""),
        ([1.0], "x", "no vector"),
        ([1.0, 2.0], None, "no vector"),
        ([[1.0], [0.5, 0.5]], [[1.0], [0.5, 0.5]], ""),
        ([[1.0], [0.5, 0.5]], [[1.0], [0.5, 0.0]], "vector 2: 1 - cosine is 0.293"),
        ([[1.0], [0.5, 0.5]], [[1.0]], "2 vectors, now 1"),
        ([[[1.0]]], [[[1.0]]], "no vector"),
        ([[1.0]], [1.0], "no vector"),
    ],
)
def test_vectors(recorded: object, now: object, said: str) -> None:
    found = agree("embeddings", recorded, now, T)
    assert found.agrees == (not said)
    assert said in found.why


def text(words: str, *chances: float, others: dict[int, list] | None = None, finish: str = "stop") -> dict:
    tokens = [
        {"text": word, "logprob": chance, "others": (others or {}).get(place, [])}
        for place, (word, chance) in enumerate(zip(words.split(), chances, strict=False))
    ]
    return {"text": words, "finish": finish, "tokens": tokens}


TIE = {1: [["b", -0.70], ["c", -0.72]]}


@pytest.mark.parametrize(
    ("recorded", "now", "agrees", "said"),
    [
        (text("a b"), text("a b"), True, ""),
        (text("a b c"), text("a x c"), False, "the texts part at character 3: 'a b c', now 'a x c'"),
        (text("a"), text("a b"), False, "character 2"),
        (text("a b", -0.1, -0.2), text("a b", -0.1, -0.25), True, ""),
        (text("a b", -0.1, -0.2), text("a b", -0.1, -0.9), False, "token 2, 'b': log probability -0.200, now -0.900"),
        (
            text("a b", -0.1, -0.70, others=TIE),
            text("a c", -0.1, -0.69),
            True,
            "after 1 tokens: 'b', now 'c', as likely",
        ),
        (text("a b", -0.1, -0.70, others=TIE), text("a d", -0.1, -0.69), False, "part after 1 tokens: 'b', now 'd'"),
        (text("a b", -0.1, -0.1, others={1: [["c", -3.0]]}), text("a c", -0.1, -0.5), False, "part after 1 tokens"),
        (text("a b", -0.1, -0.1), text("a b", -0.1, -0.1, finish="length"), False, "it ended by stop, now by length"),
        (text("a"), [1.0], False, "no text"),
        (text("a b", -math.inf, -0.1), text("a b", -math.inf, -0.1), True, ""),
    ],
)
def test_texts(recorded: object, now: object, agrees: bool, said: str) -> None:
    found = agree("chat", recorded, now, T)
    assert found.agrees == agrees, found
    assert said in found.why
    assert found.near_tie == ("as likely" in found.why)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON, st.sampled_from(["chat", "completions", "embeddings", "tei", "v2", "v1", "torchserve", "mlflow"]))
def test_anything_can_be_compared(a: object, b: object, kind: str) -> None:
    agree(kind, a, b, T)  # type: ignore[arg-type]
    if kind not in ("chat", "completions", "embeddings", "tei"):
        assert agree(kind, a, a, T).agrees  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("recorded", "now", "said"),
    [
        ([float("inf")], [1.0], "inf, now 1.0"),
        ([1.0], [float("-inf")], "now -inf"),
        ([10**400], [10**400], ""),
        ([10**400], [1.5], "a number of 1329 bits, now 1.5"),
        ([10**400], [10**400 + 1], "a number of"),
        ([{"a": 1}], [[1]], "a map of 1, now a list of 1"),
        ([None], ["a"], "null, now 'a'"),
    ],
)
def test_numbers_that_have_no_distance(recorded: object, now: object, said: str) -> None:
    found = agree("v2", recorded, now, T)
    assert found.agrees == (not said) and said in found.why


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_vectors_of_any_size(scale: float) -> None:
    one, other = [scale, 0.0], [0.0, scale]
    assert agree("tei", one, one, T).agrees and not agree("tei", one, other, T).agrees
    assert not agree("tei", [1.0, 0.0], one, T).agrees


FINITE = st.floats(allow_nan=False, allow_infinity=False)
VECTOR = st.lists(FINITE | st.sampled_from([0.0, 1.0, 1.0005]), min_size=1, max_size=3)
NUMBERS = st.recursive(
    st.sampled_from([0, 1, 0.0, 1.0, 1.00005, 1.1, -1.0]) | FINITE,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
CHANCE = st.sampled_from([-0.1, -0.2, -0.3, -1.0, -9.0])
WORD = st.sampled_from("abc")
TOKEN = st.fixed_dictionaries(
    {"text": WORD, "logprob": CHANCE, "others": st.lists(st.tuples(WORD, CHANCE).map(list), max_size=3)}
)


def written(tokens: list[dict[str, object]], finish: str) -> dict[str, object]:
    return {"text": "".join(str(one["text"]) for one in tokens), "finish": finish, "tokens": tokens}


WRITTEN = st.builds(written, st.lists(TOKEN, max_size=3), st.sampled_from(["stop", "length"]))
PAIRS = st.one_of(
    st.tuples(st.just("chat"), WRITTEN, WRITTEN),
    st.tuples(st.just("embeddings"), VECTOR, VECTOR),
    st.tuples(st.just("tei"), st.lists(VECTOR, min_size=2, max_size=3), st.lists(VECTOR, min_size=1, max_size=3)),
    st.tuples(st.just("v2"), NUMBERS, NUMBERS),
    st.tuples(st.just("torchserve"), JSON, JSON),
)
BOUND = st.sampled_from([0.0, 1e-6, 1e-3, 0.1, 0.25, 2.0, 10.0])
TOLERANCES = st.builds(Tolerance, relative=BOUND, absolute=BOUND, cosine=BOUND, logprob=BOUND)


@given(PAIRS, TOLERANCES)
def test_it_does_not_matter_which_was_first(pair: tuple[str, object, object], tolerance: Tolerance) -> None:
    api, a, b = pair
    one, other = agree(api, a, b, tolerance), agree(api, b, a, tolerance)  # type: ignore[arg-type]
    assert one.agrees == other.agrees and one.near_tie == other.near_tie
    assert agree(api, a, a, tolerance).agrees  # type: ignore[arg-type]
    assert bool(one.why) or one.agrees


@given(PAIRS, TOLERANCES, TOLERANCES)
def test_what_agrees_does_so_under_a_larger_tolerance(
    pair: tuple[str, object, object], one: Tolerance, other: Tolerance
) -> None:
    api, a, b = pair
    names = ("relative", "absolute", "cosine", "logprob")
    larger = Tolerance(**{name: max(getattr(one, name), getattr(other, name)) for name in names})
    if agree(api, a, b, one).agrees:  # type: ignore[arg-type]
        assert agree(api, a, b, larger).agrees  # type: ignore[arg-type]
