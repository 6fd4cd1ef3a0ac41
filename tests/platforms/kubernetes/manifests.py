"""Small manifests and ways to look at what was read from them."""

from __future__ import annotations

from typing import Any

from askew.evidence import yaml
from askew.evidence.document import Document
from askew.platforms.kubernetes.objects import Objects, index
from askew.platforms.kubernetes.read import KubernetesReading, read
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Container, Workload

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm
  namespace: prod
  labels: {app: llm}
spec:
  replicas: 2
  selector:
    matchLabels: {app: llm}
  template:
    metadata:
      labels: {app: llm, tier: "gold"}
    spec:
      nodeSelector:
        nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: ["--model", "org/model", "--max-model-len=$(MAX_LEN)"]
          env:
            - {name: MAX_LEN, value: "8192"}
            - {name: HF_TOKEN, valueFrom: {secretKeyRef: {name: hf, key: token}}}
          ports:
            - {name: http, containerPort: 8000}
          resources:
            limits: {nvidia.com/gpu: 2, memory: 64Gi, cpu: "8"}
            requests: {cpu: 500m}
          readinessProbe:
            httpGet: {path: /health, port: http}
            periodSeconds: 5
          volumeMounts:
            - {name: shm, mountPath: /dev/shm}
            - {name: models, mountPath: /models, subPath: llama, readOnly: true}
      volumes:
        - name: shm
          emptyDir: {medium: Memory, sizeLimit: 16Gi}
        - name: models
          persistentVolumeClaim: {claimName: weights}
"""


def documents(text: str, source: str = "a.yaml") -> tuple[Document, ...]:
    return tuple(yaml.read(text, source).documents)


def indexed(text: str, source: str = "a.yaml") -> Objects:
    return index(documents(text, source))


def reading(text: str, source: str = "a.yaml") -> KubernetesReading:
    return read(documents(text, source))


def one(text: str) -> Workload:
    found = reading(text).workloads
    assert len(found) == 1, [workload.id for workload in found]
    return found[0]


def pod(spec: str) -> Workload:
    """A Pod with this spec (YAML, not indented)."""
    body = "".join(f"  {line}\n" for line in spec.splitlines())
    return one(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n{body}")


def facts(workload: Workload, container: int = 0) -> dict[str, Any]:
    """Values by fact (and ``fact/key``) of a workload and one of its containers; unknowns as they are."""
    chosen: tuple[Container, ...] = workload.containers[container : container + 1]
    found: dict[str, Any] = {}
    for observation in (*workload.observations, *(o for c in chosen for o in c.observations)):
        found[observation.fact + (f"/{observation.key}" if observation.key else "")] = observation.value
    return found


def observation(workload: Workload, fact: str, key: str = "", container: int = 0) -> Observation:
    for one_ in (*workload.observations, *workload.containers[container].observations):
        if one_.fact == fact and one_.key == key:
            return one_
    raise AssertionError(f"no observation of {fact} {key}")


def view(found: KubernetesReading) -> dict[str, list[tuple[str, str, str, str]]]:
    """Everything a comparison can see, without places and origins: what must be equal for equal deployments."""
    seen: dict[str, list[tuple[str, str, str, str]]] = {}
    for workload in found.workloads:
        rows = seen.setdefault(workload.id, [])
        for observation_ in workload.observations:
            rows.append(("", observation_.fact, observation_.key, _shown(observation_)))
        for container in workload.containers:
            for observation_ in container.observations:
                rows.append((container.name, observation_.fact, observation_.key, _shown(observation_)))
            rows.append((container.name, "gpus", "", str(container.gpus)))
            for number, process in enumerate(container.processes):
                words = [(token.text, token.unknown) for token in process.argv]
                env = sorted((v.name, v.value, v.unknown) for v in process.env.values())
                files = sorted((path, content.text) for path, content in process.files.items())
                rows.append((container.name, "process", str(number), repr((words, env, files))))
        rows.sort()
    return seen


def _shown(observation_: Observation) -> str:
    value = observation_.value
    return f"unknown: {value.reason}" if isinstance(value, Unknown) else repr(value)
