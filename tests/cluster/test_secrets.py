"""Secrets planted wherever a cluster holds them appear in nothing that a command prints."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.cluster.conftest import Ask
from tests.cluster.faults import Fault, front
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster, token

CANARIES = {
    "environment": "hf_CanaryCanaryCanaryEnv01",
    "argument": "sk-canary-canary-argument-02",
    "secret": "canary-in-a-secret-03-xyzzy",
    "configmap": "canary-in-a-configmap-04-xyzzy",
    "file": "canary-in-a-file-05-xyzzy",
    "annotation": "hf_CanaryCanaryCanaryAnno06",
    "url": "canary-in-a-url-07-xyzzy",
    "event": "hf_CanaryCanaryCanaryEvnt08",
    "termination": "hf_CanaryCanaryCanaryTerm09",
}
MANIFEST = """\
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData: {{api-key: {secret}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data:
  DB_PASSWORD: {configmap}
  config.yaml: |
    dtype: bfloat16
    api_key: {file}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm, annotations: {{note: "token {annotation}"}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
      - name: server
        image: vllm/vllm-openai:v0.8.5
        args: [--model=Qwen/Qwen2.5-7B-Instruct, --api-key, {argument}, --config=/etc/vllm/config.yaml]
        envFrom: [{{configMapRef: {{name: settings}}}}, {{secretRef: {{name: keys}}}}]
        env:
        - {{name: HF_TOKEN, value: {environment}}}
        - {{name: HTTPS_PROXY, value: "http://user:{url}@proxy.example.com:3128"}}
        - {{name: VLLM_API_KEY, valueFrom: {{secretKeyRef: {{name: keys, key: api-key}}}}}}
        volumeMounts: [{{name: files, mountPath: /etc/vllm}}]
        resources: {{limits: {{nvidia.com/gpu: 1}}}}
      volumes:
      - {{name: files, configMap: {{name: settings}}}}
"""


@pytest.fixture
def planted(cluster: Cluster, namespace: str, fleet: Fleet) -> str:
    apply(cluster.admin, MANIFEST.format(**CANARIES), namespace)
    pods = fleet.settle(namespace)
    message = f"failed to log in with {CANARIES['termination']}"
    fleet.set_status(pods[0], restarts=1, last={"terminated": {"exitCode": 1, "reason": "Error", "message": message}})
    meta = pods[0]["metadata"]
    event: dict[str, Any] = {
        "metadata": {"name": "denied"},
        "involvedObject": {"kind": "Pod", "name": meta["name"], "namespace": namespace, "uid": meta["uid"]},
        "type": "Warning", "reason": "Failed", "message": f"pull with {CANARIES['event']} was denied",
    }  # fmt: skip
    cluster.admin.post(f"/api/v1/namespaces/{namespace}/events", event)
    patch = {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}
    cluster.admin.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/llm", patch)
    fleet.settle(namespace)
    return namespace


def leaks(text: str) -> list[str]:
    """Where a secret that is shown, as it is or in base64, had been planted."""
    secrets = {**CANARIES, "kubeconfig": token("admin")}
    return [
        place
        for place, secret in secrets.items()
        if secret in text or base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] in text
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("facts", "k8s:{}"),
        ("facts", "k8s:{}/deployment/llm@applied"),
        ("check", "k8s:{}/deployment/llm"),
        ("diff", "k8s:{}/deployment/llm@previous", "k8s:{}/deployment/llm"),
    ],
    ids=lambda words: words[0] + words[1].partition("@")[2],
)
def test_nothing_shows_them(planted: str, askew: Ask, words: tuple[str, ...]) -> None:
    got = askew(*(word.format(planted) for word in words))
    assert got.report["workloads"], got.err
    assert leaks(got.out + got.err) == []


def test_nothing_shows_them_when_it_fails(cluster: Cluster, planted: str, askew: Ask) -> None:
    """The server repeats what it was asked and what it holds in the messages of its errors."""
    said = " ".join(CANARIES.values()) + f" Bearer {token('admin')}"
    body = json.dumps({"kind": "Status", "code": 500, "message": said}).encode()
    with front(cluster, Fault(path="/pods", code=500, body=body)) as before:
        got = askew("facts", f"k8s:{planted}?timeout=3", config=cluster.kubeconfig(url=before.url))
    known = (
        "environment",
        "argument",
        "annotation",
        "event",
        "termination",
        "kubeconfig",
    )  # no name says what they are
    assert not set(leaks(got.out + got.err)) & set(known)
