from __future__ import annotations

import pytest

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import facts, observation, one, reading


def service(annotations: str = "", spec: str = ""):
    return one(
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: llm, namespace: prod}\nspec:\n"
        f"  template:\n    metadata: {{annotations: {{{annotations}}}}}\n    spec:\n{spec}"
        "      containers:\n      - {image: 'vllm/vllm-openai:v0.8.5', args: [--model, m]}\n"
    )


def test_defaults_are_cited_and_only_likely():
    read = service()
    assert read.id == "prod/KnativeService/llm"
    timeout = observation(read, "serving.request_timeout")
    assert (timeout.value, timeout.origin, timeout.confidence) == (300, "platform-default", "likely")
    assert timeout.hop and timeout.locations[0].source.startswith("https://")
    found = facts(read)
    assert found["serving.max_concurrency"] == "unlimited"
    assert (found["orchestration.autoscaler.kind"], found["orchestration.replicas.min"]) == ("kpa", 0)
    assert found["orchestration.replicas.max"] is None
    assert found["orchestration.autoscaler.metrics"][0]["target"] == 100


def test_annotations_and_fields_are_read_at_their_place():
    read = service(
        "autoscaling.knative.dev/min-scale: '1', autoscaling.knative.dev/maxScale: '4', "
        "autoscaling.knative.dev/target: '8'",
        "      timeoutSeconds: 900\n      responseStartTimeoutSeconds: 120\n      containerConcurrency: 16\n",
    )
    found = facts(read)
    assert (found["orchestration.replicas.min"], found["orchestration.replicas.max"]) == (1, 4)
    assert (found["serving.request_timeout"], found["serving.first_byte_timeout"]) == (900, 120)
    assert found["serving.max_concurrency"] == 16
    assert found["orchestration.autoscaler.metrics"] == [
        {"name": "concurrency", "source": "knative", "target": 8, "target_type": "average"}
    ]
    assert observation(read, "serving.request_timeout").locations[0].line == 8


def test_the_other_autoscaler_never_scales_to_zero_and_looks_at_the_cpu():
    found = facts(service("autoscaling.knative.dev/class: hpa.autoscaling.knative.dev"))
    assert (found["orchestration.autoscaler.kind"], found["orchestration.replicas.min"]) == ("hpa", 1)
    assert found["orchestration.autoscaler.metrics"][0]["name"] == "cpu"


@pytest.mark.parametrize("value", ["'x'", "''", "[1]", "'99999999999999999999'"])
def test_nonsense_is_unknown(value):
    found = facts(service(f"autoscaling.knative.dev/max-scale: {value}", "      timeoutSeconds: soon\n"))
    assert isinstance(found["serving.request_timeout"], Unknown)
    assert found["orchestration.replicas.max"] is None or isinstance(found["orchestration.replicas.max"], Unknown)


def test_a_revision_of_a_service_among_the_sources_is_not_read_twice():
    text = (
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: s}\n"
        "spec: {template: {spec: {containers: [{image: i}]}}}\n---\n"
        "apiVersion: serving.knative.dev/v1\nkind: Revision\nmetadata: {name: r, ownerReferences: "
        "[{apiVersion: serving.knative.dev/v1, kind: Service, name: s}]}\nspec: {containers: [{image: i}]}\n"
    )
    assert [read.id for read in reading(text).workloads] == ["default/KnativeService/s"]


def test_a_revision_of_its_own_is_read_and_gives_way_to_its_deployment():
    revision = (
        "apiVersion: serving.knative.dev/v1\nkind: Revision\nmetadata: {name: r}\nspec: {containers: [{image: i}]}\n"
    )
    deployment = (
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: r-deployment, ownerReferences: "
        "[{apiVersion: serving.knative.dev/v1, kind: Revision, name: r}]}\n"
        "spec: {template: {spec: {containers: [{name: c, image: i}]}}}\n"
    )
    assert one(revision).id == "default/Revision/r"
    assert one(revision + deployment).id == "default/Deployment/r-deployment"
