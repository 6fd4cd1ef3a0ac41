"""The files of the research corpus that deployments are read from, and which of them a quick run takes."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path

# What a user would point a command at. Logs, metrics and model directories are other sources.
KINDS = frozenset(
    ("k8s-manifest", "live-dump", "compose", "systemd", "helm-values", "helm-chart", "engine-config", "modelspec")
)
# Some bounded work per file; the slowest file of the corpus takes a fifth of it on a slow machine.
SECONDS_PER_FILE = 10.0


class Sample:
    """A file of the corpus and what kind of file the index says it is."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.kind = kind

    def __repr__(self) -> str:
        return f"{self.kind} {self.path}"


def samples(shared: Path) -> list[Sample]:
    """Every file of the kinds above, in the order of their paths, each once."""
    corpus = shared / "corpus"
    found: dict[Path, Sample] = {}
    for line in (corpus / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["file"] and row["kind"] in KINDS:
            path = corpus / row["file"]
            found[path] = Sample(path, row["kind"])
    return [found[path] for path in sorted(found)]


def some(of: Sequence[Sample], count: int) -> list[Sample]:
    """The same ``count`` files on every run; all of them with ASKEW_CORPUS=all."""
    if os.environ.get("ASKEW_CORPUS") == "all" or len(of) <= count:
        return list(of)
    return sorted(random.Random(20260201).sample(of, count), key=lambda sample: sample.path)
