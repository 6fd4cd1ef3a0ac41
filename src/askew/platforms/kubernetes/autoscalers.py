"""What scales a workload: HorizontalPodAutoscaler and KEDA's ScaledObject.

Sources: kubernetes/kubernetes pkg/apis/autoscaling; https://keda.sh/docs/latest/reference/scaledobject-spec/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.knowledge.platform_defaults import default_of
from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, scalar, text_of
from askew.resolve.observation import Observation, Unknown

_KIND = "orchestration.autoscaler.kind"
_METRICS = "orchestration.autoscaler.metrics"
_BEHAVIOUR = "orchestration.autoscaler.behaviour"
_MIN = "orchestration.replicas.min"
_MAX = "orchestration.replicas.max"
_CONCEPT = Location("https://kubernetes.io/docs/concepts/workloads/autoscaling/")
_SCALABLE = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "LeaderWorkerSet"})
_TITLES = ("horizontalpodautoscalers.autoscaling", "scaledobjects.keda.sh")
_TARGETS = (("averageUtilization", "utilization"), ("averageValue", "average"), ("value", "value"))
# What strconv.ParseBool takes for true.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
# The fields of the triggers' metadata that say what is measured and at which value, as KEDA's pkg/scalers read them.
_QUERIES = ("query", "expression", "nrql")
_NAMES = ("metricName", "queueName", "topic", "listName", "stream")
_THRESHOLDS = (
    *("threshold", "targetValue", "value", "queueLength", "lagThreshold", "listLength", "desiredReplicas"),
    *("targetQueryValue", "targetMetricValue", "queryValue", "thresholdValue", "messageCount"),
)


def autoscalers(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """The autoscaler that targets the workload: its kind, bounds, signals and windows.

    Where none of the sources' autoscalers does, that none scales it is only likely: it may be applied from elsewhere.
    """
    found: list[Observation] = []
    for one in aimed_at(draft, objects, "keda.sh", "ScaledObject"):
        found.extend(_keda(one))
    if not found:
        for one in aimed_at(draft, objects, "autoscaling", "HorizontalPodAutoscaler"):
            found.extend(_hpa(one))
    refused = next((why for title in _TITLES if (why := objects.refusal(title, draft.object.namespace))), "")
    if not found and refused:
        at = draft.object.location
        value = Unknown(refused, missing=True)
        found = [observed(fact, value, at, origin="platform-default") for fact in (_KIND, _METRICS, _MAX)]
    elif not found and draft.workload_kind in _SCALABLE:
        because = ("no autoscaler among the sources targets this workload",)
        found.append(observed(_KIND, None, _CONCEPT, origin="platform-default", confidence="likely", because=because))
    return found


def aimed_at(draft: Draft, objects: Objects, group: str, kind: str) -> list[Object]:
    """The autoscalers of a kind that scale the workload, by name."""
    wanted = {(draft.workload_group, draft.workload_kind, draft.workload_name), *draft.targets}
    wanted.add((draft.object.group, draft.object.kind, draft.object.name))
    return [one for one in sorted(objects.beside(draft.object, group, kind), key=_order) if _aims(one, wanted)]


def _aims(one: Object, wanted: set[tuple[str, str, str]]) -> bool:
    target = one.node["spec"]["scaleTargetRef"]
    group = text_of(target["apiVersion"]).rpartition("/")[0]
    kind, name = text_of(target["kind"]), text_of(target["name"])
    if not kind and one.group == "keda.sh":
        group, kind = "apps", "Deployment"
    # HPA v1 may leave the version out; the old group of Deployments is one with the new.
    groups = {group, "apps"} if group in ("", "extensions") else {group}
    return any((each, kind, name) in wanted for each in groups)


def _hpa(one: Object) -> Iterator[Observation]:
    spec = one.node["spec"]
    yield observed(_KIND, "hpa", spec["scaleTargetRef"].location)
    low, high = spec["minReplicas"], spec["maxReplicas"]
    yield from _bound(_MIN, low, "kubernetes", "HPA.minReplicas")
    if high:
        yield observed(_MAX, _whole(high), high.location)
    else:
        yield observed(_MAX, Unknown("the autoscaler has no maxReplicas; Kubernetes refuses it"), spec.location)
    old = spec["targetCPUUtilizationPercentage"]
    metrics = [_metric(node) for node in spec["metrics"].each() if node.is_mapping]
    if metrics:
        yield _listed(metrics, spec["metrics"])
    elif old:
        yield _listed([_cpu(_whole(old))], old)
    else:
        row = default_of("kubernetes", "HPA.metrics when empty")
        yield observed(_METRICS, [_cpu(row.value)], row.citation, origin="platform-default")
    yield from _behaviour(spec["behavior"], {})
    yield from _undeclared(spec["behavior"])


def _cpu(target: Value | Unknown) -> dict[str, Value]:
    item: dict[str, Value] = {"source": "resource", "name": "cpu", "target_type": "utilization"}
    if not isinstance(target, Unknown):
        item["target"] = target
    return item


def _listed(metrics: list[dict[str, Value]], at: Node) -> Observation:
    ordered: list[Value] = [*sorted(metrics, key=repr)]
    return observed(_METRICS, ordered, at.location)


def _metric(node: Node) -> dict[str, Value]:
    """One metric of an autoscaling/v2 or v2beta1 autoscaler."""
    kind = text_of(node["type"])
    body = node[kind[:1].lower() + kind[1:]]
    item: dict[str, Value] = {"source": kind.lower()}
    name = text_of(body["metric"]["name"]) or text_of(body["name"]) or text_of(body["metricName"])
    if name:
        item["name"] = name
    selector = scalar(body["metric"]["selector"]["matchLabels"].value)
    if isinstance(selector, dict) and selector:
        item["query"] = ",".join(f"{key}={selector[key]}" for key in sorted(selector))
    for holder, fields in (
        (body["target"], _TARGETS),
        (
            body,
            (("targetAverageUtilization", "utilization"), ("targetAverageValue", "average"), ("targetValue", "value")),
        ),
    ):
        for field, word in fields:
            if holder[field]:
                item["target_type"], item["target"] = word, _amount(holder[field])
                return item
    return item


def _amount(node: Node) -> Value:
    """A quantity as a number: 500m is 0.5. What is none stays as written."""
    from askew.facts.values import quantity

    text = text_of(node)
    try:
        return quantity.cores(text)
    except ValueError:
        return text


def _keda(one: Object) -> Iterator[Observation]:
    spec = one.node["spec"]
    annotations = one.node["metadata"]["annotations"]
    yield observed(_KIND, "keda", spec["scaleTargetRef"].location)
    paused = annotations["autoscaling.keda.sh/paused-replicas"]
    if paused:
        because = ("scaling is paused at this number",)
        yield observed(_MIN, _whole(paused), paused.location, because=because)
        yield observed(_MAX, _whole(paused), paused.location, because=because)
    elif text_of(annotations["autoscaling.keda.sh/paused"]) in _TRUE:
        at = annotations["autoscaling.keda.sh/paused"].location
        for fact in (_MIN, _MAX):
            yield observed(fact, Unknown("scaling is paused at the number of replicas that ran then"), at)
    else:
        idle = spec["idleReplicaCount"]
        if idle:
            yield observed(_MIN, _whole(idle), idle.location, because=("fewer than minReplicaCount while idle",))
        else:
            yield from _bound(_MIN, spec["minReplicaCount"], "keda", "minReplicaCount")
        yield from _bound(_MAX, spec["maxReplicaCount"], "keda", "maxReplicaCount")
    triggers = [_trigger(node) for node in spec["triggers"].each() if node.is_mapping]
    if triggers:
        yield _listed(triggers, spec["triggers"])
    entries: dict[str, Entry] = {}
    for field, name in (("pollingInterval", "polling_interval"), ("cooldownPeriod", "cooldown")):
        node = spec[field]
        row = default_of("keda", field)
        entries[name] = Entry(_whole(node), node.location) if node else Entry(row.value, None, row.citation)
    for path, name in (
        (("fallback", "replicas"), "fallback_replicas"),
        (("fallback", "failureThreshold"), "fallback_failures"),
        (("minReplicaCount",), "min_while_active"),
    ):
        node = spec.get(*path)
        if node and (name != "min_while_active" or spec["idleReplicaCount"]):
            entries[name] = Entry(_whole(node), node.location)
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    yield from _behaviour(behaviour, entries)
    yield from _undeclared(behaviour)


def _trigger(node: Node) -> dict[str, Value]:
    kind, metadata = text_of(node["type"]), node["metadata"]
    resource = kind in ("cpu", "memory")
    item: dict[str, Value] = {"source": "resource" if resource else kind}
    name = kind if resource else next((text_of(metadata[field]) for field in _NAMES if metadata[field]), "")
    query = next((text_of(metadata[field]) for field in _QUERIES if metadata[field]), "")
    if name:
        item["name"] = name
    if query:
        item["query"] = " ".join(query.split())
    written = text_of(node["metricType"]) or text_of(metadata["type"])
    words = {"Utilization": "utilization", "AverageValue": "average", "Value": "value"}
    # KEDA gives every trigger AverageValue but those of cpu and memory, which it refuses without a type.
    if written in words or not resource:
        item["target_type"] = words.get(written, "average")
    threshold = next((metadata[field] for field in _THRESHOLDS if metadata[field]), None)
    if threshold is not None:
        item["target"] = _amount(threshold)
    return item


def _behaviour(node: Node, more: dict[str, Entry]) -> Iterator[Observation]:
    entries = dict(more)
    for field, word in (("scaleUp", "scale_up"), ("scaleDown", "scale_down")):
        rules = node[field]
        for part, name in (
            ("stabilizationWindowSeconds", "window"),
            ("selectPolicy", "select"),
            ("tolerance", "tolerance"),
        ):
            if rules[part]:
                entries[f"{word}_{name}"] = Entry(scalar(rules[part].value), rules[part].location)
        policies: list[Value] = [scalar(policy.value) for policy in rules["policies"].each()]
        if policies:
            entries[f"{word}_policies"] = Entry(sorted(policies, key=repr), rules["policies"].location)
    if entries:
        yield from observed_map(_BEHAVIOUR, entries)


_UNDECLARED = (
    ("scaleUp", "stabilizationWindowSeconds", "scale_up_window"),
    ("scaleUp", "selectPolicy", "scale_up_select"),
    ("scaleUp", "policies", "scale_up_policies"),
    ("scaleUp", "tolerance", "scale_up_tolerance"),
    ("scaleDown", "stabilizationWindowSeconds", "scale_down_window"),
    ("scaleDown", "selectPolicy", "scale_down_select"),
    ("scaleDown", "policies", "scale_down_policies"),
    ("scaleDown", "tolerance", "scale_down_tolerance"),
)


def _undeclared(node: Node) -> Iterator[Observation]:
    """How the autoscaler moves where nothing is written. The window of scaling down and the tolerance are flags of the
    controller manager, so they are only likely."""
    for direction, field, key in _UNDECLARED:
        if not node[direction][field]:
            name = "HPA.tolerance" if field == "tolerance" else f"HPA.{direction}.{field}"
            row = default_of("kubernetes", name)
            flag = field == "tolerance" or key == "scale_down_window"
            yield observed(
                _BEHAVIOUR,
                row.value,
                row.citation,
                origin="platform-default",
                confidence="likely" if flag else "certain",
                key=key,
                because=("unless the controller manager is told otherwise",) if flag else (),
            )


def _bound(fact: str, node: Node, component: str, setting: str) -> Iterator[Observation]:
    if node:
        yield observed(fact, _whole(node), node.location)
    else:
        row = default_of(component, setting)
        yield observed(fact, row.value, row.citation, origin="platform-default")


def _whole(node: Node) -> Value | Unknown:
    number = node.integer()
    return Unknown("not a whole number", text=text_of(node)) if number is None else number


def _order(one: Object) -> tuple[str, str, str]:
    return (one.name, one.namespace, one.source)


JOINS: tuple[Join, ...] = (autoscalers,)
