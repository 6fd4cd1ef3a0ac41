"""What checks of running workloads share: how far a rollout is, and the objects that their cases are made of."""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Needs, Subject
from askew.facts.types import SEVERITIES, Severity, Value

_ROLLOUT = "orchestration.rollout"
# A node may be about to join, or quota to come free: an autoscaler of nodes takes minutes, longer where GPUs are few.
_FOR_A_NODE = frozenset(("Unschedulable", "SchedulingGated"))


def refused(subject: Subject, fact: str) -> Iterator[Needs]:
    """What a check asks for that a source was not allowed to show; nothing where no source is one that could."""
    known = subject.snapshot.facts.get(fact)
    if known is not None and (known.state == "unknown" or known.reason):
        yield Needs(fact=fact, reason=known.reason)


def rollout(subject: Subject) -> dict[str, Value]:
    """What is known of the workload's rollout; empty where no source shows it."""
    known = subject.known(_ROLLOUT)
    return known.value if known is not None and isinstance(known.value, dict) else {}


def stuck(subject: Subject) -> bool:
    """Whether a rollout does not come further by itself. Of pods that wait for a node the controller says so, when its
    patience is at its end."""
    told = rollout(subject)
    waiting = told.get("waiting")
    return bool(told.get("reason") or told.get("paused") or (waiting and waiting not in _FOR_A_NODE))


def moving(subject: Subject) -> bool:
    """Whether a rollout is on its way: pods of two versions are what it is for."""
    return rollout(subject).get("complete") is False and not stuck(subject)


def eased(subject: Subject, severity: Severity) -> Severity:
    """The severity of what a rollout that is on its way explains, and mends when it ends."""
    return "low" if moving(subject) and SEVERITIES.index(severity) < SEVERITIES.index("low") else severity


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod, generation: 2}
spec:
  replicas: 2
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: ["--model=org/model", "--max-model-len=8192"]
          envFrom: [{configMapRef: {name: settings}}]
          resources: {limits: {nvidia.com/gpu: 1}}
status: %s
"""
_POD = """\
---
apiVersion: v1
kind: Pod
metadata:
  name: %(name)s
  namespace: prod
  labels: {app: llm, pod-template-hash: %(hash)s}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: llm-%(hash)s, controller: true}]
spec:
  nodeName: %(node)s
  containers:
    - name: engine
      image: vllm/vllm-openai:v0.8.5
      args: ["--model=org/model", "--max-model-len=%(length)s"]
      envFrom: [{configMapRef: {name: settings}}]
      resources: {limits: {nvidia.com/gpu: 1}, requests: {nvidia.com/gpu: 1}}
status:
  phase: Running
  containerStatuses:
    - name: engine
      imageID: docker.io/vllm/vllm-openai@sha256:%(digest)s
      restartCount: %(restarts)s
      state: %(state)s
      lastState: %(last)s
"""
_NODE = """\
---
apiVersion: v1
kind: Node
metadata: {name: %s, labels: {nvidia.com/gpu.product: %s}}
status: {allocatable: {nvidia.com/gpu: 8}}
"""
STARTED = "2026-01-02T10:00:00Z"


def deployment(status: str = "{observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2}") -> str:
    """A Deployment of two pods with 17 lines, as a cluster shows it."""
    return _DEPLOYMENT % status


def pod(
    name: str,
    *,
    node: str = "n1",
    revision: str = "aaa",
    length: str = "8192",
    digest: str = "ab" * 32,
    restarts: str = "0",
    state: str = "{running: {startedAt: 2026-01-02T10:00:00Z}}",
    last: str = "{}",
) -> str:
    """One of its pods, with 24 lines, the first of which separates it from what stands before."""
    return _POD % {
        "name": name,
        "node": node,
        "hash": revision,
        "length": length,
        "digest": digest,
        "restarts": restarts,
        "state": state,
        "last": last,
    }


def node(name: str, product: str = "NVIDIA-H100-80GB-HBM3") -> str:
    """A node with 5 lines."""
    return _NODE % (name, product)
