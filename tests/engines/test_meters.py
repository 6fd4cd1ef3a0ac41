"""The tables of engines' metrics: each name was a metric of some release, each meter has its fact, units are right."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.heard import heard
from askew.engines import exporters, versions
from askew.engines._live import METERS
from askew.engines.live import Meters
from askew.evidence.told import Told
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.resolve.observation import Unknown
from tests.engines.metrics import histogram, said, told, value

RECORDINGS = next(
    (
        folder / "shared" / "recordings"
        for folder in Path(__file__).resolve().parents
        if (folder / "shared" / "recordings").is_dir()
    ),
    None,
)
needs_recordings = pytest.mark.skipif(
    RECORDINGS is None, reason="needs ../shared/recordings, transcripts of real engines beside the checkout"
)
TABLES: dict[str, Meters] = {name: import_module(module).METERS for name, module in METERS.items()}

# Metrics that no extractor reads: the engine's releases hold no list of them in one place. Each is in the source that
# the docstring of the table names.
NOT_EXTRACTED = {
    "infinity": "those of prometheus-fastapi-instrumentator",
    "litellm": "litellm/integrations/prometheus.py",
    "llama.cpp": "tools/server/server-context.cpp",
    "nim": "a closed image, documented",
    "production-stack-router": "src/vllm_router/services/metrics_service/__init__.py",
    "tensorrt-llm": "tensorrt_llm/metrics/collector.py",
}
OTHER_NAMES = {"triton": {"nv_trt_llm_request_metrics", "nv_trt_llm_kv_cache_block_metrics"}}  # of its TensorRT backend


def names_in(table: Meters) -> set[str]:
    meters = {name for meter in table.meters for name in (*meter.names, *meter.of)}
    return meters | {name for one in table.stated for name in one.names}


@pytest.mark.parametrize("engine", sorted(TABLES))
def test_every_name_was_a_metric_of_some_release(engine: str):
    past = versions.history(engine)
    if engine in NOT_EXTRACTED:
        assert past is None or not past.metrics, "its metrics are extracted now: hold the table to them"
        return
    assert past is not None and past.metrics
    known = {
        name.removesuffix(suffix) for name in past.metrics for suffix in ("", "_sum", "_count", "_bucket", "_total")
    }
    unknown = {
        name
        for name in names_in(TABLES[engine]) - OTHER_NAMES.get(engine, set())
        if not {name, name.removesuffix("_sum"), name.removesuffix("_count")} & known
    }
    assert not unknown


@pytest.mark.parametrize("engine", sorted(TABLES))
def test_a_metric_that_was_renamed_is_read_under_both_names(engine: str):
    past = versions.history(engine)
    if past is None:
        return
    heirs = {
        (name, state.heir)
        for name, steps in past.metrics.items()
        for _, state in steps
        if state is not None and state.heir
    }
    for name, heir in heirs:
        for meter in TABLES[engine].meters:
            for names in (meter.names, meter.of):
                if heir in names and meter.how not in ("share",):
                    assert name in names, f"{name} became {heir}"


@pytest.mark.parametrize("engine", sorted(TABLES))
def test_nothing_is_taken_for_zero_that_a_release_does_not_count(engine: str):
    """Where a series comes with its first event, every release that counts the whole counts the event too."""
    past = versions.history(engine)
    if past is None or not past.metrics:
        return
    for meter in TABLES[engine].meters:
        whole = set(meter.of) - set(meter.names)
        for index in range(len(past.releases)) if meter.lazy and whole else ():
            emitted = past.at(index).metrics.keys()
            if whole & emitted:
                assert set(meter.names) & emitted, (meter.fact, past.releases[index])


def test_releases_that_emit_metrics_have_something_to_read():
    """In each release of vLLM and SGLang that has the latency of requests, a table reads it."""
    for engine, noun in (("vllm", "e2e_request_latency"), ("sglang", "e2e_request_latency")):
        past = versions.history(engine)
        assert past is not None
        for index in range(len(past.releases)):
            emitted = {name for name, one in past.at(index).metrics.items()}
            if any(noun in name for name in emitted):
                read = names_in(TABLES[engine])
                assert len(emitted & read) >= 6, past.releases[index]


@pytest.mark.parametrize("table", [*TABLES.values(), *exporters.TABLES])
def test_every_meter_states_a_fact(table: Meters):
    for meter in table.meters:
        if meter.how == "quantiles":
            assert any(f"{meter.fact}.{rank}" in FACTS for rank in ("p50", "p95", "p99")), meter.fact
        else:
            assert meter.fact in FACTS, meter.fact
        assert (
            FACTS.get(meter.fact, FACTS["performance.load"]).type.keyed == bool(meter.key) or meter.how == "quantiles"
        )
        assert meter.names
    for one in table.stated:
        assert one.fact in FACTS and one.names and one.labels
    assert not (set(table.prefixes) & set(table.marks))


def recorded(path: str) -> Told:
    assert RECORDINGS is not None
    with open(os.path.join(RECORDINGS, path), encoding="utf-8") as file:
        return told(file.read(), name=path)


RECORDED: tuple[tuple[str, str, dict[str, Value]], ...] = (
    # Folder, engine, facts of two dumps: requests, their mean tokens, what its metrics say of its configuration.
    ("vllm-0.32.0/a-defaults", "vllm", {"runtime.kv_cache.tokens": 1048576, "runtime.kv_cache.block_size": 128}),
    ("vllm-0.30.0/a-defaults", "vllm", {"runtime.kv_cache.tokens": 1048576, "runtime.prefix_caching": True}),
    ("vllm-0.32.0/c-prod-no-shim-apikey-configfile", "vllm", {"runtime.prefix_caching": True}),
    ("sglang-0.5.23/cpu-torch_native", "sglang", {"runtime.max_model_len": 512, "runtime.kv_cache.tokens": 4096}),
    ("llama.cpp-xllamacpp-2026.10.11549", "llama.cpp", {}),
    ("mlserver-1.7.1", "mlserver", {}),
    ("pytriton-0.7.0", "triton", {}),
    ("tritonserver-2.51.0-from-pytriton", "triton", {}),
)


@needs_recordings
@pytest.mark.parametrize(("folder", "engine", "states"), RECORDED, ids=[one[0] for one in RECORDED])
def test_recorded_engines_are_known_by_their_metrics(folder: str, engine: str, states: dict[str, Value]):
    before, after = recorded(f"{folder}/metrics-before.http"), recorded(f"{folder}/metrics-after.http")
    found = heard((before, after))
    assert found is not None
    assert found.engine == engine
    facts = {one.fact: one.value for one in found.observations}
    assert facts.items() >= states.items()
    assert not any(one.fact.startswith("hardware.") for one in found.observations)  # they ran on a CPU


@needs_recordings
def test_two_recorded_dumps_give_what_happened_in_between():
    folder = "vllm-0.32.0/a-defaults"
    facts = said(recorded(f"{folder}/metrics-before.http"), recorded(f"{folder}/metrics-after.http"))
    # 21 requests in the 18 seconds between the dates of the answers; 285 tokens came out.
    assert value(facts, "performance.requests_per_second") == pytest.approx(21 / 18, rel=1e-5)
    assert value(facts, "performance.output_tokens_per_second") == pytest.approx(285 / 18, rel=1e-5)
    assert value(facts, "performance.load[output_tokens]") == pytest.approx(285 / 21, rel=1e-5)
    assert value(facts, "performance.finish_length_ratio") == pytest.approx(20 / 21, rel=1e-5)
    assert facts["performance.requests_per_second"].because == ("21 counted in 18 s",)
    place = facts["performance.ttft.p95"].locations[0]
    assert (place.source, place.path) == (f"{folder}/metrics-after.http", "vllm:time_to_first_token_seconds_bucket")


@needs_recordings
@pytest.mark.parametrize(
    ("path", "engine"),
    [
        ("ray-2.60.0/metrics.http", "ray-serve"),
        ("torchserve-0.12.0/metrics.http", "torchserve"),
        ("kserve-0.21.0/metrics.http", "kserve"),
        ("bentoml-1.4.39/metrics.http", "bentoml"),
    ],
)
def test_one_recorded_dump_never_states_a_rate(path: str, engine: str):
    found = heard((recorded(path),))
    assert found is not None
    assert found.engine == engine
    if engine == "ray-serve":
        assert found.release == "2.60.0"
    rates = [one for one in found.observations if one.fact.endswith("per_second")]
    assert rates
    for one in rates:
        assert isinstance(one.value, Unknown)
        assert "no current rate" in one.value.reason and "metrics:before.txt,after.txt" in one.value.observe_with
    for one in found.observations:
        assert one.confidence != "certain" or one.origin == "reported" or isinstance(one.value, Unknown)


def test_what_labels_say_of_the_configuration():
    text = (
        'vllm:cache_config_info{block_size="16",cache_dtype="fp8",enable_prefix_caching="True",'
        'gpu_memory_utilization="0.85",num_gpu_blocks="1000",sliding_window="None",swap_space_bytes="4294967296"} 1'
    )
    facts = said(told(text))
    assert {key: value(facts, key) for key in facts} == {
        "runtime.kv_cache.block_size": 16, "runtime.kv_cache.tokens": 16000, "runtime.kv_cache.dtype": "float8_e4m3",
        "runtime.prefix_caching": True, "runtime.gpu_memory_utilization": 0.85, "runtime.swap.bytes": 4 * 2**30,
    }  # fmt: skip
    tokens = facts["runtime.kv_cache.tokens"]
    assert (tokens.confidence, tokens.because, tokens.origin) == (
        "likely", ("num_gpu_blocks × block_size",), "reported",
    )  # fmt: skip
    newer = said(told(text.replace("}", ',kv_cache_size_tokens="15800"}')))
    assert (newer["runtime.kv_cache.tokens"].value, newer["runtime.kv_cache.tokens"].confidence) == (15800, "certain")
    near = said(told(text, replica="a"), told(text.replace("1000", "990"), replica="b"))
    assert near["runtime.kv_cache.tokens"].value == 16000  # each measures what is left when it starts
    differing = said(told(text, replica="a"), told(text.replace("1000", "500"), replica="b"))
    tokens = differing["runtime.kv_cache.tokens"]
    assert isinstance(tokens.value, Unknown) and "1000×16, 500×16" in tokens.value.reason


def test_of_ranks_that_have_a_little_more_the_smallest_counts():
    text = 'sglang:max_total_num_tokens{dp_rank="0"} 100500\nsglang:max_total_num_tokens{dp_rank="1"} 100000\n'
    assert value(said(told(text)), "runtime.kv_cache.tokens") == 100000
    far = said(told(text.replace("100500", "200000")))["runtime.kv_cache.tokens"].value
    assert isinstance(far, Unknown)


def test_a_slice_of_one_device_is_not_what_all_of_the_node_are():
    used = 'DCGM_FI_DEV_FB_USED{gpu="0",modelName="NVIDIA H100 80GB HBM3",GPU_I_PROFILE="1g.10gb",GPU_I_ID="7"} 4000\n'
    assert value(said(told(used)), "hardware.gpu.mig_profile") == "1g.10gb"
    for more in (used.replace(',GPU_I_PROFILE="1g.10gb",GPU_I_ID="7"', ""), used.replace("1g.10gb", "3g.40gb")):
        profile = said(told(used + more.replace('gpu="0"', 'gpu="1"')))["hardware.gpu.mig_profile"].value
        assert isinstance(profile, Unknown) and "1g.10gb" in profile.reason


def test_units_are_those_of_the_facts():
    triton = """\
nv_inference_request_success{model="m",version="1"} 100
nv_inference_request_failure{model="m",version="1"} 2
nv_inference_request_duration_us{model="m",version="1"} 5000000
nv_inference_request_summary_us{model="m",version="1",quantile="0.95"} 80000
nv_gpu_utilization{gpu_uuid="GPU-1"} 0.5
nv_gpu_memory_used_bytes{gpu_uuid="GPU-1"} 1073741824
"""
    facts = said(told(triton))
    assert value(facts, "performance.e2e.mean") == pytest.approx(0.05)
    assert value(facts, "performance.e2e.p95") == pytest.approx(0.08)
    assert value(facts, "performance.error_rate") == pytest.approx(2 / 102, rel=1e-4)
    assert value(facts, "performance.gpu_memory.bytes") == 2**30
    ray = "\n".join(
        f'ray_serve_http_request_latency_ms_bucket{{route="{route}",le="{le}"}} {count}'
        for route, counts in (("/a", (0, 50, 100)), ("/-/healthz", (900, 900, 900)))
        for le, count in zip(("1", "200", "+Inf"), counts, strict=True)
    )
    assert value(said(told(ray)), "performance.e2e.p50") == pytest.approx(0.2)
    tensorflow = "\n".join(
        f':tensorflow:serving:request_latency_bucket{{model_name="m",API="Predict",entrypoint="REST",le="{le}"}} {n}'
        for le, n in (("1000", 0), ("3000", 100), ("+Inf", 100))
    )
    assert value(said(told(tensorflow)), "performance.e2e.p50") == pytest.approx(0.002)


def test_a_dump_of_dcgm_is_of_gpus_and_of_no_engine():
    dcgm = """\
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",modelName="NVIDIA H100 80GB HBM3",DCGM_FI_DRIVER_VERSION="550.90.07"} 90
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-b",modelName="NVIDIA H100 80GB HBM3",DCGM_FI_DRIVER_VERSION="550.90.07"} 70
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-a",modelName="NVIDIA H100 80GB HBM3"} 71680
DCGM_FI_DEV_FB_USED{gpu="1",UUID="GPU-b",modelName="NVIDIA H100 80GB HBM3"} 9223372036854775794
DCGM_FI_DEV_CLOCKS_EVENT_REASONS{gpu="0",UUID="GPU-a"} 36
DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-a"} 0
DCGM_FI_DEV_XID_ERRORS{gpu="1",UUID="GPU-b"} 79
"""
    found = heard((told(dcgm),))
    assert found is not None
    assert found.engine == ""
    facts = {one.fact: one.value for one in found.observations}
    assert facts == {
        "performance.gpu_utilization": 0.8,
        "performance.gpu_memory.bytes": 71680 * 2**20,
        "hardware.driver.version": "550.90.07",
        "hardware.gpu.model": ["h100-80gb-sxm"],
        "hardware.gpu.throttle_reasons": ["sw_power_cap", "sw_thermal_slowdown"],
        "hardware.gpu.xid_events": [79],
    }


def test_what_kube_state_metrics_says_of_a_workload():
    text = """\
kube_horizontalpodautoscaler_spec_min_replicas{namespace="prod",horizontalpodautoscaler="llm"} 2
kube_horizontalpodautoscaler_spec_max_replicas{namespace="prod",horizontalpodautoscaler="llm"} 8
kube_pod_container_status_restarts_total{namespace="prod",pod="llm-a",container="vllm"} 3
kube_pod_container_status_restarts_total{namespace="prod",pod="llm-b",container="vllm"} 2
"""
    facts = {one.fact: one.value for one in (heard((told(text),)) or pytest.fail("nothing heard")).observations}
    sidecar = text + 'kube_pod_container_status_restarts_total{namespace="prod",pod="llm-a",container="proxy"} 9\n'
    told_of = heard((told(sidecar),))
    assert told_of is not None
    assert "orchestration.restarts" not in {one.fact for one in told_of.observations}
    assert facts == {
        "orchestration.replicas.min": 2, "orchestration.replicas.max": 8, "orchestration.restarts": 3,
    }  # fmt: skip


OTHERS: dict[str, tuple[str, dict[str, Value]]] = {
    # The names that NIM's documentation has: vLLM's without a prefix.
    "nim": (
        histogram("time_to_first_token_seconds") + histogram("time_per_output_token_seconds")
        + "num_request_max 64\nnum_requests_running 3\ngpu_cache_usage_perc 0.25\n"
        'request_finish_total{finished_reason="length"} 40\nrequest_finish_total{finished_reason="stop"} 60\n'
        "request_success_total 98\nrequest_failure_total 2\n",
        {
            "performance.ttft.p50": 0.5, "performance.itl.mean": 0.5, "runtime.max_num_seqs": 64,
            "performance.finish_length_ratio": 0.4, "performance.error_rate": 0.02, "performance.kv_cache_usage": 0.25,
        },
    ),
    "tensorrt-llm": (
        histogram("trtllm_e2e_request_latency_seconds") + histogram("trtllm_time_per_output_token_seconds")
        + 'trtllm_request_success_total{finished_reason="stop"} 75\n'
        'trtllm_request_success_total{finished_reason="length"} 25\n'
        "trtllm_kv_cache_utilization 0.7\ntrtllm_num_active_requests 4\ntrtllm_server_queue_length 2\n"
        "trtllm_max_batch_size_static 256\n",
        {
            "performance.e2e.p95": 0.95, "performance.tpot.p50": 0.5, "performance.kv_cache_usage": 0.7,
            "performance.queue_depth": 2, "performance.finish_length_ratio": 0.25, "runtime.max_num_seqs": 256,
        },
    ),
    "lmdeploy": (
        histogram("lmdeploy:time_to_first_token_seconds") + histogram("lmdeploy:iter_token_latency")
        + "lmdeploy:num_requests_succeeded 95\nlmdeploy:num_requests_failed 5\nlmdeploy:gpu_cache_usage_perc 0.5\n"
        "lmdeploy:cached_tokens_total 300\nlmdeploy:prompt_tokens_total 1000\n",
        {
            "performance.ttft.p50": 0.5, "performance.itl.p50": 0.5, "performance.error_rate": 0.05,
            "performance.kv_cache_usage": 0.5, "performance.prefix_hit_rate": 0.3,
        },
    ),
    "tgi": (
        histogram("tgi_request_duration") + histogram("tgi_request_mean_time_per_token_duration")
        + "tgi_request_success 100\ntgi_queue_size 7\ntgi_batch_max_total_tokens 65536\n",
        {
            "performance.e2e.p50": 0.5, "performance.tpot.p95": 0.95, "performance.queue_depth": 7,
            "performance.error_rate": 0.0, "runtime.max_batch_total_tokens": 65536,
        },
    ),
    "tei": (
        histogram("te_request_duration", 'method="single",') + histogram("te_batch_next_size")
        + 'te_request_success{method="single"} 90\nte_request_failure{err="overloaded"} 10\nte_queue_size 1\n',
        {
            "performance.e2e.p50": 0.5, "performance.error_rate": 0.1, "performance.batch_size.p95": 0.95,
            "performance.queue_depth": 1,
        },
    ),
    "litellm": (
        histogram("litellm_request_total_latency_metric") + histogram("litellm_llm_api_time_to_first_token_metric")
        + "litellm_proxy_total_requests_metric_total 100\nlitellm_proxy_failed_requests_metric_total 5\n"
        "litellm_output_tokens_metric_total 20000\n",
        {
            "performance.e2e.p50": 0.5, "performance.ttft.p50": 0.5, "performance.error_rate": 0.05,
            "performance.load[output_tokens]": 200,
        },
    ),
    "llama.cpp": (
        "llamacpp:tokens_predicted_total 1000\nllamacpp:tokens_predicted_seconds_total 20\n"
        "llamacpp:prompt_tokens_total 600\nllamacpp:prompt_tokens_cached_total 400\n",
        {"performance.tpot.mean": 0.02, "performance.prefix_hit_rate": 0.4},
    ),
    "bentoml": (
        histogram("bentoml_service_request_duration_seconds", 'endpoint="/predict",http_response_code="200",')
        + 'bentoml_service_request_duration_seconds_bucket{endpoint="/readyz",le="+Inf"} 5000\n'
        'bentoml_service_request_total{endpoint="/predict",http_response_code="200"} 90\n'
        'bentoml_service_request_total{endpoint="/predict",http_response_code="503"} 10\n'
        'bentoml_service_request_total{endpoint="/readyz",http_response_code="200"} 9000\n',
        {"performance.e2e.p50": 0.5, "performance.error_rate": 0.1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("engine", sorted(OTHERS))
def test_what_each_engine_counts(engine: str):
    text, expected = OTHERS[engine]
    found = heard((told(text),))
    assert found is not None
    assert found.engine == engine
    facts = said(told(text))
    assert {key: value(facts, key) for key in expected} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("text", ["", "# only a comment", "<html>", '{"a": 1}', "python_info 1", "a" * 200_000])
def test_what_is_of_no_engine_is_of_no_engine(text: str):
    assert heard((told(text),)) is None


Lines: TypeAlias = list[tuple[str, dict[str, str], str]]
NAMES = sorted(
    {name for table in (*TABLES.values(), *exporters.TABLES) for name in names_in(table)}
    | {f"{name}{suffix}" for name in names_in(TABLES["vllm"]) for suffix in ("_bucket", "_sum", "_count")}
)
NUMBERS = ("0", "1", "-5", "1e308", "-1e308", "NaN", "+Inf", "-Inf", "9223372036854775794", "0.5", "42")
LABELS = st.dictionaries(
    st.sampled_from(["le", "quantile", "pod", "finished_reason", "status", "block_size", "num_gpu_blocks", "tp_rank"]),
    st.sampled_from(["0.5", "+Inf", "nan", "", "error", "1e400", "16", "auto", "x", "-1"]),
    max_size=3,
)
LINES = st.lists(st.tuples(st.sampled_from(NAMES), LABELS, st.sampled_from(NUMBERS)), min_size=1, max_size=30)


@given(LINES, LINES, st.sampled_from([0.0, 100.0, 1e300]))
def test_no_numbers_make_the_reader_fail(first: Lines, second: Lines, at: float):
    def text(lines: Lines) -> str:
        return "\n".join(
            f"{name}{{{','.join(f'{key}={json.dumps(one)}' for key, one in labels.items())}}} {number}"
            for name, labels, number in lines
        )

    for dumps in ((told(text(first)),), (told(text(first), at=1.0 if at else 0.0), told(text(second), at=at))):
        for observation in heard(dumps, "").observations if heard(dumps, "") else ():  # type: ignore[union-attr]
            fact = FACTS[observation.fact]
            if observation.key or isinstance(observation.value, Unknown):
                continue
            assert fact.type.parse(observation.value) == observation.value
