"""The nodes that a workload's pods run on or may run on, and what their labels say of accelerators and drivers.

Sources: https://github.com/NVIDIA/k8s-device-plugin/tree/main/docs/gpu-feature-discovery (labels),
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ (selectors and affinity) and
…/taint-and-toleration/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.quantity import count
from askew.platforms.kubernetes.accelerators import INSTANCE_LABELS, PRODUCT_LABELS, devices
from askew.platforms.kubernetes.draft import Draft, Join, Layers, pick
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.pods import containers_by_name
from askew.resolve.observation import Confidence, Observation, Unknown

_PRODUCT = "nvidia.com/gpu.product"
# The family is an architecture: it admits many models, where the other labels name one.
_MODEL_LABELS = (_PRODUCT, *sorted(PRODUCT_LABELS - {_PRODUCT, "nvidia.com/gpu.family"}), *sorted(INSTANCE_LABELS))
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
# Taints of a node's momentary state, and of its start: the controllers take them away again.
_PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "node.cilium.io/", "karpenter.sh/unregistered")
# GKE switches on the admission plugin ExtendedResourceToleration.
# https://cloud.google.com/kubernetes-engine/docs/how-to/gpus#create
_ADMITS_BY_RESOURCE = "cloud.google.com/gke-nodepool"
_MOST_NAMED = 5


class _Placement(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes of a workload: those that its pods name (``certain``), or those that fit what it demands."""

    nodes: tuple[Object, ...]
    confidence: Confidence
    because: str


_Read = tuple[Value, tuple[Location, ...]]
"""What a node's labels say of one fact, and where; None in the place of the pair is that they say nothing."""


def accelerators_seen(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """What the labels of the workload's nodes report. Nothing without a node that fits, or without a GPU request."""
    wanted = [(pods, _demand(pods)) for pods in (draft.pod, *(group.pod for group in draft.groups))]
    wanted = [(pods, demand) for pods, demand in wanted if demand]
    if not wanted:
        return ()
    placed = _running(draft, objects) or _fitting(wanted, objects)
    if placed is None or not placed.nodes:
        return ()
    return (*_models(placed), *_agreed(placed))


# -- which nodes ----------------------------------------------------------------------------------------------


def _running(draft: Draft, objects: Objects) -> _Placement | None:
    """The nodes that the workload's pods name; no nodes at all where the sources lack one of them."""
    if draft.object.kind == "Pod":
        own = [draft.object.node["spec"]["nodeName"]]
    else:
        running = (one for one in objects.beside(draft.object, "", "Pod") if _belongs(one, draft))
        own = [one.node["spec"]["nodeName"] for one in running]
    names = sorted({text_of(node) for node in own} - {""})
    if not names:
        return None
    nodes = [objects.get("", "Node", "", name, source=draft.object.source) for name in names]
    found = tuple(node for node in nodes if node is not None)
    because = f"its pods run on {_named(names)}"
    return _Placement(nodes=found if len(found) == len(names) else (), confidence="certain", because=because)


def _belongs(pod: Object, draft: Draft) -> bool:
    """Whether the workload owns a pod that still runs. A Deployment's ReplicaSets are called after it."""
    one = draft.object
    if text_of(pod.node["status"]["phase"]) in ("Succeeded", "Failed"):
        return False
    if any(pod.labels.get(key) != value for key, value in draft.pod_labels.items()):
        return False
    for group, kind, name in pod.owners:
        if (group, kind, name) == (one.group, one.kind, one.name):
            return True
        if (kind, one.kind) == ("ReplicaSet", "Deployment") and name.rpartition("-")[0] == one.name:
            return True
    return False


def _fitting(wanted: Sequence[tuple[Layers, dict[str, int]]], objects: Objects) -> _Placement | None:
    nodes = [node for node in objects.of("", "Node") if any(_fits(node, pods, demand) for pods, demand in wanted)]
    if not nodes:
        return None
    because = f"its selectors and tolerations admit {_named(sorted(node.name for node in nodes))}"
    return _Placement(nodes=tuple(nodes), confidence="likely", because=because)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    word = "node" if len(names) == 1 else "nodes"
    return f"{word} {shown}" + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def _demand(pods: Layers) -> dict[str, int]:
    """How many of which device one pod asks for."""
    found: dict[str, int] = {}
    for layers in containers_by_name(pods).values():
        own = devices(layers, pods)
        if own.resource and own.number:
            found[own.resource] = found.get(own.resource, 0) + own.number
    return found


def _fits(node: Object, pods: Layers, demand: Mapping[str, int]) -> bool:
    if not _offers(node, demand):
        return False
    selector = {key: text_of(value) for layer in pods for key, value in layer["nodeSelector"].items()}
    if any(node.labels.get(key) != value for key, value in selector.items()):
        return False
    terms = pick(pods, "affinity", "nodeAffinity", _REQUIRED, "nodeSelectorTerms")
    if terms and not any(_meets(term, node) for term in terms.each()):
        return False
    return _tolerated(node, pick(pods, "tolerations"), demand)


def _meets(term: Node, node: Object) -> bool:
    """Whether a node meets every expression of a term. A term without any meets nothing."""
    expressions, fields = list(term["matchExpressions"].each()), list(term["matchFields"].each())
    if not expressions and not fields:
        return False
    names = {"metadata.name": node.name}
    return all(_holds(one, node.labels) for one in expressions) and all(_holds(one, names) for one in fields)


def _holds(expression: Node, labels: Mapping[str, str]) -> bool:
    key, operator = text_of(expression["key"]), text_of(expression["operator"])
    values = [text_of(value) for value in expression["values"].each()]
    have = labels.get(key)
    if operator == "In":
        return have in values
    if operator == "NotIn":
        return have not in values
    if operator == "Exists":
        return have is not None
    if operator == "DoesNotExist":
        return have is None
    number, bound = _whole(have or ""), _whole(values[0]) if len(values) == 1 else None
    if number is None or bound is None:
        return False
    return number > bound if operator == "Gt" else operator == "Lt" and number < bound


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[-+]?[0-9]{1,18}", text) else None


def _offers(node: Object, demand: Mapping[str, int]) -> bool:
    """Whether the node has the devices: by its status; by a label that names a GPU where it has no status."""
    status = node.node["status"]
    section = status["allocatable"] if status["allocatable"].is_mapping else status["capacity"]
    if section.is_mapping:
        return all(_amount(section[resource]) >= number for resource, number in demand.items())
    return _model(node) is not None


def _amount(node: Node) -> int:
    try:
        return count(text_of(node))
    except ValueError:
        return 0


def _tolerated(node: Object, tolerations: Node, demand: Mapping[str, int]) -> bool:
    for taint in node.node["spec"]["taints"].each():
        key, effect = text_of(taint["key"]), text_of(taint["effect"])
        if effect not in ("NoSchedule", "NoExecute") or key.startswith(_PASSING):
            continue
        if key in demand and _ADMITS_BY_RESOURCE in node.labels:
            continue
        if not any(_tolerates(one, key, text_of(taint["value"]), effect) for one in tolerations.each()):
            return False
    return True


def _tolerates(toleration: Node, key: str, value: str, effect: str) -> bool:
    wanted, of_effect = text_of(toleration["key"]), text_of(toleration["effect"])
    if of_effect and of_effect != effect:
        return False
    if text_of(toleration["operator"]) == "Exists":
        return not wanted or wanted == key
    return wanted == key and text_of(toleration["value"]) == value


# -- what their labels say ------------------------------------------------------------------------------------


def _model(node: Object) -> tuple[frozenset[str], Location] | None:
    """The accelerators that a node's labels name, and the label; None where none does, or names one nobody knows."""
    from askew.knowledge.gpus import instance_gpus, parse_gpu_label

    for key in _MODEL_LABELS:
        text = node.labels.get(key)
        if text is None:
            continue
        if key in INSTANCE_LABELS:
            instance = instance_gpus(text)
            if instance is not None:
                return instance[0], _place(node, key)
            continue
        try:
            return parse_gpu_label(text, key).ids, _place(node, key)
        except ValueError:
            return None
    return None


def _models(placed: _Placement) -> Iterator[Observation]:
    """The set over all nodes; nothing where one of them does not say: the set would then be too small."""
    ids: frozenset[str] = frozenset()
    places: list[Location] = []
    for node in placed.nodes:
        read = _model(node)
        if read is None:
            return
        ids |= read[0]
        places.append(read[1])
    yield _reported("hardware.gpu.model", [*sorted(ids)], placed, places)


def _agreed(placed: _Placement) -> Iterator[Observation]:
    """Facts that have one value: known where every node says the same, unknown where they differ."""
    for fact, read in _LABELLED.items():
        values = [(node, read(node)) for node in placed.nodes]
        said = [(node, pair) for node, pair in values if pair is not None]
        if not any(value is not None for _, (value, _) in said):
            continue
        places = [place for _, (_, locations) in said for place in locations]
        if len({repr(pair[0]) if pair is not None else "" for _, pair in values}) == 1:
            yield _reported(fact, said[0][1][0], placed, places)
            continue
        shown = "; ".join(f"{node.name}: {_word(pair)}" for node, pair in values[:_MOST_NAMED])
        more = len(values) - _MOST_NAMED
        reason = f"the nodes differ ({shown}" + (f" and {more} more)" if more > 0 else ")")
        yield _reported(fact, Unknown(reason), placed, places)


def _word(pair: _Read | None) -> str:
    return "not said" if pair is None else "none" if pair[0] is None else str(pair[0])


def _reported(fact: str, value: Value | Unknown, placed: _Placement, places: Sequence[Location]) -> Observation:
    at = tuple(dict.fromkeys(places))
    because = (placed.because,)
    return observed(fact, value, *at, origin="reported", basis="seen", confidence=placed.confidence, because=because)


def _profile(node: Object) -> _Read | None:
    """The slice of a node that is cut into equal ones. Where they differ, the resource's name says which, not the
    node."""
    from askew.knowledge.gpus import parse_gpu_label

    text = node.labels.get(_PRODUCT)
    if text is not None and node.labels.get("nvidia.com/mig.strategy") != "mixed":
        try:
            return parse_gpu_label(text).mig_profile, (_place(node, _PRODUCT),)
        except ValueError:
            return None
    return None


def _sharing(node: Object) -> _Read | None:
    for key in ("nvidia.com/gpu.sharing-strategy", "cloud.google.com/gke-gpu-sharing-strategy"):
        text = node.labels.get(key)
        if text is not None:
            return None if text == "none" else text, (_place(node, key),)
    replicas = _whole(node.labels.get("nvidia.com/gpu.replicas", ""))
    if replicas is not None and replicas > 1:  # releases before the label of the strategy had time-slicing alone
        return "time-slicing", (_place(node, "nvidia.com/gpu.replicas"),)
    return None


def _version(full: str, *parts: str) -> Callable[[Object], _Read | None]:
    """A version in one label, or else in several: the older names of GPU feature discovery."""

    def read(node: Object) -> _Read | None:
        text = node.labels.get(full)
        if text:
            return text, (_place(node, full),)
        words = [node.labels.get(part, "") for part in parts]
        if not words[0] or not words[1]:
            return None
        keys = [part for part, word in zip(parts, words, strict=True) if word]
        return ".".join(word for word in words if word), tuple(_place(node, key) for key in keys)

    return read


_DRIVER, _CUDA = "nvidia.com/cuda.driver", "nvidia.com/cuda.runtime"
_LABELLED: Mapping[str, Callable[[Object], _Read | None]] = {
    "hardware.gpu.mig_profile": _profile,
    "hardware.gpu.sharing": _sharing,
    "hardware.driver.version": _version(
        f"{_DRIVER}-version.full", f"{_DRIVER}.major", f"{_DRIVER}.minor", f"{_DRIVER}.rev"
    ),
    "hardware.cuda.version": _version(f"{_CUDA}-version.full", f"{_CUDA}.major", f"{_CUDA}.minor"),
}


def _place(node: Object, label: str) -> Location:
    return node.node["metadata"]["labels"][label].location


JOINS: tuple[Join, ...] = (accelerators_seen,)
