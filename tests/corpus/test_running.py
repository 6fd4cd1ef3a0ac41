"""Real manifests as a cluster shows them while they run, with pods as admission leaves them: nothing differs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from askew.app.load import load
from askew.app.pipeline import Options, check, diff
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import read
from askew.platforms.kubernetes.observe import scalar
from tests.corpus.files import Sample, samples, some
from tests.platforms.kubernetes.apiserver import as_live

Doc = dict[str, Any]
OF_RUNNING = frozenset(
    {
        *("replicas-differ", "pods-differ-from-template", "rollout-incomplete", "config-changed-after-start"),
        *("autoscaler-not-scaling", "engine-restarts"),
    }
)
_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


def running(sample: Sample) -> list[Doc]:
    """The objects of a manifest, live, and two pods for each that has a template; none where it has none."""
    text = sample.path.read_text(encoding="utf-8")
    plain = [scalar(document.root.value) for document in read(text, "a.yaml").documents]
    found = [as_live(one) for one in plain if isinstance(one, dict) and "kind" in one]
    pods = [pod for one in found for pod in _pods(one)]
    return [*found, *pods] if pods else []


def _pods(one: Doc) -> Iterator[Doc]:
    spec = one.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    if one["kind"] not in _KINDS or not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return
    metadata, own = one["metadata"], template.get("metadata") or {}
    names = [c.get("name") for c in template["spec"].get("containers") or [] if isinstance(c, dict)]
    started = {"running": {"startedAt": "2099-01-01T00:00:00Z"}}
    for number in range(2):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{metadata['name']}-aaa-{number}",
                "namespace": metadata.get("namespace", "default"),
                "labels": {**(own.get("labels") or {}), "pod-template-hash": "aaa"},
                "annotations": own.get("annotations") or {},
                "ownerReferences": [
                    {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": metadata["name"], "controller": True}
                ],
            },
            "spec": copy.deepcopy(template["spec"]),
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {"name": name, "imageID": f"x@sha256:{'ab' * 32}", "restartCount": 0, "state": started}
                    for name in names
                ],
            },
        }
        yield as_live(pod)


def test_what_runs_is_what_was_written(shared: Path, tmp_path: Path) -> None:
    tried = replicas = 0
    manifests = [one for one in samples(shared) if one.kind == "k8s-manifest"]
    for sample in some(manifests, 120):
        side = load(str(sample.path), "target", Redactor())
        if not side.snapshots or side.errors or not (objects := running(sample)):
            continue
        tried += 1
        live = tmp_path / f"{tried}.json"
        live.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        for left, right in ((sample.path, live), (live, sample.path)):
            report = diff(str(left), str(right), Options())
            assert not [f.summary for w in report.workloads for f in w.findings], sample
        replicas += sum(len(one.workload.replicas) for one in load(str(live), "target", Redactor()).snapshots)
        report = check(str(live), None, Options())
        assert not [f.summary for w in report.workloads for f in w.findings if f.rule in OF_RUNNING], sample
    assert tried > 20 and replicas > 40, (tried, replicas)
