"""``init`` and ``lock`` of real workloads: what was written agrees with its source, and a changed source does not."""

from __future__ import annotations

from pathlib import Path

from askew.app.load import load
from askew.app.pipeline import Options, check
from askew.contract import lock, modelspec
from askew.evidence.redaction import Redactor
from askew.report.model import Report
from tests.corpus.files import Sample, samples, some
from tests.corpus.inject import stated
from tests.corpus.search import beside
from tests.corpus.table import INJECTED


def sources(shared: Path, count: int) -> list[Sample]:
    return some([s for s in samples(shared) if s.kind in INJECTED], count)


def differences(report: Report) -> list[str]:
    found = [f for w in report.workloads for f in w.findings if f.kind == "difference"]
    return [f"{f.rule} {f.key}: {f.summary}" for f in found] + [
        f"{e.source}:{e.line}: {e.message}" for e in report.errors
    ]


def test_a_source_agrees_with_its_lock(shared: Path, tmp_path: Path) -> None:
    checked = 0
    place = tmp_path / "askew.lock"
    for sample in sources(shared, 120):
        side = load(str(sample.path), "target", Redactor())
        if side.snapshots and not side.errors:
            text = lock.write(side.snapshots)
            assert text == lock.write(load(str(sample.path), "target", Redactor()).snapshots), sample
            place.write_text(text, encoding="utf-8")
            found = differences(check(str(sample.path), str(place), Options()))
            assert not found, (sample, found)
            checked += 1
    assert checked > 20


def test_a_source_agrees_with_its_contract(shared: Path, tmp_path: Path) -> None:
    checked = 0
    place = tmp_path / "modelspec.yaml"
    for sample in sources(shared, 120):
        side = load(str(sample.path), "target", Redactor())
        if len(side.snapshots) == 1 and not side.errors:
            place.write_text(modelspec.write(side.snapshots[0]), encoding="utf-8")
            found = differences(check(str(sample.path), str(place), Options()))
            assert not found, (sample, found)
            checked += 1
    assert checked > 20


def test_a_lock_is_broken_by_what_is_changed(shared: Path, tmp_path: Path) -> None:
    tried, missed = 0, []
    place = tmp_path / "askew.lock"
    for sample in sources(shared, 40):
        side = load(str(sample.path), "target", Redactor())
        text = sample.path.read_text(encoding="utf-8")
        if not side.snapshots or side.errors or "\r" in text:
            continue
        place.write_text(lock.write(side.snapshots), encoding="utf-8")
        changed = beside(sample.path, tmp_path / "changed")
        for injection in list(stated(side, text))[:12]:
            if injection.removed:
                continue
            changed.write_text(injection.text, encoding="utf-8")
            report = check(str(changed), str(place), Options())
            tried += 1
            found = [f for w in report.workloads for f in w.findings if f.rule == injection.facts[0]]
            if not any(f.key == injection.key and f.target and f.target.value == injection.new for f in found):
                missed.append(f"{sample}: {injection.facts[0]} {injection.key}: {injection.what}")
    assert tried > 100
    assert len(missed) <= tried * 0.02, "\n".join(missed)
