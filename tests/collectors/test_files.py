"""Files, directories and standard input: what is read, under which name, and what bad input gets."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from askew.collectors.files import COLLECTOR
from askew.collectors.interface import Evidence, Request
from askew.evidence.redaction import Redactor, is_redacted

DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llm}\n"


def collect(target: str | Path, base: str | Path = ".") -> Evidence:
    return COLLECTOR.collect(Request(uri=str(target), scheme="", target=str(target), base=str(base)), Redactor())


def only_error(evidence: Evidence) -> tuple[str, str]:
    assert evidence.status == "failed"
    assert evidence.documents == () and evidence.texts == ()
    (error,) = evidence.errors
    assert error.hint
    return error.message, error.hint


def test_a_file_is_named_as_the_user_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "a.yaml").write_text(DEPLOYMENT)
    monkeypatch.chdir(tmp_path)
    for target in ("manifests/a.yaml", "./manifests/a.yaml", str(tmp_path / "manifests" / "a.yaml")):
        evidence = collect(target)
        assert evidence.status == "complete"
        assert str(evidence.documents[0].root["kind"].location) == f"{target}:2:7"


@pytest.mark.parametrize(
    ("target", "shown"), [("m", "m/a.yaml"), ("m/", "m/a.yaml"), (".", "m/a.yaml"), ("./m", "./m/a.yaml")]
)
def test_files_of_a_directory_are_named_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, shown: str
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.yaml").write_text(DEPLOYMENT)
    monkeypatch.chdir(tmp_path)
    assert [d.source for d in collect(target).documents] == [shown]


def test_a_directory_is_read_in_order_and_without_what_is_no_configuration(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c/d.json", "c/.git/x.yaml", "node_modules/p/x.yaml", ".venv/x.yaml", "readme.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"kind": "A"}' if name.endswith("json") else "kind: A\n")
    (tmp_path / "llm.service").write_text("[Service]\nExecStart=vllm serve m\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "weights.bin").write_bytes(b"\0" * 100)
    evidence = collect(tmp_path)
    assert evidence.status == "complete"
    assert [os.path.relpath(d.source, tmp_path) for d in evidence.documents] == ["a.yml", "b.yaml", "c/d.json"]
    assert [os.path.basename(t.source) for t in evidence.texts] == ["llm.service"]


def test_one_bad_file_hides_no_good_one(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(DEPLOYMENT)
    (tmp_path / "bad.yaml").write_text("a:\n  - b\n c: d\n")
    (tmp_path / "binary.yaml").write_bytes(b"kind: A\n\0\1\2")
    evidence = collect(tmp_path)
    assert evidence.status == "partial"
    assert "2 of 3 files" in evidence.reason
    assert [d.root["kind"].value for d in evidence.documents] == ["Deployment"]
    errors = {os.path.basename(e.source): e for e in evidence.errors}
    assert (errors["bad.yaml"].line, errors["bad.yaml"].column) == (3, 2)
    assert errors["binary.yaml"].line == 2 and "binary" in errors["binary.yaml"].message


def test_a_broken_document_hides_no_other_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"{DEPLOYMENT}---\na: [1\n---\nkind: Service\n")
    evidence = collect(path)
    assert evidence.status == "partial"
    assert [d.root["kind"].value for d in evidence.documents] == ["Deployment", "Service"]
    assert evidence.errors[0].line == 5


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Piped:
        buffer = io.BytesIO(DEPLOYMENT.encode())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Piped())
    evidence = collect("-")
    assert str(evidence.documents[0].root["kind"].location) == "-:2:7"
    assert "empty" in only_error(collect("-"))[0]


def test_a_pipe_of_the_shell_is_read(tmp_path: Path) -> None:
    """``askew diff <(helm template a) <(helm template b)``."""
    reading, writing = os.pipe()
    os.write(writing, DEPLOYMENT.encode())
    os.close(writing)
    try:
        assert collect(f"/dev/fd/{reading}").documents[0].root["kind"].value == "Deployment"
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.yaml", b"", "empty"),
        ("blank.yaml", b" \n\n", "empty"),
        ("comments.yaml", b"# nothing\n---\n# more\n", "no document"),
        ("text.yaml", b"just a sentence", "plain text"),
        ("notes.txt", b"just a sentence", "plain text"),
        ("binary", b"\x7fELF\0\0\0", "binary"),
        ("latin.yaml", b"a: caf\xe9\n", "UTF-8"),
        ("start.sh", b"#!/bin/sh\nvllm serve m\n", "script"),
        ("unit.service", b"", "empty"),
        ("unit.container", b"[Container]\n\0", "binary"),
    ],
)
def test_a_named_file_that_holds_nothing_says_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert message in only_error(collect(path))[0]


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "no such file" in only_error(collect(tmp_path / "nope.yaml"))[0]
    assert "not fetched" in only_error(collect("ftp://host/x.yaml"))[1]
    assert "NUL" in only_error(collect("a\0b"))[0]
    assert "no manifest" in only_error(collect(tmp_path))[0]
    (tmp_path / "link.yaml").symlink_to(tmp_path / "gone.yaml")
    assert "no such file" in only_error(collect(tmp_path))[0]


def test_an_unreadable_file(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = tmp_path / "a.yaml"
    path.write_text(DEPLOYMENT)
    path.chmod(0)
    assert "permission denied" in only_error(collect(path))[0]


def test_pipes_devices_and_sockets_are_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    begin = time.monotonic()
    assert "named pipe" in only_error(collect(tmp_path / "pipe.yaml"))[0]
    assert "device" in only_error(collect("/dev/zero"))[0]
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "good.yaml").write_text(DEPLOYMENT)
    evidence = collect(tmp_path)
    assert evidence.status == "partial" and len(evidence.documents) == 1
    assert time.monotonic() - begin < 2


def test_links_make_no_loop_and_lead_nowhere_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.yaml").write_text(DEPLOYMENT)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "real.yaml").write_text(DEPLOYMENT)
    (inside / "again.yaml").symlink_to("real.yaml")  # as ConfigMap mounts have it
    (inside / "loop").symlink_to(inside)
    (inside / "other").symlink_to(outside)
    names = [os.path.basename(d.source) for d in collect(inside).documents]
    assert names == ["again.yaml", "real.yaml"]


def test_large_files_are_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "junk.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    begin = time.monotonic()
    message, _ = only_error(collect(path))
    assert "104,857,600 bytes" in message
    assert time.monotonic() - begin < 1


def test_alias_bombs_and_deep_nesting_are_refused(tmp_path: Path) -> None:
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))
    (tmp_path / "bomb.yaml").write_text(f"a0: &a0 x\n{levels}\n")
    (tmp_path / "deep.yaml").write_text("[" * 50_000)
    (tmp_path / "deep.json").write_text('{"kind": 1, "a":' * 50_000)
    (tmp_path / "good.yaml").write_text(DEPLOYMENT)
    begin = time.monotonic()
    evidence = collect(tmp_path)
    assert time.monotonic() - begin < 5
    assert {os.path.basename(e.source) for e in evidence.errors} == {"bomb.yaml", "deep.yaml", "deep.json"}
    assert [os.path.basename(d.source) for d in evidence.documents] == ["good.yaml"]


def test_a_chart_is_not_read_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: x\n")
    (chart / "values.yaml").write_text("services: {a: {image: x}}\n")
    (chart / "templates" / "d.yaml").write_text("kind: {{ .Values.kind }}\n")
    (tmp_path / "good.yaml").write_text(DEPLOYMENT)
    monkeypatch.chdir(tmp_path)
    evidence = collect(".")
    assert evidence.status == "partial" and not evidence.errors
    assert "helm:chart" in evidence.reason
    assert [d.source for d in evidence.documents] == ["good.yaml"]
    message, hint = only_error(collect("chart"))
    assert "Helm chart" in message and "helm:chart" in message + hint
    assert "helm:" in only_error(collect("chart/templates/d.yaml"))[1]


def test_patches_of_a_kustomization_are_no_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "base.yaml").write_text(DEPLOYMENT)
    (tmp_path / "patch.yaml").write_text(DEPLOYMENT)
    (tmp_path / "kustomization.yaml").write_text("resources: [base.yaml]\npatches:\n- path: patch.yaml\n")
    monkeypatch.chdir(tmp_path)
    evidence = collect(".")
    assert [d.source for d in evidence.documents if d.root["kind"]] == ["base.yaml"]
    assert evidence.status == "partial" and "kustomize:." in evidence.reason


def test_a_plain_kustomization_is_complete(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(DEPLOYMENT)
    (tmp_path / "kustomization.yaml").write_text("resources: [base.yaml]\n")
    assert collect(tmp_path).status == "complete"


def test_files_beside_a_compose_file_come_with_it_but_none_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret.env").write_text("A=1\n")
    project = tmp_path / "project"
    (project / "env").mkdir(parents=True)
    (project / ".env").write_text("MODEL=org/m\nHF_TOKEN=planted secret phrase\n")
    (project / "env" / "llm.env").write_text("B=2\n")
    (project / "base.yaml").write_text("services: {x: {image: base, env_file: more.env}}\n")
    (project / "more.env").write_text("C=3\n")
    (project / "unnamed.env").write_text("D=4\n")
    (project / "compose.yaml").write_text(
        "services:\n  a:\n    extends: {file: base.yaml, service: x}\n"
        "    env_file: [env/llm.env, ../secret.env, /etc/passwd, missing.env]\n    labels: [on, yes]\n"
    )
    evidence = collect(project / "compose.yaml")
    assert evidence.status == "complete"
    names = [os.path.relpath(text.source, project) for text in evidence.texts]
    assert names == [".env", "base.yaml", "env/llm.env", "more.env"]
    assert "planted" not in evidence.texts[0].text and is_redacted(evidence.texts[0].text)
    # Compose reads YAML 1.2: ``on`` is a word there.
    assert evidence.documents[0].root["services"]["a"]["labels"].value == ["on", "yes"]


def test_drop_ins_come_with_their_unit(tmp_path: Path) -> None:
    (tmp_path / "llm.service").write_text("[Service]\nEnvironmentFile=/etc/default/llm\nExecStart=vllm serve m\n")
    (tmp_path / "llm.service.d").mkdir()
    (tmp_path / "llm.service.d" / "10.conf").write_text("[Service]\nEnvironment=A=1\n")
    (tmp_path / "llm.service.d" / "notes.txt").write_text("x")
    (tmp_path / "llm").write_text("API_KEY=planted-secret\n")
    names = [os.path.relpath(text.source, tmp_path) for text in collect(tmp_path / "llm.service").texts]
    assert names == ["llm.service", "llm", "llm.service.d/10.conf"]


def test_no_secret_leaves(tmp_path: Path) -> None:
    planted = "Planted-Secret-0815"
    (tmp_path / "a.yaml").write_text(
        f"# HF_TOKEN={planted}\nkind: Secret\napiVersion: v1\nmetadata: {{name: s}}\n"
        f"stringData: {{x: {planted}}}  # token={planted}\n"
    )
    (tmp_path / "b.service").write_text(f"[Service]\nEnvironment=HF_TOKEN={planted}\nExecStart=x --api-key {planted}\n")
    (tmp_path / "c.yaml").write_text(f"a: b\n c: --api-key {planted}\n")
    evidence = collect(tmp_path)
    shown = "\n".join([*(line for d in evidence.documents for line in d.lines), *(t.text for t in evidence.texts)])
    shown += str([d.root.value for d in evidence.documents]) + str(evidence.errors) + evidence.reason
    assert planted not in shown
    assert len(evidence.documents) == 1 and len(evidence.texts) == 1 and len(evidence.errors) == 1


def test_many_files_take_seconds(tmp_path: Path) -> None:
    for index in range(2000):
        (tmp_path / f"{index:04}.yaml").write_text(DEPLOYMENT.replace("llm", f"llm-{index}"))
    begin = time.monotonic()
    evidence = collect(tmp_path)
    assert len(evidence.documents) == evidence.files == 2000
    assert time.monotonic() - begin < 5


def test_reading_a_path_needs_no_costly_module() -> None:
    code = (
        "import sys; before = set(sys.modules); import askew.collectors.files; print(sorted(set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "askew.collectors.reading" in result.stdout
    for module in ("subprocess", "tempfile", "pathlib", "json", "yaml.constructor"):
        assert f"'{module}'" not in result.stdout


def test_every_file_of_the_corpus_is_read_or_refused_with_a_place(shared: Path) -> None:
    evidence = collect(shared / "corpus" / "files")
    assert evidence.files > 1000
    for error in evidence.errors:
        assert error.message and error.hint and error.line > 0, error
    assert len({error.source for error in evidence.errors}) < evidence.files * 0.06


def test_a_secret_in_a_comment_is_masked_in_the_raw_lines(tmp_path: Path) -> None:
    text = "# HF_TOKEN=canary-abcdef-0123456789\nkind: A\nx: 1  # password=canary-abcdef-0123456789, mind it\n# end\n"
    path = tmp_path / "a.yaml"
    path.write_text(text + "---\nkind: B\n# --api-key canary-abcdef-0123456789\n", encoding="utf-8")
    evidence = COLLECTOR.collect(Request(uri=str(path), scheme="", target=str(path)), Redactor())
    for document in evidence.documents:
        shown = "\n".join(document.lines)
        assert "canary" not in shown and "mind it" in shown and "# end" in shown
        assert [len(line) for line in document.lines] == [len(line) for line in path.read_text().split("\n")]
