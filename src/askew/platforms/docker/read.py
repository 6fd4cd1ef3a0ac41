"""What ``docker inspect`` or ``podman inspect`` shows of containers to workloads: what really was started.

Shapes: the Engine API, docs.docker.com/reference/api/engine/ (ContainerInspect, ImageInspect), and
docs.podman.io/en/latest/markdown/podman-inspect.1.html. What the image brings itself (variables, its health check) is
not said again: whoever asked for the image left it at that.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.document import Document, Node
from askew.evidence.launch import Token, Variable
from askew.evidence.location import Location
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.platforms import docker_run
from askew.platforms.containers import (
    Devices,
    Health,
    Mount,
    Settings,
    container_of,
    device_node,
    kind_observations,
)
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.platforms.kubernetes.observe import observed, text_of
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Workload

_MOST = 1000  # containers of one document
_SHM_DEFAULT = 64 * 2**20  # the daemon fills it in where nobody asked
_SERVICE, _PROJECT = "com.docker.compose.service", "com.docker.compose.project"
_FOLDER = "com.docker.compose.project.working_dir"
# Base images of CUDA and Python set these; where the image itself is not shown, nobody is known to have asked for them.
_OF_IMAGES = ("PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "NVIDIA_", "NV_", "CUDA_VERSION", "NVARCH", "LANG", "LC_ALL",
              "PYTHON_", "GPG_KEY", "VLLM_USAGE_SOURCE", "DEBIAN_FRONTEND", "TORCH_CUDA_ARCH_LIST")  # fmt: skip
_ASKED_FOR = ("NVIDIA_VISIBLE_DEVICES",)
# What inspect does not show: how the image was pulled.
_NOT_SHOWN = frozenset(("orchestration.image_pull_policy",))


def shows_containers(document: Document) -> bool:
    """Whether a document is what ``inspect`` prints of containers."""
    return any(_is_container(node) for node in _objects(document)[:3])


def read(documents: Sequence[Document], texts: Sequence[SourceText] = ()) -> PlatformReading:
    """One workload for each container. Images among the objects tell what their containers did not ask for; texts are
    what it logged (``docker:NAME/log``) and what commands printed in it (``docker:NAME/exec/PROBE``)."""
    objects = [node for document in documents for node in _objects(document)]
    images = [node for node in objects if _is_image(node)]
    containers = [node for node in objects if _is_container(node)]
    unread: list[Unread] = []
    if not containers:
        unread = [
            Unread(document.root.location, "expected what docker inspect or podman inspect prints of a container")
            for document in documents
        ]
    workloads = (_said(_workload(node, images), texts) for node in containers)
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def _said(workload: Workload, texts: Sequence[SourceText]) -> Workload:
    """The workload with what its container said itself."""
    mine = [text for text in texts if text.source.startswith(f"{workload.source}/")]
    probes = [text for text in mine if text.source.startswith(f"{workload.source}/exec/")]
    if probes:
        from askew.platforms.probes.container import into
        from askew.platforms.probes.read import read as read_probes

        containers = tuple(into(one, [read_probes(probes)], probes) for one in workload.containers)
        workload = msgspec.structs.replace(workload, containers=containers)
    logs = [text for text in mine if text.source == f"{workload.source}/log"]
    told = tuple(Told(kind="log", name="log", source=text.source, text=text.text) for text in logs)
    return msgspec.structs.replace(workload, told=told) if told else workload


def _objects(document: Document) -> list[Node]:
    root = document.root
    return list(root.each())[:_MOST] if root.is_sequence else [root]


def _is_container(node: Node) -> bool:
    return node["Config"].is_mapping and node["HostConfig"].is_mapping and (node["Image"].exists or node["Id"].exists)


def _is_image(node: Node) -> bool:
    return node["RepoDigests"].exists and node["Config"].is_mapping and not node["HostConfig"].exists


def _workload(node: Node, images: Sequence[Node]) -> Workload:
    config = node["Config"]
    labels = config["Labels"]
    image = next((one for one in images if text_of(one["Id"]) and text_of(one["Id"]) == text_of(node["Image"])), None)
    name = text_of(labels[_SERVICE]) or text_of(node["Name"]).lstrip("/") or text_of(node["Id"])[:12] or "container"
    settings = Settings(
        name=name, location=node.location, env={}, files={}, devices=[], mounts=[], observations=[], problems=[]
    )
    _launch(settings, node)
    _variables(settings, config["Env"], image)
    _limits(settings, node["HostConfig"])
    _devices(settings, node["HostConfig"])
    _mounts(settings, node)
    settings.health = _health(config, image)
    grace = config["StopTimeout"]
    if grace.integer() is not None:
        settings.stop_timeout = _token(grace)
    settings.observations.extend(_digest(node, image))
    settings.observations.extend(_state(node))
    container = container_of(settings)
    kept = tuple(one for one in container.observations if one.fact not in _NOT_SHOWN)
    kind = "Compose" if text_of(labels[_PROJECT]) else "Process"
    return Workload(
        namespace="docker",
        kind="Container",
        name=name,
        source=node.location.source,
        location=node["Name"].location if node["Name"].exists else node.location,
        containers=(msgspec.structs.replace(container, observations=kept),),
        observations=tuple(kind_observations(kind, node.location, 1, "platform-default")),
    )


def _token(node: Node) -> Token:
    return Token(text_of(node), node.location)


def _launch(settings: Settings, node: Node) -> None:
    """The words with which the process was started, entrypoint and command together."""
    config = node["Config"]
    if text_of(config["Image"]) or text_of(node["ImageName"]):
        settings.image = _token(config["Image"] if text_of(config["Image"]) else node["ImageName"])
    if text_of(node["Path"]):
        settings.entrypoint = (_token(node["Path"]),)
        settings.command = tuple(_token(word) for word in node["Args"].each())
    else:
        entrypoint = config["Entrypoint"]
        words = list(entrypoint.each()) if entrypoint.is_sequence else [entrypoint] if text_of(entrypoint) else []
        settings.entrypoint = tuple(_token(word) for word in words) or None
        settings.command = tuple(_token(word) for word in config["Cmd"].each())
    settings.working_dir = text_of(config["WorkingDir"])


def _variables(settings: Settings, env: Node, image: Node | None) -> None:
    own = {text_of(word) for word in image["Config"]["Env"].each()} if image is not None else set()
    for word in env.each():
        text = text_of(word)
        name, equals, value = text.partition("=")
        if not name or text in own:
            continue
        if image is None and name.startswith(_OF_IMAGES) and (name not in _ASKED_FOR or value == "all"):
            continue
        settings.env[name] = Variable(name, value if equals else None, word.location)


def _limits(settings: Settings, host: Node) -> None:
    """What the daemon was told; it writes 0 for what nobody asked for."""
    for field, key in (("memory", "Memory"), ("memory_reserved", "MemoryReservation")):
        if host[key].integer():
            setattr(settings, field, _token(host[key]))
    nano, quota, period = host["NanoCpus"].integer(), host["CpuQuota"].integer(), host["CpuPeriod"].integer()
    if nano:
        settings.cpus = Token(f"{nano / 10**9:.12g}", host["NanoCpus"].location)
    elif quota and quota > 0:
        settings.cpus = Token(f"{quota / (period or 100_000):.12g}", host["CpuQuota"].location)
    if (size := host["ShmSize"].integer()) and size != _SHM_DEFAULT:
        settings.shm_size = _token(host["ShmSize"])
    if text_of(host["IpcMode"]):
        settings.ipc = _token(host["IpcMode"])


def _devices(settings: Settings, host: Node) -> None:
    for request in host["DeviceRequests"].each():
        driver = text_of(request["Driver"])
        abilities = {text_of(word) for group in request["Capabilities"].each() for word in group.each()}
        identifiers = list(request["DeviceIDs"].each())
        if driver == "cdi":
            nodes = (device_node(text_of(one), one.location) for one in identifiers)
            settings.devices.extend(one for one in nodes if one is not None)
        elif "gpu" in abilities or driver in ("nvidia", "amd"):
            count = request["Count"].integer()
            number = len(identifiers) if identifiers else count if count and count > 0 else None
            place = request["DeviceIDs"].location if identifiers else request["Count"].location
            settings.devices.append(Devices(number=number, vendor=driver or "nvidia", locations=(place,)))
    for device in host["Devices"].each():
        node = device_node(text_of(device["PathOnHost"]), device.location)
        if node is not None:
            settings.devices.append(node)
    runtime = text_of(host["Runtime"])
    if runtime in ("nvidia", "habana") and not settings.devices:
        vendor = "nvidia" if runtime == "nvidia" else "intel"
        settings.devices.append(Devices(number=None, vendor=vendor, locations=(host["Runtime"].location,)))


def _mounts(settings: Settings, node: Node) -> None:
    labels = node["Config"]["Labels"]
    project, folder = text_of(labels[_PROJECT]), text_of(labels[_FOLDER])
    kinds = {"bind": "hostPath", "volume": "volume", "tmpfs": "tmpfs", "image": "image"}
    for entry in node["Mounts"].each():
        kind = text_of(entry["Type"])
        source = text_of(entry["Name"]) if kind == "volume" else text_of(entry["Source"])
        if kind == "volume" and project:
            source = source.removeprefix(f"{project}_")
        if kind == "bind" and folder and (source == folder or source.startswith(f"{folder}/")):
            source = f"./{posixpath.relpath(source, folder)}"  # as the compose file names it
        if kind == "volume" and len(source) == 64 and all(letter in "0123456789abcdef" for letter in source):
            source = ""  # a volume without a name
        settings.mounts.append(
            Mount(
                target=text_of(entry["Destination"]),
                kind=kinds.get(kind, kind or "volume"),
                source=source,
                read_only=entry["RW"].boolean() is False,
                location=entry.location,
            )
        )
    for target, options in node["HostConfig"]["Tmpfs"].items():
        mount = docker_run.tmpfs(f"{target}:{text_of(options)}", options.location)
        settings.mounts = [one for one in settings.mounts if one.target != mount.target]
        settings.mounts.append(mount)


def _health(config: Node, image: Node | None) -> Health | None:
    node = config["Healthcheck"]
    test = node["Test"]
    if not test.is_sequence:
        return None
    words = [text_of(word) for word in test.each()]
    own = [text_of(word) for word in image["Config"]["Healthcheck"]["Test"].each()] if image is not None else []
    if not words or words == own:
        return None
    if words[0] == "NONE":
        return Health(location=node.location, disabled=True)
    words = words[1:] if words[0] in ("CMD", "CMD-SHELL") else words

    def time(name: str) -> Token | None:
        nanoseconds = node[name].integer()
        return Token(f"{nanoseconds}ns", node[name].location) if nanoseconds else None

    return Health(
        location=node.location,
        command=Token(" ".join(words), test.location),
        interval=time("Interval"),
        timeout=time("Timeout"),
        retries=_token(node["Retries"]) if node["Retries"].integer() else None,
        start_period=time("StartPeriod"),
    )


def _seen(fact: str, value: Value | Unknown, place: Location) -> Observation:
    return observed(fact, value, place, origin="reported", basis="seen")


def _digest(node: Node, image: Node | None) -> Iterator[Observation]:
    """The digest of the image in its registry, behind a tag; an image that was built here has none."""
    if "@" in text_of(node["Config"]["Image"]):
        return
    if image is not None:
        name = text_of(node["Config"]["Image"]).split("@")[0]
        repository = name[: -len(name.rpartition(":")[2]) - 1] if ":" in name.rpartition("/")[2] else name
        listed = [(text_of(one), one.location) for one in image["RepoDigests"].each()]
        fitting = [(text, at) for text, at in listed if text.partition("@")[0].endswith(repository)] or listed
        digests = {text.partition("@")[2] for text, _ in fitting}
        if len(digests) == 1:
            yield _seen("runtime.image.digest", digests.pop(), fitting[0][1])
    elif text_of(node["ImageDigest"]):
        yield _seen("runtime.image.digest", text_of(node["ImageDigest"]), node["ImageDigest"].location)


def _state(node: Node) -> Iterator[Observation]:
    """How often it was started again, and how it ended."""
    restarts = node["RestartCount"]
    if restarts.integer() is not None:
        yield _seen("orchestration.restarts", restarts.integer(), restarts.location)
    state = node["State"]
    code = state["ExitCode"].integer()
    if text_of(state["Status"]) in ("exited", "dead", "stopped", "restarting") and code is not None:
        ended: dict[str, Value] = {"exit_code": code}
        if state["OOMKilled"].boolean():
            ended["reason"] = "OOMKilled"
        yield _seen("orchestration.last_termination", ended, state["ExitCode"].location)
