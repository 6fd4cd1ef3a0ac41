"""Pieces of Markdown that the generated pages share."""

from __future__ import annotations

GENERATED = "<!-- Written by `make generate` from the code; do not edit. -->"


def cell(text: str) -> str:
    """Text for a cell of a table: one line, no bar that would end the cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Text as code on one line, whatever backticks it has."""
    text = " ".join(text.split()) or " "
    return f"`` {text} ``" if "`" in text else f"`{text}`"
