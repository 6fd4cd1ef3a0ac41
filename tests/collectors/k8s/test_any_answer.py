"""Whatever an API server answers: evidence comes of it, or an error that says what was expected; never an exception."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from askew.app import sources
from askew.collectors.k8s import COLLECTOR
from askew.evidence.redaction import Redactor
from askew.platforms.cluster.read import read
from tests.collectors.k8s.scripted import Cluster, kubeconfig, rollout

_KEYS = [
    "metadata",
    "name",
    "namespace",
    "uid",
    "labels",
    "annotations",
    "ownerReferences",
    "managedFields",
    "fieldsV1",
    "f:spec",
    "spec",
    "template",
    "containers",
    "args",
    "env",
    "status",
    "phase",
    "conditions",
    "containerStatuses",
    "state",
    "lastState",
    "terminated",
    "restartCount",
    "revision",
    "data",
    "selector",
    "matchLabels",
    "matchExpressions",
    "key",
    "operator",
    "values",
    "items",
    "continue",
    "kind",
    "apiVersion",
    "nodeName",
    "volumes",
    "configMap",
    "secret",
    "secretName",
    "parentRefs",
    "controller",
    "type",
    "deployment.kubernetes.io/revision",
    "ports",
    "containerPort",
]
_SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 2**64) | st.floats() | st.sampled_from([*_KEYS, "llm", "prod", "1"])
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    max_leaves=25,
)


def planted(value: Any, number: int) -> Any:
    """The objects of a rollout, with a strange value somewhere in each."""
    objects = rollout("--seed=1")
    for count, one in enumerate(objects):
        holder = one
        for key in ("metadata", "spec", "template", "spec")[: (number + count) % 5]:
            holder = holder.get(key, holder) if isinstance(holder.get(key), dict) else holder
        holder[_KEYS[(number * 7 + count) % len(_KEYS)]] = value
    return objects


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Cluster() as running:
        path = kubeconfig(tmp_path_factory.mktemp("any") / "config", running.url)
        yield running, path


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(
        ["prod", "*", "prod/deploy/llm", "prod/deploy/llm@previous", "prod/deploy/llm@applied", "prod@applied"]
    ),
    _JSON,
    st.integers(0, 200),
)
def test_objects_of_any_shape(cluster: tuple[Cluster, Path], target: str, value: Any, number: int) -> None:
    running, path = cluster
    whole = planted(value, number)
    lists = {"deployments": "Deployment", "replicasets": "ReplicaSet", "pods": "Pod", "nodes": "Node"}

    def answer(asked: str, query: dict[str, str]) -> Any:
        last = asked.rsplit("/", 1)[1]
        if last == "apis":
            return None
        if last == "llm":
            return 200, {}, json.dumps(whole[0]).encode()
        items = [one for one, kind in zip(whole, ("Deployment", "ReplicaSet", "ReplicaSet", "Pod", "Node"), strict=True)
                 if kind == lists.get(last)]  # fmt: skip
        return 200, {}, json.dumps({"items": items} if number % 9 else value).encode()

    running.answer = answer
    os.environ["KUBECONFIG"] = str(path)
    (request,) = sources.parse(f"k8s:{target}?logs=on&endpoints=on&timeout=5")
    try:
        found = COLLECTOR.collect(request, Redactor(b"key"))
    finally:
        del os.environ["KUBECONFIG"]
    assert found.status in ("complete", "partial", "failed")
    assert all(one.message and one.hint for one in found.errors)
    assert bool(found.reason) is (found.status != "complete")
    read(found.documents, found.texts)
