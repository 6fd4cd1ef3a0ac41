"""What a file says and what the API server made of it, as one: what stands in the file keeps its place there, and what
the server added or changed stands where the server said it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping

from askew.evidence.document import MarkedList, MarkedMap, MixedList, MixedMap, Node
from askew.evidence.location import Location
from askew.facts.values.errors import ValueNotUnderstood
from askew.facts.values.quantity import cores

# By which field the items of a list belong together, as the merge keys of Kubernetes have it (patchMergeKey in
# https://github.com/kubernetes/api/blob/v0.34.2/core/v1/types.go) and those of custom kinds: groupName is Ray's.
_KEYS = ("name", "mountPath", "devicePath", "containerPort", "port", "topologyKey", "ip", "groupName")
# Beyond so many comparisons only items at the same place are looked at.
_MOST_PAIRS = 250_000
# What admission gives each pod beside these is not compared with a template: volumes with tokens, and when to pull.
_OF_POD = (
    *("command", "args", "env", "envFrom", "resources", "workingDir"),
    *("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"),
)


# What Kubernetes itself fills in, where nobody says otherwise. It is left out: nobody wrote it, no admission did, and
# whoever reads the file knows it. https://github.com/kubernetes/kubernetes/blob/v1.34.2/pkg/apis/core/v1/defaults.go
# and …/pkg/apis/apps/v1/defaults.go
Defaults = Mapping[str, object]
_IN_PODS: Defaults = {
    "terminationGracePeriodSeconds": 30,
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_SURGE: Defaults = {"maxSurge": "25%", "maxUnavailable": "25%"}
_ONE: Defaults = {"maxSurge": 0, "maxUnavailable": 1}
_ROLLING = "RollingUpdate"
DEFAULTS: Mapping[tuple[str, str], Defaults] = {
    ("apps", "Deployment"): {
        **_IN_PODS,
        **_SURGE,
        "replicas": 1,
        "rollingUpdate": _SURGE,
        "strategy": {"type": _ROLLING, "rollingUpdate": _SURGE},
    },
    ("apps", "StatefulSet"): {
        **_IN_PODS,
        "replicas": 1,
        "rollingUpdate": {"partition": 0},
        "updateStrategy": {"type": _ROLLING, "rollingUpdate": {"partition": 0}},
    },
    ("apps", "DaemonSet"): {
        **_IN_PODS,
        **_ONE,
        "rollingUpdate": _ONE,
        "updateStrategy": {"type": _ROLLING, "rollingUpdate": _ONE},
    },
    ("", "ReplicationController"): {**_IN_PODS, "replicas": 1},
    ("", "Pod"): _IN_PODS,
    ("batch", "Job"): _IN_PODS,
    ("batch", "CronJob"): _IN_PODS,
}
_NOTHING: Defaults = {}


def mapping(
    written: Mapping[str, object], stored: Node, keep: frozenset[str] = frozenset(), defaults: Defaults = _NOTHING
) -> MixedMap:
    """The mapping that is stored, with the places of what is written. Of what is not stored, what says nothing (an
    empty list, a zero) and the keys in ``keep`` stay; of what is added, ``defaults`` do not."""
    out = MixedMap()
    held = written.marks if isinstance(written, MarkedMap) else {}
    before = written.others if isinstance(written, MixedMap) else {}
    for key, ours in written.items():
        child = stored[key]
        place = before.get(key)
        if key in keep or not child.exists:
            if ours and key not in keep:
                continue
            out[key] = ours
        else:
            out[key], changed = value(ours, child, defaults)
            place = changed or place
        if place is not None:
            out.others[key] = place
        if key in held:
            out.marks[key] = held[key]
    for key, child in stored.items():
        if key in written or key in keep or child.value is None:
            continue
        if not (defaults and (defaults.get(key) == child.value or _pulled_by_default(key, written, child))):
            out[key] = child.value
            out.others[key] = child.location
    return out


def value(ours: object, stored: Node, defaults: Defaults = _NOTHING) -> tuple[object, Location | None]:
    """One value as it is stored; and where, unless it is what is written."""
    theirs = stored.value
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return mapping(ours, stored, defaults=defaults), None
    if isinstance(ours, list) and isinstance(theirs, list):
        return _sequence(ours, stored, defaults), None
    return (ours, None) if same(ours, theirs) else (theirs, stored.location)


def with_pod(template: MixedMap, pod: Node) -> None:
    """Put what a pod of a template would be given into the template's own containers."""
    spec = template.get("spec")
    for section in ("initContainers", "containers"):
        ours = spec.get(section) if isinstance(spec, dict) else None
        admitted = {one["name"].value: one for one in pod["spec"][section] if isinstance(one["name"].value, str)}
        for container in ours if isinstance(ours, list) else ():
            name = container.get("name") if isinstance(container, dict) else None
            stored = admitted.get(name) if isinstance(name, str) else None
            if stored is None or not isinstance(container, MixedMap):
                continue
            _without_implied(container.get("resources"), stored["resources"].value)
            for field in _OF_POD:
                if child := stored[field]:
                    container[field], changed = value(container.get(field), child, _IN_PODS)
                    if changed is not None:
                        container.others[field] = changed


def _without_implied(ours: object, theirs: object) -> None:
    """Leave out the requests that a pod is given because it has limits and nobody wrote any."""
    requests, limits = ((theirs.get(key) if isinstance(theirs, dict) else None) for key in ("requests", "limits"))
    if not isinstance(theirs, dict) or not isinstance(requests, dict) or not isinstance(limits, dict):
        return
    written = ours.get("requests") if isinstance(ours, dict) else None
    kept = written if isinstance(written, dict) else {}
    for key in [key for key in requests if key not in kept and key in limits and same(requests[key], limits[key])]:
        del requests[key]
    if not requests and not kept:
        del theirs["requests"]


def same(ours: object, theirs: object) -> bool:
    """Whether two scalars are one, as the API server spells it: ``1`` and ``"1"``, ``1000m`` and ``1``."""
    if isinstance(ours, (dict, list)) or isinstance(theirs, (dict, list)) or ours is None or theirs is None:
        return ours is theirs
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if ours == theirs or str(ours) == str(theirs):
        return True
    if not (str(ours)[:1].isdigit() and str(theirs)[:1].isdigit()):
        return False
    try:
        return cores(ours) == cores(theirs)
    except ValueNotUnderstood:
        return False


def _pulled_by_default(key: str, written: Mapping[str, object], stored: Node) -> bool:
    """Whether this says when to pull the image of the container, as its tag decides where nobody does."""
    image = written.get("image")
    if key != "imagePullPolicy" or not isinstance(image, str):
        return False
    name, digest, _ = image.rpartition("/")[2].partition("@")
    tag = name.partition(":")[2] or "latest"
    return stored.value == ("Always" if tag == "latest" and not digest else "IfNotPresent")


def _sequence(written: list[object], stored: Node, defaults: Defaults) -> MixedList:
    out = MixedList()
    held = written.marks if isinstance(written, MarkedList) else []
    before = written.others if isinstance(written, MixedList) else {}
    items = list(stored.each())
    pairs = _pairs(written, [item.value for item in items])
    place: Location | None
    for index, item in enumerate(items):
        at = pairs.get(index)
        made, place = item.value, item.location
        if at is not None:
            made, changed = value(written[at], item, defaults)
            place = changed or before.get(at)
        out.append(made)
        out.marks.append(held[at] if at is not None and at < len(held) and place is None else -1)
        if place is not None:
            out.others[index] = place
    return out


def _pairs(ours: list[object], theirs: list[object]) -> dict[int, int]:
    """By the index of each stored item that of the written one it came of."""
    for key in _KEYS:
        here, there = _by_key(ours, key), _by_key(theirs, key)
        if here is not None and there is not None:
            return {index: here[word] for word, index in there.items() if word in here}
    pairs: dict[int, int] = {}
    left: dict[str, deque[int]] = defaultdict(deque)
    for at, item in enumerate(ours):
        if not isinstance(item, (dict, list)):
            left[str(item)].append(at)
    for index, item in enumerate(theirs):
        if not isinstance(item, (dict, list)) and left.get(str(item)):
            pairs[index] = left[str(item)].popleft()
    taken = set(pairs.values())
    if len(ours) * len(theirs) <= _MOST_PAIRS:
        for index, item in enumerate(theirs):
            if index not in pairs and isinstance(item, (dict, list)):
                found = next((at for at, one in enumerate(ours) if at not in taken and _covers(one, item)), None)
                if found is not None:
                    pairs[index] = found
                    taken.add(found)
    if len(ours) == len(theirs):
        for index, item in enumerate(theirs):
            if index not in pairs and index not in taken and isinstance(ours[index], dict) and isinstance(item, dict):
                pairs[index] = index
    return pairs


def _by_key(items: Iterable[object], key: str) -> dict[str, int] | None:
    """The index of each item by one of its fields; None where that does not tell them apart."""
    found: dict[str, int] = {}
    for index, item in enumerate(items):
        word = item.get(key) if isinstance(item, dict) else None
        if not isinstance(word, (str, int)) or str(word) in found:
            return None
        found[str(word)] = index
    return found


def _covers(ours: object, theirs: object) -> bool:
    """Whether all that is written is stored, with more or without."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(not part or (key in theirs and _covers(part, theirs[key])) for key, part in ours.items())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(_covers(a, b) for a, b in zip(ours, theirs, strict=True))
    return same(ours, theirs)
