from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.facts.values.errors import ValueNotUnderstood
from askew.facts.values.integer import engine_integer, python_integer, written_integer


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8192", 8192), ("32k", 32000), ("32K", 32768), ("25.6k", 25600), ("2M", 2**21), ("1m", 10**6), ("1t", 10**12),
     ("1_000", 1000), (" 5 ", 5), (-1, -1), (4096, 4096), ("1.001k", int(1.001 * 1000))],
)  # fmt: skip
def test_vllm_sizes(text: object, expected: int) -> None:
    assert engine_integer(text) == expected


@pytest.mark.parametrize(
    "text", ["1e5", "banana", "", "25.6K", "8 k", "8kb", "auto", None, True, 1.5, "9" * 5000, "$LEN"]
)
def test_what_vllm_refuses(text: object) -> None:
    with pytest.raises(ValueNotUnderstood, match="for example"):
        engine_integer(text)


def test_auto_only_where_the_flag_knows_it() -> None:
    assert (
        engine_integer("auto", auto=True) == engine_integer("-1", auto=True) == engine_integer(-1, auto=True) == "auto"
    )
    assert engine_integer("-1") == -1


def test_hints() -> None:
    with pytest.raises(ValueNotUnderstood, match="suffix k"):
        engine_integer("25.6K")
    with pytest.raises(ValueNotUnderstood, match="in full"):
        engine_integer("1e5")
    with pytest.raises(ValueNotUnderstood, match="no suffix"):
        python_integer("32k")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1e5", 100000), (8192.0, 8192), ("1.5e3", 1500), ("100_000", 100000), ("-1", -1), (1e22, 10**22)],
)
def test_what_people_write(text: object, expected: int) -> None:
    assert written_integer(text) == expected


@pytest.mark.parametrize("text", ["1.5", "1e-2", "8k", "", "e5", "1e999", float("nan"), float("inf"), True, None])
def test_what_is_no_whole_number(text: object) -> None:
    with pytest.raises(ValueNotUnderstood):
        written_integer(text)


@given(st.integers(-(10**30), 10**30))
def test_integers_read_back(number: int) -> None:
    assert python_integer(str(number)) == written_integer(str(number)) == engine_integer(str(number)) == number


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (python_integer, engine_integer, written_integer):
        with suppress(ValueNotUnderstood):
            assert isinstance(parse(text), int)
