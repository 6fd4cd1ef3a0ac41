"""Pod specs to containers: what each one starts, with which environment and files, and the facts it carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.kubernetes.accelerators import Devices, device_observations, devices
from askew.platforms.kubernetes.citations import CORE_DEFAULTS
from askew.platforms.kubernetes.config import Surroundings, environment, files, volumes_by_name
from askew.platforms.kubernetes.draft import Addition, Layers, pick
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, text_of
from askew.platforms.kubernetes.probes import istio_originals, probes
from askew.platforms.kubernetes.scheduling import prestop
from askew.platforms.kubernetes.volumes import shared_memory, volume_observations
from askew.platforms.shell import kubernetes_expand, processes
from askew.resolve.images import image_observations, read_image
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Container

# Containers that injectors, meshes and platforms put beside the user's own; only the name tells them.
INJECTED = frozenset(
    {
        "istio-proxy",
        "linkerd-proxy",
        "vault-agent",
        "queue-proxy",
        "datadog-agent-injected",
        "otc-container",
        "daprd",
        "kuma-sidecar",
        "consul-dataplane",
        "envoy-sidecar",
        "gke-gcsfuse-sidecar",
        "gke-metadata-server",
        "azwi-proxy",
        "osm-envoy",
        "aws-appmesh-envoy",
    }
)

_RESOURCES = (
    ("orchestration.resources.cpu", "cpu"),
    ("orchestration.resources.memory.bytes", "memory"),
    ("orchestration.resources.ephemeral_storage.bytes", "ephemeral-storage"),
)
_PROCESSES_LIMIT = 64


class PodContainer(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a pod, and what it asks for in devices."""

    name: str
    launch: Launch
    processes: tuple[Launch, ...]
    devices: Devices
    observations: tuple[Observation, ...]
    problems: tuple[str, ...]

    def with_devices(self, total: int | None, unknown: str, places: tuple[Location, ...]) -> Container:
        """The finished container, given the count of devices over all pods of one replica."""
        return Container(
            name=self.name,
            launch=self.launch,
            processes=self.processes,
            observations=(*self.observations, *device_observations(self.devices, total, unknown, places)),
            gpus=self.devices.number or 0,
            problems=self.problems,
        )


def containers_by_name(pods: Layers) -> dict[str, Layers]:
    """The containers of a pod that are not injected, each with its layers, in order. Unnamed ones get a number."""
    found: dict[str, tuple[Node, ...]] = {}
    for depth, layer in enumerate(pods):
        for position, node in enumerate(layer["containers"].each()):
            if not node.is_mapping:
                continue
            name = text_of(node["name"])
            if not name and depth and len(found) == 1:
                name = next(iter(found))  # a patch without a name can only mean the one container
            name = name or f"container-{position}"
            if name not in INJECTED:
                found[name] = (*found.get(name, ()), node)
    return found


def read_pod(
    pods: Layers,
    around: Surroundings,
    additions: Sequence[Addition] = (),
    volume_claim_templates: Mapping[str, Node] | None = None,
) -> tuple[PodContainer, ...]:
    """Every container of a pod that can be an engine: no init containers, no injected sidecars.

    A native sidecar (an init container with ``restartPolicy: Always``) supports the engine and is never one.
    """
    if not any(isinstance(layer.value, dict) for layer in pods):
        return ()
    volumes = volumes_by_name(pods)
    originals = istio_originals(pods)
    found = containers_by_name(pods)
    first = next(iter(found), "")
    return tuple(
        _container(
            name,
            layers,
            pods,
            around,
            volumes,
            volume_claim_templates or {},
            originals,
            [addition for addition in additions if (addition.container or first) == name],
        )
        for name, layers in found.items()
    )


def _container(
    name: str,
    layers: Layers,
    pods: Layers,
    around: Surroundings,
    volumes: Mapping[str, Node],
    templates: Mapping[str, Node],
    originals: Mapping[str, Mapping[str, Value]],
    additions: Sequence[Addition],
) -> PodContainer:
    problems: list[str] = []
    found: list[Observation] = []
    launch = _launch(name, layers, around, volumes, additions, problems, found)
    if launch.image is not None:
        found.extend(image_observations(launch.image))
        found.append(_pull_policy(layers, launch.image))
    found.extend(_resources(layers))
    found.extend(_declared_ports(pods))
    found.extend(probes(layers, _named_ports(layers), originals))
    found.append(shared_memory(layers, pods, volumes))
    found.extend(volume_observations(layers, volumes, templates))
    found.append(prestop(layers))
    for addition in additions:
        found.extend(addition.observations)
    own = devices(layers, pods)
    around.malformed.extend(own.problems)
    if own.number is None and pick(layers, "resources", "claims"):
        from askew.platforms.kubernetes import resourceclaims

        own = resourceclaims.claimed(own, layers, pods, around.origin, around.objects)
        found.extend(resourceclaims.models(layers, pods, around.origin, around.objects))
    return PodContainer(
        name=name,
        launch=launch,
        processes=_processes(launch, around.nodes),
        devices=own,
        observations=tuple(found),
        problems=tuple(problems),
    )


def _launch(
    name: str,
    layers: Layers,
    around: Surroundings,
    volumes: Mapping[str, Node],
    additions: Sequence[Addition],
    problems: list[str],
    found: list[Observation],
) -> Launch:
    command = _words(pick(layers, "command"), "command", around)
    args = _words(pick(layers, "args"), "args", around)
    for addition in additions:
        args.extend(addition.args)
        if addition.command is not None:
            command, args = list(addition.command), []
    env, unseen = environment(
        layers,
        around,
        before=[v for addition in additions if addition.env_first for v in addition.env],
        after=[v for addition in additions if not addition.env_first for v in addition.env],
        texts=[token.text for token in (*command, *args)],
    )
    for one in unseen:
        reason = f"variables come from {one.what}, {one.why}"
        problems.append(f"{one.location}: {reason}")
        found.append(observed("runtime.env", Unknown(reason), one.location))
    image_node = pick(layers, "image")
    image = next((addition.image for addition in reversed(additions) if addition.image is not None), None)
    if image is None and isinstance(image_node.value, str) and image_node.value:
        image = Token(image_node.value, image_node.location)
    mounted = {
        **files(layers, volumes, around),
        **{path: one for more in additions for path, one in more.files.items()},
    }
    return Launch(
        argv=tuple(kubernetes_expand(token, env) for token in (*command, *args)),
        location=layers[-1].location,
        image=image,
        implicit_entrypoint=not command,
        env=env,
        files=mounted,
        container=name,
        working_dir=text_of(pick(layers, "workingDir")),
    )


def _words(node: Node, field: str, around: Surroundings) -> list[Token]:
    if node and not node.is_sequence:
        around.refuse(node, f"{field} is not a list")
        return []
    tokens: list[Token] = []
    for item in node.each():
        value = item.value
        if isinstance(value, (dict, list)):
            around.refuse(item, f"an item of {field} is not text")
            continue
        if not isinstance(value, str):
            around.refuse(
                item,
                f"an item of {field} is not text but {'null' if value is None else 'a number or boolean'}; quote it",
            )
        token = Token(text_of(item), item.location)
        around.nodes[token.location] = item
        tokens.append(token)
    return tokens


def _processes(launch: Launch, nodes: Mapping[Location, Node]) -> tuple[Launch, ...]:
    def locate(token: Token, fragment: str, after: Location | None = None) -> Location:
        node = nodes.get(token.location)
        return node.locate(fragment, after) if node is not None else token.location

    return tuple(processes(launch, locate))[:_PROCESSES_LIMIT]


def _named_ports(layers: Layers) -> dict[str, int]:
    found: dict[str, int] = {}
    for layer in layers:
        for port in layer["ports"].each():
            number = port["containerPort"].integer()
            name = text_of(port["name"])
            if number is not None and name:
                found[name] = number
    return found


def _declared_ports(pods: Layers) -> list[Observation]:
    """Every port that the pod's containers declare: a Service may aim at a sidecar that passes requests on."""
    declared: list[Value] = []
    places: list[Location] = []
    for layer in pods:
        for field in ("containers", "initContainers"):
            for container in layer[field].each():
                for port in container["ports"].each():
                    number = port["containerPort"].integer()
                    if number is not None:
                        name, inside = text_of(port["name"]), text_of(container["name"])
                        declared.append({"container": inside, "name": name or None, "port": number})
                        places.append(port["containerPort"].location)
    return [observed("serving.container.ports", declared, *places)] if declared else []


def _pull_policy(layers: Layers, image: Token) -> Observation:
    """The pull policy, or what the API server fills in for this tag (SetDefaults_Container)."""
    fact = "orchestration.image_pull_policy"
    node = pick(layers, "imagePullPolicy")
    if node:
        return observed(fact, text_of(node), node.location)
    reference = read_image(image)
    if reference is None:
        reason = image.unknown or "it depends on the image tag, which is not known"
        return observed(fact, Unknown(reason), image.location, origin="platform-default")
    # The server's parser takes a reference without a tag as latest, and one with a digest alone as none.
    always = reference.tag == "latest" or (reference.tag is None and reference.digest is None)
    because = ("Always for the tag latest or none, else IfNotPresent",)
    value = "Always" if always else "IfNotPresent"
    return observed(fact, value, CORE_DEFAULTS, origin="platform-default", because=because)


def _resources(layers: Layers) -> list[Observation]:
    """Requests and limits; a request that is not written equals the limit, as the API server sets it on the pod."""
    found: list[Observation] = []
    for fact, name in _RESOURCES:
        request, limit = pick(layers, "resources", "requests", name), pick(layers, "resources", "limits", name)
        entries: dict[str, Entry] = {}
        if request:
            entries["request"] = Entry(text_of(request), request.location)
        elif limit:
            entries["request"] = Entry(text_of(limit), limit.location)
        if limit:
            entries["limit"] = Entry(text_of(limit), limit.location)
        if entries:
            found.extend(observed_map(fact, entries))
        else:
            found.append(observed(fact, None, CORE_DEFAULTS, origin="platform-default"))
    return found
