"""LeaderWorkerSet: groups of pods, each one replica of the model.

Source: https://lws.sigs.k8s.io/docs/concepts/ and pkg/utils/pod/pod_utils.go of kubernetes-sigs/lws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.evidence.document import Node
from askew.evidence.launch import Variable
from askew.evidence.location import Location
from askew.platforms.kubernetes.draft import Addition, Draft, Layers, PodGroup, Reader
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.pods import containers_by_name
from askew.platforms.kubernetes.workloads import owned

GROUP = "leaderworkerset.x-k8s.io"
_SOURCE = Location("https://lws.sigs.k8s.io/docs/reference/labels-annotations-and-environment-variables/")
_MOST_PODS = 10_000


def leader_worker_set(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """One workload: the leader's pod, with ``size - 1`` workers as its group."""
    if owned(one, objects):
        return ()
    spec = one.node["spec"]
    template = spec["leaderWorkerTemplate"]
    leader = template["leaderTemplate"] if template["leaderTemplate"] else template["workerTemplate"]
    pod = (leader["spec"],)
    size, place, problem = _size(template["size"])
    groups = worker_groups(template["workerTemplate"], size, place)
    return (
        Draft(
            object=one,
            pod=pod,
            pod_labels=leader["metadata"]["labels"].string_map(),
            pod_annotations=leader["metadata"]["annotations"].string_map(),
            replicas=spec["replicas"],
            groups=groups,
            additions=group_variables(pod, size, place),
            problems=(problem,) if problem else (),
        ),
    )


def worker_groups(template: Node, size: int | None, place: Location | None) -> tuple[PodGroup, ...]:
    """The workers beside a leader; none in a group of one."""
    if size == 1 or not template["spec"].is_mapping:
        return ()
    return (
        PodGroup(
            role="worker",
            pod=(template["spec"],),
            pods=None if size is None else size - 1,
            unknown="" if size is not None else f"the size of the group is no whole number ({place})",
            place=place,
            pod_labels=template["metadata"]["labels"].string_map(),
            pod_annotations=template["metadata"]["annotations"].string_map(),
        ),
    )


def group_variables(pod: Layers, size: int | None, place: Location | None) -> tuple[Addition, ...]:
    """What the controller tells the leader's containers of their group. The leader is always number 0."""
    return tuple(Addition(container=name, env=tuple(_variables(size, place)), env_first=True) for name in _names(pod))


def _variables(size: int | None, place: Location | None) -> Iterator[Variable]:
    yield Variable("LWS_LEADER_ADDRESS", None, _SOURCE, "the address of the group's leader, known when it runs")
    if size is None:
        yield Variable("LWS_GROUP_SIZE", None, place or _SOURCE, "the size of the group is no whole number")
    else:
        yield Variable("LWS_GROUP_SIZE", str(size), place or _SOURCE)
    yield Variable("LWS_WORKER_INDEX", "0", _SOURCE)


def _names(pod: Layers) -> tuple[str, ...]:
    return tuple(containers_by_name(pod))


def _size(node: Node) -> tuple[int | None, Location | None, str]:
    if not node.exists or node.value is None:
        return 1, None, ""
    size = node.integer()
    if size is None or not 1 <= size <= _MOST_PODS:
        return None, node.location, f"{node.location}: the size of the group is no whole number from 1 on"
    return size, node.location, ""


READERS: Mapping[tuple[str, str], Reader] = {(GROUP, "LeaderWorkerSet"): leader_worker_set}
