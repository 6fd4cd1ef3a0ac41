"""Compose files as docker compose reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.collectors.files import COLLECTOR
from askew.collectors.interface import Request, Text
from askew.collectors.reading import is_compose
from askew.evidence.launch import Launch
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import read as read_yaml
from askew.facts.types import Value
from askew.platforms.compose import read
from askew.platforms.compose.interpolate import interpolate, variables
from askew.platforms.interface import PlatformReading
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Workload


def reading(text: str, source: str = "compose.yaml", **beside: str) -> PlatformReading:
    texts = [Text(source=name.replace("__", "/").replace("_env", ".env"), text=body) for name, body in beside.items()]
    return read(tuple(read_yaml(text, source, dialect="yaml")), texts)


def service(text: str, name: str = "llm", **beside: str) -> Workload:
    return next(w for w in reading(text, **beside).workloads if w.name == name)


def launch(workload: Workload) -> Launch:
    return workload.containers[0].processes[0]


def argv(workload: Workload) -> list[str]:
    return [token.text for token in launch(workload).argv]


def places(workload: Workload) -> list[str]:
    return [f"{t.location.line}:{t.location.column}" for t in launch(workload).argv]


def observation(workload: Workload, fact: str, key: str = "") -> Observation:
    found = [
        o for o in (*workload.observations, *workload.containers[0].observations) if o.fact == fact and o.key == key
    ]
    assert len(found) == 1, (fact, found)
    return found[0]


def value(workload: Workload, fact: str, key: str = "") -> Value:
    found = observation(workload, fact, key).value
    assert not isinstance(found, Unknown), found
    return found


def reason(workload: Workload, fact: str, key: str = "") -> str:
    found = observation(workload, fact, key).value
    assert isinstance(found, Unknown), found
    return found.reason


ORDINARY = """\
name: prod
services:
  llm:
    image: vllm/vllm-openai:v0.8.5
    command: ["--model", "org/m", "--max-model-len", 8192]
    environment: {HF_HOME: /cache, VLLM_USE_V1: 1}
    shm_size: 16gb
    cpus: 8
    mem_limit: 64g
    volumes: [./models:/models:ro, cache:/cache, /plain]
    deploy:
      replicas: 2
      resources:
        reservations:
          memory: 32g
          devices: [{driver: nvidia, count: 2, capabilities: [gpu]}]
    healthcheck: {test: curl -f localhost:8000, interval: 10s, retries: 6, start_period: 2m}
    stop_grace_period: 1m30s
    pull_policy: always
"""


def test_an_ordinary_service() -> None:
    found = service(ORDINARY)
    assert found.id == "compose/Service/llm"
    assert str(found.location) == "compose.yaml:3:3"
    assert argv(found) == ["--model", "org/m", "--max-model-len", "8192"]
    assert places(found) == ["5:15", "5:26", "5:35", "5:54"]
    assert launch(found).implicit_entrypoint
    assert {k: v.value for k, v in launch(found).env.items()} == {"HF_HOME": "/cache", "VLLM_USE_V1": "1"}
    assert value(found, "orchestration.kind") == "Compose"
    assert value(found, "orchestration.replicas.min") == value(found, "orchestration.replicas.max") == 2
    assert value(found, "runtime.image") == "docker.io/vllm/vllm-openai"
    assert value(found, "runtime.image.tag") == "v0.8.5"
    assert value(found, "hardware.gpu.count") == 2
    assert value(found, "hardware.gpu.vendor") == "nvidia"
    assert found.containers[0].gpus == 2
    shm = observation(found, "orchestration.shm.bytes")
    assert shm.value == 16 * 2**30 and str(shm.locations[0]) == "compose.yaml:7:15"
    assert (
        value(found, "orchestration.resources.cpu", "limit")
        == value(found, "orchestration.resources.cpu", "request")
        == 8
    )
    assert value(found, "orchestration.resources.memory.bytes", "limit") == 64 * 2**30
    assert value(found, "orchestration.resources.memory.bytes", "request") == 32 * 2**30
    volumes = {o.key: o.value for o in found.containers[0].observations if o.fact == "orchestration.volumes"}
    assert volumes == {
        "/models": {"type": "hostPath", "source": "./models", "read_only": True},
        "/cache": {"type": "volume", "source": "cache"},
        "/plain": {"type": "volume"},
    }
    probe = {o.key: o.value for o in found.containers[0].observations if o.fact == "orchestration.probe.readiness"}
    assert (probe["command"], probe["period"], probe["failure_threshold"], probe["initial_delay"]) == (
        "curl -f localhost:8000", 10, 6, 120,
    )  # fmt: skip
    assert value(found, "orchestration.termination_grace") == 90
    assert value(found, "orchestration.image_pull_policy") == "Always"


def test_what_a_file_does_not_say_is_a_default_or_not_observed() -> None:
    found = service("services: {llm: {image: x}}\n")
    shm = observation(found, "orchestration.shm.bytes")
    assert (shm.value, shm.origin) == (64 * 2**20, "platform-default")
    assert observation(found, "orchestration.termination_grace").value == 10
    count = observation(found, "hardware.gpu.count")
    assert (count.value, count.origin, count.confidence) == (0, "platform-default", "likely")
    facts = {o.fact for o in (*found.observations, *found.containers[0].observations)}
    assert not facts & {"orchestration.probe.readiness", "orchestration.probe.liveness", "orchestration.tolerations"}
    assert argv(found) == [] and launch(found).implicit_entrypoint


COMMAND = """\
services:
  llm:
    image: x
    command: >
      --model ${MODEL:-org/default} --served-model-name "two words"
      --max-model-len ${LEN} --tensor-parallel-size ${TP}
      --dtype half
"""


def test_a_command_as_text_is_split_after_variables_were_filled_in() -> None:
    found = service(COMMAND, _env="LEN=4096\nFLAGS=--a --b\n")
    assert argv(found) == [
        "--model", "org/default", "--served-model-name", "two words", "--max-model-len", "4096",
        "--tensor-parallel-size", "${TP}", "--dtype", "half",
    ]  # fmt: skip
    assert places(found) == ["5:7", "5:15", "5:37", "5:57", "6:7", "6:23", "6:30", "6:53", "7:7", "7:15"]
    tokens = launch(found).argv
    assert tokens[7].unknown == "variable TP is not set in the compose file or .env"
    assert [str(place) for place in tokens[5].via] == [".env:1:1"]
    assert all(t.unknown is None for i, t in enumerate(tokens) if i != 7)


def test_a_variable_may_hold_several_words() -> None:
    found = service("services: {llm: {image: x, command: --model m $FLAGS}}\n", _env="FLAGS=--dtype half\n")
    assert argv(found) == ["--model", "m", "--dtype", "half"]


def test_a_shell_is_followed_and_dollars_are_undone() -> None:
    found = service(
        "services:\n  llm:\n    image: x\n    environment: [M=org/m]\n    entrypoint: []\n"
        "    command: [bash, -c, 'cd /x && exec vllm serve $${M} --dtype half']\n"
    )
    assert argv(found) == ["vllm", "serve", "org/m", "--dtype", "half"]
    assert places(found) == ["6:40", "6:45", "4:19", "6:57", "6:65"]
    quoted = service("services: {llm: {image: x, entrypoint: 'sh -c \"vllm serve a\"', environment: {A: 1}}}\n")
    assert argv(quoted) == ["vllm", "serve", "a"]
    assert not launch(quoted).implicit_entrypoint


def test_environment_order_and_files() -> None:
    text = (
        "services:\n  llm:\n    image: x\n    env_file: [a.env, {path: gone.env, required: false}]\n"
        "    environment:\n      B: two\n      PASSED:\n      GIVEN:\n"
    )
    found = service(text, _env="GIVEN=yes\n", a_env="A=1\nB=1\n#C=1\nexport D='x y' # no\n")
    env = launch(found).env
    assert {k: v.value for k, v in env.items()} == {"A": "1", "B": "two", "D": "x y", "PASSED": None, "GIVEN": "yes"}
    assert "environment of docker compose" in (env["PASSED"].unknown or "")
    assert str(env["A"].location) == "a.env:1:1" and str(env["B"].location) == "compose.yaml:6:10"
    assert found.containers[0].problems == ()


def test_a_file_of_variables_that_is_not_there_is_said() -> None:
    found = service("services: {llm: {image: x, env_file: llm.env}}\n")
    assert "llm.env, which is not among the sources" in reason(found, "runtime.env")
    assert len(found.containers[0].problems) == 1


def test_fragments_anchors_and_extends() -> None:
    text = """\
x-base: &base
  image: base:1
  shm_size: 1g
services:
  common:
    <<: *base
    command: [--a]
    environment: {A: 1, B: 1}
  llm:
    extends: common
    shm_size: 2g
    environment: {B: 2}
"""
    found = service(text)
    assert value(found, "runtime.image.tag") == "1"
    shm = observation(found, "orchestration.shm.bytes")
    assert shm.value == 2 * 2**30 and shm.locations[0].line == 11
    assert {k: v.value for k, v in launch(found).env.items()} == {"A": "1", "B": "2"}
    assert argv(found) == ["--a"]


def test_extends_from_another_file_and_without_end() -> None:
    other = read(
        tuple(read_yaml("services: {llm: {extends: {file: base.yml, service: b}}}", "d/compose.yaml")),
        [Text(source="d/base.yml", text="services: {b: {image: 'x:2', command: --b}}")],
    ).workloads[0]
    assert argv(other) == ["--b"] and value(other, "runtime.image.tag") == "2"
    assert launch(other).argv[0].location.source == "d/base.yml"
    gone = service("services: {llm: {extends: {file: base.yml, service: b}}}\n")
    assert "base.yml" in gone.containers[0].problems[0]
    loop = service("services: {llm: {image: x, extends: b}, b: {extends: llm}}\n")
    assert loop.containers[0].problems


def _reserved(device: str) -> str:
    return f"deploy: {{resources: {{reservations: {{devices: [{{{device}, capabilities: [gpu]}}]}}}}}}"


@pytest.mark.parametrize(
    ("text", "count", "vendor"),
    [
        (
            "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 4, capabilities: [gpu]}]}}}",
            4,
            "nvidia",
        ),
        (
            "deploy: {resources: {reservations: {devices: [{device_ids: ['0', '2'], capabilities: [gpu]}]}}}",
            2,
            "nvidia",
        ),
        (
            "deploy: {resources: {reservations: {devices: [{device_ids: ['${GPUS}'], capabilities: [gpu]}]}}}",
            3,
            "nvidia",
        ),
        ("deploy: {resources: {reservations: {devices: [{count: all, capabilities: [gpu]}]}}}", None, "nvidia"),
        ("deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", None, "nvidia"),
        ("gpus: all", None, "nvidia"),
        ("gpus: [{driver: amd, count: 2}]", 2, "amd"),
        ("runtime: nvidia", None, "nvidia"),
        ("{runtime: nvidia, environment: {NVIDIA_VISIBLE_DEVICES: '0,1'}}", 2, "nvidia"),
        ("{gpus: all, environment: [CUDA_VISIBLE_DEVICES=3]}", 1, "nvidia"),
        ("{gpus: all, environment: [NVIDIA_VISIBLE_DEVICES=all]}", None, "nvidia"),
        ("devices: [nvidia.com/gpu=all]", None, "nvidia"),
        ("devices: ['/dev/nvidia0:/dev/nvidia0', '/dev/nvidia1', /dev/nvidiactl]", 2, "nvidia"),
        ("devices: [/dev/kfd, /dev/dri]", None, "amd"),
        ("devices: [/dev/dri]", 0, None),
    ],
)
def test_accelerators(text: str, count: int | None, vendor: str | None) -> None:
    body = text if text.startswith("{") else f"{{{text}}}"
    found = service(f"services: {{llm: {{image: x, <<: {body}}}}}\n", _env="GPUS=0,1,2\n")
    if count is None:
        assert "all accelerators of the host" in reason(found, "hardware.gpu.count")
    else:
        assert value(found, "hardware.gpu.count") == count
    vendors = [o.value for o in found.containers[0].observations if o.fact == "hardware.gpu.vendor"]
    assert vendors == ([vendor] if vendor else [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ipc: host", "the host's /dev/shm"),
        ("volumes: [/dev/shm:/dev/shm]", "hostPath mount"),
        ("shm_size: '${SHM}'", "variable SHM is not set"),
        ("shm_size: lots", "Docker size"),
    ],
)
def test_shared_memory_that_is_not_known(text: str, expected: str) -> None:
    assert expected in reason(service(f"services: {{llm: {{image: x, {text}}}}}\n"), "orchestration.shm.bytes")


def test_shared_memory_as_a_mount() -> None:
    found = service("services: {llm: {image: x, tmpfs: '/dev/shm:size=8g'}}\n")
    assert value(found, "orchestration.shm.bytes") == 8 * 2**30
    long = "{type: tmpfs, target: /dev/shm, tmpfs: {size: 4g}}"
    assert (
        value(service(f"services: {{llm: {{image: x, volumes: [{long}]}}}}\n"), "orchestration.shm.bytes") == 4 * 2**30
    )


def test_configuration_that_the_file_holds_itself() -> None:
    text = (
        "services: {llm: {image: x, command: --config /c.yaml, configs: [{source: c, target: /c.yaml}]}}\n"
        "configs: {c: {content: 'dtype: ${D:-half}'}}\n"
    )
    assert service(text).containers[0].launch.files["/c.yaml"].text == "dtype: half"


def test_what_is_no_compose_file_is_said() -> None:
    found = reading("services: {web: {port: 80}}\n")
    assert found.workloads == () and "no service here" in found.unread[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "services: {llm: {image: [1], command: {a: b}, environment: 5, env_file: {}, volumes: x, deploy: y}}",
        "services: {llm: {image: null, command: null, entrypoint: null, healthcheck: [], gpus: {}, extends: [1]}}",
        "services: {llm: {image: '', command: \"'\", devices: [{}], volumes: [{}, null, ':'], configs: [x]}}",
        "services: {llm: {image: x, command: '${', entrypoint: '${A:-${B:-${C}}', working_dir: [1]}}",
        "services: {llm: {image: x, deploy: {replicas: many, resources: {reservations: {devices: [1, {count: x}]}}}}}",
        "services: {llm: 5, other: {command: [[1], {a: 1}, null]}}",
    ],
)
def test_nonsense_raises_nothing(text: str) -> None:
    reading(text + "\n")


@pytest.mark.parametrize(
    ("text", "expected", "unknown"),
    [
        ("a$$b", "a$b", False),
        ("$$${A}", "$1", False),
        ("${A}${E}x", "1x", False),
        ("${E:-d}", "d", False),
        ("${E-d}", "", False),
        ("${N-d}", "d", False),
        ("${N:-${A}}", "1", False),
        ("${N:-${M:-x}}", "x", False),
        ("${A:+yes}${E:+no}", "yes", False),
        ("${A:?must}", "1", False),
        ("${N:?must}", "${N:?must}", True),
        ("$N", "$N", True),
        ("${N:+x}", "", True),
        ("$1 $", "$1 $", False),
        ("${", "${", False),
        ("${A", "${A", True),
    ],
)
def test_interpolation(text: str, expected: str, unknown: bool) -> None:
    env = variables("A=1\nE=\n", ".env")
    token = interpolate(text, next(iter(env.values())).location, env)
    assert (token.text, token.unknown is not None) == (expected, unknown)


@given(st.text("${}:-?+ABx ", max_size=40))
def test_interpolation_takes_any_text(text: str) -> None:
    env = variables("A=1\n", ".env")
    token = interpolate(text, env["A"].location, env)
    if "$" not in text:
        assert token.text == text and token.unknown is None


def test_a_line_of_dollars_takes_bounded_time() -> None:
    env = variables("A=1\n", ".env")
    for text in ("${A:-" * 20_000, "$$" * 100_000, "${A}" * 50_000):
        interpolate(text, env["A"].location, env)


def test_every_compose_file_of_the_corpus_is_read(shared: Path) -> None:
    import json

    index = [json.loads(line) for line in (shared / "corpus" / "index.jsonl").read_text().splitlines()]
    files = [shared / "corpus" / row["file"] for row in index if row["kind"] == "compose" and row["file"]]
    assert len(files) > 50
    workloads = 0
    for path in files:
        evidence = COLLECTOR.collect(Request(uri=str(path), scheme="", target=str(path)), Redactor())
        assert evidence.status == "complete", evidence.errors
        found = read([d for d in evidence.documents if is_compose(d)], evidence.texts)
        workloads += len(found.workloads)
        for workload in found.workloads:
            for process in workload.containers[0].processes:
                assert all(token.location.line > 0 for token in process.argv), (path, workload.name)
    assert workloads > 300


DOUBLED = """\
services:
  llm:
    image: vllm/vllm-openai:v0.10.0
    entrypoint:
      /bin/bash -c "
      cd /w &&
      VLLM_A=1 \\
      VLLM_B=1 \\
      vllm serve m \\
      --dtype $${D} \\
      -tp=$${TP}"
    environment: {D: half, TP: '1'}
"""


def test_words_of_a_script_stand_on_their_own_lines_although_their_dollars_are_doubled():
    made = launch(service(DOUBLED))
    lines = {token.text: [token.location.line, *(place.line for place in token.via)] for token in made.argv}
    assert 10 in lines["half"] and lines["-tp=1"][0] == 11
    assert (made.env["VLLM_A"].location.line, made.env["VLLM_B"].location.line) == (7, 8)
