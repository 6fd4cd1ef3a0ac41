"""``prometheus:``: what is asked, and servers that fail in every way."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from askew.app.load import load
from askew.collectors.interface import Evidence, Request
from askew.collectors.metrics import redact
from askew.collectors.prometheus import query
from askew.collectors.prometheus.collect import COLLECTOR
from askew.engines.figures import Index, figures
from askew.engines.live import Meter
from askew.evidence.redaction import Redactor
from askew.evidence.scrapes import gathered
from askew.evidence.told import Told
from askew.resolve.workload import Resolved
from tests.collectors.serving import Served

CANARY = "canary-9f27d1c0aa31"


def collect(uri: str) -> Evidence:
    target, _, rest = uri.removeprefix("prometheus:").partition("?")
    options = tuple((key, value) for key, _, value in (part.partition("=") for part in rest.split("&") if part))
    return COLLECTOR.collect(Request(uri=uri, scheme="prometheus", target=target, options=options), Redactor(b"k" * 32))


def number(resolved: Resolved) -> float:
    assert isinstance(resolved.value, (int, float))
    return float(resolved.value)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


# -- answers that the server here does not give ----------------------------------------------------------------------


def test_native_histograms_are_read_from_what_they_grew_by():
    answer = {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {
                    "metric": {"pod": "a"},
                    "histogram": [
                        1795000000,
                        {
                            "count": "100",
                            "sum": "20",
                            "buckets": [[0, "0.0625", "0.125", "50"], [0, "0.125", "0.25", "50"]],
                        },
                    ],
                }
            ],
        },
    }
    told = Told(
        kind="metrics", name="x", text=json.dumps(answer),
        source='prometheus:http://h increase(vllm:time_to_first_token_seconds{pod="a"}[1800s]) @now',
    )  # fmt: skip
    scrapes = gathered((told,), lambda _: True)
    (series,) = scrapes.series
    assert (series.name, series.total, series.span) == ("vllm:time_to_first_token_seconds", False, 1800.0)
    meter = Meter(fact="performance.ttft", how="quantiles", names=("vllm:time_to_first_token_seconds",))
    index = Index(scrapes.series, {}, scrapes.windowed, scrapes.timed)
    found = {one.rank: one.value for one in figures(meter, index, [("p50", 0.5), ("p95", 0.95)])}
    assert found["p50"] == pytest.approx(0.125)
    assert found["p95"] == pytest.approx(0.125 * 2**0.9)


# -- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "selectors"),
    [
        ([("job", "llm")], ('job="llm"',)),
        ([("namespace", "prod"), ("pod", "llm-.*")], (
            'namespace="prod",pod=~"llm-.*"', 'exported_namespace="prod",exported_pod=~"llm-.*"',
        )),
        ([("app", "~a|b")], ('app=~"a|b"',)),
        ([("app", "!x")], ('app!="x"',)),
        ([("app", "a%20b")], ('app="a b"',)),
        ([("app", 'x"} or vector(1) #')], ('app=~"x\\"} or vector(1) #"',)),
        ([("model_name", "meta-llama/Llama-3.1-8B")], ('model_name="meta-llama/Llama-3.1-8B"',)),
    ],
)  # fmt: skip
def test_labels_become_a_selector(options: list[tuple[str, str]], selectors: tuple[str, ...]):
    assert query.asked(options).selectors == selectors


@pytest.mark.parametrize(
    "options",
    [
        [],
        [("window", "30m")],
        [("job", "llm"), ("window", "soon")],
        [("job", "llm"), ("window", "0s")],
        [("job", "llm"), ("at", "yesterday")],
        [("job", "llm"), ("at", "9999999999999999999")],
        [("job", "llm"), ("at", "0001-01-01T00:00:00+02:00")],
        [("job", "llm"), ("tenant", "a b")],
        [("job", "llm"), ("tenant", "a%0d%0aX: y")],
        [("9job", "llm")],
        [("job", "")],
    ],
)
def test_options_that_say_nothing_are_refused(options: list[tuple[str, str]]):
    with pytest.raises(query.OptionError):
        query.asked(options)


def test_times():
    asked = query.asked([("job", "x"), ("at", "2026-11-23T08:45:00Z"), ("window", "2d")])
    assert (asked.end, asked.window) == (1795423500.0, 172800.0)
    assert query.asked([("job", "x")], now=5000.0).end == 5000.0
    assert query.asked([("job", "x"), ("at", "2026-11-23T09:45:00+01:00")]).end == 1795423500.0


def test_queries_are_no_longer_than_a_url_may_be():
    asked = query.asked([("job", "x")], now=5000.0)
    names = [f"vllm:a_metric_with_a_long_name_{index}_total" for index in range(600)]
    batches = list(query.raw_queries(asked, asked.selectors[0], names))
    assert [name for _, batch in batches for name in batch] == names
    assert len(batches) < 8
    assert all(len(query.query_path(asked, one)) < 8000 for one, _ in batches)


# -- servers that fail -----------------------------------------------------------------------------------------------


def answering(answer: Callable[[str, Mapping[str, list[str]]], tuple[int, bytes]], seen: list[dict[str, str]]) -> type:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            seen.append({**dict(self.headers.items()), ":path": self.path})
            status, body = answer(parts.path, parse_qs(parts.query))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def names(*listed: str) -> bytes:
    return json.dumps({"status": "success", "data": list(listed)}).encode()


def matrix(name: str, values: list[tuple[float, float]], **labels: str) -> bytes:
    result = [{"metric": {"__name__": name, **labels}, "values": [[at, str(value)] for at, value in values]}]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


RUNNING = "vllm:num_requests_running"
FAULTS: dict[str, tuple[int, bytes, str]] = {
    "401": (401, b"Unauthorized", "status 401"),
    "403": (403, b'{"status":"error","error":"no such tenant"}', "no such tenant"),
    "html": (200, b"<html><body>Sign in</body></html>", "a web page"),
    "no json": (200, b"hello", "no JSON"),
    "no UTF-8": (200, b'{"status":"success","error":"\xff","data":[]}', "no JSON"),
    "no UTF-8 in names": (200, b'{"status":"success","data":["\xff"]}', "expected a list of names"),
    "no UTF-8 in an error": (422, b'{"status":"error","error":"\xff"}', "status 422"),
    "half": (200, b'{"status":"success","data":{"resultType":"matrix","result":[{"met', "no JSON"),
    "an error": (200, b'{"status":"error","errorType":"timeout","error":"query timed out"}', "query timed out"),
    "500": (500, b'{"status":"error","error":"storage is down"}', "storage is down"),
    "404": (404, b"404 page not found", "status 404"),
    "other data": (200, b'{"status":"success","data":{"a":1}}', "expected a list of names"),
    "deep": (200, b'{"status":"success","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_is_said_and_nothing_is_raised(fault: str):
    status, body, message = FAULTS[fault]
    with Served(answering(lambda path, _: (status, body), [])) as url:
        evidence = collect(f"prometheus:{url}?job=llm")
    assert evidence.status == "failed"
    assert message in evidence.errors[0].message
    assert evidence.errors[0].hint
    if status in (401, 403):
        assert "ASKEW_PROMETHEUS_TOKEN" in evidence.errors[0].hint


def test_an_answer_that_is_no_utf_8_is_a_redacted_text():
    body = b'{"status":"success","data":{"result":[{"metric":{"a":"\xff"},"api_key":"canary-7f3e9a1b5c"}]}}'
    assert "canary" not in redact.answer(body, Redactor())


def test_nobody_there():
    evidence = collect(f"prometheus:http://127.0.0.1:{free_port()}?job=llm")
    assert evidence.status == "failed"


@pytest.mark.parametrize("uri", ["prometheus:?job=llm", "prometheus:nowhere?job=llm", "prometheus:http://h:9090"])
def test_what_names_no_server_or_no_workload(uri: str):
    evidence = collect(uri)
    assert evidence.status == "failed"
    assert "prometheus:http" in evidence.errors[0].hint


def test_what_was_answered_before_a_fault_is_kept():
    def answer(path: str, asked: Mapping[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith("/values"):
            return 200, names(RUNNING, *(f"vllm:request_prompt_tokens_{x}" for x in ("bucket", "sum", "count")))
        if "exported" in asked["query"][0] or not answers:
            return 500, b'{"status":"error","error":"storage is down"}'
        answers.pop()
        return 200, matrix(RUNNING, [(1.0, 3.0), (16.0, 5.0)], pod="a")

    answers = [1]
    with Served(answering(answer, [])) as url:
        evidence = collect(f"prometheus:{url}?pod=a&at=20")
    assert evidence.status == "partial"
    assert len(evidence.texts) == 1
    assert "storage is down" in evidence.reason


def test_too_many_points_are_asked_for_as_increases():
    def answer(path: str, asked: Mapping[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith("/values"):
            return 200, names(RUNNING, "vllm:generation_tokens_total")
        text = asked["query"][0]
        if path.endswith("query_range"):
            return 200, matrix(RUNNING, [(float(i), 4.0) for i in range(12)], pod="a")
        if text.startswith("increase("):
            result = [{"metric": {"pod": "a"}, "value": [1800.0, "36000"]}]
            return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
        return 422, b'{"status":"error","error":"query processing would load too many samples into memory"}'

    with Served(answering(answer, [])) as url:
        evidence = collect(f"prometheus:{url}?job=llm&at=1800")
        side = load(f"prometheus:{url}?job=llm&at=1800", "target", Redactor())
    assert evidence.status == "partial"
    assert "too many samples" in evidence.reason and "increases and some moments" in evidence.reason
    found = side.snapshots[0].facts
    assert number(found["performance.output_tokens_per_second"]) == 20
    assert "worked out by the server's increase()" in found["performance.output_tokens_per_second"].because
    assert number(found["performance.load"].entries["concurrency"]) == 4


@pytest.mark.parametrize("indent", [None, 1])  # whatever stands in between may write JSON its own way
def test_native_histograms_are_asked_for_as_increases(indent: int | None):
    name = "vllm:e2e_request_latency_seconds"
    buckets = {"count": "100", "sum": "20", "buckets": [[0, "1", "4", "100"]]}

    def answer(path: str, asked: Mapping[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith("/values"):
            return 200, names(name)
        worked_out = asked["query"][0].startswith("increase(")
        metric = {"pod": "a"} if worked_out else {"__name__": name, "pod": "a"}
        one = {"histogram": [20, buckets]} if worked_out else {"histograms": [[5, buckets], [20, buckets]]}
        data = {"resultType": "vector" if worked_out else "matrix", "result": [{"metric": metric, **one}]}
        return 200, json.dumps({"status": "success", "data": data}, indent=indent).encode()

    with Served(answering(answer, [])) as url:
        side = load(f"prometheus:{url}?job=llm&at=20", "target", Redactor())
    assert side.statuses[0].status == "complete"
    assert number(side.snapshots[0].facts["performance.e2e.p50"]) == pytest.approx(2.0)


def test_warnings_of_the_server_lower_the_status():
    def answer(path: str, asked: Mapping[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith("/values"):
            return 200, names(RUNNING)
        body = json.loads(matrix(RUNNING, [(1.0, 3.0)], pod="a"))
        return 200, json.dumps({**body, "warnings": ["a store did not answer"]}).encode()

    with Served(answering(answer, [])) as url:
        evidence = collect(f"prometheus:{url}?job=llm&at=20")
    assert evidence.status == "partial"
    assert "a store did not answer" in evidence.reason


def test_a_partial_answer_lowers_the_status():
    def answer(path: str, asked: Mapping[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith("/values"):
            return 200, names(RUNNING)
        body = json.loads(matrix(RUNNING, [(1.0, 3.0)], pod="a"))
        return 200, json.dumps({**body, "isPartial": True}).encode()

    with Served(answering(answer, [])) as url:
        evidence = collect(f"prometheus:{url}?job=llm&at=20")
    assert (evidence.status, "partial" in evidence.reason) == ("partial", True)


@pytest.mark.parametrize("label", ["prometheus_replica", "job"])
def test_two_that_scrape_the_same_are_one(label: str):
    """A highly available pair without deduplication gives each series twice, and so do two monitors of one pod."""
    name = "vllm:generation_tokens_total"

    def answer(path: str, asked: Mapping[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith("/values"):
            return 200, names(name)
        twice = [
            json.loads(matrix(name, points, pod="a", **{label: replica}))["data"]["result"][0]
            for replica, points in (("p-0", [(0.0, 0.0), (100.0, 5000.0)]), ("p-1", [(50.0, 2500.0)]))
        ]
        return 200, json.dumps({"status": "success", "data": {"resultType": "matrix", "result": twice}}).encode()

    with Served(answering(answer, [])) as url:
        side = load(f"prometheus:{url}?job=llm&at=100", "target", Redactor())
    assert number(side.snapshots[0].facts["performance.output_tokens_per_second"]) == 50


def test_a_server_that_hangs_and_one_that_never_ends(monkeypatch: pytest.MonkeyPatch):
    from askew.collectors.prometheus import collect as module

    monkeypatch.setattr(module, "_TOTAL", 1.5)
    monkeypatch.setattr(module, "_ANSWER", 1.0)
    monkeypatch.setattr(module, "_BYTES", 100_000)
    stop = threading.Event()

    class Hanging(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stop.wait(10)

        def log_message(self, *_: object) -> None:
            pass

    class Endless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while not stop.is_set():
                    self.wfile.write(b'{"status":' * 1000)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    for handler in (Hanging, Endless):
        with Served(handler) as url:
            before = time.monotonic()
            evidence = collect(f"prometheus:{url}?job=llm")
            assert time.monotonic() - before < 5
            assert evidence.status == "failed"
            stop.set()
        stop.clear()


def test_no_secret_is_shown_and_each_goes_only_to_the_server(monkeypatch: pytest.MonkeyPatch):
    seen: list[dict[str, str]] = []

    def answer(path: str, asked: Mapping[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith("/values"):
            return 200, names(RUNNING)
        return 200, matrix(RUNNING, [(1.0, 3.0)], pod="a", api_key=CANARY, url=f"http://u:{CANARY}@h/")

    monkeypatch.setenv("ASKEW_PROMETHEUS_TOKEN", CANARY)
    monkeypatch.setenv("ASKEW_API_KEY", "the-engines-own")
    with Served(answering(answer, seen)) as url:
        evidence = collect(f"prometheus:{url}?job=llm&at=20&tenant=team-a")
        monkeypatch.delenv("ASKEW_PROMETHEUS_TOKEN")
        monkeypatch.setenv("ASKEW_PROMETHEUS_USER", "u")
        monkeypatch.setenv("ASKEW_PROMETHEUS_PASSWORD", CANARY)
        basic = collect(f"prometheus:{url}?job=llm&at=20")
        inline = collect(f"prometheus:{url.replace('://', f'://u:{CANARY}@')}?job=llm&at=20&token={CANARY}")
    assert evidence.texts and basic.texts and inline.texts
    assert CANARY not in repr((evidence, basic, inline))
    assert seen[0]["Authorization"] == f"Bearer {CANARY}"
    assert seen[0]["X-Scope-OrgID"] == "team-a"
    assert seen[2]["Authorization"].startswith("Basic ")
    assert not any("the-engines-own" in repr(headers) for headers in seen)


def test_credentials_do_not_follow_a_redirect(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASKEW_PROMETHEUS_TOKEN", CANARY)
    seen: list[dict[str, str]] = []
    with Served(answering(lambda *_: (200, b"{}"), seen)) as elsewhere:

        class Redirecting(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", elsewhere + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with Served(Redirecting) as url:
            evidence = collect(f"prometheus:{url}?job=llm")
    assert evidence.status == "failed"
    assert "sends elsewhere" in evidence.errors[0].message
    assert not seen
