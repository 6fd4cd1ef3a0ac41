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
    """One workload for each file. What lies in a numbered folder beside it, a version of its model, is part of it."""
    heads: dict[tuple[str, str], dict[str, Content]] = {}  # engine and folder → the files of the last one there
    workloads: list[tuple[str, EngineFile, dict[str, Content]]] = []
    for path, file in sorted(((_path(file), file) for file in files), key=lambda one: one[0].count("/")):
        content = Content(file.text, Location(file.source, line=file.line, column=1))
        folder, version = os.path.split(os.path.dirname(path))
        model = heads.get((file.engine, folder)) if version.isdecimal() else None
        if model is not None:
            model[path] = content
            continue
        heads[file.engine, os.path.dirname(path)] = own = {path: content}
        workloads.append((path, file, own))
    return PlatformReading(workloads=tuple(_workload(*one) for one in workloads))


def _path(file: EngineFile) -> str:
    return os.path.normpath("/" + file.source.rpartition(":")[2].lstrip("/"))


def _workload(path: str, file: EngineFile, files: dict[str, Content]) -> Workload:
    place = Location(file.source, line=file.line, column=1)
    launch = Launch(argv=(), location=place, files=files)
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
