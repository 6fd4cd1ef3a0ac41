"""Replicas of one workload run differently

## What it finds

Pods of one workload that are not alike: another value of an engine's setting, another image behind the same tag,
another GPU, or an engine that reports something else than its siblings do.

## Why it matters

Each request goes to one of the pods. Answers, latency and errors then depend on which: an incident that shows in one
request of three, and in no manifest. A replica that was started before a ConfigMap changed, a node that pulled a moved
tag, and a pod that the scheduler put on a smaller GPU all look healthy.

## Example

```
llm-7d9f-2xk4q: --max-model-len=8192     llm-7d9f-h8zpl: --max-model-len=8192     llm-5c6b-p9w7m: --max-model-len=4096
```

## Remedy

Find out what the odd one was made from: an older template (finish the rollout or undo it), another image (pin it by its
digest), another node (select the GPU). Then delete the pod, so that it is made anew.

## When it is fine

While a rollout is on its way (then the finding is *low*), and where a pool of several GPU models is meant: name all of
them in the node selector or affinity, and a mix of them is *info*.

## References

- Rolling updates: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
- Tags that move: https://kubernetes.io/docs/concepts/containers/images/#image-names
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import lines, serves
from askew.checks.running import deployment, eased, node, pod
from askew.facts.catalogue import FACTS
from askew.facts.types import SEVERITIES, Severity, Value
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

_GPU, _DIGEST = "hardware.gpu.model", "runtime.image.digest"
_REMEDIES = {
    _DIGEST: "pin the image by its digest, then restart the workload",
    _GPU: "let the node selector admit one GPU model, then delete the pods that are on another",
}
_OTHER = "see what the odd pod was made from, then delete it so that it is made anew: kubectl get pod {pod} -o yaml"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for each fact in which the pods differ."""
    if not serves(subject):
        return
    for one in subject.snapshot.apart:
        name = one.fact + (f"[{one.key}]" if one.key else "")
        odd = _odd(one)
        if not lines((one,)):
            continue
        yield found(
            CHECK,
            subject,
            fact=one.fact,
            key=one.key,
            target=msgspec.structs.replace(one, reason="", observe_with=""),
            severity=_severity(subject, one),
            confidence=one.confidence,
            summary=f"{name}: {one.reason}" if one.reason else f"{name} differs between its pods",
            impact="What a request gets depends on the pod that it goes to.",
            remedies=(
                Remedy(
                    action=_REMEDIES.get(one.fact, _OTHER).format(pod=odd),
                    location=one.locations[-1],
                    verify="askew check on the workload no longer lists its pods apart",
                    undo="nothing to undo: a deleted pod is made anew from the template",
                    safe=False,
                ),
            ),
        )


def _severity(subject: Subject, one: Resolved) -> Severity:
    """The fact's own; at least medium for another image, and for GPUs of which nobody asked for a model. A rollout that
    is on its way explains what it changes, and a request that admits several GPUs admits their mixture."""
    severity = FACTS[one.fact].severity
    if one.fact == _DIGEST and SEVERITIES.index(severity) > SEVERITIES.index("medium"):
        severity = "medium"
    if one.fact == _GPU:
        asked = _asked(subject)
        run_on = {str(gpu) for value in one.values if isinstance(value.value, list) for gpu in value.value}
        if any(run_on <= admitted for admitted in asked):
            return "info"
        return severity if asked else "medium"
    return severity if one.fact.startswith("hardware.") else eased(subject, severity)


def _asked(subject: Subject) -> list[set[str]]:
    """The GPUs that the workload's selectors admit, under what was seen."""
    known = subject.known(_GPU)
    return [set(map(str, lost.value)) for lost in known.shadowed if isinstance(lost.value, list)] if known else []


def _odd(one: Resolved) -> str:
    """The pod whose value the fewest have."""
    counted: dict[str, list[str]] = {}
    for value in one.values:
        counted.setdefault(_form(value.value), []).append(value.member)
    return min(counted.values(), key=len)[0] if counted else "POD"


def _form(value: Value) -> str:
    return msgspec.json.encode(value).decode()


_NODES = node("n1") + node("n2", "NVIDIA-L4")
_OLD = pod("llm-bbb-1", revision="bbb", length="4096")

CHECK = Check(
    id="replicas-differ",
    title="Replicas of one workload run differently",
    category="orchestration",
    severity="medium",
    confidence="certain",
    facts=("orchestration.rollout", "runtime.image.digest", "hardware.gpu.model"),
    run=run,
    playbook="replicas",
    whatever=True,
    cases=(
        Case(
            name="one pod has another length",
            source=deployment("{}") + _OLD + pod("llm-aaa-1"),
            fires=True,
            line=30,
        ),
        Case(
            name="another image behind the tag",
            source=deployment() + pod("llm-aaa-1") + pod("llm-aaa-2", digest="cd" * 32),
            fires=True,
            line=37,
        ),
        Case(
            name="another GPU",
            source=deployment() + pod("llm-aaa-1") + pod("llm-aaa-2", node="n2") + _NODES,
            fires=True,
            line=68,
        ),
        Case(name="all alike", source=deployment() + pod("llm-aaa-1") + pod("llm-aaa-2") + _NODES, fires=False),
        Case(
            name="restarts are each pod's own",
            source=deployment() + pod("llm-aaa-1") + pod("llm-aaa-2", restarts="3"),
            fires=False,
        ),
        Case(
            name="another template that says the same",
            source=deployment() + pod("llm-aaa-1") + pod("llm-bbb-1", revision="bbb"),
            fires=False,
        ),
        Case(name="one pod", source=deployment() + pod("llm-aaa-1"), fires=False),
        Case(name="no pods to see", source=deployment(), fires=False),
    ),
)
