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
        """same, different, tied, unstable, failed or unasked."""
        ...

    @property
    def why(self) -> str:
        """What differs, or why there is no result."""
        ...


def render_golden(
    verdict: str,
    results: Sequence[Line],
    changed: Sequence[tuple[str, str, str]] = (),
    *,
    color: bool = False,
    width: int = 100,
) -> str:
    """One line for each input that was asked and not plainly the same, what else changed (fact, then, now), and the
    verdict."""
    return "\n".join(_lines(verdict, results, changed, Style(color), max(width, NARROWEST))) + "\n"


def _lines(
    verdict: str, results: Sequence[Line], changed: Sequence[tuple[str, str, str]], style: Style, width: int
) -> Iterator[str]:
    counts: dict[str, int] = {}
    unasked = ""
    for result in results:
        counts[result.outcome] = counts.get(result.outcome, 0) + 1
        if result.outcome == "unasked":
            unasked = unasked or result.why
        elif result.outcome != "same" or result.why:
            yield from wrap(f"input {result.number}: {result.outcome}: {clean(result.why)}", width, "  ", style)
    if unasked:
        yield from wrap(f"{counts['unasked']} more: {clean(unasked)}", width, "  ", style)
    if changed:
        yield "since they were recorded:"
        for fact, then, now in changed:
            yield from wrap(f"{clean(fact)}: {clean(then)} → {clean(now)}", width, "  ", style)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    yield f"{style.paint(verdict, _COLOURS.get(verdict, '0'))}: {told}"
