"""Real workloads behind Services, routes and autoscalers: what is changed beside a workload is found for it.

The corpus keeps such objects in files of their own, so they are written here and put beside its Deployments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.evidence.redaction import Redactor
from tests.corpus import variants
from tests.corpus.files import samples, some

Doc = dict[str, Any]

# Objects by name with the changes to inject: where, from, to, and the fact that must be found.
_INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: beside
  namespace: NAMESPACE
  annotations:
    nginx.ingress.kubernetes.io/proxy-read-timeout: "600"
    nginx.ingress.kubernetes.io/proxy-send-timeout: "600"
    nginx.ingress.kubernetes.io/proxy-body-size: 8m
    nginx.ingress.kubernetes.io/proxy-buffering: "off"
    nginx.ingress.kubernetes.io/proxy-next-upstream-tries: "2"
spec:
  ingressClassName: nginx
  rules:
    - host: llm.example.com
      http:
        paths: [{path: /, pathType: Prefix, backend: {service: {name: beside, port: {number: 80}}}}]
"""
_VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: beside, namespace: NAMESPACE}
spec:
  hosts: [beside]
  http:
    - timeout: 600s
      retries: {attempts: 2, perTryTimeout: 300s}
      route: [{destination: {host: beside, port: {number: 80}}}]
"""
_HTTP_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: beside, namespace: NAMESPACE}
spec:
  parentRefs: [{name: gateway}]
  rules:
    - timeouts: {request: 600s}
      backendRefs: [{name: beside, port: 80}]
"""
_HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: beside, namespace: NAMESPACE}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: WORKLOAD}
  minReplicas: 2
  maxReplicas: 6
  metrics:
    - type: Pods
      pods: {metric: {name: num_requests_waiting}, target: {type: AverageValue, averageValue: "10"}}
"""
_SCALED_OBJECT = """\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: beside, namespace: NAMESPACE}
spec:
  scaleTargetRef: {name: WORKLOAD}
  minReplicaCount: 2
  maxReplicaCount: 6
  triggers:
    - type: prometheus
      metadata: {serverAddress: "http://prometheus:9090", query: sum(vllm:num_requests_waiting), threshold: "10"}
"""
CHANGES: tuple[tuple[str, str, str, str], ...] = (
    (_INGRESS, 'proxy-read-timeout: "600"', 'proxy-read-timeout: "60"', "serving.read_timeout"),
    (_INGRESS, "proxy-body-size: 8m", "proxy-body-size: 1m", "serving.max_body.bytes"),
    (_INGRESS, 'proxy-buffering: "off"', 'proxy-buffering: "on"', "serving.buffering"),
    (_INGRESS, 'proxy-next-upstream-tries: "2"', 'proxy-next-upstream-tries: "5"', "serving.retries"),
    (_VIRTUAL_SERVICE, "timeout: 600s", "timeout: 30s", "serving.request_timeout"),
    (_VIRTUAL_SERVICE, "attempts: 2", "attempts: 5", "serving.retries"),
    (_HTTP_ROUTE, "request: 600s", "request: 15s", "serving.request_timeout"),
    (_HPA, "minReplicas: 2", "minReplicas: 3", "orchestration.replicas.min"),
    (_HPA, "maxReplicas: 6", "maxReplicas: 9", "orchestration.replicas.max"),
    (_HPA, 'averageValue: "10"', 'averageValue: "40"', "orchestration.autoscaler.metrics"),
    (_HPA, "num_requests_waiting", "gpu_cache_usage", "orchestration.autoscaler.metrics"),
    (_SCALED_OBJECT, "minReplicaCount: 2", "minReplicaCount: 0", "orchestration.replicas.min"),
    (_SCALED_OBJECT, 'threshold: "10"', 'threshold: "40"', "orchestration.autoscaler.metrics"),
    (_SCALED_OBJECT, "sum(vllm:num_requests_waiting)", "avg(vllm:gpu_cache_usage)", "orchestration.autoscaler.metrics"),
)


def deployments(shared: Path, count: int) -> Iterator[tuple[Path, Doc]]:
    """Deployments of the corpus that are alone in their file, with the labels of their pods."""
    manifests = [s for s in samples(shared) if s.kind == "k8s-manifest"]
    for sample in some(manifests, count):
        docs = variants.load(sample.path.read_text(encoding="utf-8", errors="replace")) or []
        found = [d for d in docs if d.get("kind") == "Deployment" and isinstance(d.get("spec"), dict)]
        side = load(str(sample.path), "target", Redactor())
        if len(found) == 1 and len(side.snapshots) == 1 and not side.errors and len(docs) == 1:
            template = found[0]["spec"].get("template") or {}
            if (template.get("metadata") or {}).get("labels") and "name" in found[0]["metadata"]:
                yield sample.path, found[0]


def beside(doc: Doc, companion: str) -> str:
    """The Service of a Deployment and one object more, as YAML."""
    namespace = doc["metadata"].get("namespace", "default")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "beside", "namespace": namespace},
        "spec": {"selector": doc["spec"]["template"]["metadata"]["labels"], "ports": [{"port": 80}]},
    }
    text = companion.replace("NAMESPACE", json.dumps(namespace)).replace(
        "WORKLOAD", json.dumps(doc["metadata"]["name"])
    )
    return f"{json.dumps(service)}\n---\n{text}"


def test_what_is_changed_beside_a_workload_is_found(shared: Path, tmp_path: Path) -> None:
    tried = 0
    missed: list[str] = []
    for number, (path, doc) in enumerate(deployments(shared, 150)):
        for place, (companion, old, new, fact) in enumerate(CHANGES):
            sides = []
            for name, text in (("a", companion), ("b", companion.replace(old, new))):
                folder = tmp_path / f"{number}-{place}" / name
                folder.mkdir(parents=True)
                (folder / "llm.yaml").write_bytes(path.read_bytes())
                (folder / "beside.yaml").write_text(beside(doc, text))
                sides.append(str(folder))
            assert old in companion
            line = beside(doc, companion).split(old)[0].count("\n") + 1
            report = diff(sides[0], sides[1], Options())
            found = [f for w in report.workloads for f in w.findings]
            about = [f for f in found if f.rule == fact]
            right = [
                f
                for f in about
                if f.reference and f.target and all(_on(s.locations, line) for s in (f.reference, f.target))
            ]
            tried += 1
            if not right:
                why = "other line" if about else "not found"
                missed.append(f"{path}: {why}: {fact}: {old} -> {new}: {[f.summary for f in found]} {report.errors}")
    assert tried > 100
    assert len(missed) <= tried * 0.02, "\n".join(missed[:30])


def _on(locations: Any, line: int) -> bool:
    """On the line, or where the list begins that is one value (metrics: up to three lines above)."""
    return any(at.source.endswith("beside.yaml") and line - 3 <= at.line <= line for at in locations)


@pytest.mark.parametrize("companion", [_INGRESS, _VIRTUAL_SERVICE, _HTTP_ROUTE, _HPA, _SCALED_OBJECT])
def test_spelling_beside_a_workload_changes_nothing(shared: Path, tmp_path: Path, companion: str) -> None:
    for number, (path, doc) in enumerate(deployments(shared, 40)):
        text = path.read_text() + "\n---\n" + beside(doc, companion)
        plain = tmp_path / f"{number}" / "plain.yaml"
        plain.parent.mkdir()
        plain.write_text(text)
        for name, spelled in variants.kubernetes(text):
            other = tmp_path / f"{number}" / "other.yaml"
            other.write_text(spelled)
            for a, b in ((plain, other), (other, plain)):
                report = diff(str(a), str(b), Options())
                found = [f.summary for w in report.workloads for f in w.findings]
                assert (found, report.errors) == ([], ()), (path, name)
