"""Services of units and containers of quadlets to workloads.

systemd.service(5), systemd.exec(5), systemd.unit(5); podman-systemd.unit(5).
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.duration import systemd_timespan
from askew.platforms import docker_run
from askew.platforms.containers import (
    Health,
    Settings,
    container_of,
    device_node,
    kind_observations,
    token_observation,
    value_of,
    visible_devices,
)
from askew.platforms.interface import PlatformReading, SourceText, Unread, sibling
from askew.platforms.kubernetes.observe import Entry as MapEntry
from askew.platforms.kubernetes.observe import observed, observed_map
from askew.platforms.shell import processes
from askew.platforms.shell.wrappers import program
from askew.platforms.systemd.unit import Entry, Unit, parse
from askew.platforms.words import split
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Container, Workload

_SYSTEMD = Location("https://www.freedesktop.org/software/systemd/man/latest/systemd-system.conf.html")
_QUADLET = Location("https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html")
_STOP_DEFAULT = 90
_UNITS = frozenset((".service", ".container", ".pod", ".kube", ".image", ".unit"))
_NAMED = re.compile(r"([^@]+)(?:@(.*))?\.[a-z]+\Z")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)|\$\$")
_SPECIFIER = re.compile(r"%(.)", re.DOTALL)
_DROP_IN = re.compile(r"(?:^|/)([^/]+)\.d/[^/]+\.conf\Z")
_HOST_DEVICES = "the process sees every accelerator of its host that CUDA_VISIBLE_DEVICES does not hide"


def read(texts: Sequence[SourceText]) -> PlatformReading:
    """One workload for each ``.service`` and ``.container`` among the texts; the others (drop-ins, files of variables,
    pods) are read with the unit that they belong to."""
    beside = {os.path.normpath(text.source): text for text in texts}
    workloads: list[Workload] = []
    unread: list[Unread] = []
    for text in texts:
        if _DROP_IN.search(text.source) or _is_variables(text.source):
            continue
        unit = _unit(text, texts)
        if unit.has("Container"):
            found: Workload | Unread | None = _quadlet(unit, beside)
        elif unit.has("Kube"):
            yaml = unit.last("Kube", "Yaml")
            place = yaml.at() if yaml is not None else Location(unit.source, "", 1, 1)
            found = Unread(place, f"this unit plays Kubernetes YAML: point at {yaml.value if yaml else 'it'} instead")
        elif unit.has("Service"):
            found = _service(unit, beside)
        elif os.path.splitext(unit.source)[1] not in _UNITS or unit.has("Pod") or unit.has("Image"):
            found = None  # a file of variables of another name, a compose file; a part of other units
        else:
            reason = "this unit starts nothing: it has no [Service] and no [Container]"
            found = Unread(Location(unit.source, "", 1, 1), reason)
        if isinstance(found, Unread):
            unread.append(found)
        elif found is not None:
            workloads.append(found)
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def _is_variables(source: str) -> bool:
    name = os.path.basename(source)
    return name.endswith(".env") or name.startswith(".env.")


def _unit(text: SourceText, texts: Sequence[SourceText]) -> Unit:
    """A unit and its drop-ins; a later assignment of a single setting wins."""
    entries = list(parse(text.text, text.source))
    folder = os.path.normpath(f"{text.source}.d")
    drop_ins = [other for other in texts if os.path.dirname(os.path.normpath(other.source)) == folder]
    for other in sorted(drop_ins, key=lambda one: one.source):
        if other.source.endswith(".conf"):
            entries.extend(parse(other.text, other.source))
    return Unit(os.path.basename(text.source.rpartition(":")[2]), text.source, tuple(entries))


class _Line:
    """Words of an assignment as systemd splits them, with variables and specifiers filled in."""

    def __init__(self, unit: Unit, env: Mapping[str, Variable], unseen: str) -> None:
        self.unit = unit
        self.env = env
        self.unseen = unseen
        self.entries: dict[tuple[str, int], Entry] = {}

    def words(self, entry: Entry, *, expand: bool) -> list[Token]:
        """The words of an assignment. ``expand``: ``$NAME`` and ``${NAME}`` are filled in, as in ExecStart."""
        found: list[Token] = []
        for word in split(entry.value, systemd=True):
            place = entry.at(word.start)
            self.entries[place.source, place.line] = entry
            whole = _REFERENCE.fullmatch(word.text)
            if expand and whole is not None and whole[2] and not word.quoted:
                found.extend(self._several(whole[2], word.text, place))
                continue
            found.append(self.token(word.text, place, expand=expand))
        return found

    def _several(self, name: str, written: str, place: Location) -> list[Token]:
        """``$NAME`` as a word of its own becomes as many words as its value has."""
        variable = self.env.get(name)
        if variable is None or variable.value is None or variable.unknown:
            reason = variable.unknown if variable is not None and variable.unknown else self._unset(name)
            return [Token(written, place, reason)]
        via = (variable.location, *variable.via)
        return [Token(word.text, place, None, via) for word in split(variable.value, systemd=True)]

    def token(self, text: str, place: Location, *, expand: bool) -> Token:
        """One word or value with specifiers, and with variables where they are filled in."""
        token = specifiers(text, place, self.unit.name)
        if not expand or "$" not in token.text:
            return token
        via: list[Location] = []
        unknown = token.unknown

        def fill(match: re.Match[str]) -> str:
            nonlocal unknown
            if match[0] == "$$":
                return "$"
            name = match[1]
            if name is None:
                return match[0]  # "$NAME" inside a word is not filled in
            variable = self.env.get(name)
            if variable is None or variable.value is None or variable.unknown:
                unknown = unknown or (variable.unknown if variable is not None else None) or self._unset(name)
                return match[0]
            via.extend((variable.location, *variable.via))
            return variable.value

        filled = _REFERENCE.sub(fill, token.text)
        return Token(filled, place, unknown, (*token.via, *dict.fromkeys(via)))

    def _unset(self, name: str) -> str:
        if self.unseen:
            return f"{name} may be set in {self.unseen}, which is not among the sources"
        return f"variable {name} is not set in the unit"

    def locate(self, token: Token, fragment: str, after: Location | None) -> Location:
        """The next place of a fragment of a word, in the lines of its assignment."""
        place = token.location
        entry = self.entries.get((place.source, place.line))
        if entry is None or not fragment:
            return place
        start = _offset(entry, place)
        if (
            after is not None
            and after.source == place.source
            and (after.line, after.column) >= (place.line, place.column)
        ):
            start = _offset(entry, after) + 1
        match = re.compile(rf"(?<![\w./-]){re.escape(fragment)}(?![\w./-])").search(entry.value, start)
        at = match.start() if match else entry.value.find(fragment, start)
        return entry.at(at) if at >= 0 else place


def _offset(entry: Entry, place: Location) -> int:
    for begin, line, column in reversed(entry.joints):
        if line == place.line:
            return max(begin + place.column - column, 0)
    return 0


def specifiers(text: str, place: Location, name: str) -> Token:
    """``%i`` and its kin filled in from the unit's name; the others depend on the host."""
    if "%" not in text:
        return Token(text, place)
    match = _NAMED.fullmatch(name)
    prefix, instance = (match[1], match[2]) if match else (name, None)
    stem = name.rsplit(".", 1)[0]
    known = {"%": "%", "n": name, "N": stem, "p": prefix}
    if instance:
        known |= {"i": instance, "I": instance.replace("-", "/")}
    unknown: str | None = None

    def fill(found: re.Match[str]) -> str:
        nonlocal unknown
        if found[1] in known:
            return known[found[1]]
        if found[1] in "iI":
            unknown = unknown or f"{found[0]} is the instance that is started, as in {prefix}@INSTANCE"
        elif found[1].isalpha():
            unknown = unknown or f"{found[0]} is filled in by systemd on the host"
        return found[0]

    filled = _SPECIFIER.sub(fill, text)
    return Token(filled, place, unknown)


def _environment(
    unit: Unit, section: str, beside: Mapping[str, SourceText], problems: list[str], found: list[Observation]
) -> tuple[dict[str, Variable], str]:
    """Variables of a unit, and the file of variables that could not be seen. Files win over ``Environment=``."""
    env: dict[str, Variable] = {}
    unseen = ""
    for entry in unit.all(section, "Environment"):
        for word in split(entry.value, systemd=True):
            name, equals, value = word.text.partition("=")
            if equals and name:
                token = specifiers(value, entry.at(word.start), unit.name)
                env[name] = Variable(name, token.text, token.location, token.unknown)
    for entry in unit.all(section, "PassEnvironment"):
        for word in split(entry.value, systemd=True):
            env.setdefault(
                word.text, Variable(word.text, None, entry.at(word.start), "taken from the environment of systemd")
            )
    for entry in unit.all(section, "EnvironmentFile"):
        path = entry.value.strip()
        optional, path = path.startswith("-"), path.removeprefix("-")
        # Only files beside the unit are read; one of the same name there stands for the installed one.
        text = beside.get(sibling(unit.source, os.path.basename(path)))
        if text is None:
            unseen = path
            reason = f"variables come from {path}, which is not among the sources"
            if optional:
                reason = f"variables may come from {path}, which is not among the sources"
            problems.append(f"{entry.at()}: {reason}")
            found.append(observed("runtime.env", Unknown(reason), entry.at()))
            continue
        for name, variable in file_variables(text.text, text.source).items():
            env[name] = Variable(name, variable.value, variable.location, None, (entry.at(),))
    return env, unseen


def file_variables(text: str, source: str) -> dict[str, Variable]:
    """The variables of an EnvironmentFile (systemd.exec(5)): nothing is expanded in it."""
    found: dict[str, Variable] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        name, equals, value = stripped.partition("=")
        if not equals or stripped[0] in "#;":
            continue
        name = name.strip().removeprefix("export ").strip()
        value = value.strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        found[name] = Variable(name, value, Location(source, "", number, line.find(name) + 1))
    return found


def _service(unit: Unit, beside: Mapping[str, SourceText]) -> Workload | Unread:
    starts = unit.all("Service", "ExecStart")
    if not starts:
        return Unread(Location(unit.source, "", 1, 1), "the service has no ExecStart")
    problems: list[str] = []
    found: list[Observation] = []
    env, unseen = _environment(unit, "Service", beside, problems, found)
    line = _Line(unit, env, unseen)
    launches: list[Launch] = []
    containers: list[Container] = []
    for entry in starts:
        argv = line.words(entry, expand=True)
        if argv:
            first = argv[0].text.lstrip("@-:+!|")
            argv[0] = Token(first, argv[0].location, argv[0].unknown, argv[0].via)
        if not argv or not argv[0].text:
            continue
        launch = Launch(argv=tuple(argv), location=entry.at(), env=env, container=unit.name)
        directory = unit.last("Service", "WorkingDirectory")
        for process in processes(launch, line.locate):
            if docker_run.starts_container(process.argv):
                settings = docker_run.read(process.argv, process.env)
                if settings is not None:
                    settings.problems = [*problems, *settings.problems]
                    settings.observations = [*found, *settings.observations]
                    containers.append(container_of(settings, line.locate))
            elif process.argv and program(process.argv[0].text) in docker_run.PROGRAMS:
                words = " ".join(token.text for token in process.argv[:3])
                return Unread(
                    entry.at(), f"the unit runs '{words}': point at what that starts, such as the compose file"
                )
            else:
                launches.append(Launch(
                    argv=process.argv, location=process.location, env=process.env, files=process.files,
                    container=process.container,
                    working_dir=process.working_dir or (directory.value if directory else ""),
                ))  # fmt: skip
    if not containers:
        if not launches:
            return Unread(starts[0].at(), "ExecStart names no program")
        found.extend(_host(unit, env, launches[-1].location))
        containers.append(
            Container(
                name=unit.name,
                launch=launches[-1],
                processes=tuple(launches),
                observations=tuple(found),
                problems=tuple(problems),
            )
        )
    place = starts[-1].at()
    return Workload(
        namespace="systemd",
        kind="Service",
        name=_stable_name(unit.name),
        source=unit.source,
        location=place,
        containers=tuple(containers),
        observations=tuple(
            [*kind_observations("Systemd", place, 1, "platform-default"), _stop_timeout(unit, "Service")]
            if not any(c.launch.image for c in containers)
            else kind_observations("Systemd", place, 1, "platform-default")
        ),
    )


def _stable_name(name: str) -> str:
    """The unit's name; the file may bear a longer one when it was cut out of a document."""
    return name.removesuffix(".service") if name.endswith(".service") else name


def _host(unit: Unit, env: Mapping[str, Variable], place: Location) -> Iterator[Observation]:
    """What a process on the host itself is given: devices, memory, processors."""
    visible = visible_devices(env)
    if visible is not None:
        yield observed("hardware.gpu.count", visible.number, *visible.locations, origin="env")
    else:
        yield observed("hardware.gpu.count", Unknown(_HOST_DEVICES, "nvidia-smi -L on the host", missing=True), place)
    quota = unit.last("Service", "CPUQuota")
    if quota is not None:
        yield from _pair("orchestration.resources.cpu", Token(quota.value, quota.at()), _quota)
    memory = unit.last("Service", "MemoryMax") or unit.last("Service", "MemoryLimit")
    if memory is not None and memory.value != "infinity":
        yield from _pair("orchestration.resources.memory.bytes", Token(memory.value, memory.at()), _memory)


def _pair(fact: str, token: Token, read: Callable[[str], Value]) -> tuple[Observation, ...]:
    entry = MapEntry(value_of(token, read), token.location)
    return observed_map(fact, {"limit": entry, "request": entry})


def _quota(text: str) -> Value:
    if not text.endswith("%") or not text[:-1].strip().isdecimal():
        raise ValueError(f"expected a percentage such as 400%, found {text!r}")
    percent = int(text[:-1])
    return percent // 100 if percent % 100 == 0 else percent / 100


def _memory(text: str) -> Value:
    """systemd's sizes have one letter and are binary (systemd.resource-control(5))."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in ("K", "M", "G", "T") else (text, "")
    if not number.isdecimal():
        raise ValueError(f"expected a size such as 64G, found {text!r}; a percentage depends on the host")
    power = "KMGT".index(unit) + 1 if unit else 0
    size: int = int(number) * 1024**power
    return size


def _stop_timeout(unit: Unit, section: str) -> Observation:
    fact = "orchestration.termination_grace"
    entry = unit.last(section, "TimeoutStopSec") or unit.last(section, "TimeoutSec")
    if entry is None:
        return observed(fact, _STOP_DEFAULT, _SYSTEMD, origin="platform-default")
    return token_observation(fact, Token(entry.value, entry.at()), _timespan)


def _timespan(text: str) -> Value:
    value = systemd_timespan(text)
    if value in (0, "unlimited"):
        raise ValueError("there is no limit: systemd waits for as long as the process takes")
    return value


_SINGLE: tuple[tuple[str, str], ...] = (
    ("ShmSize", "shm_size"),
    ("StopTimeout", "stop_timeout"),
    ("Pull", "pull_policy"),
    ("Memory", "memory"),
)


def _quadlet(unit: Unit, beside: Mapping[str, SourceText]) -> Workload:
    section = "Container"
    problems: list[str] = []
    found: list[Observation] = []
    env, unseen = _environment(unit, section, beside, problems, found)
    line = _Line(unit, env, unseen)
    place = next(entry.at() for entry in unit.entries if entry.section == section)
    settings = Settings(
        name=unit.name.rsplit(".", 1)[0], location=place, env=env, files={}, devices=[], mounts=[],
        observations=found, problems=problems,
    )  # fmt: skip

    def single(name: str) -> Token | None:
        entry = unit.last(section, name)
        return line.token(entry.value.strip(), entry.at(), expand=False) if entry is not None else None

    settings.image = _image(single("Image"), unit, beside, problems)
    entrypoint = unit.last(section, "Entrypoint")
    if entrypoint is not None:
        settings.entrypoint = tuple(line.words(entrypoint, expand=False))
    command = unit.last(section, "Exec")
    if command is not None:
        settings.command = tuple(line.words(command, expand=False))
    directory = single("WorkingDir")
    settings.working_dir = directory.text if directory else ""
    for name, field in _SINGLE:
        token = single(name)
        if token is not None:
            setattr(settings, field, token)
    for entry in unit.all(section, "AddDevice"):
        for token in line.words(entry, expand=False):
            device = device_node(token.text, token.location)
            if device is not None and not token.text.startswith("-"):
                settings.devices.append(device)
    for entry in unit.all(section, "Volume"):
        token = line.token(entry.value.strip(), entry.at(), expand=False)
        settings.mounts.append(docker_run.volume(token.text, token.location, token.unknown))
    for entry in unit.all(section, "Mount"):
        token = line.token(entry.value.strip(), entry.at(), expand=False)
        mount = docker_run.mount_option(token.text, token.location, token.unknown)
        if mount is not None:
            settings.mounts.append(mount)
    for entry in unit.all(section, "Tmpfs"):
        settings.mounts.append(docker_run.tmpfs(entry.value.strip(), entry.at()))
    health = single("HealthCmd")
    if health is not None:
        settings.health = Health(
            location=health.location,
            command=health,
            disabled=health.text == "none",
            interval=single("HealthInterval"),
            timeout=single("HealthTimeout"),
            retries=single("HealthRetries"),
            start_period=single("HealthStartPeriod"),
        )
    for entry in unit.all(section, "PodmanArgs"):
        docker_run.apply_arguments(settings, line.words(entry, expand=False))
    _from_pod(settings, single("Pod"), unit, beside)
    return Workload(
        namespace="podman",
        kind="Container",
        name=unit.name.rsplit(".", 1)[0],
        source=unit.source,
        location=place,
        containers=(container_of(settings, line.locate),),
        observations=tuple(kind_observations("Quadlet", place, 1, "platform-default")),
    )


def _image(token: Token | None, unit: Unit, beside: Mapping[str, SourceText], problems: list[str]) -> Token | None:
    """The image; ``Image=name.image`` and ``name.build`` name another unit that says it."""
    if token is None or not token.text.endswith((".image", ".build")):
        return token
    text = beside.get(sibling(unit.source, token.text))
    named = Unit(token.text, text.source, parse(text.text, text.source)).last("Image", "Image") if text else None
    if named is None:
        reason = f"the image is what the unit {token.text} says, which is not among the sources"
        problems.append(f"{token.location}: {reason}")
        return Token(token.text, token.location, reason)
    return Token(named.value.strip(), named.at(), None, (token.location,))


def _from_pod(settings: Settings, pod: Token | None, unit: Unit, beside: Mapping[str, SourceText]) -> None:
    """Containers of a pod share its /dev/shm."""
    if pod is None:
        return
    text = beside.get(sibling(unit.source, pod.text))
    size = Unit(pod.text, text.source, parse(text.text, text.source)).last("Pod", "ShmSize") if text else None
    if size is not None:
        settings.shm_size = Token(size.value.strip(), size.at(), None, (pod.location,))
    elif text is None and settings.shm_size is None:
        reason = f"the container shares /dev/shm with the pod {pod.text}, which is not among the sources"
        settings.shm_size = Token("", pod.location, reason)
