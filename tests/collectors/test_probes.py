"""What is asked inside a container: commands that only read, and outputs without secrets."""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.collectors.probes import PROBES, Probe, argv, text_of
from askew.evidence.redaction import Redactor

CANARY = "canary-4f1d9c0b7e2a"
_BY_NAME = {probe.name: probe for probe in PROBES}
_WRITES = ("rm", "mv", "cp", "tee", "dd", "kill", "python", "pip", "curl", "wget", "reset", "nsenter", "chmod", "touch")


def test_names_are_distinct_and_every_probe_is_bounded():
    assert len(_BY_NAME) == len(PROBES)
    for probe in PROBES:
        assert probe.why and 0 < probe.seconds <= 30 and 0 < probe.limit <= 4 * 2**20
        assert probe.name.replace("-", "").isalnum()


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_no_probe_writes_anything(probe: Probe):
    text = " ".join(probe.argv)
    words = text.replace("|", " ").replace(";", " ").split()
    assert not set(words) & set(_WRITES)
    assert ">" not in text.replace("2>/dev/null", "")


def test_command_lines_come_out_word_by_word_without_secrets():
    output = (
        b"==> /proc/1/cmdline <==\n/bin/sh\0-c\0exec vllm serve m --api-key " + CANARY.encode() + b"\0\n"
        b"==> /proc/2/cmdline <==\n\n"
        b"==> /proc/7/cmdline <==\nvllm\0serve\0m\0--api-key\0" + CANARY.encode() + b"\0--max-model-len\x004096\0\n"
        b"==> /proc/9/cmdline <==\nVLLM::EngineCore\0\0\0\0\0\0"
    )
    text = text_of(_BY_NAME["processes"], output, Redactor(b"key"))
    lines = [line.split("\t") for line in text.splitlines()]
    assert [number for number, _ in lines] == ["1", "7", "9"]
    words = json.loads(lines[1][1])
    assert words[:4] == ["vllm", "serve", "m", "--api-key"] and words[5:] == ["--max-model-len", "4096"]
    assert json.loads(lines[2][1]) == ["VLLM::EngineCore"]
    assert CANARY not in text


def test_of_variables_only_names_stay():
    output = f"PATH=/bin\nHF_TOKEN={CANARY}\n{CANARY} more\nVLLM_USE_V1\n".encode()
    assert text_of(_BY_NAME["environment"], output, Redactor(b"key")).split() == ["HF_TOKEN", "PATH", "VLLM_USE_V1"]


def test_paths_of_the_launch_are_asked_for_and_nothing_else():
    words = ["/opt/venv/bin/vllm", "serve", "/models/llama", "--config=/etc/vllm/config.yaml", "--chat-template",
             "/etc/t.jinja", "--x", "rel/ative.yaml", "/a\nb.yaml"]  # fmt: skip
    assert argv(_BY_NAME["files"], words) == ("sha256sum", "--", "/etc/vllm/config.yaml", "/etc/t.jinja")
    assert argv(_BY_NAME["model"], words) == ("ls", "-lnLA", "--", "/models/llama")
    assert argv(_BY_NAME["files"], ["vllm", "serve", "org/model"]) == ()
    assert argv(_BY_NAME["shm"], words) == ("df", "-kP", "/dev/shm")


@pytest.mark.parametrize("name", ["processes", "environment", "shm", "limits", "cpu", "packages"])
def test_the_commands_work_as_they_are_written(name: str):
    probe = _BY_NAME[name]
    try:
        done = subprocess.run(probe.argv, capture_output=True, timeout=20, check=False)
    except OSError:
        pytest.skip(f"needs {probe.argv[0]}")
    text = text_of(probe, done.stdout, Redactor(b"key"))
    if name == "processes" and done.stdout:
        assert all(json.loads(line.split("\t")[1]) for line in text.splitlines())
        assert "head -c 65536 /proc/[0-9]*/cmdline" in text
    assert len(text.encode()) <= 8 * probe.limit


@given(st.sampled_from(PROBES), st.binary(max_size=400))
def test_no_output_is_refused(probe: Probe, output: bytes):
    text_of(probe, output, Redactor(b"key"))


@given(st.binary(max_size=200))
def test_a_secret_in_a_command_line_never_comes_through(noise: bytes):
    output = b"==> /proc/7/cmdline <==\nvllm\0--api-key\0" + CANARY.encode() + b"\0" + noise
    assert CANARY not in text_of(_BY_NAME["processes"], output, Redactor(b"key"))
