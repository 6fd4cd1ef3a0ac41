"""What the user may not read is unknown, with the right that is missing; never silence, never an empty cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Ask
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster
from tests.cluster.test_incidents import LLM, SETTINGS

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def allow(cluster: Cluster, namespace: str, group: str, rules: list[dict[str, Any]]) -> None:
    """A Role with these rules, bound to a group, in a namespace."""
    path = f"{RBAC}/namespaces/{namespace}"
    cluster.admin.post(f"{path}/roles", {"metadata": {"name": group}, "rules": rules})
    binding = {
        "metadata": {"name": group},
        "subjects": [{"kind": "Group", "name": group, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": group, "apiGroup": "rbac.authorization.k8s.io"},
    }
    cluster.admin.post(f"{path}/rolebindings", binding)
    first = rules[-1]
    api, resource = ("" if first["apiGroups"] == ["*"] else first["apiGroups"][0]), first["resources"][0]
    cluster.await_right(
        group, first["verbs"][-1], "pods" if resource == "*" else resource, group=api, namespace=namespace
    )


@pytest.fixture
def llm(cluster: Cluster, namespace: str, fleet: Fleet) -> str:
    apply(cluster.admin, SETTINGS + "---\n" + LLM, namespace)
    fleet.settle(namespace)
    return namespace


def test_no_right_at_all(cluster: Cluster, llm: str, askew: Ask) -> None:
    got = askew("check", f"k8s:{llm}", user="nobody")
    assert got.code == 2
    assert got.report["sources"][0]["status"] == "failed"
    message = got.report["errors"][0]["message"]
    assert "it needs list on deployments.apps, statefulsets.apps, " in message and f"in {llm}" in message
    got = askew("check", f"k8s:{llm}/deployment/llm", user="nobody")
    assert (got.code, got.report["sources"][0]["status"]) == (2, "failed")
    assert "get on deployments.apps" in got.report["errors"][0]["message"]


def test_rights_to_part_of_it(cluster: Cluster, llm: str, askew: Ask) -> None:
    allow(cluster, llm, "limited", [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}])
    got = askew("facts", f"k8s:{llm}/deployment/llm", user="limited")
    source = got.report["sources"][0]
    assert source["status"] == "partial"
    assert "it needs list on replicasets.apps, pods, services, " in source["reason"]
    assert f"get on configmaps in {llm}" in source["reason"]
    facts = got.report["workloads"][0]["facts"]
    assert facts["runtime.max_model_len"]["value"] == 32768
    got = askew("diff", f"k8s:{llm}/deployment/llm@previous", f"k8s:{llm}/deployment/llm", user="limited")
    assert got.code == 2
    assert "list replicasets.apps" in got.report["errors"][0]["message"]


def test_rights_in_the_namespace_only(cluster: Cluster, llm: str, askew: Ask) -> None:
    """Nodes are in no namespace: what they would tell is unknown, and everything else is there."""
    allow(cluster, llm, "limited", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}])
    got = askew("facts", f"k8s:{llm}", user="limited")
    source = got.report["sources"][0]
    assert (source["status"], source["reason"]) == ("partial", "not everything may be read: it needs get on nodes")
    facts = got.report["workloads"][0]["facts"]
    assert facts["runtime.attention_backend"]["value"] == "flash_attn"


def test_as_another_user(cluster: Cluster, llm: str, askew: Ask) -> None:
    """An administrator sees what others would see."""
    got = askew("facts", f"k8s:{llm}/deployment/llm?as=nobody")
    assert got.code == 2
    assert "get on deployments.apps" in got.report["errors"][0]["message"]
    allow(cluster, llm, "limited", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}])
    with cluster.requests("admin") as calls:
        got = askew("facts", f"k8s:{llm}/deployment/llm?as=somebody&as-group=limited")
    assert got.code == 0, got.err
    assert calls, "the audit log names who really asks"


def test_labels_select(cluster: Cluster, llm: str, fleet: Fleet, askew: Ask) -> None:
    apply(
        cluster.admin,
        LLM.replace("name: llm}", "name: other, labels: {tier: test}}").replace("app: llm", "app: other"),
        llm,
    )
    fleet.settle(llm)
    assert {one["id"] for one in askew("facts", f"k8s:{llm}").report["workloads"]} == {
        f"{llm}/Deployment/llm",
        f"{llm}/Deployment/other",
    }
    got = askew("facts", f"k8s:{llm}?selector=tier%3Dtest")
    assert [one["id"] for one in got.report["workloads"]] == [f"{llm}/Deployment/other"]


def test_two_clusters_at_once(cluster: Cluster, llm: str, askew: Ask, tmp_path: Path) -> None:
    """One of them may not be reachable: the other is read."""
    config = cluster.config(namespace=llm)
    config["clusters"].append({"name": "gone", "cluster": {"server": "https://127.0.0.1:1"}})
    config["contexts"].append({"name": "gone", "context": {"cluster": "gone", "user": "admin"}})
    (tmp_path / "config").write_text(json.dumps(config))
    got = askew("facts", f"k8s://test,gone/{llm}?timeout=3", config=tmp_path / "config")
    assert [one["id"] for one in got.report["workloads"]] == [f"{llm}/Deployment/llm"]
    assert (got.code, got.report["sources"][0]["status"]) == (2, "partial")
    assert got.report["errors"][0]["source"] == "k8s://gone"
