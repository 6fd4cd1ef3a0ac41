"""What a verification of golden outputs found, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from askew.report.present import clean
from askew.report.style import NARROWEST, Style, wrap

_COLOURS = {"same": "32", "different": "31", "incomplete": "36"}


class Line(Protocol):
    """How one input fared."""

    @property
    def number(self) -> int:
        """The input, counted from 1."""
        ...

    @property
    def outcome(self) -> str:
        """same, different, unstable or failed."""
        ...

    @property
    def why(self) -> str:
        """What differs, or why there is no result."""
        ...


def render_golden(verdict: str, results: Sequence[Line], *, color: bool = False, width: int = 100) -> str:
    """One line for each input that was not plainly the same, and the verdict."""
    return "\n".join(_lines(verdict, results, Style(color), max(width, NARROWEST))) + "\n"


def _lines(verdict: str, results: Sequence[Line], style: Style, width: int) -> Iterator[str]:
    counts: dict[str, int] = {}
    for result in results:
        counts[result.outcome] = counts.get(result.outcome, 0) + 1
        if result.outcome != "same" or result.why:
            yield from wrap(f"input {result.number}: {result.outcome}: {clean(result.why)}", width, "  ", style)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    yield f"{style.paint(verdict, _COLOURS.get(verdict, '0'))}: {told}"
