from __future__ import annotations

import pytest

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import DEPLOYMENT, facts, observation, one

HPA = """
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm, namespace: prod}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  maxReplicas: 4
"""
METRICS = """\
  metrics:
    - {type: Pods, pods: {metric: {name: waiting}, target: {type: AverageValue, averageValue: %s}}}
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
"""
KEDA = """
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: llm, namespace: prod}
spec:
  scaleTargetRef: {name: llm}
  triggers:
    - {type: prometheus, metadata: {query: "sum(vllm:num_requests_waiting)", threshold: "5"}}
"""
KIND, METRIC = "orchestration.autoscaler.kind", "orchestration.autoscaler.metrics"
LEAST, MOST = "orchestration.replicas.min", "orchestration.replicas.max"


def test_the_autoscaler_owns_the_replicas():
    found = facts(one(DEPLOYMENT + HPA))
    assert (found[KIND], found[LEAST], found[MOST]) == ("hpa", 1, 4)
    assert found[METRIC] == [{"name": "cpu", "source": "resource", "target": 80, "target_type": "utilization"}]


def test_without_an_autoscaler_none_is_likely():
    found = observation(one(DEPLOYMENT), KIND)
    assert (found.value, found.confidence, found.origin) == (None, "likely", "platform-default")


def test_an_autoscaler_of_something_else_changes_nothing():
    found = facts(one(DEPLOYMENT + HPA.replace("kind: Deployment, name: llm", "kind: Deployment, name: web")))
    assert (found[KIND], found[LEAST], found[MOST]) == (None, 2, 2)


def test_quantities_are_one_number_and_the_order_of_metrics_is_nothing():
    text = METRICS % "500m"
    head, first, second = text.splitlines(keepends=True)
    a, b = (
        facts(one(DEPLOYMENT + HPA + text)),
        facts(one(DEPLOYMENT + HPA + head + second + first.replace("500m", '"0.5"'))),
    )
    assert a[METRIC] == b[METRIC]
    assert facts(one(DEPLOYMENT + HPA + METRICS % "600m"))[METRIC] != a[METRIC]


def test_keda_and_its_defaults():
    found = facts(one(DEPLOYMENT + KEDA))
    assert (found[KIND], found[LEAST], found[MOST]) == ("keda", 0, 100)
    assert found[METRIC][0]["target"] == 5
    assert found[METRIC][0]["query"] == "sum(vllm:num_requests_waiting)"
    assert found["orchestration.autoscaler.behaviour/cooldown"] == 300


@pytest.mark.parametrize(
    ("line", "fact", "value"),
    [
        ("minReplicaCount: 2", LEAST, 2),
        ("maxReplicaCount: 7", MOST, 7),
        ("idleReplicaCount: 0", LEAST, 0),
        ("cooldownPeriod: 60", "orchestration.autoscaler.behaviour/cooldown", 60),
        ("fallback: {replicas: 3}", "orchestration.autoscaler.behaviour/fallback_replicas", 3),
    ],
)
def test_fields_of_keda(line, fact, value):
    assert facts(one(DEPLOYMENT + KEDA + f"  {line}\n"))[fact] == value


def test_what_is_no_number_is_unknown():
    assert isinstance(facts(one(DEPLOYMENT + HPA.replace("maxReplicas: 4", "maxReplicas: many")))[MOST], Unknown)


def test_a_pause_at_the_present_number_leaves_the_bounds_unknown():
    paused = KEDA.replace(
        "metadata: {name: llm,", 'metadata: {annotations: {autoscaling.keda.sh/paused: "%s"}, name: llm,'
    )
    assert isinstance(facts(one(DEPLOYMENT + paused % "true"))[MOST], Unknown)
    assert facts(one(DEPLOYMENT + paused % "false"))[MOST] == 100


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ('{type: mysql, metadata: {query: q, queryValue: "4"}}', {"target": 4, "target_type": "average"}),
        ('{type: cpu, metricType: Utilization, metadata: {value: "60"}}', {"target": 60, "target_type": "utilization"}),
        ('{type: cpu, metadata: {value: "60"}}', {"target": 60}),  # KEDA refuses it: nothing says which type
    ],
)
def test_triggers_of_keda(trigger, expected):
    text = KEDA[: KEDA.index("    - {type")] + f"    - {trigger}\n"
    (found,) = facts(one(DEPLOYMENT + text))[METRIC]
    assert {key: found[key] for key in ("target", "target_type") if key in found} == expected
