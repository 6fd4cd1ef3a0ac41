"""A platform's default: silent where it is spelled out, and a difference with its source where another value is
written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from askew.app.pipeline import Options, diff
from askew.report.render import render

ENGINE = """\
apiVersion: v1
kind: Service
metadata: {name: llm, namespace: prod, annotations: {SERVICE}}
spec: {selector: {app: llm}, ports: [{port: 8000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - {name: vllm, image: "vllm/vllm-openai:v0.8.5", args: ["--model", "org/model"]}
---
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: llm, namespace: prod, annotations: {ANNOTATIONS}}
spec:
  ingressClassName: CLASS
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: llm, port: {number: 8000}}}}]}}]
"""
HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm, namespace: prod}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  maxReplicas: 4
  metrics: [{type: Pods, pods: {metric: {name: q}, target: {type: AverageValue, averageValue: "1"}}}]
  behavior: {BEHAVIOUR}
"""
VIRTUAL = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: llm, namespace: prod}
spec:
  hosts: [llm]
  http: [{route: [{destination: {host: llm}}], EXTRA}]
"""


def ingress(chosen: str, annotations: str = "", service: str = "") -> str:
    text = ENGINE.replace("{SERVICE}", f"{{{service}}}") + INGRESS.replace("CLASS", chosen)
    return text.replace("{ANNOTATIONS}", f"{{{annotations}}}")


def hpa(behaviour: str) -> str:
    return ENGINE.replace("{SERVICE}", "{}") + HPA.replace("{BEHAVIOUR}", behaviour)


def virtual(extra: str) -> str:
    return ENGINE.replace("{SERVICE}", "{}") + VIRTUAL.replace(", EXTRA", extra)


def findings(tmp_path: Path, reference: str, target: str) -> list[dict[str, Any]]:
    for name, text in (("a.yaml", reference), ("b.yaml", target)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    report = diff(str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), Options())
    (workload,) = json.loads(render(report, "json", color=False, width=100, verbose=False))["workloads"]
    return list(workload["findings"])


ALB = "alb.ingress.kubernetes.io/load-balancer-attributes"
NGINX = "nginx.ingress.kubernetes.io/"
WRITTEN = f'{NGINX}proxy-body-size: 1024k, {NGINX}proxy-read-timeout: "60", {NGINX}proxy-buffering: "off"'
SPELLED = [
    (ingress("nginx", f"{NGINX}proxy-body-size: 1m"), ingress("nginx", WRITTEN)),
    (ingress("alb"), ingress("alb", f'{ALB}: "idle_timeout.timeout_seconds=60"')),
    (ingress("kong"), ingress("kong", "", 'konghq.com/read-timeout: "60000"')),
    (hpa("{scaleDown: {stabilizationWindowSeconds: 300}}"), hpa("{}")),
    (hpa("{scaleUp: {stabilizationWindowSeconds: 0, selectPolicy: Max}}"), hpa("{scaleDown: {selectPolicy: Max}}")),
    (virtual(""), virtual(", timeout: 0s")),
]  # fmt: skip


@pytest.mark.parametrize(("short", "long"), SPELLED)
def test_a_default_that_is_spelled_out_is_no_difference(tmp_path: Path, short: str, long: str) -> None:
    assert findings(tmp_path, short, long) == []
    assert findings(tmp_path, long, short) == []


@pytest.mark.parametrize(
    ("short", "long", "fact", "old", "new", "source"),
    [
        (ingress("alb"), ingress("alb", f'{ALB}: "idle_timeout.timeout_seconds=900"'), "serving.read_timeout", 60, 900,
         "docs.aws.amazon.com"),
        (ingress("nginx", f'{NGINX}proxy-buffering: "off"'),
         ingress("nginx", f'{NGINX}proxy-buffering: "off", {NGINX}proxy-read-timeout: "3600"'),
         "serving.read_timeout", 60, 3600, "kubernetes/ingress-nginx"),
        (ingress("kong"), ingress("kong", "", 'konghq.com/read-timeout: "600000"'), "serving.read_timeout", 60, 600,
         "Kong/kong"),
        (virtual(""), virtual(", timeout: 15s"), "serving.request_timeout", "unlimited", 15, "istio/api"),
        (hpa("{}"), hpa("{scaleDown: {stabilizationWindowSeconds: 60}}"), "orchestration.autoscaler.behaviour", 300, 60,
         "kubernetes/kubernetes"),
    ],
)  # fmt: skip
def test_another_value_is_found_with_the_source_of_the_default(
    tmp_path: Path, short: str, long: str, fact: str, old: object, new: object, source: str
) -> None:
    found = [one for one in findings(tmp_path, short, long) if one["fact"] == fact]
    assert [(one["reference"]["value"], one["target"]["value"]) for one in found] == [(old, new)]
    assert found[0]["reference"]["origin"] == "platform-default"
    assert source in json.dumps(found[0]["reference"])
