"""What bad input gets: one clear message with its place and a hint, exit 2, and never a traceback."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import INPUTS, Askew

GOOD = (INPUTS / "last-good.yaml").read_text()
HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llm}\n"


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines) + "\n"


# name, what the file holds, the place and a word of the message.
CASES: tuple[tuple[str, bytes, str, str], ...] = (
    ("syntax.yaml", HEAD.encode() + b"spec:\n  a: [1, 2\n  b: 3\n", r":\d+:\d+: ", "expected"),
    ("syntax.json", b'{"kind": "Deployment",\n "spec": ]', r":2:\d+: ", "expected"),
    ("tabs.yaml", b"kind: Deployment\n\tspec: 1\n", r":2:\d+: ", "tab"),
    ("empty.yaml", b"", r": ", "empty"),
    ("blank.yaml", b"\n\n# nothing\n---\n", r": ", "holds nothing|no document|empty|only comments"),
    ("scalar.yaml", b"just some words\n", r":1:1: ", "plain text"),
    ("binary.yaml", b"\x7fELF\x00\x01\x02" * 50, r":1", "binary"),
    ("gzip.yaml", b"\x1f\x8b\x08\x00\x00\x00\x00\x00" * 20, r":1", "binary|UTF-8|compressed|gzip"),
    ("latin.yaml", "kind: Deployment\nname: caf\xe9\n".encode("latin-1"), r":2", "UTF-8"),
    ("bomb.yaml", bomb().encode(), r":\d+:\d+: ", "alias"),
    ("deep.yaml", b"[" * 20_000 + b"]" * 20_000, r":1:\d+: ", "deep|nest|level"),
    ("deep.json", b'{"a":' * 20_000 + b"1" + b"}" * 20_000, r":1:\d+: ", "deep|nest|level"),
    ("tag.yaml", b"kind: Deployment\nspec: !!python/object/apply:os.system [id]\n", r":2:\d+: ", "tag"),
    ("other-kind.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n", r": ", "ConfigMap"),
    ("wrong-spec.yaml", HEAD.encode() + b"spec: [1, 2]\n", r"", "spec|no workload"),
)


def refused(askew: Askew, *words: str) -> str:
    """The message of a command that must refuse its input."""
    began = time.monotonic()
    ran = askew(*words)
    assert time.monotonic() - began < 10
    assert ran.code == 2, ran.everything
    assert "Traceback" not in ran.everything and "internal error" not in ran.everything
    assert ran.err.startswith("askew: ")
    assert "\n  hint: " in ran.err
    return ran.err


@pytest.mark.parametrize(("name", "content", "place", "message"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("command", ["diff", "check", "facts", "init", "lock"])
def test_bad_files(
    askew: Askew, tmp_path: Path, command: str, name: str, content: bytes, place: str, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    words = {"diff": ("diff", "last-good.yaml", str(path)), "check": ("check", str(path))}.get(command)
    err = refused(askew, *(words or (command, str(path), *(("-o", "-") if command != "facts" else ()))))
    assert name in err
    if command not in ("init", "lock"):
        assert re.search(re.escape(name) + place, err), err
    assert re.search(message, err), err


def test_duplicate_keys_are_named(askew: Askew, tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(GOOD.replace("  replicas: 2\n", "  replicas: 2\n  replicas: 5\n"))
    line = path.read_text().splitlines().index("  replicas: 5") + 1
    ran = askew("diff", "last-good.yaml", str(path))
    assert ran.code == 2
    assert f"twice.yaml:{line}:3: the key 'replicas' is set twice" in ran.err and "hint: " in ran.err
    assert "orchestration.replicas.min: 2 → 5" in ran.out


def test_a_precision_that_nothing_stands_for_is_unknown_and_listed(askew: Askew, tmp_path: Path) -> None:
    text = (INPUTS / "contracts" / "chat.modelspec.yaml").read_text()
    spec = tmp_path / "chat.modelspec.yaml"
    spec.write_text(text.replace("precision: bf16", "precision: banana"))
    report = json.loads(askew("check", "last-good.yaml", "--against", str(spec), "--format", "json").out)
    (workload,) = report["workloads"]
    assert report["verdict"] == "incomplete"
    assert [u["fact"] for u in workload["unknown"] if "banana" in u["reason"]] == ["runtime.dtype"]


def test_the_tags_of_compose_files_are_its_own(askew: Askew, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text((INPUTS / "compose.yaml").read_text().replace('ports: ["30000:30000"]', "ports: !reset []"))
    assert askew("diff", str(path), str(path)).code == 0


def test_a_hundred_megabytes_of_junk(askew: Askew, tmp_path: Path) -> None:
    path = tmp_path / "junk.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    assert "junk.yaml" in refused(askew, "check", str(path))
    assert "junk.yaml" in refused(askew, "check", str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file(askew: Askew, tmp_path: Path) -> None:
    path = tmp_path / "closed.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    assert "closed.yaml" in refused(askew, "check", str(path))


def test_an_unreadable_file_as_the_system_reports_it(
    askew: Askew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "closed.yaml"
    path.write_text(GOOD)
    real = os.open

    def denied(target: str, *arguments: int) -> int:
        if str(target) == str(path):
            raise PermissionError(13, "Permission denied", target)
        return real(target, *arguments)

    monkeypatch.setattr(os, "open", denied)
    assert re.search(r"closed\.yaml: .*permission", refused(askew, "check", str(path)), re.IGNORECASE)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: (p / "x").mkdir(parents=True)])
def test_nothing_where_something_was_named(askew: Askew, tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "manifests"
    make(path)
    assert "manifests" in refused(askew, "check", str(path))


def test_a_directory_without_workloads(askew: Askew, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: c}\n")
    assert re.search("no workload found; it holds Service", refused(askew, "check", str(tmp_path)))


def test_one_bad_file_hides_no_good_one(askew: Askew, tmp_path: Path) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "good.yaml").write_text(GOOD)
    (tmp_path / "b" / "good.yaml").write_text(GOOD.replace("bfloat16", "float16"))
    (tmp_path / "b" / "bad.yaml").write_text("kind: [Deployment\n")
    ran = askew("diff", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "json")
    assert ran.code == 2
    report = json.loads(ran.out)
    assert [s["status"] for s in report["sources"]] == ["complete", "partial"]
    assert [f["rule"] for w in report["workloads"] for f in w["findings"]] == ["runtime.dtype"]
    (error,) = report["errors"]
    assert error["source"].endswith("bad.yaml") and error["line"] and error["message"] and error["hint"]


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("count: 2", "count: two", "spec.runtime.accelerator.count", "two"),
        ("    accelerator:", "    acelerator:", "acelerator", "accelerator"),
        ("kind: ModelSpec\n", "kind: ModelSpec\nsurprise: 1\n", "surprise", "field"),
        ("piqc.ai/v1alpha1", "piqc.ai/v7", "apiVersion", "v1alpha1"),
        ("      id: Qwen/Qwen3-8B\n", "", "spec.identity.model", "id"),
    ],
)
def test_invalid_contracts(askew: Askew, tmp_path: Path, old: str, new: str, path: str, message: str) -> None:
    text = (INPUTS / "contracts" / "chat.modelspec.yaml").read_text()
    assert old in text
    spec = tmp_path / "chat.modelspec.yaml"
    spec.write_text(text.replace(old, new))
    err = refused(askew, "check", "current.yaml", "--against", str(spec))
    assert re.search(r"chat\.modelspec\.yaml:\d+:\d+: ", err)
    assert path in err and message in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("diff", "", "current.yaml"), "empty source"),
        (("check", "k9s:prod"), "k9s:prod"),
        (("check", "git:nowhere:deploy.yaml"), "nowhere"),
        (("check", "helm:nowhere"), "nowhere"),
        (("check", "kustomize:nowhere"), "nowhere"),
        (("check", "cmd:"), "cmd"),
        (("diff", "last-good.yaml", "current.yaml", "--map", "chat"), "not a pair"),
        (("diff", "last-good.yaml", "current.yaml", "--map", "x=chat"), "'x' names no workloads"),
        (("check", "current.yaml", "--assume", "runtime.dtpye=half"), "did you mean runtime.dtype"),
        (("check", "current.yaml", "--assume", "runtime.dtype=banana"), "banana"),
        (("check", "current.yaml", "--assume", "runtime.dtype"), "no value"),
        (("check", "current.yaml", "--baseline", "last-good.yaml"), "--baseline"),
        (("check", "current.yaml", "--baseline", "nowhere.json"), "nowhere.json"),
        (("check", "current.yaml", "-o", "/nowhere/report.txt"), "/nowhere/report.txt"),
        (("explain", "runtime.dtyp"), "did you mean runtime.dtype"),
        (("init", "staging"), "--workload"),
        (("init", "staging", "--workload", "nobody"), "--workload"),
        (("demo", "--keep", "/proc/nowhere"), "/proc/nowhere"),
    ],
)
def test_bad_usage(askew: Askew, words: tuple[str, ...], message: str) -> None:
    assert message in refused(askew, *words)


@pytest.mark.parametrize("text", ["against = 3\n", "[[waiver]]\nrule = 1\n", "fail_on = 'never'\n", "x = [\n", "\xff"])
def test_bad_configuration(askew: Askew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "askew.toml").write_bytes(text.encode("latin-1"))
    (tmp_path / "llm.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    assert "askew.toml" in refused(askew, "check", "llm.yaml")


def test_nothing_is_overwritten(askew: Askew, tmp_path: Path) -> None:
    path = tmp_path / "askew.lock"
    path.write_text("mine")
    assert "--force" in refused(askew, "lock", "last-good.yaml", "-o", str(path))
    assert path.read_text() == "mine"
    assert askew("lock", "last-good.yaml", "-o", str(path), "--force").code == 0
    assert path.read_text() != "mine"
