"""Knative Services: revisions that scale with requests.

Defaults: https://github.com/knative/serving/blob/main/config/core/configmaps/defaults.yaml and autoscaler.yaml.
A cluster can change them, so what they give is likely, not certain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.knowledge.platform_defaults import default_of
from askew.platforms.kubernetes.draft import Draft, Reader
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.workloads import owned
from askew.resolve.observation import Observation, Unknown

GROUP = "serving.knative.dev"
_SCALING = "autoscaling.knative.dev/"
_DEFAULTS = Location("https://github.com/knative/serving/blob/main/config/core/configmaps/defaults.yaml")
_AUTOSCALER = Location("https://github.com/knative/serving/blob/main/config/core/configmaps/autoscaler.yaml")
_TARGETS: Mapping[str, int] = {"concurrency": 100, "rps": 200, "cpu": 80}
_KINDS = {"kpa.autoscaling.knative.dev": "kpa", "hpa.autoscaling.knative.dev": "hpa"}


def service(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A Service; or a Revision, where neither its Service nor the Deployment made of it is among the sources."""
    revision = one.kind == "Revision"
    if owned(one, objects) or (revision and _deployed(one, objects)):
        return ()
    spec = one.node["spec"]
    template = one.node if revision else spec["template"]
    pod = template["spec"]
    annotations = [template["metadata"]["annotations"]]
    found = (
        *timeouts(pod["timeoutSeconds"], pod["responseStartTimeoutSeconds"], pod["idleTimeoutSeconds"], one.label),
        *concurrency(pod["containerConcurrency"]),
        *scaling(annotations, pod["containerConcurrency"]),
    )
    return (
        Draft(
            object=one,
            pod=(pod,),
            kind="KnativeService" if one.kind == "Service" else "",
            pod_labels=template["metadata"]["labels"].string_map(),
            pod_annotations=template["metadata"]["annotations"].string_map(),
            replicas_default=None,
            observations=found,
        ),
    )


def _deployed(one: Object, objects: Objects) -> bool:
    return any((GROUP, "Revision", one.name) in other.owners for other in objects.beside(one, "apps", "Deployment"))


def timeouts(total: Node, first_byte: Node, idle: Node, hop: str) -> Iterator[Observation]:
    """The times the queue proxy gives a request. The first byte has the whole time unless it has its own."""
    if total:
        yield observed("serving.request_timeout", _seconds(total), total.location, hop=hop)
    else:
        row = default_of("knative", "revision-timeout-seconds")
        yield observed(
            "serving.request_timeout",
            row.value,
            row.citation,
            origin="platform-default",
            confidence="likely",
            hop=hop,
            because=("revision-timeout-seconds is 300 unless the cluster says otherwise",),
        )
    if first_byte:
        yield observed("serving.first_byte_timeout", _seconds(first_byte), first_byte.location, hop=hop)
    if idle:
        # Zero is no limit, as the default is.
        yield observed("serving.read_timeout", _seconds(idle) or "unlimited", idle.location, hop=hop)


def concurrency(node: Node) -> Iterator[Observation]:
    """The hard limit of requests at once in one replica; 0 is none."""
    fact = "serving.max_concurrency"
    if node:
        number = node.integer()
        value: Value | Unknown = Unknown("containerConcurrency is no whole number", text=text_of(node))
        if number is not None:
            value = number or "unlimited"
        yield observed(fact, value, node.location)
    else:
        yield observed(fact, "unlimited", _DEFAULTS, origin="platform-default", confidence="likely")


def annotation(holders: list[Node], *names: str) -> Node | None:
    """The autoscaling annotation of that name, in the first of the annotations that has it."""
    for holder in holders:
        for name in names:
            node = holder[_SCALING + name]
            if node:
                return node
    return None


def scaling(
    holders: list[Node], limit: Node, least: Node | None = None, most: Node | None = None
) -> Iterator[Observation]:
    """The autoscaler of a revision, by its annotations. ``least`` and ``most`` are fields that beat them."""
    kind = annotation(holders, "class")
    name = _KINDS.get(text_of(kind), text_of(kind)) if kind is not None else "kpa"
    fact = "orchestration.autoscaler.kind"
    if kind is not None:
        yield observed(fact, name, kind.location)
    else:
        yield observed(fact, name, _AUTOSCALER, origin="platform-default", confidence="likely")
    low = least or annotation(holders, "min-scale", "minScale")
    high = most or annotation(holders, "max-scale", "maxScale")
    # The horizontal pod autoscaler does not scale to zero.
    yield _scale("orchestration.replicas.min", low, 0 if name == "kpa" else 1)
    yield _scale("orchestration.replicas.max", high, None)
    yield _metric(holders, limit, name)


def _scale(fact: str, node: Node | None, default: int | None) -> Observation:
    if node is None:
        because = () if default is not None else ("no maximum is set, and Knative has none by default",)
        return observed(fact, default, _AUTOSCALER, origin="platform-default", confidence="likely", because=because)
    number = _whole(node)
    value: Value | Unknown = Unknown("the scale is no whole number", text=text_of(node)) if number is None else number
    if number == 0 and fact.endswith(".max"):
        value = None  # 0 is no limit
    return observed(fact, value, node.location)


def _metric(holders: list[Node], limit: Node, name: str) -> Observation:
    metric, target = annotation(holders, "metric"), annotation(holders, "target")
    percentage = annotation(holders, "target-utilization-percentage", "targetUtilizationPercentage")
    signal = text_of(metric) if metric is not None else "cpu" if name == "hpa" else "concurrency"
    places = [node.location for node in (metric, target, percentage) if node is not None]
    item: dict[str, Value] = {"source": "knative", "name": signal, "target_type": "average"}
    if target is not None:
        item["target"] = text_of(target)
    elif signal == "concurrency" and limit.integer():
        item["target"] = limit.integer()
        places.append(limit.location)
    elif signal in _TARGETS:
        item["target"] = _TARGETS[signal]
    if percentage is not None:
        item["query"] = f"utilization {text_of(percentage)}%"
    fact = "orchestration.autoscaler.metrics"
    if places:
        return observed(fact, [item], *places)
    return observed(fact, [item], _AUTOSCALER, origin="platform-default", confidence="likely")


def _whole(node: Node) -> int | None:
    text = text_of(node).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _seconds(node: Node) -> Value | Unknown:
    number = node.integer()
    return Unknown("the timeout is no whole number of seconds", text=text_of(node)) if number is None else number


READERS: Mapping[tuple[str, str], Reader] = {
    (GROUP, "Service"): service,
    (GROUP, "Revision"): service,
}
