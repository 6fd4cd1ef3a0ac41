"""What happens to deployments, done to a real one: each shows as the right fact, with both sides and the object that
proves each; what changes nothing shows nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Answer, Ask
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply, change, restart, scale
from tests.cluster.server import Cluster

LLM = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  replicas: 2
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: server
        image: vllm/vllm-openai:v0.8.5
        args: [--model=Qwen/Qwen2.5-32B-Instruct, --dtype, bfloat16, --max-model-len, "32768", --tensor-parallel-size=4]
        envFrom: [{configMapRef: {name: settings}}]
        ports: [{name: http, containerPort: 8000}]
        resources: {limits: {nvidia.com/gpu: 4}}
        readinessProbe: {httpGet: {path: /health, port: http}}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {VLLM_ATTENTION_BACKEND: FLASH_ATTN}
"""
AUTOSCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm}
spec:
  minReplicas: 2
  maxReplicas: 6
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  metrics:
  - type: Pods
    pods: {metric: {name: vllm_num_requests_waiting}, target: {type: AverageValue, averageValue: 10}}
"""
ARGS = ["--model=Qwen/Qwen2.5-32B-Instruct", "--dtype", "bfloat16", "--tensor-parallel-size=4", "--max-model-len"]


@pytest.fixture
def llm(cluster: Cluster, namespace: str, fleet: Fleet) -> str:
    """The source of a deployment that runs well, in a namespace of its own."""
    apply(cluster.admin, SETTINGS + "---\n" + LLM, namespace)
    fleet.settle(namespace)
    return f"k8s:{namespace}/deployment/llm"


def only(got: Answer, fact: str) -> dict[str, Any]:
    """The one finding there is."""
    assert got.facts == [fact], got.err
    return got.findings[0]


def shown(finding: dict[str, Any], side: str) -> tuple[Any, str, str]:
    """Value, object and path of a side."""
    at = finding[side]["location"]
    return finding[side]["value"], at["object"], at["path"]


def test_a_rollout_that_changed_a_flag(cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask) -> None:
    change(cluster.admin, namespace, "llm", {"args": [*ARGS, "16384"]})
    fleet.settle(namespace)
    got = askew("diff", f"{llm}@previous", llm)
    found = only(got, "runtime.max_model_len")
    value, proof, path = shown(found, "reference")
    assert (value, path) == (32768, "spec.template.spec.containers[0].args[4]")
    assert proof.startswith("apps/v1 ReplicaSet ")
    value, proof, path = shown(found, "target")
    assert value == 16384
    assert proof == f"apps/v1 Deployment {namespace}/llm"
    assert path == "spec.template.spec.containers[0].args[5]"
    assert got.code == 1
    assert askew("diff", f"{llm}@revision=1", llm).facts == got.facts
    assert askew("diff", f"{llm}@revision=2", llm).facts == []


def test_a_restart_is_silent(cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask) -> None:
    restart(cluster.admin, namespace, "llm")
    fleet.settle(namespace)
    sets = cluster.admin.items(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
    assert len(sets) == 2
    got = askew("diff", f"{llm}@previous", llm)
    assert (got.code, got.findings) == (0, [])


def test_nothing_to_go_back_to(llm: str, askew: Ask) -> None:
    got = askew("diff", f"{llm}@previous", llm)
    assert got.code == 2
    assert "revision" in got.report["errors"][0]["message"]


def test_a_rollback_is_compared_with_what_ran_last(
    cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask
) -> None:
    change(cluster.admin, namespace, "llm", {"args": [*ARGS, "16384"]})
    fleet.settle(namespace)
    change(cluster.admin, namespace, "llm", {"args": [*ARGS, "32768"]})
    fleet.settle(namespace)
    found = only(askew("diff", f"{llm}@previous", llm), "runtime.max_model_len")
    assert (found["reference"]["value"], found["target"]["value"]) == (16384, 32768)


def found_by(got: Answer, rule: str) -> dict[str, Any]:
    """The finding of this rule."""
    found = [one for one in got.findings if one["rule"] == rule]
    assert len(found) == 1, [one["summary"] for one in got.findings]
    return found[0]


def rules(got: Answer) -> set[str]:
    return {one["rule"] for one in got.findings}


def edit(cluster: Cluster, namespace: str) -> None:
    """Another attention backend, at another second than the pods started."""
    time.sleep(1.1)
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    cluster.admin.patch(path, {"data": {"VLLM_ATTENTION_BACKEND": "FLASHINFER"}})


def test_settings_edited_without_a_restart(
    cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask
) -> None:
    assert "config-changed-after-start" not in rules(askew("check", llm))
    edit(cluster, namespace)
    found = found_by(askew("check", llm), "config-changed-after-start")
    assert "ConfigMap settings changed" in found["summary"]
    objects = [at["object"] for at in found["target"]["locations"]]
    assert objects[0] == f"v1 ConfigMap {namespace}/settings"
    assert {one.split("/")[0] for one in objects[1:]} == {f"v1 Pod {namespace}"} and len(objects) == 3
    time.sleep(1.1)
    restart(cluster.admin, namespace, "llm")
    fleet.settle(namespace)
    assert "config-changed-after-start" not in rules(askew("check", llm))


def test_settings_that_were_touched_and_not_changed(cluster: Cluster, namespace: str, llm: str, askew: Ask) -> None:
    """A label is none of what a process reads."""
    time.sleep(1.1)
    cluster.admin.patch(f"/api/v1/namespaces/{namespace}/configmaps/settings", {"metadata": {"labels": {"a": "b"}}})
    assert "config-changed-after-start" not in rules(askew("check", llm))


def test_one_replica_lags(cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask) -> None:
    change(cluster.admin, namespace, "llm", {"args": [*ARGS, "16384"]})
    started: list[str] = []

    def held(pod: dict[str, Any]) -> bool:
        if "16384" not in pod["spec"]["containers"][0]["args"]:
            return False
        started.extend([] if started else [pod["metadata"]["name"]])
        return pod["metadata"]["name"] not in started

    pods = fleet.settle(namespace, held=held)
    old = next(pod["metadata"]["name"] for pod in pods if "32768" in pod["spec"]["containers"][0]["args"])
    got = askew("check", llm)
    found = found_by(got, "replicas-differ")
    assert found["fact"] == "runtime.max_model_len"
    values = {entry["member"]: entry["value"] for entry in found["target"]["values"]}
    assert values.pop(old) == 32768
    assert set(values.values()) == {16384} and values
    proofs = {at["object"]: at["path"] for at in found["target"]["locations"]}
    assert proofs[f"v1 Pod {namespace}/{old}"] == "spec.containers[0].args[4]"
    assert proofs[f"apps/v1 Deployment {namespace}/llm"] == "spec.template.spec.containers[0].args[5]"
    assert "rollout-incomplete" in rules(got)
    fleet.settle(namespace)
    assert not rules(askew("check", llm)) & {"replicas-differ", "rollout-incomplete"}


def test_a_tag_that_was_pushed_again(cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask) -> None:
    """The pod that is added pulls another image under the same tag."""
    fleet.digests["vllm/vllm-openai:v0.8.5"] = f"sha256:{'5' * 64}"
    scale(cluster.admin, namespace, "llm", 3)
    fleet.settle(namespace)
    found = found_by(askew("check", llm), "replicas-differ")
    assert found["fact"] == "runtime.image.digest"
    assert found["severity"] in ("medium", "high", "critical")
    values = [entry["value"] for entry in found["target"]["values"]]
    assert sorted(value == f"sha256:{'5' * 64}" for value in values) == [False, False, True]


def test_another_gpu(cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask) -> None:
    """The pod that is added lands on a node with other GPUs."""
    scale(cluster.admin, namespace, "llm", 3)
    Fleet(cluster.admin, ["gpu-l4"]).settle(namespace)
    found = [one for one in askew("check", llm).findings if one["rule"] == "replicas-differ"]
    assert "hardware.gpu.model" in {one["fact"] for one in found}
    model = next(one for one in found if one["fact"] == "hardware.gpu.model")
    assert "v1 Node gpu-l4" in {at["object"] for at in model["target"]["locations"]}


def test_an_engine_that_runs_out_of_memory(
    cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask
) -> None:
    pod = fleet.settle(namespace)[0]
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T03:04:05Z"}
    fleet.set_status(pod, restarts=7, last={"terminated": ended})
    found = found_by(askew("check", llm), "engine-restarts")
    assert "7" in found["summary"] and "OOMKilled" in str(found)
    proofs = {at["object"] for at in found["target"]["locations"]}
    assert f"v1 Pod {namespace}/{pod['metadata']['name']}" in proofs


def test_scaled_by_hand(cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask, tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text(SETTINGS + "---\n" + LLM)
    scale(cluster.admin, namespace, "llm", 5)
    fleet.settle(namespace)
    found = only(askew("diff", "manifest.yaml", llm), "orchestration.replicas.min")
    assert shown(found, "reference") == (2, "apps/v1 Deployment llm", "spec.replicas")
    assert shown(found, "target") == (5, f"apps/v1 Deployment {namespace}/llm", "spec.replicas")


def test_scaled_by_its_autoscaler(
    cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask, tmp_path: Path
) -> None:
    """How many it runs is the autoscaler's to decide; that it may not run as many as it wants is told."""
    (tmp_path / "manifest.yaml").write_text("---\n".join((SETTINGS, LLM, AUTOSCALER)))
    apply(cluster.admin, AUTOSCALER, namespace)
    scale(cluster.admin, namespace, "llm", 5)
    fleet.settle(namespace)
    got = askew("diff", "manifest.yaml", llm)
    assert (got.code, got.findings) == (0, [])
    assert "autoscaler-not-scaling" not in rules(askew("check", llm))
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "message": "6 is the most"}
    status = {
        "currentReplicas": 6,
        "desiredReplicas": 6,
        "conditions": [
            {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"},
            {"type": "ScalingActive", "status": "False", "reason": "FailedGetPodsMetric", "message": "no such metric"},
            limited,
        ],
    }
    path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/llm/status"
    cluster.admin.patch(path, {"status": status}, "merge-patch+json")
    found = found_by(askew("check", llm), "autoscaler-not-scaling")
    assert "FailedGetPodsMetric" in str(found)
    proofs = {at["object"] for at in found["target"]["locations"]}
    assert f"autoscaling/v2 HorizontalPodAutoscaler {namespace}/llm" in proofs


def test_an_autoscaler_that_nobody_wrote_down(
    cluster: Cluster, namespace: str, llm: str, askew: Ask, tmp_path: Path
) -> None:
    (tmp_path / "manifest.yaml").write_text(SETTINGS + "---\n" + LLM)
    apply(cluster.admin, AUTOSCALER, namespace)
    got = askew("diff", "manifest.yaml", llm)
    # The count of the manifest is within its bounds: that it moves follows from the one difference.
    assert set(got.facts) == {"orchestration.autoscaler.kind"}
    proof = f"autoscaling/v2 HorizontalPodAutoscaler {namespace}/llm"
    assert {shown(one, "target")[1] for one in got.findings} == {proof}
