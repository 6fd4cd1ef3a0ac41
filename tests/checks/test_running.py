"""How grave what a workload's own status says is: what may come right by itself is not what nobody will mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.pipeline import Options, check
from askew.checks.running import deployment, pod

_WAITING = "{waiting: {reason: %s}}"
_PENDING = """\
---
apiVersion: v1
kind: Pod
metadata:
  name: llm-bbb-1
  namespace: prod
  labels: {app: llm, pod-template-hash: bbb}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: llm-bbb, controller: true}]
spec: {containers: [{name: engine, image: "vllm/vllm-openai:v0.8.5"}]}
status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable}]}
"""
_HPA = """\
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm, namespace: prod, creationTimestamp: %s}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}, maxReplicas: 4}
status:
  conditions:
    - {type: ScalingActive, status: "False", reason: FailedGetPodsMetric, lastTransitionTime: "2026-01-02T10:00:00Z"}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {conditions: [{type: Ready, status: "True", lastHeartbeatTime: %s}]}
"""
_GAVE_UP = (
    "{observedGeneration: 2, replicas: 3, updatedReplicas: 1, "
    "conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded}]}"
)


def severity(folder: Path, rule: str, text: str) -> str:
    path = folder / "dump.yaml"
    path.write_text(text, encoding="utf-8")
    found = [one for workload in check(str(path), None, Options()).workloads for one in workload.findings]
    return next(one.severity for one in found if one.rule == rule)


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        (deployment() + pod("llm-aaa-1") + _PENDING, "low"),
        (deployment(_GAVE_UP) + pod("llm-aaa-1") + _PENDING, "medium"),
        (deployment() + pod("llm-aaa-1", state=_WAITING % "CrashLoopBackOff"), "medium"),
        (deployment("{observedGeneration: 1, replicas: 2, updatedReplicas: 2}"), "info"),
    ],
    ids=["a node may be about to join", "the controller gave up", "it does not start", "changed a moment ago"],
)
def test_a_rollout(tmp_path: Path, objects: str, expected: str) -> None:
    assert severity(tmp_path, "rollout-incomplete", objects) == expected


_MOVING = "{observedGeneration: 2, replicas: 2, updatedReplicas: 0, readyReplicas: 1}"
_DONE = "{observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2}"


@pytest.mark.parametrize(("status", "expected"), [(_MOVING, "low"), (_DONE, "high")])
def test_old_pods_while_the_first_new_one_is_made_room_for(tmp_path: Path, status: str, expected: str) -> None:
    ends = pod("llm-aaa-2", length="4096").replace("  namespace: prod", "  namespace: prod\n  deletionTimestamp: now")
    objects = deployment(status) + pod("llm-aaa-1", length="4096") + ends
    assert severity(tmp_path, "pods-differ-from-template", objects) == expected


_SETTINGS = """\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: prod
  creationTimestamp: "2026-01-01T00:00:00Z"
  managedFields: [{manager: edit, operation: Update, time: "2026-01-02T10:40:00Z", fieldsV1: {"f:data": {"f:A": {}}}}]
data: {A: b}
"""


@pytest.mark.parametrize(("status", "expected"), [(_MOVING, "low"), (_DONE, "medium")])
def test_a_change_that_is_being_rolled_out(tmp_path: Path, status: str, expected: str) -> None:
    assert (
        severity(tmp_path, "config-changed-after-start", deployment(status) + pod("llm-aaa-1") + _SETTINGS) == expected
    )


@pytest.mark.parametrize(("latest", "expected"), [("2026-01-02T10:01:00Z", "low"), ("2026-01-02T11:00:00Z", "high")])
def test_an_autoscaler_of_a_minute_ago_may_get_its_metrics_yet(tmp_path: Path, latest: str, expected: str) -> None:
    objects = deployment() + _HPA % ("2026-01-02T10:00:00Z", latest)
    assert severity(tmp_path, "autoscaler-not-scaling", objects) == expected
