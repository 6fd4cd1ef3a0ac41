"""Containers as inspect shows them: what was started, and nothing that nobody asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import read as read_yaml
from askew.platforms.docker.read import read
from askew.resolve.workload import Resolved
from tests.platforms.docker import inspected

CANARY = "canary-0d5e6f7a8b9c"


def facts(tmp_path: Path, *objects: dict[str, Any]) -> dict[str, Resolved]:
    path = tmp_path / "inspect.json"
    path.write_text(json.dumps(list(objects), indent=4))
    side = load(str(path), "target", Redactor(b"key"))
    assert not side.errors, side.errors
    (snapshot,) = side.snapshots
    return dict(snapshot.facts)


def test_a_container_and_its_image(tmp_path: Path):
    found = facts(tmp_path, inspected.CONTAINER, inspected.IMAGE)
    known = {key: one.value for key, one in found.items() if one.state == "known"}
    assert known["runtime.tensor_parallel_size"] == 2
    assert known["runtime.engine.version"] == "0.8.5"
    assert known["hardware.gpu.count"] == 2 and known["hardware.gpu.vendor"] == "nvidia"
    assert known["orchestration.shm.bytes"] == 16 * 2**30
    assert known["orchestration.termination_grace"] == 30
    assert known["orchestration.restarts"] == 0
    assert known["runtime.image.digest"] == inspected.DIGEST
    assert found["runtime.image.digest"].basis == "seen"
    assert found["runtime.attention_backend"].value == "flashinfer"
    assert "VLLM_USAGE_SOURCE" not in found["runtime.env"].entries
    path = found["runtime.tensor_parallel_size"].locations[0].path
    assert "Args[" in path


def compared(tmp_path: Path, container: dict[str, Any]) -> list[str]:
    container["Config"]["Image"] = f"vllm/vllm-openai:v0.8.5@{inspected.DIGEST}"
    compose = inspected.COMPOSE.replace(":v0.8.5", f":v0.8.5@{inspected.DIGEST}")
    (tmp_path / "compose.yaml").write_text(compose)
    (tmp_path / "inspect.json").write_text(json.dumps([container, inspected.IMAGE]))
    report = diff(f"{tmp_path}/compose.yaml", f"{tmp_path}/inspect.json", Options())
    return sorted({finding.rule for workload in report.workloads for finding in workload.findings})


def test_a_container_against_the_compose_file_it_came_from_is_silent(tmp_path: Path):
    assert compared(tmp_path, inspected.container()) == []


@pytest.mark.parametrize("changes, fact", [
    ({"host": {"ShmSize": 67108864}}, "orchestration.shm.bytes"),
    ({"host": {"Memory": 34359738368}}, "orchestration.resources.memory.bytes"),
    ({"host": {"NanoCpus": 4000000000}}, "orchestration.resources.cpu"),
    ({"host": {"DeviceRequests": [{"Driver": "nvidia", "Count": 0, "DeviceIDs": ["GPU-1"],
                                   "Capabilities": [["gpu"]]}]}}, "hardware.gpu.count"),
    ({"config": {"Env": ["VLLM_ATTENTION_BACKEND=FLASH_ATTN"]}}, "runtime.attention_backend"),
    ({"Args": [*inspected.CONTAINER["Args"][:4], "--max-model-len", "4096", "--tensor-parallel-size", "2"]},
     "runtime.max_model_len"),
])  # fmt: skip
def test_what_was_changed_is_found(tmp_path: Path, changes: dict[str, Any], fact: str):
    assert compared(tmp_path, inspected.container(**changes)) == [fact]


def test_podman_and_a_container_without_its_image(tmp_path: Path):
    made = inspected.container(
        ImageName="docker.io/vllm/vllm-openai:v0.8.5", ImageDigest=inspected.DIGEST, config={"Labels": None}
    )
    found = facts(tmp_path, made)
    assert found["runtime.image.digest"].value == inspected.DIGEST
    assert found["runtime.attention_backend"].value == "flashinfer"
    assert "VLLM_USAGE_SOURCE" not in found["runtime.env"].entries


def test_devices_of_every_kind(tmp_path: Path):
    def of(**host: Any) -> object:
        one = facts(tmp_path, inspected.container(host={"DeviceRequests": None, **host}), inspected.IMAGE)
        return one["hardware.gpu.count"].value if one["hardware.gpu.count"].state == "known" else "unknown"

    every = {"Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]]}
    named = {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"], "Capabilities": None}
    assert of(DeviceRequests=[every]) == "unknown"
    assert of(DeviceRequests=[named]) == 2
    assert of(Runtime="nvidia") == "unknown"
    assert of(Devices=[{"PathOnHost": "/dev/kfd"}, {"PathOnHost": "/dev/dri"}]) == "unknown"
    assert of() == 0


def test_how_it_ended(tmp_path: Path):
    state = {"Status": "exited", "OOMKilled": True, "ExitCode": 137}
    found = facts(tmp_path, inspected.container(State=state, RestartCount=4), inspected.IMAGE)
    assert found["orchestration.last_termination"].value == {"exit_code": 137, "reason": "OOMKilled"}
    assert found["orchestration.restarts"].value == 4


def test_no_secret_comes_through(tmp_path: Path):
    made = inspected.container(
        Args=[*inspected.CONTAINER["Args"], "--api-key", CANARY],
        config={"Env": [f"HF_TOKEN={CANARY} two words", f"DB_PASSWORD={CANARY}"], "Labels": {"auth.token": CANARY},
                "Cmd": ["--api-key", CANARY]},
    )  # fmt: skip
    path = tmp_path / "inspect.json"
    path.write_text(json.dumps([made]))
    side = load(str(path), "target", Redactor(b"key"))
    shown = repr(side.snapshots) + "\n".join(line for one in side.documents for line in one.lines)
    assert side.snapshots and CANARY not in shown and "two words" not in shown


_SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Config", "HostConfig", "Env", "Cmd", "Labels", "Mounts", "Type", "Image", "Test", "Count",
                         "Healthcheck", "DeviceRequests", "Capabilities", "Tmpfs", "/dev/shm"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(inspected.CONTAINER)), _SHAPES, _SHAPES, _SHAPES)
def test_no_shape_is_an_exception(key: str, value: object, host: object, config: object):
    made = inspected.container(**{key: value}) if key not in ("HostConfig", "Config") else inspected.container()
    if isinstance(host, dict):
        made["HostConfig"] = {**made["HostConfig"], **host}
    if isinstance(config, dict):
        made["Config"] = {**made["Config"], **config}
    read(list(read_yaml(json.dumps([made]), "inspect.json")))
