"""``docker run`` and ``podman run``: from the words of the command line to the container it starts.

Flags: docs.docker.com/reference/cli/docker/container/run/ and docs.podman.io/en/latest/markdown/podman-run.1.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from askew.evidence.launch import Token, Variable
from askew.evidence.location import Location
from askew.platforms.containers import Devices, Health, Mount, Settings, device_node, devices_named
from askew.platforms.kubernetes.observe import observed
from askew.platforms.shell.wrappers import program
from askew.resolve.observation import Unknown

PROGRAMS = frozenset(("docker", "podman", "nerdctl", "nvidia-docker", "podman-remote"))

# Flags without a value; every other one takes the next word, or what stands behind its "=".
_SWITCHES = frozenset(
    (
        *(
            "detach",
            "interactive",
            "tty",
            "rm",
            "init",
            "privileged",
            "read-only",
            "oom-kill-disable",
            "no-healthcheck",
        ),
        *(
            "publish-all",
            "sig-proxy",
            "disable-content-trust",
            "quiet",
            "help",
            "use-api-socket",
            "replace",
            "no-hosts",
        ),
        *("no-hostname", "rmi", "env-host", "http-proxy", "read-only-tmpfs", "tls-verify", "passwd", "rootfs"),
    )
)
_SHORT_SWITCHES = frozenset("ditqP")
_SHORT = {
    "a": "attach", "c": "cpu-shares", "e": "env", "h": "hostname", "l": "label", "m": "memory", "p": "publish",
    "u": "user", "v": "volume", "w": "workdir",
}  # fmt: skip
# Global flags that stand before ``run`` and take a value.
_GLOBAL = frozenset(("--context", "-c", "-H", "--host", "--config", "-l", "--log-level", "--namespace", "-n", "--root"))


class _Flag(msgspec.Struct, frozen=True):
    name: str
    value: Token


def starts_container(argv: Sequence[Token]) -> bool:
    """Whether these words are ``docker run …`` or ``podman run …``."""
    return bool(argv) and program(argv[0].text) in PROGRAMS and _run_index(argv) is not None


def read(argv: Sequence[Token], environment: Mapping[str, Variable] | None = None) -> Settings | None:
    """The container that ``docker run`` starts; None when no image is named.

    ``environment`` is that of the command itself, from which ``-e NAME`` takes its value.
    """
    index = _run_index(argv)
    if index is None:
        return None
    at = index + 1
    flags, at = _flags(argv, at)
    if at >= len(argv):
        return None
    settings = Settings(
        name="", location=argv[0].location, image=argv[at], command=tuple(argv[at + 1 :]), env={}, devices=[],
        mounts=[], observations=[], problems=[],
    )  # fmt: skip
    apply(settings, flags, environment or {})
    if program(argv[0].text) == "nvidia-docker" and not settings.devices:
        settings.devices.append(Devices(number=None, vendor="nvidia", locations=(argv[0].location,)))
    settings.name = settings.name or _image_name(argv[at].text)
    return settings


def apply_arguments(settings: Settings, words: Sequence[Token]) -> None:
    """Take further ``podman run`` flags into settings (``PodmanArgs=`` of a quadlet)."""
    flags, _ = _flags(words, 0)
    apply(settings, flags, {})


def _run_index(argv: Sequence[Token]) -> int | None:
    at = 1
    while at < len(argv):
        word = argv[at].text
        if word in ("container",):
            at += 1
        elif word in ("run", "create"):
            return at
        elif word.startswith("-"):
            at += 2 if word in _GLOBAL else 1
        else:
            return None
    return None


def _flags(words: Sequence[Token], at: int) -> tuple[list[_Flag], int]:
    """Flags from ``at`` on, and the index of the first word that is none."""
    found: list[_Flag] = []
    while at < len(words):
        token = words[at]
        text = token.text
        if text == "--":
            return found, at + 1
        if not text.startswith("-") or text == "-":
            break
        at += 1
        if text.startswith("--"):
            name, equals, value = text[2:].partition("=")
            if equals:
                found.append(_Flag(name, _behind(token, value)))
            elif name in _SWITCHES:
                found.append(_Flag(name, _behind(token, "true")))
            elif at < len(words):
                found.append(_Flag(name, words[at]))
                at += 1
            continue
        for position, letter in enumerate(text[1:], 2):
            if letter in _SHORT_SWITCHES:
                continue
            rest = text[position:].removeprefix("=")
            name = _SHORT.get(letter, letter)
            if rest:
                found.append(_Flag(name, _behind(token, rest)))
            elif at < len(words):
                found.append(_Flag(name, words[at]))
                at += 1
            break
    return found, at


def _behind(token: Token, value: str) -> Token:
    """A part of a token. Its place is the token's: a value is shown with its flag."""
    return Token(value, token.location, token.unknown, token.via)


def apply(settings: Settings, flags: Sequence[_Flag], environment: Mapping[str, Variable]) -> None:
    """Take flags into settings. Of a flag with one value the last one wins."""
    health: dict[str, Token] = {}
    for flag in flags:
        name, value = flag.name, flag.value
        text = value.text
        if name == "env":
            _variable(settings.env, value, environment)
        elif name == "env-file":
            reason = f"variables come from {text}, which is not among the sources"
            settings.problems.append(f"{value.location}: {reason}")
            settings.observations.append(observed("runtime.env", Unknown(reason), value.location))
        elif name == "gpus":
            found = devices_named(text, value.location)
            settings.devices.append(
                Devices(number=None, vendor="nvidia", unknown=value.unknown, locations=(value.location,))
                if value.unknown
                else found
            )
        elif name == "device":
            node = device_node(text, value.location)
            if node is not None:
                settings.devices.append(node)
        elif name == "runtime" and text in ("nvidia", "habana"):
            settings.devices.append(_through_runtime(text, value.location))
        elif name == "volume":
            settings.mounts.append(volume(text, value.location, value.unknown))
        elif name == "mount":
            mount = mount_option(text, value.location, value.unknown)
            if mount is not None:
                settings.mounts.append(mount)
        elif name == "tmpfs":
            settings.mounts.append(tmpfs(text, value.location))
        elif name == "entrypoint":
            settings.entrypoint = (value,) if text else ()
        elif name == "name":
            settings.name = text if value.unknown is None else ""
        elif name == "workdir":
            settings.working_dir = text
        elif name.startswith("health-"):
            health[name] = value
        elif name == "no-healthcheck" and text == "true":
            settings.health = Health(location=value.location, disabled=True)
        elif name in _FIELDS:
            setattr(settings, _FIELDS[name], value)
    if "health-cmd" in health:
        command = health["health-cmd"]
        settings.health = Health(
            location=command.location,
            command=command,
            disabled=command.text == "none",
            interval=health.get("health-interval"),
            timeout=health.get("health-timeout"),
            retries=health.get("health-retries"),
            start_period=health.get("health-start-period"),
        )


_FIELDS = {
    "shm-size": "shm_size",
    "ipc": "ipc",
    "cpus": "cpus",
    "memory": "memory",
    "memory-reservation": "memory_reserved",
    "stop-timeout": "stop_timeout",
    "pull": "pull_policy",
}


def _through_runtime(runtime: str, location: Location) -> Devices:
    """The nvidia runtime gives what the variable NVIDIA_VISIBLE_DEVICES says, which most CUDA images set to ``all``."""
    vendor = "nvidia" if runtime == "nvidia" else "intel"
    return Devices(number=None, vendor=vendor, locations=(location,))


def _variable(env: dict[str, Variable], token: Token, environment: Mapping[str, Variable]) -> None:
    name, equals, value = token.text.partition("=")
    if not name:
        return
    if equals:
        env[name] = Variable(name, value, token.location, token.unknown, token.via)
    elif name in environment:
        env[name] = msgspec.structs.replace(environment[name], via=(token.location, *environment[name].via))
    else:
        env[name] = Variable(name, None, token.location, f"{name} is taken from the environment of the caller")


def volume(text: str, location: Location, unknown: str | None = None) -> Mount:
    """``-v SOURCE:TARGET[:OPTIONS]`` or ``-v TARGET``. A source that is no path names a volume."""
    parts = text.split(":")
    if len(parts) > 2 and len(parts[0]) == 1 and parts[1][:1] in ("\\", "/"):
        parts = [f"{parts[0]}:{parts[1]}", *parts[2:]]  # a Windows drive
    if len(parts) == 1:
        return Mount(target=parts[0], kind="volume", location=location, unknown=unknown or "")
    source, target = parts[0], parts[1]
    options = parts[2].split(",") if len(parts) > 2 else []
    kind = "hostPath" if source[:1] in ("/", ".", "~", "$", "%") or "\\" in source else "volume"
    return Mount(
        target=target, kind=kind, source=source, read_only="ro" in options, location=location, unknown=unknown or ""
    )


_MOUNT_KINDS = {"bind": "hostPath", "volume": "volume", "tmpfs": "tmpfs", "image": "image", "glob": "hostPath"}


def mount_option(text: str, location: Location, unknown: str | None = None) -> Mount | None:
    """``--mount type=bind,source=…,target=…,readonly``; None without a target."""
    options = dict(_pairs(text))
    target = options.get("target") or options.get("dst") or options.get("destination") or ""
    if not target:
        return None
    kind = options.get("type", "volume")
    return Mount(
        target=target,
        kind=_MOUNT_KINDS.get(kind, kind),
        source=options.get("source") or options.get("src") or "",
        read_only=options.get("readonly", options.get("ro", "false")) in ("", "true", "1"),
        size=options.get("tmpfs-size", "") if kind == "tmpfs" else "",
        location=location,
        unknown=unknown or "",
    )


def tmpfs(text: str, location: Location) -> Mount:
    """``--tmpfs /dev/shm:size=16g,mode=1777``."""
    target, _, options = text.partition(":")
    return Mount(target=target, kind="tmpfs", size=dict(_pairs(options)).get("size", ""), location=location)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        name, _, value = part.partition("=")
        yield name.strip(), value.strip().strip('"')


def _image_name(reference: str) -> str:
    """The last component of an image's repository, as a name for its container."""
    return reference.split("@")[0].rsplit("/", 1)[-1].split(":")[0]
