"""Releases whose text lies in two repositories."""

from __future__ import annotations

import pathlib
import subprocess

from tools.engines import releases
from tools.engines.reader import Beside, Content, Reader, Repository, beside


def repository(path: pathlib.Path, commits: list[tuple[str, str, str]]) -> None:
    """A repository with one commit for each ``(kind, name, text)``: a tag or a branch, and the text of its file."""
    path.mkdir(parents=True)

    def git(*words: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, "-C", str(path), *words], check=True, capture_output=True)

    git("init", "--quiet")
    for kind, name, text in commits:
        (path / "file.txt").write_text(text, encoding="utf-8")
        git("add", "file.txt")
        git("commit", "--quiet", "-m", name)
        git(kind, name)


def _branch(root: pathlib.Path) -> str:
    return (root / "file.txt").read_text(encoding="utf-8").strip()


OTHER = Beside(slug="owner/core", paths=("file.txt",), branch=_branch)


def _read(root: pathlib.Path) -> Content:
    return {"arguments": {"x": {"value": (beside(root, OTHER) / "file.txt").read_text(encoding="utf-8")}}}


READER = Reader(
    engine="x",
    source=Repository(slug="owner/server", oldest="1.0", tags=r"v([\d.]+)", paths=("file.txt",), others=(OTHER,)),
    read=_read,
)


def test_a_release_finds_its_other_repository_and_is_left_out_without_it(tmp_path: pathlib.Path) -> None:
    tags = [("tag", "v1.0", "r1"), ("tag", "v2.0", "r2"), ("tag", "v3.0", "r3")]
    repository(tmp_path / "owner+server", tags)
    repository(tmp_path / "owner+core", [("branch", "r1", "one"), ("branch", "r2", "two")])
    found = dict(releases.folders(READER, tmp_path, offline=True))
    texts = {name: READER.read(folder)["arguments"]["x"]["value"] for name, folder in found.items()
             if isinstance(folder, pathlib.Path)}  # fmt: skip
    assert texts == {"1.0": "one", "2.0": "two"}
    assert isinstance(found["3.0"], str)
    assert "owner/core" in found["3.0"]
