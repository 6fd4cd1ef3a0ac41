"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Continuous integration runs the same examples every time; at a desk every run tries new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The research data beside a developer's checkout. Users have none: tests that need it skip and say so."""
    if not (SHARED / "corpus" / "index.jsonl").exists():
        pytest.skip("needs ../shared (research data beside a developer's checkout)")
    return SHARED
