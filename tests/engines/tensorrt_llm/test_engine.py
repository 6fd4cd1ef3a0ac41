"""Launches of TensorRT-LLM as people write them: arguments, the options file, built engines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.app.load import load
from askew.engines.tensorrt_llm.engine import ENGINE
from askew.engines.tensorrt_llm.flags import OTHER
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
START = "trtllm-serve org/model"
OPTIONS = "/etc/options.yaml"


def launch_of(
    command: str, release: str = "", files: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
) -> Launch:
    image = f"nvcr.io/nvidia/tensorrt-llm/release:{release}"
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if release else None,
        env={name: Variable(name, value, AT) for name, value in (env or {}).items()},
        files={path: Content(text, Location(path, line=1)) for path, text in (files or {}).items()},
    )


def facts(
    command: str, release: str = "", files: Mapping[str, str] | None = None, seen: Mapping[str, Value] | None = None
) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(command, release, files))
    others = [Observation(fact=fact, value=value, origin="measured") for fact, value in (seen or {}).items()]
    return resolve((*reading.observations, *others), reading.rules)


@pytest.mark.parametrize(
    ("words", "fact", "value"),
    [
        ("--tp_size 8", "runtime.tensor_parallel_size", 8),
        ("--tensor_parallel_size 8", "runtime.tensor_parallel_size", 8),
        ("--pp_size 2", "runtime.pipeline_parallel_size", 2),
        ("--ep_size 4", "runtime.expert_parallel", True),
        ("--max_batch_size 64", "runtime.max_num_seqs", 64),
        ("--max_num_tokens=4096", "runtime.max_num_batched_tokens", 4096),
        ("--max_seq_len 8192", "runtime.max_model_len", 8192),
        ("--kv_cache_free_gpu_memory_fraction 0.7", "runtime.gpu_memory_utilization", 0.7),
        ("--free_gpu_memory_fraction 0.7", "runtime.gpu_memory_utilization", 0.7),
        ("--backend trt", "runtime.engine.backend", "tensorrt"),
        ("--backend _autodeploy", "runtime.engine.backend", "autodeploy"),
        ("--enable_chunked_prefill", "runtime.chunked_prefill", True),
        ("--server_role CONTEXT", "runtime.role", "prefill"),
        ("--server_role generation", "runtime.role", "decode"),
        ("--reasoning_parser deepseek-r1", "runtime.reasoning_parser", "deepseek-r1"),
        ("--tool_parser qwen3", "runtime.tool_call_parser", "qwen3"),
        ("--tokenizer org/tok", "model.tokenizer.source", "org/tok"),
        ("--host 0.0.0.0", "serving.listen_host", "0.0.0.0"),
        ("", "serving.listen_host", "localhost"),
        ("--port 9000", "serving.port", 9000),
        ("", "serving.port", 8000),
        ("", "model.source", "hf://org/model"),
        ("--set kv_cache_config.dtype=fp8", "runtime.kv_cache.dtype", "float8_e4m3"),
        ("--set disable_overlap_scheduler=true", "runtime.async_scheduling", False),
        ("--set max_batch_size=3", "runtime.max_num_seqs", 3),
    ],
)
def test_what_arguments_mean(words: str, fact: str, value: Value) -> None:
    found = facts(f"{START} {words}", "1.2.0")[fact]
    assert (found.state, found.value) == ("known", value)


@pytest.mark.parametrize(
    ("text", "fact", "value"),
    [
        ("kv_cache_config: {dtype: fp8}", "runtime.kv_cache.dtype", "float8_e4m3"),
        ("kv_cache_config: {enable_block_reuse: false}", "runtime.prefix_caching", False),
        ("kv_cache_config: {free_gpu_memory_fraction: 0.75}", "runtime.gpu_memory_utilization", 0.75),
        ("kv_cache_config: {max_tokens: 4096}", "runtime.kv_cache.tokens", 4096),
        ("kv_cache_config: {host_cache_size: 1024}", "runtime.swap.bytes", 1024),
        ("enable_chunked_prefill: true", "runtime.chunked_prefill", True),
        ("disable_overlap_scheduler: true", "runtime.async_scheduling", False),
        ("cuda_graph_config: null", "runtime.enforce_eager", True),
        ("cuda_graph_config:\n", "runtime.enforce_eager", True),
        ("cuda_graph_config: {batch_sizes: [1, 2, 4]}", "runtime.cuda_graph.sizes", [1, 2, 4]),
        ("cuda_graph_config: {enable_padding: true}", "runtime.enforce_eager", False),
        ("use_cuda_graph: false", "runtime.enforce_eager", True),
        ("tensor_parallel_size: 4", "runtime.tensor_parallel_size", 4),
        ("moe_expert_parallel_size: 4", "runtime.expert_parallel", True),
        ("build_config: {max_batch_size: 16}", "runtime.max_num_seqs", 16),
        ("attn_backend: FLASHINFER", "runtime.attention_backend", "flashinfer"),
        ("quant_config: {quant_algo: FP8, kv_cache_quant_algo: FP8}", "runtime.quantization", "fp8"),
        ("quant_config: {quant_algo: FP8, kv_cache_quant_algo: FP8}", "runtime.kv_cache.dtype", "float8_e4m3"),
        ("quant_config: {quant_algo: W4A16_AWQ}", "runtime.quantization", "awq"),
        ("guided_decoding_backend: xgrammar", "runtime.structured_output_backend", "xgrammar"),
        ("scheduler_config: {capacity_scheduler_policy: MAX_UTILIZATION}", "runtime.scheduler",
         {"capacity_scheduler_policy": "max_utilization"}),
        ("speculative_config: {decoding_type: MTP, num_nextn_predict_layers: 3}", "runtime.speculative",
         {"method": "mtp", "num_speculative_tokens": 3}),
        ("lora_config: {lora_dir: [/l/a], max_lora_rank: 16}", "runtime.lora.max_rank", 16),
        ("backend: pytorch", "runtime.engine.backend", "pytorch"),
        ("trust_remote_code: true", "model.trust_remote_code", True),
        ("model_kwargs: {num_hidden_layers: 2}", "runtime.hf_overrides", {"num_hidden_layers": 2}),
        ("moe_config: {backend: TRTLLM}", OTHER,
         {"moe_config.backend": "TRTLLM", "disable_flashinfer_sampling": "false"}),
    ],
)  # fmt: skip
def test_what_the_options_file_means(text: str, fact: str, value: Value) -> None:
    for name in ("--extra_llm_api_options", "--config"):
        found = facts(f"{START} {name} {OPTIONS}", "1.2.0", {OPTIONS: text})[fact]
        assert (found.state, found.value) == ("known", value)
    if fact != OTHER:
        assert found.locations[0].source == OPTIONS or found.entries


def test_the_file_wins_over_the_command_line() -> None:
    text = "max_batch_size: 16\nkv_cache_config:\n  free_gpu_memory_fraction: 0.5\n"
    words = f"--max_batch_size 64 --kv_cache_free_gpu_memory_fraction 0.9 --max_num_tokens 99 --config {OPTIONS}"
    found = facts(f"{START} {words}", "1.1.0", {OPTIONS: text})
    assert found["runtime.max_num_seqs"].value == 16
    assert found["runtime.max_num_seqs"].shadowed[0].value == 64
    assert found["runtime.gpu_memory_utilization"].value == 0.5
    assert (found["runtime.gpu_memory_utilization"].locations[0].line, OPTIONS) == (3, OPTIONS)
    assert found["runtime.gpu_memory_utilization"].locations[0].column == 29
    assert found["runtime.max_num_batched_tokens"].value == 99


def test_of_equal_keys_the_last_counts_and_merges_are_read() -> None:
    found = facts(f"{START} --config {OPTIONS}", "1.1.0", {OPTIONS: "max_batch_size: 1\nmax_batch_size: 2\n"})
    assert found["runtime.max_num_seqs"].value == 2
    text = "base: &b {dtype: fp8, max_tokens: 5}\nkv_cache_config: {<<: *b, max_tokens: 6}\n"
    found = facts(f"{START} --config {OPTIONS}", "1.1.0", {OPTIONS: text})
    assert found["runtime.kv_cache.dtype"].value == "float8_e4m3"
    assert found["runtime.kv_cache.tokens"].value == 6


@pytest.mark.parametrize(
    "text",
    [
        *("x: 99999999999999999999999999", "max_batch_size: 1e400", "x: .nan", 'x: "\\ud800"', "? [a]\n: b"),
        *("a: &a {<<: *a}", "x: !!python/object:os.system ls", "x: 2001-01-01", "1: 2", "max_batch_size: {a: 1}"),
        *("cuda_graph_config: 7", "disable_overlap_scheduler: maybe", "moe_expert_parallel_size: x", "x: \x00"),
    ],
)
def test_odd_values_never_raise(text: str) -> None:
    reading = ENGINE.read(launch_of(f"{START} --config {OPTIONS}", "1.1.0", {OPTIONS: text}))
    resolve(reading.observations, reading.rules)
    for problem in reading.problems:
        assert problem.locations
        assert problem.kind in ("unreadable", "invalid-value")


def test_a_file_that_nobody_shows_leaves_defaults_open() -> None:
    found = facts(f"{START} --max_batch_size 64 --config /etc/lost.yaml", "1.1.0")
    assert "runtime.max_num_batched_tokens" not in found
    assert (found["runtime.max_num_seqs"].value, found["runtime.max_num_seqs"].confidence) == (64, "likely")
    assert found[OTHER].entries["--config"].state == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        *("kv_cache_config:\n  dtype: [fp8\n", "- a\n- b\n", "a: b: c\n", "{", "\t\tx: {\n", "a: &a [*a]\nb: *c\n"),
        "".join(f"a{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9) if n else 1}]\n" for n in range(9)),
        "x: " + "[" * 2000,
    ],
)
def test_a_malformed_file_is_an_error_of_the_input(text: str) -> None:
    reading = ENGINE.read(launch_of(f"{START} --tp_size 2 --config {OPTIONS}", "1.1.0", {OPTIONS: text}))
    (problem,) = reading.problems
    assert problem.kind == "unreadable"
    assert problem.locations[0].source == OPTIONS
    assert problem.locations[0].line >= 1
    assert "expected a YAML map" in problem.message
    assert any(one.fact == "runtime.tensor_parallel_size" and one.value == 2 for one in reading.observations)


@pytest.mark.parametrize(
    "text",
    [
        *("enable_attention_dp: false", "max_beam_width: 1", "cuda_graph_config: {enable_padding: false}"),
        *("kv_cache_config: {enable_block_reuse: true, free_gpu_memory_fraction: 0.9}", "dtype: auto"),
        *("kv_cache_config: {dtype: auto}", "disable_overlap_scheduler: false", "enable_chunked_prefill: false"),
        *("scheduler_config: {capacity_scheduler_policy: GUARANTEED_NO_EVICT}", "backend: pytorch"),
        *("print_iter_log: true", "attn_backend: TRTLLM", "load_format: auto", "max_batch_size: 2048"),
        *("tokenizer_mode: auto", "stream_interval: 1", "disable_flashinfer_sampling: false"),
    ],
)  # fmt: skip
def test_a_default_spelled_out_is_no_difference(text: str) -> None:
    plain = facts(START, "1.2.0")
    spelled = facts(f"{START} --config {OPTIONS}", "1.2.0", {OPTIONS: text})
    assert {key: one.value for key, one in plain.items()} == {key: one.value for key, one in spelled.items()}


ENGINE_CONFIG = {
    "version": "0.17.0",
    "pretrained_config": {
        "architecture": "LlamaForCausalLM",
        "dtype": "bfloat16",
        "max_position_embeddings": 131072,
        "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "group_size": 128},
        "mapping": {"world_size": 4, "tp_size": 2, "pp_size": 2},
    },
    "build_config": {
        "max_input_len": 1024,
        "max_seq_len": 4096,
        "max_batch_size": 64,
        "max_num_tokens": 2048,
        "plugin_config": {"paged_kv_cache": True, "use_paged_context_fmha": False, "tokens_per_block": 64},
    },
}
BUILT = {
    "runtime.dtype": "bfloat16",
    "runtime.quantization": "fp8",
    "runtime.kv_cache.dtype": "float8_e4m3",
    "runtime.tensor_parallel_size": 2,
    "runtime.pipeline_parallel_size": 2,
    "runtime.max_input_tokens": 1024,
    "runtime.max_model_len": 4096,
    "runtime.max_num_seqs": 64,
    "runtime.max_num_batched_tokens": 2048,
    "runtime.prefix_caching": False,
    "runtime.chunked_prefill": False,
    "runtime.kv_cache.block_size": 64,
    "model.context_length": 131072,
}


def test_a_built_engine_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(ENGINE_CONFIG, indent=1))
    (snapshot,) = load(str(path), "target", Redactor()).snapshots
    assert snapshot.engine is not None
    assert snapshot.engine.name == "tensorrt-llm"
    assert {fact: snapshot.facts[fact].value for fact in BUILT} == BUILT
    place = snapshot.facts["runtime.max_num_seqs"].locations[0]
    line = path.read_text().split("\n")[place.line - 1]
    assert line[place.column - 1 :].startswith("64")


def test_a_built_engine_beside_its_server() -> None:
    files = {"/engines/llama/config.json": json.dumps(ENGINE_CONFIG)}
    found = facts("trtllm-serve /engines/llama --backend tensorrt", "0.17.0", files)
    assert {fact: found[fact].value for fact in BUILT} == BUILT
    assert found["model.id"].value == "/engines/llama"
    assert found["runtime.engine.version"].value == "0.17.0"


def test_a_checkpoint_is_no_built_engine() -> None:
    found = facts("trtllm-serve /models/llama", "1.1.0", {"/models/llama/config.json": '{"torch_dtype": "bfloat16"}'})
    assert found["runtime.max_num_seqs"].value == 2048


@pytest.mark.parametrize(
    "text", ['{"pretrained_config": {}, "build_config": {"a": 1', '{"pretrained_config" "build_config"']
)
def test_a_malformed_engine_configuration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    reading = ENGINE.read(launch_of("", files={"/x/config.json": '"pretrained_config", "build_config"' + text}))
    assert [one.kind for one in reading.problems] == ["unreadable"]


def test_an_options_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "deepseek.yaml"
    path.write_text("cuda_graph_config:\n  enable_padding: true\nkv_cache_config:\n  dtype: fp8\nmax_batch_size: 8\n")
    (snapshot,) = load(str(path), "target", Redactor()).snapshots
    assert snapshot.engine is not None
    assert snapshot.engine.name == "tensorrt-llm"
    assert snapshot.facts["runtime.kv_cache.dtype"].locations[0].line == 4
    assert snapshot.facts["runtime.max_num_seqs"].value == 8
    assert "runtime.max_num_batched_tokens" not in snapshot.facts, "nobody shows the command line"


def test_the_builder() -> None:
    words = (
        "trtllm-build --checkpoint_dir /ckpt --output_dir /engine --max_batch_size 32 --max_seq_len 4096 "
        "--gemm_plugin float16 --use_paged_context_fmha enable --workers 2"
    )
    found = facts(words, "0.15.0")
    assert found["model.source"].value == "/ckpt"
    assert found["runtime.max_num_seqs"].value == 32
    assert found["runtime.max_model_len"].value == 4096
    assert found["runtime.max_num_batched_tokens"].value == 8192
    assert found[OTHER].value["--gemm_plugin"] == "float16"  # type: ignore[index, call-overload]  # a map
    assert facts("trtllm-build --checkpoint_dir /c", "0.13.0")["runtime.max_num_seqs"].value == 256
    assert facts("trtllm-build --checkpoint_dir /c", "0.14.0")["runtime.max_num_seqs"].value == 2048


def test_programs() -> None:
    for command, name in (
        ("trtllm-serve org/m", "tensorrt-llm"),
        ("/usr/local/bin/trtllm-serve serve org/m", "tensorrt-llm"),
        ("trtllm-serve disaggregated -c c.yaml", "tensorrt-llm"),
        ("trtllm-build --checkpoint_dir /c", "tensorrt-llm"),
        ("python3 -m tensorrt_llm.commands.serve org/m", "tensorrt-llm"),
        ("trtllm-bench --model org/m throughput", None),
        ("trtllm-eval --model org/m", None),
    ):
        assert registry.recognise(launch_of(command)) == name


def test_a_command_may_be_left_out() -> None:
    assert facts("trtllm-serve org/m --tp_size 2")["model.id"].value == "org/m"
    assert facts("trtllm-serve serve org/m --tp_size 2")["model.id"].value == "org/m"
    assert facts("trtllm-serve --tp_size 2 org/m")["model.id"].value == "org/m"


def test_a_router_is_no_server_of_a_model() -> None:
    found = facts("trtllm-serve disaggregated -c disagg.yaml -t 7200 -r 7200", "1.1.0")
    assert found["runtime.role"].value == "router"
    assert "runtime.max_num_seqs" not in found


def test_names_with_dashes_are_refused_and_the_right_one_told() -> None:
    (problem,) = ENGINE.read(launch_of(f"{START} --max-batch-size 4", "1.1.0")).problems
    assert (problem.kind, problem.suggestion) == ("unknown-argument", "--max_batch_size")


def test_inside_launchers(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(
        """\
services:
  llm:
    image: nvcr.io/nvidia/tensorrt-llm/release:1.1.0
    command: >
      bash -c "mpirun -n 8 --allow-run-as-root -x NCCL_DEBUG trtllm-llmapi-launch trtllm-serve serve org/model
      --tp_size 8 --ep_size 8"
"""
    )
    (snapshot,) = load(str(path), "target", Redactor()).snapshots
    assert snapshot.engine is not None
    assert (snapshot.engine.name, snapshot.engine.version) == ("tensorrt-llm", "1.1.0")
    assert snapshot.facts["runtime.tensor_parallel_size"].value == 8


def test_a_mounted_options_file_keeps_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(
        """\
apiVersion: v1
kind: ConfigMap
metadata: {name: options}
data:
  extra.yaml: |
    kv_cache_config:
      dtype: fp8
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
      - name: server
        image: nvcr.io/nvidia/tensorrt-llm/release:1.1.0
        command: [trtllm-serve, serve, org/model, --extra_llm_api_options, /etc/config/extra.yaml]
        volumeMounts: [{name: c, mountPath: /etc/config}]
      volumes: [{name: c, configMap: {name: options}}]
"""
    )
    (snapshot,) = load(str(path), "target", Redactor()).snapshots
    found = snapshot.facts["runtime.kv_cache.dtype"]
    assert (found.value, found.locations[0].line) == ("float8_e4m3", 7)


@given(st.text(max_size=300))
def test_reading_any_options_never_raises(text: str) -> None:
    ENGINE.read(launch_of(f"{START} --config {OPTIONS}", "1.1.0", {OPTIONS: text}))
    ENGINE.read(launch_of("", files={"/e/config.json": '{"pretrained_config": 1, "build_config": 2}' + text}))


@given(st.permutations(["--tp_size 2", "--max_batch_size 8", "--backend pytorch", "--gpus_per_node 4", "org/model"]))
def test_order_makes_no_difference(words: list[str]) -> None:
    base = facts("trtllm-serve org/model --tp_size 2 --max_batch_size 8 --backend pytorch --gpus_per_node 4", "1.1.0")
    found = facts(f"trtllm-serve {' '.join(words)}", "1.1.0")
    assert {key: one.value for key, one in base.items()} == {key: one.value for key, one in found.items()}
