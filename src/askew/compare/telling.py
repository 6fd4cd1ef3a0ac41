"""Where two digests part: of what they were taken over, the pieces that differ, cut down to where they do.

A fact whose value is a digest may tell in ``because`` what went into it, as ``label → text``.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from askew.facts.types import Fact
from askew.resolve.workload import Resolved

_ARROW = " → "
_MOST = 3  # pieces to show
_AROUND = 24  # characters that two texts share, on either side of where they differ
_LONGEST = 120


class Parting(msgspec.Struct, frozen=True):
    """A piece that the two sides have with different texts."""

    label: str
    reference: str
    target: str

    def __str__(self) -> str:
        return f"{self.label}: {self.reference} became {self.target}"


def partings(reference: Sequence[str], target: Sequence[str]) -> list[Parting]:
    """The pieces with a label that both sides have and with different texts, in the order of the reference."""
    there = dict(_pieces(target))
    return [
        Parting(label, *apart(text, there[label]))
        for label, text in _pieces(reference)
        if label in there and there[label] != text
    ]


def told(fact: Fact, reference: Resolved, target: Resolved) -> tuple[Resolved, Resolved, str]:
    """Two sides that differ, with the reasons that tell them apart, and those in a sentence; both as they are for a
    fact that is no digest."""
    if fact.type.name != "digest":
        return reference, target, ""
    found = partings(reference.because, target.because)
    if not found:
        return reference, target, ""
    first = found[:_MOST]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (
        msgspec.structs.replace(reference, because=tuple(f"{one.label}{_ARROW}{one.reference}" for one in first)),
        msgspec.structs.replace(target, because=tuple(f"{one.label}{_ARROW}{one.target}" for one in first)),
        f"{first[0]}{more}",
    )


def apart(left: str, right: str) -> tuple[str, str]:
    """Two texts without what they share in front and behind, but for a few characters."""
    front = _shared(left, right)
    behind = _shared(left[front:][::-1], right[front:][::-1])
    return _cut(left, front, behind), _cut(right, front, behind)


def _shared(left: str, right: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(left), len(right)))


def _cut(text: str, front: int, behind: int) -> str:
    begin, end = max(0, front - _AROUND), min(len(text), len(text) - behind + _AROUND)
    if begin < 8:
        begin = 0
    if len(text) - end < 8:
        end = len(text)
    middle = text[begin:end]
    if len(middle) > _LONGEST:
        middle = f"{middle[:_LONGEST]}…"
        end = len(text)
    return f"{'…' if begin else ''}{middle}{'…' if end < len(text) else ''}"


def _pieces(because: Sequence[str]) -> list[tuple[str, str]]:
    found = (text.partition(_ARROW) for text in because)
    return [(label, text) for label, arrow, text in found if arrow]
