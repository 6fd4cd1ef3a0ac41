"""What changes under a deployment of which the image's tag alone changes: `diff` shows it with the right values where
its condition holds, and is silent where it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from askew.app.pipeline import Options, diff

IMAGES = {"vllm": "vllm/vllm-openai:v", "ollama": "ollama/ollama:"}
PRODUCTS = {
    "h100": "NVIDIA-H100-80GB-HBM3",
    "a100": "NVIDIA-A100-SXM4-80GB",
    "t4": "Tesla-T4",
    "l4": "NVIDIA-L4",
    "b200": "NVIDIA-B200",
}


def manifest(engine: str, version: str, words: str, env: str, gpu: str) -> str:
    """A Deployment that differs between two versions in the tag alone."""
    container = {
        "name": "engine",
        "image": f"{IMAGES[engine]}{version}",
        "args": (["--model", "org/m"] if engine == "vllm" and "NOMODEL" not in words else [])
        + [word for word in words.split() if word != "NOMODEL"],
        "env": [{"name": one.partition("=")[0], "value": one.partition("=")[2]} for one in env.split()],
        "resources": {"limits": {"nvidia.com/gpu": "2"}},
    }
    pod = {"containers": [container], "nodeSelector": {"nvidia.com/gpu.product": PRODUCTS[gpu]} if gpu else {}}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "llm", "namespace": "prod"},
            "spec": {
                "selector": {"matchLabels": {"app": "llm"}},
                "template": {"metadata": {"labels": {"app": "llm"}}, "spec": pod},
            },
        }
    )


def shown(tmp_path: Path, engine: str, old: str, new: str, words: str, env: str, gpu: str) -> dict[str, tuple]:
    """Fact, or entry of a map fact, to its two values, of every difference."""
    for name, version in (("old", old), ("new", new)):
        (tmp_path / f"{name}.json").write_text(manifest(engine, version, words, env, gpu))
    report = diff(
        str(tmp_path / "old.json"),
        str(tmp_path / "new.json"),
        Options(assume=("model.context_length=8192", "model.config.dtype=bfloat16")),
    )
    assert not report.errors
    return {
        f"{one.facts[0]}[{one.key}]" if one.key else one.facts[0]: (one.reference.value, one.target.value)
        for workload in report.workloads
        for one in workload.findings
        if one.kind == "difference" and one.reference is not None and one.target is not None
    }


OTHER, ENV = "runtime.arguments.unmapped", "runtime.env"
# By the number of the change: releases, the fact, both values, what else the deployment says, on which GPU.
CASES = {
    "ollama-02": ("ollama", "0.9.0", "0.11.0", f"{ENV}[OLLAMA_NUM_PARALLEL]", "0", "1", "", "", ""),
    "vllm-02": ("vllm", "0.7.3", "0.8.0", f"{ENV}[VLLM_USE_V1]", "0", "1", "", "", "h100"),
    "vllm-03": ("vllm", "0.7.3", "0.8.0", "runtime.prefix_caching", False, True, "", "", "h100"),
    "vllm-08": ("vllm", "0.8.4", "0.8.5", "runtime.max_num_seqs", 256, 1024, "", "", "a100"),
    "vllm-08b": ("vllm", "0.8.4", "0.8.5", "runtime.max_num_batched_tokens", 2048, 8192, "", "", "a100"),
    "vllm-09": ("vllm", "0.8.5", "0.9.0", "runtime.max_num_seqs", 1024, 256, "", "", "a100"),
    "vllm-14": (
        "vllm",
        "0.7.3",
        "0.8.0",
        f"{OTHER}[--logprobs-mode]",
        "processed_logprobs",
        "raw_logprobs",
        "",
        "",
        "h100",
    ),
    "vllm-15": ("vllm", "0.6.4", "0.6.5", "runtime.structured_output_backend", "outlines", "xgrammar", "", "", ""),
    "vllm-22": ("vllm", "0.10.0", "0.10.1", f"{OTHER}[--enable-log-requests]", "true", "false", "", "", ""),
    "vllm-29": ("vllm", "0.19.0", "0.20.0", "runtime.gpu_memory_utilization", 0.9, 0.92, "", "", ""),
    "vllm-30": ("vllm", "0.19.0", "0.20.0", f"{ENV}[VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS]", "0", "1", "", "", ""),
    "vllm-32": (
        "vllm",
        "0.10.2",
        "0.11.0",
        "runtime.compilation[cudagraph_mode]",
        "PIECEWISE",
        "FULL_AND_PIECEWISE",
        "",
        "",
        "h100",
    ),
    "vllm-34": ("vllm", "0.11.0", "0.11.1", f"{ENV}[VLLM_USE_FLASHINFER_SAMPLER]", "auto", "0", "", "", ""),
    "vllm-35": ("vllm", "0.20.0", "0.21.0", f"{ENV}[VLLM_USE_FLASHINFER_SAMPLER]", "0", "1", "", "", ""),
    "vllm-36": ("vllm", "0.17.0", "0.18.0", f"{OTHER}[--disable-cascade-attn]", "false", "true", "", "", ""),
    "vllm-38": (
        "vllm",
        "0.8.2",
        "0.8.3",
        "runtime.speculative[model]",
        "org/d",
        None,
        "--speculative-model org/d --num-speculative-tokens 3",
        "",
        "",
    ),
    "vllm-41": (
        "vllm",
        "0.10.2",
        "0.11.0",
        f"{OTHER}[--max-seq-len-to-capture]",
        "4096",
        ...,
        "--max-seq-len-to-capture 4096",
        "",
        "",
    ),
    "vllm-43": ("vllm", "0.11.0", "0.11.1", f"{ENV}[VLLM_USE_V1]", "0", ..., "", "VLLM_USE_V1=0", ""),
    "vllm-44": (
        "vllm",
        "0.14.1",
        "0.15.1",
        "runtime.attention_backend",
        "flashinfer",
        None,
        "",
        "VLLM_ATTENTION_BACKEND=FLASHINFER",
        "",
    ),
    "vllm-45": (
        "vllm",
        "0.15.1",
        "0.16.0",
        f"{ENV}[VLLM_ALL2ALL_BACKEND]",
        "naive",
        ...,
        "",
        "VLLM_ALL2ALL_BACKEND=naive",
        "",
    ),
    "vllm-49": ("vllm", "0.19.0", "0.20.0", "runtime.packages[cuda]", "12.9", "13.0", "", "", ""),
    "vllm-50": ("vllm", "0.10.1", "0.10.2", f"{ENV}[VLLM_USE_V1]", "0", "1", "", "", "t4"),
    "vllm-51": ("vllm", "0.8.3", "0.8.4", f"{OTHER}[--limit-mm-per-prompt]", "1", "999", "", "", "h100"),
    "vllm-53": ("vllm", "0.31.0", "0.32.0", f"{OTHER}[--allowed-origins]", '["*"]', "[]", "", "", ""),
    "vllm-55": ("vllm", "0.14.1", "0.15.1", f"{OTHER}[--api-server-count]", "1", "2", "--data-parallel-size 2", "", ""),
    "vllm-57": ("vllm", "0.9.2", "0.10.0", "model.id", "facebook/opt-125m", "Qwen/Qwen3-0.6B", "NOMODEL", "", ""),
    "vllm-59": ("vllm", "0.6.2", "0.6.3", f"{OTHER}[--use-v2-block-manager]", "false", "true", "", "", ""),
    "vllm-59b": (
        "vllm",
        "0.6.2",
        "0.6.3",
        f"{OTHER}[--multi-step-stream-outputs]",
        "false",
        "true",
        "--num-scheduler-steps 8",
        "",
        "",
    ),
    "vllm-60": (
        "vllm",
        "0.18.0",
        "0.19.0",
        f"{OTHER}[--disable-frontend-multiprocessing]",
        ...,
        ...,
        "--disable-frontend-multiprocessing",
        "",
        "",
    ),
    # Others, found by reading the releases.
    "slots": ("ollama", "0.1.48", "0.2.0", f"{ENV}[OLLAMA_NUM_PARALLEL]", "1", "0", "", "", ""),
    "temperature": ("vllm", "0.6.4.post1", "0.6.5", f"{OTHER}[chat/completions.temperature]", "0.7", "1.0", "", "", ""),
    "max-logprobs": ("vllm", "0.4.3", "0.5.0", f"{OTHER}[--max-logprobs]", "5", "20", "", "", ""),
    "hash": ("vllm", "0.10.1", "0.10.2", f"{OTHER}[--prefix-caching-hash-algo]", "builtin", "sha256", "", "", "h100"),
    "async": ("vllm", "0.13.0", "0.14.0", "runtime.async_scheduling", False, True, "", "", "h100"),
    "runner": ("vllm", "0.20.0", "0.29.0", f"{ENV}[VLLM_USE_V2_MODEL_RUNNER]", "0", "1", "", "", "h100"),
    "symmetric": ("vllm", "0.10.2", "0.11.0", f"{ENV}[VLLM_ALLREDUCE_USE_SYMM_MEM]", "0", "1", "-tp 2", "", "h100"),
    "all-reduce": ("vllm", "0.28.0", "0.29.0", f"{ENV}[VLLM_ALLREDUCE_USE_FLASHINFER]", "0", "1", "-tp 2", "", "h100"),
    "all-to-all": (
        "vllm",
        "0.10.2",
        "0.11.0",
        f"{ENV}[VLLM_ALL2ALL_BACKEND]",
        "naive",
        "allgather_reducescatter",
        "-tp 2 --enable-expert-parallel",
        "",
        "h100",
    ),
    "deep-gemm": ("vllm", "0.10.2", "0.11.0", f"{ENV}[VLLM_USE_DEEP_GEMM]", "0", "1", "--quantization fp8", "", "h100"),
    "swap": ("vllm", "0.17.1", "0.18.0", "runtime.swap.bytes", 4 * 2**30, 0, "", "", ""),
    "large": ("vllm", "0.27.0", "0.28.0", "runtime.max_num_batched_tokens", 8192, 16384, "", "", "b200"),
}
# The same, where the condition does not hold.
SILENT = {
    "set": [
        ("vllm", "0.7.3", "0.8.0", "runtime.prefix_caching", "--enable-prefix-caching", "", "h100"),
        ("vllm", "0.7.3", "0.8.0", f"{ENV}[VLLM_USE_V1]", "", "VLLM_USE_V1=0", "h100"),
        ("vllm", "0.19.0", "0.20.0", "runtime.gpu_memory_utilization", "--gpu-memory-utilization 0.92", "", ""),
        ("vllm", "0.13.0", "0.14.0", "runtime.async_scheduling", "--async-scheduling", "", "h100"),
        (
            "vllm",
            "0.10.1",
            "0.10.2",
            f"{OTHER}[--prefix-caching-hash-algo]",
            "--prefix-caching-hash-algo sha256",
            "",
            "h100",
        ),
        ("vllm", "0.4.3", "0.5.0", f"{OTHER}[--max-logprobs]", "--max-logprobs 20", "", ""),
        ("vllm", "0.8.3", "0.8.4", f"{OTHER}[--limit-mm-per-prompt]", '--limit-mm-per-prompt {"image":2}', "", "h100"),
        (
            "vllm",
            "0.10.2",
            "0.11.0",
            f"{ENV}[VLLM_ALLREDUCE_USE_SYMM_MEM]",
            "-tp 2",
            "VLLM_ALLREDUCE_USE_SYMM_MEM=1",
            "h100",
        ),
        ("vllm", "0.20.0", "0.29.0", f"{ENV}[VLLM_USE_V2_MODEL_RUNNER]", "", "VLLM_USE_V2_MODEL_RUNNER=0", "h100"),
        ("vllm", "0.31.0", "0.32.0", f"{OTHER}[--allowed-origins]", """--allowed-origins ["*"]""", "", ""),
        ("ollama", "0.9.0", "0.11.0", f"{ENV}[OLLAMA_NUM_PARALLEL]", "", "OLLAMA_NUM_PARALLEL=2", ""),
        ("ollama", "0.9.0", "0.11.0", "runtime.max_num_seqs", "", "OLLAMA_NUM_PARALLEL=2", ""),
    ],
    "elsewhere": [
        ("vllm", "0.8.4", "0.8.5", "runtime.max_num_seqs", "", "", "l4"),
        ("vllm", "0.8.4", "0.8.5", "runtime.max_num_seqs", "", "", "h100"),
        ("vllm", "0.8.5", "0.9.0", "runtime.max_num_seqs", "", "", "h100"),
        ("vllm", "0.7.3", "0.8.0", "runtime.prefix_caching", "", "", "t4"),
        ("vllm", "0.7.3", "0.8.0", f"{OTHER}[--logprobs-mode]", "", "", "t4"),
        ("vllm", "0.10.1", "0.10.2", f"{ENV}[VLLM_USE_V1]", "", "", "a100"),
        ("vllm", "0.10.2", "0.11.0", "runtime.compilation[cudagraph_mode]", "--enforce-eager", "", "h100"),
        ("vllm", "0.19.0", "0.20.0", f"{ENV}[VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS]", "--enforce-eager", "", ""),
        ("vllm", "0.14.1", "0.15.1", f"{OTHER}[--api-server-count]", "", "", ""),
        ("vllm", "0.10.2", "0.11.0", f"{ENV}[VLLM_ALLREDUCE_USE_SYMM_MEM]", "", "", "h100"),
        ("vllm", "0.10.2", "0.11.0", f"{ENV}[VLLM_ALL2ALL_BACKEND]", "-tp 2", "", "h100"),
        ("vllm", "0.10.2", "0.11.0", f"{ENV}[VLLM_USE_DEEP_GEMM]", "", "", "h100"),
        ("vllm", "0.6.2", "0.6.3", f"{OTHER}[--multi-step-stream-outputs]", "", "", ""),
        ("vllm", "0.9.2", "0.10.0", "model.id", "", "", ""),
        ("vllm", "0.27.0", "0.28.0", "runtime.max_num_batched_tokens", "", "", "h100"),
        ("vllm", "0.32.0", "0.33.0", f"{ENV}[VLLM_ROCM_USE_AITER_FP8BMM]", "", "", "h100"),
    ],
}
# Settings as they are written, and releases between which they mean the same.
SAME = (
    ("vllm", "0.9.0", "0.9.1", "--max-num-seqs 64 --enable-prefix-caching", "", "a100"),
    ("vllm", "0.12.0", "0.13.0", "-tp 2 --kv-cache-dtype fp8", "", "h100"),
    ("vllm", "0.24.0", "0.25.0", "--max-model-len 4096", "", "h100"),
    ("ollama", "0.11.0", "0.12.0", "", "OLLAMA_KV_CACHE_TYPE=q8_0", ""),
)
_NAMES_THE_RELEASE = {"runtime.engine.version", "runtime.image.tag"}


@pytest.mark.parametrize("case", CASES)
def test_the_tag_alone(case: str, tmp_path: Path) -> None:
    engine, old, new, fact, before, after, words, env, gpu = CASES[case]
    found = shown(tmp_path, engine, old, new, words, env, gpu)
    assert fact in found, found
    assert before in (..., found[fact][0]) and after in (..., found[fact][1]), found[fact]


@pytest.mark.parametrize(
    ("engine", "old", "new", "fact", "words", "env", "gpu"), [one for group in SILENT.values() for one in group]
)
def test_silence(engine: str, old: str, new: str, fact: str, words: str, env: str, gpu: str, tmp_path: Path) -> None:
    assert fact not in shown(tmp_path, engine, old, new, words, env, gpu)


@pytest.mark.parametrize(("engine", "old", "new", "words", "env", "gpu"), SAME)
def test_releases_that_do_the_same(
    engine: str, old: str, new: str, words: str, env: str, gpu: str, tmp_path: Path
) -> None:
    assert set(shown(tmp_path, engine, old, new, words, env, gpu)) == _NAMES_THE_RELEASE


@pytest.mark.parametrize(
    ("words", "env"),
    [
        ("--max-logprobs 20", ""),
        ("--prefix-caching-hash-algo sha256", ""),
        ("", "VLLM_USE_V1=1"),
        ("", "VLLM_USE_DEEP_GEMM=1"),
        ("--no-disable-cascade-attn", ""),
        ("-tp 1", ""),
    ],
)
def test_a_default_that_is_spelled_out_is_no_difference(words: str, env: str, tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text(manifest("vllm", "0.11.0", "", "", "h100"))
    (tmp_path / "spelled.json").write_text(manifest("vllm", "0.11.0", words, env, "h100"))
    for first, second in (("plain", "spelled"), ("spelled", "plain")):
        report = diff(str(tmp_path / f"{first}.json"), str(tmp_path / f"{second}.json"), Options())
        assert not [one.summary for workload in report.workloads for one in workload.findings]
