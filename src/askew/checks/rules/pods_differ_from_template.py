"""All pods run something else than their template says

## What it finds

A setting of the engine, its image or its resources that every running pod has otherwise than the workload's pod
template: changed when the pods were admitted (a webhook, a LimitRange, a vertical autoscaler), or left from an older
template.

## Why it matters

Whoever reads the Deployment, or compares it with its manifest in git, sees what does not run. A webhook that adds or
replaces an argument changes the engine of every team that it matches; a rollout that never began leaves all pods as
they were.

## Example

```
Deployment: --max-model-len=32768          all 3 pods: --max-model-len=8192
```

## Remedy

Find who changed it: the pods' annotations often name the webhook; `kubectl rollout status` tells whether the template
was ever rolled out. Then change the template, so that it says what runs, or the webhook.

## When it is fine

While a rollout is on its way: then the finding is *low* at most. When a policy is meant to decide, such as limits that
a LimitRange sets. Variables and mounts that meshes and cloud identities add are not reported, nor a digest or a mirror
of the registry in the place of the image's name.

## References

- What admission may change: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
- Limit ranges: https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import lines, serves
from askew.checks.running import deployment, eased, pod
from askew.facts.catalogue import FACTS
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for each setting."""
    if not serves(subject):
        return
    for asked in subject.snapshot.overruled:
        runs = _of_pods(subject, asked)
        spots = lines((runs, asked))
        if not spots:
            continue
        name = asked.fact + (f"[{asked.key}]" if asked.key else "")
        pods = asked.values[-1].member if asked.values else "all pods"
        yield found(
            CHECK,
            subject,
            fact=asked.fact,
            key=asked.key,
            reference=asked,
            target=runs,
            at=spots,
            severity=eased(subject, FACTS[asked.fact].severity),
            confidence=asked.confidence,
            summary=f"{name}: {_shown(asked)} in the template, {_shown(runs)} in {pods}",
            impact="The object shows what does not run, and so does everything that is compared with it.",
            remedies=(
                Remedy(
                    action="find what changed the pods (a webhook, a LimitRange, a rollout that never began), and let "
                    "the template say what is meant to run",
                    location=spots[0],
                    verify="a pod that is made anew has what the template says",
                    undo="restore the template",
                    safe=False,
                ),
            ),
        )


def _of_pods(subject: Subject, asked: Resolved) -> Resolved:
    """What the pods run, as the workload's fact has it, else as they were read."""
    known = subject.snapshot.facts.get(asked.fact)
    if known is not None and asked.key:
        known = known.entries.get(asked.key)
    if known is not None and known.state != "unknown":
        return known
    value = asked.values[-1] if asked.values else None
    return Resolved(
        fact=asked.fact,
        key=asked.key,
        state="known" if value is not None and value.value is not None else "absent",
        value=value.value if value is not None else None,
        origin=asked.origin,
        locations=(value.location,) if value is not None and value.location is not None else asked.locations,
    )


def _shown(side: Resolved) -> str:
    kind = FACTS[side.fact].type.of(side.key)
    return kind.show(side.value) if side.state == "known" else "unknown" if side.state == "unknown" else "not set"


CHECK = Check(
    id="pods-differ-from-template",
    title="All pods run something else than their template says",
    category="orchestration",
    severity="medium",
    confidence="certain",
    facts=("orchestration.rollout",),
    run=run,
    playbook="replicas",
    whatever=True,
    cases=(
        Case(
            name="another length in every pod",
            source=deployment() + pod("llm-aaa-1", length="4096") + pod("llm-aaa-2", length="4096"),
            fires=True,
            line=30,
        ),
        Case(name="the only pod", source=deployment("{}") + pod("llm-aaa-1", length="4096"), fires=True, line=30),
        Case(name="as the template says", source=deployment() + pod("llm-aaa-1") + pod("llm-aaa-2"), fires=False),
        Case(
            name="one of two: the replicas differ",
            source=deployment() + pod("llm-aaa-1") + pod("llm-aaa-2", length="4096"),
            fires=False,
        ),
        Case(name="no pods to see", source=deployment(), fires=False),
    ),
)
