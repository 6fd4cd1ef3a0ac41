"""Run injections against ``diff`` and say which were found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from askew.app.load import Side, load
from askew.app.pipeline import Options, diff
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import FACTS
from askew.findings.finding import Finding
from askew.report.model import Report
from tests.corpus.files import Sample
from tests.corpus.inject import Injection, stated, structural


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one injection: ``verdict`` is ``found``, ``equal`` (nothing changes what the engine does: the
    default, or another source, is the same), or how it was missed."""

    path: Path
    injection: Injection
    verdict: str
    other: tuple[str, ...] = ()


def beside(path: Path, folder: Path) -> Path:
    """A place for another version of ``path``, with the files around that it refers to (``.env``)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in os.listdir(path.parent):
        if name.endswith((".env", ".yaml", ".yml", ".sh")) and name != path.name:
            shutil.copyfile(path.parent / name, folder / name)
    return folder / path.name


def search(sample: Sample, place: Path) -> Iterator[Outcome]:
    """Inject everything into one file, written in turn to ``place``, and look for each."""
    side = load(str(sample.path), "target", Redactor())
    if not side.snapshots or side.errors:
        return
    text = sample.path.read_text(encoding="utf-8")
    if "\r" in text:
        return
    seen: set[tuple[str, tuple[str, ...], str | None]] = set()
    kinds = [stated] if sample.kind in ("compose", "systemd") else [stated, structural]
    for kind in kinds:
        for injection in kind(side, text):
            once = (injection.text, injection.facts, injection.key)
            if once not in seen:
                seen.add(once)
                yield _outcome(sample, place, injection, side)


def _outcome(sample: Sample, place: Path, injection: Injection, before: Side) -> Outcome:
    place.write_text(injection.text, encoding="utf-8")
    report = diff(str(sample.path), str(place), Options())
    found = [f for w in report.workloads for f in w.findings]
    about = [
        f for f in found if f.rule in injection.facts and injection.key in (None, f.key, "" if not f.key else f.key)
    ]
    other = tuple(sorted({f.rule for f in found if f.rule not in injection.facts}))
    return Outcome(
        path=sample.path, injection=injection, verdict=_verdict(injection, about, report, place, before), other=other
    )


def _verdict(injection: Injection, about: list[Finding], report: Report, place: Path, before: Side) -> str:
    if report.errors:
        return f"not read: {report.errors[0].message}"
    if not about:
        return "equal" if injection.removed and _same_without(injection, place) else "not found"
    if not any(_points_at(f, injection) for f in about):
        return "other line"
    if injection.valued and not any(_shows(f, injection) for f in about):
        return "other value"
    return "found"


def _points_at(finding: Finding, injection: Injection) -> bool:
    sides = (finding.reference,) if injection.removed else (finding.reference, finding.target)
    for side in sides:
        if side is None or (side.state != "absent" and not any(at.line in injection.lines for at in side.locations)):
            return False
    return True


def _shows(finding: Finding, injection: Injection) -> bool:
    a, b = finding.reference, finding.target
    return a is not None and b is not None and a.value == injection.old and b.value == injection.new


def _same_without(injection: Injection, place: Path) -> bool:
    """Whether the workload still has the value of a setting that was taken out."""
    key = injection.key or ""
    for snapshot in load(str(place), "target", Redactor()).snapshots:
        resolved = snapshot.facts.get(injection.facts[0])
        if snapshot.id == injection.workload and resolved is not None:
            entry = resolved.entries.get(key) if key else resolved
            fact = FACTS[injection.facts[0]]
            return entry is not None and entry.state == "known" and fact.type.same(entry.value, injection.old)
    return False
