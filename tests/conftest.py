"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The research data beside a developer's checkout. Users have none: tests that need it skip and say so."""
    if not (SHARED / "corpus" / "index.jsonl").exists():
        pytest.skip("needs ../shared (research data beside a developer's checkout)")
    return SHARED
