"""A plain command line, as in ``cmd:"vllm serve …"`` or ``cmd:"docker run --gpus all …"``."""

from __future__ import annotations

from collections.abc import Sequence

from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.platforms import docker_run
from askew.platforms.containers import container_of, kind_observations
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.platforms.kubernetes.observe import observed
from askew.platforms.shell import processes
from askew.platforms.shell.wrappers import program
from askew.platforms.words import Lines
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Container, Workload

# What a pasted line does besides starting the engine.
_BESIDES = frozenset(
    (
        *(
            "cd",
            "export",
            "echo",
            "printf",
            "mkdir",
            "rm",
            "cp",
            "mv",
            "chmod",
            "chown",
            "ls",
            "cat",
            "source",
            ".",
            "set",
        ),
        *(
            "unset",
            "ulimit",
            "sleep",
            "wait",
            "trap",
            "pip",
            "pip3",
            "apt",
            "apt-get",
            "curl",
            "wget",
            "git",
            "test",
            "[",
        ),
        *("[[", "true", ":", "kill", "pkill", "nvidia-smi", "huggingface-cli", "hf", "modprobe", "sysctl"),
    )
)
_HOST_DEVICES = "the process sees every accelerator of its host that CUDA_VISIBLE_DEVICES does not hide"


def read(texts: Sequence[SourceText]) -> PlatformReading:
    """One workload for each command line."""
    workloads: list[Workload] = []
    unread: list[Unread] = []
    for text in texts:
        found = _command(text)
        if isinstance(found, Unread):
            unread.append(found)
        else:
            workloads.append(found)
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def _command(text: SourceText) -> Workload | Unread:
    place = Location(text.source, "", 1, 1)
    lines = Lines(text.source, text.text)
    if not text.text.strip():
        return Unread(place, "the command is empty")
    # What a shell would make of the line; the two words before it stand nowhere.
    shell = Launch(argv=(Token("sh", place), Token("-c", place), Token(text.text, place)), location=place)
    started = tuple(p for p in processes(shell, lines.find) if p.argv and not _is_shell_itself(p))
    serving = [p for p in started if program(p.argv[0].text) not in _BESIDES]
    if not serving:
        return Unread(place, "the command starts no program that could serve a model")
    main = serving[-1]
    if docker_run.starts_container(main.argv):
        settings = docker_run.read(main.argv, main.env)
        if settings is None:
            return Unread(main.argv[0].location, "docker run names no image")
        container = container_of(settings, lines.find)
        name, kind = settings.name, "Container"
    else:
        name, kind = program_name(main.argv), "Process"
        container = Container(
            name=name, launch=main, processes=tuple(serving), observations=tuple(host_observations(main)), gpus=0
        )
    return Workload(
        namespace="command",
        kind=kind,
        name=name,
        source=text.source,
        location=place,
        containers=(container,),
        observations=tuple(kind_observations("Process", place, 1, "platform-default")),
    )


def _is_shell_itself(launch: Launch) -> bool:
    return [token.text for token in launch.argv[:2]] == ["sh", "-c"] and len(launch.argv) == 3


def host_observations(launch: Launch) -> list[Observation]:
    """What a process that runs on the host itself shows of its devices."""
    from askew.platforms.containers import visible_devices

    visible = visible_devices(launch.env)
    if visible is not None:
        return [observed("hardware.gpu.count", visible.number, *visible.locations, origin="env")]
    return [
        observed(
            "hardware.gpu.count", Unknown(_HOST_DEVICES, "nvidia-smi -L on the host", missing=True), launch.location
        )
    ]


def program_name(argv: Sequence[Token]) -> str:
    """A stable name for a process: its program, or the package of the module that Python runs."""
    words = [token.text for token in argv]
    name = program(words[0])
    if name.startswith("python") and len(words) > 1:
        for index, word in enumerate(words[1:], 1):
            if word == "-m" and index + 1 < len(words):
                return words[index + 1].split(".")[0]
            if not word.startswith("-"):
                return program(word).removesuffix(".py")
    return name
