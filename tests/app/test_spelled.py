"""Defaults that one side spells out: options and variables that no fact describes."""

from __future__ import annotations

import pytest

from askew.app.pipeline import Options, diff
from askew.report.render import render

POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: llm}}
spec:
  containers:
    - name: engine
      image: vllm/vllm-openai:v{version}
      args: ["--model=m"{words}]
      env: [{env}]
"""


def findings(tmp_path, one, two):
    import json

    for name, (version, words, env) in (("a", one), ("b", two)):
        written = "".join(f', "{word}"' for word in words.split())
        variables = ", ".join(f"{{name: {k}, value: '{v}'}}" for k, v in (pair.split("=") for pair in env.split()))
        (tmp_path / f"{name}.yaml").write_text(POD.format(version=version, words=written, env=variables))
    report = diff(str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), Options())
    (workload,) = json.loads(render(report, "json", color=False, width=100, verbose=False))["workloads"]
    return [
        (one["fact"], one["key"], one["reference"]["value"], one["target"]["value"]) for one in workload["findings"]
        if not one["fact"].startswith(("runtime.engine", "runtime.image"))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "env"),
    [
        ("", "VLLM_ENGINE_ITERATION_TIMEOUT_S=60"),
        ("", "VLLM_USE_RAY_SPMD_WORKER=0"),
        ("", "VLLM_USE_RAY_SPMD_WORKER=false"),
        ("--max-logprobs=20", ""),
        ("--max-num-partial-prefills=1", ""),
    ],
)
def test_a_default_that_is_spelled_out(tmp_path, words, env):
    bare, spelled = ("0.10.0", "", ""), ("0.10.0", words, env)
    for one, two in ((bare, spelled), (spelled, bare)):
        assert not findings(tmp_path, one, two)


def test_another_value_shows_the_default_that_held(tmp_path):
    found = findings(tmp_path, ("0.10.0", "", ""), ("0.10.0", "--max-num-partial-prefills=4", ""))
    assert found == [("runtime.arguments.unmapped", "--max-num-partial-prefills", "1", "4")]
    found = findings(tmp_path, ("0.10.0", "", ""), ("0.10.0", "", "VLLM_ENGINE_ITERATION_TIMEOUT_S=600"))
    assert found == [("runtime.env", "VLLM_ENGINE_ITERATION_TIMEOUT_S", "60", "600")]


def test_a_written_value_stays_when_the_default_moves(tmp_path):
    same = "VLLM_ALLREDUCE_USE_SYMM_MEM=0"
    assert not [one for one in findings(tmp_path, ("0.10.2", "", same), ("0.11.0", "", same)) if one[1] in same]
    moved = findings(tmp_path, ("0.10.2", "", ""), ("0.11.0", "", same))
    assert not [one for one in moved if one[1] == "VLLM_ALLREDUCE_USE_SYMM_MEM"]


def test_what_the_maintainers_know_to_matter_is_not_low(tmp_path):
    import json

    (tmp_path / "a.yaml").write_text(POD.format(version="0.7.3", words="", env=""))
    (tmp_path / "b.yaml").write_text(POD.format(version="0.8.0", words="", env=""))
    report = diff(str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), Options(assume=("hardware.gpu.model=l4",)))
    (workload,) = json.loads(render(report, "json", color=False, width=100, verbose=False))["workloads"]
    found = {(one["fact"], one["key"]): one["severity"] for one in workload["findings"]}
    assert found["runtime.env", "VLLM_USE_V1"] == "high"
    assert found["runtime.arguments.unmapped", "--logprobs-mode"] == "medium"
