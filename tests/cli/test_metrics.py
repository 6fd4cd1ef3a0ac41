"""What somebody sees of metrics: the figures, what they rest on, and what one dump cannot show."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Askew

DUMP = """\
vllm:request_success_total{{finished_reason="stop",model_name="m"}} {n}
vllm:num_requests_waiting{{model_name="m"}} 3
vllm:e2e_request_latency_seconds_bucket{{model_name="m",le="1.0"}} {fast}
vllm:e2e_request_latency_seconds_bucket{{model_name="m",le="2.0"}} {n}
vllm:e2e_request_latency_seconds_bucket{{model_name="m",le="+Inf"}} {n}
"""


def test_one_dump_says_what_it_is_and_what_it_is_not(askew: Askew, tmp_path: Path):
    (tmp_path / "m.txt").write_text(DUMP.format(n=2000, fast=1000))
    ran = askew("facts", f"metrics:{tmp_path}/m.txt")
    assert ran.code == 0
    assert "2,000 counted since the engine started: one dump shows totals" in " ".join(ran.out.split())
    assert "not seen: performance.requests_per_second" in ran.out
    assert "metrics:before.txt,after.txt" in ran.out


def test_two_windows_that_differ(askew: Askew, tmp_path: Path):
    for name, n, fast in (("a0", 1000, 900), ("a1", 3000, 2700), ("b0", 1000, 500), ("b1", 3000, 700)):
        (tmp_path / name).write_text(DUMP.format(n=n, fast=fast))
    sides = [f"metrics:{tmp_path}/{side}0,{tmp_path}/{side}1?window=100s" for side in "ab"]
    ran = askew("diff", *sides, "--format", "json", "--fail-on", "low")
    assert ran.code == 1
    report = json.loads(ran.out)
    findings = {one["fact"]: one for one in report["workloads"][0]["findings"]}
    slower = findings["performance.e2e.p50"]
    assert slower["category"] == "performance"
    assert slower["target"]["origin"] == "measured"
    assert slower["target"]["location"]["source"] == f"{tmp_path}/b1"
    assert slower["target"]["because"][0] == "2,000 counted in 100 s"
    assert not slower["remedies"]  # what was measured is no setting
    assert askew("diff", sides[0], sides[0], "--fail-on", "info").code == 0


def test_a_dump_that_is_none(askew: Askew, tmp_path: Path):
    (tmp_path / "m.txt").write_text("<html>Sign in</html>\n")
    ran = askew("facts", f"metrics:{tmp_path}/m.txt")
    assert ran.code == 2
    assert "found HTML" in ran.err and "m.txt:1" in ran.err
