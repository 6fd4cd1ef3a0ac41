"""The measure of coverage on real files, and the goals it holds the readers to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.coverage import __main__ as command
from tools.coverage.measure import ENGINES, measure
from tools.coverage.page import page

LAUNCH = """\
kind: Deployment
apiVersion: apps/v1
metadata: {name: llm}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.33.0
          args: [--model=m, --dtype=half, --no-such-thing=1]
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    files = {
        "o__r/llm.yaml": ("k8s-manifest", LAUNCH),
        "o__r/cfg.yaml": ("k8s-manifest", "kind: ConfigMap\napiVersion: v1\n"),
        "o__r/values.yaml": ("helm-values", "image: {tag: v1}\nreplicaCount: 1\n"),
        "o__r/nvidia.txt": ("nvidia-smi", "not a deployment"),
    }
    rows = []
    for name, (kind, text) in files.items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        rows.append(json.dumps({"file": f"files/{name}", "kind": kind}))
    (tmp_path / "index.jsonl").write_text("\n".join([*rows, json.dumps({"file": None, "kind": "compose"})]))
    return tmp_path


def test_launches_facts_and_files_are_counted(corpus: Path) -> None:
    found = measure(corpus)
    vllm = found.launches["vllm"]
    assert (vllm.count, vllm.mapped, vllm.unmapped) == (1, 2, [("--no-such-thing", "o__r/llm.yaml:10")])
    assert vllm.facts["runtime.dtype"]["known"] == 1
    assert vllm.facts["runtime.max_input_tokens"]["unsupported"] == 1
    assert {kind: (one.read, one.refused.total()) for kind, one in found.files.items()} == {
        "k8s-manifest": (1, 1),
        "helm-values": (0, 1),
    }
    text = page(found)
    assert text == page(measure(corpus))
    assert "| vLLM | `--no-such-thing` | `o__r/llm.yaml:10` |" in text
    assert str(corpus) not in text


def test_the_command_writes_and_checks_the_page(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "docs" / "coverage.md"
    monkeypatch.setattr(command, "PAGE", written)
    monkeypatch.setattr(command, "MEASURED", tmp_path / "measured.json")

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["coverage", *words])
        return command.main()

    assert run(str(corpus), "--check") == 1
    assert run(str(corpus)) == 0
    assert run(str(corpus), "--check") == 0
    assert run(str(tmp_path / "nowhere")) == 2
    assert run(str(tmp_path / "nowhere"), "--check") == 0
    assert "no corpus" in capsys.readouterr().err


def test_the_arguments_of_real_launches_are_known(shared: Path) -> None:
    found = measure(shared / "corpus")
    for name in ENGINES:
        one = found.launches[name]
        assert one.share >= 0.97, (name, one.unmapped, one.strange)
    assert {name for name in ENGINES if found.launches[name].count > 10} >= {"vllm", "sglang", "tgi", "llama.cpp"}
    assert found.files["k8s-manifest"].read > 500
    assert found.files["compose"].read > 80
    assert command.PAGE.exists(), "python -m tools.coverage writes it"
