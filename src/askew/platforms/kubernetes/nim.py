"""NVIDIA's ``NIMService``: one NIM container, its image carrying engine, model and profile.

Source: api/apps/v1alpha1/nimservice_types.go of NVIDIA/k8s-nim-operator. ``NIMPipeline`` holds several of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.kubernetes.assemble import mapping, scalar, sequence
from askew.platforms.kubernetes.draft import Draft, PodGroup, Reader
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.workloads import owned
from askew.resolve.observation import Observation, Unknown

GROUP = "apps.nvidia.com"
_TYPES = Location("https://github.com/NVIDIA/k8s-nim-operator/blob/main/api/apps/v1alpha1/nimservice_types.go")
_POD_FIELDS = ("nodeSelector", "tolerations", "affinity", "runtimeClassName", "schedulerName")


def nim_service(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A NIMService."""
    if owned(one, objects) or not one.node["spec"].is_mapping:
        return ()
    return (_draft(one, one.node["spec"], one.name, ""),)


def nim_pipeline(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A NIMPipeline: each of its services that is not switched off."""
    return tuple(
        _draft(one, service["spec"], text_of(service["name"]) or one.name, text_of(service["name"]))
        for service in one.node["spec"]["services"].each()
        if service["spec"].is_mapping and service["enabled"].boolean() is not False
    )


def _draft(one: Object, spec: Node, name: str, role: str) -> Draft:
    pod = _pod(spec, name)
    workers, unknown = _workers(spec)
    groups: tuple[PodGroup, ...] = ()
    if workers != 0:
        groups = (PodGroup(role="worker", pod=(pod,), pods=workers, unknown=unknown),)
    return Draft(
        object=one,
        pod=(pod,),
        role=role,
        pod_labels=spec["labels"].string_map(),
        pod_annotations=spec["annotations"].string_map(),
        replicas=spec["replicas"],
        groups=groups,
        observations=tuple(_scaling(spec["scale"])),
        container_observations={"": tuple(_source(spec["storage"]))},
        engine="nim",
        shm="the NIM operator may mount memory at /dev/shm",
    )


def _pod(spec: Node, name: str) -> Node:
    image = spec["image"]
    repository, tag = text_of(image["repository"]), text_of(image["tag"])
    reference = repository + (("@" if tag.startswith("sha256:") else ":") + tag if tag and repository else "")
    container: dict[str, Node | None] = {
        "name": scalar(spec, f"{name}-ctr"),
        "image": scalar(image["tag"] if tag else image, reference) if reference else None,
        "imagePullPolicy": image["pullPolicy"],
        "command": spec["command"],
        "args": spec["args"],
        "env": spec["env"],
        "resources": spec["resources"],
    }
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if spec[probe]["enabled"].boolean() is not False and spec[probe]["probe"].is_mapping:
            container[probe] = spec[probe]["probe"]
    fields: dict[str, Node | None] = {field: spec[field] for field in _POD_FIELDS}
    return mapping(spec, {"containers": sequence(spec, [mapping(spec, container)]), **fields})


def _workers(spec: Node) -> tuple[int | None, str]:
    """How many pods one replica has beside the leader: the pipeline stages of a multi-node service, less one."""
    multi = spec["multiNode"]
    if not multi.is_mapping:
        return 0, ""
    size = multi["parallelism"]["pipeline"] if multi["parallelism"]["pipeline"] else multi["size"]
    number = size.integer() if size else 1
    if number is None or not 1 <= number <= 10_000:
        return None, "the number of nodes of one replica is no whole number"
    return number - 1, ""


def _source(storage: Node) -> Iterator[Observation]:
    """Where the image finds weights it has already fetched. Which profile of them it runs is chosen at start."""
    for field, key, scheme in (("nimCache", "name", "nimcache"), ("pvc", "name", "pvc")):
        node = storage[field][key]
        if text_of(node):
            path = text_of(storage[field]["subPath"]) or text_of(storage[field]["profile"])
            source = f"{scheme}://{text_of(node)}" + (f"/{path}" if path else "")
            yield observed("model.source", source, node.location, origin="declared")
            return


def _scaling(scale: Node) -> Iterator[Observation]:
    if scale["enabled"].boolean() is not True:
        return
    hpa = scale["hpa"]
    yield observed("orchestration.autoscaler.kind", "hpa", scale.location)
    if hpa["minReplicas"]:
        yield observed("orchestration.replicas.min", _whole(hpa["minReplicas"]), hpa["minReplicas"].location)
    else:
        yield observed("orchestration.replicas.min", 1, _TYPES, origin="platform-default")
    if hpa["maxReplicas"]:
        yield observed("orchestration.replicas.max", _whole(hpa["maxReplicas"]), hpa["maxReplicas"].location)
    metrics: list[Value] = [_metric(node) for node in hpa["metrics"].each() if node.is_mapping]
    if metrics:
        yield observed("orchestration.autoscaler.metrics", metrics, hpa["metrics"].location)


def _metric(node: Node) -> Value:
    """One metric of an autoscaling/v2 autoscaler, in the fact's words."""
    kind = text_of(node["type"])
    body = node[kind[:1].lower() + kind[1:]]
    target = body["target"]
    name = text_of(body["metric"]["name"]) or text_of(body["name"])
    item: dict[str, Value] = {"source": kind.lower(), "name": name}
    for field, word in (("averageUtilization", "utilization"), ("averageValue", "average"), ("value", "value")):
        if target[field]:
            item["target_type"] = word
            item["target"] = text_of(target[field])
    return item


def _whole(node: Node) -> Value | Unknown:
    number = node.integer()
    return Unknown("the replica count is no whole number", text=text_of(node)) if number is None else number


READERS: Mapping[tuple[str, str], Reader] = {
    (GROUP, "NIMService"): nim_service,
    (GROUP, "NIMPipeline"): nim_pipeline,
}
