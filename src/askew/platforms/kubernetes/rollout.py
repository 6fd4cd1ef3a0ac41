"""Whether one version of a workload is in service, by its status and its pods.

Sources: DeploymentStatus, StatefulSetStatus and DaemonSetStatus of
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/; what counts as complete is what
``kubectl rollout status`` waits for (staging/src/k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go), less that
all pods be ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.events import warnings
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import Entry, observed_map, text_of, truth_of
from askew.platforms.kubernetes.owners import part_of, revision_of, running_pods
from askew.resolve.observation import Observation

FACT = "orchestration.rollout"
# Kinds by the fields in which their status counts: all pods, those of the newest template, those that are ready.
_COUNTS = {
    "Deployment": ("replicas", "updatedReplicas", "readyReplicas"),
    "StatefulSet": ("replicas", "updatedReplicas", "readyReplicas"),
    "DaemonSet": ("currentNumberScheduled", "updatedNumberScheduled", "numberReady"),
    "LeaderWorkerSet": ("replicas", "updatedReplicas", "readyReplicas"),
}
# Why a container does not start, where waiting longer does not help by itself.
_STUCK = frozenset(
    {
        *("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)


def rollouts(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """How far the last change has come; nothing where neither a status nor a pod tells."""
    one = draft.object
    status = one.node["status"]
    pods = running_pods(draft, objects)
    entries: dict[str, Entry] = {}
    if one.kind in _COUNTS and status.is_mapping:
        entries.update(_counted(one, status, _COUNTS[one.kind]))
    main = [pod for pod in pods if not part_of(pod)]
    versions = {revision: pod for pod in main if (revision := revision_of(pod))}
    if versions and draft.workload_kind != "Pod":
        places = [pod.node["metadata"]["labels"].location for pod in versions.values()]
        entries["versions"] = Entry(len(versions), places[0])
        if len(versions) > 1:
            entries["complete"] = Entry(False, places[-1])
    entries.update(_stuck(one, status, pods))
    if not entries:
        return ()
    said = warnings((one, *pods), objects)
    because = tuple(str(warning) for warning in said)
    return tuple(
        msgspec.structs.replace(found, basis="seen")
        for found in observed_map(FACT, entries, origin="reported", because=because)
    )


def _counted(one: Object, status: Node, fields: tuple[str, str, str]) -> Iterator[tuple[str, Entry]]:
    total, updated, ready = (status[field] for field in fields)
    if total.integer() is None:
        return  # counts of zero are left out; without any the status may have been cut away
    desired = one.node["spec"]["replicas"] if one.kind != "DaemonSet" else status["desiredNumberScheduled"]
    wanted = desired.integer() if desired.integer() is not None else 1
    there, new = total.integer() or 0, updated.integer() or 0
    generation, observed = one.node["metadata"]["generation"].integer(), status["observedGeneration"].integer()
    noticed = generation is None or observed is None or observed >= generation
    one_revision = text_of(status["currentRevision"]) == text_of(status["updateRevision"])
    complete = noticed and one_revision and wanted is not None and new >= wanted and there <= new
    if one.kind == "StatefulSet" and one_revision and not updated.exists:
        complete, new = noticed, there  # older servers count updated pods only while they update
    place = updated.location if updated.exists else total.location
    yield "complete", Entry(complete, place)
    yield "replicas", Entry(there, total.location)
    yield "updated", Entry(new, place)
    yield "ready", Entry(ready.integer() or 0, ready.location if ready.exists else status.location)
    if not noticed:
        yield "noticed", Entry(False, status["observedGeneration"].location)


def _stuck(one: Object, status: Node, pods: Sequence[Object]) -> Iterator[tuple[str, Entry]]:
    """Why it does not come further: the controller's words, or those of the pods."""
    if truth_of(one.node["spec"]["paused"]):
        yield "paused", Entry(True, one.node["spec"]["paused"].location)
    found: list[tuple[str, Location]] = []
    for condition in status["conditions"].each():
        kind, holds = text_of(condition["type"]), text_of(condition["status"])
        if (kind, holds) in (("Progressing", "False"), ("ReplicaFailure", "True")):
            found.append((text_of(condition["reason"]) or kind, condition.location))
    if found:
        yield "reason", Entry(found[0][0], found[0][1])
    waiting = [(reason, place) for pod in pods for reason, place in _waiting(pod)]
    if waiting:
        yield "waiting", Entry(*sorted(waiting)[0])
        yield "not_started", Entry(len({place.object or place.path for _, place in waiting}), waiting[0][1])


def _waiting(pod: Object) -> Iterator[tuple[str, Location]]:
    status = pod.node["status"]
    for condition in status["conditions"].each():
        if text_of(condition["type"]) == "PodScheduled" and text_of(condition["status"]) == "False":
            yield text_of(condition["reason"]) or "Unschedulable", condition.location
            return
    for section in ("initContainerStatuses", "containerStatuses"):
        for container in status[section].each():
            reason = container["state"]["waiting"]["reason"]
            if text_of(reason) in _STUCK:
                yield text_of(reason), reason.location
                return


JOINS: tuple[Join, ...] = (rollouts,)
