"""KServe: InferenceService with its serving runtime, and LLMInferenceService with its presets.

Sources: docs at https://kserve.github.io/website/ and pkg/controller of kserve/kserve: a runtime's container and the
service's model are merged as a strategic merge patch, but ``args`` are concatenated (MergeRuntimeContainers in
pkg/controller/v1beta1/inferenceservice/utils/utils.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.kubernetes import knative
from askew.platforms.kubernetes.accelerators import devices
from askew.platforms.kubernetes.assemble import filled, mapping, overlaid, scalar, sequence
from askew.platforms.kubernetes.draft import Addition, Draft, Layers, PodGroup, Reader, pick
from askew.platforms.kubernetes.gotemplate import Datum, Lookup, NotKnown, fill
from askew.platforms.kubernetes.kserve_runtimes import shipped
from askew.platforms.kubernetes.objects import Object, Objects, may_share_namespace
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.pods import containers_by_name
from askew.platforms.kubernetes.workloads import owned
from askew.resolve.observation import Observation, Unknown

GROUP = "serving.kserve.io"
MODEL_DIRECTORY = "/mnt/models"
_CONTAINER = "kserve-container"
_DOCS = Location("https://kserve.github.io/website/docs/reference/crd-api")
_LEGACY = (
    *("sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle"),
    *("mlserver", "alibi", "art"),
)
_OF_COMPONENT = frozenset(
    {
        *("model", *_LEGACY, "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType"),
        *("autoScaling", "containerConcurrency", "timeout", "canaryTrafficPercent", "batcher", "logger"),
        *("labels", "annotations", "workerSpec", "deploymentStrategy", "containers"),
    }
)
_MODEL_WORDS = ("--model", "--model_id", "--model-id", "--model-path", "--model_dir", "--model-dir")
_HUB = "hf://"
_MOVING = frozenset(("main", "master", "head", "latest"))
_IMAGE_FACTS = ("runtime.image", "runtime.image.tag", "runtime.image.digest")
# What a runtime that no source shows may say of its container.
_RUNTIME_FACTS = (
    ("orchestration.resources.cpu", "cpu"),
    ("orchestration.resources.memory.bytes", "memory"),
    ("orchestration.resources.ephemeral_storage.bytes", "ephemeral-storage"),
)
_MOST_PODS = 10_000


# -- InferenceService ------------------------------------------------------------------------------------


class _Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """The serving runtime of a predictor: its spec, or the reason why it is not known."""

    spec: Node | None = None
    name: str = ""
    unknown: str = ""
    observe_with: str = ""


def inference_service(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """The predictor, and a transformer or explainer as workloads of their own with a role."""
    if owned(one, objects):
        return ()
    spec = one.node["spec"]
    drafts: list[Draft] = []
    for component in ("predictor", "transformer", "explainer"):
        node = spec[component]
        if node.is_mapping and node.value:
            drafts.append(_component(one, objects, node, component))
    return tuple(drafts)


def _component(one: Object, objects: Objects, node: Node, component: str) -> Draft:
    model = _model(node)
    runtime = _runtime(one, objects, node, model) if model is not None else _Runtime()
    noted: list[str] = []
    lookup = _metadata(one)
    own = _own_layer(node, model, runtime.spec)
    layers: Layers = (own,) if runtime.spec is None else (runtime.spec, own)
    layers = tuple(filled(layer, lambda text: fill(text, lookup, noted)) for layer in layers)
    container = next(iter(containers_by_name(layers)), _CONTAINER)
    if runtime.spec is not None and _CONTAINER in containers_by_name(layers):
        container = _CONTAINER
    groups, env = _worker_group(node["workerSpec"], runtime.spec)
    additions = [Addition(container=container, env=env, env_first=True)] if env else []
    facts = list(_missing_runtime(runtime, model, own))
    engine, server = ("", "")
    if model is not None and runtime.spec is None and not text_of(model["image"]) and not model["command"].exists:
        engine, server = _shipped(runtime, model)
        if server:
            additions.append(_assumed_server(model, runtime, server, container))
            facts.extend(_unseen_name(runtime, model))
    if model is not None:
        facts.extend(_source(model["storageUri"] or model["storage"]["path"], layers, container))
    problems = [f"{one.label}: {runtime.unknown}"] if runtime.unknown else []
    problems.extend(f"{one.label}: the runtime's {{{{ {text} }}}} is not known" for text in dict.fromkeys(noted))
    name = f"{one.name}-{component}"
    labels = {
        **one.labels,
        **node["labels"].string_map(),
        "app": f"isvc.{name}",
        "component": component,
        "serving.kserve.io/inferenceservice": one.name,
    }
    return Draft(
        object=one,
        pod=layers,
        role="" if component == "predictor" else component,
        pod_labels=labels,
        pod_annotations={**one.annotations, **node["annotations"].string_map()},
        replicas_default=None,
        groups=groups,
        additions=tuple(additions),
        observations=tuple(_serving(one, node)),
        container_observations={container: tuple(facts)},
        engine=engine,
        targets=(("apps", "Deployment", name), ("serving.knative.dev", "Service", name)),
        problems=tuple(problems),
    )


def _model(node: Node) -> Node | None:
    """The model of a component: ``model``, or the older field that is called after its framework."""
    for field in ("model", *_LEGACY):
        if node[field].is_mapping:
            return node[field]
    return None


def _model_format(model: Node) -> tuple[str, str]:
    """Name and version of the model's format."""
    if model.key != "model":
        return str(model.key), ""
    return text_of(model["modelFormat"]["name"]), text_of(model["modelFormat"]["version"])


def _own_layer(node: Node, model: Node | None, runtime: Node | None) -> Node:
    """What the service itself says of the pod: its fields, and the model as the patch of the runtime's container."""
    fields: dict[str, Node | None] = {key: child for key, child in node.items() if key not in _OF_COMPONENT}
    containers = list(node["containers"].each())
    if model is not None:
        base = _runtime_container(runtime)
        name = text_of(base["name"]) if base is not None else ""
        args = [*(base["args"].each() if base is not None else ()), *model["args"].each()]
        more: dict[str, Node | None] = {"name": scalar(model, name or _CONTAINER)}
        if model["args"].is_sequence and args:
            more["args"] = sequence(model["args"], args)
        containers.insert(0, overlaid(model, more))
    if containers:
        fields["containers"] = sequence(node, containers)
    return mapping(node, fields)


def _runtime_container(runtime: Node | None) -> Node | None:
    if runtime is None:
        return None
    found = [container for container in runtime["containers"].each() if container.is_mapping]
    return next((c for c in found if text_of(c["name"]) == _CONTAINER), found[0] if found else None)


def _runtime(one: Object, objects: Objects, node: Node, model: Node) -> _Runtime:
    wanted = text_of(model["runtime"])
    if wanted:
        found = objects.near(one, GROUP, "ServingRuntime", wanted)
        found = found or objects.get(GROUP, "ClusterServingRuntime", "", wanted, source=one.source)
        if found is not None:
            return _Runtime(spec=found.node["spec"], name=wanted)
        return _Runtime(
            name=wanted,
            unknown=f"ClusterServingRuntime {wanted} is not in the sources given",
            observe_with=f"kubectl get clusterservingruntime,servingruntime -A -o yaml | grep -A40 {wanted}",
        )
    name, version = _model_format(model)
    multi_node = node["workerSpec"].exists
    fitting: list[tuple[int, int, Object]] = []
    for kind in ("ServingRuntime", "ClusterServingRuntime"):
        for candidate in objects.of(GROUP, kind):
            if not may_share_namespace(one, candidate):
                continue
            priority = _fits(candidate.node["spec"], name, version, text_of(model["protocolVersion"]), multi_node)
            if priority is not None:
                fitting.append((1 if kind == "ServingRuntime" else 0, priority, candidate))
    # The service's own namespace first, then the highest priority.
    best = [entry for entry in fitting if entry[:2] == max(other[:2] for other in fitting)] if fitting else []
    if len({id(entry[2]) for entry in best}) == 1:
        return _Runtime(spec=best[0][2].node["spec"], name=best[0][2].name)
    observe_with = f"kubectl get inferenceservice {one.name} -o yaml, and the runtime it names"
    if best:
        names = ", ".join(sorted(entry[2].name for entry in best))
        reason = f"several runtimes fit the model format {name}: {names}; name one in spec.predictor.model.runtime"
        return _Runtime(unknown=reason, observe_with=observe_with)
    reason = f"the runtime that KServe selects for the model format {name or '(none)'} is not in the sources given"
    return _Runtime(unknown=reason, observe_with=observe_with)


def _fits(spec: Node, name: str, version: str, protocol: str, multi_node: bool) -> int | None:
    """The priority with which a runtime may be selected for a model format; None where it may not."""
    if spec["disabled"].boolean() or spec["multiModel"].boolean() or spec["workerSpec"].exists != multi_node:
        return None
    protocols = [text_of(entry) for entry in spec["protocolVersions"].each()]
    if protocol and protocols and protocol not in protocols:
        return None
    for entry in spec["supportedModelFormats"].each():
        if text_of(entry["name"]) != name or entry["autoSelect"].boolean() is not True:
            continue
        if version and text_of(entry["version"]) not in ("", version):
            continue
        return entry["priority"].integer() or 0
    return None


def _missing_runtime(runtime: _Runtime, model: Node | None, pod: Node) -> Iterator[Observation]:
    """What the runtime would say, as unknown with the reason that it was not seen."""
    if not runtime.unknown or model is None:
        return
    # Nobody left it open: the sources lack what says it, and what another source shows contradicts nothing.
    unknown = Unknown(runtime.unknown, runtime.observe_with, missing=True)
    place = (model["runtime"] if model["runtime"] else model).location
    if not text_of(model["image"]):
        for fact in _IMAGE_FACTS:
            # Under another name another image runs; the rest of what two unseen runtimes say may well be the same.
            named = msgspec.structs.replace(unknown, text=runtime.name) if fact == "runtime.image" else unknown
            yield observed(fact, named, place)
    for fact, resource in _RUNTIME_FACTS:
        if not any(model["resources"][section][resource] for section in ("requests", "limits")):
            yield observed(fact, unknown, place)
    if devices((model,), (pod,)).number == 0:
        yield observed("hardware.gpu.count", unknown, place)
    for probe in ("startup", "readiness", "liveness"):
        if not model[f"{probe}Probe"]:
            yield observed(f"orchestration.probe.{probe}", unknown, place)
    yield observed("orchestration.shm.bytes", unknown, place)


def _shipped(runtime: _Runtime, model: Node) -> tuple[str, str]:
    """The engine that a runtime which no source shows would start, if it is KServe's own."""
    return shipped(runtime.name, _model_format(model)[0], text_of(model["protocolVersion"]))


def _assumed_server(model: Node, runtime: _Runtime, server: str, container: str) -> Addition:
    """The start of KServe's own server: its arguments, those of the runtime unseen, and the service's after them."""
    place = model.location
    words = [Token(word, place) for word in ("python", "-m", server)]
    args = [Token(text_of(node), node.location) for node in model["args"].each()]
    hidden = Token("arguments of the serving runtime", place, runtime.unknown)
    return Addition(container=container, command=(*words, *args, hidden))


def _unseen_name(runtime: _Runtime, model: Node) -> Iterator[Observation]:
    """KServe's runtimes name the model after the service; another one may not."""
    if any(text_of(node).startswith("--model_name") for node in model["args"].each()):
        return
    unknown = Unknown(runtime.unknown, runtime.observe_with, missing=True)
    yield observed("model.served_names", unknown, model.location)


def _source(uri: Node, layers: Layers, container: str) -> Iterator[Observation]:
    """Where the weights come from. The engine itself sees only the directory they are put into."""
    if not text_of(uri):
        return
    if _names_a_model(containers_by_name(layers).get(container, ())):
        yield observed("model.source", _repository(text_of(uri))[0], uri.location, origin="declared")
    else:
        yield from _weights(uri)


def _weights(uri: Node) -> Iterator[Observation]:
    """What KServe downloads, and at which revision: the directory that the engine is given tells neither."""
    source, commit = _repository(text_of(uri))
    yield msgspec.structs.replace(observed("model.source", source, uri.location, origin="declared"), rank=0)
    if not source.startswith(_HUB) or "{{" in source:
        return
    value: Value | Unknown = commit
    if not commit:
        value = Unknown("no revision is pinned: KServe downloads the default branch", "write hf://REPOSITORY:COMMIT")
    elif commit.lower() in _MOVING:
        value = Unknown(f"{commit} moves: it is whatever its author pushed last", text=commit)
    revision = observed("model.revision", value, uri.location, origin="explicit" if commit else "platform-default")
    yield msgspec.structs.replace(revision, rank=0)


def _repository(uri: str) -> tuple[str, str]:
    """A Hub address without its commit, and the commit: ``hf://org/model:COMMIT``. Others stay as they are.

    Source: https://kserve.github.io/website/docs/model-serving/storage/providers/hf
    """
    if not uri.startswith(_HUB):
        return uri, ""
    name, _, commit = uri.removeprefix(_HUB).partition(":")
    return _HUB + name, commit


def _names_a_model(container: Layers) -> bool:
    """Whether the arguments name a model elsewhere than in the directory of the service's own."""
    if not container:
        return False
    words = [text_of(node) for node in (*pick(container, "command").each(), *pick(container, "args").each())]
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in _MODEL_WORDS:
            value = value if equals else words[position + 1] if position + 1 < len(words) else ""
            if value and not value.startswith((MODEL_DIRECTORY, "$", "{")):
                return True
    return False


def _worker_group(own: Node, runtime: Node | None) -> tuple[tuple[PodGroup, ...], tuple[Variable, ...]]:
    """The workers of a multi-node predictor: one pod for each pipeline stage, less the head's."""
    if not own.exists:
        return (), ()
    layers: Layers = (own,) if runtime is None else (runtime["workerSpec"], own)
    tensor, pipeline = pick(layers, "tensorParallelSize"), pick(layers, "pipelineParallelSize")
    stages = pipeline.integer() if pipeline else 2
    unknown = "" if stages is not None and 1 <= stages <= _MOST_PODS else "pipelineParallelSize is no whole number"
    env = (
        Variable("PIPELINE_PARALLEL_SIZE", None if unknown else str(stages), pipeline.location, unknown or None),
        Variable("TENSOR_PARALLEL_SIZE", text_of(tensor) or "1", tensor.location),
    )
    pods = None if unknown or stages is None else stages - 1
    if pods == 0:
        return (), env
    return (PodGroup(role="worker", pod=layers, pods=pods, unknown=unknown),), env


# -- what KServe says of scaling and of the path -----------------------------------------------------------


def _serving(one: Object, node: Node) -> Iterator[Observation]:
    mode = one.node["metadata"]["annotations"]["serving.kserve.io/deploymentMode"]
    name = text_of(mode).lower()
    hop = one.label
    timeout, limit = node["timeout"], node["containerConcurrency"]
    if name in ("serverless", "knative"):
        yield from knative.timeouts(timeout, node["-"], node["-"], hop)
        yield from knative.concurrency(limit)
        yield from _serverless(one, node)
        return
    if timeout:
        number = timeout.integer()
        value: Value | Unknown = Unknown("the timeout is no whole number", text=text_of(timeout))
        yield observed("serving.request_timeout", value if number is None else number, timeout.location, hop=hop)
    if limit:
        yield from knative.concurrency(limit)
    yield from _replicas(node)
    if name in ("rawdeployment", "standard"):
        yield from _raw_autoscaler(one, node)
        return
    reason = "it depends on the deployment mode, which the cluster's KServe configuration sets"
    observe_with = "kubectl -n kserve get configmap inferenceservice-config -o yaml"
    yield observed("orchestration.autoscaler.kind", Unknown(reason, observe_with), node.location)
    if node["scaleMetric"] or node["scaleTarget"]:
        yield _metric(node, "kserve", "concurrency")


def _replicas(node: Node) -> Iterator[Observation]:
    low, high = node["minReplicas"], node["maxReplicas"]
    if low:
        yield observed("orchestration.replicas.min", _whole(low), low.location)
    else:
        yield observed("orchestration.replicas.min", 1, _DOCS, origin="platform-default")
    if high:
        yield observed("orchestration.replicas.max", _whole(high), high.location)


def _serverless(one: Object, node: Node) -> Iterator[Observation]:
    holders = [node["annotations"], one.node["metadata"]["annotations"]]
    low = node["minReplicas"] if node["minReplicas"] else None
    high = node["maxReplicas"] if node["maxReplicas"] else None
    own_metric = bool(node["scaleMetric"] or node["scaleTarget"])
    for found in knative.scaling(holders, node["containerConcurrency"], low, high):
        if found.fact == "orchestration.autoscaler.metrics" and own_metric:
            yield _metric(node, "knative", "concurrency")
        elif found.fact == "orchestration.replicas.min" and found.origin == "platform-default":
            yield observed("orchestration.replicas.min", 1, _DOCS, origin="platform-default")
        else:
            yield found


def _raw_autoscaler(one: Object, node: Node) -> Iterator[Observation]:
    chosen = one.node["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"]
    name = text_of(chosen).lower()
    fact = "orchestration.autoscaler.kind"
    low, high = node["minReplicas"], node["maxReplicas"]
    if name in ("none", "external"):
        if name == "none":
            yield observed(fact, None, chosen.location)
        else:
            yield observed(fact, Unknown("an autoscaler outside KServe scales it"), chosen.location)
    else:
        if chosen:
            yield observed(fact, name, chosen.location)
        else:
            yield observed(fact, "hpa", _DOCS, origin="platform-default")
        yield _metric(node, "resource", "cpu")
    if not high:
        number = low.integer() if low else 1
        if number is not None:
            because = ("without maxReplicas the most is the fewest",)
            place = low.location if low else _DOCS
            yield observed("orchestration.replicas.max", max(number, 1), place, origin="derived", because=because)


def _metric(node: Node, source: str, default: str) -> Observation:
    metric, target = node["scaleMetric"], node["scaleTarget"]
    name = text_of(metric) or default
    resource = name in ("cpu", "memory")
    item: dict[str, Value] = {"source": source, "name": name, "target_type": "utilization" if resource else "average"}
    if target:
        item["target"] = text_of(target)
    elif resource:
        item["target"] = 80
    places = [one.location for one in (metric, target) if one]
    fact = "orchestration.autoscaler.metrics"
    if places:
        return observed(fact, [item], *places)
    return observed(fact, [item], _DOCS, origin="platform-default")


def _whole(node: Node) -> Value | Unknown:
    number = node.integer()
    return Unknown("the replica count is no whole number", text=text_of(node)) if number is None else number


def _metadata(one: Object) -> Lookup:
    """What a runtime's placeholders may name: the service's own metadata."""

    def lookup(path: Sequence[str]) -> Datum | NotKnown:
        if tuple(path) == ("Name",):
            return one.name
        if tuple(path) == ("Namespace",):
            return one.namespace if one.namespace_declared else NotKnown(".Namespace")
        if len(path) >= 2 and path[0] in ("Labels", "Annotations"):
            entries = one.labels if path[0] == "Labels" else one.annotations
            return entries.get(".".join(path[1:]), NotKnown("." + ".".join(path)))
        return NotKnown("." + ".".join(path))

    return lookup


# -- LLMInferenceService -----------------------------------------------------------------------------------

_MAIN = "main"
_CONFIG = "LLMInferenceServiceConfig"


def llm_inference_service(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """The service's workload; with ``prefill``, two: ``decode`` and ``prefill``."""
    spec = one.node["spec"]
    if not spec.is_mapping:
        return ()
    problems: list[str] = []
    bases = _bases(one, objects, spec, problems)
    prefill = any(layer["prefill"].is_mapping for layer in (*bases, spec))
    drafts = [_llm(one, objects, bases, "decode" if prefill else "", problems)]
    if prefill:
        drafts.append(_llm(one, objects, bases, "prefill", problems))
    return tuple(drafts)


def _bases(one: Object, objects: Objects, spec: Node, problems: list[str]) -> tuple[Node, ...]:
    found: list[Node] = []
    for reference in spec["baseRefs"].each():
        name = text_of(reference["name"])
        config = _config(one, objects, name)
        if config is not None:
            found.append(config)
        else:
            problems.append(f"{reference.location}: {_CONFIG} {name} is not in the sources given")
    return tuple(found)


def _config(one: Object, objects: Objects, name: str) -> Node | None:
    """A config in the service's namespace, else in KServe's own, wherever that is."""
    own = objects.near(one, GROUP, _CONFIG, name)
    if own is not None:
        return own.node["spec"]
    named = [other for other in objects.of(GROUP, _CONFIG) if other.name == name]
    return named[0].node["spec"] if len(named) == 1 else None


def _preset(one: Object, objects: Objects, name: str) -> Node | None:
    """The preset that KServe takes unasked. A release may put its version before the name."""
    exact = _config(one, objects, name)
    if exact is not None:
        return exact
    ending = [other for other in objects.of(GROUP, _CONFIG) if other.name.endswith(f"-{name}")]
    return ending[0].node["spec"] if len(ending) == 1 else None


def _llm(one: Object, objects: Objects, bases: tuple[Node, ...], role: str, shared: Sequence[str]) -> Draft:
    spec = one.node["spec"]
    specs = (*bases, spec)
    part = specs if role != "prefill" else tuple(layer["prefill"] for layer in specs)
    multi_node = any(layer["worker"].is_mapping for layer in part)
    infix = f"{role}-" if role else ""
    preset_name = f"kserve-config-llm-{infix}" + ("worker-data-parallel" if multi_node else "template")
    preset = _preset(one, objects, preset_name)
    if preset is not None:
        specs = (preset, *specs)
        part = (preset["prefill"] if role == "prefill" and preset["prefill"].is_mapping else preset, *part)
    noted: list[str] = []
    lookup = _spec_lookup(one, specs)

    def layers_of(field: str) -> Layers:
        found = [layer[field] for layer in part if layer[field].is_mapping]
        return tuple(filled(layer, lambda text: fill(text, lookup, noted)) for layer in found)

    pod = layers_of("template")
    if not any(layer["containers"].is_sequence for layer in pod):
        place = spec["template"] if spec["template"].exists else spec
        pod = (*pod, mapping(place, {"containers": sequence(spec, [mapping(spec, {"name": scalar(spec, _MAIN)})])}))
    names = containers_by_name(pod)
    main = _MAIN if _MAIN in names else next(iter(names), _MAIN)
    problems = list(shared)
    facts: list[Observation] = []
    additions: list[Addition] = []
    uri = _top(specs, "model", "uri")
    if main in names and not pick(names[main], "command") and preset is None:
        additions.append(_assumed_command(one, specs, main, names[main]))
        problems.append(f"{one.label}: the preset {preset_name} is not in the sources given; vllm serve is assumed")
        if not pick(names[main], "image"):
            unknown = Unknown(
                f"{_CONFIG} {preset_name} is not in the sources given",
                "kubectl -n kserve get llminferenceserviceconfig",
            )
            facts.extend(observed(fact, unknown, spec.location) for fact in _IMAGE_FACTS)
    if text_of(uri):
        facts.extend(_weights(uri))
    problems.extend(f"{one.label}: the preset's {text} is not known" for text in dict.fromkeys(noted))
    return Draft(
        object=one,
        pod=pod,
        role=role,
        pod_labels={
            **one.labels,
            "app.kubernetes.io/name": one.name,
            "app.kubernetes.io/component": "llminferenceservice-workload" + ("-prefill" if role == "prefill" else ""),
        },
        pod_annotations=one.annotations,
        replicas=pick(part, "replicas"),
        groups=_llm_workers(part, layers_of("worker")),
        additions=tuple(additions),
        container_observations={main: tuple(facts)},
        shm="" if preset is not None else f"KServe's preset {preset_name} may mount memory at /dev/shm",
        confidence="certain" if preset is not None or not additions else "likely",
        problems=tuple(problems),
    )


def _top(specs: Layers, *path: str) -> Node:
    return pick(specs, *path)


def _assumed_command(one: Object, specs: Layers, main: str, container: Layers) -> Addition:
    """The argument vector of KServe's own presets, as far as it bears on the engine.

    Source: config/llmisvcconfig of kserve/kserve: ``eval "vllm serve /mnt/models … ${VLLM_ADDITIONAL_ARGS} $@"``.
    """
    name = _top(specs, "model", "name")
    served = text_of(name) or one.name
    quoted = "'" + served.replace("'", "") + "'"
    place = name.location if text_of(name) else one.location
    script = f'eval "vllm serve {MODEL_DIRECTORY} --served-model-name {quoted} ${{VLLM_ADDITIONAL_ARGS}} $@"'
    words = [Token(word, place) for word in ("/bin/bash", "-c", script, "--")]
    words.extend(Token(text_of(node), node.location) for node in pick(container, "args").each())
    return Addition(container=main, command=tuple(words))


def _llm_workers(part: Layers, workers: Layers) -> tuple[PodGroup, ...]:
    """The workers of a multi-node service. One group has data/dataLocal pods, else one for each pipeline stage."""
    if not workers:
        return ()
    data, local = pick(part, "parallelism", "data"), pick(part, "parallelism", "dataLocal")
    pipeline = pick(part, "parallelism", "pipeline")
    size: int | None = None
    if pipeline.integer():
        size = pipeline.integer()
    elif (total := data.integer()) and (each := local.integer() or 1) > 0:
        size = -(-total // each)
    if size is None or not 1 <= size <= _MOST_PODS:
        reason = "parallelism does not say how many pods a group has"
        return (PodGroup(role="worker", pod=workers, pods=None, unknown=reason),)
    return (PodGroup(role="worker", pod=workers, pods=size - 1),) if size > 1 else ()


def _spec_lookup(one: Object, specs: Layers) -> Lookup:
    """What a preset's placeholders may name: the merged spec and the service's metadata, by Go's field names."""

    def lookup(path: Sequence[str]) -> Datum | NotKnown:
        head = path[0]
        if head == "ObjectMeta" and len(path) == 2:
            if path[1] == "Name":
                return one.name
            if path[1] == "Namespace":
                return one.namespace if one.namespace_declared else NotKnown(".ObjectMeta.Namespace")
        if head != "Spec":
            return NotKnown("." + ".".join(path))
        for spec in reversed(specs):
            node = _go_path(spec, path[1:])
            if node is not None and node.value is not None:
                value = node.value
                if isinstance(value, (dict, list)):
                    return bool(value)
                return value if isinstance(value, (str, int, bool)) else text_of(node)
        return one.name if tuple(path[1:]) == ("Model", "Name") else None

    return lookup


def _go_path(node: Node, path: Sequence[str]) -> Node | None:
    for part in path:
        found = next((child for key, child in node.items() if key.lower() == part.lower()), None)
        if found is None:
            return None
        node = found
    return node


# -- objects that only others refer to ---------------------------------------------------------------------


def runtime(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A runtime among services is only read with the one that means it; alone, it is what all of them would run."""
    spec = one.node["spec"]
    if objects.of(GROUP, "InferenceService") or not spec["containers"].is_sequence:
        return ()
    return (_alone(one, spec, ""),)


def config(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A preset, likewise."""
    if objects.of(GROUP, "LLMInferenceService"):
        return ()
    spec = one.node["spec"]
    parts = ((spec["template"], ""), (spec["prefill"]["template"], "prefill"))
    return tuple(_alone(one, pod, role) for pod, role in parts if pod["containers"].is_sequence)


def _alone(one: Object, pod: Node, role: str) -> Draft:
    return Draft(
        object=one,
        pod=(pod,),
        role=role,
        pod_labels=pod["labels"].string_map(),
        pod_annotations=pod["annotations"].string_map(),
        replicas_default=None,
        confidence="likely",
    )


READERS: Mapping[tuple[str, str], Reader] = {
    (GROUP, "InferenceService"): inference_service,
    (GROUP, "LLMInferenceService"): llm_inference_service,
    (GROUP, "ServingRuntime"): runtime,
    (GROUP, "ClusterServingRuntime"): runtime,
    (GROUP, _CONFIG): config,
}
