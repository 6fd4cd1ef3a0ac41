"""What a window of metrics states: rates, quantiles, replicas, restarts; and what one dump cannot."""

from __future__ import annotations

import pytest

from askew.app.heard import heard
from askew.resolve.observation import Unknown
from tests.engines.metrics import histogram, said, told, value, vllm


def test_a_window_of_two_dumps():
    facts = said(told(vllm(1000, 500), at=100.0), told(vllm(3000, 1500), at=400.0))
    assert value(facts, "performance.requests_per_second") == pytest.approx(2000 / 300, rel=1e-5)
    assert value(facts, "performance.output_tokens_per_second") == pytest.approx(200_000 / 300, rel=1e-5)
    assert value(facts, "performance.ttft.p50") == pytest.approx(0.1)
    assert value(facts, "performance.ttft.p95") == pytest.approx(0.46)
    assert value(facts, "performance.ttft.mean") == pytest.approx(0.2)
    assert value(facts, "performance.error_rate") == 0
    assert value(facts, "performance.finish_length_ratio") == pytest.approx(0.1)
    assert facts["performance.ttft.p95"].confidence == "certain"
    assert facts["performance.ttft.p95"].because[0] == "2,000 counted in 5 min"


def test_dumps_without_times_give_quantiles_and_no_rates():
    facts = said(told(vllm(1000, 500)), told(vllm(3000, 1500)))
    assert value(facts, "performance.ttft.p95") == pytest.approx(0.46)
    rate = facts["performance.requests_per_second"].value
    assert isinstance(rate, Unknown) and "how much time" in rate.reason


def test_an_engine_that_restarted_in_between_counts_from_zero():
    facts = said(told(vllm(1000, 500), at=100.0), told(vllm(400, 200), at=200.0))
    assert value(facts, "performance.requests_per_second") == pytest.approx(4)
    assert "the counters began anew once in between" in facts["performance.requests_per_second"].because


def process(began: float) -> str:
    return f"process_start_time_seconds {began}\n"


def test_dumps_of_two_processes_that_ran_at_once_are_two_replicas_and_no_window():
    """Somebody names the dumps of two pods, and not two dumps of one."""
    for at in (0.0, 500.0):
        facts = said(
            told(process(100.0) + vllm(1000, 1000), at=at and at + 1, name="a"),
            told(process(200.0) + vllm(3000, 0), at=at and at + 2, name="b"),
        )
        assert isinstance(facts["performance.requests_per_second"].value, Unknown)
        ttft = facts["performance.ttft.p50"]
        assert ttft.value == pytest.approx(0.1 + 0.4 / 3, rel=1e-5)
        assert "over 2 replicas" in ttft.because and "since the engine started" in ttft.because[0]


def test_a_process_that_began_after_the_first_dump_is_the_same_engine_anew():
    facts = said(told(process(100.0) + vllm(1000, 500), at=500.0), told(process(550.0) + vllm(400, 200), at=600.0))
    assert value(facts, "performance.requests_per_second") == pytest.approx(4)


def test_a_process_that_has_counted_more_than_the_one_before_it_did_begins_at_zero_too():
    facts = said(told(process(100.0) + vllm(1000, 500), at=500.0), told(process(550.0) + vllm(1500, 900), at=600.0))
    assert value(facts, "performance.requests_per_second") == pytest.approx(15)
    assert value(facts, "performance.ttft.p50") == pytest.approx(0.1 * 750 / 900)
    assert "the counters began anew once in between" in facts["performance.requests_per_second"].because


def test_a_gauge_that_is_called_as_a_counter_is_has_no_zero_before_it_is_seen():
    waiting = "# TYPE nv_inference_pending_request_count gauge\n"
    dumps = (waiting + "nv_gpu_utilization 0.5\n", waiting + "nv_inference_pending_request_count 4\n")
    facts = said(*(told(text + "nv_inference_request_success 5\n", at=float(at)) for at, text in enumerate(dumps, 1)))
    assert value(facts, "performance.queue_depth") == 4


def test_dumps_of_an_engine_and_of_an_exporter_are_no_window():
    facts = said(told(vllm(1000, 500)), told('DCGM_FI_DEV_GPU_UTIL{gpu="0",pod="a"} 50\n'))
    assert value(facts, "performance.gpu_utilization") == 0.5
    assert "since the engine started" in facts["performance.ttft.p50"].because[0]


def test_a_single_dump_says_that_its_figures_are_since_the_start():
    facts = said(told(vllm(2000, 1000)))
    ttft = facts["performance.ttft.p95"]
    assert ttft.value == pytest.approx(0.46)
    assert ttft.confidence == "likely"
    assert "since the engine started" in ttft.because[0]
    cache = facts["performance.kv_cache_usage"]
    assert (cache.value, cache.confidence) == (0.5, "possible")
    assert "at one moment" in cache.because[0]


def test_few_values_say_too_little():
    facts = said(told(vllm(0, 0), at=1.0), told(vllm(20, 10), at=61.0))
    assert facts["performance.ttft.p50"].confidence == "possible"
    assert facts["performance.requests_per_second"].confidence == "possible"


def test_no_request_at_all_is_unknown_and_not_zero():
    facts = said(told(vllm(10, 5), at=1.0), told(vllm(10, 5), at=61.0))
    ttft = facts["performance.ttft.p95"].value
    assert isinstance(ttft, Unknown) and ttft.reason == "nothing was counted in this window"
    assert value(facts, "performance.requests_per_second") == 0


def test_replicas_are_one_histogram_and_a_mean_of_rates():
    facts = said(
        told(vllm(0, 0), at=1.0, replica="a"), told(vllm(1000, 1000, running=2), at=101.0, replica="a"),
        told(vllm(0, 0), at=1.0, replica="b"), told(vllm(3000, 0, running=6), at=101.0, replica="b"),
    )  # fmt: skip
    assert value(facts, "performance.requests_per_second") == pytest.approx(20)
    assert value(facts, "performance.load[concurrency]") == pytest.approx((3 + 5) / 2)
    assert value(facts, "performance.ttft.p50") == pytest.approx(0.1 + 0.4 / 3, rel=1e-5)
    assert "over 2 replicas" in facts["performance.ttft.p50"].because


def test_a_figure_over_two_models_says_so():
    text = vllm(1000, 500) + vllm(1000, 900).replace('model_name="m"', 'model_name="other"')
    assert "over 2 models: m, other" in said(told(text))["performance.ttft.p50"].because


def test_names_that_were_renamed_are_one_figure():
    old, new = 'vllm:gpu_cache_usage_perc{model_name="m"} 0.4', 'vllm:kv_cache_usage_perc{model_name="m"} 0.6'
    assert value(said(told(old)), "performance.kv_cache_usage") == 0.4
    assert value(said(told(new)), "performance.kv_cache_usage") == 0.6
    assert value(said(told(f"{old}\n{new}")), "performance.kv_cache_usage") == 0.6


@pytest.mark.parametrize("prefix", ["ray_vllm:", "ray_vllm_", "vllm_"])
def test_metrics_that_others_pass_on(prefix: str):
    found = heard((told(vllm(1000, 500).replace("vllm:", prefix)),))
    assert found is not None
    assert found.engine == "vllm"
    assert any(one.fact == "performance.ttft.p95" for one in found.observations)


def test_figures_of_one_of_several_engines_say_so():
    text = (
        vllm(1000, 500)
        + histogram("tgi_request_duration")
        + "tgi_request_success 1\ntgi_queue_size 1\ntgi_batch_current_size 1\ntgi_request_failure 1\n"
    )
    facts = said(told(text), engine="vllm")
    assert "of vllm alone: there are metrics of tgi too" in facts["performance.ttft.p50"].because
    alone = said(told(vllm(1000, 500)))
    assert not any("alone" in reason for reason in alone["performance.ttft.p50"].because)


def test_what_a_router_says_of_an_engine_is_not_what_the_engine_says():
    router = 'vllm:num_requests_running{server="http://a:8000",instance="router"} 90\n'
    facts = said(told(vllm(1000, 500, running=4) + router))
    assert value(facts, "performance.load[concurrency]") == 4


def test_a_router_is_not_taken_for_the_engine_behind_it():
    text = """\
vllm:num_requests_running{server="http://a:8000"} 3
vllm:num_requests_waiting{server="http://a:8000"} 1
vllm:current_qps{server="http://a:8000"} 2
vllm:healthy_pods_total{server="http://a:8000"} 1
vllm:num_incoming_requests_total{model="m"} 100
vllm:request_latency_seconds_count{server="http://a:8000",model="m",status="ok"} 100
vllm:request_latency_seconds_sum{server="http://a:8000",model="m",status="ok"} 50
"""
    found = heard((told(text),))
    assert found is not None
    assert found.engine == "production-stack-router"


def test_generic_metrics_of_a_web_framework_are_nobodys_until_the_engine_is_known():
    text = "\n".join(
        f'http_request_duration_seconds_bucket{{handler="{handler}",method="POST",le="{le}"}} {count}'
        for handler in ("/embeddings", "/health")
        for le, count in (("0.1", 0), ("0.5", 100), ("+Inf", 100))
    )
    assert heard((told(text),)) is None
    facts = said(told(text), engine="infinity")
    assert value(facts, "performance.e2e.p50") == pytest.approx(0.3)
    assert "100 counted" in facts["performance.e2e.p50"].because[0]
