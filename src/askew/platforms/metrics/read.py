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
_TAKEN = re.compile(r"(.+)#at=(\d{1,12}(?:\.\d{1,9})?)", re.DOTALL)
_SERVER = "prometheus:"


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """One workload of all texts of a source: they are of one endpoint, or of the replicas that a server knows."""
    told: list[Told] = []
    unread: list[Unread] = []
    for text in texts:
        found = _TAKEN.fullmatch(text.source)
        source, at = (found[1], float(found[2])) if found is not None else (text.source, 0.0)
        if not text.source.startswith(_SERVER):
            found_none, refused = _looked_at(text.text, source)
            unread.extend(refused)
            if found_none:
                continue
        else:
            source, at = text.source, 0.0
        told.append(Told(kind="metrics", name=os.path.basename(source), source=source, text=text.text, at=at))
    if not told:
        return PlatformReading(unread=tuple(unread))
    first = told[0].source
    namespace, name = _named(first)
    workload = Workload(
        namespace=namespace,
        kind=KIND,
        name=name,
        source=first,
        location=Location(first, line=0 if first.startswith(_SERVER) else 1),
        told=tuple(told),
    )
    return PlatformReading(workloads=(workload,), unread=tuple(unread))


def _looked_at(text: str, source: str) -> tuple[bool, list[Unread]]:
    """Whether a text has no sample at all, and the lines that are none. Samples are read later, by who wants them."""
    names: set[str] = set()

    def seen(name: str) -> bool:
        names.add(name)
        return False

    dump = parse(text, seen)
    if not names and not dump.problems:
        return True, [Unread(Location(source, line=1, column=1), _NONE)]
    if not dump.problems:
        return False, []
    first = dump.problems[0]
    more = f" ({dump.refused:,} lines could not be read)" if dump.refused > 1 else ""
    return not names, [Unread(Location(source, line=first.line, column=1), first.message + more)]


_NONE = "expected metrics in Prometheus' text format, found only comments"


# Labels that name what is measured, the best first, with the value that was asked for.
_ASKED = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)=~?"((?:[^"\\]|\\.)*)"')
_BY = ("deployment", "statefulset", "service", "app", "job", "pod", "model_name", "instance")


def _named(source: str) -> tuple[str, str]:
    """A namespace and a name for what is measured: those of the labels that were asked for, or that of the dump."""
    if not source.startswith(_SERVER):
        return "", os.path.splitext(os.path.basename(source))[0] or source
    address, _, query = source.removeprefix(_SERVER).partition(" ")
    labels = {label.removeprefix("exported_"): value for label, value in _ASKED.findall(query)}
    name = next((labels[label] for label in _BY if label in labels), address)
    return labels.get("namespace", ""), name
