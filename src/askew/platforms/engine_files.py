"""Files that configure an engine by themselves: a model's ``config.pbtxt``, ``config.properties``, a Modelfile.

Nothing is interpreted here: each is a workload of its own, whose engine reads it as a file of a launch without words.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable

import msgspec

from askew.evidence.launch import Content, Launch
from askew.evidence.location import Location
from askew.platforms.interface import PlatformReading
from askew.resolve.workload import Container, Workload

KIND = "EngineFile"


class EngineFile(msgspec.Struct, frozen=True, kw_only=True):
    """One such file, redacted: the engine that it configures, the name of its source, and its text."""

    engine: str
    source: str
    text: str
    line: int = 1


def read(files: Iterable[EngineFile]) -> PlatformReading:
    """One workload for each file."""
    return PlatformReading(workloads=tuple(_workload(file) for file in files))


def _workload(file: EngineFile) -> Workload:
    place = Location(file.source, line=file.line, column=1)
    path = os.path.normpath("/" + file.source.rpartition(":")[2].lstrip("/"))
    launch = Launch(argv=(), location=place, files={path: Content(file.text, place)})
    name = _name(path)
    return Workload(
        namespace="files",
        kind=KIND,
        name=name,
        source=file.source,
        location=place,
        containers=(Container(name=name, launch=launch, processes=()),),
        engine=file.engine,
    )


def _name(path: str) -> str:
    """What tells the file from its like: the folder in which it lies, else its own name."""
    folder, name = os.path.split(path)
    return os.path.basename(folder) or name


def joined(workloads: Iterable[Workload], into: Workload) -> Workload:
    """A workload whose launches also find these files, by the paths that their sources have."""
    files = {path: content for one in workloads for path, content in one.containers[0].launch.files.items()}

    def with_files(launch: Launch) -> Launch:
        return msgspec.structs.replace(launch, files={**files, **launch.files})

    containers = tuple(
        msgspec.structs.replace(
            one, launch=with_files(one.launch), processes=tuple(with_files(process) for process in one.processes)
        )
        for one in into.containers
    )
    return msgspec.structs.replace(into, containers=containers)
