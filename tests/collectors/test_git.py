"""Paths at revisions of a real repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from askew.collectors import tools
from askew.collectors.git import COLLECTOR
from askew.collectors.interface import Evidence, Request
from askew.evidence.redaction import Redactor

pytestmark = pytest.mark.skipif(tools.find("git") is None, reason="needs git on PATH")


def collect(target: str, base: str | Path = ".") -> Evidence:
    request = Request(uri=f"git:{target}", scheme="git", target=target, base=str(base))
    return COLLECTOR.collect(request, Redactor())


def git(repository: Path, *words: str) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *words], cwd=repository, check=True, capture_output=True, env=env)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    top = tmp_path / "repo"
    top.mkdir()
    files = {
        "deploy/a.yaml": "kind: A\n",
        "deploy/b.json": '{"kind": "B"}',
        "deploy/bad.yaml": "a: [1\n",
        "deploy/notes.md": "x",
        "deploy/.hidden/x.yaml": "kind: X\n",
        "compose.yaml": "services: {a: {image: x, env_file: llm.env}}\n",
        ".env": "HF_TOKEN=planted-secret\n",
        "llm.env": "A=1\n",
        "units/llm.service": "[Service]\nExecStart=vllm serve m\n",
        "units/llm.service.d/gpu.conf": "[Service]\nEnvironment=A=1\n",
        "lfs.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "sub dir/ü.yaml": "kind: U\n",
    }
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (top / "link.yaml").symlink_to("deploy/a.yaml")
    git(top, "init", "-q")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "one")
    git(top, "tag", "v1")
    git(top, "rm", "-rq", "deploy")
    (top / "late.yaml").write_text("kind: L\n")
    git(top, "commit", "-qm", "two")
    monkeypatch.chdir(top)
    return top


def test_a_file_at_a_revision(repository: Path) -> None:
    evidence = collect("HEAD~1:deploy/a.yaml")
    assert evidence.status == "complete"
    assert str(evidence.documents[0].root["kind"].location) == "HEAD~1:deploy/a.yaml:1:7"


@pytest.mark.parametrize("path", ["deploy", "deploy/", "./deploy"])
def test_a_directory_that_is_gone_today(repository: Path, path: str) -> None:
    evidence = collect(f"v1:{path}")
    assert evidence.status == "partial"
    folder = path.rstrip("/").removeprefix("./")
    assert [d.source for d in evidence.documents] == [f"v1:{folder}/a.yaml", f"v1:{folder}/b.json"]
    assert [(e.source, e.line) for e in evidence.errors] == [(f"v1:{folder}/bad.yaml", 1)]


def test_the_whole_tree(repository: Path) -> None:
    sources = [d.source for d in collect("v1:.").documents]
    assert "v1:deploy/a.yaml" in sources and "v1:sub dir/ü.yaml" in sources
    assert "v1:link.yaml" not in sources


def test_paths_are_relative_to_the_current_directory_then_to_the_top(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "deploy").mkdir()
    monkeypatch.chdir(repository / "deploy")
    assert [d.source for d in collect("v1:a.yaml").documents] == ["v1:a.yaml"]
    assert [d.source for d in collect("v1:deploy/a.yaml").documents] == ["v1:deploy/a.yaml"]
    assert [d.source for d in collect("v1:../compose.yaml").documents] == ["v1:../compose.yaml"]
    outside = repository.parent
    assert collect("v1:repo/compose.yaml", outside).documents
    assert collect(f"v1:{repository}/compose.yaml", outside).documents


def test_files_beside_come_from_the_same_revision(repository: Path) -> None:
    (repository / ".env").write_text("CHANGED=1\n")
    evidence = collect("HEAD:compose.yaml")
    assert [t.source for t in evidence.texts] == ["HEAD:.env", "HEAD:llm.env"]
    assert "CHANGED" not in evidence.texts[0].text and "planted" not in evidence.texts[0].text
    units = collect("HEAD:units/llm.service")
    assert [t.source for t in units.texts] == ["HEAD:units/llm.service", "HEAD:units/llm.service.d/gpu.conf"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nope:a.yaml", "no revision nope"),
        ("HEAD:nope.yaml", "no nope.yaml at HEAD"),
        ("HEAD~1:late.yaml", "working tree only"),
        ("HEAD", "expected a revision and a path"),
        (":a.yaml", "no revision"),
        ("--output=/tmp/x:a.yaml", "no revision"),
        ("-h:a.yaml", "no revision"),
        ("HEAD:link.yaml", "symbolic link"),
        ("HEAD:lfs.yaml", "Git LFS"),
        ("HEAD:../../x", "not in a git repository"),
        ("a\0b:c", "no revision"),
    ],
)
def test_what_cannot_be_read_says_why(repository: Path, target: str, message: str) -> None:
    evidence = collect(target)
    assert evidence.status == "failed" and not evidence.documents
    (error,) = evidence.errors
    assert message in error.message and error.hint


def test_outside_of_a_repository(tmp_path: Path) -> None:
    (error,) = collect("HEAD:a.yaml", tmp_path).errors
    assert "not in a git repository" in error.message


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    (error,) = collect("HEAD:compose.yaml").errors
    assert "not on PATH" in error.message


def test_nothing_of_the_repository_is_run(repository: Path) -> None:
    """Neither a filter, nor a text conversion, nor a monitor that the repository's own configuration names."""
    trap = f"touch {repository / 'ran'}; cat"
    (repository / ".gitattributes").write_text("*.yaml diff=trap filter=trap\n")
    for key in ("diff.trap.textconv", "filter.trap.smudge", "filter.trap.clean", "core.fsmonitor", "core.pager"):
        git(repository, "config", key, trap)
    assert collect("v1:deploy").documents
    assert not (repository / "ran").exists()
