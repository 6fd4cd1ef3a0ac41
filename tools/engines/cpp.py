"""Defaults in C++ sources, read as text: what a variable or member is set to where it is declared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[\w.]+")
_NUMBER = re.compile(r"-?\d+(?:LL|L|UL|U)?")
_REAL = re.compile(r"-?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?f?")


class Source:
    """One file: its text without comments, so that lines keep their numbers."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = re.sub(r"//[^\n]*", "", text)

    def at(self, offset: int) -> str:
        """``path:line`` of an offset."""
        return f"{self.path}:{self.text.count(chr(10), 0, offset) + 1}"

    def declared(self, name: str) -> tuple[str, str] | None:
        """The expression that ``name`` is declared with, and where; None where it is declared without, or not here."""
        found = re.search(
            rf"^[ \t]*(?:static |constexpr |const )*[\w:<>, ]+?[ &]{re.escape(name)}\s*(?:=\s*([^;]+)|\{{([^;]*)\}}"
            rf"|\(([^;()]*)\))\s*;",
            self.text,
            re.MULTILINE,
        )
        if found is None:  # set where the structure is made: Options() : port(8000), …
            found = re.search(rf"[:,]\s*{re.escape(name)}\(([^()]*)\)(?=\s*[,{{])", self.text)
        if found is None:
            return None
        return next(part for part in found.groups() if part is not None).strip(), self.at(found.end())


def value(expression: str) -> tuple[bool, object]:
    """Whether an expression is a literal, and its value. Sums and shifts of whole numbers are computed."""
    text = expression.strip()
    if text in ("true", "false"):
        return True, text == "true"
    if text in ("", "{}", '""'):
        return True, ""
    if text.startswith('"') and text.endswith('"') and text.count('"') == 2:
        return True, text[1:-1]
    if _NUMBER.fullmatch(text):
        return True, int(text.rstrip("LU"))
    if _REAL.fullmatch(text):
        number = float(text.rstrip("f"))
        return True, int(number) if number.is_integer() else number
    shifted = re.fullmatch(r"(\d+)\s*<<\s*(\d+)", text)
    if shifted is not None:
        return True, int(shifted[1]) << int(shifted[2])
    if re.fullmatch(r"\d+(?:LL)?(?:\s*\*\s*\d+(?:LL)?)+", text):
        product = 1
        for factor in text.split("*"):
            product *= int(factor.strip().rstrip("L"))
        return True, product
    return False, text


def resolved(name: str, sources: list[Source], depth: int = 0) -> tuple[bool, object, str] | None:
    """Whether the default of a variable is a literal, its value or expression, and where: another variable that it is
    set to is followed."""
    for source in sources:
        found = source.declared(name)
        if found is None:
            continue
        literal, what = value(found[0])
        if not literal and depth < 3 and isinstance(what, str) and _PLAIN.fullmatch(what):
            further = resolved(what.rpartition(".")[2], sources, depth + 1)
            if further is not None:
                return further
        return literal, what, found[1]
    return None


def digest(text: str) -> str:
    """A mark of the words of a function, whatever the spaces between them."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:12]


def functions(source: Source, names: Sequence[str]) -> dict[str, dict[str, object]]:
    """The named functions of a file, each with the digest of its words and its place."""
    found: dict[str, dict[str, object]] = {}
    for name in names:
        match = re.search(rf"^{re.escape(name)}\(.*?^\}}", source.text, re.MULTILINE | re.DOTALL)
        if match is not None:
            found[name] = {"digest": digest(match[0]), "at": source.at(match.start())}
    return found
