"""Kustomizations, built by a real kustomize or kubectl; without one only what needs none is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.collectors import tools
from askew.collectors.interface import Evidence, Request
from askew.collectors.kustomize import COLLECTOR
from askew.evidence.redaction import Redactor


def _tool() -> str:
    """The first tool that really builds: a ``kubectl`` may be a stand-in."""
    path = tools.find("kustomize")
    if path:
        return path
    path = tools.find("kubectl")
    ended = tools.run([path, "kustomize", "--help"], seconds=10) if path else None
    return path if path and ended is not None and ended.status == 0 and b"kustomization" in ended.output.lower() else ""


needs_tool = pytest.mark.skipif(not _tool(), reason="needs kustomize or kubectl on PATH")


def collect(target: str) -> Evidence:
    return COLLECTOR.collect(Request(uri=f"kustomize:{target}", scheme="kustomize", target=target), Redactor())


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("base", "prod"):
        (tmp_path / folder).mkdir()
    (tmp_path / "base" / "d.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llm}\nspec: {replicas: 1}\n"
    )
    (tmp_path / "base" / "kustomization.yaml").write_text("resources: [d.yaml]\n")
    (tmp_path / "prod" / "p.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llm}\nspec: {replicas: 4}\n"
    )
    (tmp_path / "prod" / "kustomization.yaml").write_text(
        "namespace: prod\nresources: [../base]\npatches: [{path: p.yaml}]\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "prod"


@needs_tool
def test_an_overlay_is_built(overlay: Path) -> None:
    evidence = collect("prod/")
    assert evidence.status == "complete"
    (document,) = evidence.documents
    assert document.root["metadata"]["namespace"].value == "prod"
    assert document.root["spec"]["replicas"].value == 4
    assert document.root["spec"]["replicas"].location.source == "prod (built)"


@needs_tool
def test_what_the_tool_refuses(overlay: Path) -> None:
    (overlay / "kustomization.yaml").write_text("resources: [gone.yaml]\n")
    (error,) = collect("prod").errors
    assert "gone.yaml" in error.message and error.hint


@needs_tool
def test_the_network_is_not_used(overlay: Path) -> None:
    (overlay / "kustomization.yaml").write_text("resources: ['https://example.org/a/b?ref=v1']\n")
    (error,) = collect("prod").errors
    assert "network" in error.message and "-" in error.hint


def test_a_directory_without_one(tmp_path: Path) -> None:
    (error,) = collect(str(tmp_path)).errors
    assert "no kustomization.yaml" in error.message


def test_without_a_tool(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(overlay))
    (error,) = collect("prod").errors
    assert "on PATH" in error.message and "kubectl kustomize" in error.hint
