"""A rollout needs spare GPUs, and waits for ever where there are none

## What it finds

A Deployment with GPUs whose rolling update may start new pods and may not stop old ones first: `maxUnavailable`
comes to zero pods. That is so by default for fewer than four replicas, since 25 % is rounded down.

## Why it matters

The new pod needs as many GPUs again. Where all are taken it stays `Pending`, the old pod keeps running, and the
Deployment reports `ProgressDeadlineExceeded`: the new version does not arrive while no GPU becomes free.

## Example

```yaml
spec:
  replicas: 1
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template: {spec: {containers: [{resources: {limits: {nvidia.com/gpu: 8}}}]}}
```

## Remedy

Where no GPU is spare: `maxSurge: 0` and `maxUnavailable: 1`, or `type: Recreate`. Both interrupt service with one
replica.

## When it is fine

When a GPU is kept spare, or an autoscaler adds a node in time: then this is the strategy without interruption. No
source shows which, hence *possible*.

## References

- Rolling updates: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
- How the percentages are rounded: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places, whole, written
from askew.facts.types import Severity, Value
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

_WHOLE_NODE = 8
# https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy
_DEFAULTS = ("RollingUpdate", "25%")


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per Deployment whose rollout needs GPUs beyond those it has."""
    strategy, gpus = subject.known("orchestration.strategy"), whole(subject, "hardware.gpu.count")
    replicas = whole(subject, "orchestration.replicas.min")
    if not engine(subject) or strategy is None or not isinstance(strategy.value, dict) or not gpus or replicas is None:
        return
    if subject.snapshot.workload.kind != "Deployment" or strategy.value.get("type") != "RollingUpdate":
        return
    if whole(subject, "orchestration.replicas.max") == 0:
        return  # scaled to zero: there is nothing to replace
    pods = max(1, replicas)
    surge = _pods(strategy.value.get("max_surge"), pods, up=True)
    unavailable = _pods(strategy.value.get("max_unavailable"), pods, up=False)
    # The controller lets one pod go where both come to zero.
    if not surge or unavailable is None or unavailable > 0:
        return
    counted, count = subject.known("hardware.gpu.count"), subject.known("orchestration.replicas.min")
    entries = [strategy.entries[key] for key in ("max_unavailable", "max_surge", "type") if key in strategy.entries]
    spots = places(subject, *entries, strategy, counted)
    more = surge * gpus
    yield found(
        CHECK,
        subject,
        at=spots,
        severity=_severity(strategy, gpus),
        summary=f"a rollout of {pods} replica{'s' if pods > 1 else ''} needs {more} spare GPU{'s' if more > 1 else ''} "
        "before it stops an old pod",
        impact="Where no GPU is spare the new pod stays Pending and the rollout stands still.",
        facts=("hardware.gpu.count", "orchestration.replicas.min"),
        remedies=(
            Remedy(
                action="where no GPU is spare, let an old pod go first: strategy.rollingUpdate with maxSurge 0",
                text="strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}",
                location=(count.locations or spots)[0]
                if count is not None and count.origin == "explicit"
                else spots[0],
                verify="kubectl rollout status ends while all GPUs are in use",
                undo=f"set maxSurge to {strategy.value.get('max_surge')} and maxUnavailable to "
                f"{strategy.value.get('max_unavailable')}",
                safe=False,
            ),
        ),
    )


def _severity(strategy: Resolved, gpus: int) -> Severity:
    """What nobody wrote is a hint, also where the API server wrote it; whole nodes are seldom spare."""
    if not any(written(entry) and entry.value not in _DEFAULTS for entry in strategy.entries.values()):
        return "low" if gpus >= _WHOLE_NODE else "info"
    return "medium" if gpus >= _WHOLE_NODE else "low"


def _pods(value: Value, replicas: int, *, up: bool) -> int | None:
    """A number of pods, or a percentage of the replicas: up for surge, down for unavailable; None if neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    percent = str(value).removesuffix("%")
    if not percent.isdecimal() or percent == str(value):
        return None
    return -(-int(percent) * replicas // 100) if up else int(percent) * replicas // 100


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  replicas: {replicas}
  strategy: {strategy}
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: ["--model", "/models/qwen"]
          resources: {{limits: {{{resource}: 2}}}}
"""


def _case(name: str, replicas: int, strategy: str, line: int = 0, *, resource: str = "nvidia.com/gpu") -> Case:
    source = _DEPLOYMENT.format(replicas=replicas, strategy=strategy, resource=resource)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="rollout-deadlocks-on-gpus",
    title="A rollout needs spare GPUs, and waits for ever where there are none",
    category="orchestration",
    severity="low",
    confidence="possible",
    facts=("orchestration.strategy", "hardware.gpu.count", "orchestration.replicas.min"),
    run=run,
    playbook="scheduling",
    cases=(
        _case("none may go", 2, "{rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}", line=6),
        _case("a quarter of three is none", 3, "{type: RollingUpdate}", line=6),
        _case("a quarter of four is one", 4, "{type: RollingUpdate}"),
        _case("old pods first", 1, "{rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}"),
        _case("all at once", 1, "{type: Recreate}"),
        _case("scaled to zero", 0, "{rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"),
        _case("no GPUs", 1, "{rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}", resource="memory"),
    ),
)
