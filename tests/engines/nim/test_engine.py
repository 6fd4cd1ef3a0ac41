"""Launches of NVIDIA NIM: images, variables, profiles, arguments passed on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.app.load import load
from askew.engines import versions
from askew.engines.nim.engine import ENGINE
from askew.engines.nim.variables import INERT, OTHER, READS, VARIABLES, profile
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
IMAGE = "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.6"
HASH = "07cd4f2bddd7a14ca84bab0a32602889fd0ae0eb76dc2eb0fc32594d065011a4"


def launch_of(env: Mapping[str, str] | None = None, image: str = IMAGE, command: str = "") -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if image else None,
        implicit_entrypoint=True,
        env={
            name: Variable(name, value, Location("deploy.yaml", line=20 + place))
            for place, (name, value) in enumerate((env or {}).items())
        },
    )


def facts(env: Mapping[str, str] | None = None, image: str = IMAGE, command: str = "") -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(env, image, command))
    return resolve(reading.observations, reading.rules)


@pytest.mark.parametrize(
    ("name", "word", "fact", "value"),
    [
        ("NIM_MAX_MODEL_LEN", "8192", "runtime.max_model_len", 8192),
        ("NIM_TENSOR_PARALLEL_SIZE", "2", "runtime.tensor_parallel_size", 2),
        ("NIM_PIPELINE_PARALLEL_SIZE", "2", "runtime.pipeline_parallel_size", 2),
        ("NIM_KVCACHE_PERCENT", "0.8", "runtime.gpu_memory_utilization", 0.8),
        ("NIM_ENABLE_KV_CACHE_REUSE", "1", "runtime.prefix_caching", True),
        ("NIM_ENABLE_KV_CACHE_REUSE", "0", "runtime.prefix_caching", False),
        ("NIM_DISABLE_CUDA_GRAPH", "1", "runtime.enforce_eager", True),
        ("NIM_DISABLE_OVERLAP_SCHEDULING", "1", "runtime.async_scheduling", False),
        ("NIM_SERVED_MODEL_NAME", "a,b", "model.served_names", ["a", "b"]),
        ("NIM_SERVER_PORT", "9000", "serving.port", 9000),
        ("NIM_HTTP_API_PORT", "9000", "serving.port", 9000),
        ("NIM_MAX_LORA_RANK", "32", "runtime.lora.max_rank", 32),
        ("NIM_MAX_GPU_LORAS", "8", "runtime.lora.max_adapters", 8),
        ("NIM_PEFT_SOURCE", "/loras", "runtime.lora.enabled", True),
        ("NIM_GUIDED_DECODING_BACKEND", "xgrammar", "runtime.structured_output_backend", "xgrammar"),
        ("NIM_FORCE_TRUST_REMOTE_CODE", "1", "model.trust_remote_code", True),
        ("NIM_SSL_MODE", "TLS", "serving.tls", True),
        ("NIM_SSL_MODE", "DISABLED", "serving.tls", False),
        ("NIM_MODEL_NAME", "hf://meta-llama/Llama-3.1-8B", "model.source", "hf://meta-llama/Llama-3.1-8B"),
        ("NIM_MODEL_PATH", "hf://meta-llama/Llama-3.1-8B", "model.id", "meta-llama/Llama-3.1-8B"),
        ("NIM_TOOL_CALL_PARSER", "llama3_json", "runtime.tool_call_parser", "llama3_json"),
        ("NIM_TRITON_MAX_BATCH_SIZE", "8", "runtime.dynamic_batching", {"max_batch_size": 8}),
        ("NIM_LOW_MEMORY_MODE", "1", "runtime.env", {"NIM_LOW_MEMORY_MODE": "1"}),
    ],
)
def test_what_variables_mean(name: str, word: str, fact: str, value: Value) -> None:
    found = facts({name: word})[fact]
    assert (found.state, found.value) == ("known", value)
    assert found.locations[0].line == 20 or found.entries


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (
            "tensorrt_llm-h100-fp8-tp2-pp1-throughput",
            {
                "runtime.engine.backend": "tensorrt-llm", "runtime.quantization": "fp8",
                "runtime.tensor_parallel_size": 2, "runtime.pipeline_parallel_size": 1,
                OTHER: {"profile": "throughput"},
                "hardware.gpu.model": ["h100-80gb-pcie", "h100-80gb-sxm", "h100-94gb-sxm", "h100-nvl"],
            },
        ),
        (
            "vllm-bf16-tp1",
            {
                "runtime.engine.backend": "vllm", "runtime.dtype": "bfloat16", "runtime.quantization": "none",
                "runtime.tensor_parallel_size": 1,
            },
        ),
        (
            "tensorrt_llm-trtllm_buildable-bf16-tp8-pp2",
            {
                "runtime.engine.backend": "tensorrt-llm", "runtime.dtype": "bfloat16",
                "runtime.tensor_parallel_size": 8, "runtime.pipeline_parallel_size": 2,
            },
        ),
        ("vllm-fp16-tp2-lora", {"runtime.dtype": "float16", "runtime.lora.enabled": True}),
        ("sglang-h200-bf16-tp8", {"runtime.engine.backend": "sglang", "hardware.gpu.model": ["h200-nvl", "h200-sxm"]}),
        ("tensorrt_llm-a10g-nvfp4-tp1", {"runtime.quantization": "nvfp4", "hardware.gpu.model": ["a10g"]}),
    ],
)  # fmt: skip
def test_what_a_profile_states(word: str, expected: Mapping[str, Value]) -> None:
    found = facts({"NIM_MODEL_PROFILE": word})
    assert {fact: found[fact].value for fact in expected} == expected


def test_a_digest_states_nothing_and_says_how_to_look() -> None:
    found = facts({"NIM_MODEL_PROFILE": HASH})
    for fact in ("runtime.engine.backend", "runtime.quantization", "runtime.tensor_parallel_size"):
        assert found[fact].state == "unknown"
        assert HASH[:12] in found[fact].reason
        assert "list-model-profiles" in found[fact].observe_with


def test_the_choice_at_start_is_not_guessed() -> None:
    found = facts()
    assert found["runtime.dtype"].state == "unknown"
    assert "chooses a profile at start" in found["runtime.dtype"].reason
    assert found["runtime.max_num_seqs"].state == "unknown"


def test_another_variable_wins_over_the_profile() -> None:
    found = facts({"NIM_MODEL_PROFILE": "vllm-bf16-tp2", "NIM_TENSOR_PARALLEL_SIZE": "4"})
    assert found["runtime.tensor_parallel_size"].value == 4
    assert found["runtime.tensor_parallel_size"].shadowed[0].value == 2


def test_a_selector_states_what_every_chosen_profile_has() -> None:
    found = facts({"NIM_TAGS_SELECTOR": "llm_engine=vllm,precision=fp8,tp=2,profile=latency"})
    assert found["runtime.engine.backend"].value == "vllm"
    assert found["runtime.quantization"].value == "fp8"
    assert found["runtime.tensor_parallel_size"].value == 2
    assert found[OTHER].value == {"profile": "latency"}


def test_arguments_are_passed_on_to_vllm() -> None:
    """The command line, then NIM_PASSTHROUGH_ARGS, then the other variables: "Configuration Priority"."""
    image = "nvcr.io/nim/nvidia/llm-nim:2.0.1"
    env = {"NIM_PASSTHROUGH_ARGS": "--max-model-len 4096 --enable-prefix-caching", "NIM_MAX_MODEL_LEN": "2048"}
    assert facts(env, image)["runtime.max_model_len"].value == 4096
    found = facts(env, image, "nim-serve --max-model-len 8192 --tensor-parallel-size 4")
    assert found["runtime.max_model_len"].value == 8192
    assert [one.value for one in found["runtime.max_model_len"].shadowed] == [4096, 2048]
    assert found["runtime.prefix_caching"].value is True
    assert found["runtime.tensor_parallel_size"].value == 4
    assert not ENGINE.read(launch_of({"NIM_PASSTHROUGH_ARGS": "--new-in-this-vllm 1"}, image)).problems


def test_the_image_names_the_model_and_counts_its_own_releases() -> None:
    found = facts()
    assert found["model.id"].value == "meta/llama-3.1-8b-instruct"
    assert found["model.served_names"].value == ["meta/llama-3.1-8b-instruct"]
    assert (found["runtime.engine.name"].value, found["runtime.engine.version"].value) == ("nim", "1.8.6")
    mirrored = facts(image="registry.example.com/mirror/nim/mistralai/mixtral-8x7b-instruct-v01:1.0.0")
    assert mirrored["model.id"].value == "mistralai/mixtral-8x7b-instruct-v01"
    assert "model.id" not in facts(image="nvcr.io/nim/nvidia/llm-nim:1.14")
    given_name = facts({"NIM_SERVED_MODEL_NAME": "mine"})
    assert given_name["model.served_names"].value == ["mine"]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (IMAGE, "nim"),
        ("registry.example.com/nim/meta/llama3-8b-instruct", "nim"),
        ("nvcr.io/nvidia/cloud-native/k8s-nim-operator:v1.0.0", None),
        ("nvcr.io/nvidia/tritonserver:25.01-py3", None),
        ("example.com/nim/tool:1", None),
    ],
)
def test_images(image: str, name: str | None) -> None:
    assert registry.engine_of_image(image) == name or (name is None and registry.engine_of_image(image) != "nim")


def test_values_that_are_refused_are_told() -> None:
    for env in ({"NIM_MAX_MODEL_LEN": "8k!"}, {"NIM_TENSOR_PARALLEL_SIZE": "two"}, {"NIM_DISABLE_CUDA_GRAPH": "maybe"}):
        (problem,) = ENGINE.read(launch_of(env)).problems
        assert (problem.kind, problem.locations[0].line) == ("invalid-value", 20)


def test_no_history_is_claimed() -> None:
    """Versions count containers per model: there is no release of NIM to have defaults."""
    assert versions.history("nim") is None
    assert versions.releases("nim") == ()


def test_a_service_of_the_operator(tmp_path: Path) -> None:
    path = tmp_path / "nim.yaml"
    path.write_text(
        """\
apiVersion: apps.nvidia.com/v1alpha1
kind: NIMService
metadata: {name: llama}
spec:
  image: {repository: nvcr.io/nim/meta/llama-3.1-8b-instruct, tag: 1.3.3}
  authSecret: ngc
  storage: {nimCache: {name: cache}}
  replicas: 1
  env:
    - {name: NIM_MODEL_PROFILE, value: tensorrt_llm-l40s-bf16-tp2-latency}
    - {name: NIM_CACHE_PATH, value: /cache}
  resources: {limits: {nvidia.com/gpu: 2}}
"""
    )
    (snapshot,) = load(str(path), "target", Redactor()).snapshots
    assert snapshot.engine is not None
    assert (snapshot.engine.name, snapshot.engine.version) == ("nim", "1.3.3")
    assert snapshot.facts["model.id"].value == "meta/llama-3.1-8b-instruct"
    assert snapshot.facts["model.source"].value == "nimcache://cache"
    assert snapshot.facts["runtime.tensor_parallel_size"].value == 2
    assert snapshot.facts["runtime.dtype"].value == "bfloat16"
    assert snapshot.facts["hardware.gpu.model"].value == ["l40s"]
    assert snapshot.facts["runtime.env"].value == {}


def test_no_variable_is_in_two_tables() -> None:
    mapped = {flag.names[0] for flag in VARIABLES}
    assert not mapped & set(INERT)
    assert not mapped & set(READS)


@given(st.text(max_size=60))
def test_any_profile_is_read(text: str) -> None:
    for fact, _key, _value in profile((text,)):
        assert fact
    ENGINE.read(launch_of({"NIM_MODEL_PROFILE": text, "NIM_TAGS_SELECTOR": text, "NIM_PASSTHROUGH_ARGS": text}))


@given(st.permutations(["tp2", "pp1", "fp8", "throughput"]))
def test_the_order_of_tags_makes_no_difference(parts: list[str]) -> None:
    base = facts({"NIM_MODEL_PROFILE": "vllm-tp2-pp1-fp8-throughput"})
    found = facts({"NIM_MODEL_PROFILE": "-".join(["vllm", *parts])})
    assert {key: one.value for key, one in base.items()} == {key: one.value for key, one in found.items()}
