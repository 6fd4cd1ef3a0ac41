"""GPUs are requested without a limit, which Kubernetes refuses

## What it finds

An accelerator (`nvidia.com/gpu` or another extended resource) under `resources.requests` of the engine's container,
and not under `resources.limits`.

## Why it matters

Extended resources cannot be overcommitted: the API server accepts a limit alone, or a request equal to its limit, and
refuses the rest with `Limit must be set for non overcommitable resources`. A Deployment is refused when it is
applied; an object of a custom kind (InferenceService, LeaderWorkerSet, RayService) may be accepted, and then its pods
are never created.

## Example

```yaml
resources:
  requests: {nvidia.com/gpu: 1}       # and no limits
```

## Remedy

Write the same number under `resources.limits`. The request may then be left out: it equals the limit by default.

## When it is fine

When a webhook or a policy adds the limit before the pod is validated. Nothing else makes it valid.

## References

- Scheduling GPUs: https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/
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
    if amounts is None or resource is None or not isinstance(amounts.value, dict):
        return
    request, limit = amounts.entries.get("request"), amounts.entries.get("limit")
    if request is None or request.state != "known" or not request.value:
        return
    if limit is not None and limit.state != "absent":
        return
    spots = places(subject, request)
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"{resource.value}: {request.value} is requested and no limit is set",
        impact="The API server refuses such a pod: nothing starts.",
        facts=("hardware.gpu.resource",),
        remedies=(
            Remedy(
                action=f"set resources.limits.{resource.value} to the requested number",
                text=f"limits:\n  {resource.value}: {request.value}",
                location=spots[0],
                verify="kubectl apply --dry-run=server accepts the pod",
                undo=f"remove {resource.value} from resources.limits",
            ),
        ),
    )


_DEPLOYMENT = """\
apiVersion: {api}
kind: {kind}
metadata: {{name: llm}}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: ["--model", "/models/qwen"]
          resources:
            {first}
            {second}
"""


def _case(name: str, first: str, second: str, line: int = 0, *, kind: str = "Deployment") -> Case:
    source = _DEPLOYMENT.format(api="apps/v1", kind=kind, first=first, second=second)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="gpu-request-without-limit",
    title="GPUs are requested without a limit, which Kubernetes refuses",
    category="hardware",
    severity="high",
    confidence="certain",
    facts=("hardware.gpu.request", "hardware.gpu.resource"),
    run=run,
    playbook="scheduling",
    cases=(
        _case("a request alone", "limits: {memory: 32Gi}", "requests: {nvidia.com/gpu: 1}", line=13),
        _case("AMD, in a StatefulSet", "requests: {amd.com/gpu: 2}", "limits: {cpu: 8}", line=12, kind="StatefulSet"),
        _case("a limit alone", "limits: {nvidia.com/gpu: 1}", "requests: {memory: 32Gi}"),
        _case("both", "limits: {nvidia.com/gpu: 1}", "requests: {nvidia.com/gpu: 1}"),
        _case("a request of none", "limits: {memory: 32Gi}", "requests: {nvidia.com/gpu: 0}"),
        _case("a limit of another resource only", "limits: {cpu: 4}", "requests: {cpu: 4}"),
    ),
)
