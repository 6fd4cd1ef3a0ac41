"""A multi-node group: the worker's own command line counts, and a change made everywhere is told once."""

from __future__ import annotations

import pytest

from askew.app.pipeline import Options, diff

GROUP = """\
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {name: sgl}
spec:
  replicas: 1
  leaderWorkerTemplate:
    size: 2
    leaderTemplate:
      spec:
        containers:
          - name: leader
            image: lmsysorg/sglang:v0.5.3
            command: [python3, -m, sglang.launch_server, --model-path, m/x, --node-rank, "0"]
            args: [--tp, "16", --nnodes, "2"]
    workerTemplate:
      spec:
        containers:
          - name: worker
            image: lmsysorg/sglang:v0.5.3
            command: [python3, -m, sglang.launch_server, --model-path, m/x, --node-rank, $(LWS_WORKER_INDEX)]
            args: [--tp, "16", --nnodes, "2"]
"""
WORKER = '            args: [--tp, "16", --nnodes, "2"]\n'


@pytest.fixture
def found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(changed: str) -> list[tuple[str, str, int]]:
        (tmp_path / "a.yaml").write_text(GROUP)
        (tmp_path / "b.yaml").write_text(changed)
        report = diff("a.yaml", "b.yaml", Options())
        return [(f.rule, f.key, f.target.locations[0].line) for w in report.workloads for f in w.findings if f.target]

    return run


def test_a_group_compared_with_itself_is_silent(found):
    assert found(GROUP) == []


def test_a_change_in_both_is_told_once(found):
    assert found(GROUP.replace('"16"', '"8"')) == [("runtime.tensor_parallel_size", "", 14)]


def test_a_change_in_the_worker_alone_is_found_at_its_line(found):
    head, _, tail = GROUP.rpartition('"16"')
    assert found(head + '"8"' + tail) == [("runtime.arguments.unmapped", "worker: runtime.tensor_parallel_size", 21)]


def test_a_setting_that_only_the_worker_lost_is_found(found):
    head, _, tail = GROUP.rpartition('--tp, "16", ')
    assert found(head + tail) == [("runtime.arguments.unmapped", "worker: runtime.tensor_parallel_size", 18)]


def test_another_image_in_the_worker_is_found(found):
    head, _, tail = GROUP.rpartition("v0.5.3")
    keys = {key for _, key, _ in found(head + "v0.5.4" + tail)}
    assert "worker: runtime.image.tag" in keys
