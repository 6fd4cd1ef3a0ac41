"""A rollout has not come to its end: two versions are in service, or the new one does not start

## What it finds

A workload whose pods are of two templates, whose controller gave up (`ProgressDeadlineExceeded`), that is paused half
way, or whose pods do not start (`CrashLoopBackOff`, `ImagePullBackOff`, `Unschedulable`).

## Why it matters

The manifest shows the new version, and `kubectl get deployment` may even call it available, while part of the
requests, or all of them, are answered by the old one. With GPUs it happens easily: a new pod needs devices that the old
ones hold.

## Example

```
spec.replicas: 3   status: {updatedReplicas: 1, replicas: 4}   Progressing=False: ProgressDeadlineExceeded
```

## Remedy

See why the new pods do not become ready (`kubectl describe pod`, the warnings are listed with `-v`), then finish the
rollout or take it back with `kubectl rollout undo`.

## When it is fine

While it is on its way: then the finding is *info*; and *low* while pods wait for a node, which may be about to join. A
canary that is meant to stay half way can be waived.

## References

- A Deployment that failed: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment
- Partitions of a StatefulSet: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import places, serves
from askew.checks.running import deployment, pod, refused, rollout, stuck
from askew.facts.types import Value
from askew.findings.finding import Remedy

_FACT = "orchestration.rollout"
_ORDER = ("reason", "waiting", "paused", "noticed", "complete", "updated", "versions")


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the workload."""
    told, known = rollout(subject), subject.known(_FACT)
    if serves(subject):
        yield from refused(subject, _FACT)
    if known is None or not serves(subject) or not (told.get("complete") is False or told.get("waiting")):
        return
    spots = places(subject, *(known.entries[key] for key in _ORDER if key in known.entries))
    name = f"{subject.snapshot.workload.kind.lower()}/{subject.snapshot.workload.name}"
    yield found(
        CHECK,
        subject,
        at=spots,
        severity="medium" if stuck(subject) else "low" if told.get("waiting") else "info",
        summary=_summary(told),
        impact="Requests are answered by the version that their pod is of; what the manifest says holds for some.",
        remedies=(
            Remedy(
                action=f"see why the new pods do not come up (kubectl rollout status {name}, kubectl describe pod), "
                f"then let it finish or take it back: kubectl rollout undo {name}",
                location=spots[0],
                verify=f"kubectl rollout status {name} ends",
                undo=f"kubectl rollout undo {name} once more brings the new version back",
                safe=False,
            ),
        ),
    )


def _summary(told: dict[str, Value]) -> str:
    parts: list[str] = []
    versions, updated, replicas = told.get("versions"), told.get("updated"), told.get("replicas")
    if told.get("complete") is False:
        parts.append("the rollout is not complete")
        if isinstance(updated, int) and isinstance(replicas, int):
            parts.append(f"{updated} of {replicas} pods are of the new version")
        elif isinstance(versions, int) and versions > 1:
            parts.append(f"pods of {versions} versions run")
    if told.get("waiting"):
        number = told.get("not_started")
        parts.append(f"{number} pod{'s do' if number != 1 else ' does'} not start: {told['waiting']}")
    if told.get("reason"):
        parts.append(str(told["reason"]))
    if told.get("noticed") is False:
        parts.append("the controller has not acted on the last change")
    if told.get("paused"):
        parts.append("it is paused")
    return "; ".join(parts)


_STUCK = (
    "{observedGeneration: 2, replicas: 3, updatedReplicas: 1, readyReplicas: 2, "
    "conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded}]}"
)

CHECK = Check(
    id="rollout-incomplete",
    title="A rollout has not come to its end: two versions are in service, or the new one does not start",
    category="orchestration",
    severity="medium",
    confidence="certain",
    facts=(_FACT,),
    run=run,
    playbook="replicas",
    cases=(
        Case(name="past its deadline", source=deployment(_STUCK), fires=True, line=16),
        Case(
            name="on its way",
            source=deployment("{observedGeneration: 2, replicas: 3, updatedReplicas: 1, readyReplicas: 2}"),
            fires=True,
            line=16,
        ),
        Case(
            name="the new pod does not start",
            source=deployment()
            + pod("llm-aaa-1")
            + pod("llm-aaa-2", state="{waiting: {reason: CrashLoopBackOff}}", restarts="9"),
            fires=True,
            line=63,
        ),
        Case(
            name="two templates",
            source=deployment("{}") + pod("llm-aaa-1") + pod("llm-bbb-1", revision="bbb"),
            fires=True,
            line=47,
        ),
        Case(name="complete", source=deployment() + pod("llm-aaa-1") + pod("llm-aaa-2"), fires=False),
        Case(name="a manifest has no status", source=deployment("{}"), fires=False),
        Case(
            name="not ready yet",
            source=deployment("{observedGeneration: 2, replicas: 2, updatedReplicas: 2}")
            + pod("llm-aaa-1", state="{waiting: {reason: ContainerCreating}}"),
            fires=False,
        ),
        Case(
            name="scaled to zero",
            source=deployment("{observedGeneration: 2}").replace("replicas: 2", "replicas: 0", 1),
            fires=False,
        ),
    ),
)
