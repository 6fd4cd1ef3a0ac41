"""A place to run commands from, in which every output is the same each time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from askew.cli.run import run

INPUTS = Path(__file__).parent / "inputs"


class Ran:
    """What one command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def everything(self) -> str:
        """As a terminal would show it, with the exit code."""
        err = f"\n--- stderr\n{self.err}" if self.err else ""
        return f"{self.out}{err}\n--- exit {self.code}\n"


Askew = Callable[..., Ran]


@pytest.fixture
def askew(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Askew:
    """Run one command line in this process, from the folder of the inputs unless the test has gone elsewhere."""
    monkeypatch.chdir(INPUTS)
    for name in ("FORCE_COLOR", "ASKEW_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["askew", *words])
        try:
            code = run(list(words))
        except SystemExit as ended:  # argparse, on a usage error and after --help
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return command
