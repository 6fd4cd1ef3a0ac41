"""Colour, wrapping and columns for terminals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

NARROWEST = 40  # columns; below that nothing wraps well
_WIDEST = 110  # columns of prose: longer lines are hard to read
_GAP = "  "


class Style(msgspec.Struct, frozen=True):
    """Whether to colour. ``paint`` takes the numbers of an SGR sequence (ECMA-48)."""

    color: bool

    def paint(self, text: str, codes: str) -> str:
        """``text`` in colour, or as it is."""
        return f"\x1b[{codes}m{text}\x1b[0m" if self.color and codes and text else text


def wrap(text: str, width: int, indent: str, style: Style, codes: str = "", *, hang: int = 0) -> Iterator[str]:
    """``text`` in lines that begin with ``indent``, all but the first with ``hang`` more spaces.

    Words are never broken: a path or a command that is longer than the line stays whole, so that it can be copied.
    """
    room = min(width, _WIDEST)
    prefix, line = indent, ""
    for word in text.split(" "):
        if line and len(prefix) + len(line) + 1 + len(word) > room:
            yield prefix + style.paint(line, codes)
            prefix, line = indent + " " * hang, word
        else:
            line = f"{line} {word}" if line else word
    yield prefix + style.paint(line, codes)


def columns(rows: Sequence[tuple[str, str, str]], width: int, indent: str) -> list[list[str]]:
    """Rows of three cells in aligned columns; where they do not fit, each row on lines of its own.

    Either all rows are aligned or none is: the eye compares them.
    """
    widest = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    gaps = len(_GAP) * (sum(1 for w in widest if w) - 1)
    if len(indent) + sum(widest) + gaps <= width:
        return [
            [(indent + _GAP.join(cell.ljust(size) for cell, size in zip(row, widest, strict=True) if size)).rstrip()]
            for row in rows
        ]
    plain = Style(color=False)
    out: list[list[str]] = []
    for first, *rest in rows:
        lines = list(wrap(first, width, indent, plain))
        tail = [cell for cell in rest if cell]
        if tail and sum(map(len, tail)) + len(indent) + 4 <= width:
            lines.append(f"{indent}  {_GAP.join(tail)}")
        else:
            for cell in tail:
                lines.extend(wrap(cell, width, indent + "  ", plain))
        out.append(lines)
    return out
