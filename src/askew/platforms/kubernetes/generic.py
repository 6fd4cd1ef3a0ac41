"""Kinds of other projects: role-based groups of pods, and kinds that share a name with KServe's or KubeAI's.

Sources: api/workloads/v1alpha1 and v1alpha2 of sgl-project/rbg; api/v1alpha1 of defilantech/LLMKube;
pkg/apis/ome/v1beta1 of sgl-project/ome.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Variable
from askew.evidence.location import Location
from askew.platforms.kubernetes.assemble import mapping, overlaid, scalar, sequence
from askew.platforms.kubernetes.draft import Addition, Draft, Layers, PodGroup, Reader
from askew.platforms.kubernetes.leaderworkerset import group_variables
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.pods import containers_by_name
from askew.platforms.kubernetes.workloads import generic
from askew.resolve.observation import Observation, Unknown

_RBG = "workloads.x-k8s.io"
_LLMKUBE = "inference.llmkube.dev"
_OME = "ome.io"
_RBG_DOCS = Location("https://github.com/sgl-project/rbg/blob/main/doc/best-practice/en/01-deploy-inference-service.md")
_MOST_PODS = 10_000


# -- role-based groups -------------------------------------------------------------------------------------


def role_based_group(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """One workload for each role, its template with the role's patches laid over it."""
    spec = one.node["spec"]
    shared = {text_of(entry["name"]): entry["template"] for entry in spec["roleTemplates"].each()}
    drafts: list[Draft] = []
    for role in spec["roles"].each():
        if role.is_mapping:
            drafts.extend(_role(one, role, shared))
    if not drafts:
        return generic(one, objects)
    if len(drafts) == 1:
        return (msgspec.structs.replace(drafts[0], role=""),)
    return tuple(drafts)


def _role(one: Object, role: Node, shared: Mapping[str, Node]) -> Iterator[Draft]:
    holder = next((role[field] for field in ("leaderWorkerPattern", "standalonePattern") if role[field]), role)
    templates, missing = _layers(role, holder, shared)
    pod = _pods(templates)
    if not pod and not missing:
        return  # a role of another shape, such as one that refers to an object elsewhere
    group = role["leaderWorkerPattern"] if role["leaderWorkerPattern"].is_mapping else role["leaderWorkerSet"]
    leader = [group[field] for field in ("patchLeaderTemplate", "leaderTemplatePatch") if group[field].is_mapping]
    worker = [group[field] for field in ("patchWorkerTemplate", "workerTemplatePatch") if group[field].is_mapping]
    size = group["size"].integer() if group["size"] else 1
    place = group["size"].location if group["size"] else None
    valid = size is not None and 1 <= size <= _MOST_PODS
    pods = (*pod, *_pods(tuple(leader)))
    additions: tuple[Addition, ...] = ()
    groups: tuple[PodGroup, ...] = ()
    if group.is_mapping and pods:
        additions = _group_additions(pods, size if valid else None, place)
        if size != 1:
            unknown = "" if valid else "the size of the role's group is no whole number"
            count = size - 1 if valid and size is not None else None
            groups = (
                PodGroup(role="worker", pod=(*pod, *_pods(tuple(worker))), pods=count, unknown=unknown, place=place),
            )
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for template in (*templates, *leader):
        labels.update(template["metadata"]["labels"].string_map())
        annotations.update(template["metadata"]["annotations"].string_map())
    yield Draft(
        object=one,
        pod=pods or (role,),
        role=text_of(role["name"]),
        pod_labels=labels,
        pod_annotations=annotations,
        replicas=role["replicas"],
        groups=groups,
        additions=additions,
        confidence="likely",
        problems=(missing,) if missing else (),
    )


def _layers(role: Node, holder: Node, shared: Mapping[str, Node]) -> tuple[tuple[Node, ...], str]:
    """The templates of a role, the base first, and why the base is missing where it is."""
    reference = holder["templateRef"] if holder["templateRef"].exists else role["templateRef"]
    found: list[Node] = []
    missing = ""
    if reference.exists:
        name = text_of(reference["name"])
        if name in shared:
            found.append(shared[name])
        else:
            missing = f"{reference.location}: the group has no roleTemplate {name or '(without a name)'}"
        found.extend(
            patch for patch in (reference["patch"], holder["templatePatch"], role["templatePatch"]) if patch.is_mapping
        )
    else:
        template = holder["template"] if holder["template"].is_mapping else role["template"]
        if template.is_mapping:
            found.append(template)
    seen: list[Node] = []
    for node in found:
        if not any(node.location == other.location and node.path == other.path for other in seen):
            seen.append(node)
    return tuple(seen), missing


def _pods(templates: tuple[Node, ...]) -> Layers:
    return tuple(template["spec"] for template in templates if template["spec"].is_mapping)


def _group_additions(pod: Layers, size: int | None, place: Location | None) -> tuple[Addition, ...]:
    """The variables of a role's leader, under RBG's own names and under those of a LeaderWorkerSet."""
    of_role = (
        Variable("RBG_LWP_LEADER_ADDRESS", None, _RBG_DOCS, "the address of the group's leader, known when it runs"),
        Variable(
            "RBG_LWP_GROUP_SIZE",
            None if size is None else str(size),
            place or _RBG_DOCS,
            "the size of the role's group is no whole number" if size is None else None,
        ),
        Variable("RBG_LWP_WORKER_INDEX", "0", _RBG_DOCS),
    )
    more = group_variables(pod, size, place)
    own = tuple(Addition(container=name, env=of_role, env_first=True) for name in containers_by_name(pod))
    return (*more, *own)


# -- LLMKube -----------------------------------------------------------------------------------------------


def llmkube_service(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """LLMKube's InferenceService: a container in plain fields, some of which its controller turns into arguments."""
    spec = one.node["spec"]
    if not spec.is_mapping:
        return ()
    reference = spec["modelRef"]
    model = objects.near(one, _LLMKUBE, "Model", text_of(reference)) if text_of(reference) else None
    amounts = spec["resources"]
    limits: dict[str, Node | None] = {}
    if amounts["gpu"]:
        limits["nvidia.com/gpu"] = amounts["gpu"]
    requests: dict[str, Node | None] = {name: amounts[name] for name in ("cpu", "memory")}
    container = mapping(
        spec,
        {
            "name": scalar(spec, "engine"),
            "image": spec["image"],
            "args": _llmkube_args(spec),
            "env": spec["env"],
            "resources": mapping(amounts, {"limits": mapping(amounts, limits), "requests": mapping(amounts, requests)}),
        },
    )
    fields: dict[str, Node | None] = {name: spec[name] for name in ("nodeSelector", "tolerations", "affinity")}
    fields["containers"] = sequence(spec, [container])
    return (
        Draft(
            object=one,
            pod=(mapping(spec, fields),),
            pod_labels=one.labels,
            pod_annotations=one.annotations,
            replicas=spec["replicas"],
            container_observations={"": tuple(_llmkube_facts(spec, model))},
            engine=text_of(spec["runtime"]),
            confidence="likely",
        ),
    )


# Fields that become arguments of llama.cpp's server, before the user's own, which come last and win. Source:
# internal/controller/llamacpp_args.go of defilantech/LLMKube; what depends on the devices found there is left out.
_LLMKUBE_ARGS = (
    ("contextSize", "--ctx-size", ("-c",)),
    ("parallelSlots", "--parallel", ("-np",)),
    ("cacheTypeK", "--cache-type-k", ("-ctk",)),
    ("cacheTypeV", "--cache-type-v", ("-ctv",)),
    ("batchSize", "--batch-size", ("-b",)),
    ("uBatchSize", "--ubatch-size", ("-ub",)),
)


def _llmkube_args(spec: Node) -> Node:
    extra = spec["extraArgs"]
    if text_of(spec["runtime"]).lower() not in ("", "llamacpp"):
        return extra
    own = list(extra.each())
    written = {text_of(word).partition("=")[0] for word in own}
    words: list[Node] = []
    for field, flag, short in _LLMKUBE_ARGS:
        text = text_of(spec[field])
        if text and text != "0" and written.isdisjoint((flag, *short)):
            words.extend((scalar(spec[field], flag), scalar(spec[field], text)))
    return sequence(extra if extra.exists else spec, [*words, *own]) if words else extra


def _llmkube_facts(spec: Node, model: Object | None) -> Iterator[Observation]:
    if model is not None and text_of(model.node["spec"]["source"]):
        source = model.node["spec"]["source"]
        yield observed("model.source", text_of(source), source.location, origin="declared")
    elif text_of(spec["modelRef"]):
        reason = f"Model {text_of(spec['modelRef'])} is not in the sources given"
        yield observed("model.source", Unknown(reason, "kubectl get models.inference.llmkube.dev"), spec.location)
    hardware = model.node["spec"]["hardware"]["gpu"] if model is not None else None
    if spec["resources"]["gpu"]:
        return
    if hardware is not None and hardware["resourceClaims"]:
        reason = "devices come through dynamic resource allocation"
        yield observed("hardware.gpu.count", Unknown(reason), hardware["resourceClaims"].location)
    elif hardware is not None and hardware["count"]:
        yield observed("hardware.gpu.count", hardware["count"].integer(), hardware["count"].location)


# -- OME ---------------------------------------------------------------------------------------------------


def ome_service(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """OME's InferenceService, where it says itself what it runs: the runner of its engine, decoder or router."""
    spec = one.node["spec"]
    drafts = _ome_parts(one, "")
    if drafts or not spec.is_mapping:
        return drafts
    reason = (
        f"{one.label}: OME chooses the runtime and its arguments, and the object does not show them; "
        "point at the Deployment that OME makes of it"
    )
    return (Draft(object=one, pod=(spec,), problems=(reason,)),)


def ome_runtime(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """OME's runtime, where no service is beside it that might change what it says."""
    return () if objects.of(_OME, "InferenceService") else _ome_parts(one, "Config")


def _ome_parts(one: Object, suffix: str) -> tuple[Draft, ...]:
    """The components that say what they run; one over several pods has a leader and workers."""
    drafts: list[Draft] = []
    for component in ("engine", "decoder", "router"):
        node = one.node["spec"][component + suffix]
        leader, worker = node["leader"], node["worker"]
        holder = leader if leader["runner"].is_mapping else node
        runner = holder["runner"]
        if not runner.is_mapping or not (runner["image"] or runner["command"]):
            continue
        groups: tuple[PodGroup, ...] = ()
        if holder is leader and worker["runner"].is_mapping:
            size = worker["size"].integer() if worker["size"] else 1
            pods = size if size is not None and 0 <= size <= _MOST_PODS else None
            unknown = "" if pods is not None else "the number of workers is no whole number"
            if pods != 0:
                groups = (PodGroup(role="worker", pod=(_ome_pod(worker),), pods=pods, unknown=unknown),)
        drafts.append(
            Draft(
                object=one,
                pod=(_ome_pod(holder),),
                role=component,
                pod_labels=one.labels,
                pod_annotations=one.annotations,
                replicas=node["minReplicas"] if node["minReplicas"].exists else None,
                replicas_default=None if suffix else 1,
                groups=groups,
                confidence="likely",
            )
        )
    if len(drafts) == 1:
        return (msgspec.structs.replace(drafts[0], role=""),)
    return tuple(drafts)


def _ome_pod(holder: Node) -> Node:
    runner = holder["runner"]
    name = runner["name"] if runner["name"] else scalar(runner, "ome-container")
    fields: dict[str, Node | None] = {key: child for key, child in holder.items() if key not in ("runner", "leader")}
    fields["containers"] = sequence(runner, [overlaid(runner, {"name": name})])
    return mapping(holder, fields)


def _part(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A model: it runs nothing of its own."""
    return ()


READERS: Mapping[tuple[str, str], Reader] = {
    (_RBG, "RoleBasedGroup"): role_based_group,
    (_LLMKUBE, "InferenceService"): llmkube_service,
    (_LLMKUBE, "Model"): _part,
    (_OME, "InferenceService"): ome_service,
    (_OME, "ClusterServingRuntime"): ome_runtime,
    (_OME, "ServingRuntime"): ome_runtime,
}
