"""All checks over the public manifests that were collected: findings point into the file, none is about bystanders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from askew.app.pipeline import Options, check

KINDS = ("k8s-manifest", "compose", "live-dump", "systemd")
# Read by hand: what these files do is right, and a rule that looks at text alone would report it.
RIGHT = {
    "kubernetes-sigs__lws/docs/examples/vllm/GPU/lws.yaml": "tensor-parallel-exceeds-gpus",  # 8 × 2 over two pods of 8
    "kubernetes-sigs__lws/docs/examples/vllm/TPU/lws.yaml": "tensor-parallel-exceeds-gpus",
    "sgl-project__rbg/examples/inference/pd-disagg-leader-worker.yaml": "shm-default-with-tensor-parallelism",
    "ray-project__kuberay/ray-operator/config/samples/ray-service.deepseek.yaml": "shm-default-with-tensor-parallelism",
    "NVIDIA__KAI-Scheduler/docs/quickstart/pods/gpu-pod.yaml": "floating-image-tag",  # a pod that tries a scheduler
    "ROCm__k8s-device-plugin/example/pod/pytorch.yaml": "floating-image-tag",
}


def files(shared: Path) -> Iterator[tuple[str, Path]]:
    seen = set()
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        name = record["file"]
        if not name or record["kind"] not in KINDS or name in seen:
            continue
        seen.add(name)
        if (path := shared / "corpus" / name).exists():
            yield name.removeprefix("files/"), path


def test_findings_point_into_the_file(shared: Path) -> None:
    found: set[tuple[str, str]] = set()
    for name, path in files(shared):
        report = check(str(path), None, Options())
        for workload in report.workloads:
            for finding in workload.findings:
                found.add((name, finding.rule))
                first = finding.locations[0]
                assert first.source == str(path) and first.line, (name, finding.rule, first)
                assert finding.remedies, (name, finding.rule)
    assert len({rule for _, rule in found}) >= 4, "the corpus holds examples of common mistakes"
    assert [(name, rule) for name, rule in RIGHT.items() if (name, rule) in found] == []
