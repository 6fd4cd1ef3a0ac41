"""``askew golden`` at the command line; ``tests/probe`` has the servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Askew
from tests.cli.snapshot import same
from tests.probe.test_reports import GOOD, engine
from tests.serving import as_json, serving


def test_help_teaches_by_example(askew: Askew) -> None:
    same(askew("golden", "--help").everything, "golden-help.txt")


def test_what_people_see(askew: Askew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded, verified against another release that answers otherwise and fails once, and recorded again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ASKEW_API_KEY", raising=False)
    Path("prompts.jsonl").write_text("".join(f'"{one}"\n' for one in GOOD), encoding="utf-8")
    answers = engine(**GOOD)
    seen: list[str] = []
    with serving(answers) as served:

        def show(*words: str) -> None:
            told = askew(*words).everything.replace(served.url, "http://llm:8000")
            seen.append(f"$ askew {' '.join(words).replace(served.url, 'http://llm:8000')}\n{told}")

        show("golden", "record", served.url, "--inputs", "prompts.jsonl", "-o", "golden.json")
        show("golden", "verify", "golden.json")
        answers |= engine(**{**GOOD, "two": "jumps under"}) | {"/version": as_json({"version": "0.9.1"})}
        show("diff", "golden.json", "golden.json")
        show("golden", "record", served.url, "--inputs", "prompts.jsonl", "-o", "new.json")
        show("diff", "golden.json", "new.json")
        answers[next(name for name in answers if '"three"' in name)] = as_json({}, 503)
        show("golden", "verify", "golden.json", served.url)
        show("golden", "verify", "golden.json", served.url, "--format", "markdown")
        show("golden", "record", served.url, "--inputs", "prompts.jsonl", "-o", "partial.json")
    same("\n".join(seen), "golden.txt")
