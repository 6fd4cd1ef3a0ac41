"""Small deployments and helpers that the tests of contracts share."""

from __future__ import annotations

from pathlib import Path

from askew.app.load import load
from askew.contract.interface import Contract, Invalid
from askew.evidence.document import Document
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import documents
from askew.resolve.workload import Snapshot

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.33.0
          args:
            - --model=meta-llama/Llama-3.1-8B-Instruct
            - --served-model-name=llama
            - --dtype=bfloat16
            - --max-model-len=16384
            - --max-num-seqs=128
            - --generation-config=vllm
            - --port=8000
          env:
            - {name: OMP_NUM_THREADS, value: "8"}
            - {name: VLLM_DP_TOKEN, value: correct-horse-battery-staple}
          ports: [{name: http, containerPort: 8000}]
          resources:
            requests: {cpu: "8", memory: 64Gi}
            limits: {cpu: "8", memory: 64Gi, nvidia.com/gpu: "1"}
          readinessProbe: {httpGet: {path: /health, port: http}, timeoutSeconds: 5}
"""


def snapshots(
    text: str, folder: Path, name: str = "deploy.yaml", redactor: Redactor | None = None
) -> tuple[Snapshot, ...]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    side = load(str(path), "target", redactor or Redactor())
    assert not side.errors
    return side.snapshots


def document(text: str, name: str = "modelspec.yaml", redactor: Redactor | None = None) -> Document:
    (found,) = documents(text, name)
    (redactor or Redactor()).document(found)
    return found


def only(result: tuple[tuple[Contract, ...], tuple[Invalid, ...]]) -> Contract:
    (contract,), invalid = result
    assert not invalid, invalid
    return contract
