"""``kubectl askew``: the real kubectl finds the plug-in on PATH, hands its words on and takes its exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

INPUTS = Path(__file__).parent / "inputs"


@pytest.fixture
def kubectl(tmp_path: Path) -> list[str]:
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("needs kubectl")
    plugin = tmp_path / "kubectl-askew"
    plugin.write_text(f"#!{sys.executable}\nfrom askew.cli.main import main\n\nraise SystemExit(main())\n")
    plugin.chmod(0o755)
    return [found]


def run(kubectl: list[str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "KUBECONFIG": os.devnull}
    return subprocess.run([*kubectl, *words], capture_output=True, text=True, timeout=120, env=env, cwd=folder)


def test_it_is_found_and_calls_itself_as_it_was_called(kubectl: list[str], tmp_path: Path):
    assert "kubectl-askew" in run(kubectl, tmp_path, "plugin", "list").stdout
    assert run(kubectl, tmp_path, "askew", "--version").stdout.startswith("askew ")
    shown = run(kubectl, tmp_path, "askew", "--help")
    assert shown.returncode == 0 and "usage: kubectl askew" in shown.stdout
    assert "usage: kubectl askew diff" in run(kubectl, tmp_path, "askew", "diff", "--help").stdout


def test_its_words_and_its_exit_code_are_handed_on(kubectl: list[str], tmp_path: Path):
    for name, dtype in (("a", "bfloat16"), ("b", "float16")):
        (tmp_path / f"{name}.yaml").write_text(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llm}\nspec:\n  template:\n    spec:\n"
            "      containers:\n        - name: engine\n          image: vllm/vllm-openai:v0.8.5\n"
            f"          args: [--model=org/m, --dtype={dtype}]\n"
        )
    found = run(kubectl, tmp_path, "askew", "diff", "a.yaml", "b.yaml")
    assert found.returncode == 1 and "bfloat16 → float16" in found.stdout
    assert run(kubectl, tmp_path, "askew", "diff", "a.yaml", "a.yaml").returncode == 0
    assert run(kubectl, tmp_path, "askew", "no-such-command").returncode == 2
