"""The ClusterRole that ships is enough, and a release of Helm is read with one right more."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.conftest import Ask
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster
from tests.cluster.test_incidents import LLM, SETTINGS
from tools.generate import clusterrole

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def reader(cluster: Cluster) -> Iterator[str]:
    """A user who has what the ClusterRole allows: the user ``reader``, in all namespaces."""
    cluster.admin.post(f"{RBAC}/clusterroles", yaml.safe_load(clusterrole.render()))
    binding = {
        "metadata": {"name": "askew"},
        "subjects": [{"kind": "Group", "name": "readers", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "askew", "apiGroup": "rbac.authorization.k8s.io"},
    }
    cluster.admin.post(f"{RBAC}/clusterrolebindings", binding)
    cluster.await_right("reader", "list", "pods")
    yield "reader"
    cluster.admin.delete(f"{RBAC}/clusterrolebindings/askew")
    cluster.admin.delete(f"{RBAC}/clusterroles/askew")


def test_it_allows_what_is_read(cluster: Cluster, namespace: str, fleet: Fleet, reader: str, askew: Ask) -> None:
    apply(cluster.admin, SETTINGS + "---\n" + LLM, namespace)
    fleet.settle(namespace)
    for uri in (f"k8s:{namespace}", f"k8s:{namespace}/deployment/llm", "k8s:*"):
        got = askew("facts", uri, user=reader)
        assert (got.code, got.report["sources"][0]["reason"]) == (0, None), uri
        assert got.report["sources"][0]["status"] == "complete"
    workload = got.report["workloads"]
    assert f"{namespace}/Deployment/llm" in {one["id"] for one in workload}


def test_it_allows_no_secrets(cluster: Cluster, namespace: str, reader: str, askew: Ask) -> None:
    held = {"manifest": LLM, "name": "llm", "version": 1}
    packed = base64.b64encode(gzip.compress(json.dumps(held).encode()))
    labels = {"owner": "helm", "name": "llm", "status": "deployed", "version": "1"}
    secret = {
        "metadata": {"name": "sh.helm.release.v1.llm.v1", "labels": labels},
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }
    cluster.admin.post(f"/api/v1/namespaces/{namespace}/secrets", secret)
    denied, found = (askew("facts", f"helm-release:{namespace}/llm", user=user) for user in (reader, "admin"))
    assert (denied.code, "secrets" in denied.report["errors"][0]["message"]) == (2, True)
    assert found.code == 0, found.err
    (workload,) = found.report["workloads"]
    place = workload["facts"]["runtime.max_model_len"]["location"]
    assert place["source"] == f"helm-release:{namespace}/llm@1" and place["line"] > 0
