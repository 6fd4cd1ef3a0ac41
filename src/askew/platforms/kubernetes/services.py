"""The Services in front of a workload, and the names of those beside it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from askew.facts.types import Value
from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.resolve.observation import Observation

_CONTROLLERS = frozenset(
    {"serving.kserve.io", "serving.knative.dev", "ray.io", "leaderworkerset.x-k8s.io", "kubeai.org", "apps.nvidia.com"}
)


class Address(msgspec.Struct, frozen=True):
    """A name under which routes can mean the workload, in the namespace of ``origin``; ``service`` is the Service of
    that name, where the sources hold it."""

    name: str
    origin: Object
    service: Object | None = None


def services_of(draft: Draft, objects: Objects) -> tuple[Object, ...]:
    """The Services whose selector the pods of a workload meet, in its namespace."""
    labels = dict(draft.pod_labels)
    if draft.object.kind == "LeaderWorkerSet":
        labels.setdefault("leaderworkerset.sigs.k8s.io/name", draft.object.name)  # the controller's label
    found = []
    selectors = objects.once("selectors of Services", _selectors)
    for service in objects.beside(draft.object, "", "Service"):
        selector = selectors[id(service)]
        if selector and all(labels.get(key) == value for key, value in selector.items()):
            found.append(service)
    return tuple(sorted(found, key=_order))


def _selectors(objects: Objects) -> dict[int, dict[str, str]]:
    return {id(service): service.node["spec"]["selector"].string_map() for service in objects.of("", "Service")}


def addresses_of(draft: Draft, objects: Objects) -> tuple[Address, ...]:
    """Every name that a route can give for the workload: its Services, and those its controller makes for it."""
    found = {service.name: Address(service.name, service, service) for service in services_of(draft, objects)}
    if draft.object.group in _CONTROLLERS:
        names = {draft.object.name, draft.workload_name, *(name for _, _, name in draft.targets)}
        if draft.object.group == "ray.io":
            names.add(f"{draft.object.name}-serve-svc")
        for name in sorted(names):
            found.setdefault(name, Address(name, draft.object))
    return tuple(found.values())


def services(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """Ports of the Services that select the pods, and the names of all Services of the namespace."""
    found: list[Observation] = []
    ports: list[Value] = []
    selected = services_of(draft, objects)
    for service in selected:
        for port in service.node["spec"]["ports"].each():
            number = port["port"].integer()
            if number is None:
                continue
            target = port["targetPort"]
            item: dict[str, Value] = {"service": service.name, "port": number}
            whole = target.integer()
            item["target_port"] = whole if whole is not None else text_of(target) or number
            if text_of(port["name"]):
                item["name"] = text_of(port["name"])
            ports.append(item)
    if ports:
        places = tuple(service.node["spec"]["ports"].location for service in selected)
        found.append(observed("serving.service.ports", ports, *places))
    around = objects.once("names of Services", _names).get(draft.object.namespace)
    if around is not None:
        found.append(around)
    return found


def _names(objects: Objects) -> dict[str, Observation]:
    """The names of the Services of each namespace. Headless Services yield no variables: the kubelet skips those
    without a cluster IP."""
    around: dict[str, list[Object]] = {}
    for one in sorted(objects.of("", "Service"), key=_order):
        if one.name and text_of(one.node["spec"]["clusterIP"]) != "None":
            around.setdefault(one.namespace, []).append(one)
    return {
        namespace: observed(
            "orchestration.service_prefixes",
            list(dict.fromkeys(one.name for one in found)),
            *(one.node["metadata"]["name"].location for one in found),
        )
        for namespace, found in around.items()
    }


def _order(one: Object) -> tuple[str, str, str]:
    return (one.name, one.namespace, one.source)


JOINS: tuple[Join, ...] = (services,)
