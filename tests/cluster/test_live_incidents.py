"""Incidents on a real API server: each is found with its fact, both sides and the object that proves it; what is none
stays silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.pipeline import Options, check, diff, facts
from askew.findings.finding import Finding
from askew.report.model import Report
from askew.resolve.workload import Snapshot
from tests.cluster import fleet as fleets
from tests.cluster.api import Api
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply, change, restart
from tests.cluster.server import Cluster

MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {VLLM_ATTENTION_BACKEND: FLASHINFER, MAX_LEN: "8192"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  replicas: 3
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: server
        image: vllm/vllm-openai:v0.8.5
        args: [--model, Qwen/Qwen2.5-7B-Instruct, "--max-model-len=$(MAX_LEN)", --tensor-parallel-size=1]
        envFrom: [{configMapRef: {name: settings}}]
        env: [{name: MAX_LEN, valueFrom: {configMapKeyRef: {name: settings, key: MAX_LEN}}}]
        resources: {limits: {nvidia.com/gpu: 1, cpu: "8", memory: 64Gi}}
        startupProbe: {httpGet: {path: /health, port: 8000}, failureThreshold: 200}
        readinessProbe: {httpGet: {path: /health, port: 8000}}
"""
LATER = "2099-01-02T03:04:05Z"


@pytest.fixture
def deployed(cluster: Cluster, namespace: str, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> str:
    """A namespace with three replicas that run; its containers start after what they read was made."""
    monkeypatch.setattr(fleets, "STARTED", LATER)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig("admin", namespace=namespace)))
    apply(cluster.admin, MANIFEST, namespace)
    fleet.settle(namespace)
    return namespace


def found(report: Report) -> dict[str, Finding]:
    assert not report.errors, report.errors
    assert all(source.status == "complete" for source in report.sources), report.sources
    return {f"{f.rule} {f.key}".strip(): f for w in report.workloads for f in w.findings}


def checked(namespace: str) -> dict[str, Finding]:
    return found(check(f"k8s:{namespace}", None, Options()))


def snapshot(uri: str) -> Snapshot:
    (one,) = facts(uri, Options()).side.snapshots
    return one


def objects(finding: Finding) -> set[str]:
    return {" ".join(at.object.split(" ")[-2:]) for at in finding.locations}


def restarted(api: Api, fleet: Fleet, namespace: str, started: str) -> None:
    """The kubelet reports that the containers started at another time."""
    fleets.STARTED = started
    for pod in api.items(f"/api/v1/namespaces/{namespace}/pods"):
        fleet.set_status(pod)


def test_three_pods_are_one_workload_whose_facts_are_as_they_run(deployed: str) -> None:
    one = snapshot(f"k8s:{deployed}/deployment/llm")
    assert one.id == f"{deployed}/Deployment/llm" and len(one.workload.replicas) == 3
    assert one.apart == () and one.overruled == ()
    digest, model = one.facts["runtime.image.digest"], one.facts["hardware.gpu.model"]
    assert (digest.state, digest.basis, digest.origin) == ("known", "seen", "reported")
    assert {" Pod " in f" {at.object} " for at in digest.locations} == {True}
    assert (model.value, model.basis) == (["h100-80gb-sxm"], "seen")
    assert one.facts["hardware.gpu.memory.bytes"].value == 81559 * 2**20
    assert one.facts["hardware.driver.version"].value == "550.54.15"
    assert one.facts["orchestration.rollout"].value == {
        "complete": True, "ready": 3, "replicas": 3, "updated": 3, "versions": 1,
    }  # fmt: skip
    assert one.facts["orchestration.restarts"].value == 0
    assert one.facts["runtime.max_model_len"].value == 8192


def test_nothing_is_wrong_and_nothing_is_found(deployed: str, tmp_path: Path) -> None:
    assert not {name for name in checked(deployed) if not name.startswith(("rollout-deadlocks", "unpinned-model"))}
    manifest = tmp_path / "m.yaml"
    manifest.write_text(MANIFEST)
    assert found(diff(str(manifest), f"k8s:{deployed}", Options())) == {}
    assert found(diff(f"k8s:{deployed}", f"k8s:{deployed}", Options())) == {}


def test_a_changed_flag_is_found_against_the_former_revision(cluster: Cluster, deployed: str, fleet: Fleet) -> None:
    args = ["--model", "Qwen/Qwen2.5-7B-Instruct", "--max-model-len=4096", "--tensor-parallel-size=1"]
    change(cluster.admin, deployed, "llm", {"args": args})
    fleet.settle(deployed)
    uri = f"k8s:{deployed}/deployment/llm"
    report = found(diff(f"{uri}@previous", uri, Options()))
    assert "runtime.max_model_len" in report
    finding = report["runtime.max_model_len"]
    assert finding.reference is not None and finding.target is not None
    assert (finding.reference.value, finding.target.value) == (8192, 4096)


def test_an_edit_by_hand_is_found_against_what_was_applied(cluster: Cluster, deployed: str, fleet: Fleet) -> None:
    uri = f"k8s:{deployed}/deployment/llm"
    assert found(diff(f"{uri}@applied", uri, Options())) == {}
    change(cluster.admin, deployed, "llm", {"env": [{"name": "NCCL_P2P_DISABLE", "value": "1"}]})
    fleet.settle(deployed)
    report = found(diff(f"{uri}@applied", uri, Options()))
    assert set(report) == {"runtime.env NCCL_P2P_DISABLE"}
    assert set(found(diff(f"k8s:{deployed}@applied", f"k8s:{deployed}", Options()))) == set(report)


def test_a_rollout_that_changes_nothing_is_silent(cluster: Cluster, deployed: str, fleet: Fleet) -> None:
    restart(cluster.admin, deployed, "llm")
    fleet.settle(deployed)
    uri = f"k8s:{deployed}/deployment/llm"
    assert found(diff(f"{uri}@previous", uri, Options())) == {}
    assert not {name for name in checked(deployed) if not name.startswith(("rollout-deadlocks", "unpinned-model"))}


def test_a_replica_that_lags_is_told_from_the_others(cluster: Cluster, deployed: str, fleet: Fleet) -> None:
    args = ["--model", "Qwen/Qwen2.5-7B-Instruct", "--max-model-len=4096", "--tensor-parallel-size=1"]
    change(cluster.admin, deployed, "llm", {"args": args})
    fleet.settle(deployed, held=lambda pod: "4096" in str(pod["spec"]["containers"][0]["args"]))
    report = checked(deployed)
    rollout = report["rollout-incomplete"]
    assert rollout.severity == "info" and "1 of 4 pods are of the new version" in rollout.summary
    apart = report["replicas-differ"]
    assert apart.facts[0] == "runtime.max_model_len" and apart.target is not None
    assert sorted(str(value.value) for value in apart.target.values) == ["4096", "8192", "8192", "8192"]
    # The first is what most have; a pod proves each.
    assert len(apart.target.locations) == 2
    assert {at.path for at in apart.target.locations} >= {"spec.template.spec.containers[0].args[2]"}


def test_another_image_behind_the_same_tag(cluster: Cluster, deployed: str, fleet: Fleet) -> None:
    pods = cluster.admin.items(f"/api/v1/namespaces/{deployed}/pods")
    fleet.digests["vllm/vllm-openai:v0.8.5"] = f"sha256:{'ab' * 32}"
    fleet.set_status(pods[0])
    finding = checked(deployed)["replicas-differ"]
    assert finding.facts[0] == "runtime.image.digest" and finding.severity == "medium"
    assert f"sha256:abababababab… in {pods[0]['metadata']['name']}" in finding.summary
    assert f"Pod {deployed}/{pods[0]['metadata']['name']}" in objects(finding)
    digest = snapshot(f"k8s:{deployed}").facts["runtime.image.digest"]
    assert digest.state == "unknown" and "different images" in digest.reason


def test_a_config_map_edited_without_restart(cluster: Cluster, deployed: str, fleet: Fleet) -> None:
    restarted(cluster.admin, fleet, deployed, "2026-01-02T03:04:05Z")
    path = f"/api/v1/namespaces/{deployed}/configmaps/settings"
    made = cluster.admin.get(path)["metadata"]["creationTimestamp"]
    while cluster.admin.get(path)["metadata"]["managedFields"][-1]["time"] == made:  # times are whole seconds
        length = int(cluster.admin.get(path)["data"]["MAX_LEN"]) * 2
        cluster.admin.patch(f"{path}?fieldManager=kubectl-edit", {"data": {"MAX_LEN": str(length)}}, "merge-patch+json")
    report = checked(deployed)
    finding = report["config-changed-after-start ConfigMap settings"]
    assert (finding.severity, finding.confidence) == ("medium", "likely")
    assert f"ConfigMap {deployed}/settings" in objects(finding)
    assert any(name.startswith("Pod ") for name in objects(finding))
    # The object says one thing, the process has another, which nothing shows.
    length_now = snapshot(f"k8s:{deployed}").facts["runtime.max_model_len"]
    assert length_now.state == "unknown" and "after the pods had started" in length_now.reason
    backend = snapshot(f"k8s:{deployed}").facts["runtime.attention_backend"]
    assert backend.state == "known", "the other key was not edited"


def test_an_autoscaler_moves_replicas_within_its_bounds(
    cluster: Cluster, deployed: str, fleet: Fleet, tmp_path: Path
) -> None:
    hpa = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  minReplicas: 2
  maxReplicas: 6
  metrics:
  - {type: Pods, pods: {metric: {name: vllm_num_requests_waiting}, target: {type: AverageValue, averageValue: "5"}}}
"""
    apply(cluster.admin, hpa, deployed)
    scale = {"spec": {"replicas": 4}}
    cluster.admin.patch(f"/apis/apps/v1/namespaces/{deployed}/deployments/llm", scale, "merge-patch+json")
    fleet.settle(deployed)
    manifest = tmp_path / "m.yaml"
    manifest.write_text(f"{MANIFEST}---\n{hpa}")
    assert found(diff(str(manifest), f"k8s:{deployed}", Options())) == {}
    manifest.write_text(MANIFEST)  # its count of three is within the bounds of the autoscaler that it does not show
    assert set(found(diff(str(manifest), f"k8s:{deployed}", Options()))) == {"orchestration.autoscaler.kind"}
    path = f"/apis/autoscaling/v2/namespaces/{deployed}/horizontalpodautoscalers/llm"
    condition = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetPodsMetric",
        "message": "none found",
    }
    status = {"currentReplicas": 4, "desiredReplicas": 4, "currentMetrics": None, "conditions": [condition]}
    cluster.admin.patch(f"{path}/status", {"status": status}, "merge-patch+json")
    finding = checked(deployed)["autoscaler-not-scaling"]
    assert "FailedGetPodsMetric" in finding.summary
    assert objects(finding) == {f"HorizontalPodAutoscaler {deployed}/llm"}


def test_what_may_not_be_read_is_unknown_with_the_right_that_is_missing(
    cluster: Cluster, deployed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}]
    root = "/apis/rbac.authorization.k8s.io/v1/namespaces"
    cluster.admin.post(f"{root}/{deployed}/roles", {"metadata": {"name": "some"}, "rules": rules})
    binding = {
        "metadata": {"name": "some"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"},
        "subjects": [{"kind": "User", "name": "limited", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    cluster.admin.post(f"{root}/{deployed}/rolebindings", binding)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig("limited", namespace=deployed)))
    one = snapshot(f"k8s:{deployed}")
    for fact, right in (
        ("runtime.image.digest", "pods"),
        ("orchestration.rollout", "pods"),
        ("orchestration.autoscaler.kind", "horizontalpodautoscalers.autoscaling"),
        ("orchestration.disruption", "poddisruptionbudgets.policy"),
    ):
        known = one.facts[fact]
        if known.entries:
            continue
        assert known.state == "unknown" and f"{right}`" in known.reason, (fact, known)
    length = one.facts["runtime.max_model_len"]
    assert length.state == "unknown" and "configmaps" in length.reason
    report = check(f"k8s:{deployed}", None, Options())
    asked = {entry.fact: entry.reason for w in report.workloads for entry in w.unknown}
    assert "needs `list pods`" in asked["orchestration.rollout"]
    assert report.sources[0].status == "partial"


def test_a_contract_is_held_against_what_runs(cluster: Cluster, deployed: str, tmp_path: Path) -> None:
    contract = tmp_path / "modelspec.yaml"
    contract.write_text(
        """\
apiVersion: piqc.ai/v1alpha1
kind: ModelSpec
metadata: {name: llm}
spec:
  identity: {model: {id: Qwen/Qwen2.5-7B-Instruct, family: qwen, task: text-generation, framework: transformers}}
  runtime: {accelerator: {vendor: nvidia, type: a100, count: 1}}
""",
    )
    report = check(f"k8s:{deployed}", str(contract), Options())
    assert not report.errors, report.errors
    rules = {f.rule for w in report.workloads for f in w.findings}
    assert "hardware.gpu.model" in rules, rules
