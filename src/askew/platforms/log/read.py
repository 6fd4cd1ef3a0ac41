"""A log that someone captured: what the engines of one workload said when they started."""

from __future__ import annotations

import os.path
from collections.abc import Sequence

from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.evidence.speakers import SPEAKER
from askew.evidence.told import Told
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.resolve.workload import Workload

KIND = "Log"
_MOST = 64  # pods of one log; each has a text of its own with as many lines
_LONGEST_LEAD = 200  # lines without a speaker before the first one with


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """One workload for each log."""
    workloads: list[Workload] = []
    unread: list[Unread] = []
    for one in texts:
        told, left = _told(one)
        place = Location(one.source, line=1)
        name = os.path.basename(one.source).partition(".")[0] or "log"
        workloads.append(
            Workload(namespace="files", kind=KIND, name=name, source=one.source, location=place, told=told)
        )
        if left:
            unread.append(Unread(place, f"{left} more pods write into this log; {_MOST} were read"))
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def _told(one: SourceText) -> tuple[tuple[Told, ...], int]:
    """What each pod and container says, every line at its own number, and how many were left out."""
    name = os.path.basename(one.source) or one.source
    if not _several(one.text):
        return (Told(kind="log", name=name, source=one.source, text=one.text),), 0
    shares: dict[tuple[str, str], list[str]] = {}
    left: set[tuple[str, str]] = set()
    lines = one.text.split("\n")
    ends = one.text.endswith("\n")
    for number, line in enumerate(lines):
        match = SPEAKER.match(line)
        if match is None:
            continue
        who = (match["pod"] or match["service"] or "", match["container"] or "")
        share = shares.get(who)
        if share is None:
            if len(shares) >= _MOST:
                left.add(who)
                continue
            share = shares[who] = []
        share.extend([""] * (number - len(share)))
        share.append(" " * match.end() + line[match.end() :])
    whole = len(lines) - 1
    return tuple(
        Told(
            kind="log",
            name=name,
            source=one.source,
            text="\n".join(share) + ("\n" if ends or len(share) <= whole else ""),
            replica=pod,
            container=container,
        )
        for (pod, container), share in shares.items()
    ), len(left)


def _several(text: str) -> bool:
    """Whether lines say who wrote them: the first ones that are not empty do."""
    found = seen = start = 0
    while seen < _LONGEST_LEAD and start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start : min(end, start + 400)]
        if line.strip():
            seen += 1
            found += SPEAKER.match(line) is not None
        start = end + 1
    return found > 0 and found * 2 >= seen
