"""What happens to deployments, done to a real one: each shows as the right fact, with both sides and the object that
proves each; what changes nothing shows nothing."""

from __future__ import annotations

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


def test_settings_edited_without_a_restart(
    cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask
) -> None:
    cluster.admin.patch(
        f"/api/v1/namespaces/{namespace}/configmaps/settings", {"data": {"VLLM_ATTENTION_BACKEND": "FLASHINFER"}}
    )
    got = askew("check", llm)
    print(got.out)


def test_one_replica_lags(cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask) -> None:
    change(cluster.admin, namespace, "llm", {"args": [*ARGS, "16384"]})
    held: set[str] = set()

    def second(pod: dict[str, Any]) -> bool:
        if "16384" not in pod["spec"]["containers"][0]["args"]:
            return False
        held.add(pod["metadata"]["name"])
        return pod["metadata"]["name"] != min(held)

    fleet.settle(namespace, held=second)
    got = askew("check", llm)
    print(got.out)


def test_scaled(cluster: Cluster, namespace: str, fleet: Fleet, llm: str, askew: Ask) -> None:
    scale(cluster.admin, namespace, "llm", 5)
    fleet.settle(namespace)
    got = askew("diff", "manifest.yaml", llm)
    print(got.out)
