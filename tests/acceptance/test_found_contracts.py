"""Contracts and locks that lie in the working directory speak of the workloads that they cover, and of no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.cli.run import run

DEPLOY = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: ["--model=org/m", "--max-num-seqs=64", "--max-model-len=8192"]
          resources: {limits: {nvidia.com/gpu: "1"}}
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.yaml").write_text(DEPLOY)
    return tmp_path


@pytest.mark.parametrize("command", ["init", "lock"])
def test_what_covers_the_workload_is_held_against_it(
    command: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "deploy.yaml"]) == 0
    assert run(["check", "deploy.yaml"]) == 0
    (directory / "deploy.yaml").write_text(DEPLOY.replace("8192", "4096"))
    capsys.readouterr()
    assert run(["check", "deploy.yaml"]) == 1
    out, err = capsys.readouterr()
    assert "runtime.max_model_len" in out
    assert ("modelspec.yaml" if command == "init" else "askew.lock") in err and "cover" not in err


@pytest.mark.parametrize("command", ["init", "lock"])
def test_another_workload_is_not_compared_and_that_is_said(
    command: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "deploy.yaml"]) == 0
    (directory / "other.yaml").write_text(DEPLOY.replace("name: llm", "name: embed").replace("org/m", "org/e"))
    capsys.readouterr()
    assert run(["check", "other.yaml"]) == 0
    out, err = capsys.readouterr()
    assert "model.id" not in out
    assert "runs nothing that they cover" in err
