"""The control plane and the fleet of this folder do what the tests beside it rely on."""

from __future__ import annotations

import pytest

from tests.cluster.api import ApiError
from tests.cluster.fleet import Fleet
from tests.cluster.server import Call, Cluster


def deployment(name: str, image: str, replicas: int = 2) -> dict:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "server", "image": image}]},
            },
        },
    }


def test_a_rollout_completes_and_leaves_its_history(cluster: Cluster, namespace: str, fleet: Fleet) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    cluster.admin.post(path, deployment("llm", "vllm/vllm-openai:v0.8.5"))
    pods = fleet.settle(namespace)
    assert [pod["status"]["phase"] for pod in pods] == ["Running"] * 2
    assert all("@sha256:" in pod["status"]["containerStatuses"][0]["imageID"] for pod in pods)
    cluster.admin.apply(f"{path}/llm", deployment("llm", "vllm/vllm-openai:v0.9.1"))
    pods = fleet.settle(namespace)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"vllm/vllm-openai:v0.9.1"}
    sets = cluster.admin.items(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
    assert {one["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for one in sets} == {"1", "2"}


def test_a_held_pod_leaves_an_old_one_running(cluster: Cluster, namespace: str, fleet: Fleet) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    cluster.admin.post(path, deployment("llm", "a:1"))
    fleet.settle(namespace)
    cluster.admin.apply(f"{path}/llm", deployment("llm", "a:2"))
    pods = fleet.settle(namespace, held=lambda pod: pod["spec"]["containers"][0]["image"] == "a:2")
    assert sorted(pod["spec"]["containers"][0]["image"] for pod in pods) == ["a:1", "a:1", "a:2"]


def test_users_are_who_they_are(cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    with (
        cluster.requests("nobody") as calls,
        pytest.raises(ApiError, match=r'^403: .*User "nobody" cannot list resource "pods"'),
    ):
        cluster.api("nobody").get(f"{path}?limit=1")
    assert calls == [Call(verb="list", uri=f"{path}?limit=1", code=403)]
    with pytest.raises(ApiError, match=r"^401: Unauthorized"):
        cluster.api("stranger").get("/api/v1/pods")


def test_a_page_of_a_compacted_revision_is_gone(cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(3):
        cluster.admin.post(path, {"metadata": {"name": f"c{number}"}, "data": {"a": "b"}})
    page = cluster.admin.get(f"{path}?limit=2")
    cluster.admin.post(path, {"metadata": {"name": "later"}})
    cluster.compact()
    with pytest.raises(ApiError, match=r"^410"):
        cluster.admin.get(f"{path}?limit=2&continue={page['metadata']['continue']}")
