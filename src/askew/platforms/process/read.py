"""What the kernel shows of a process to a workload: its words, variables, limits, packages, and files it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.document import Document
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.platforms.command import host_observations, program_name
from askew.platforms.containers import kind_observations
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.platforms.probes.read import engine_release
from askew.platforms.probes.read import read as read_probes
from askew.platforms.shell import processes
from askew.resolve.workload import Container, Workload

_CMDLINE = re.compile(r"(/proc/(\d{1,10}))/cmdline")
_HIDDEN = "it is not a variable that engines know, and its value was not read"


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """One workload for each process among the texts."""
    workloads: list[Workload] = []
    unread: list[Unread] = []
    for text in texts:
        match = _CMDLINE.fullmatch(text.source)
        if match is None:
            continue
        place = Location(text.source)
        try:
            words = msgspec.json.decode(text.text, type=list[str])
        except (msgspec.DecodeError, RecursionError):
            words = []
        if not words:
            unread.append(Unread(place, "the process shows no arguments"))
        else:
            workloads.append(_workload(match[1], words, texts))
    if not workloads and not unread:
        named = [text.source for text in texts] + [document.source for document in documents]
        unread = [Unread(Location(source), "expected a process") for source in named[:1]]
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def _workload(folder: str, words: Sequence[str], texts: Sequence[SourceText]) -> Workload:
    source = f"{folder}/cmdline"
    mine = [text for text in texts if text.source.startswith(f"{folder}/")]
    said = {text.source[len(folder) :]: text for text in mine}
    place = Location(source, path="argv[0]")
    probed = read_probes(mine)
    launch = Launch(
        argv=tuple(Token(word, Location(source, path=f"argv[{at}]")) for at, word in enumerate(words)),
        location=place,
        env={one.name: one for one in _variables(said.get("/environ"))},
        files={
            text.source: Content(text.text, Location(text.source, line=1, column=1))
            for text in texts
            if text.source.startswith("/") and not text.source.startswith("/proc/")
        },
        working_dir=said["/cwd"].text if "/cwd" in said else "",
    )
    release = engine_release((launch,), probed)
    if release is not None:
        launch = msgspec.structs.replace(launch, release=str(release.value))
        probed = (*probed, release)
    started = tuple(one for one in processes(launch) if one.argv) or (launch,)
    name = program_name(launch.argv)
    container = Container(
        name=name,
        launch=launch,
        processes=tuple(msgspec.structs.replace(one, release=launch.release) for one in started),
        observations=(*host_observations(launch), *probed),
    )
    return Workload(
        namespace="process",
        kind="Process",
        name=name,
        source=source,
        location=place,
        containers=(container,),
        observations=tuple(kind_observations("Process", place, 1, "platform-default")),
    )


def _variables(text: SourceText | None) -> Iterator[Variable]:
    for line in text.text.splitlines() if text is not None else ():
        name, tab, encoded = line.partition("\t")
        place = Location(text.source, path=name) if text is not None else Location("")
        if not tab:
            yield Variable(name, None, place, _HIDDEN)
            continue
        try:
            yield Variable(name, msgspec.json.decode(encoded, type=str), place)
        except msgspec.DecodeError:
            continue
