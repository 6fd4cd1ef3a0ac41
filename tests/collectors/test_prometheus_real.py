"""``prometheus:`` against the real server: its own answers are the reference for ours."""

from __future__ import annotations

import json
import math
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest

from askew.app.load import load
from askew.collectors.interface import Evidence, Request
from askew.collectors.prometheus.collect import COLLECTOR
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor
from askew.evidence.series import quantile
from askew.resolve.workload import Resolved
from tests.collectors.serving import Served

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="needs prometheus and promtool on PATH: apt-get install prometheus",
)


def collect(uri: str) -> Evidence:
    target, _, rest = uri.removeprefix("prometheus:").partition("?")
    options = tuple((key, value) for key, _, value in (part.partition("=") for part in rest.split("&") if part))
    return COLLECTOR.collect(Request(uri=uri, scheme="prometheus", target=target, options=options), Redactor(b"k" * 32))


START = 1_795_000_000  # of the recorded data, in seconds since 1970
STEP = 15
POINTS = 240  # an hour
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class _Replica:
    """An engine that counts, restarts, and gets slower after half an hour."""

    def __init__(self, name: str, seed: int, restarts: tuple[int, ...]) -> None:
        self.name = name
        self._random = random.Random(seed)
        self._restarts = restarts
        self._clear()
        self.requests = 0  # since it was made, over restarts
        self.tokens = 0

    def _clear(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0
        self.done = 0
        self.generated = 0
        self.running = 0

    def step(self, index: int) -> None:
        if index in self._restarts:
            self._clear()
        slow = index >= POINTS // 2
        count = self._random.randint(8, 12)
        for _ in range(count):
            took = self._random.lognormvariate(-2.0 + (0.9 if slow else 0.0), 0.6)
            place = next((i for i, bound in enumerate(BOUNDS) if took <= bound), len(BOUNDS))
            self.buckets[place] += 1
            self.sum += took
        tokens = sum(self._random.randint(150, 250) for _ in range(count))
        self.done += count
        self.requests += count
        self.generated += tokens
        self.tokens += tokens
        self.running = self._random.randint(10, 20)

    def samples(self, at: float | None) -> Iterator[tuple[str, str]]:
        labels = f'namespace="prod",pod="{self.name}",job="llm",model_name="m"'
        stamp = "" if at is None else f" {at:.0f}"
        upto = 0
        for bound, count in zip((*BOUNDS, math.inf), self.buckets, strict=True):
            upto += count
            le = "+Inf" if bound == math.inf else repr(bound)
            yield (
                "vllm:time_to_first_token_seconds",
                f'vllm:time_to_first_token_seconds_bucket{{{labels},le="{le}"}} {upto}{stamp}',
            )
        yield "vllm:time_to_first_token_seconds", f"vllm:time_to_first_token_seconds_sum{{{labels}}} {self.sum}{stamp}"
        yield "vllm:time_to_first_token_seconds", f"vllm:time_to_first_token_seconds_count{{{labels}}} {upto}{stamp}"
        done = f'vllm:request_success_total{{{labels},finished_reason="stop"}} {self.done}{stamp}'
        yield "vllm:request_success", done
        yield "vllm:generation_tokens", f"vllm:generation_tokens_total{{{labels}}} {self.generated}{stamp}"
        yield "vllm:num_requests_running", f"vllm:num_requests_running{{{labels}}} {self.running}{stamp}"


KINDS = {
    "vllm:time_to_first_token_seconds": "histogram",
    "vllm:request_success": "counter",
    "vllm:generation_tokens": "counter",
    "vllm:num_requests_running": "gauge",
}


def exposition(samples: list[tuple[str, str]]) -> str:
    lines: list[str] = []
    for family, kind in KINDS.items():
        lines.append(f"# TYPE {family} {kind}")
        lines.extend(line for name, line in samples if name == family)
    return "\n".join([*lines, "# EOF"]) + "\n"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Real:
    def __init__(self, url: str, replicas: list[_Replica]) -> None:
        self.url = url
        self.replicas = replicas

    def query(self, promql: str, at: float) -> list[dict[str, object]]:
        with urlopen(f"{self.url}/api/v1/query?query={quote(promql)}&time={at}", timeout=10) as answer:
            found: list[dict[str, object]] = json.load(answer)["data"]["result"]
            return found

    def value(self, promql: str, at: float) -> float:
        (one,) = self.query(promql, at)
        value = one["value"]
        assert isinstance(value, list)
        return float(value[1])


def started(folder: Path, config: str) -> Iterator[str]:
    """The address of a server on loopback that keeps its data in ``folder``."""
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    port = free_port()
    log = (folder / "log.txt").open("wb")
    process = subprocess.Popen(
        [
            "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y", "--log.level=error",
        ],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                    break
            except (URLError, OSError):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail((folder / "log.txt").read_text(errors="replace")[-2000:])
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """A server with an hour of two replicas, of which one restarts twice."""
    folder = tmp_path_factory.mktemp("prometheus")
    replicas = [_Replica("llm-a", 1, ()), _Replica("llm-b", 2, (70, 190))]
    samples: list[tuple[str, str]] = []
    for index in range(POINTS):
        for replica in replicas:
            replica.step(index)
            samples.extend(replica.samples(START + index * STEP))
    (folder / "data.om").write_text(exposition(samples), encoding="utf-8")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "data.om"), str(folder / "data")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    for url in started(folder, "global: {scrape_interval: 15s}\n"):
        yield Real(url, replicas)


MIDDLE = START + POINTS // 2 * STEP
END = START + (POINTS - 1) * STEP


def facts(uri: str) -> Mapping[str, Resolved]:
    side = load(uri, "target", Redactor(b"k" * 32))
    assert not side.errors, side.errors
    (snapshot,) = side.snapshots
    assert snapshot.engine is not None and snapshot.engine.name == "vllm"
    return snapshot.facts


def number(resolved: Resolved) -> float:
    assert isinstance(resolved.value, (int, float))
    return float(resolved.value)


@pytest.mark.parametrize(("end", "window"), [(MIDDLE, 1800), (END, 1785), (END, 3600), (MIDDLE, 600)])
def test_quantiles_and_rates_are_the_servers_own(real: Real, end: int, window: int):
    found = facts(f"prometheus:{real.url}?namespace=prod&pod=llm-.*&at={end}&window={window}")
    bucket = f'vllm:time_to_first_token_seconds_bucket{{namespace="prod"}}[{window}s]'
    for rank, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        theirs = real.value(f"histogram_quantile({rank}, sum by (le) (increase({bucket})))", end)
        # The server adds to each series what it takes to have happened at the ends of the window.
        assert number(found[f"performance.ttft.{name}"]) == pytest.approx(theirs, rel=0.01)
    theirs = real.value(f'avg(rate(vllm:generation_tokens_total{{namespace="prod"}}[{window}s]))', end)
    assert number(found["performance.output_tokens_per_second"]) == pytest.approx(theirs, rel=0.01)
    theirs = real.value(f'avg(avg_over_time(vllm:num_requests_running{{namespace="prod"}}[{window}s]))', end)
    load_of = found["performance.load"].entries["concurrency"]
    assert number(load_of) == pytest.approx(theirs, rel=1e-4)
    assert any("over 2 replicas" in text for text in found["performance.ttft.p95"].because)


def test_what_was_counted_over_restarts_is_what_happened(real: Real):
    found = facts(f"prometheus:{real.url}?namespace=prod&at={END}&window={POINTS * STEP}")
    because = " ".join(found["performance.requests_per_second"].because)
    assert "began anew 2 times" in because
    # A restart between two scrapes loses what was counted since the first of them, and nothing else.
    happened = sum(replica.requests for replica in real.replicas)
    counted = int(because.split(" counted")[0].replace(",", ""))
    assert happened - 60 <= counted <= happened


def test_one_replica_alone(real: Real):
    found = facts(f"prometheus:{real.url}?pod=llm-a&at={END}&window=30m")
    assert not any("replicas" in text for text in found["performance.ttft.p95"].because)
    place = found["performance.ttft.p95"].locations[0]
    assert place.path == "vllm:time_to_first_token_seconds_bucket{llm-a}"
    assert place.source.startswith(f"prometheus:{real.url} ")
    assert place.source == f'prometheus:{real.url} {{pod="llm-a"}}[1800s] @2026-11-18T12:06:25Z'


def test_two_windows_are_two_sides(real: Real):
    """Before and after: the load is the same, and the first token comes later."""
    sides = [
        load(f"prometheus:{real.url}?namespace=prod&at={at}&window=29m", "target", Redactor(b"k" * 32)).snapshots[0]
        for at in (MIDDLE - 30, END)
    ]
    differing = {one.fact.key for one in compare(sides[0], sides[1]).differences}
    assert {"performance.ttft.p50", "performance.ttft.p95", "performance.ttft.mean"} <= differing
    assert not differing & {"performance.output_tokens_per_second", "performance.requests_per_second"}
    again = [
        load(f"prometheus:{real.url}?namespace=prod&at={at}&window=14m", "target", Redactor(b"k" * 32)).snapshots[0]
        for at in (MIDDLE - 900, MIDDLE - 30)
    ]
    assert not compare(again[0], again[1]).differences  # nothing changed between these


def test_few_questions_for_all_of_it(real: Real):
    evidence = collect(f"prometheus:{real.url}?namespace=prod&at={END}")
    assert evidence.status == "complete"
    assert evidence.files <= 4


def test_a_workload_that_has_no_metrics_is_said(real: Real):
    evidence = collect(f"prometheus:{real.url}?namespace=nowhere&at={END}")
    assert evidence.status == "failed"
    assert 'no metrics of an engine match {namespace="nowhere"}' in evidence.errors[0].message


@pytest.mark.parametrize("seed", range(6))
def test_random_histograms_have_the_quantiles_that_the_server_gives(
    tmp_path_factory: pytest.TempPathFactory, seed: int
):
    if seed:
        return  # all of them are in one server: starting one costs a second
    folder = tmp_path_factory.mktemp("quantiles")
    dice = random.Random(7)
    histograms: list[list[tuple[float, int]]] = []
    lines = ["# TYPE h histogram"]
    for case in range(40):
        bounds = sorted(
            {round(dice.uniform(-1 if case % 5 == 0 else 0.001, 20), 3) for _ in range(dice.randint(1, 12))}
        )
        upto, buckets = 0, []
        for bound in (*bounds, math.inf):
            upto += dice.choice((0, 0, 1, 5, 100))
            buckets.append((bound, upto))
        histograms.append(buckets)
        for bound, count in buckets:
            le = "+Inf" if bound == math.inf else repr(bound)
            lines.append(f'h_bucket{{case="{case}",le="{le}"}} {count} {START}')
        lines.append(f'h_sum{{case="{case}"}} 1 {START}')
        lines.append(f'h_count{{case="{case}"}} {upto} {START}')
    (folder / "data.om").write_text("\n".join([*lines, "# EOF"]) + "\n", encoding="utf-8")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "data.om"), str(folder / "data")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    for url in started(folder, "global: {scrape_interval: 15s}\n"):
        server = Real(url, [])
        for rank in (0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0):
            theirs = {
                one["metric"]["case"]: float(one["value"][1])  # type: ignore[index]
                for one in server.query(f"histogram_quantile({rank}, h_bucket)", START)
            }
            for case, buckets in enumerate(histograms):
                ours = quantile(rank, [(bound, float(count)) for bound, count in buckets])
                expected = theirs[str(case)]
                if ours is None:
                    assert math.isnan(expected), buckets
                elif rank or buckets[0][1]:  # of rank 0 below an empty bucket the server has no number
                    assert ours == pytest.approx(expected), (rank, buckets)


def test_a_server_that_scrapes(tmp_path: Path):
    """A small exporter of our own, scraped each second: nothing recorded, nothing written by promtool."""
    replica = _Replica("llm-live", 3, ())

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            replica.step(0)
            body = exposition(list(replica.samples(None))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with Served(Exporter) as exporter:
        config = (
            "global: {scrape_interval: 1s}\n"
            "scrape_configs:\n"
            "- job_name: llm\n"
            "  honor_labels: true\n"
            f"  static_configs: [{{targets: ['{urlsplit(exporter).netloc}']}}]\n"
        )
        for url in started(tmp_path, config):
            server = Real(url, [])
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                found = server.query("count_over_time(vllm:num_requests_running[1m])", time.time())
                if found and float(found[0]["value"][1]) >= 6:  # type: ignore[index]
                    break
                time.sleep(0.3)
            now = facts(f"prometheus:{url}?job=llm&window=1m")
            assert number(now["performance.requests_per_second"]) == pytest.approx(10, rel=0.25)
            assert "performance.ttft.p50" in now
