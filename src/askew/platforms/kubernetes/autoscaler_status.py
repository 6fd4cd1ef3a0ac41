"""What an autoscaler says of itself: whether it can scale, why not, and the values that it has of its signals.

Sources: HorizontalPodAutoscalerStatus of https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/
horizontal-pod-autoscaler-v2/, pkg/controller/podautoscaler/horizontal.go of kubernetes/kubernetes (reasons), and
apis/keda/v1alpha1/condition_types.go of kedacore/keda.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from askew.evidence.document import Node
from askew.facts.types import Value
from askew.platforms.kubernetes.autoscalers import aimed_at
from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.events import warnings
from askew.platforms.kubernetes.objects import Objects
from askew.platforms.kubernetes.observe import Entry, observed_map, text_of
from askew.platforms.kubernetes.times import is_recent
from askew.resolve.observation import Observation

FACT = "orchestration.autoscaler.status"
_HPA = ("autoscaling", "HorizontalPodAutoscaler")
_CONDITIONS = {"ScalingActive": "scaling_active", "AbleToScale": "able_to_scale", "ScalingLimited": "limited"}
_KEDA = {"Ready": "ready", "Active": "active", "Fallback": "fallback", "Paused": "paused"}
# What each condition is while all is well; of those that are otherwise the first tells why.
_WELL = {"scaling_active": True, "able_to_scale": True, "ready": True, "fallback": False}
_LONGEST = 240
_SETTLES = timedelta(minutes=5)  # pods that load a model have no metrics before, and a scrape that failed comes again


def autoscaler_states(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """The status of the autoscaler of the workload, where a source shows one."""
    scaled = aimed_at(draft, objects, "keda.sh", "ScaledObject")
    found = list(scaled)
    for one in scaled:
        name = text_of(one.node["status"]["hpaName"]) or f"keda-hpa-{one.name}"
        made = objects.near(one, *_HPA, name)
        found.extend((made,) if made is not None else ())
    if not scaled:
        found.extend(aimed_at(draft, objects, *_HPA))
    entries: dict[str, Entry] = {}
    reasons: dict[str, Entry] = {}
    began: dict[str, Entry] = {}
    for one in found:
        status = one.node["status"]
        words = _KEDA if one.group == "keda.sh" else _CONDITIONS
        for condition in status["conditions"].each():
            name, state = words.get(text_of(condition["type"]), ""), text_of(condition["status"])
            if not name or state not in ("True", "False"):
                continue
            entries[name] = Entry(state == "True", condition.location)
            if name in _WELL and entries[name].value is not _WELL[name] and text_of(condition["reason"]):
                reasons[name] = Entry(_said(condition), condition["reason"].location)
                began[name] = Entry(text_of(condition["lastTransitionTime"]), condition["lastTransitionTime"].location)
        entries.update(_counted(status))
    if not entries:
        return ()
    for name in _WELL:
        if name in reasons:
            entries["reason"], since = reasons[name], began[name]
            if since.value:
                entries["since"] = since
                entries["recent"] = Entry(is_recent(str(since.value), objects, _SETTLES), since.location)
            break
    because = tuple(str(one) for one in warnings(found, objects))
    observations = observed_map(FACT, entries, origin="reported", because=because)
    return tuple(msgspec.structs.replace(one, basis="seen") for one in observations)


def _said(condition: Node) -> str:
    words = " ".join(text_of(condition["message"]).split())
    text = f"{text_of(condition['reason'])}: {words}" if words else text_of(condition["reason"])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _counted(status: Node) -> Iterator[tuple[str, Entry]]:
    for field, name in (("currentReplicas", "current_replicas"), ("desiredReplicas", "desired_replicas")):
        if status[field].integer() is not None:
            yield name, Entry(status[field].integer(), status[field].location)
    current: dict[str, Value] = {}
    for metric in status["currentMetrics"].each():
        kind = text_of(metric["type"])
        body = metric[kind[:1].lower() + kind[1:]]
        name = text_of(body["metric"]["name"]) or text_of(body["name"])
        value = next((text_of(node) for _, node in body["current"].items() if text_of(node)), "")
        if name and value:
            current[name] = value
    if current:
        yield "current", Entry(current, status["currentMetrics"].location)


JOINS: tuple[Join, ...] = (autoscaler_states,)
