"""What `askew defaults` tells of real upgrades, and that it says nothing where nothing changed.

Each row was found in the published releases or their notes. ``...`` is any value, or one that depends.
"""

from __future__ import annotations

import itertools
import json

import pytest

from askew.app.defaults import defaults
from askew.cli.run import run
from askew.engines import versions
from askew.report.defaults import Change

# Engine, both releases as people write them, the name, its kind, the values before and after, part of the condition.
TOLD: tuple[tuple[str, str, str, str, str, object, object, str], ...] = (
    # Silent changes of configuration that users reported.
    ("kserve", "0.15.2", "0.16.0", "vllm", "dependency", "0.8.5", "0.9.2", ""),
    ("kserve", "0.15.2", "0.16.0", "--dtype", "rule", "float16", "bfloat16", "stored in float32"),
    ("kserve", "0.16.0", "0.17.0", "vllm", "dependency", "0.9.2", "0.15.1", ""),
    ("llama.cpp", "llama-cpp-python 0.3.16", "llama-cpp-python 0.3.19", "--ctx-size", "rule", 4096, None, "bundles"),
    ("llama.cpp", "llama-cpp-python 0.3.16", "llama-cpp-python 0.3.19", "--slots", "default", False, True, "bundles"),
    ("ollama", "v0.9.0", "v0.11.0", "OLLAMA_NUM_PARALLEL", "rule", "0", "1", ""),
    ("sglang", "0.5.3", "0.5.4", "--sampling-defaults", "default", "engine", "auto", ""),
    ("sglang", "0.5.3", "0.5.4", "/v1/chat/completions temperature", "api", 0.7, 1.0, "without this field"),
    ("sglang", "0.4.4", "0.4.5", "--grammar-backend", "rule", "outlines", "xgrammar", ""),
    ("sglang", "0.5.0rc0", "0.5.3", "--log-requests-level", "default", 0, 2, "not set"),
    ("sglang", "0.5.4", "0.5.5", "--lora-backend", "default", "triton", "csgmv", "not set"),
    ("tgi", "v1.4.5", "v2.0.0", "--max-total-tokens", "rule", 2048, None, ""),
    ("tgi", "v1.4.5", "v2.0.0", "--max-input-tokens", "rule", 1024, None, ""),
    ("tgi", "v2.3.1", "v2.4.0", "USE_PREFIX_CACHING", "env", ..., None, "where it is set"),
    ("tgi", "v2.4.0", "v3.0.0", "--max-input-tokens", "default", ..., ..., ""),
    ("vllm", "0.7.3", "0.8.0", "VLLM_USE_V1", "rule", "0", "1", "h100"),
    ("vllm", "0.7.3", "0.8.0", "--enable-prefix-caching", "rule", False, True, "h100"),
    ("vllm", "0.8.4", "0.8.5", "--max-num-seqs", "rule", 256, 1024, "a100"),
    ("vllm", "0.8.4", "0.8.5", "--max-num-batched-tokens", "rule", 2048, 8192, "a100"),
    ("vllm", "0.8.5", "0.9.0", "--max-num-seqs", "rule", 1024, 256, "on a100-80gb-sxm,"),
    ("vllm", "0.7.3", "0.8.0", "--logprobs-mode", "rule", "processed_logprobs", "raw_logprobs", "h100"),
    ("vllm", "0.6.4", "0.6.5", "--guided-decoding-backend", "default", "outlines", "xgrammar", ""),
    ("vllm", "0.10.0", "0.10.1", "--enable-log-requests", "default", "true", "false", ""),
    ("vllm", "0.10.2", "0.11.0", "vllm:gpu_cache_usage_perc", "metric", None, "vllm:kv_cache_usage_perc", "switch"),
    ("vllm", "0.11.2", "0.12.0", "vllm:gpu_prefix_cache_queries_total", "metric", ..., ..., ""),
    ("vllm", "0.6.6", "0.7.0", "vllm:avg_prompt_throughput_toks_per_s", "metric", None, None, ""),
    ("vllm", "0.19.0", "0.20.0", "--gpu-memory-utilization", "default", 0.9, 0.92, ""),
    ("vllm", "0.19.0", "0.20.0", "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS", "rule", "0", "1", ""),
    ("vllm", "0.10.2", "0.11.0", "--compilation-config.cudagraph_mode", "rule", "PIECEWISE", "FULL_AND_PIECEWISE", ""),
    ("vllm", "0.11.0", "0.11.1", "VLLM_USE_FLASHINFER_SAMPLER", "rule", "auto", "0", ""),
    ("vllm", "0.20.0", "0.21.0", "VLLM_USE_FLASHINFER_SAMPLER", "default", "0", "1", ""),
    ("vllm", "0.17.0", "0.18.0", "--disable-cascade-attn", "default", "false", "true", ""),
    ("vllm", "0.8.2", "0.8.3", "--speculative-model", "renamed", None, "--speculative-config.model", "is given"),
    ("vllm", "0.10.2", "0.11.0", "--max-seq-len-to-capture", "removed", 8192, None, "is given"),
    ("vllm", "0.10.2", "0.11.0", "--preemption-mode", "removed", None, None, "is given"),
    ("vllm", "0.10.2", "0.11.0", "--scheduler-delay-factor", "removed", 0.0, None, "is given"),
    ("vllm", "0.10.2", "0.11.0", "--disable-async-output-proc", "removed", False, None, "is given"),
    ("vllm", "0.11.0", "0.11.1", "VLLM_USE_V1", "env", ..., None, "where it is set"),
    ("vllm", "0.14.1", "0.15.1", "VLLM_ATTENTION_BACKEND", "env", ..., None, "where it is set"),
    ("vllm", "0.15.1", "0.16.0", "VLLM_ALL2ALL_BACKEND", "env", ..., None, "where it is set"),
    ("vllm", "0.15.1", "0.16.0", "VLLM_TORCH_PROFILER_DIR", "env", ..., None, "where it is set"),
    ("vllm", "0.11.0", "0.11.1", "image ENTRYPOINT", "image", ..., "vllm serve", ""),
    ("vllm", "0.19.0", "0.20.0", "runtime.packages[cuda]", "dependency", "12.9", "13.0", ""),
    ("vllm", "0.10.1", "0.10.2", "VLLM_USE_V1", "rule", "0", "1", "on t4,"),
    ("vllm", "0.8.3", "0.8.4", "--limit-mm-per-prompt", "rule", "1", "999", "h100"),
    ("vllm", "0.31.0", "0.32.0", "--allowed-origins", "default", '["*"]', "[]", ""),
    ("vllm", "0.14.1", "0.15.1", "--api-server-count", "default", 1, None, "not set"),
    ("vllm", "0.9.2", "0.10.0", "--model", "default", "facebook/opt-125m", "Qwen/Qwen3-0.6B", "not set"),
    ("vllm", "0.6.2", "0.6.3", "--use-v2-block-manager", "default", "false", "true", ""),
    ("vllm", "0.6.2", "0.6.3", "--multi-step-stream-outputs", "default", False, True, "not set"),
    ("vllm", "0.18.0", "0.19.0", "--disable-frontend-multiprocessing", "removed", False, None, "is given"),
    # vLLM, others.
    ("vllm", "0.3.3", "0.4.0", "--max-paddings", "removed", 256, None, "is given"),
    ("vllm", "0.4.0", "0.4.1", "--forced-num-gpu-blocks", "renamed", None, "--num-gpu-blocks-override", "is given"),
    ("vllm", "0.4.1", "0.4.2", "torch", "dependency", "2.2.1", "2.3.0", ""),
    ("vllm", "0.4.3", "0.5.0", "--max-logprobs", "rule", "5", "20", ""),
    ("vllm", "0.5.0", "0.5.1", "--image-input-type", "removed", None, None, "is given"),
    ("vllm", "0.5.2", "0.5.3", "--enable-chunked-prefill", "rule", False, None, ""),
    ("vllm", "0.6.4", "0.6.5", "chat/completions.temperature", "rule", "0.7", "1.0", ""),
    ("vllm", "0.6.4", "0.6.5", "--max-num-batched-tokens", "rule", 512, 2048, "a context of 131072"),
    ("vllm", "0.6.6", "0.7.0", "--worker-use-ray", "renamed", False, "--distributed-executor-backend ray", "is given"),
    ("vllm", "0.7.3", "0.8.0", "--generation-config", "default", "engine", "auto", ""),
    ("vllm", "0.7.3", "0.8.0", "vllm:num_requests_swapped", "metric", None, None, "V1"),
    ("vllm", "0.8.3", "0.8.4", "--guided-decoding-backend", "default", "xgrammar", "auto", ""),
    ("vllm", "0.8.3", "0.8.5", "--max-num-seqs", "rule", 1024, 256, "l40s"),
    ("vllm", "0.9.0", "0.9.1", "--dtype", "rule", "float16", "bfloat16", "stored in float32"),
    ("vllm", "0.9.2", "0.10.0", "--device", "removed", "auto", None, "is given"),
    ("vllm", "0.9.2", "0.10.0", "--enable-reasoning", "renamed", None, "--reasoning-parser", "is given"),
    ("vllm", "0.10.0", "0.10.1", "--num-scheduler-steps", "removed", 1, None, "is given"),
    ("vllm", "0.10.1", "0.10.2", "--prefix-caching-hash-algo", "rule", "builtin", "sha256", "h100"),
    ("vllm", "0.10.2", "0.11.0", "VLLM_USE_DEEP_GEMM", "default", "0", "1", "not set"),
    ("vllm", "0.11.0", "0.11.1", "torch", "dependency", "2.8.0", "2.9.0", ""),
    ("vllm", "0.11.0", "0.11.1", "--rope-scaling", "renamed", {}, "--hf-overrides.rope_parameters", "is given"),
    ("vllm", "0.11.2", "0.12.0", "chat/completions.guided_json", "api", None, None, "with this field"),
    ("vllm", "0.11.2", "0.12.0", "chat/completions.parallel_tool_calls", "api", False, True, "without this field"),
    ("vllm", "0.11.2", "0.12.0", "vllm:time_per_output_token_seconds", "metric", ..., ..., ""),
    ("vllm", "0.12.0", "0.13.0", "--task", "renamed", None, "--runner", "is given"),
    ("vllm", "0.13.0", "0.14.0", "--async-scheduling", "rule", False, True, ""),
    ("vllm", "0.16.0", "0.17.0", "--disable-log-requests", "removed", True, None, "is given"),
    ("vllm", "0.27.0", "0.28.0", "--max-num-batched-tokens", "rule", 8192, 16384, "b200"),
    # SGLang.
    ("sglang", "0.3.5", "0.3.5.post1", "--watchdog-timeout", "default", 600, 300, "not set"),
    ("sglang", "0.3.5.post1", "0.3.5.post2", "--chunked-prefill-size", "rule", 8192, 2048, "t4"),
    ("sglang", "0.3.5", "0.3.6", "runtime.async_scheduling", "rule", False, True, ""),
    ("sglang", "0.3.5", "0.3.6", "--disable-flashinfer", "renamed", False, "--attention-backend triton", "is given"),
    ("sglang", "0.4.3", "0.4.4", "--schedule-policy.policy", "default", "lpm", "fcfs", ""),
    ("sglang", "0.4.5", "0.4.6", "--attention-backend", "rule", "flashinfer", "fa3", "h100"),
    ("sglang", "0.4.6", "0.4.7", "--chunked-prefill-size", "rule", 8192, 16384, "b200"),
    ("sglang", "0.5.1", "0.5.2", "--hicache-write-policy", "default", "write_through_selective", "write_through", ""),
    ("sglang", "0.5.2", "0.5.3", "sglang:avg_request_queue_latency", "metric", None, "sglang:queue_time_seconds", ""),
    ("sglang", "0.5.2", "0.5.3", "--chunked-prefill-size", "rule", 8192, 4096, "l40s"),
    ("sglang", "0.5.2", "0.5.3", "--mem-fraction-static", "rule", 0.874, 0.835, "h100"),
    ("sglang", "0.5.4", "0.5.5", "--cuda-graph-max-bs-decode", "rule", "16", "24", "on l4,"),
    # Text Generation Inference.
    ("tgi", "1.1.0", "1.1.1", "runtime.default_output_tokens", "default", 20, "unlimited", ""),
    ("tgi", "1.3.2", "1.3.3", "runtime.default_output_tokens", "default", "unlimited", 100, ""),
    ("tgi", "1.4.5", "2.0.0", "runtime.enforce_eager", "rule", True, False, ""),
    ("tgi", "1.4.5", "2.0.0", "--enable-cuda-graphs", "renamed", False, "--cuda-graphs", "is given"),
    ("tgi", "2.2.0", "2.3.0", "--disable-usage-stats", "renamed", False, "--usage-stats off", "is given"),
    ("tgi", "2.4.0", "2.4.1", "--payload-limit", "rule", 2097152, 2000000, ""),
    ("tgi", "2.4.1", "3.0.0", "runtime.default_output_tokens", "default", 100, "unlimited", ""),
    ("tgi", "3.0.2", "3.1.0", "TGI_WIGGLE_ROOM", "default", "0.95", "0.93", ""),
    # llama.cpp and llama-cpp-python.
    ("llama.cpp", "llama-cpp-python 0.3.16", "llama-cpp-python 0.3.17", "--jinja", "default", False, True, "bundles"),
    ("llama-cpp-python", "0.3.16", "0.3.17", "--flash-attn", "rule", False, None, "bundles"),
    ("llama.cpp", "b9294", "b9538", "--timeout", "default", 600, 3600, "not set"),
    ("llama.cpp", "b8929", "b9093", "--draft", "renamed", 16, "--spec-draft-n-max", "is given"),
    ("llama.cpp", "b8929", "b9093", "LLAMA_ARG_DRAFT_MAX", "env", 16, None, "where it is set"),
    # Ollama.
    ("ollama", "0.6.6", "0.6.7", "OLLAMA_CONTEXT_LENGTH", "rule", 2048, 4096, ""),
    ("ollama", "0.15.4", "0.15.5", "OLLAMA_CONTEXT_LENGTH", "rule", 4096, None, ""),
    ("ollama", "0.1.48", "0.2.0", "OLLAMA_MAX_LOADED_MODELS", "default", 1, 0, "not set"),
    ("ollama", "0.17.4", "0.17.5", "runtime.sampling_defaults[repetition_penalty]", "rule", 1.1, 1, ""),
    ("ollama", "0.24.0", "0.30.0", "OLLAMA_NEW_ENGINE", "env", False, None, "where it is set"),
    # LMDeploy.
    ("lmdeploy", "0.2.1", "0.2.2", "--cache-max-entry-count", "default", 0.5, 0.8, ""),
    ("lmdeploy", "0.2.4", "0.2.5", "runtime.default_output_tokens", "default", 512, "unlimited", ""),
    ("lmdeploy", "0.9.2", "0.10.0", "--max-batch-size", "rule", 512, 1024, "h100"),
    ("lmdeploy", "0.9.2", "0.10.0", "--max-batch-size", "rule", 128, 1024, "h200"),
    ("lmdeploy", "0.10.2", "0.11.0", "metrics", "default", "false", "true", ""),
    ("lmdeploy", "0.14.0", "0.15.0", "--generation-config", "default", "engine", "auto", ""),
    # TensorRT-LLM.
    ("tensorrt-llm", "0.13.0", "0.14.0", "trtllm-build --max_batch_size", "default", 256, 2048, "not set"),
    ("tensorrt-llm", "0.19.0", "0.20.0", "disable_overlap_scheduler", "default", True, False, "not set"),
    ("tensorrt-llm", "0.21.0", "1.0.0", "--backend", "default", "tensorrt", "pytorch", "not set"),
    ("tensorrt-llm", "1.1.0", "1.2.0", "disable_flashinfer_sampling", "rule", "true", "false", ""),
)  # fmt: skip
# A pair of releases and what did not change between them.
SILENT = (
    ("vllm", "0.8.0", "0.8.3", "--max-num-seqs"),
    ("vllm", "0.8.0", "0.11.0", "--generation-config"),
    ("vllm", "0.9.0", "0.19.0", "--gpu-memory-utilization"),
    ("vllm", "0.8.5", "0.9.0", "chat/completions.top_k"),
    ("vllm", "0.11.1", "0.20.0", "VLLM_USE_FLASHINFER_SAMPLER"),
    ("vllm", "0.21.0", "0.21.0", "--gpu-memory-utilization"),
    ("sglang", "0.5.4", "0.5.23", "--sampling-defaults"),
    ("sglang", "0.3.0", "0.5.23", "--tensor-parallel-size"),
    ("sglang", "0.3.0", "0.5.23", "--tp-size"),
    ("tgi", "1.0.0", "1.4.5", "--max-total-tokens"),
    ("tgi", "3.0.0", "3.3.7", "--payload-limit"),
    ("ollama", "0.6.7", "0.15.4", "OLLAMA_CONTEXT_LENGTH"),
    ("ollama", "0.10.0", "0.32.15", "OLLAMA_NUM_PARALLEL"),
    ("ollama", "0.2.0", "0.9.0", "runtime.sampling_defaults[repetition_penalty]"),
    ("lmdeploy", "0.6.0", "0.9.2", "--max-batch-size"),
    ("lmdeploy", "0.2.2", "0.18.0", "--cache-max-entry-count"),
)
ENGINES = ("vllm", "sglang", "tgi", "llama.cpp", "ollama", "lmdeploy", "tensorrt-llm")
# Facts whose change has no other sign than its values.
_DECIDED = ("default", "rule", "dependency", "image")


def _means(row: tuple[str, str, str, str, str, object, object, str], change: Change) -> bool:
    _, _, _, name, kind, old, new, condition = row
    if change.name != name or change.kind != kind or condition not in (change.condition or ""):
        return False
    values = ((old, change.old), (new, change.new))
    return all(want is ... or (want == got and isinstance(want, bool) == isinstance(got, bool)) for want, got in values)


@pytest.mark.parametrize("row", TOLD, ids=lambda row: f"{row[0]} {row[2]} {row[3]}")
def test_what_is_told(row: tuple[str, str, str, str, str, object, object, str]) -> None:
    changes = defaults(*row[:3]).changes
    assert any(_means(row, one) for one in changes), [one for one in changes if one.name == row[3]]


@pytest.mark.parametrize(("engine", "old", "new", "name"), SILENT)
def test_what_is_not_told(engine: str, old: str, new: str, name: str) -> None:
    found = [one for one in defaults(engine, old, new).changes if name in (one.name, *one.aliases)]
    assert not [one for one in found if one.kind not in ("added", "renamed")]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_pair_of_neighbours_tells_what_is_no_change(engine: str) -> None:
    releases = versions.releases(engine)
    if engine == "llama.cpp":
        releases = tuple(one for one in releases if "." not in one)
    step = max(1, len(releases) // 25)
    for old, new in itertools.pairwise(releases[::step]):
        told: set[tuple[str, str, str | None, str]] = set()
        for one in defaults(engine, old, new).changes:
            slot = (one.name, one.fact or "", one.condition, one.kind)
            assert slot not in told, (old, new, slot)
            told.add(slot)
            assert one.sources and one.summary and one.name == one.name.strip(), (old, new, one)
            assert "not in this build" not in f"{one.old_depends} {one.new_depends}", (old, new, one)
            assert "lambda" not in f"{one.old} {one.new}" and "dataclass" not in f"{one.old} {one.new}", (old, new, one)
            if one.kind in _DECIDED:
                before, after = str(one.old).removeprefix("=="), str(one.new).removeprefix("==")
                assert before != after or one.old_depends != one.new_depends, (old, new, one)


def test_the_command_writes_what_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["defaults", "vllm", "v0.7.3", "v0.8.0", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["old"], told["new"]) == ("askew/defaults/v1", "0.7.3", "0.8.0")
    (one,) = [change for change in told["changes"] if change["name"] == "--generation-config"]
    assert (one["old"], one["new"], one["fact"]) == ("engine", "auto", "runtime.generation_config")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("vllm", "0.7.9", "0.8.0"), "nearest: 0.7.3, 0.8.0"),
        (("vllm", "nightly", "0.8.0"), "nearest"),
        (("sglang", "0.7.3", "0.5.4"), "0.7.3 is a release of lmdeploy, vllm"),
        (("no-such-engine", "1", "2"), "engines:"),
    ],
)
def test_what_does_not_exist_is_refused(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["defaults", *words]) == 2
    assert says in capsys.readouterr().err
