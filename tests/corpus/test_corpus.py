"""Real deployments, as people wrote them: all are read or refused with a reason, and spelling changes nothing.

A quick run takes the same sample each time; ASKEW_CORPUS=all takes every file.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.evidence.redaction import Redactor
from askew.report.model import Report
from tests.corpus import variants
from tests.corpus.files import SECONDS_PER_FILE, Sample, samples, some
from tests.corpus.search import beside
from tests.corpus.table import INJECTED, Table, outcomes


def test_every_file_is_read_or_refused_with_a_reason(shared: Path) -> None:
    read = 0
    for sample in samples(shared):
        began = time.monotonic()
        side = load(str(sample.path), "target", Redactor())
        assert time.monotonic() - began < SECONDS_PER_FILE, sample
        read += bool(side.snapshots or side.contracts)
        assert side.snapshots or side.contracts or side.errors, sample
        for error in side.errors:
            assert error.source and error.message and error.hint, (sample, error)
            assert "Traceback" not in error.message, (sample, error)
        for note in side.notes:
            assert ": " in note, (sample, note)
    assert read > 600


@pytest.mark.parametrize("kind", sorted(variants.OF))
def test_spelling_changes_nothing(shared: Path, tmp_path: Path, kind: str) -> None:
    tried = 0
    for sample in some([s for s in samples(shared) if s.kind == kind], 40):
        for name, left, right in pairs(sample, tmp_path):
            tried += 1
            for a, b in ((left, right), (right, left)):
                report = diff(str(a), str(b), Options())
                assert not findings(report), (sample, name, findings(report)[:3])
    assert tried > 10


def test_what_is_changed_is_found(shared: Path, tmp_path: Path) -> None:
    """`python -m tests.corpus.table ../shared` prints the whole table."""
    table = Table()
    for outcome in outcomes(some([s for s in samples(shared) if s.kind in INJECTED], 70), tmp_path):
        table.add(outcome)
    assert table.injected > 800
    assert table.found / table.injected >= 0.98, str(table)


def pairs(sample: Sample, folder: Path) -> list[tuple[str, Path, Path]]:
    """The file and every other spelling of it; none where it holds no workload or cannot be read whole."""
    side = load(str(sample.path), "target", Redactor())
    if not side.snapshots or side.errors:
        return []
    found = [("itself", sample.path, sample.path)]
    text = sample.path.read_text(encoding="utf-8")
    for number, (name, spelling) in enumerate(variants.OF[sample.kind](text)):
        other = beside(sample.path, folder / f"{sample.path.stem}-{number}")
        other.write_text(spelling, encoding="utf-8")
        found.append((name, sample.path, other))
    return found


def findings(report: Report) -> list[str]:
    """What a report finds or cannot read, in short."""
    return [f"{f.rule} {f.key}: {f.summary}" for w in report.workloads for f in w.findings] + [
        f"{error.source}: {error.message}" for error in report.errors
    ]
