"""An autoscaler that asks for a metric which the engine does not emit: seen by a diff of the tag alone."""

from __future__ import annotations

import pytest

from askew.checks.rules.autoscaler_metric_missing import _HPA, _KEDA, _SCALED
from askew.evidence.redaction import Redactor

FACT = "orchestration.autoscaler.missing_metrics"


def side(tmp_path, version: str, autoscaler: str, image: str = ""):
    from askew.app.load import load

    path = tmp_path / f"{version}.yaml"
    text = _SCALED.format(version=version, autoscaler=autoscaler, more="")
    path.write_text(text.replace(f"vllm/vllm-openai:v{version}", image) if image else text)
    return load(str(path), "target", Redactor()).snapshots[0].facts


@pytest.mark.parametrize(
    ("autoscaler", "old", "new", "missing"),
    [
        (_HPA.format(metric="vllm_gpu_cache_usage_perc"), "0.10.2", "0.11.0", ["vllm:gpu_cache_usage_perc"]),
        (_HPA.format(metric="vllm:gpu_cache_usage_perc"), "0.10.2", "0.10.1", []),
        (_KEDA.format(query="sum(rate(vllm:prompt_tokens_total[1m]))"), "0.8.5", "0.33.0", []),
        (
            _KEDA.format(query="histogram_quantile(0.9, rate(vllm:time_to_first_token_seconds_bucket[5m]))"),
            "0.7.3",
            "0.33.0",
            [],
        ),
        (
            _KEDA.format(query="avg_over_time(vllm:avg_generation_throughput_toks_per_s[1m])"),
            "0.6.6",
            "0.7.0",
            ["vllm:avg_generation_throughput_toks_per_s"],
        ),
    ],
)
def test_a_metric_that_goes_is_missed(tmp_path, autoscaler, old, new, missing):
    before, after = side(tmp_path, old, autoscaler)[FACT], side(tmp_path, new, autoscaler)[FACT]
    assert (before.state, before.value) == ("known", [])
    assert (after.state, after.value) == ("known", missing)
    assert {place.line for place in after.locations} & {21, 22}


def test_nobody_asks(tmp_path):
    assert FACT not in side(tmp_path, "0.11.0", _HPA.format(metric="cpu_of_gateway"))


def test_an_unknown_release_tells_nothing(tmp_path):
    asked = _HPA.format(metric="vllm_gpu_cache_usage_perc")
    found = side(tmp_path, "0.11.0", asked, image="vllm/vllm-openai:nightly")[FACT]
    assert found.state == "unknown" and "not known" in found.reason
