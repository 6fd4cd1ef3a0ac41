"""KubeRay: RayService, RayCluster and RayJob.

A RayService holds a Ray Serve configuration as YAML in a string. Where the application is Ray's own for language
models, its ``engine_kwargs`` are vLLM's arguments under their Python names, and they are read as the launch that they
amount to; what any other application does is in Python code that no manifest shows.

Sources: https://docs.ray.io/en/latest/serve/production-guide/config.html, …/serve/llm/ and
ray-operator/apis/ray/v1 of ray-project/kuberay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from askew.evidence import yaml
from askew.evidence.document import Node
from askew.evidence.errors import DocumentError
from askew.evidence.keywords import words as keyword_words
from askew.evidence.launch import Content, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted, is_secret_name
from askew.facts.types import Value
from askew.platforms.kubernetes.accelerators import devices
from askew.platforms.kubernetes.draft import Addition, Draft, Layers, PodGroup, Reader, pick
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.pods import containers_by_name
from askew.platforms.kubernetes.workloads import owned
from askew.resolve.observation import Observation, Unknown

GROUP = "ray.io"
_SERVE = Location("https://docs.ray.io/en/latest/serve/api/doc/ray.serve.config.AutoscalingConfig.html")
# ray-operator/controllers/ray/common/pod.go: SharedMemoryVolumeName, added to the containers that run Ray.
_SHM = "KubeRay may mount memory at /dev/shm of Ray's containers"
_LLM_IMPORT = "ray.serve.llm"
_ENGINE = "ray-serve"
_FILE = "/serveConfigV2"  # where that engine looks for the configuration of a RayService
_MOST_PODS = 10_000
_MOST_MODELS = 200


# -- the cluster -------------------------------------------------------------------------------------------


class _Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """The pods of a Ray cluster: those that hold the accelerators, and the rest.

    ``pods`` is how many of the former there are, None with the reason where that changes as it runs.
    """

    template: Node
    pods: int | None
    unknown: str
    groups: tuple[PodGroup, ...]

    @property
    def pod(self) -> Layers:
        return (self.template["spec"],)


def _cluster(spec: Node) -> _Cluster | None:
    """None when the cluster has not even a head."""
    autoscaled = spec["enableInTreeAutoscaling"].boolean() is True
    head = spec["headGroupSpec"]["template"]
    parts: list[tuple[str, Node, int | None, str, Location | None]] = []
    if head["spec"].is_mapping:
        parts.append(("head", head, 1, "", None))
    for group in spec["workerGroupSpecs"].each():
        template = group["template"]
        if template["spec"].is_mapping:
            number, unknown = _pods(group, autoscaled)
            count = group["replicas"] if group["replicas"] else group["minReplicas"]
            place = count.location if count else None
            parts.append((text_of(group["groupName"]) or "worker", template, number, unknown, place))
    if not parts:
        return None
    chosen = next((n for n, part in enumerate(parts) if part[0] != "head" and _accelerated(part[1])), None)
    if chosen is None:
        chosen = next((n for n, part in enumerate(parts) if _accelerated(part[1])), 0)
    groups = tuple(
        PodGroup(
            role=role,
            pod=(template["spec"],),
            pods=number,
            unknown=unknown,
            place=place,
            pod_labels=template["metadata"]["labels"].string_map(),
            pod_annotations=template["metadata"]["annotations"].string_map(),
        )
        for n, (role, template, number, unknown, place) in enumerate(parts)
        if n != chosen and number != 0
    )
    return _Cluster(template=parts[chosen][1], pods=parts[chosen][2], unknown=parts[chosen][3], groups=groups)


def _pods(group: Node, autoscaled: bool) -> tuple[int | None, str]:
    name = text_of(group["groupName"]) or "worker"
    hosts = group["numOfHosts"].integer() or 1
    least, most = group["minReplicas"].integer(), group["maxReplicas"].integer()
    number = group["replicas"].integer() if group["replicas"] else least
    if autoscaled and least != most:
        return None, f"Ray's autoscaler changes the number of {name} pods as it runs"
    if number is None or not 0 <= number * hosts <= _MOST_PODS:
        return None, f"how many {name} pods the Ray cluster has is not written"
    return number * hosts, ""


def _accelerated(template: Node) -> bool:
    pods = (template["spec"],)
    return any(devices(layers, pods).number != 0 for layers in containers_by_name(pods).values())


def _draft(one: Object, cluster: _Cluster, started: Addition | None = None) -> Draft:
    """The cluster's pods as one workload, started as KubeRay starts them unless ``started`` says otherwise."""
    metadata = cluster.template["metadata"]
    found: tuple[Observation, ...] = ()
    of_container: dict[str, tuple[Observation, ...]] = {}
    if cluster.pods is None:
        unknown, place = Unknown(cluster.unknown), cluster.template.location
        found = (observed("orchestration.hosts", unknown, place),)
        if _accelerated(cluster.template):
            of_container[""] = (observed("hardware.gpu.count", unknown, place),)
    return Draft(
        object=one,
        pod=cluster.pod,
        pod_labels=metadata["labels"].string_map(),
        pod_annotations=metadata["annotations"].string_map(),
        replicas_default=None,
        pods_per_replica=cluster.pods or 1,
        groups=cluster.groups,
        additions=(started,) if started is not None else _ray_start(cluster.pod),
        observations=found,
        container_observations=of_container,
        shm=_SHM,
        confidence="likely",
    )


def _ray_start(pod: Layers) -> tuple[Addition, ...]:
    """KubeRay puts ``ray start`` in the place of the image's own entrypoint, in the pod's first container."""
    for name, layers in containers_by_name(pod).items():
        if pick(layers, "command") or pick(layers, "args"):
            return ()
        words = tuple(Token(word, layers[-1].location) for word in ("ray", "start", "--block"))
        return (Addition(container=name, command=words),)
    return ()


def ray_cluster(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A Ray cluster of its own: what is submitted to it is not known."""
    cluster = _cluster(one.node["spec"])
    if cluster is None or owned(one, objects):
        return ()
    return (_draft(one, cluster),)


def ray_job(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A Ray job with a cluster of its own: the entrypoint is a shell command that runs on it."""
    spec = one.node["spec"]
    cluster = _cluster(spec["rayClusterSpec"])
    if cluster is None or owned(one, objects):
        return ()
    entrypoint = spec["entrypoint"]
    if not text_of(entrypoint):
        return (_draft(one, cluster),)
    words = [Token(word, entrypoint.location) for word in ("sh", "-c")]
    words.append(Token(text_of(entrypoint), entrypoint.location))
    env, _ = _variables_of(spec["runtimeEnvYAML"])
    return (_draft(one, cluster, Addition(command=tuple(words), env=env)),)


# -- Ray Serve ---------------------------------------------------------------------------------------------


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    """One language model that an application of Ray Serve LLM serves."""

    role: str
    node: Node


def ray_service(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """One workload for each model of Ray Serve LLM; else one for the whole service."""
    spec = one.node["spec"]
    cluster = _cluster(spec["rayClusterConfig"])
    if cluster is None:
        return ()
    problems: list[str] = []
    config = _nested(spec["serveConfigV2"], problems)
    if config is None:
        return (_with_file(msgspec.structs.replace(_draft(one, cluster), problems=tuple(problems)), spec),)
    applications = [application for application in config["applications"].each() if application.is_mapping]
    hop = tuple(_timeout(config["http_options"]["request_timeout_s"], one))
    models = [model for application in applications for model in _models(application, problems)][:_MOST_MODELS]
    if models:
        single = len(models) == 1
        drafts = [
            _llm(one, cluster, msgspec.structs.replace(model, role="") if single else model, hop) for model in models
        ]
        return tuple(msgspec.structs.replace(draft, problems=tuple(problems)) for draft in _apart(drafts))
    return (_with_file(_application(one, cluster, applications, hop, problems), spec),)


def _with_file(draft: Draft, spec: Node) -> Draft:
    """A draft whose engine finds the configuration of Ray Serve as a file."""
    node = spec["serveConfigV2"]
    text = node.text()
    if not text:
        return draft
    name = next(iter(containers_by_name(draft.pod)), "")
    file = Addition(container=name, files={_FILE: Content(text, node.location)})
    return msgspec.structs.replace(draft, engine=_ENGINE, additions=(*draft.additions, file))


def _apart(drafts: list[Draft]) -> list[Draft]:
    """The drafts with a role of its own each."""
    seen: dict[str, int] = {}
    found: list[Draft] = []
    for draft in drafts:
        seen[draft.role] = number = seen.get(draft.role, 0) + 1
        found.append(draft if number == 1 else msgspec.structs.replace(draft, role=f"{draft.role}-{number}"))
    return found


def _nested(node: Node, problems: list[str]) -> Node | None:
    """A document in a string; None where there is none, and a problem where it is broken."""
    if node.is_mapping:
        return node
    if not text_of(node):
        return None
    try:
        root = yaml.nested(node).root
    except DocumentError as error:
        problems.append(str(error))
        return None
    if not root.is_mapping:
        problems.append(f"{node.location}: the text is no mapping; expected a Ray Serve configuration")
        return None
    return root


def _models(application: Node, problems: list[str]) -> Iterator[_Model]:
    args = application["args"]
    # A model may name another engine, whose arguments are not vLLM's.
    if any(text_of(node["llm_engine"]).lower() not in ("", "vllm") for node in args["llm_configs"].each()):
        return
    if not args.is_mapping or not text_of(application["import_path"]).startswith((_LLM_IMPORT, "ray.llm")):
        return
    for field, role in (("llm_config", ""), ("prefill_config", "prefill"), ("decode_config", "decode")):
        node = args[field]
        if node.is_mapping:
            yield _Model(role=role or _model_id(node), node=node)
    for node in args["llm_configs"].each():
        if node.is_mapping:
            yield _Model(role=_model_id(node), node=node)
        elif text_of(node):
            problems.append(f"{node.location}: the model's configuration is in the file {text_of(node)} of the image")


def _model_id(config: Node) -> str:
    return text_of(config["model_loading_config"]["model_id"]) or "model"


def _llm(one: Object, cluster: _Cluster, model: _Model, hop: tuple[Observation, ...]) -> Draft:
    config = model.node
    kwargs, loading = config["engine_kwargs"], config["model_loading_config"]
    source, model_id = loading["model_source"], loading["model_id"]
    bucket = source["bucket_uri"]
    name = source if text_of(source) else model_id
    place = kwargs.key_location if kwargs.exists else config.location
    words = [Token(word, place) for word in ("python", "-m", "ray.serve.llm")]
    if text_of(name):
        words.extend((Token("--model", name.location), Token(text_of(name), name.location)))
    if text_of(model_id) and not kwargs["served_model_name"]:
        words.extend((Token("--served-model-name", model_id.key_location), Token(text_of(model_id), model_id.location)))
    words.extend(keyword_words(kwargs, leave=("model",)))
    env, runtime_problems = _variables(config["runtime_env"]["env_vars"])
    draft = _draft(one, cluster, Addition(command=tuple(words), env=env))
    facts = [_ranks(kwargs, config)]
    if text_of(bucket):
        fact = observed("model.source", text_of(bucket), bucket.location, origin="declared")
        facts.append(msgspec.structs.replace(fact, rank=0))
    return msgspec.structs.replace(
        draft,
        role=model.role,
        observations=(*draft.observations, *hop, *_deployment(config["deployment_config"]), *_accelerator(config)),
        container_observations={"": tuple(facts)},
        engine=_ENGINE,
        problems=(*draft.problems, *runtime_problems),
    )


def _ranks(kwargs: Node, config: Node) -> Observation:
    """The accelerators of one replica: Ray places one for each rank of the engine."""
    fact = "hardware.gpu.count"
    if config["placement_group_config"].exists or config["resources_per_bundle"].exists:
        node = config["placement_group_config"]
        place = (node if node.exists else config["resources_per_bundle"]).location
        return observed(fact, Unknown("the replica's placement group decides"), place)
    total, places = 1, []
    for name in ("tensor_parallel_size", "pipeline_parallel_size"):
        node = kwargs[name]
        if not node:
            continue
        number = node.integer()
        if number is None or not 0 < number <= _MOST_PODS:
            return observed(fact, Unknown(f"{name} is no whole number", text=text_of(node)), node.location)
        total *= number
        places.append(node.location)
    because = ("Ray Serve LLM places one accelerator for each rank",)
    return observed(fact, total, *(places or [config.location]), origin="derived", because=because)


def _accelerator(config: Node) -> Iterator[Observation]:
    node = config["accelerator_type"]
    if not text_of(node):
        return
    from askew.knowledge.gpus import parse_gpu_label

    try:
        ids = parse_gpu_label(text_of(node)).ids
    except ValueError as error:
        yield observed("hardware.gpu.model", Unknown(str(error), text=text_of(node)), node.location)
        return
    yield observed("hardware.gpu.model", [*sorted(ids)], node.location)


def _deployment(config: Node) -> Iterator[Observation]:
    """Replicas and limits of one deployment of Ray Serve."""
    number, scaling = config["num_replicas"], config["autoscaling_config"]
    kind, low, high = "orchestration.autoscaler.kind", "orchestration.replicas.min", "orchestration.replicas.max"
    if scaling.is_mapping or text_of(number) == "auto":
        place = (scaling if scaling.is_mapping else number).location
        yield observed(kind, "ray", place)
        for fact, field, default in ((low, "min_replicas", 1), (high, "max_replicas", 1)):
            node = scaling[field]
            if node:
                yield observed(fact, _whole(node), node.location)
            elif scaling.is_mapping:
                yield observed(fact, default, _SERVE, origin="platform-default", confidence="likely")
        target = next(
            (
                scaling[name]
                for name in ("target_ongoing_requests", "target_num_ongoing_requests_per_replica")
                if scaling[name]
            ),
            None,
        )
        if target is not None:
            item: dict[str, Value] = {"source": "ray", "name": "ongoing_requests", "target_type": "average"}
            yield observed("orchestration.autoscaler.metrics", [{**item, "target": text_of(target)}], target.location)
    elif number:
        yield observed(kind, None, number.location)
        yield observed(low, _whole(number), number.location)
        because = ("no autoscaler: the replica count is fixed",)
        yield observed(high, _whole(number), number.location, origin="derived", because=because)
    else:
        reason = "Ray Serve's own default, which depends on its version"
        yield observed(low, Unknown(reason), config.location)
        yield observed(high, Unknown(reason), config.location)
    limit = config["max_ongoing_requests"]
    if limit:
        yield observed("serving.max_concurrency", _whole(limit), limit.location)


def _whole(node: Node) -> Value | Unknown:
    number = node.integer()
    return Unknown(f"{node.key} is no whole number", text=text_of(node)) if number is None else number


def _timeout(node: Node, one: Object) -> Iterator[Observation]:
    if not node:
        return
    value = node.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield observed("serving.request_timeout", value, node.location, hop=one.label)
    else:
        reason = "request_timeout_s is no number"
        yield observed("serving.request_timeout", Unknown(reason, text=text_of(node)), node.location, hop=one.label)


def _application(
    one: Object, cluster: _Cluster, applications: list[Node], hop: tuple[Observation, ...], problems: list[str]
) -> Draft:
    """Any other application: its code decides what the variables and the pods are for."""
    draft = _draft(one, cluster)
    env: list[Variable] = []
    deployments: list[Node] = []
    for application in applications:
        found, more = _variables(application["runtime_env"]["env_vars"])
        env.extend(found)
        problems.extend(more)
        deployments.extend(deployment for deployment in application["deployments"].each() if deployment.is_mapping)
        path = application["import_path"]
        if text_of(path):
            problems.append(
                f"{path.location}: what the application {text_of(path)} serves is in its Python code, "
                "which is not among the sources"
            )
    scaled: list[Observation] = []
    if len(deployments) == 1:
        scaled = list(_deployment(deployments[0]))
    additions = draft.additions
    if env:
        first = next(iter(containers_by_name(draft.pod)), "")
        base = additions[0] if additions else Addition(container=first)
        additions = (msgspec.structs.replace(base, env=tuple(env)),)
    # What the code takes from them nobody sees: a changed one must not pass as the same all the same.
    said = tuple(
        observed(
            "runtime.env",
            Unknown(one.unknown or "") if one.value is None else one.value,
            one.location,
            key=one.name,
            origin="env",
        )
        for one in env
    )
    return msgspec.structs.replace(
        draft,
        additions=additions,
        container_observations={**draft.container_observations, "": (*draft.container_observations.get("", ()), *said)},
        observations=(*draft.observations, *hop, *scaled),
        problems=tuple(problems),
        confidence="possible",
    )


def _variables(node: Node) -> tuple[tuple[Variable, ...], list[str]]:
    """``env_vars`` of a runtime environment. Ray takes text only."""
    found: list[Variable] = []
    problems: list[str] = []
    for name, value in node.items():
        text = value.text()
        if text is None:
            problems.append(f"{value.location}: the value of variable {name} is not text")
            continue
        if is_secret_name(name) and not is_redacted(text):
            # In a document inside a text, a name and its value may stand where redaction does not look for them.
            found.append(Variable(name, None, value.location, "its name says that it holds a secret"))
            continue
        found.append(Variable(name, text, value.location))
    return tuple(found), problems


def _variables_of(text: Node) -> tuple[tuple[Variable, ...], list[str]]:
    problems: list[str] = []
    root = _nested(text, problems)
    if root is None:
        return (), problems
    found, more = _variables(root["env_vars"])
    return found, [*problems, *more]


READERS: Mapping[tuple[str, str], Reader] = {
    (GROUP, "RayService"): ray_service,
    (GROUP, "RayCluster"): ray_cluster,
    (GROUP, "RayJob"): ray_job,
}
