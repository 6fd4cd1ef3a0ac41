"""Units and quadlets as systemd and Podman read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.collectors.files import COLLECTOR
from askew.collectors.interface import Request, Text
from askew.evidence.launch import Launch
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.platforms.interface import PlatformReading
from askew.platforms.systemd import read
from askew.platforms.systemd.unit import parse
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Workload


def reading(*texts: tuple[str, str]) -> PlatformReading:
    return read([Text(source=source, text=text) for source, text in texts])


def unit(text: str, name: str = "llm.service", *beside: tuple[str, str]) -> Workload:
    found = reading((name, text), *beside)
    assert found.unread == (), found.unread
    (workload,) = found.workloads
    return workload


def launch(workload: Workload) -> Launch:
    return workload.containers[0].processes[-1]


def argv(workload: Workload) -> list[str]:
    return [token.text for token in launch(workload).argv]


def places(workload: Workload) -> list[str]:
    return [f"{t.location.line}:{t.location.column}" for t in launch(workload).argv]


def observation(workload: Workload, fact: str, key: str = "") -> Observation:
    everything = (*workload.observations, *workload.containers[0].observations)
    found = [o for o in everything if o.fact == fact and o.key == key]
    assert len(found) == 1, (fact, found)
    return found[0]


def value(workload: Workload, fact: str, key: str = "") -> Value:
    found = observation(workload, fact, key).value
    assert not isinstance(found, Unknown), found
    return found


def reason(workload: Workload, fact: str) -> str:
    found = observation(workload, fact).value
    assert isinstance(found, Unknown), found
    return found.reason


ORDINARY = """\
[Unit]
Description=the model
# Environment=NOT=this
[Service]
Environment="HF_HOME=/data/hf cache" MAX=8192
Environment=ARGS="--dtype half"
ExecStart=/opt/bin/vllm serve org/m \\
    --max-model-len ${MAX} \\
    # a comment between
    ; and another
    $ARGS --served-model-name 'two words' --chat-template "/x\\x20y" $$HOME
CPUQuota=400%
MemoryMax=64G
TimeoutStopSec=2min 30s
Restart=always
"""


def test_an_ordinary_service() -> None:
    found = unit(ORDINARY)
    assert found.id == "systemd/Service/llm"
    assert argv(found)[:7] == ["/opt/bin/vllm", "serve", "org/m", "--max-model-len", "8192", "--dtype", "half"]
    assert argv(found)[7:9] == ["--served-model-name", "two words"]
    assert argv(found)[-1] == "$HOME"
    assert places(found)[:6] == ["7:11", "7:25", "7:31", "8:5", "8:21", "11:5"]
    assert places(found)[7] == "11:11"
    assert [str(place) for place in launch(found).argv[4].via] == ["llm.service:5:38"]
    assert {k: v.value for k, v in launch(found).env.items()} == {
        "HF_HOME": "/data/hf cache", "MAX": "8192", "ARGS": "--dtype half",
    }  # fmt: skip
    assert value(found, "orchestration.kind") == "Systemd"
    assert value(found, "orchestration.resources.cpu", "limit") == 4
    assert value(found, "orchestration.resources.memory.bytes", "limit") == 64 * 2**30
    assert "every accelerator of its host" in reason(found, "hardware.gpu.count")


def test_devices_that_a_variable_names() -> None:
    found = unit("[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=0,1\nExecStart=vllm serve m\n")
    count = observation(found, "hardware.gpu.count")
    assert (count.value, count.origin, str(count.locations[0])) == (2, "env", "llm.service:2:13")


def test_variables_that_nothing_sets() -> None:
    found = unit("[Service]\nExecStart=vllm serve ${MODEL} x${SIZE}y $MORE\n")
    unknown = [token.unknown for token in launch(found).argv[2:]]
    assert unknown == [f"variable {name} is not set in the unit" for name in ("MODEL", "SIZE", "MORE")]


def test_files_of_variables_beside_the_unit_win_and_absent_ones_are_said() -> None:
    text = (
        "[Service]\nEnvironment=A=unit\nEnvironmentFile=-/etc/default/llm.env\nEnvironmentFile=/etc/gone\n"
        "ExecStart=vllm serve ${A} ${B}\n"
    )
    found = unit(text, "units/llm.service", ("units/llm.env", "# x\nA='from file'\n"))
    tokens = launch(found).argv
    assert tokens[2].text == "from file" and str(tokens[2].via[0]) == "units/llm.env:2:1"
    assert tokens[3].unknown == "B may be set in /etc/gone, which is not among the sources"
    assert "/etc/gone" in reason(found, "runtime.env")


def test_drop_ins_apply_in_order_and_an_empty_assignment_empties() -> None:
    found = unit(
        "[Service]\nEnvironment=A=1\nExecStart=old serve m\n",
        "llm.service",
        ("llm.service.d/20.conf", "[Service]\nEnvironment=A=3\n"),
        ("llm.service.d/10.conf", "[Service]\nExecStart=\nExecStart=vllm serve ${A}\nEnvironment=A=2\n"),
        ("other.service.d/10.conf", "[Service]\nExecStart=\n"),
    )
    assert argv(found) == ["vllm", "serve", "3"]
    assert launch(found).argv[0].location.source == "llm.service.d/10.conf"


def test_specifiers() -> None:
    text = "[Service]\nExecStart=vllm serve org/%i --served-model-name %N --port 80%% --log %h/x\n"
    found = unit(text, "llm@qwen.service")
    assert argv(found)[2:7] == ["org/qwen", "--served-model-name", "llm@qwen", "--port", "80%"]
    assert "on the host" in (launch(found).argv[-1].unknown or "")
    template = unit(text, "llm@.service")
    assert "instance that is started" in (launch(template).argv[2].unknown or "")
    assert unit(text, "HEAD~1:llm@qwen.service").name == "llm@qwen"


def test_prefixes_shells_and_wrappers() -> None:
    assert argv(unit("[Service]\nExecStart=-+/bin/vllm serve m\n")) == ["/bin/vllm", "serve", "m"]
    found = unit("[Service]\nExecStart=/bin/bash -lc 'source /x && exec vllm serve m --dtype half'\n")
    assert argv(found) == ["vllm", "serve", "m", "--dtype", "half"]
    assert places(found) == ["2:44", "2:49", "2:55", "2:57", "2:65"]
    assert argv(unit("[Service]\nExecStart=/usr/bin/env A=1 vllm serve m\n")) == ["vllm", "serve", "m"]


DOCKER = """\
[Service]
ExecStartPre=-/usr/bin/docker rm -f llm
ExecStart=/usr/bin/docker run --rm --name llm --gpus '"device=0,1"' \\
  --shm-size 16g -e HF_HOME=/x -v /m:/models:ro -p 8000:8000 --memory=64g \\
  vllm/vllm-openai:v0.8.5 --model /models/x --tensor-parallel-size 2
"""


def test_docker_run_inside_of_a_unit() -> None:
    found = unit(DOCKER)
    assert found.id == "systemd/Service/llm"
    assert argv(found) == ["--model", "/models/x", "--tensor-parallel-size", "2"]
    assert places(found) == ["5:27", "5:35", "5:45", "5:68"]
    assert launch(found).implicit_entrypoint and launch(found).env["HF_HOME"].value == "/x"
    assert value(found, "hardware.gpu.count") == 2
    assert value(found, "orchestration.shm.bytes") == 16 * 2**30
    assert value(found, "orchestration.resources.memory.bytes", "limit") == 64 * 2**30
    assert value(found, "runtime.image.tag") == "v0.8.5"
    assert observation(found, "runtime.image.tag").locations[0].line == 5
    volumes = observation(found, "orchestration.volumes", "/models").value
    assert volumes == {"type": "hostPath", "source": "/m", "read_only": True}


QUADLET = """\
[Container]
Image=docker.io/vllm/vllm-openai:v0.8.5
Exec=--model org/m \\
  --dtype half
Environment=A=1 "B=two words"
AddDevice=-/dev/dri
AddDevice=nvidia.com/gpu=0
AddDevice=nvidia.com/gpu=1
ShmSize=8g
PodmanArgs=--memory 32g --cpus=4
Volume=data.volume:/data:ro
Mount=type=bind,source=/m,target=/models
PublishPort=8000:8000
HealthCmd=curl -f localhost
HealthInterval=10s
StopTimeout=60
Pull=newer
"""


def test_a_quadlet() -> None:
    found = unit(QUADLET, "llm.container")
    assert found.id == "podman/Container/llm"
    assert argv(found) == ["--model", "org/m", "--dtype", "half"]
    assert places(found) == ["3:6", "3:14", "4:3", "4:11"]
    assert {k: v.value for k, v in launch(found).env.items()} == {"A": "1", "B": "two words"}
    expected: dict[tuple[str, str], Value] = {
        ("orchestration.kind", ""): "Quadlet",
        ("hardware.gpu.count", ""): 2,
        ("hardware.gpu.vendor", ""): "nvidia",
        ("orchestration.shm.bytes", ""): 8 * 2**30,
        ("orchestration.resources.memory.bytes", "limit"): 32 * 2**30,
        ("orchestration.resources.cpu", "limit"): 4,
        ("orchestration.termination_grace", ""): 60,
        ("orchestration.image_pull_policy", ""): "Always",
        ("orchestration.probe.readiness", "period"): 10,
    }
    for (fact, key), wanted in expected.items():
        assert value(found, fact, key) == wanted, fact
    assert observation(found, "orchestration.resources.memory.bytes", "limit").locations[0].line == 10


def test_a_quadlet_of_a_pod_and_of_an_image_unit() -> None:
    text = "[Container]\nImage=llm.image\nPod=llm.pod\n"
    found = unit(text, "llm.container", ("llm.pod", "[Pod]\nShmSize=4g\n"), ("llm.image", "[Image]\nImage=x/y:1\n"))
    assert value(found, "orchestration.shm.bytes") == 4 * 2**30
    assert value(found, "runtime.image.tag") == "1"
    alone = unit(text, "llm.container")
    assert "llm.pod" in reason(alone, "orchestration.shm.bytes") and "llm.image" in reason(alone, "runtime.image")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.service", "[Unit]\nDescription=x\n", "starts nothing"),
        ("a.service", "[Service]\nType=oneshot\n", "no ExecStart"),
        ("a.service", "[Service]\nExecStart=/usr/bin/docker compose up\n", "compose file"),
        ("a.service", "[Service]\nExecStart=docker start llm\n", "docker start llm"),
        ("a.kube", "[Kube]\nYaml=pod.yaml\n", "pod.yaml"),
    ],
)
def test_what_starts_nothing_that_can_be_read(name: str, text: str, expected: str) -> None:
    found = reading((name, text))
    assert found.workloads == () and expected in found.unread[0].reason


def test_files_that_are_no_units_are_passed_over() -> None:
    found = reading((".env", "A=1\n"), ("x.env", "[Service]\n"), ("base.yml", "services: {}\n"), ("llm", "A=1\n"))
    assert found == PlatformReading()


@pytest.mark.parametrize(
    "text",
    [
        "[Service\nExecStart=x", "[Service]\nExecStart=\"", "[Service]\nExecStart='a b", "[Service]\nExecStart=\\",
        "[Service]\nExecStart=docker run", "[Service]\nExecStart=docker run --gpus", "[Container]\nExec=$\n",
        "[Service]\nExecStart=%", "[Container]\nPodmanArgs=-e\nVolume=:\nMount=x\nTmpfs=\nAddDevice==\n",
        "[Service]\nMemoryMax=50%\nCPUQuota=x\nExecStart=a\nTimeoutStopSec=infinity\nEnvironmentFile=\n",
        "=\n[]\n=x\n[Service]\nExecStart=@\n",
    ],
)  # fmt: skip
def test_nonsense_raises_nothing(text: str) -> None:
    for name in ("a.service", "a.container"):
        reading((name, text))


@given(st.text(st.sampled_from("[]Service=Exctar\n \\'\"$%{}#a1"), max_size=80))
def test_any_text_is_read_without_error(text: str) -> None:
    reading(("a.service", "[Service]\nExecStart=" + text))


@given(st.lists(st.text("abc ='\"", max_size=12), min_size=1, max_size=6))
def test_places_of_joined_lines_are_true(parts: list[str]) -> None:
    text = "[Service]\nExecStart=" + " \\\n  ".join(part + "x" for part in parts) + "\n"
    (entry,) = parse(text, "a.service")
    lines = text.split("\n")
    for offset, char in enumerate(entry.value):
        place = entry.at(offset)
        line = lines[place.line - 1]
        assert char == " " or line[place.column - 1] == char


def test_every_unit_of_the_corpus_is_read(shared: Path) -> None:
    index = [json.loads(line) for line in (shared / "corpus" / "index.jsonl").read_text().splitlines()]
    files = [shared / "corpus" / row["file"] for row in index if row["kind"] == "systemd" and row["file"]]
    assert len(files) > 10
    for path in files:
        evidence = COLLECTOR.collect(Request(uri=str(path), scheme="", target=str(path)), Redactor())
        assert evidence.status == "complete", evidence.errors
        found = read(evidence.texts)
        assert len(found.workloads) == 1, (path, found.unread)
