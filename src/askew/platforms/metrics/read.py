"""Metrics of a running engine to a workload that tells what it measured."""

from __future__ import annotations

import os.path
import re
from collections.abc import Sequence

from askew.evidence.document import Document
from askew.evidence.exposition import parse
from askew.evidence.location import Location
from askew.evidence.told import Told
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.resolve.workload import Workload

KIND = "Metrics"
# How the collector marks when a dump was taken: after its name, in seconds.
_TAKEN = re.compile(r"(.+)@(\d{1,12}(?:\.\d{1,9})?)", re.DOTALL)
_SERVER = "prometheus:"
_HEAD = 200_000  # characters in which a dump shows that it is one


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """One workload of all texts of a source: they are of one endpoint, or of the replicas that a server knows."""
    told: list[Told] = []
    unread: list[Unread] = []
    for text in texts:
        found = _TAKEN.fullmatch(text.source)
        source, at = (found[1], float(found[2])) if found is not None else (text.source, 0.0)
        if not text.source.startswith(_SERVER):
            sample = parse(text.text[:_HEAD], most=1)
            if not sample.samples:
                line, message = (sample.problems[0].line, sample.problems[0].message) if sample.problems else (1, _NONE)
                unread.append(Unread(Location(source, line=line, column=1), message))
                continue
        else:
            source, at = text.source, 0.0
        told.append(Told(kind="metrics", name=os.path.basename(source), source=source, text=text.text, at=at))
    if not told:
        return PlatformReading(unread=tuple(unread))
    first = told[0].source
    workload = Workload(
        namespace="",
        kind=KIND,
        name=_name(first),
        source=first,
        location=Location(first, line=0 if first.startswith(_SERVER) else 1),
        told=tuple(told),
    )
    return PlatformReading(workloads=(workload,), unread=tuple(unread))


_NONE = "expected metrics in Prometheus' text format, found only comments"


def _name(source: str) -> str:
    """A name for what is measured: that of the dump, or what was asked of the server."""
    if source.startswith(_SERVER):
        return source.removeprefix(_SERVER).partition(" ")[0]
    return os.path.splitext(os.path.basename(source))[0] or source
