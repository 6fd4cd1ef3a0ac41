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


def mapping(written: Mapping[str, object], stored: Node, keep: frozenset[str] = frozenset()) -> MixedMap:
    """The mapping that is stored, with the places of what is written. Of what is not stored, what says nothing (an
    empty list, a zero) and the keys in ``keep`` stay."""
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
            out[key], changed = value(ours, child)
            place = changed or place
        if place is not None:
            out.others[key] = place
        if key in held:
            out.marks[key] = held[key]
    for key, child in stored.items():
        if key not in written and key not in keep and child.value is not None:
            out[key] = child.value
            out.others[key] = child.location
    return out


def value(ours: object, stored: Node) -> tuple[object, Location | None]:
    """One value as it is stored; and where, unless it is what is written."""
    theirs = stored.value
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return mapping(ours, stored), None
    if isinstance(ours, list) and isinstance(theirs, list):
        return _sequence(ours, stored), None
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
            for field in _OF_POD:
                if child := stored[field]:
                    container[field], changed = value(container.get(field), child)
                    if changed is not None:
                        container.others[field] = changed


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


def _sequence(written: list[object], stored: Node) -> MixedList:
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
            made, changed = value(written[at], item)
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
