"""``askew golden`` at the command line; ``tests/probe`` has the servers."""

from __future__ import annotations

from tests.cli.conftest import Askew
from tests.cli.snapshot import same


def test_help_teaches_by_example(askew: Askew) -> None:
    same(askew("golden", "--help").everything, "golden-help.txt")
