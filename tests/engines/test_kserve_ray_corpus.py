"""How much of real manifests of KServe and Ray Serve the tables know, read as a user's are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from askew.app import registry
from askew.app.load import load
from askew.evidence.redaction import Redactor
from askew.resolve.workload import Snapshot


def snapshots(shared: Path, tag: str, engine: str) -> Iterator[Snapshot]:
    with (shared / "corpus" / "index.jsonl").open(encoding="utf-8") as index:
        entries = [json.loads(line) for line in index]
    for entry in entries:
        path = shared / "corpus" / (entry.get("file") or "")
        if tag in (entry.get("engines") or ()) and path.suffix in (".yaml", ".yml", ".json"):
            side = load(str(path), "target", Redactor())
            yield from (one for one in side.snapshots if one.engine is not None and one.engine.name == engine)


@pytest.mark.parametrize(("engine", "least"), [("kserve", 30), ("ray-serve", 20)])
def test_what_real_manifests_write_is_known(shared: Path, engine: str, least: int) -> None:
    mapped, unmapped, strange, read = 0, Counter[str](), Counter[str](), 0
    variables = 0
    for snapshot in snapshots(shared, engine, engine):
        assert snapshot.launch is not None
        reading = registry.engine(engine).read(snapshot.launch)
        read += 1
        mapped, variables = mapped + reading.mapped, variables + reading.variables
        unmapped.update(reading.unmapped)
        strange.update(reading.strange)
    assert read >= least and mapped > 100
    assert sum(unmapped.values()) <= 0.03 * (mapped + sum(unmapped.values())), unmapped
    assert sum(strange.values()) <= 0.03 * max(variables, 1), strange


def test_vllm_beneath_is_seen(shared: Path) -> None:
    for engine, fact in (("kserve", "runtime.max_model_len"), ("ray-serve", "runtime.max_model_len")):
        assert any(one.facts[fact].state == "known" for one in snapshots(shared, engine, engine) if fact in one.facts)


def test_metrics_of_a_running_server_are_those_of_the_release(shared: Path) -> None:
    from askew.engines import versions

    recorded = (shared / "recordings" / "kserve-0.21.0" / "metrics.http").read_text(encoding="utf-8")
    named = {line.split()[2] for line in recorded.splitlines() if line.startswith("# HELP request_")}
    newest = versions.load("kserve", versions.releases("kserve")[-1])
    assert newest is not None
    assert {name for name in named if not name.endswith("_created")} == set(newest.metrics)
