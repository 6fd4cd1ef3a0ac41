"""Processes of this machine, real ones and those of a /proc of our own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.load import load
from askew.collectors.interface import Evidence, Request, Text
from askew.collectors.process import collect
from askew.evidence.redaction import Redactor
from askew.platforms.process.read import read
from askew.resolve.workload import Snapshot

CANARY = "canary-3c4d5e6f7a8b"

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc, which Linux has")


def evidence(target: str) -> Evidence:
    return collect.COLLECTOR.collect(Request(uri=f"pid:{target}", scheme="pid", target=target), Redactor(b"key"))


def snapshot(target: str) -> Snapshot:
    side = load(f"pid:{target}", "target", Redactor(b"key"))
    (one,) = side.snapshots
    return one


def test_a_real_process(tmp_path: Path):
    script = tmp_path / "bin" / "vllm"
    (tmp_path / "lib" / "python3.12" / "site-packages" / "vllm-0.8.5.dist-info").mkdir(parents=True)
    script.parent.mkdir()
    script.write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    (tmp_path / "settings.yaml").write_text("max-model-len: 4096\n")
    words = [sys.executable, str(script), "serve", "org/llama", "--config", "settings.yaml", "--tensor-parallel-size=2",
             "--api-key", CANARY]  # fmt: skip
    env = {"PATH": os.environ["PATH"], "HF_TOKEN": CANARY, "CUDA_VISIBLE_DEVICES": "0,1", "DB_PASSWORD": CANARY}
    process = subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        found = evidence(str(process.pid))
        one = snapshot(str(process.pid))
    finally:
        process.kill()
        process.communicate()
    assert CANARY not in repr(found) and CANARY not in repr(one)
    facts = one.facts
    assert one.engine is not None and (one.engine.name, one.engine.version) == ("vllm", "0.8.5")
    assert facts["runtime.tensor_parallel_size"].value == 2
    assert facts["runtime.max_model_len"].value == 4096
    assert facts["runtime.max_model_len"].locations[0].source == str(tmp_path / "settings.yaml")
    place = facts["runtime.tensor_parallel_size"].locations[0]
    assert (place.source, place.path) == (f"/proc/{process.pid}/cmdline", "argv[6]")
    assert facts["hardware.gpu.count"].value == 2
    assert facts["orchestration.shm.bytes"].basis == "seen" or not os.path.isdir("/dev/shm")


class Proc:
    """A /proc and its control groups in a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "self").mkdir()

    def add(self, pid: int, parent: int, *words: str, env: str = "", group: str = "/") -> None:
        path = self.folder / str(pid)
        path.mkdir()
        (path / "cmdline").write_bytes("".join(f"{word}\0" for word in words).encode())
        (path / "stat").write_text(f"{pid} (a) b) S {parent} 1 1 0 -1")
        (path / "environ").write_bytes(env.replace(";", "\0").encode())
        (path / "cgroup").write_text(f"0::{group}\n")
        (path / "cwd").symlink_to(self.folder)
        (path / "root").symlink_to("/")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proc:
    (tmp_path / "proc").mkdir()
    (tmp_path / "group").mkdir()
    monkeypatch.setattr(collect, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(collect, "CGROUP", str(tmp_path / "group"))
    return Proc(tmp_path / "proc")


def words(found: Evidence) -> str:
    return next(text.text for text in found.texts if text.source.endswith("/cmdline"))


def test_a_shell_stands_for_what_it_started_and_a_worker_for_what_started_it(proc: Proc):
    proc.add(10, 1, "bash", "/entry.sh")
    proc.add(11, 10, "/usr/bin/python3", "/usr/bin/vllm", "serve", "m")
    proc.add(12, 11, "VLLM::EngineCore")
    proc.add(13, 12, "VLLM::Worker_TP0")
    proc.add(14, 11, "")
    for pid in (10, 11, 12, 13):
        assert '"serve", "m"' in words(evidence(str(pid)))
    proc.add(15, 10, "sleep", "5")  # two programs: which one is meant is not for us to say
    assert "entry.sh" in words(evidence("10"))


def test_processes_that_go_round_in_circles_end(proc: Proc):
    proc.add(20, 21, "ray::A")
    proc.add(21, 20, "ray::B")
    assert evidence("20").status == "complete"


def test_the_lowest_limit_of_the_control_groups_holds(proc: Proc, tmp_path: Path):
    inner = tmp_path / "group" / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    (inner.parent / "memory.max").write_text("34359738368\n")
    (tmp_path / "group" / "memory.max").write_text("68719476736\n")
    (inner / "cpu.max").write_text("400000 100000\n")
    proc.add(30, 1, "python3", "x", group="/a/b")
    limits = next(text.text for text in evidence("30").texts if text.source.endswith("/limits"))
    assert limits.splitlines() == [
        f"==> {inner.parent}/memory.max <==", "34359738368", "", f"==> {inner}/cpu.max <==", "400000 100000",
    ]  # fmt: skip


def test_values_of_variables_that_engines_do_not_know_are_not_read(proc: Proc):
    proc.add(40, 1, "vllm", "serve", env=f"VLLM_USE_V1=1;MY_SETTING={CANARY};HF_TOKEN={CANARY};odd")
    text = next(text.text for text in evidence("40").texts if text.source.endswith("/environ"))
    assert CANARY not in text and 'VLLM_USE_V1\t"1"' in text.splitlines() and "MY_SETTING" in text.splitlines()


def test_files_of_a_process_of_another_user_are_not_read(proc: Proc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (proc.folder / "settings.yaml").write_text("max-model-len: 4096\n")
    proc.add(50, 1, "vllm", "serve", "--config", "settings.yaml", "/nowhere/x.yaml")
    assert any(text.source.endswith("settings.yaml") for text in evidence("50").texts)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert not any(text.source.endswith("settings.yaml") for text in evidence("50").texts)


@pytest.mark.parametrize(
    "words", [["--api-key-file", "key.txt"], ["--hf-token-path=key.txt"], ["--api-key", "key.txt"]]
)
def test_a_file_that_holds_a_key_is_not_read(proc: Proc, words: list[str]):
    (proc.folder / "key.txt").write_text(f"{CANARY}\n")
    (proc.folder / "settings.yaml").write_text("max-model-len: 4096\n")
    proc.add(51, 1, "vllm", "serve", "m", *words, "--config=settings.yaml")
    found = evidence("51")
    assert CANARY not in repr(found)
    assert any(text.source.endswith("settings.yaml") for text in found.texts)


@pytest.mark.parametrize("target", ["", "0", "abc", "-1", "99999999999", "4711x", "../1", "٣"])
def test_what_is_no_process(proc: Proc, target: str):
    found = evidence(target)
    assert found.status == "failed" and found.errors[0].hint


def test_variables_that_may_not_be_read_are_said(proc: Proc):
    proc.add(60, 1, "vllm", "serve", "m")
    (proc.folder / "60" / "environ").unlink()
    found = evidence("60")
    assert found.status == "partial" and "variables" in found.reason


def test_a_process_that_ends_while_it_is_read():
    process = subprocess.Popen(["sleep", "60"])
    process.kill()
    process.wait()
    time.sleep(0.01)
    assert evidence(str(process.pid)).status == "failed"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_no_text_is_an_exception(cmdline: str, environ: str, cwd: str):
    folder = "/proc/7"
    read((), [Text(source=f"{folder}/cmdline", text=cmdline), Text(source=f"{folder}/environ", text=environ),
              Text(source=f"{folder}/cwd", text=cwd)])  # fmt: skip
    read((), [Text(source=f"{folder}/cmdline", text='["a", "b"]'), Text(source=f"{folder}/environ", text=environ)])
