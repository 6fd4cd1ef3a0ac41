"""The engine's container was killed for its memory, or restarts again and again

## What it finds

A container of an engine that ended as `OOMKilled` in one of the pods, or that has restarted three times or more.

## Why it matters

Each restart loads the model again: minutes in which a replica is missing and the others take its load. A limit of
memory below what loading needs kills the container at every start; one a little above it kills it under load.

## Example

```
restartCount: 7   lastState: {terminated: {reason: OOMKilled, exitCode: 137}}
```

## Remedy

`OOMKilled` is about the memory of the container, not of the GPU: raise `resources.limits.memory`, or lower what takes
it (CPU offload, swap, shared memory, workers). For other ends, `kubectl logs --previous` shows the last words.

## When it is fine

When it is long ago: the count starts anew only with a new pod, and the finding tells when the container ended last.

## References

- Why containers end: https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
- Memory limits: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places, whole
from askew.checks.running import deployment, pod
from askew.findings.finding import Remedy

_RESTARTS, _LAST = "orchestration.restarts", "orchestration.last_termination"
_MANY = 3


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the workload."""
    restarts, last, counted = whole(subject, _RESTARTS) or 0, subject.known(_LAST), subject.known(_RESTARTS)
    told = last.value if last is not None and isinstance(last.value, dict) else {}
    killed = told.get("reason") == "OOMKilled"
    if not engine(subject) or not (killed or restarts >= _MANY):
        return
    entries = [last.entries[key] for key in ("reason", "exit_code", "at") if last is not None and key in last.entries]
    spots = places(subject, *(entries if killed else ()), counted, *entries)
    how = ", ".join(str(told[key]) for key in ("reason", "exit_code") if told.get(key) not in (None, ""))
    when = f" at {told['at']}" if told.get("at") else ""
    times = f"restarted {restarts} time{'s' if restarts != 1 else ''}"
    what = f"the engine's container was killed for its memory{when}" if killed else f"the engine's container {times}"
    more = f" ({times})" if killed and restarts else f" (last: {how}{when})" if how and not killed else ""
    memory = "raise resources.limits.memory of the container, or lower what takes host memory (offload, swap, workers)"
    yield found(
        CHECK,
        subject,
        fact=_LAST if killed else _RESTARTS,
        at=spots,
        severity="medium" if killed else "low",
        summary=what + more,
        impact="Each restart loads the model again; the other replicas take the load meanwhile.",
        facts=(_RESTARTS,),
        remedies=(
            Remedy(
                action=memory if killed else "see its last words: kubectl logs --previous, and correct what they name",
                location=spots[0],
                verify="restartCount stays as it is",
                undo="set the limit as it was" if killed else "restore what was changed",
                safe=False,
            ),
        ),
    )


_KILLED = "{terminated: {reason: OOMKilled, exitCode: 137, finishedAt: 2026-01-02T09:59:00Z}}"
_FAILED = "{terminated: {reason: Error, exitCode: 1, finishedAt: 2026-01-02T09:59:00Z}}"

CHECK = Check(
    id="engine-restarts",
    title="The engine's container was killed for its memory, or restarts again and again",
    category="orchestration",
    severity="medium",
    confidence="certain",
    facts=(_LAST, _RESTARTS),
    run=run,
    playbook="oom",
    cases=(
        Case(
            name="killed for memory",
            source=deployment() + pod("llm-aaa-1", restarts="1", last=_KILLED),
            fires=True,
            line=40,
        ),
        Case(
            name="again and again",
            source=deployment() + pod("llm-aaa-1", restarts="7", last=_FAILED),
            fires=True,
            line=38,
        ),
        Case(name="once", source=deployment() + pod("llm-aaa-1", restarts="1", last=_FAILED), fires=False),
        Case(name="never", source=deployment() + pod("llm-aaa-1"), fires=False),
        Case(name="no pods to see", source=deployment(), fires=False),
    ),
)
