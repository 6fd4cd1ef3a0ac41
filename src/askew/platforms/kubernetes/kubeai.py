"""KubeAI's ``Model``: an engine by name, a model by URL.

The pod is built by KubeAI (internal/modelcontroller/engine_vllm.go of kubeai-project/kubeai); the image and what one
unit of a resource profile holds are in its own configuration, which no manifest shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.kubernetes.assemble import mapping, scalar, sequence
from askew.platforms.kubernetes.draft import Addition, Draft, Reader
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.resolve.observation import Observation, Unknown

GROUP = "kubeai.org"
_DOCS = Location("https://www.kubeai.org/reference/kubernetes-api/")
_ENGINES = {"VLLM": "vllm", "OLlama": "ollama", "FasterWhisper": "faster-whisper", "Infinity": "infinity"}
_CONTAINER = "server"


def model(one: Object, objects: Objects) -> tuple[Draft, ...]:
    """A Model: one container, started by KubeAI for its engine."""
    spec = one.node["spec"]
    if not spec.is_mapping:
        return ()
    url, engine = spec["url"], spec["engine"]
    environment = sequence(
        spec["env"],
        [mapping(value, {"name": scalar(value, name), "value": value}) for name, value in spec["env"].items()],
    )
    container = mapping(
        spec,
        {
            "name": scalar(spec, _CONTAINER),
            "image": spec["image"],
            "args": spec["args"],
            "env": environment,
            "envFrom": spec["envFrom"],
        },
    )
    pod = mapping(spec, {"containers": sequence(spec, [container]), "priorityClassName": spec["priorityClassName"]})
    return (
        Draft(
            object=one,
            pod=(pod,),
            pod_labels=one.labels,
            pod_annotations=one.annotations,
            replicas_default=None,
            observations=tuple(_scaling(spec)),
            container_observations={_CONTAINER: tuple(_container_facts(spec))},
            additions=(_program(one, text_of(engine), url, spec),),
            engine=_ENGINES.get(text_of(engine), text_of(engine).lower()),
            shm="KubeAI may mount memory at /dev/shm of its engines",
            confidence="likely",
            problems=_problems(spec, text_of(engine)),
        ),
    )


def _program(one: Object, engine: str, url: Node, spec: Node) -> Addition:
    """The argument vector that KubeAI gives the engine, its own arguments first."""
    args = tuple(Token(text_of(node), node.location) for node in spec["args"].each())
    if engine != "VLLM" or not text_of(url):
        return Addition(container=_CONTAINER)
    place = spec["engine"].location
    scheme, _, reference = text_of(url).partition("://")
    reference = reference.partition("?")[0]
    model = Token(f"--model={reference}", url.location)
    if spec["cacheProfile"] or scheme == "pvc":
        model = Token("--model=/model", url.location)
    elif scheme not in ("hf", "pvc"):
        model = Token(f"--model={text_of(url)}", url.location)
    words = [Token(word, place) for word in ("python3", "-m", "vllm.entrypoints.openai.api_server")]
    words.extend((model, Token(f"--served-model-name={one.name}", one.node["metadata"]["name"].location), *args))
    return Addition(container=_CONTAINER, command=tuple(words))


def _container_facts(spec: Node) -> Iterator[Observation]:
    url = spec["url"]
    if url:
        # The engine only sees the local name that KubeAI gives it.
        yield _first(observed("model.source", text_of(url), url.location, origin="declared"))
    if not spec["image"]:
        reason = "KubeAI's configuration chooses the image; no source shows it"
        for fact in ("runtime.image", "runtime.image.tag", "runtime.image.digest"):
            yield observed(fact, Unknown(reason, "kubectl get pod -l model -o yaml"), spec["engine"].location)
    yield from _devices(spec["resourceProfile"])


def _first(observation: Observation) -> Observation:
    return msgspec.structs.replace(observation, rank=0)


def _devices(profile: Node) -> Iterator[Observation]:
    name, _, units = text_of(profile).partition(":")
    fact = "hardware.gpu.count"
    if not name:
        yield observed(fact, Unknown("no resourceProfile is written; KubeAI decides"), profile.location)
    elif name == "cpu":
        yield observed(fact, 0, profile.location, because=("the profile is a CPU one",))
    elif units.isascii() and units.isdigit() and 0 < len(units) < 6:
        because = ("each unit of KubeAI's own accelerator profiles is one device",)
        yield observed(fact, int(units), profile.location, confidence="likely", because=because)
    else:
        reason = f"resourceProfile {text_of(profile)} has no count; expected name:count"
        yield observed(fact, Unknown(reason, text=text_of(profile)), profile.location)


def _scaling(spec: Node) -> Iterator[Observation]:
    replicas = spec["replicas"]
    disabled = spec["autoscalingDisabled"].boolean() is True
    kind = "orchestration.autoscaler.kind"
    if disabled:
        yield observed(kind, None, spec["autoscalingDisabled"].location)
        if replicas:
            yield observed("orchestration.replicas.min", _whole(replicas), replicas.location)
            yield observed("orchestration.replicas.max", _whole(replicas), replicas.location, origin="derived")
        return
    yield observed(kind, "kubeai", _DOCS, origin="platform-default")
    low, high, target = spec["minReplicas"], spec["maxReplicas"], spec["targetRequests"]
    if low:
        yield observed("orchestration.replicas.min", _whole(low), low.location)
    else:
        yield observed("orchestration.replicas.min", 0, _DOCS, origin="platform-default")
    if high:
        yield observed("orchestration.replicas.max", _whole(high), high.location)
    else:
        yield observed("orchestration.replicas.max", None, _DOCS, origin="platform-default")
    item: dict[str, Value] = {"source": "kubeai", "name": "active_requests", "target_type": "average"}
    fact = "orchestration.autoscaler.metrics"
    if target:
        yield observed(fact, [{**item, "target": text_of(target)}], target.location)
    else:
        yield observed(fact, [{**item, "target": 100}], _DOCS, origin="platform-default")


def _whole(node: Node) -> Value | Unknown:
    number = node.integer()
    return Unknown("the replica count is no whole number", text=text_of(node)) if number is None else number


def _problems(spec: Node, engine: str) -> tuple[str, ...]:
    if engine and engine not in _ENGINES:
        return (f"{spec['engine'].location}: KubeAI has no engine {engine}; it has {', '.join(_ENGINES)}",)
    return ()


READERS: Mapping[tuple[str, str], Reader] = {(GROUP, "Model"): model}
