"""The autoscaler says itself that it cannot scale

## What it finds

A HorizontalPodAutoscaler whose condition `ScalingActive` or `AbleToScale` is false (`FailedGetPodsMetric`,
`FailedGetExternalMetric`, `FailedGetScale`), or a ScaledObject that is not ready or runs on its fallback.

## Why it matters

The replicas stay as they are, or go to the fallback, however long the queue is. Nothing else says so: the pods are
healthy, and the autoscaler is listed like any other.

## Example

```
ScalingActive=False  FailedGetPodsMetric: unable to get metric vllm_num_requests_waiting: no metrics returned
```

## Remedy

Find what is missing between the engine and the autoscaler: the metric's name, the scrape, the adapter, the query. The
reason names the part.

## When it is fine

In the first minutes of a deployment, before its metrics are there: while no object shows a time that is five minutes
later than the condition's, the finding is *low*. A workload that is scaled to zero or paused on purpose
(`ScalingDisabled`) is not reported.

## References

- Conditions of the autoscaler:
  https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale-walkthrough/#status-conditions
- KEDA's fallback: https://keda.sh/docs/latest/reference/scaledobject-spec/#fallback
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import places, serves
from askew.checks.running import deployment, refused
from askew.findings.finding import Remedy

_FACT = "orchestration.autoscaler.status"
_WRONG = (
    ("scaling_active", False, "it gets no value of its signals"),
    ("able_to_scale", False, "it cannot change the number of replicas"),
    ("ready", False, "it is not ready"),
    ("fallback", True, "it runs on its fallback"),
)


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the autoscaler."""
    known = subject.known(_FACT)
    if serves(subject):
        yield from refused(subject, _FACT)
    if known is None or not isinstance(known.value, dict) or not serves(subject):
        return
    told = known.value
    reason = str(told.get("reason") or "")
    wrong = next(((key, words) for key, state, words in _WRONG if told.get(key) is state), None)
    if wrong is None or reason.startswith("ScalingDisabled") or told.get("paused") is True:
        return
    since = f" since {told['since']}" if told.get("since") else ""
    entries = [known.entries[key] for key in (wrong[0], "reason") if key in known.entries]
    spots = places(subject, *entries)
    yield found(
        CHECK,
        subject,
        at=spots,
        severity="low" if told.get("recent") is True else CHECK.severity,
        summary=f"the autoscaler does not scale{since}: {reason or wrong[1]}",
        impact="The replicas stay as they are, or as the fallback says, however long the queue is.",
        remedies=(
            Remedy(
                action="make what it asks for available: the metric's name as this release emits it, its scrape, the "
                "adapter or the query",
                location=spots[0],
                verify="kubectl describe hpa shows ScalingActive True and a value for each metric",
                undo="restore the autoscaler as it was",
                safe=False,
            ),
        ),
    )


_HPA = """\
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm, namespace: prod}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  maxReplicas: 4
status:
  conditions:
    - {type: AbleToScale, status: "True", reason: SucceededGetScale}
    - {type: ScalingActive, status: "%s", reason: %s}
"""
_KEDA = """\
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: llm, namespace: prod}
spec:
  scaleTargetRef: {name: llm}
  triggers: [{type: prometheus, metadata: {query: "sum(x)", threshold: "5"}}]
status:
  conditions:
    - {type: Ready, status: "True"}
    - {type: Fallback, status: "%s", reason: FallbackExists}
"""

CHECK = Check(
    id="autoscaler-not-scaling",
    title="The autoscaler says itself that it cannot scale",
    category="orchestration",
    severity="high",
    confidence="likely",
    facts=(_FACT,),
    run=run,
    playbook="autoscaling",
    cases=(
        Case(name="no metric", source=deployment() + _HPA % ("False", "FailedGetPodsMetric"), fires=True, line=27),
        Case(name="on its fallback", source=deployment() + _KEDA % "True", fires=True, line=27),
        Case(name="scales", source=deployment() + _HPA % ("True", "ValidMetricFound"), fires=False),
        Case(name="scaled to zero", source=deployment() + _HPA % ("False", "ScalingDisabled"), fires=False),
        Case(name="as declared", source=deployment() + _KEDA % "False", fires=False),
    ),
)
