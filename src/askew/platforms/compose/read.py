"""Services of compose files to workloads.

The format is docs.docker.com/reference/compose-file/. A service is read through its layers: what it extends first,
itself last. Anchors and ``x-`` fragments were merged when the file was read.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping, Sequence

from askew.evidence.document import Document, Node
from askew.evidence.launch import Content, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms import docker_run
from askew.platforms.compose.interpolate import Piece, interpolate, join, pieces, variables
from askew.platforms.containers import (
    Devices,
    Health,
    Mount,
    Settings,
    container_of,
    device_node,
    kind_observations,
    value_of,
)
from askew.platforms.interface import PlatformReading, SourceText, Unread, sibling
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.words import split
from askew.resolve.observation import Observation, Origin, Unknown
from askew.resolve.workload import Workload

_MAX_EXTENDS = 10
_MAX_SERVICES = 1000
_VENDORS = {"nvidia": "nvidia", "amd": "amd", "amdgpu": "amd", "intel": "intel", "cdi": ""}
Layers = tuple[Node, ...]


def read(documents: Sequence[Document], texts: Sequence[SourceText] = ()) -> PlatformReading:
    """One workload for each service of the documents. ``texts`` are the files that collectors found beside them:
    ``.env``, files of variables, files that services extend or mount."""
    beside = {os.path.normpath(text.source): text for text in texts}
    files = {os.path.normpath(document.source): document.root for document in reversed(documents)}
    workloads: list[Workload] = []
    unread: list[Unread] = []
    for document in documents:
        root = document.root
        named = [(name, node) for name, node in root["services"].items() if _is_service(node)]
        if not named:
            unread.append(Unread(root["services"].location, "no service here has an image, a build or a command"))
        if len(named) > _MAX_SERVICES:
            message = f"there are more than {_MAX_SERVICES} services; the rest is not read"
            unread.append(Unread(named[_MAX_SERVICES][1].key_location, message))
        for name, node in named[:_MAX_SERVICES]:
            around = _Around(document.source, root, files, beside)
            workloads.append(_workload(name, node, around))
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def _is_service(node: Node) -> bool:
    return any(node[key].exists for key in ("image", "build", "command", "entrypoint", "extends"))


class _Around:
    """What a service refers to: its file, the files beside it, the variables of ``.env``."""

    def __init__(self, source: str, root: Node, files: Mapping[str, Node], beside: Mapping[str, SourceText]) -> None:
        self.source = source
        self.root = root
        self.files = files
        self.beside = beside
        self.nodes: dict[Location, Node] = {}
        env = self.text(".env")
        self.env: dict[str, Variable] = variables(env.text, env.source) if env is not None else {}

    def text(self, name: str) -> SourceText | None:
        """The text of a file named in the compose file."""
        return self.beside.get(sibling(self.source, name))

    def mounted(self, name: str, target: str) -> dict[str, Content]:
        """The files that a mount of this file or folder puts at or below ``target``, as far as a source shows them."""
        path = sibling(self.source, name)
        found: dict[str, Content] = {}
        for source, text in self.beside.items():
            if source == path or source.startswith(f"{path}/"):
                inside = os.path.normpath(target + source[len(path) :])
                found[inside] = Content(text.text, Location(text.source, line=1, column=1))
        return found

    def document(self, name: str) -> Node | None:
        """The root of another compose file that this one names."""
        path = sibling(self.source, name)
        if path in self.files:
            return self.files[path]
        text = self.beside.get(path)
        if text is None:
            return None
        from askew.evidence.yaml import read as read_yaml

        return next((document.root for document in read_yaml(text.text, text.source, dialect="yaml")), None)

    def token(self, node: Node) -> Token:
        """A scalar as Compose reads it."""
        token = interpolate(text_of(node), node.location, self.env)
        self.nodes[token.location] = node
        return token

    def locate(self, token: Token, fragment: str, after: Location | None = None) -> Location:
        """Where a fragment of a token's text stands in the file."""
        node = self.nodes.get(token.location)
        if node is None:
            return token.location
        place = token.location
        before = Location(place.source, place.path, place.line, place.column - 1, place.object)
        found = node.locate(fragment, after or before)
        if found == node.location and "$" in fragment:  # Compose writes a dollar of the container's shell as two
            found = node.locate(fragment.replace("$", "$$"), after or before)
        return place if found == node.location else found


def _workload(name: str, node: Node, around: _Around) -> Workload:
    problems: list[str] = []
    layers = _layers(node, around, problems)
    settings = Settings(
        name=name, location=node.key_location, env={}, files={}, devices=[], mounts=[], observations=[],
        problems=problems,
    )  # fmt: skip
    _launch(settings, layers, around)
    _environment(settings, layers, around)
    _devices(settings, layers, around)
    _mounts(settings, layers, around)
    _configs(settings, layers, around)
    fields: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("shm_size", ("shm_size",)),
        ("ipc", ("ipc",)),
        ("cpus", ("deploy", "resources", "limits", "cpus")),
        ("cpus", ("cpus",)),
        ("cpus_reserved", ("deploy", "resources", "reservations", "cpus")),
        ("memory", ("deploy", "resources", "limits", "memory")),
        ("memory", ("mem_limit",)),
        ("memory_reserved", ("deploy", "resources", "reservations", "memory")),
        ("memory_reserved", ("mem_reservation",)),
        ("stop_timeout", ("stop_grace_period",)),
        ("pull_policy", ("pull_policy",)),
    )
    for field, path in fields:
        found = _pick(layers, *path)
        if found and getattr(settings, field) is None:
            setattr(settings, field, around.token(found))
    settings.health = _health(layers, around)
    container = container_of(settings, around.locate)
    return Workload(
        namespace="compose",
        kind="Service",
        name=name,
        source=around.source,
        location=node.key_location,
        containers=(container,),
        observations=tuple(_workload_observations(node, layers, around)),
    )


def _workload_observations(node: Node, layers: Layers, around: _Around) -> Iterator[Observation]:
    replicas = _pick(layers, "deploy", "replicas")
    if not replicas:
        replicas = _pick(layers, "scale")
    value: Value | Unknown = value_of(around.token(replicas), lambda text: text) if replicas else 1
    origin: Origin = "explicit" if replicas else "platform-default"
    yield from kind_observations("Compose", replicas.location if replicas else node.key_location, value, origin)


def _layers(node: Node, around: _Around, problems: list[str]) -> Layers:
    """The service and what it extends, the base first."""
    layers = [node]
    root = around.root
    while len(layers) <= _MAX_EXTENDS:
        extends = layers[0]["extends"]
        if not extends:
            break
        name = text_of(extends["service"]) or text_of(extends)
        if extends["file"]:
            other = around.document(text_of(extends["file"]))
            if other is None:
                where = text_of(extends["file"])
                problems.append(f"{extends.location}: {name} of {where} is extended, which is not among the sources")
                break
            root = other
        base = root["services"][name]
        if not base.is_mapping or any(base.location == layer.location for layer in layers):
            problems.append(f"{extends.location}: there is no service {name} to extend")
            break
        layers.insert(0, base)
    return tuple(layers)


def _pick(layers: Layers, *path: str) -> Node:
    node = layers[-1].get(*path)
    for layer in reversed(layers):
        found = layer.get(*path)
        if found.exists:
            return found
    return node


def _launch(settings: Settings, layers: Layers, around: _Around) -> None:
    image = _pick(layers, "image")
    if image:
        settings.image = around.token(image)
    entrypoint, command = _pick(layers, "entrypoint"), _pick(layers, "command")
    if entrypoint.exists and entrypoint.value is not None:
        settings.entrypoint = _words(entrypoint, around)
    settings.command = _words(command, around)
    settings.working_dir = text_of(_pick(layers, "working_dir"))


def _words(node: Node, around: _Around) -> tuple[Token, ...]:
    """``command`` or ``entrypoint``: a list as it is, a text split into words after the variables were filled in."""
    if node.is_sequence:
        return tuple(around.token(item) for item in node.each() if not isinstance(item.value, (dict, list)))
    if node.value is None or node.is_mapping:
        return ()
    written = text_of(node)
    parts = pieces(written, around.env)
    line = ""
    begins: list[int] = []  # per character of the line, the stretch of the written text it came from
    ends: list[int] = []
    owners: list[Piece] = []
    for part in parts:
        same = part.text == written[part.start : part.end]
        for index in range(len(part.text)):
            begins.append(part.start + index if same else part.start)
            ends.append(part.start + index + 1 if same else part.end)
            owners.append(part)
        line += part.text if part.unknown is None else part.text.translate(_ASIDE)
    found: list[Token] = []
    after: Location | None = None
    for word in split(line):
        location = node.locate(written[begins[word.start] : ends[word.end - 1]], after)
        if location != node.location:
            after = location
        used = join(tuple(dict.fromkeys(owners[word.start : word.end])), location)
        found.append(Token(word.text.translate(_BACK), location, used.unknown, used.via))
        around.nodes.setdefault(location, node)
    return tuple(found)


# Text that could not be filled in must not be split: its blanks and quotes are set aside while words are made.
_ASIDE = str.maketrans({" ": "\ue000", "'": "\ue001", '"': "\ue002", "\\": "\ue003"})
_BACK = str.maketrans({"\ue000": " ", "\ue001": "'", "\ue002": '"', "\ue003": "\\"})


def _environment(settings: Settings, layers: Layers, around: _Around) -> None:
    for layer in layers:
        entries = layer["env_file"]
        for entry in entries.each() if entries.is_sequence else (entries,):
            _env_file(settings, entry, around)
    for layer in layers:
        environment = layer["environment"]
        for name, node in environment.items():
            if node.value is None:
                _passed_through(settings, name, node.key_location, around)
            elif not isinstance(node.value, (dict, list)):
                token = around.token(node)
                settings.env[name] = Variable(name, token.text, token.location, token.unknown, token.via)
        for node in environment.each():
            token = around.token(node)
            name, equals, value = token.text.partition("=")
            if not name:
                continue
            if equals:
                settings.env[name] = Variable(name, value, token.location, token.unknown, token.via)
            else:
                _passed_through(settings, name, token.location, around)


def _passed_through(settings: Settings, name: str, location: Location, around: _Around) -> None:
    given = around.env.get(name)
    if given is not None:
        settings.env[name] = Variable(name, given.value, location, given.unknown, (given.location, *given.via))
    else:
        reason = f"{name} is taken from the environment of docker compose"
        settings.env[name] = Variable(name, None, location, reason)


def _env_file(settings: Settings, entry: Node, around: _Around) -> None:
    name = entry if not entry.is_mapping else entry["path"]
    if not name:
        return
    token = around.token(name)
    text = around.text(token.text) if token.unknown is None else None
    if text is not None:
        for variable in variables(text.text, text.source).values():
            settings.env[variable.name] = Variable(
                variable.name, variable.value, variable.location, variable.unknown, (token.location, *variable.via)
            )
    elif not entry.is_mapping or entry["required"].value is not False:
        reason = f"variables come from {token.text}, which is not among the sources"
        settings.problems.append(f"{token.location}: {reason}")
        settings.observations.append(observed("runtime.env", Unknown(reason), token.location))


def _devices(settings: Settings, layers: Layers, around: _Around) -> None:
    reserved = _pick(layers, "deploy", "resources", "reservations", "devices")
    for entry in reserved.each():
        device = _reserved_device(entry, around)
        if device is not None:
            settings.devices.append(device)
    gpus = _pick(layers, "gpus")
    if gpus.is_sequence:
        for entry in gpus.each():
            device = _reserved_device(entry, around, gpus=True)
            if device is not None:
                settings.devices.append(device)
    elif gpus:
        token = around.token(gpus)
        number, unknown = _amount(token)
        settings.devices.append(Devices(number=number, vendor="nvidia", unknown=unknown, locations=(token.location,)))
    for layer in layers:
        for entry in layer["devices"].each():
            node = device_node(text_of(entry) or text_of(entry["source"]), entry.location)
            if node is not None:
                settings.devices.append(node)
    runtime = _pick(layers, "runtime")
    if text_of(runtime) in ("nvidia", "habana") and not settings.devices:
        vendor = "nvidia" if text_of(runtime) == "nvidia" else "intel"
        settings.devices.append(Devices(number=None, vendor=vendor, locations=(runtime.location,)))


def _reserved_device(entry: Node, around: _Around, *, gpus: bool = False) -> Devices | None:
    """One device request. Without ``count`` and ``device_ids`` all are given."""
    driver = entry["driver"]
    abilities = {text_of(item) for item in entry["capabilities"].each()}
    if not gpus and "gpu" not in abilities and text_of(driver) not in _VENDORS:
        return None
    vendor = _VENDORS.get(text_of(driver), text_of(driver)) if driver else "nvidia"
    identifiers = entry["device_ids"]
    if identifiers.is_sequence:
        tokens = [around.token(item) for item in identifiers.each()]
        unknown = next((token.unknown for token in tokens if token.unknown), None)
        # "0,1" in one item is a variable that was filled in with a list.
        number = sum(len([part for part in token.text.split(",") if part.strip()]) for token in tokens)
        if any(token.text == "all" for token in tokens):
            return Devices(number=None, vendor=vendor, locations=(identifiers.location,))
        return Devices(
            number=None if unknown else number, vendor=vendor, unknown=unknown or "", locations=(identifiers.location,)
        )
    count = entry["count"]
    if not count:
        return Devices(number=None, vendor=vendor, locations=(entry.location,))
    token = around.token(count)
    amount, reason = _amount(token)
    return Devices(number=amount, vendor=vendor, unknown=reason, locations=(token.location, *token.via))


def _amount(token: Token) -> tuple[int | None, str]:
    """A number of devices; None with the reason where it is not known, None without for all."""
    if token.unknown is not None:
        return None, token.unknown
    if token.text in ("all", "-1"):
        return None, ""
    if token.text.isdecimal() and len(token.text) < 7:
        return int(token.text), ""
    return None, f"{token.text} is no number of devices"


def _mounts(settings: Settings, layers: Layers, around: _Around) -> None:
    found: dict[str, Mount] = {}
    for layer in layers:
        for entry in layer["volumes"].each():
            mount = _mount(entry, around)
            if mount.target:
                found[mount.target] = mount
        tmpfs = layer["tmpfs"]
        for entry in tmpfs.each() if tmpfs.is_sequence else (tmpfs,):
            if entry:
                mount = docker_run.tmpfs(around.token(entry).text, entry.location)
                found[mount.target] = mount
    settings.mounts = list(found.values())
    for mount in settings.mounts:
        if mount.kind == "hostPath" and mount.source.startswith(".") and not mount.unknown:
            settings.files.update(around.mounted(mount.source, mount.target))


def _mount(entry: Node, around: _Around) -> Mount:
    if not entry.is_mapping:
        token = around.token(entry)
        # The reference may stand in the source alone, where the target is still certain.
        mount = docker_run.volume(token.text, token.location)
        if token.unknown is not None:
            parts = pieces(text_of(entry), around.env)
            text = "".join(part.text if part.unknown is None else part.text.replace(":", " ") for part in parts)
            mount = docker_run.volume(text, token.location, token.unknown)
        return mount
    kind = text_of(entry["type"]) or "volume"
    source, target = around.token(entry["source"]), around.token(entry["target"])
    size = entry["tmpfs"]["size"]
    return Mount(
        target=target.text,
        kind={"bind": "hostPath"}.get(kind, kind),
        source=source.text,
        read_only=entry["read_only"].boolean() is True,
        size=around.token(size).text if size else "",
        location=entry.location,
        unknown=source.unknown or target.unknown or "",
    )


def mounted_files(document: Document) -> Iterator[str]:
    """Names of the files and folders that services mount from beside the compose file, relative to its folder."""
    root = document.root
    for _, service in root["services"].items():
        for entry in service["volumes"].each():
            source = text_of(entry["source"]) if entry.is_mapping else text_of(entry).partition(":")[0]
            if source.startswith("."):
                yield source
    for _, declared in root["configs"].items():
        if isinstance(declared["file"].value, str):
            yield declared["file"].value


def _configs(settings: Settings, layers: Layers, around: _Around) -> None:
    """Files that ``configs`` put into the container: of the compose file's own content, or beside it."""
    for layer in layers:
        for entry in layer["configs"].each():
            name = text_of(entry["source"]) or text_of(entry)
            declared = around.root["configs"][name]
            content, file = declared["content"], declared["file"]
            target = text_of(entry["target"]) or f"/{name}"
            if isinstance(file.value, str):
                settings.files.update(around.mounted(file.value, target))
            if isinstance(content.value, str):
                token = around.token(content)
                settings.files[target] = Content(token.text, content.location)


def _health(layers: Layers, around: _Around) -> Health | None:
    node = _pick(layers, "healthcheck")
    if not node:
        return None
    test = node["test"]
    if node["disable"].boolean() is True or (test.is_sequence and text_of(test[0]) == "NONE"):
        return Health(location=node.location, disabled=True)
    command: Token | None = None
    if test.is_sequence:
        words = [around.token(item) for item in test.each()]
        if words and words[0].text in ("CMD", "CMD-SHELL"):
            words = words[1:]
        unknown = next((word.unknown for word in words if word.unknown), None)
        command = Token(" ".join(word.text for word in words), test.location, unknown)
    elif test:
        command = around.token(test)

    def field(name: str) -> Token | None:
        return around.token(node[name]) if node[name] else None

    return Health(
        location=node.location,
        command=command,
        interval=field("interval"),
        timeout=field("timeout"),
        retries=field("retries"),
        start_period=field("start_period"),
    )
