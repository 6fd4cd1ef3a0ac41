"""A ConfigMap or Secret changed after the engine had started: the process has what it said before

## What it finds

A ConfigMap or Secret that the engine's container takes its variables or files from, and that was changed after the
container had started in at least one pod.

## Why it matters

Variables are set when a container starts. A file mounted by `subPath` stays as it was then; a mounted directory follows
after a minute or two, but engines read chat templates and configuration files once. So the object shows settings that
nothing runs with, until a pod restarts for another reason: then one replica alone changes its behaviour.

## Example

```
ConfigMap llm-settings: VLLM_ATTENTION_BACKEND changed at 10:40     the pods started at 10:00
```

## Remedy

Restart the pods: `kubectl rollout restart`. A checksum of the content in the pod template's annotations, or a name that
holds a hash of it (kustomize), makes every edit a rollout.

## When it is fine

When the change was taken back, or the engine reads the file again by itself; while it is being rolled out, the finding
is *low*. It is *likely* where the object's managed
fields show that its data alone was changed and the container cannot have followed; *possible* where labels may have
changed in the same write, the object was made anew, or a mounted file may have been read again.

## References

- Mounted ConfigMaps are updated, variables are not:
  https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
- Managed fields: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import lines, serves
from askew.checks.running import deployment, eased, pod
from askew.facts.types import Severity
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

_FACT = "orchestration.config.changed_after_start"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for each object."""
    known = subject.known(_FACT)
    if known is None or not serves(subject):
        return
    workload = subject.snapshot.workload
    name = f"{workload.kind.lower()}/{workload.name}"
    for key, entry in sorted(known.entries.items()):
        if entry.state != "known" or not lines((entry,)):
            continue
        yield found(
            CHECK,
            subject,
            key=key,
            target=entry,
            severity=eased(subject, _severity(key, entry)),
            confidence=entry.confidence,
            summary=entry.because[0] if entry.because else f"{key} changed at {entry.value}, after pods had started",
            impact="The processes have what it said before, and a pod that restarts takes up the change alone.",
            remedies=(
                Remedy(
                    action=f"restart the pods with what it says now: kubectl -n {workload.namespace} rollout restart "
                    f"{name}, or put back what they started with",
                    location=entry.locations[0],
                    verify="every container's startedAt is later than the change",
                    undo=f"kubectl -n {workload.namespace} rollout undo {name} restores the template, not the object",
                    safe=False,
                ),
            ),
        )


def _severity(key: str, entry: Resolved) -> Severity:
    return "medium" if entry.confidence != "possible" and not key.startswith("Secret ") else "low"


_MAP = """\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: prod
  creationTimestamp: 2026-01-01T00:00:00Z
  managedFields:
    - {manager: kubectl-create, operation: Update, time: 2026-01-01T00:00:00Z, fieldsV1: {"f:data": {".": {}}}}
    - manager: kubectl-edit
      operation: Update
      time: %s
      fieldsV1: {%s}
data: {VLLM_ATTENTION_BACKEND: FLASHINFER}
"""
_DATA = '"f:data": {"f:VLLM_ATTENTION_BACKEND": {}}'
_PODS = deployment() + pod("llm-aaa-1") + pod("llm-aaa-2")

CHECK = Check(
    id="config-changed-after-start",
    title="A ConfigMap or Secret changed after the engine had started: the process has what it said before",
    category="orchestration",
    severity="medium",
    confidence="likely",
    facts=(_FACT,),
    run=run,
    playbook="replicas",
    cases=(
        Case(name="edited", source=_PODS + _MAP % ("2026-01-02T10:40:00Z", _DATA), fires=True, line=76),
        Case(
            name="labels changed, and perhaps the data",
            source=_PODS + _MAP % ("2026-01-02T10:40:00Z", _DATA + ', "f:metadata": {"f:labels": {}}'),
            fires=True,
            line=76,
        ),
        Case(name="edited before", source=_PODS + _MAP % ("2026-01-02T09:40:00Z", _DATA), fires=False),
        Case(
            name="labels alone changed",
            source=_PODS + _MAP % ("2026-01-02T10:40:00Z", '"f:metadata": {"f:labels": {}}'),
            fires=False,
        ),
        Case(
            name="cannot change",
            source=_PODS + _MAP % ("2026-01-02T10:40:00Z", _DATA) + "immutable: true\n",
            fires=False,
        ),
        Case(name="no pods to see", source=deployment() + _MAP % ("2026-01-02T10:40:00Z", _DATA), fires=False),
    ),
)
