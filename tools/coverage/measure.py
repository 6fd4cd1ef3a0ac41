"""Reads every file of a corpus and counts."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from askew.app import registry
from askew.app.load import Side, load
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import FACTS
from askew.resolve.workload import Snapshot

ENGINES = registry.engine_names()
KINDS = (
    "k8s-manifest",
    "live-dump",
    "compose",
    "systemd",
    "modelspec",
    "helm-chart",
    "helm-values",
    "engine-config",
    "model-config",
)
STATES = ("known", "absent", "unknown", "unsupported", "not seen")
_PLACE = re.compile(r"(?:^|(?<=\s))\S+?:\d+(?::\d+)?: ")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|<[^<>]*>")


class Launches(msgspec.Struct):
    """The launches of one engine: arguments and variables understood and not, and the states of the facts."""

    count: int = 0
    mapped: int = 0
    unmapped: list[tuple[str, str]] = []
    variables: int = 0
    strange: list[tuple[str, str]] = []
    facts: dict[str, Counter[str]] = {}

    @property
    def share(self) -> float:
        """Share of arguments and variables that a table knows, as a fact or as declared irrelevant; 1 where there are
        none."""
        known = self.mapped + self.variables
        total = known + len(self.unmapped) + len(self.strange)
        return known / total if total else 1.0


class Files(msgspec.Struct):
    """The files of one kind."""

    read: int = 0
    partly: int = 0
    refused: Counter[str] = msgspec.field(default_factory=Counter)


class Measured(msgspec.Struct):
    """Everything that the page says."""

    launches: dict[str, Launches]
    files: dict[str, Files]
    workloads: Counter[str] = msgspec.field(default_factory=Counter)


def measure(corpus: Path) -> Measured:
    """Read the files that ``index.jsonl`` of ``corpus`` names: ``{"file": path, "kind": kind}`` a line."""
    found = Measured(
        launches={name: Launches(unmapped=[], strange=[], facts=_counters()) for name in ENGINES}, files={}
    )
    for path, kind in _files(corpus):
        side = load(str(corpus / path), "target", Redactor())
        files = found.files.setdefault(kind, Files())
        if side.snapshots or side.contracts:
            files.read += 1
            files.partly += bool(side.errors)
        else:
            files.refused[reason(side, path)] += 1
        for snapshot in side.snapshots:
            name = snapshot.engine.name if snapshot.engine is not None else ""
            found.workloads[name] += 1
            if name in ENGINES:
                _launch(snapshot, found.launches[name], corpus)
    return found


def _counters() -> dict[str, Counter[str]]:
    return {key: Counter() for key, fact in FACTS.items() if fact.milestone == 1 and fact.compared}


def _files(corpus: Path) -> Iterator[tuple[str, str]]:
    with (corpus / "index.jsonl").open(encoding="utf-8") as index:
        rows = [json.loads(line) for line in index]
    named = {row["file"]: row["kind"] for row in rows if row["file"] and row["kind"] in KINDS}
    yield from sorted(named.items())


def _launch(snapshot: Snapshot, launches: Launches, corpus: Path) -> None:
    assert snapshot.engine is not None
    launches.count += 1
    if snapshot.launch is not None:
        reading = registry.engine(snapshot.engine.name).read(snapshot.launch)
        launches.mapped += reading.mapped
        texts = snapshot.facts.get("runtime.arguments.unmapped")
        for name in reading.unmapped:
            entry = texts.entries.get(name) if texts is not None else None
            places = entry.locations if entry is not None and entry.locations else (snapshot.launch.location,)
            launches.unmapped.append((name, _short(f"{places[0].source}:{places[0].line}", corpus)))
        launches.variables += reading.variables
        for name in reading.strange:
            place = snapshot.launch.env[name].location
            launches.strange.append((name, _short(f"{place.source}:{place.line}", corpus)))
    for key, counter in launches.facts.items():
        resolved = snapshot.facts.get(key)
        state = "not seen" if resolved is None else "known" if resolved.state == "redacted" else resolved.state
        counter[state] += 1


def _short(place: str, corpus: Path) -> str:
    return os.path.relpath(place, corpus).removeprefix("files/")


def reason(side: Side, path: str) -> str:
    """Why nothing of a file is compared, without what belongs to this file alone."""
    message = side.errors[0].message
    if "; it holds " in message:
        head, _, kinds = message.partition("; it holds ")
        return f"{head}; it holds {kinds.split(', ')[0]}" + (" and others" if ", " in kinds else "")
    if message.startswith("no workload found; ") and side.notes:
        message = "no workload found: " + side.notes[0]
    return _QUOTED.sub("…", _PLACE.sub("", message))[:110].strip()


def totals(launches: Launches) -> dict[str, Counter[str]]:
    """The states of the facts of one engine, by category."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, counter in launches.facts.items():
        found[key.split(".", 1)[0]].update(counter)
    return found
