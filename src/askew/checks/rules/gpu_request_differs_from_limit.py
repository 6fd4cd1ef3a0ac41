"""The GPU request differs from its limit, which Kubernetes refuses

## What it finds

An accelerator (`nvidia.com/gpu` or another extended resource) whose number under `resources.requests` is not the one
under `resources.limits`.

## Why it matters

Extended resources cannot be overcommitted: the API server refuses a pod whose request is not equal to its limit.
An object of a custom kind may be accepted, and then its pods are never created.

## Example

```yaml
resources:
  requests: {nvidia.com/gpu: 1}
  limits: {nvidia.com/gpu: 2}
```

## Remedy

Write one number in both, or the limit alone: the request equals it by default.

## When it is fine

When a webhook or a policy makes them equal before the pod is validated. Nothing else makes it valid.

## References

- Extended resources: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources
- The validation: https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import places
from askew.findings.finding import Remedy


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the engine's container."""
    amounts, resource = subject.known("hardware.gpu.request"), subject.known("hardware.gpu.resource")
    if amounts is None or resource is None or resource.state != "known" or not isinstance(amounts.value, dict):
        return
    request, limit = amounts.entries.get("request"), amounts.entries.get("limit")
    if request is None or limit is None or request.state != "known" or limit.state != "known":
        return
    if request.value is None or limit.value is None or request.value == limit.value:
        return
    spots = places(subject, request, limit)
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"{resource.value}: {request.value} requested, {limit.value} as limit",
        impact="The API server refuses such a pod: nothing starts.",
        facts=("hardware.gpu.resource",),
        remedies=(
            Remedy(
                action=f"set resources.requests.{resource.value} to the limit, or to the number that is meant in both",
                text=f"{resource.value}: {limit.value}",
                location=spots[0],
                verify="kubectl apply --dry-run=server accepts the pod",
                undo=f"set resources.requests.{resource.value} to {request.value}",
                safe=False,
            ),
        ),
    )


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: ["--model", "/models/qwen"]
          resources:
            requests: {{{request}}}
            limits: {{{limit}}}
"""


def _case(name: str, request: str, limit: str, line: int = 0) -> Case:
    return Case(name=name, source=_DEPLOYMENT.format(request=request, limit=limit), fires=bool(line), line=line)


CHECK = Check(
    id="gpu-request-differs-from-limit",
    title="The GPU request differs from its limit, which Kubernetes refuses",
    category="hardware",
    severity="high",
    confidence="certain",
    facts=("hardware.gpu.request", "hardware.gpu.resource"),
    run=run,
    playbook="scheduling",
    cases=(
        _case("fewer than the limit", "nvidia.com/gpu: 1", "nvidia.com/gpu: 2", line=12),
        _case("AMD", "amd.com/gpu: 4", "amd.com/gpu: 2", line=12),
        _case("equal, spelled differently", 'nvidia.com/gpu: "2"', "nvidia.com/gpu: 2"),
        _case("CPU and memory may differ", "cpu: 1, nvidia.com/gpu: 1", "cpu: 8, nvidia.com/gpu: 1"),
        _case("a limit alone", "cpu: 1", "nvidia.com/gpu: 1"),
    ),
)
