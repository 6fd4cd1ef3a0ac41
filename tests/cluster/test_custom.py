"""Kinds that a cluster has only when somebody installed them: found by the names that kubectl takes, never missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import server
from tests.cluster.api import ApiError
from tests.cluster.conftest import Ask
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster

SERVICE = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: llm}
spec:
  predictor:
    minReplicas: 2
    model:
      modelFormat: {name: huggingface}
      args: [--model_name=llm, --model_id=Qwen/Qwen2.5-7B-Instruct, --max-model-len=8192]
      resources: {limits: {nvidia.com/gpu: 1}}
"""


def define(cluster: Cluster, group: str, version: str, kind: str, plural: str, short: str = "") -> None:
    """A CustomResourceDefinition that takes any object, and is there when this returns."""
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "shortNames": [short] if short else []}
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version_of = {"name": version, "served": True, "storage": True, "schema": anything}
    spec = {"group": group, "names": names, "scope": "Namespaced", "versions": [version_of]}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    try:
        cluster.admin.post(path, {"metadata": {"name": f"{plural}.{group}"}, "spec": spec})
    except ApiError as error:
        if error.code != 409:
            raise
    served = f"/apis/{group}/{version}/namespaces/default/{plural}"
    server.wait(lambda: "items" in cluster.admin.get(served))


@pytest.fixture
def kserve(cluster: Cluster) -> None:
    define(cluster, "serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices", "isvc")


@pytest.mark.usefixtures("kserve")
@pytest.mark.parametrize(
    "kind", ["isvc", "inferenceservice", "InferenceServices", "inferenceservice.serving.kserve.io"]
)
def test_a_custom_workload_is_its_manifest(
    cluster: Cluster, namespace: str, askew: Ask, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "manifest.yaml").write_text(SERVICE)
    apply(cluster.admin, SERVICE, namespace)
    got = askew("diff", "manifest.yaml", f"k8s:{namespace}/{kind}/llm")
    assert (got.code, got.findings) == (0, []), got.err
    assert got.report["workloads"][0]["presence"] == "both"


@pytest.mark.usefixtures("kserve")
def test_a_namespace_shows_custom_workloads(cluster: Cluster, namespace: str, askew: Ask, tmp_path: Path) -> None:
    apply(cluster.admin, SERVICE, namespace)
    got = askew("facts", f"k8s:{namespace}")
    assert [one["id"] for one in got.report["workloads"]] == [f"{namespace}/InferenceService/llm"]


def test_a_kind_that_nobody_knows(namespace: str, askew: Ask) -> None:
    got = askew("facts", f"k8s:{namespace}/frobnicator/llm")
    assert got.code == 2
    error = got.report["errors"][0]
    assert "frobnicator" in error["message"] and "kubectl api-resources" in error["hint"]


def test_an_object_that_is_not_there(cluster: Cluster, namespace: str, askew: Ask) -> None:
    got = askew("facts", f"k8s:{namespace}/deployment/llm")
    assert got.code == 2
    assert f"no Deployment 'llm' in the namespace '{namespace}'" in got.report["errors"][0]["message"]
    got = askew("facts", "k8s:no-such-namespace")
    assert got.code == 2
    assert "no namespace 'no-such-namespace'" in got.report["errors"][0]["message"]


def test_an_empty_namespace_is_no_pass(namespace: str, askew: Ask) -> None:
    got = askew("check", f"k8s:{namespace}")
    assert got.code == 2
    assert got.report["sources"][0]["status"] == "failed"
