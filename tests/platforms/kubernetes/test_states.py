"""What autoscalers say of themselves, where the intended state is kept, and what a cluster refused."""

from __future__ import annotations

from typing import Any

import pytest

from askew.platforms.kubernetes.objects import Denied
from askew.platforms.kubernetes.read import read
from askew.resolve.observation import Unknown
from askew.resolve.workload import Workload
from tests.platforms.kubernetes import live
from tests.platforms.kubernetes.manifests import documents, facts, observation, one, reading

HPA = ("autoscaling/v2", "HorizontalPodAutoscaler")
REF = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llm"}


def workload(*objects: live.Object) -> Workload:
    return one(live.dump(*objects))


def thing(version: str, kind: str, name: str = "llm", namespace: str = "prod", **fields: object) -> live.Object:
    metadata = {"name": name, "namespace": namespace, "uid": f"{kind}-{name}"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def condition(kind: str, status: str, reason: str = "", message: str = "") -> live.Object:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def status(*objects: live.Object) -> dict[str, object]:
    name = "orchestration.autoscaler.status/"
    known = facts(workload(live.deployment(), *objects))
    return {key.removeprefix(name): value for key, value in known.items() if key.startswith(name)}


# Autoscalers


def test_an_autoscaler_that_gets_no_metric() -> None:
    conditions = [
        condition("AbleToScale", "True", "SucceededGetScale"),
        condition("ScalingActive", "False", "FailedGetPodsMetric", "unable to get metric\nvllm:x"),
        condition("ScalingLimited", "False"),
    ]
    hpa = thing(
        *HPA, spec={"scaleTargetRef": REF, "maxReplicas": 4}, status={"conditions": conditions, "currentReplicas": 2}
    )
    assert status(hpa) == {
        "able_to_scale": True, "scaling_active": False, "limited": False, "current_replicas": 2,
        "reason": "FailedGetPodsMetric: unable to get metric vllm:x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("latest", "recent"),
    [("2026-01-02T10:00:40Z", True), ("2026-01-02T10:04:59Z", True), ("2026-01-02T10:05:00Z", False), ("soon", True)],
)
def test_whether_it_has_been_so_for_long_is_told_by_the_objects(latest: str, recent: bool) -> None:
    failed = condition("ScalingActive", "False", "FailedGetPodsMetric") | {"lastTransitionTime": "2026-01-02T10:00:00Z"}
    hpa = thing(*HPA, spec={"scaleTargetRef": REF, "maxReplicas": 4}, status={"conditions": [failed]})
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": latest, "lastTransitionTime": 5}
    node = thing("v1", "Node", "n1", "", status={"conditions": [ready]})
    told = status(hpa, node)
    assert (told["since"], told["recent"]) == ("2026-01-02T10:00:00Z", recent)


def test_the_values_that_it_has() -> None:
    metric = {"type": "Pods", "pods": {"metric": {"name": "queue"}, "current": {"averageValue": "2500m"}}}
    resource = {
        "type": "Resource",
        "resource": {"name": "cpu", "current": {"averageUtilization": 12, "averageValue": "1"}},
    }
    state = {"conditions": [condition("ScalingActive", "True")], "currentMetrics": [metric, resource, {"type": ""}]}
    hpa = thing(*HPA, spec={"scaleTargetRef": REF, "maxReplicas": 4}, status=state)
    assert status(hpa)["current"] == {"queue": "2500m", "cpu": "12"}


def test_a_scaled_object_and_the_autoscaler_that_keda_makes_of_it() -> None:
    conditions = [condition("Ready", "True"), condition("Fallback", "Unknown")]
    scaled = thing(
        "keda.sh/v1alpha1", "ScaledObject",
        spec={"scaleTargetRef": {"name": "llm"}, "triggers": []},
        status={"hpaName": "keda-hpa-llm", "conditions": conditions},
    )  # fmt: skip
    made = thing(
        *HPA, "keda-hpa-llm",
        spec={"scaleTargetRef": REF, "maxReplicas": 4},
        status={"conditions": [condition("ScalingActive", "False", "FailedGetExternalMetric")]},
    )  # fmt: skip
    assert status(scaled, made) == {"ready": True, "scaling_active": False, "reason": "FailedGetExternalMetric"}


def test_an_autoscaler_without_a_status_says_nothing() -> None:
    assert status(thing(*HPA, spec={"scaleTargetRef": REF, "maxReplicas": 4})) == {}


# Where the intended state is kept


def gitops(deployed: live.Object, *objects: live.Object) -> dict[str, object]:
    name = "orchestration.gitops/"
    known = facts(workload(deployed, *objects))
    return {key.removeprefix(name): value for key, value in known.items() if key.startswith(name)}


def test_the_application_that_lists_the_workload() -> None:
    resource = {"group": "apps", "kind": "Deployment", "namespace": "prod", "name": "llm", "status": "OutOfSync"}
    application = thing(
        "argoproj.io/v1alpha1", "Application", "serving", "argocd",
        spec={"source": {"repoURL": "https://git.example/ml", "path": "apps/llm", "targetRevision": "main"}},
        status={"sync": {"status": "OutOfSync", "revision": "4f0c2d1"}, "resources": [resource]},
    )  # fmt: skip
    assert gitops(live.deployment(), application) == {
        "by": "Argo CD Application serving", "repository": "https://git.example/ml", "path": "apps/llm",
        "wanted_revision": "main", "revision": "4f0c2d1", "status": "OutOfSync", "application_status": "OutOfSync",
    }  # fmt: skip


def test_an_application_of_a_manifest_is_passed_over_with_a_note() -> None:
    application = thing("argoproj.io/v1alpha1", "Application", "serving", "argocd", spec={"source": {}})
    del application["metadata"]["uid"]
    found = reading(live.dump(live.deployment(), application))
    assert len(found.workloads) == 1 and "manifests are elsewhere" in found.refused[0].reason


def test_the_kustomization_that_applied_the_workload() -> None:
    deployed = live.deployment()
    group = "kustomize.toolkit.fluxcd.io"
    deployed["metadata"]["labels"] = {f"{group}/name": "apps", f"{group}/namespace": "flux-system"}
    kustomization = thing(
        f"{group}/v1", "Kustomization", "apps", "flux-system",
        spec={"path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
        status={"lastAppliedRevision": "main@sha1:4f0c", "conditions": [condition("Ready", "False", "BuildFailed")]},
    )  # fmt: skip
    source = thing(
        "source.toolkit.fluxcd.io/v1",
        "GitRepository",
        "fleet",
        "flux-system",
        spec={"url": "https://git.example/fleet"},
    )
    assert gitops(deployed, kustomization, source) == {
        "by": "Flux Kustomization flux-system/apps", "path": "./apps", "repository": "https://git.example/fleet",
        "revision": "main@sha1:4f0c", "status": "BuildFailed",
    }  # fmt: skip


# What was refused


def refused(*denied: Denied, **fields: Any) -> Workload:
    (found,) = read(documents(live.dump(live.deployment(**fields))), denied).workloads
    return found


@pytest.mark.parametrize(
    ("denied", "fact"),
    [
        (Denied("list", "nodes"), "hardware.gpu.model"),
        (Denied("list", "nodes"), "hardware.driver.version"),
        (Denied("list", "pods", "prod"), "runtime.image.digest"),
        (Denied("list", "pods"), "orchestration.restarts"),
        (Denied("list", "horizontalpodautoscalers.autoscaling", "prod"), "orchestration.autoscaler.kind"),
        (Denied("list", "scaledobjects.keda.sh", "prod"), "orchestration.replicas.max"),
        (Denied("list", "poddisruptionbudgets.policy", "prod"), "orchestration.disruption"),
        (Denied("list", "ingresses.networking.k8s.io", "prod"), "serving.request_timeout"),
    ],
)
def test_what_was_refused_is_unknown_and_names_the_right(denied: Denied, fact: str) -> None:
    value = observation(refused(denied), fact).value
    assert isinstance(value, Unknown) and value.missing
    assert f"needs `list {denied.title}`" in value.reason


def test_another_namespace_is_another_matter() -> None:
    found = facts(refused(Denied("list", "horizontalpodautoscalers.autoscaling", "dev")))
    assert found["orchestration.autoscaler.kind"] is None, "no autoscaler, as far as one can tell"


def test_a_selector_still_says_which_gpus_it_admits() -> None:
    deployed = live.deployment()
    deployed["spec"]["template"]["spec"]["nodeSelector"] = {"nvidia.com/gpu.product": "NVIDIA-L4"}
    (found,) = read(documents(live.dump(deployed)), (Denied("list", "nodes"),)).workloads
    models = [o for o in found.observations if o.fact == "hardware.gpu.model"]
    assert (["l4"] in [o.value for o in models] and models[0].origin == "explicit") or models[-1].origin == "explicit"


def test_variables_of_a_config_map_that_may_not_be_read() -> None:
    found = refused(Denied("get", "configmaps", "prod"), envFrom=[{"configMapRef": {"name": "cfg"}}])
    value = facts(found)["runtime.env"]
    assert isinstance(value, Unknown) and "needs `get configmaps` in prod" in value.reason
