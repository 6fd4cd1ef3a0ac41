"""What Docker, Podman and Compose can say of one container, to a container with facts.

All three speak of the same things under different names. The readers gather a ``Settings``; here it becomes
observations, with the runtime's defaults where the source is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.duration import go_duration
from askew.facts.values.quantity import docker_size
from askew.platforms.kubernetes.observe import Entry, observed, observed_map
from askew.platforms.shell import processes
from askew.resolve.images import image_observations
from askew.resolve.observation import Observation, Origin, Unknown
from askew.resolve.workload import Container

RUN = Location("https://docs.docker.com/reference/cli/docker/container/run/")
_SHM_DEFAULT = 64 * 2**20
_STOP_DEFAULT = 10
_ALL = frozenset(("all", "-1"))
_VISIBLE = ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
Locate = Callable[[Token, str, Location | None], Location]


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators that a container is given: a number, or all of the host's (None)."""

    number: int | None = 0
    vendor: str = ""
    unknown: str = ""
    locations: tuple[Location, ...] = ()


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A health check. ``disabled``: the image's own is switched off."""

    location: Location
    command: Token | None = None
    disabled: bool = False
    interval: Token | None = None
    timeout: Token | None = None
    retries: Token | None = None
    start_period: Token | None = None


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """What is mounted where. ``kind`` is hostPath, volume, tmpfs or image."""

    target: str
    kind: str
    location: Location
    source: str = ""
    read_only: bool = False
    size: str = ""
    unknown: str = ""


class Settings(msgspec.Struct, kw_only=True):
    """One container as its source describes it; None means that the source does not say."""

    name: str
    location: Location
    image: Token | None = None
    entrypoint: tuple[Token, ...] | None = None
    command: tuple[Token, ...] = ()
    env: dict[str, Variable] = {}
    files: dict[str, Content] = {}
    working_dir: str = ""
    devices: list[Devices] = []
    shm_size: Token | None = None
    ipc: Token | None = None
    cpus: Token | None = None
    cpus_reserved: Token | None = None
    memory: Token | None = None
    memory_reserved: Token | None = None
    mounts: list[Mount] = []
    health: Health | None = None
    stop_timeout: Token | None = None
    pull_policy: Token | None = None
    observations: list[Observation] = []
    problems: list[str] = []


def container_of(settings: Settings, locate: Locate | None = None) -> Container:
    """The container with every fact that its source states or that its runtime fixes."""
    entrypoint = settings.entrypoint
    launch = Launch(
        argv=(*(entrypoint or ()), *settings.command),
        location=settings.location,
        image=settings.image,
        implicit_entrypoint=not entrypoint,
        env=settings.env,
        files=settings.files,
        container=settings.name,
        working_dir=settings.working_dir,
    )
    devices = _device_count(settings)
    found: list[Observation] = list(settings.observations)
    if settings.image is not None:
        found.extend(image_observations(settings.image))
    found.extend(_devices(devices))
    found.append(_shared_memory(settings))
    found.extend(_resources("orchestration.resources.cpu", settings.cpus, settings.cpus_reserved, _same))
    found.extend(
        _resources("orchestration.resources.memory.bytes", settings.memory, settings.memory_reserved, docker_size)
    )
    found.extend(_volumes(settings))
    found.extend(_health(settings))
    found.append(_grace(settings))
    found.append(_pull(settings))
    return Container(
        name=settings.name,
        launch=launch,
        processes=processes(launch, locate),
        observations=tuple(found),
        gpus=devices.number or 0,
        problems=tuple(settings.problems),
    )


def value_of(token: Token, read: Callable[[str], Value]) -> Value | Unknown:
    """The token's text as ``read`` understands it; unknown where the token is not final or is refused."""
    if token.unknown is not None:
        return Unknown(token.unknown, text=token.text)
    try:
        return read(token.text)
    except ValueError as error:
        return Unknown(str(error), text=token.text)


def token_observation(fact: str, token: Token, read: Callable[[str], Value]) -> Observation:
    """An observation of what a token says."""
    return observed(fact, value_of(token, read), token.location, *token.via, raw=token.text)


def devices_named(text: str, location: Location) -> Devices:
    """What ``--gpus`` asks for: ``all``, ``2``, ``"device=0,1"``, ``count=2,capabilities=gpu``.

    Source: opts/gpus.go of github.com/docker/cli.
    """
    number: int | None = 1
    devices = 0
    for part in text.replace('"', "").replace("'", "").split(","):
        key, equals, value = part.partition("=")
        if not equals and devices and "=" not in part:
            devices += 1
        elif key == "device" and equals:
            devices = 1
        elif key in ("count", part):
            amount = value if equals else key
            if amount in _ALL:
                number = None
            elif amount.isdecimal():
                number = int(amount[:6])
            else:
                return Devices(
                    number=None, vendor="nvidia", unknown=f"--gpus {text} is not understood", locations=(location,)
                )
    if devices:
        number = devices
    return Devices(number=number, vendor="nvidia", locations=(location,))


def device_node(path: str, location: Location) -> Devices | None:
    """The accelerators behind ``--device``: a CDI name (``nvidia.com/gpu=all``) or a device node (``/dev/nvidia0``)."""
    path = path.removeprefix("-").split(":", 1)[0] if path.removeprefix("-").startswith("/") else path.removeprefix("-")
    kind, equals, name = path.partition("=")
    if equals and kind in ("nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu", "habana.ai/gaudi"):
        vendor = {"nvidia.com/gpu": "nvidia", "amd.com/gpu": "amd"}.get(kind, "intel")
        return Devices(number=None if name == "all" else 1, vendor=vendor, locations=(location,))
    if path.startswith("/dev/nvidia") and path[len("/dev/nvidia") :].isdecimal():
        return Devices(number=1, vendor="nvidia", locations=(location,))
    if path == "/dev/kfd":
        return Devices(number=None, vendor="amd", locations=(location,))
    return None


def visible_devices(env: Mapping[str, Variable]) -> Devices | None:
    """The devices that variables name, where they name them one by one."""
    for name in _VISIBLE:
        variable = env.get(name)
        if variable is None or variable.value is None or variable.unknown or not variable.value.strip():
            continue
        words = [word.strip() for word in variable.value.split(",") if word.strip()]
        if words and all(word.isdecimal() or word.startswith(("GPU-", "MIG-")) for word in words):
            vendor = "amd" if name[0] in "HR" else "nvidia"
            return Devices(number=len(set(words)), vendor=vendor, locations=(variable.location, *variable.via))
    return None


def _same(text: str) -> Value:
    return text


def _device_count(settings: Settings) -> Devices:
    asked = settings.devices
    if not asked:
        return Devices()
    vendor = next((one.vendor for one in asked if one.vendor), "")
    places = tuple(dict.fromkeys(place for one in asked for place in one.locations))
    unknown = next((one.unknown for one in asked if one.unknown), "")
    if any(one.number is None for one in asked):
        visible = visible_devices(settings.env)
        if visible is not None and not unknown:
            return Devices(number=visible.number, vendor=vendor, locations=(*visible.locations, *places))
        reason = unknown or "all accelerators of the host are given, however many it has"
        return Devices(number=None, vendor=vendor, unknown=reason, locations=places)
    total = sum(one.number or 0 for one in asked)
    visible = visible_devices(settings.env) if total else None
    if visible is not None and visible.number is not None and visible.number < total:
        return Devices(number=visible.number, vendor=vendor, locations=(*visible.locations, *places))
    return Devices(number=total, vendor=vendor, locations=places)


def _devices(devices: Devices) -> list[Observation]:
    fact = "hardware.gpu.count"
    if devices.number is None:
        found = [observed(fact, Unknown(devices.unknown, "nvidia-smi -L in the container"), *devices.locations)]
    elif devices.locations:
        found = [observed(fact, devices.number, *devices.locations)]
    else:
        because = ("no accelerator is asked for; a host whose default runtime is nvidia may still give its own",)
        found = [observed(fact, 0, RUN, origin="platform-default", confidence="likely", because=because)]
    if devices.vendor:
        found.append(observed("hardware.gpu.vendor", devices.vendor, *devices.locations))
    return found


def _shared_memory(settings: Settings) -> Observation:
    fact = "orchestration.shm.bytes"
    for mount in settings.mounts:
        if mount.target.rstrip("/") == "/dev/shm":
            if mount.size:
                return token_observation(fact, Token(mount.size, mount.location), docker_size)
            reason = mount.unknown or f"/dev/shm is a {mount.kind} mount, whose size the source does not show"
            return observed(fact, Unknown(reason, "df -h /dev/shm in the container"), mount.location)
    ipc = settings.ipc
    if ipc is not None and ipc.text not in ("private", "shareable", ""):
        owner = "the host's" if ipc.text == "host" else "another container's"
        reason = ipc.unknown or f"ipc: {ipc.text}: the container uses {owner} /dev/shm"
        return observed(fact, Unknown(reason, "df -h /dev/shm in the container"), ipc.location)
    if settings.shm_size is not None:
        return token_observation(fact, settings.shm_size, docker_size)
    because = ("no shm size is set",)
    return observed(fact, _SHM_DEFAULT, RUN, origin="platform-default", because=because)


def _resources(
    fact: str, limit: Token | None, request: Token | None, read: Callable[[str], Value]
) -> tuple[Observation, ...]:
    """Limit and reservation; an absent reservation equals the limit, as elsewhere. Zero means no limit."""
    entries: dict[str, Entry] = {}
    if limit is not None and limit.text.strip() not in ("0", "0.0", "-1"):
        entries["limit"] = Entry(value_of(limit, read), limit.location)
        entries["request"] = entries["limit"]
    if request is not None:
        entries["request"] = Entry(value_of(request, read), request.location)
    if not entries:
        return (observed(fact, None, RUN, origin="platform-default"),)
    return observed_map(fact, entries)


def _volumes(settings: Settings) -> tuple[Observation, ...]:
    entries: dict[str, Entry] = {}
    for mount in settings.mounts:
        target = mount.target.rstrip("/") or mount.target
        if target == "/dev/shm" or not target:
            continue
        if mount.unknown:
            entries[target] = Entry(Unknown(mount.unknown), mount.location)
            continue
        entry: dict[str, Value] = {"type": mount.kind}
        if mount.source:
            entry["source"] = mount.source
        if mount.read_only:
            entry["read_only"] = True
        entries[target] = Entry(entry, mount.location)
    if not entries:
        return (observed("orchestration.volumes", None, RUN, origin="platform-default"),)
    return observed_map("orchestration.volumes", entries)


def _health(settings: Settings) -> tuple[Observation, ...]:
    """A health check as readiness: it marks the container and holds back what depends on it; it restarts nothing.

    Defaults: docs.docker.com/reference/dockerfile/#healthcheck (30 s, 30 s, 3 tries, no start period). Without one the
    image may bring its own, so that nothing is said then.
    """
    health = settings.health
    fact = "orchestration.probe.readiness"
    if health is None:
        return ()
    if health.disabled:
        return (observed(fact, None, health.location),)
    if health.command is None:
        return ()
    entries = {
        "type": Entry("exec", health.location),
        "command": Entry(value_of(health.command, _same), health.command.location),
        "initial_delay": _seconds(health.start_period, 0),
        "period": _seconds(health.interval, 30),
        "timeout": _seconds(health.timeout, 30),
        "failure_threshold": Entry(3, None, RUN)
        if health.retries is None
        else Entry(value_of(health.retries, _same), health.retries.location),
    }
    return observed_map(fact, entries, health.location)


def _seconds(token: Token | None, default: int) -> Entry:
    return Entry(default, None, RUN) if token is None else Entry(value_of(token, go_duration), token.location)


def _grace(settings: Settings) -> Observation:
    fact = "orchestration.termination_grace"
    token = settings.stop_timeout
    if token is None:
        return observed(fact, _STOP_DEFAULT, RUN, origin="platform-default")
    read: Callable[[str], Value] = _same if token.text.strip().isdecimal() else go_duration
    return token_observation(fact, token, read)


def _pull(settings: Settings) -> Observation:
    fact = "orchestration.image_pull_policy"
    token = settings.pull_policy
    if token is None:
        return observed(fact, "IfNotPresent", RUN, origin="platform-default")
    names = {"always": "Always", "newer": "Always", "never": "Never", "missing": "IfNotPresent"}
    names["if_not_present"] = "IfNotPresent"
    return token_observation(fact, token, lambda text: names.get(text, text))


def kind_observations(kind: str, location: Location, replicas: Value | Unknown, origin: Origin) -> list[Observation]:
    """``orchestration.kind`` and the number of replicas, which nothing scales here."""
    return [
        observed("orchestration.kind", kind, location),
        observed("orchestration.replicas.min", replicas, location, origin=origin),
        observed("orchestration.replicas.max", replicas, location, origin=origin),
        observed("orchestration.autoscaler.kind", "none", location, origin="platform-default"),
    ]
