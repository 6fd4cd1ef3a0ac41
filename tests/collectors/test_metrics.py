"""``metrics:``: dumps of metrics as people capture them, several at once, hostile ones and ones with secrets."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.load import load
from askew.collectors.interface import Evidence, Request
from askew.collectors.metrics import redact
from askew.collectors.metrics.collect import COLLECTOR, seconds_of
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor
from askew.resolve.observation import Unknown
from askew.resolve.workload import Resolved

CANARY = "canary-51c7e2d90bb4"


def collect(target: str, base: Path, **options: str) -> Evidence:
    request = Request(
        uri=f"metrics:{target}", scheme="metrics", target=target, options=tuple(options.items()), base=str(base)
    )
    return COLLECTOR.collect(request, Redactor(b"k" * 32))


def dump(requests: int, waiting: int = 0, head: str = "") -> str:
    return head + (
        "# TYPE vllm:request_success counter\n"
        f'vllm:request_success_total{{finished_reason="stop",model_name="m"}} {requests}\n'
        f'vllm:num_requests_waiting{{model_name="m"}} {waiting}\n'
        f'vllm:e2e_request_latency_seconds_bucket{{model_name="m",le="1.0"}} {requests // 2}\n'
        f'vllm:e2e_request_latency_seconds_bucket{{model_name="m",le="2.0"}} {requests}\n'
        f'vllm:e2e_request_latency_seconds_bucket{{model_name="m",le="+Inf"}} {requests}\n'
        f'vllm:request_prompt_tokens_sum{{model_name="m"}} {requests * 500}\n'
        f'vllm:request_prompt_tokens_count{{model_name="m"}} {requests}\n'
    )


def facts(uri: str) -> dict[str, Resolved]:
    side = load(uri, "target", Redactor(b"k" * 32))
    assert not side.errors, side.errors
    (snapshot,) = side.snapshots
    return dict(snapshot.facts)


def test_one_dump(tmp_path: Path):
    (tmp_path / "m.txt").write_text(dump(1000, 3))
    evidence = collect("m.txt", tmp_path)
    assert (evidence.status, evidence.platform, [text.source for text in evidence.texts]) == (
        "complete", "metrics", ["m.txt"],
    )  # fmt: skip
    found = facts(f"metrics:{tmp_path}/m.txt")
    assert found["performance.e2e.p50"].value == pytest.approx(1.0)
    assert found["performance.requests_per_second"].state == "unknown"
    assert found["performance.queue_depth"].value == 3
    place = found["performance.e2e.p50"].locations[0]
    assert (place.source, place.line, place.path) == (f"{tmp_path}/m.txt", 4, "vllm:e2e_request_latency_seconds_bucket")


@pytest.mark.parametrize("option", ["?window=100s", "?window=100", "?at=2026-11-23T08:00:00Z,2026-11-23T08:01:40Z"])
def test_two_dumps_with_the_time_between_them(tmp_path: Path, option: str):
    (tmp_path / "before.txt").write_text(dump(1000))
    (tmp_path / "after.txt").write_text(dump(3000))
    found = facts(f"metrics:{tmp_path}/before.txt,{tmp_path}/after.txt{option}")
    assert found["performance.requests_per_second"].value == 20
    assert found["performance.load"].entries["input_tokens"].value == 500
    assert "2,000 counted in 100 s" in found["performance.requests_per_second"].because


def test_dumps_that_say_when_they_were_taken_may_come_in_any_order(tmp_path: Path):
    for name, minute, requests in (("a", 0, 1000), ("b", 5, 4000)):
        head = f"HTTP/1.1 200 OK\r\ndate: Mon, 23 Nov 2026 08:{minute:02}:00 GMT\r\n\r\n"
        (tmp_path / name).write_text(dump(requests, head=head))
    for order in ("a,b", "b,a"):
        found = facts(f"metrics:{tmp_path}/{order.replace(',', f',{tmp_path}/')}")
        assert found["performance.requests_per_second"].value == 10


def test_timestamps_of_the_samples_are_times(tmp_path: Path):
    lines = [
        f'vllm:generation_tokens_total{{model_name="m"}} {i * 300} {1_795_000_000_000 + i * 15_000}' for i in range(5)
    ]
    (tmp_path / "federated.txt").write_text("\n".join(lines))
    found = facts(f"metrics:{tmp_path}/federated.txt")
    assert found["performance.output_tokens_per_second"].value == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": "soon"}, "window=soon"),
        ({"at": "2026-11-23T08:00:00Z"}, "one RFC 3339 time for each of 2 dumps"),
        ({"at": "never,ever"}, "one RFC 3339 time"),
        ({"follow": "yes"}, "'follow' is no option"),
    ],
)
def test_options_that_say_nothing(tmp_path: Path, options: dict[str, str], message: str):
    for name in "ab":
        (tmp_path / name).write_text(dump(10))
    evidence = collect("a,b", tmp_path, **options)
    assert evidence.status == "failed"
    assert message in evidence.errors[0].message and "?window=90s" in evidence.errors[0].hint


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 0, "the file is empty"),
        (b"a 1\nb\0 2", 2, "a NUL byte"),
        (b"<html>\n<body>Sign in</body>", 1, "found HTML"),
        (b'{"detail": "Not Found"}', 1, "found JSON"),
        (b"# HELP only comments\n", 1, "only comments"),
        (b"Connection refused", 1, "expected a name"),
    ],
)
def test_what_is_no_dump_is_said_with_its_place(tmp_path: Path, content: bytes, line: int, message: str):
    path = tmp_path / "m.txt"
    path.write_bytes(content)
    side = load(f"metrics:{path}", "target", Redactor())
    assert side.statuses[0].status == "failed"
    assert [error.line for error in side.errors] == [line]
    assert message in side.errors[0].message
    assert side.errors[0].hint


def test_no_such_file(tmp_path: Path):
    evidence = collect("nowhere.txt", tmp_path)
    assert evidence.status == "failed"
    assert "no such file" in evidence.errors[0].message and "curl" in evidence.errors[0].hint


def test_one_bad_dump_does_not_hide_the_other(tmp_path: Path):
    (tmp_path / "a.txt").write_text(dump(1000))
    side = load(f"metrics:{tmp_path}/nowhere.txt,{tmp_path}/a.txt", "target", Redactor())
    assert side.statuses[0].status == "partial"
    assert side.snapshots[0].facts["performance.e2e.p50"].state == "known"


def test_lines_that_are_no_samples_are_said_and_the_rest_is_read(tmp_path: Path):
    (tmp_path / "m.txt").write_text("$ curl -s localhost:8000/metrics\n" + dump(1000) + "user@host:~$\n")
    side = load(f"metrics:{tmp_path}/m.txt", "target", Redactor())
    assert side.statuses[0].status == "partial"
    assert [(error.line, error.message) for error in side.errors] == [
        (1, "expected a name, labels in braces and a number (2 lines could not be read)")
    ]
    assert side.snapshots[0].facts["performance.e2e.p50"].state == "known"


def test_a_file_whose_name_has_a_comma_is_one_file(tmp_path: Path):
    (tmp_path / "a,b.txt").write_text(dump(1000))
    assert [text.source for text in collect("a,b.txt", tmp_path).texts] == ["a,b.txt"]


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Piped:
        buffer = io.BytesIO(dump(1000).encode())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Piped())
    evidence = collect("-", tmp_path)
    assert evidence.status == "complete"
    assert evidence.texts[0].source == "-"


def test_a_bad_byte_in_a_label_does_not_spoil_the_numbers(tmp_path: Path):
    (tmp_path / "m.txt").write_bytes(dump(1000).replace('"m"', '"\u00fc"').encode("latin-1"))
    assert facts(f"metrics:{tmp_path}/m.txt")["performance.e2e.p50"].state == "known"


def test_no_secret_in_labels_or_comments_is_kept(tmp_path: Path):
    text = (
        f'http_requests_total{{api_key="{CANARY}",url="http://u:{CANARY}@host/"}} 1\n'
        f"# HELP x Authorization: Bearer {CANARY}\n"
        f'x{{token="{CANARY}",path="/?token={CANARY}"}} 1\n' + dump(1000)
    )
    (tmp_path / "m.txt").write_text(text)
    evidence = collect("m.txt", tmp_path)
    assert CANARY not in repr(evidence)
    side = load(f"metrics:{tmp_path}/m.txt", "target", Redactor())
    assert CANARY not in repr(side)
    place = side.snapshots[0].facts["performance.e2e.p50"].locations[0]
    assert text.splitlines()[place.line - 1].startswith("vllm:e2e_request_latency_seconds_bucket")


def test_a_dump_joins_what_starts_the_engine(tmp_path: Path):
    (tmp_path / "m.txt").write_text(dump(1000))
    side = load(f"metrics:{tmp_path}/m.txt+cmd:vllm serve m --dtype float16", "target", Redactor())
    (snapshot,) = side.snapshots
    assert snapshot.facts["runtime.dtype"].value == "float16"
    assert snapshot.facts["performance.e2e.p50"].value == pytest.approx(1.0)


def test_times():
    assert seconds_of("2026-11-23T08:45:00Z") == 1795423500.0
    assert seconds_of("1795423500") == 1795423500.0
    assert seconds_of("yesterday") is None


# -- comparing ------------------------------------------------------------------------------------------------------


def window(tmp_path: Path, name: str, requests: int, slow: float, prompt: int = 500) -> str:
    """Two dumps, a hundred seconds apart, of an engine that answered ``requests``, a share of them slowly."""

    def text(done: int) -> str:
        return (
            f'vllm:request_success_total{{finished_reason="stop"}} {done}\n'
            f'vllm:e2e_request_latency_seconds_bucket{{le="1.0"}} {round(done * (1 - slow))}\n'
            f'vllm:e2e_request_latency_seconds_bucket{{le="4.0"}} {done}\n'
            f'vllm:e2e_request_latency_seconds_bucket{{le="+Inf"}} {done}\n'
            f"vllm:request_prompt_tokens_sum {done * prompt}\n"
            f"vllm:request_prompt_tokens_count {done}\n"
        )

    (tmp_path / f"{name}0").write_text(text(1000))
    (tmp_path / f"{name}1").write_text(text(1000 + requests))
    return f"metrics:{tmp_path}/{name}0,{tmp_path}/{name}1?window=100s"


def differing(a: str, b: str) -> tuple[set[str], dict[str, str]]:
    sides = [load(uri, "target", Redactor()).snapshots[0] for uri in (a, b)]
    found = compare(sides[0], sides[1])
    return {one.fact.key for one in found.differences}, {one.fact.key: one.resolved.reason for one in found.unverified}


def test_slower_at_the_same_load_is_a_difference(tmp_path: Path):
    a, b = window(tmp_path, "a", 2000, 0.1), window(tmp_path, "b", 2000, 0.6)
    assert differing(a, b)[0] == {"performance.e2e.p50", "performance.e2e.p95"}
    assert differing(b, a)[0] == differing(a, b)[0]
    assert differing(a, a) == (set(), {})


def test_the_same_within_the_noise_is_none(tmp_path: Path):
    a, b = window(tmp_path, "a", 2000, 0.50), window(tmp_path, "b", 2010, 0.53)
    assert differing(a, b) == (set(), {})


def test_another_load_says_nothing_of_the_engine(tmp_path: Path):
    a, b = window(tmp_path, "a", 2000, 0.1), window(tmp_path, "b", 20_000, 0.6)
    differences, unverified = differing(a, b)
    assert "performance.e2e.p50" not in differences
    assert differences == {"performance.load"}  # that the load is another is said once
    assert unverified["performance.e2e.p50"] == "measured under different loads: request_rate 20 against 200"


def test_other_prompts_are_another_load(tmp_path: Path):
    a, b = window(tmp_path, "a", 2000, 0.1), window(tmp_path, "b", 2000, 0.6, prompt=5000)
    differences, unverified = differing(a, b)
    assert "performance.e2e.p50" not in differences
    assert "input_tokens 500 against 5000" in unverified["performance.e2e.p50"]


def test_too_few_requests_say_nothing(tmp_path: Path):
    a, b = window(tmp_path, "a", 20, 0.1), window(tmp_path, "b", 20, 0.6)
    assert differing(a, b) == (set(), {})


def test_single_dumps_are_of_unknown_loads_and_only_lower_the_coverage(tmp_path: Path):
    (tmp_path / "a").write_text(dump(2000, waiting=0))
    other = dump(2000, waiting=50).replace('le="1.0"} 1000', 'le="1.0"} 100')
    (tmp_path / "b").write_text(other.replace('tokens_sum{model_name="m"} 1000000', 'tokens_sum{model_name="m"} 90'))
    assert differing(f"metrics:{tmp_path}/a", f"metrics:{tmp_path}/b") == (set(), {})


def test_an_unknown_rate_never_stands_before_a_known_one(tmp_path: Path):
    """Joined with a benchmark or a window, a single dump's "not known" says nothing."""
    from askew.resolve.observation import Observation
    from askew.resolve.resolve import resolve

    known = Observation(fact="performance.requests_per_second", value=5, origin="declared")
    unknown = Observation(
        fact="performance.requests_per_second", value=Unknown("one dump"), origin="measured", rank=10_000
    )
    assert resolve((unknown, known))["performance.requests_per_second"].value == 5


@given(st.sampled_from(["api_key", "token", "x", "url", "authorization"]), st.integers(0, 3))
def test_wherever_a_secret_stands_in_a_dump_it_is_not_kept(name: str, form: int):
    secret = "hf_" + "a1B2c3D4" * 4
    values = (secret, f"http://user:{secret}@host/x", f"Bearer {secret}", f'say \\"{secret}\\" \\n')
    lines = (
        f'm{{{name}="{values[form]}",le="0.5"}} 1',
        f"# HELP m {name}: {values[form]}",
        f'm{{{name}="{values[form]}"}} 1 # {{trace_id="{secret}"}} 2',
        f"{name}={values[form]} m 1",
        f'{{"m","{name}"="{values[form]}"}} 1',
    )
    out = redact.dump("\n".join(lines), Redactor())
    assert secret not in out
    assert out.count("\n") == len(lines) - 1
