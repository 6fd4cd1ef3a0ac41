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
from askew.platforms.kubernetes.owners import running_pods
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
_HELD_BACK = 0.05


_Expression = tuple[str, str, tuple[str, ...]]
_Term = tuple[tuple[_Expression, ...], tuple[_Expression, ...]]
"""Expressions (key, operator, values) about labels, and about fields."""

_Read = tuple[Value, tuple[Location, ...]]
"""What a node's labels say of one fact, and where; None in the place of the pair is that they say nothing."""


class _Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One node: ``devices`` by resource, None where its status does not tell; (key, value, effect) of its taints; the
    accelerators that its labels name, and the label; and what these say of further facts."""

    node: Object
    devices: Mapping[str, int] | None
    taints: tuple[tuple[str, str, str], ...]
    model: tuple[frozenset[str], Location] | None
    says: Mapping[str, _Read | None]


class _Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What the pods of one template need of a node: devices, labels, terms (None where none is required), tolerations
    as (operator, key, value, effect)."""

    devices: Mapping[str, int]
    selector: Mapping[str, str]
    terms: tuple[_Term, ...] | None
    tolerations: tuple[tuple[str, str, str, str], ...]


class _Placement(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes of a workload: those that its pods name (``certain``), or those that fit what it demands."""

    nodes: tuple[_Offer, ...]
    confidence: Confidence
    because: str


def accelerators_seen(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """What the labels of the workload's nodes report. Nothing without a node that fits, or without a GPU request."""
    pods = [(pods, _devices(pods)) for pods in (draft.pod, *(group.pod for group in draft.groups))]
    demands = [_demand(pods, wanted) for pods, wanted in pods if wanted]
    if not demands:
        return ()
    offers = objects.once("nodes", _offers)
    placed = _running(draft, objects, offers) or _fitting(demands, offers)
    if placed is None or not placed.nodes:
        return ()
    return (*_models(placed), *_agreed(placed))


def _offers(objects: Objects) -> tuple[_Offer, ...]:
    return tuple(_offer(node) for node in objects.of("", "Node"))


def _offer(node: Object) -> _Offer:
    status = node.node["status"]
    section = status["allocatable"] if status["allocatable"].is_mapping else status["capacity"]
    devices = {key: _amount(value) for key, value in section.items()} if section.is_mapping else None
    taints = tuple(
        (text_of(taint["key"]), text_of(taint["value"]), text_of(taint["effect"]))
        for taint in node.node["spec"]["taints"].each()
    )
    return _Offer(
        node=node,
        devices=devices,
        taints=taints,
        model=_model(node),
        says={fact: read(node) for fact, read in _LABELLED.items()},
    )


def _amount(node: Node) -> int:
    try:
        return count(text_of(node))
    except ValueError:
        return 0


def _devices(pods: Layers) -> dict[str, int]:
    """How many of which device one pod asks for."""
    found: dict[str, int] = {}
    for layers in containers_by_name(pods).values():
        own = devices(layers, pods)
        if own.resource and own.number:
            found[own.resource] = found.get(own.resource, 0) + own.number
    return found


def _demand(pods: Layers, wanted: Mapping[str, int]) -> _Demand:
    terms = pick(pods, "affinity", "nodeAffinity", _REQUIRED, "nodeSelectorTerms")
    return _Demand(
        devices=wanted,
        selector={key: text_of(value) for layer in pods for key, value in layer["nodeSelector"].items()},
        terms=tuple((_listed(term["matchExpressions"]), _listed(term["matchFields"])) for term in terms.each())
        if terms
        else None,
        tolerations=tuple(
            (text_of(one["operator"]), text_of(one["key"]), text_of(one["value"]), text_of(one["effect"]))
            for one in pick(pods, "tolerations").each()
        ),
    )


def _listed(expressions: Node) -> tuple[_Expression, ...]:
    return tuple(
        (text_of(one["key"]), text_of(one["operator"]), tuple(text_of(value) for value in one["values"].each()))
        for one in expressions.each()
    )


# -- which nodes ----------------------------------------------------------------------------------------------


def _running(draft: Draft, objects: Objects, offers: Sequence[_Offer]) -> _Placement | None:
    """The nodes that the workload's pods name; no nodes at all where the sources lack one of them."""
    names = sorted({text_of(pod.node["spec"]["nodeName"]) for pod in running_pods(draft, objects)} - {""})
    if not names:
        return None
    by_name = {offer.node.name: offer for offer in offers}
    found = tuple(by_name[name] for name in names if name in by_name)
    because = f"its pods run on {_named(names)}"
    return _Placement(nodes=found if len(found) == len(names) else (), confidence="certain", because=because)


def seen_on(name: str, objects: Objects) -> tuple[Observation, ...]:
    """What the labels of one node report of a pod on it that has accelerators."""
    known: dict[str, tuple[Observation, ...]] = objects.once("what nodes report", lambda _: {})
    if name not in known:
        offers = objects.once("nodes", _offers)
        by_name = objects.once("nodes by name", lambda _: {one.node.name: one for one in offers})
        offer = by_name.get(name)
        known[name] = ()
        if offer is not None:
            placed = _Placement(nodes=(offer,), confidence="certain", because=f"the pod runs on {_named([name])}")
            known[name] = (*_models(placed), *_agreed(placed))
    return known[name]


def asks_for_devices(pods: Layers) -> bool:
    """Whether a pod asks for accelerators."""
    return bool(_devices(pods))


def _fitting(demands: Sequence[_Demand], offers: Sequence[_Offer]) -> _Placement | None:
    nodes = tuple(offer for offer in offers if any(_fits(offer, demand) for demand in demands))
    if not nodes:
        return None
    because = f"its selectors and tolerations admit {_named(sorted(offer.node.name for offer in nodes))}"
    return _Placement(nodes=nodes, confidence="likely", because=because)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    word = "node" if len(names) == 1 else "nodes"
    return f"{word} {shown}" + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def _fits(offer: _Offer, demand: _Demand) -> bool:
    if offer.devices is None:
        if offer.model is None:
            return False
    elif any(offer.devices.get(resource, 0) < number for resource, number in demand.devices.items()):
        return False
    labels = offer.node.labels
    if any(labels.get(key) != value for key, value in demand.selector.items()):
        return False
    if demand.terms is not None and not any(_meets(term, offer.node) for term in demand.terms):
        return False
    return all(_tolerated(taint, offer, demand) for taint in offer.taints)


def _meets(term: _Term, node: Object) -> bool:
    """Whether a node meets every expression of a term. A term without any meets nothing."""
    of_labels, of_fields = term
    if not of_labels and not of_fields:
        return False
    names = {"metadata.name": node.name}
    return all(_holds(one, node.labels) for one in of_labels) and all(_holds(one, names) for one in of_fields)


def _holds(expression: _Expression, labels: Mapping[str, str]) -> bool:
    key, operator, values = expression
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


def _tolerated(taint: tuple[str, str, str], offer: _Offer, demand: _Demand) -> bool:
    key, value, effect = taint
    if effect not in ("NoSchedule", "NoExecute") or key.startswith(_PASSING):
        return True
    if key in demand.devices and _ADMITS_BY_RESOURCE in offer.node.labels:
        return True
    for operator, wanted, text, of_effect in demand.tolerations:
        if of_effect and of_effect != effect:
            continue
        if (not wanted or wanted == key) if operator == "Exists" else (wanted, text) == (key, value):
            return True
    return False


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
    places: dict[frozenset[str], Location] = {}  # of many nodes with the same devices the first is enough
    for offer in placed.nodes:
        if offer.model is None:
            return
        places.setdefault(*offer.model)
    ids: frozenset[str] = frozenset().union(*places)
    yield _reported("hardware.gpu.model", [*sorted(ids)], placed, [*places.values()])


def _agreed(placed: _Placement) -> Iterator[Observation]:
    """Facts that have one value: known where every node says the same, unknown where they differ."""
    for fact in _LABELLED:
        first: dict[str, tuple[str, _Read | None]] = {}
        for offer in placed.nodes:
            pair = offer.says[fact]
            first.setdefault("not said" if pair is None else str(pair[0]), (offer.node.name, pair))
        said = [pair for _, pair in first.values() if pair is not None]
        if not any(value is not None for value, _ in said):
            continue
        places = [place for _, locations in said for place in locations]
        if len(first) == 1 or (fact == "hardware.gpu.memory.bytes" and _near(first)):
            yield _reported(fact, said[0][0], placed, places)
            continue
        shown = [f"{name}: {_word(pair)}" for name, pair in first.values()]
        more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
        yield _reported(fact, Unknown(f"the nodes differ ({'; '.join(shown[:_MOST_NAMED])}{more})"), placed, places)


def _near(first: Mapping[str, tuple[str, _Read | None]]) -> bool:
    """Whether sizes differ by no more than what one driver or board holds back and another does not."""
    sizes = [pair[0] for _, pair in first.values() if pair is not None and isinstance(pair[0], int)]
    return len(sizes) == len(first) and max(sizes) - min(sizes) <= max(sizes) * _HELD_BACK


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
    if text is not None and node.labels.get(_STRATEGY) != "mixed":
        try:
            return parse_gpu_label(text).mig_profile, (_place(node, _PRODUCT),)
        except ValueError:
            return None
    return None


def _sharing(node: Object) -> _Read | None:
    for key in ("nvidia.com/gpu.sharing-strategy", "cloud.google.com/gke-gpu-sharing-strategy"):
        text = node.labels.get(key)
        if text is not None:
            return text, (_place(node, key),)
    replicas = _whole(node.labels.get("nvidia.com/gpu.replicas", ""))
    if replicas is not None and replicas > 0:  # releases before the label of the strategy had time-slicing alone
        return "time-slicing" if replicas > 1 else "none", (_place(node, "nvidia.com/gpu.replicas"),)
    return None


def _memory(node: Object) -> _Read | None:
    """Memory of one device, which the label tells in MiB: of a whole one, where its slices are of several kinds."""
    if node.labels.get(_STRATEGY) == "mixed":
        return None
    megabytes = _whole(node.labels.get(_MEMORY, ""))
    return (megabytes * 2**20, (_place(node, _MEMORY),)) if megabytes else None


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


_MEMORY, _STRATEGY = "nvidia.com/gpu.memory", "nvidia.com/mig.strategy"
_DRIVER, _CUDA = "nvidia.com/cuda.driver", "nvidia.com/cuda.runtime"
_LABELLED: Mapping[str, Callable[[Object], _Read | None]] = {
    "hardware.gpu.mig_profile": _profile,
    "hardware.gpu.sharing": _sharing,
    "hardware.gpu.memory.bytes": _memory,
    "hardware.driver.version": _version(
        f"{_DRIVER}-version.full", f"{_DRIVER}.major", f"{_DRIVER}.minor", f"{_DRIVER}.rev"
    ),
    "hardware.cuda.version": _version(f"{_CUDA}-version.full", f"{_CUDA}.major", f"{_CUDA}.minor"),
}


def _place(node: Object, label: str) -> Location:
    return node.node["metadata"]["labels"][label].location


JOINS: tuple[Join, ...] = (accelerators_seen,)
