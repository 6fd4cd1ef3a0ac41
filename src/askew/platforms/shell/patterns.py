"""The shell's patterns, string operators and arithmetic, as far as they can be told for certain."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from askew.platforms.shell.values import Field


def integer(text: str) -> int | None:
    """A decimal number, or None."""
    return int(text) if re.fullmatch(r"\s*-?[0-9]{1,18}\s*", text) else None


def glob(field: Field) -> str | None:
    """A regular expression for a shell pattern of literals, ``*`` and ``?``; None for anything else."""
    out: list[str] = []
    stars = 0
    for run in field.runs:
        if run.quoted:
            out.append(re.escape(run.text))
            continue
        for char in run.text:
            if char == "*":
                stars += 1
                out.append(".*")
            elif char == "?":
                out.append(".")
            elif char in "[]()":
                return None
            else:
                out.append(re.escape(char))
    return "".join(out) if stars <= 2 else None


def match_glob(pattern: Field, text: str) -> bool | None:
    """Whether a shell pattern matches the whole of a text; None when that cannot be told."""
    compiled = glob(pattern)
    if compiled is None or len(text) > 4_000:
        return None
    return re.fullmatch(compiled, text, re.DOTALL) is not None


def transform(op: str, text: str, arg: Field | None, new: str) -> str | None:
    """A parameter's value after ``op``; None when the pattern is more than literals, ``*`` and ``?``."""
    if op in ("^^", "^", ",,", ","):
        if arg is not None and arg.text:
            return None
        change = str.upper if op[0] == "^" else str.lower
        return change(text) if len(op) == 2 else change(text[:1]) + text[1:]
    if arg is None or len(text) > 4_000:
        return None
    if op == ":":
        bounds = re.fullmatch(r"\s*(-?[0-9]{1,9})\s*(?::\s*([0-9]{1,9})\s*)?", arg.text)
        if bounds is None:
            return None
        start = int(bounds.group(1))
        start = max(0, len(text) + start) if start < 0 else start
        return text[start:] if bounds.group(2) is None else text[start : start + int(bounds.group(2))]
    pattern = glob(arg)
    if pattern is None:
        return None
    if op in ("#", "##", "%", "%%"):
        ends = range(len(text) + 1) if op in ("#", "%%") else range(len(text), -1, -1)
        compiled = re.compile(pattern, re.DOTALL)
        if ".*" not in pattern:
            size = len(arg.text)
            fits = compiled.fullmatch(text[:size] if op[0] == "#" else text[max(0, len(text) - size) :])
            return (text[size:] if op[0] == "#" else text[: len(text) - size]) if fits and size else text
        for at in ends if len(text) <= 500 else ():
            if compiled.fullmatch(text[:at] if op[0] == "#" else text[at:]):
                return text[at:] if op[0] == "#" else text[:at]
        return text if len(text) <= 500 else None
    if not arg.text or (".*" in pattern and len(text) > 500):
        return text if not arg.text else None
    if op == "/#":
        pattern = "^" + pattern
    elif op == "/%":
        pattern += "$"
    return re.sub(pattern, lambda _: new, text, count=0 if op == "//" else 1, flags=re.DOTALL)


_ARITHMETIC: Final = re.compile(r"\s*(?:(\d{1,18})|\$?\{?([A-Za-z_]\w*)\}?|([-+*/%()]))", re.ASCII)


def calculate(text: str, name: Callable[[str], int | None]) -> int | None:
    """Integer arithmetic of ``+ - * / % ( )`` as a shell does it (division towards zero); None for anything else."""
    tokens: list[str | int] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _ARITHMETIC.match(text, at)
        if match is None or len(tokens) > 100:
            return None
        at = match.end()
        if match.group(1):
            tokens.append(int(match.group(1)))
        elif match.group(2):
            value = name(match.group(2))
            if value is None:
                return None
            tokens.append(value)
        else:
            tokens.append(match.group(3))
    position = 0

    def operand(depth: int) -> int:
        nonlocal position
        if position >= len(tokens) or depth > 20:
            raise ValueError
        token = tokens[position]
        position += 1
        if isinstance(token, int):
            return token
        if token == "(":
            value = expression(0, depth + 1)
            if position >= len(tokens) or tokens[position] != ")":
                raise ValueError
            position += 1
            return value
        if token in ("+", "-"):
            value = operand(depth + 1)
            return -value if token == "-" else value
        raise ValueError

    def expression(level: int, depth: int) -> int:
        nonlocal position
        left = operand(depth)
        while position < len(tokens):
            token = tokens[position]
            rank = 1 if token in ("+", "-") else 2 if token in ("*", "/", "%") else 0
            if not isinstance(token, str) or rank <= level:
                return left
            position += 1
            right = expression(rank, depth + 1)
            if token == "+":
                left += right
            elif token == "-":
                left -= right
            elif token == "*":
                left *= right
            else:
                if right == 0:
                    raise ValueError
                quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
                left = quotient if token == "/" else left - quotient * right
            if abs(left) >= 1 << 63:
                raise ValueError
        return left

    try:
        result = expression(0, 0)
    except ValueError:
        return None
    return result if position == len(tokens) else None
