"""``python -m tests.corpus.table SHARED``: every injection over every file, as a table, with what was missed."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.corpus.files import Sample, samples
from tests.corpus.search import Outcome, beside, search

INJECTED = frozenset(("k8s-manifest", "live-dump", "compose", "systemd"))


def outcomes(of: Iterable[Sample], folder: Path) -> Iterator[Outcome]:
    """Every injection into these files, with what became of it."""
    for sample in of:
        if sample.kind in INJECTED:
            yield from search(sample, beside(sample.path, folder / "changed"))


class Table:
    """Outcomes counted by fact. Settings whose removal changes nothing are no injections."""

    def __init__(self) -> None:
        self.rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.missed: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        injection = outcome.injection
        how = "removed" if injection.removed else "changed" if injection.valued else "changed in place"
        found = outcome.verdict in ("found", "equal")
        self.rows[f"{injection.facts[0]}, {how}"][outcome.verdict if found else "missed"] += 1
        if not found:
            self.missed.append(outcome)

    @property
    def injected(self) -> int:
        return sum(row["found"] + row["missed"] for row in self.rows.values())

    @property
    def found(self) -> int:
        return sum(row["found"] for row in self.rows.values())

    def __str__(self) -> str:
        lines = [f"{'injected':>8} {'found':>8}  fact"]
        for name, row in sorted(self.rows.items()):
            lines.append(f"{row['found'] + row['missed']:>8} {row['found']:>8}  {name}")
        lines.append(f"{self.injected:>8} {self.found:>8}  {self.found / max(1, self.injected):.2%}")
        for missed in self.missed:
            place = f"{missed.path}:{missed.injection.lines[0]}"
            lines.append(f"{missed.verdict}: {', '.join(missed.injection.facts)}: {missed.injection.what} ({place})")
        return "\n".join(lines)


def main() -> int:
    """Print the table for the corpus below the directory that is named."""
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        for outcome in outcomes(samples(Path(sys.argv[1])), Path(folder)):
            table.add(outcome)
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
