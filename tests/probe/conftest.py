"""Servers that can be talked to as the command line does, and a directory for what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory; no credentials and no proxies of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("ASKEW_API_KEY", "NETRC", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def write() -> Callable[..., str]:
    """Writes inputs, one JSON value a line."""

    def written(*inputs: object) -> str:
        Path("inputs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in inputs))
        return "inputs.jsonl"

    return written
