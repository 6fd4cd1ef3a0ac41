"""The judgements inside checks that many spellings reach: tags that move, sizes that names tell, commands that ask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.pipeline import Options, check
from askew.checks.loading import weights_of
from askew.checks.rules.floating_image_tag import moves

# Tags as publishers write them: vLLM, SGLang, TGI, Ollama, LocalAI, Ray, NVIDIA.
MOVING = (
    "latest", "nightly", "main", "dev", "latest-cu128", "latest-cu12.4", "latest-rocm6.2", "nightly-py312-tpu",
    "LATEST", "dev-cu12", "latest-rocm", "latest-gpu", "master-cublas-cuda12", "stable", "gaudi-latest",
)  # fmt: skip
STAYING = (
    "v0.8.5", "0.8.5.post1", "v0.4.6.post1-cu124", "3.3.4-rocm", "nightly-5c72c8ee0a1b", "nightly-20260102",
    "25.03-py3", "dev-2026-01-02", "v0.10.0rc1", "sha-1f7fe7e", "spark-single-gpu-dev", "main-8d0b1c9", "b4011",
    "r36.4.0", "my-team-build-42", "latest-v0.9.1", "v0.5.3-main", "domain", "mainline", "developer",
)  # fmt: skip


@pytest.mark.parametrize("tag", MOVING)
def test_a_channel_moves(tag: str) -> None:
    assert moves(tag)


@pytest.mark.parametrize("tag", STAYING)
def test_a_release_a_commit_and_a_date_stay(tag: str) -> None:
    assert not moves(tag)


@given(st.sampled_from(MOVING), st.tuples(*[st.integers(0, 99)] * 3))
def test_a_release_pins_whatever_stands_beside_it(tag: str, release: tuple[int, ...]) -> None:
    assert not moves(f"v{'.'.join(map(str, release))}-{tag}")


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("meta-llama/Llama-3.1-70B-Instruct", 140),
        ("Qwen/Qwen3-30B-A3B", 60),
        ("org/Qwen2.5-0.5B", 1),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 90),
        ("neuralmagic/Llama-3.1-70B-FP8", 77),
        ("hugging-quants/Llama-3.1-70B-AWQ-INT4", 42),
        ("/models/llama-3-8b", 16),
        ("google/gemma-2-2b-it", 4),
        ("gpt2", 0),
        ("org/model-v2beta", 0),
        ("facebook/opt-125m", 0),
        ("", 0),
    ],
)
def test_a_name_tells_the_size_of_the_weights(name: str, gigabytes: float) -> None:
    assert weights_of(name) / 1e9 == pytest.approx(gigabytes, rel=0.1)


COMMANDS = (
    "vllm serve Qwen/Qwen2.5-7B-Instruct",
    "vllm serve Qwen/Qwen2.5-7B-Instruct --trust-remote-code --tensor-parallel-size $(nvidia-smi -L | wc -l)",
    "python -m sglang.launch_server --model-path $MODEL --tp 8 --nnodes 2 --enable-dp-attention --dp 8",
    "text-generation-launcher --model-id org/model --num-shard 4 --trust-remote-code",
    "vllm serve --tensor-parallel-size banana --revision ''",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_cannot_show_is_not_claimed(command: str) -> None:
    """A bare command has no image, no GPUs, no probes and no route: no rule about those has anything to say."""
    report = check(f"cmd:{command}", None, Options())
    rules = {finding.rule for workload in report.workloads for finding in workload.findings}
    assert rules.isdisjoint(
        {
            "floating-image-tag",
            "tensor-parallel-exceeds-gpus",
            "gpu-request-without-limit",
            "bfloat16-without-hardware-support",
            "shm-default-with-tensor-parallelism",
            "autoscaling-on-cpu-or-memory",
            "timeout-below-engine-limits",
            "retries-multiply",
            "buffering-before-streaming",
            "liveness-without-startup-probe",
            "service-link-variables-collide",
        }
    )
