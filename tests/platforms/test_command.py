"""Command lines as people paste them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.collectors.interface import Text
from askew.facts.types import Value
from askew.platforms.command import read
from askew.platforms.words import split
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Workload


def command(text: str) -> Workload:
    found = read([Text(source="cmd:", text=text)])
    assert found.unread == (), found.unread
    (workload,) = found.workloads
    return workload


def argv(workload: Workload) -> list[str]:
    return [token.text for token in workload.containers[0].processes[-1].argv]


def columns(workload: Workload) -> list[int]:
    return [token.location.column for token in workload.containers[0].processes[-1].argv]


def observation(workload: Workload, fact: str, key: str = "") -> Observation:
    found = [o for o in workload.containers[0].observations if o.fact == fact and o.key == key]
    assert len(found) == 1, (fact, found)
    return found[0]


def value(workload: Workload, fact: str, key: str = "") -> Value | Unknown:
    return observation(workload, fact, key).value


def test_a_plain_command() -> None:
    text = "vllm serve org/m --dtype half --max-model-len '8192'"
    found = command(text)
    assert found.id == "command/Process/vllm"
    assert argv(found) == ["vllm", "serve", "org/m", "--dtype", "half", "--max-model-len", "8192"]
    assert [text[c - 1 :].lstrip("'")[:2] for c in columns(found)] == ["vl", "se", "or", "--", "ha", "--", "81"]
    assert all(t.location.source == "cmd:" and t.location.line == 1 for t in found.containers[0].launch.argv)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("python3 -m vllm.entrypoints.openai.api_server --model m", "vllm"),
        ("python -m sglang.launch_server --model-path m", "sglang"),
        ("/opt/bin/text-generation-launcher --model-id m", "text-generation-launcher"),
        ("python -u serve.py", "serve"),
        ("cd /x && export A=1 && CUDA_VISIBLE_DEVICES=0 exec vllm serve m", "vllm"),
        ("pip install vllm\nvllm serve m", "vllm"),
        ("nohup vllm serve m > log 2>&1 &", "vllm"),
        ("docker run --gpus all vllm/vllm-openai:v1 --model m", "vllm-openai"),
        ("docker run --name llm --gpus all vllm/vllm-openai:v1", "llm"),
        ("sudo docker run --gpus all vllm/vllm-openai:v1", "vllm-openai"),
    ],
)
def test_names_are_stable(text: str, name: str) -> None:
    assert command(text).name == name


def test_variables_before_and_around_the_command() -> None:
    found = command("export A=1; M=org/m; CUDA_VISIBLE_DEVICES=0,1,2 vllm serve $M --max-model-len ${LEN:-4096}")
    assert argv(found) == ["vllm", "serve", "org/m", "--max-model-len", "4096"]
    assert value(found, "hardware.gpu.count") == 3
    assert isinstance(value(command("vllm serve m"), "hardware.gpu.count"), Unknown)


README = """\
docker run --runtime nvidia --gpus all \\
    -v ~/.cache/huggingface:/root/.cache/huggingface \\
    --env "HF_HOME=/x y" \\
    -p 8000:8000 \\
    --ipc=host -it --rm \\
    vllm/vllm-openai:v0.8.5 \\
    --model org/m --dtype half
"""


def test_docker_run_as_a_readme_has_it() -> None:
    found = command(README)
    container = found.containers[0]
    assert argv(found) == ["--model", "org/m", "--dtype", "half"]
    assert [(t.location.line, t.location.column) for t in container.launch.argv] == [(7, 5), (7, 13), (7, 19), (7, 27)]
    assert container.launch.implicit_entrypoint
    assert container.launch.env["HF_HOME"].value == "/x y"
    assert value(found, "runtime.image.tag") == "v0.8.5"
    shm = value(found, "orchestration.shm.bytes")
    assert isinstance(shm, Unknown) and "the host's /dev/shm" in shm.reason
    count = value(found, "hardware.gpu.count")
    assert isinstance(count, Unknown) and "all accelerators" in count.reason
    volume = value(found, "orchestration.volumes", "/root/.cache/huggingface")
    assert volume == {"type": "hostPath", "source": "~/.cache/huggingface"}


@pytest.mark.parametrize(
    ("flags", "fact", "expected"),
    [
        ("--gpus 2", "hardware.gpu.count", 2),
        ("--gpus=device=0", "hardware.gpu.count", 1),
        ("--gpus '\"device=0,2\"'", "hardware.gpu.count", 2),
        ("--gpus '\"device=0,1\",capabilities=utility'", "hardware.gpu.count", 2),
        ("--gpus count=3", "hardware.gpu.count", 3),
        ("--gpus all -e NVIDIA_VISIBLE_DEVICES=0,1", "hardware.gpu.count", 2),
        ("--device nvidia.com/gpu=0 --device=nvidia.com/gpu=1", "hardware.gpu.count", 2),
        ("--device /dev/kfd --device /dev/dri", "hardware.gpu.vendor", "amd"),
        ("--runtime=habana", "hardware.gpu.vendor", "intel"),
        ("", "hardware.gpu.count", 0),
        ("--shm-size 1g", "orchestration.shm.bytes", 2**30),
        ("--shm-size=512m --shm-size=2g", "orchestration.shm.bytes", 2 * 2**30),
        ("--tmpfs /dev/shm:rw,size=1g", "orchestration.shm.bytes", 2**30),
        ("", "orchestration.shm.bytes", 64 * 2**20),
        ("--stop-timeout 120", "orchestration.termination_grace", 120),
        ("--pull=always", "orchestration.image_pull_policy", "Always"),
    ],
)
def test_flags_of_docker_run(flags: str, fact: str, expected: Value) -> None:
    assert value(command(f"docker run {flags} org/image:v1 --model m"), fact) == expected


@pytest.mark.parametrize(
    "flags",
    ["-it --rm", "-itd", "-dp 80:80", "-p80:80", "-eA=1 -e B", "--network host --restart always", "--init=true",
     "-u 0 -w /x", "--security-opt seccomp=unconfined --cap-add SYS_PTRACE", "--",
     "--ulimit memlock=-1 --ulimit stack=67108864"],
)  # fmt: skip
def test_flags_never_swallow_the_image(flags: str) -> None:
    found = command(f"docker run {flags} org/image:v1 --model m")
    assert value(found, "runtime.image") == "docker.io/org/image"
    assert argv(found) == ["--model", "m"]


def test_entrypoint_and_shell_inside_of_a_container() -> None:
    found = command("docker run --entrypoint /bin/bash --gpus 1 org/image:v1 -c 'pip install x && vllm serve m --tp 1'")
    assert argv(found) == ["vllm", "serve", "m", "--tp", "1"]
    python = command("podman run --entrypoint python3 image:1 -m sglang.launch_server --tp 2")
    assert argv(python) == ["python3", "-m", "sglang.launch_server", "--tp", "2"]
    assert not python.containers[0].launch.implicit_entrypoint


def test_a_file_of_variables_and_one_of_the_caller() -> None:
    found = command("docker run --env-file x.env -e HF_HOME image:1")
    assert isinstance(value(found, "runtime.env"), Unknown)
    assert "environment of the caller" in (found.containers[0].launch.env["HF_HOME"].unknown or "")


@pytest.mark.parametrize(
    "text", ["", "cd /x", "export A=1", "docker run --gpus all", "docker run", "'", "$(", "&&", "# x"]
)
def test_what_starts_nothing_is_said(text: str) -> None:
    found = read([Text(source="cmd:", text=text)])
    assert (found.workloads == () and found.unread[0].reason) or len(found.workloads) == 1


@given(st.text("docker run-vl serv'\"\\$(){};&| \n=/:.", max_size=80))
def test_any_text_is_read_without_error(text: str) -> None:
    read([Text(source="cmd:", text=text), Text(source="cmd:", text="docker run " + text)])


@given(st.lists(st.text("ab c'", min_size=1, max_size=8), min_size=1, max_size=8))
def test_quoted_words_come_back(words: list[str]) -> None:
    import shlex

    text = " ".join(shlex.quote(word) for word in words)
    found = split(text)
    assert [word.text for word in found] == words
    assert [shlex.split(text[word.start : word.end])[0] for word in found] == words
