"""Revisions of every kind that keeps some, and what was applied."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from askew.collectors.interface import Evidence
from askew.collectors.k8s import history
from tests.collectors.k8s.conftest import Ask
from tests.collectors.k8s.scripted import (
    Cluster,
    container,
    deployment,
    owned_by,
    pod_of,
    replica_set,
    rollout,
    template,
)  # fmt: skip


def first(found: Evidence) -> Any:
    assert found.documents, found.errors
    return found.documents[0].root


def arguments(found: Evidence) -> Any:
    return first(found).get("spec", "template", "spec", "containers", 0, "args")


def controller_revision(kind: str, number: int, *args: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"llm-{number}",
            "namespace": "prod",
            "uid": f"uid-llm-{number}",
            "labels": {"app": "llm"},
            "ownerReferences": [owned_by("apps/v1", kind, "llm", "prod")],
        },
        "revision": number,
        "data": {"spec": {"template": {"$patch": "replace", **template(container(*args))}}},
    }


def test_a_former_revision_keeps_the_identity_and_names_its_replica_set(ask: Ask) -> None:
    with Cluster(*rollout("--seed=1", now=("--seed=2",))) as cluster:
        old, same, now = (
            ask(cluster, f"k8s:prod/deploy/llm{at}") for at in ("@previous", "@revision=1", "@revision=2")
        )
    assert arguments(old).value == ["--model=org/model", "--seed=1"]
    assert arguments(same).value == arguments(old).value
    assert arguments(now).value == ["--model=org/model", "--seed=2"]
    root = first(old)
    assert (root["kind"].value, root["metadata"]["name"].value) == ("Deployment", "llm")
    at = arguments(old)[1].location
    assert at.source == "k8s://test"
    assert at.object == "apps/v1 ReplicaSet prod/llm-aaaa"
    assert at.path == "spec.template.spec.containers[0].args[1]"
    assert root["metadata"]["annotations"][history.REVISION].value == "1"
    assert root["spec"]["template"]["metadata"]["labels"].value == {"app": "llm"}, "without the hash of the revision"
    assert not root["status"].exists


def test_pods_are_of_the_revision_that_is_asked_for(ask: Ask) -> None:
    """What runs now tells nothing about what ran before."""
    objects = rollout("--seed=1", now=("--seed=2",))
    lagging = pod_of(objects[1], 7)
    with Cluster(*objects, lagging) as cluster:
        found = ask(cluster, "k8s:prod/deploy/llm@previous")
    pods = [one.root.get("metadata", "name").value for one in found.documents if one.root["kind"].value == "Pod"]
    assert pods == ["llm-aaaa-00007"]


def test_a_rollback_makes_the_newest_revision_of_an_old_template(ask: Ask) -> None:
    one, two = template(container("--seed=1")), template(container("--seed=2"))
    sets = [replica_set(one, "aaaa", 3), replica_set(two, "bbbb", 2, replicas=0)]
    with Cluster(deployment(one, revision=3), *sets) as cluster:
        assert arguments(ask(cluster, "k8s:prod/deploy/llm@previous")).value[1] == "--seed=2"
        gone = ask(cluster, "k8s:prod/deploy/llm@revision=1")
    assert "has no revision 1 any more" in gone.errors[0].message
    assert gone.errors[0].hint == "the cluster keeps 2, 3; revisionHistoryLimit says how many"


def test_another_deployments_replica_sets_do_not_count(ask: Ask) -> None:
    objects = rollout()
    objects[1]["metadata"]["ownerReferences"][0]["uid"] = "another"
    with Cluster(*objects) as cluster:
        found = ask(cluster, "k8s:prod/deploy/llm@previous")
    assert "keeps no revision of Deployment llm before the one that runs (2)" in found.errors[0].message


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_controller_revisions(ask: Ask, kind: str) -> None:
    live = deployment(template(container("--seed=2")))
    live["kind"] = kind
    live["metadata"]["annotations"] = {}
    live["status"] = {"updateRevision": "llm-2"}
    with Cluster(live, controller_revision(kind, 1, "--seed=1"), controller_revision(kind, 2, "--seed=2")) as cluster:
        found = ask(cluster, f"k8s:prod/{kind}/llm@previous")
    assert arguments(found).value[1] == "--seed=1"
    at = arguments(found)[1].location
    assert at.object == "apps/v1 ControllerRevision prod/llm-1"
    assert at.path == "data.spec.template.spec.containers[0].args[1]"
    assert not first(found)["spec"]["template"]["$patch"].exists


def test_knative_revisions(ask: Ask) -> None:
    def revision(number: int, *args: str) -> dict[str, Any]:
        labels = {"serving.knative.dev/service": "llm", "serving.knative.dev/configurationGeneration": str(number)}
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Revision",
            "metadata": {
                "name": f"llm-0000{number}", "namespace": "prod", "uid": f"r{number}", "labels": labels,
                "annotations": {"autoscaling.knative.dev/min-scale": str(number), "serving.knative.dev/creator": "x"},
                "ownerReferences": [owned_by("serving.knative.dev/v1", "Service", "llm", "prod")],
            },
            "spec": {"containers": [container(*args)], "timeoutSeconds": 300},
        }  # fmt: skip

    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "llm", "namespace": "prod", "uid": "uid-prod-llm"},
        "spec": {"template": {"spec": {"containers": [container("--seed=2")]}}},
        "status": {"latestCreatedRevisionName": "llm-00002"},
    }
    with Cluster(
        service, revision(1, "--seed=1"), revision(2, "--seed=2"), installed=("serving.knative.dev",)
    ) as cluster:
        found = ask(cluster, "k8s:prod/ksvc/llm@previous")
    assert arguments(found).value[1] == "--seed=1"
    assert arguments(found)[1].location.object == "serving.knative.dev/v1 Revision prod/llm-00001"
    assert arguments(found)[1].location.path == "spec.containers[0].args[1]"
    annotations = first(found).get("spec", "template", "metadata", "annotations").value
    assert annotations == {"autoscaling.knative.dev/min-scale": "1"}


# -- what was applied --------------------------------------------------------------------------------------


def test_the_annotation_of_kubectl_apply(ask: Ask) -> None:
    live = deployment(template(container("--seed=2")))
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "llm"},
                "spec": {"template": {"spec": {"containers": [container("--seed=1")]}}}}  # fmt: skip
    live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json.dumps(manifest)
    with Cluster(live) as cluster:
        found, whole = ask(cluster, "k8s:prod/deploy/llm@applied"), ask(cluster, "k8s:prod@applied")
    for one in (found, whole):
        assert arguments(one).value[1] == "--seed=1"
        assert arguments(one).location.source == "k8s://test#last-applied"
        assert first(one).get("metadata", "namespace").value == "prod"
    assert found.status == "complete"


def managed(**fields: Any) -> dict[str, Any]:
    return {"manager": "deployer", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": fields}


def test_the_fields_that_an_applying_manager_owns(ask: Ask) -> None:
    live = deployment(template(container("--seed=1"), {"name": "sidecar", "image": "istio"}))
    named: dict[str, Any] = {'k:{"name":"vllm"}': {".": {}, "f:name": {}, "f:image": {}, "f:args": {}}}
    live["metadata"]["managedFields"] = [
        managed(**{"f:spec": {"f:template": {"f:spec": {"f:containers": named}}}}),
        {"manager": "hpa", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
    ]
    with Cluster(live) as cluster:
        found = ask(cluster, "k8s:prod/deploy/llm@applied")
    spec = first(found)["spec"].value
    (only,) = spec["template"]["spec"]["containers"]
    assert only == {"name": "vllm", "image": "vllm/vllm-openai:v0.8.5", "args": ["--model=org/model", "--seed=1"]}
    assert "replicas" not in spec
    assert first(found)["kind"].value == "Deployment"
    assert arguments(found).location.source == "k8s://test#managed-fields"


def test_nothing_tells_what_was_applied(ask: Ask) -> None:
    live = deployment(template(container()))
    live["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}}]
    with Cluster(live) as cluster:
        found = ask(cluster, "k8s:prod/deploy/llm@applied")
    assert found.status == "partial"
    assert "nothing tells what was applied of Deployment llm" in found.reason
    assert arguments(found).value == ["--model=org/model"]


@pytest.mark.parametrize(
    "fields",
    [
        {"f:spec": {}},
        {"f:spec": "x"},
        {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{": {}, "k:1": {}, "i:0": {}, "v:x": {}}}}}},
        {"x": {"y": 1}},
    ],
)
def test_managed_fields_that_mean_nothing(fields: Any) -> None:
    live = deployment(template(container()))
    live["metadata"]["managedFields"] = [managed(**fields), "x", {"manager": 5, "operation": "Apply"}]
    before = copy.deepcopy(live)
    history.applied(live)
    assert live == before


def test_fields_that_are_nested_without_end() -> None:
    fields: dict[str, Any] = {}
    for _ in range(500):
        fields = {"f:spec": fields}
    value: dict[str, Any] = {"a": 1}
    for _ in range(500):
        value = {"spec": value}
    assert history.applied({**value, "metadata": {"managedFields": [managed(**fields)]}}) is not None
