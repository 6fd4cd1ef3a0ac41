"""Builds of vLLM by others and for other hardware: recognised, whose accelerators they need, which vLLM they hold."""

from __future__ import annotations

import pytest

from askew.app import registry
from askew.engines.vllm.engine import ENGINE
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

HERE = Location("deploy.yaml", line=3)


def facts(image: str, *more: Observation, words: str = "--model org/m") -> dict[str, Resolved]:
    launch = Launch(
        argv=tuple(Token(word, HERE) for word in words.split()),
        location=HERE,
        image=Token(image, HERE),
        implicit_entrypoint=True,
    )
    reading = ENGINE.read(launch)
    return resolve((*reading.observations, *more), reading.rules)


@pytest.mark.parametrize(
    ("image", "vendor", "version"),
    [
        ("rocm/vllm:rocm6.2_mi300_ubuntu20.04_py3.9_vllm_0.6.4", "amd", "0.6.4"),
        ("rocm/vllm:latest", "amd", None),
        ("rocm/vllm-dev:main", "amd", None),
        ("vllm/vllm-openai-rocm:v0.11.0", "amd", "0.11.0"),
        ("vault.habana.ai/gaudi-docker/1.22.0/ubuntu22.04/habanalabs/vllm:latest", "intel", None),
        ("opea/vllm-gaudi:1.22.0", "intel", None),
        ("public.ecr.aws/neuron/pytorch-inference-vllm-neuronx:0.9.1-neuronx-py310-sdk2.25.0", "aws", "0.9.1"),
        ("vllm/vllm-tpu:v0.11.0", "google", "0.11.0"),
        ("vllm/vllm-tpu:latest", "google", None),
        ("quay.io/ascend/vllm-ascend:v0.9.1rc1", "huawei", "0.9.1"),
        ("quay.io/ascend/vllm-ascend:v0.18.0-310p", "huawei", "0.18.0"),
        ("intel/vllm:0.10.0-xpu", "intel", "0.10.0"),
        ("vllm/vllm-openai-cpu:v0.21.0", None, "0.21.0"),
        ("public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.10.1", None, "0.10.1"),
        ("vllm/vllm-openai:v0.11.0-aarch64", None, "0.11.0"),
        ("nvcr.io/nvidia/vllm:25.10-py3", None, "0.10.2"),
        ("nvcr.io/nvidia/vllm:25.09-py3", None, None),
        ("nvcr.io/nvidia/vllm:26.10-py3", None, "0.31.0"),
        ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.1", None, None),
        ("registry.redhat.io/rhaiis/vllm-rocm-rhel9:3.2.1", "amd", None),
        ("ghcr.io/llm-d/llm-d-cuda:v0.3.0", None, None),
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:0.11.0-gpu-py312-cu129-ubuntu22.04-ec2", None, "0.11.0"),
    ],
)  # fmt: skip
def test_a_build_says_for_what_it_is(image: str, vendor: str | None, version: str | None) -> None:
    assert registry.engine_of_image(image) == "vllm"
    found = facts(image)
    assert found["runtime.engine.version"].value == version
    if vendor is None:
        assert "hardware.gpu.vendor" not in found
    else:
        one = found["hardware.gpu.vendor"]
        assert (one.value, one.origin, one.confidence) == (vendor, "derived", "likely")
        assert one.locations == (HERE,)


def test_what_a_resource_says_wins_over_the_image() -> None:
    asked = Observation(fact="hardware.gpu.vendor", value="nvidia", origin="explicit")
    assert facts("rocm/vllm:latest", asked)["hardware.gpu.vendor"].value == "nvidia"


@pytest.mark.parametrize(
    "image", ["vllm/vllm-tpu:v0.11.0", "quay.io/ascend/vllm-ascend:v0.11.0rc1", "vllm/vllm-openai-cpu:v0.10.2"]
)
def test_what_a_platform_overrides_is_not_told_as_on_cuda(image: str) -> None:
    found = facts(image)
    for fact in ("runtime.prefix_caching", "runtime.chunked_prefill", "runtime.max_num_seqs", "runtime.dtype"):
        assert found[fact].state == "unknown"
        assert "the image is a build for" in found[fact].reason
    assert found["runtime.tensor_parallel_size"].value == 1


def test_cpus_have_sizes_of_their_own() -> None:
    found = facts("vllm/vllm-openai-cpu:v0.21.0", words="--model org/m -tp 2")
    assert (found["runtime.max_num_seqs"].value, found["runtime.max_num_batched_tokens"].value) == (256, 4096)
    assert found["runtime.prefix_caching"].value is True and found["runtime.prefix_caching"].confidence == "likely"
    assert "cudagraph_mode" not in dict(found["runtime.compilation"].entries) or (
        found["runtime.compilation"].entries["cudagraph_mode"].state == "absent"
    )
    assert found["runtime.dtype"].state == "unknown"


def test_on_amd_the_second_engine_came_with_0_9_2() -> None:
    for version, core in (("0.9.1", "0"), ("0.9.2", "1"), ("0.11.0", "1")):
        found = facts(f"vllm/vllm-openai-rocm:v{version}")
        assert found["runtime.env"].entries["VLLM_USE_V1"].value == core
        assert found["runtime.prefix_caching"].value is (core == "1")


def test_the_image_of_another_engine_does_not_say_which_vllm_runs() -> None:
    found = facts("lmsysorg/sglang:v0.4.6", words="vllm serve org/m")
    assert found["runtime.engine.name"].value == "vllm"
    assert found["runtime.engine.version"].state == "unknown"
    assert found["runtime.gpu_memory_utilization"].state == "unknown"


def test_a_default_of_amd_alone_is_told_of_its_builds_alone() -> None:
    name = "VLLM_ROCM_USE_AITER_FUSION_SHARED_EXPERTS"
    for version, value in (("0.11.1", "1"), ("0.12.0", "0")):
        assert facts(f"vllm/vllm-openai-rocm:v{version}")["runtime.env"].entries[name].value == value
        assert name not in facts(f"vllm/vllm-openai:v{version}")["runtime.env"].entries
