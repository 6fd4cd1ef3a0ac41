"""Captured logs as users give them: alone, joined to what was deployed, beside the command that started the engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from askew.cli.run import run
from tests.engines.logs import excerpt

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.11.0
          args: [--model, org/large, --max-model-len, "16384", --tensor-parallel-size, "8", --kv-cache-dtype, fp8]
          resources: {limits: {nvidia.com/gpu: 8}}
"""
LOG = excerpt("vllm/0.11.0")

# Recordings and the files that their commands name, which are not among them.
SILENT = (
    "tritonserver-2.51.0-from-pytriton",
    "torchserve-0.12.0",
    "kserve-0.21.0",
    "bentoml-1.4.39",
    "vllm-0.30.0/a-defaults",
    "vllm-0.32.0/a-defaults",
    "vllm-0.32.0/a-defaults-first-run-no-pip-in-venv",
    "sglang-0.5.23/cpu-torch_native",
)


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    (tmp_path / "deploy.yaml").write_text(DEPLOYMENT)
    (tmp_path / "a.log").write_text(LOG)
    return tmp_path


def test_what_came_of_one_manifest_on_two_days(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (deployed / "b.log").write_text(
        LOG.replace("FlashInfer backend", "Flash Attention backend").replace("1,234,560", "987,648")
    )
    manifest = deployed / "deploy.yaml"
    assert run(["diff", f"{manifest}+log:{deployed / 'a.log'}", f"{manifest}+log:{deployed / 'b.log'}"]) == 0  # low
    shown = capsys.readouterr().out
    assert "runtime.attention_backend: flashinfer → flash_attn" in shown
    assert "runtime.kv_cache.tokens: 1234560 → 987648" in shown
    assert f"{deployed / 'a.log'}:9" in shown and f"{deployed / 'b.log'}:13" in shown
    assert "2 findings" in shown and "canary" not in shown


def test_a_little_more_or_less_memory_is_no_difference(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (deployed / "b.log").write_text(LOG.replace("1,234,560", "1,234,000").replace("35.50 GiB", "35.48 GiB"))
    assert run(["diff", f"log:{deployed / 'a.log'}", f"log:{deployed / 'b.log'}"]) == 0
    assert "no differences" in capsys.readouterr().out


def test_what_the_manifest_left_open_the_log_shows(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["facts", f"{deployed / 'deploy.yaml'}+log:{deployed / 'a.log'}", "--format", "json"]) == 0
    (workload,) = json.loads(capsys.readouterr().out)["workloads"]
    assert workload["id"] == "prod/Deployment/llm" and workload["engine"]["version"] == "0.11.0"
    dtype = workload["facts"]["runtime.dtype"]
    assert dtype["value"] == "bfloat16" and dtype["origin"] == "reported" and dtype["location"]["line"] == 8


def test_pods_of_one_log_that_differ(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = LOG.replace("1,234,560", "900,000").splitlines()
    both = "".join(
        f"[pod/llm-0/vllm] {line}\n[pod/llm-1/vllm] {theirs}\n"
        for line, theirs in zip(LOG.splitlines(), other, strict=True)
    )
    (deployed / "both.log").write_text(both)
    assert run(["facts", f"log:{deployed / 'both.log'}"]) == 0
    shown = capsys.readouterr().out
    assert "1234560" in shown and "900000" in shown and "llm-1" in shown


def test_a_log_in_which_no_engine_speaks(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (deployed / "c.log").write_text("hello\nworld\n")
    assert run(["facts", f"log:{deployed / 'c.log'}"]) == 2
    assert "no line of it is one that a known engine writes" in capsys.readouterr().err
    assert run(["check", f"log:{deployed / 'c.log'}"]) == 2
    shown = capsys.readouterr().out
    assert "no workload was checked" in shown and "aligned" not in shown
    assert run(["facts", f"{deployed / 'deploy.yaml'}+log:{deployed / 'c.log'}"]) == 2
    captured = capsys.readouterr()
    assert "no line of it is one that vllm writes" in captured.err and "tensor_parallel_size" in captured.out


def test_a_log_that_is_not_there(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["facts", f"log:{deployed / 'none.log'}"]) == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", SILENT)
def test_a_recorded_log_agrees_with_its_command(shared: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "recordings" / name
    command, log = json.loads((folder / "command.json").read_text())["cmd"], f"log:{folder / 'startup.log'}"
    for sides in ((f"cmd:{' '.join(command)}", log), (log, f"cmd:{' '.join(command)}")):
        assert run(["diff", *sides]) == 0
        assert "no differences" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("vllm-0.32.0/a-defaults", ("512", "1024"), "runtime.max_model_len: 1024 → 512"),
        (
            "sglang-0.5.23/cpu-torch_native",
            ("torch_native", "triton"),
            "runtime.attention_backend: triton → torch_native",
        ),
        ("torchserve-0.12.0", ("doubler=doubler.mar", "other=other.mar"), "model.served_names: other → doubler"),
        ("tritonserver-2.51.0-from-pytriton", ("--http-port=18010", "--http-port=8000"), "serving.port: 8000 → 18010"),
        ("bentoml-1.4.39", ("18070", "3000"), "serving.port: 3000 → 18070"),
    ],
)
def test_one_change_is_found(
    shared: Path, name: str, change: tuple[str, str], found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared / "recordings" / name
    command = " ".join(json.loads((folder / "command.json").read_text())["cmd"])
    assert change[0] in command
    run(["diff", f"cmd:{command.replace(*change)}", f"log:{folder / 'startup.log'}"])
    shown = capsys.readouterr().out
    assert found in shown and "1 finding" in shown
