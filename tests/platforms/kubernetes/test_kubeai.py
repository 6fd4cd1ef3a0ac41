from __future__ import annotations

import pytest

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import facts, observation, one


def model(more: str = "", engine: str = "VLLM", url: str = "hf://org/m") -> str:
    return (
        "apiVersion: kubeai.org/v1\nkind: Model\nmetadata: {name: chat}\nspec:\n"
        f"  url: {url}\n  engine: {engine}\n  args: [--max-model-len=2048]\n"
        f"  env: {{VLLM_USE_V1: '1'}}\n  resourceProfile: nvidia-gpu-l4:2\n{more}"
    )


def words(text: str) -> list[str]:
    return [token.text for token in one(text).containers[0].processes[0].argv]


def test_kubeai_starts_vllm_with_its_own_arguments_first():
    argv = one(model()).containers[0].processes[0].argv
    assert [t.text for t in argv][1:] == [
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model=org/m",
        "--served-model-name=chat",
        "--max-model-len=2048",
    ]
    assert (argv[3].location.line, argv[5].location.line) == (5, 7)


def test_engine_model_profile_and_environment():
    read = one(model())
    found = facts(read)
    assert read.engine == "vllm"
    assert (found["model.source"], found["hardware.gpu.count"]) == ("hf://org/m", 2)
    assert observation(read, "hardware.gpu.count").confidence == "likely"
    assert isinstance(found["runtime.image"], Unknown)
    variable = read.containers[0].launch.env["VLLM_USE_V1"]
    assert (variable.value, variable.location.line) == ("1", 8)


def test_scaling_has_kubeais_defaults():
    found = facts(one(model()))
    assert (found["orchestration.autoscaler.kind"], found["orchestration.replicas.min"]) == ("kubeai", 0)
    assert found["orchestration.replicas.max"] is None
    read = one(model("  minReplicas: 1\n  maxReplicas: 8\n  targetRequests: 32\n"))
    found = facts(read)
    assert (found["orchestration.replicas.min"], found["orchestration.replicas.max"]) == (1, 8)
    assert found["orchestration.autoscaler.metrics"][0]["target"] == 32


def test_a_fixed_count_has_a_derived_maximum():
    read = one(model("  autoscalingDisabled: true\n  replicas: 3\n"))
    assert facts(read)["orchestration.autoscaler.kind"] in (None, "none")
    assert observation(read, "orchestration.replicas.max").origin == "derived"


@pytest.mark.parametrize(
    ("url", "more", "expected"),
    [
        ("pvc://weights/m", "", "--model=/model"),
        ("s3://bucket/m", "", "--model=s3://bucket/m"),
        ("s3://bucket/m", "  cacheProfile: efs\n", "--model=/model"),
    ],
)
def test_where_the_engine_finds_the_model(url, more, expected):
    assert expected in words(model(more, url=url))


@pytest.mark.parametrize("profile", ["gpu", "gpu:", "gpu:x", "gpu:0.5", "[]"])
def test_a_profile_without_a_count_is_unknown(profile):
    text = model().replace("nvidia-gpu-l4:2", f"'{profile}'")
    assert isinstance(facts(one(text))["hardware.gpu.count"], Unknown)
    assert facts(one(model().replace("nvidia-gpu-l4:2", "'cpu:1'")))["hardware.gpu.count"] == 0


def test_an_engine_that_kubeai_has_not_is_said():
    assert any("has no engine SGLANG" in problem for problem in one(model(engine="SGLANG")).containers[0].problems)


def test_memory_that_the_controller_may_mount_is_not_the_runtimes_default():
    assert "KubeAI may mount memory" in facts(one(model()))["orchestration.shm.bytes"].reason
