"""Prometheus' text format and OpenMetrics, as engines write them and as hostile servers do."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.evidence.exposition import Dump, parse


def values(dump: Dump) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for one in dump.samples}


def test_a_dump_with_types_labels_and_lines():
    dump = parse(
        "# HELP vllm:num_requests_running Number of requests.\n"
        "# TYPE vllm:num_requests_running gauge\n"
        'vllm:num_requests_running{engine="0",model_name="m"} 3.0\n'
        "\n"
        "# TYPE vllm:prompt_tokens counter\n"
        "# UNIT vllm:prompt_tokens tokens\n"
        'vllm:prompt_tokens_total{engine="0",} 2.5e+03\n'
    )
    assert values(dump) == {
        ("vllm:num_requests_running", (("engine", "0"), ("model_name", "m"))): 3.0,
        ("vllm:prompt_tokens_total", (("engine", "0"),)): 2500.0,
    }
    assert [one.line for one in dump.samples] == [3, 7]
    assert dump.kinds == {"vllm:num_requests_running": "gauge", "vllm:prompt_tokens": "counter"}
    assert dump.units == {"vllm:prompt_tokens": "tokens"}
    assert not dump.problems and not dump.refused and not dump.left_out


@pytest.mark.parametrize(
    ("line", "name", "labels", "value", "timestamp"),
    [
        ('a{b="c"} 1', "a", {"b": "c"}, 1.0, None),
        ('a{b="c"}1', "a", {"b": "c"}, 1.0, None),
        ('a { b = "c" , } 1\r', "a", {"b": "c"}, 1.0, None),
        ("a{} 1", "a", {}, 1.0, None),
        (r'a{b="x\"y\\z\nw"} 1', "a", {"b": 'x"y\\z\nw'}, 1.0, None),
        ('a{b="}{,=#"} 1', "a", {"b": "}{,=#"}, 1.0, None),
        ("a +Inf", "a", {}, math.inf, None),
        ("a -Inf", "a", {}, -math.inf, None),
        ("a 1e-3", "a", {}, 0.001, None),
        ("a 1 1700000000000", "a", {}, 1.0, 1.7e9),  # the older format has milliseconds
        ("a 1 1700000000.5", "a", {}, 1.0, 1700000000.5),  # OpenMetrics has seconds
        ('a_bucket{le="1"} 4 # {trace_id="abc"} 0.7 1700000000.1', "a_bucket", {"le": "1"}, 4.0, None),
        ('a_bucket{le="1"} 4 17.5 # {trace_id="abc"} 0.7', "a_bucket", {"le": "1"}, 4.0, 17.5),
        ('{"a.b","c.d"="e"} 1', "a.b", {"__name__": "a.b", "c.d": "e"}, 1.0, None),
        (":tensorflow:serving:request_count 2", ":tensorflow:serving:request_count", {}, 2.0, None),
        ('a{b="ü"} 1', "a", {"b": "ü"}, 1.0, None),
    ],
)
def test_lines(line: str, name: str, labels: dict[str, str], value: float, timestamp: float | None):
    (sample,) = parse(line).samples
    assert (sample.name, dict(sample.labels), sample.value, sample.timestamp) == (name, labels, value, timestamp)


def test_not_a_number_is_a_value():
    (sample,) = parse("a NaN").samples
    assert math.isnan(sample.value)


@pytest.mark.parametrize(
    "line",
    ["a", "a{b=c} 1", 'a{b="c} 1', "a one", "a 1_000", "1a 2", 'a{b="c"', "{} 1", "a 1 2 3", 'a{"b"} c', "a\x00b 1"],
)
def test_what_is_no_sample_is_a_problem_with_its_line(line: str):
    dump = parse(f"ok 1\n{line}\nok 2")
    assert [one.line for one in dump.samples] == [1, 3]
    assert dump.refused == 1
    assert [one.line for one in dump.problems] == [2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html><body>Sign in</body></html>", "found HTML"),
        ('{"detail":"Not Found"}', "found JSON"),
        ("upstream connect error", "expected a name"),
        ("a" * 100_000, "100,000 characters"),
    ],
)
def test_what_came_instead_is_named(text: str, expected: str):
    dump = parse(text)
    assert not dump.samples
    assert expected in dump.problems[0].message


def test_the_date_of_an_answer_is_when_it_was_given():
    head = "HTTP/1.1 200 OK\r\ndate: Mon, 23 Nov 2026 08:45:29 GMT\r\nserver: uvicorn\r\n\r\n"
    dump = parse(head + "a 1\n")
    assert dump.at == 1795423529.0
    assert [(one.name, one.line) for one in dump.samples] == [("a", 5)]
    assert not dump.refused
    assert parse("HTTP/1.1 200 OK\ndate: 99 Nov\n\na 1").at == 0.0


def test_only_what_is_wanted_is_kept_and_no_more_than_the_limit():
    text = "\n".join(f'a{{i="{i}"}} 1\nb 2' for i in range(50))
    assert {one.name for one in parse(text, lambda name: name == "b").samples} == {"b"}
    dump = parse(text, lambda name: name == "a", most=10)
    assert len(dump.samples) == 10
    assert dump.left_out == 40


def test_problems_are_counted_and_the_first_of_them_kept():
    dump = parse("bad line here\n" * 1000)
    assert dump.refused == 1000
    assert len(dump.problems) == 20


@pytest.mark.parametrize(
    "line",
    [
        "a{" + 'b="c",' * 10_000,
        'a{b="' + "\\" * 60_000,
        "{" * 60_000,
        "a " + " " * 60_000 + "x",
        'a{b="' + '\\"' * 30_000 + '"',
        "a{" + '"' * 60_001 + "} 1",
    ],
)
def test_a_hostile_line_costs_what_it_is_long(line: str):
    start = time.process_time()
    dump = parse("\n".join([line] * 20))
    assert time.process_time() - start < 2
    assert dump.refused == 20


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_exception(text: str):
    parse(text)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.text(st.characters(codec="utf-8"), max_size=20)
    ),
    st.floats(allow_nan=False),
)
def test_what_a_client_writes_is_read_back(labels: dict[str, str], value: float):
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    block = ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items())
    (sample,) = parse(f"m{{{block}}} {value!r}").samples
    assert (dict(sample.labels), sample.value) == (labels, value)
