"""A lock says everything, the same everywhere, and gives no secret away."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from askew.compare.compare import compare
from askew.contract.lock import read, write
from askew.contract.schema import lock_schema
from askew.evidence.redaction import Redactor
from tests.contract.manifests import DEPLOYMENT, document, only, snapshots

SECRET = "correct-horse-battery-staple"


def differences(text: str, folder: Path) -> list[tuple[str, str]]:
    """What a deployment differs in from the lock of DEPLOYMENT."""
    lock = only(read(document(write(snapshots(DEPLOYMENT, folder)), "askew.lock")))
    (target,) = snapshots(text, folder, "now.yaml")
    return [(d.fact.key, d.key) for d in compare(lock.snapshot, target).differences]


def test_what_was_locked_is_silent(tmp_path: Path) -> None:
    assert differences(DEPLOYMENT, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("--dtype=bfloat16", "--dtype=float16", ("runtime.dtype", "")),
        ("            - --generation-config=vllm\n", "", ("runtime.generation_config", "")),
        ("--port=8000\n", "--port=8000\n            - --enforce-eager\n", ("runtime.enforce_eager", "")),
        ("--port=8000\n", "--port=8000\n            - --brand-new\n", ("runtime.arguments.unmapped", "--brand-new")),
        ('value: "8"', 'value: "4"', ("runtime.env", "OMP_NUM_THREADS")),
        ("memory: 64Gi, nv", "memory: 65Gi, nv", ("orchestration.resources.memory.bytes", "limit")),
        ("HBM3", "HBM3-SHARED", ("orchestration.node_selector", "nvidia.com/gpu.product")),
        ("timeoutSeconds: 5", "timeoutSeconds: 6", ("orchestration.probe.readiness", "timeout")),
        ("replicas: 2", "replicas: 1", ("orchestration.replicas.min", "")),
    ],
)
def test_any_change_breaks_it(old: str, new: str, expected: tuple[str, str], tmp_path: Path) -> None:
    assert old in DEPLOYMENT
    assert expected in differences(DEPLOYMENT.replace(old, new), tmp_path)


def test_a_secret_is_locked_as_present_only(tmp_path: Path) -> None:
    text = write(snapshots(DEPLOYMENT, tmp_path))
    assert SECRET not in text
    assert "redacted:" not in text
    assert 'VLLM_DP_TOKEN: {"state": "redacted"' in text
    assert differences(DEPLOYMENT.replace(SECRET, "another-secret-altogether"), tmp_path) == []
    gone = DEPLOYMENT.replace(f"            - {{name: VLLM_DP_TOKEN, value: {SECRET}}}\n", "")
    assert differences(gone, tmp_path) == [("runtime.env", "VLLM_DP_TOKEN")]


def test_the_bytes_depend_on_neither_folder_nor_key_nor_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = DEPLOYMENT.replace("name: llm,", "name: llm-b,")
    found = snapshots(DEPLOYMENT + "---\n" + other, tmp_path, redactor=Redactor(b"1" * 32))
    absolute = write(found)
    assert write(found[::-1]) == absolute
    monkeypatch.chdir(tmp_path)
    from askew.app.load import load

    assert write(load("deploy.yaml", "target", Redactor(b"2" * 32)).snapshots) == absolute
    assert write(load("./deploy.yaml", "target", Redactor()).snapshots) == absolute
    assert os.fspath(tmp_path) not in absolute


def test_the_schema_holds_for_what_is_written_and_is_the_published_one(tmp_path: Path) -> None:
    schema = msgspec.json.decode(lock_schema())
    validator = Draft202012Validator(schema)
    locked = msgspec.yaml.decode(write(snapshots(DEPLOYMENT, tmp_path)))
    assert list(validator.iter_errors(locked)) == []
    locked["workloads"][0]["facts"]["runtime.dtype"]["value"] = 16
    locked["workloads"][0]["facts"]["runtime.max_model_len"]["origin"] = "rumour"
    assert len(list(validator.iter_errors(locked))) == 2
    published = Path(__file__).parents[2] / "src/askew/contract/schemas/lock.v1.json"
    assert published.read_text(encoding="utf-8") == lock_schema()


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("askew/lock/v1", "askew/lock/v9", "askew/lock/v9", "upgrade"),
        ("kind: Deployment", "sort: Deployment", "workloads[0].kind", "anew"),
        ('"value": "bfloat16"', '"value": "banana"', "runtime.dtype", "anew"),
        ('"state": "known", "value": 16384', '"state": "maybe", "value": 16384', "to be one of known", "anew"),
        ('"value": 16384, ', "", "has a field value", "anew"),
        ("    facts:\n", "    facts: 3\n    others:\n", "expected a mapping", "anew"),
    ],
)
def test_a_damaged_lock_is_refused_with_its_place(old: str, new: str, message: str, hint: str, tmp_path: Path) -> None:
    text = write(snapshots(DEPLOYMENT, tmp_path))
    assert old in text
    contracts, (invalid,) = read(document(text.replace(old, new), "askew.lock"))
    assert contracts == ()
    assert message in invalid.message
    assert hint in invalid.hint
    assert invalid.location.source == "askew.lock"
    assert invalid.location.line


def test_a_fact_of_a_newer_vocabulary_is_passed_over(tmp_path: Path) -> None:
    text = write(snapshots(DEPLOYMENT, tmp_path))
    newest = 'aaa.not.yet: {"state": "known", "value": 1, "origin": "explicit"}'
    newer = text.replace("    facts:\n", f"    facts:\n      {newest}\n")
    assert newer != text
    facts = only(read(document(newer, "askew.lock"))).snapshot.facts
    assert facts.keys() == only(read(document(text, "askew.lock"))).snapshot.facts.keys()


def test_a_lock_keeps_unknowns_with_their_reasons(tmp_path: Path) -> None:
    facts = only(read(document(write(snapshots(DEPLOYMENT, tmp_path)), "askew.lock"))).snapshot.facts
    (original,) = snapshots(DEPLOYMENT, tmp_path)
    assert facts["runtime.quantization"].reason == original.facts["runtime.quantization"].reason != ""
    assert {k: (r.state, r.origin) for k, r in facts.items()} == {
        k: (r.state, r.origin) for k, r in original.facts.items()
    }


def test_every_workload_of_the_corpus_agrees_with_its_lock(shared: Path) -> None:
    from askew.app.load import load

    files = sorted((shared / "corpus" / "files").rglob("*.yaml"))[::40]
    assert len(files) > 40
    locked = 0
    for path in files:
        redactor = Redactor()
        found = load(str(path), "target", redactor).snapshots
        if not found:
            continue
        contracts, invalid = read(document(write(found), "askew.lock", redactor))
        assert not invalid, (path, invalid)
        by_id = {c.snapshot.id: c.snapshot for c in contracts}
        for snapshot in found:
            assert compare(by_id[snapshot.id], snapshot).differences == (), path
            locked += 1
    assert locked > 20
