"""``askew defaults`` as its users see it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

import askew.report
from tests.cli.snapshot import same


def test_text(askew):
    ran = askew("defaults", "vllm", "0.8.4", "0.8.5")
    assert ran.code == 0
    same(ran.everything, "defaults.txt")


def test_json_is_what_the_schema_says(askew):
    ran = askew("defaults", "vllm", "v0.7.3", "v0.8.0", "--format", "json")
    assert ran.code == 0
    found = json.loads(ran.out)
    schema = json.loads((Path(askew_schemas()) / "defaults.v1.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(found)
    assert (found["schema"], found["old"], found["new"]) == ("askew/defaults/v1", "0.7.3", "0.8.0")
    severities = [one["severity"] for one in found["changes"]]
    assert severities == sorted(severities, key=["critical", "high", "medium", "low", "info"].index)


def askew_schemas() -> Path:
    return Path(askew.report.__file__).parent / "schemas"


def test_what_is_new_is_folded_unless_asked_for(askew):
    plain = askew("defaults", "vllm", "0.8.2", "0.8.3").out
    verbose = askew("defaults", "vllm", "0.8.2", "0.8.3", "--verbose").out
    assert "INFO  --data-parallel-size" not in plain and "--data-parallel-size" in plain
    assert "INFO  --data-parallel-size" in verbose


def test_a_release_that_does_not_exist(askew):
    ran = askew("defaults", "vllm", "0.7.9", "0.8.0")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "askew: vllm '0.7.9' is not in this build\n  hint: nearest: 0.7.3, 0.8.0\n"


def test_nothing_changes(askew):
    ran = askew("defaults", "ollama", "v0.9.0", "0.9.0")
    assert (ran.code, ran.out) == (0, "ollama 0.9.0 → 0.9.0\nno change that this build knows of\n")


def test_it_writes_to_a_file(askew, tmp_path):
    ran = askew("defaults", "vllm", "0.19.0", "0.20.0", "-o", str(tmp_path / "out.txt"))
    assert (ran.code, ran.out) == (0, "")
    assert "0.9 → 0.92" in (tmp_path / "out.txt").read_text(encoding="utf-8")
