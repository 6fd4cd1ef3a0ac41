"""The transcript of ``askew demo`` in ``README.md``, as the program prints it where there is no terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

from askew.app.demo import demo

PATH = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- demo: written by `make generate` -->\n", "<!-- /demo -->\n"


def render() -> str:
    """The page with its transcript renewed. Raises ValueError when the two marks are not there."""
    before, begin, rest = PATH.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PATH.name}: the marks {BEGIN.strip()} and {END.strip()} are missing: put them back")
    return f"{before}{begin}\n```text\n$ askew demo\n{transcript()}```\n\n{end}{after}"


def transcript() -> str:
    """What ``askew demo`` prints, without colour, 100 columns wide."""
    out = io.StringIO()
    demo(out, color=False, width=100, keep=None)
    return out.getvalue()


OUTPUTS: Mapping[Path, Callable[[], str]] = {PATH: render}
