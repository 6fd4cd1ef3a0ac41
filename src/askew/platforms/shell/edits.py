"""What ``sed`` and ``echo -e`` do to text that a script writes. Only what can be told for certain."""

from __future__ import annotations

import re
from typing import Final

_LIMIT: Final = 200_000


def unescape(text: str) -> str:
    """Backslash escapes as ``printf`` and ``echo -e`` read them."""
    known = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "a": "\a", "0": "\0"}
    return re.sub(r"\\(.)", lambda match: known.get(match.group(1), match.group()), text)


def _split(script: str, at: int, mark: str) -> tuple[str, int] | None:
    """The text up to the next unescaped ``mark`` and the offset after it."""
    out: list[str] = []
    while at < len(script):
        if script[at] == "\\" and at + 1 < len(script):
            out.append(mark if script[at + 1] == mark else script[at : at + 2])
            at += 2
        elif script[at] == mark:
            return "".join(out), at + 1
        else:
            out.append(script[at])
            at += 1
    return None


def _pattern(pattern: str, extended: bool, ignore_case: bool) -> re.Pattern[str] | None:
    """A Python pattern for a plain one of sed's: literals, ``.``, ``*``, ``[…]``, ``^``, ``$``. None for any other."""
    out: list[str] = []
    repeats = at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            following = pattern[at + 1 : at + 2]
            if following not in set("/.*[]^$|#,:@-_\\") or (extended and not following):
                return None
            out.append(re.escape(following))
            at += 2
            continue
        if char == "^" and at == 0:
            out.append("^")
        elif char == "$" and at == len(pattern) - 1:
            out.append("$")
        elif char == ".":
            out.append(".")
        elif char in "*+?" and out and out[-1] not in ("^", "*", "+", "?") and (extended or char == "*"):
            out.append(char)
            repeats += 1
        elif char == "[":
            close = pattern.find("]", at + 2)
            if close < 0 or not re.fullmatch(r"\[\^?[\w\s.,:/-]+", pattern[at:close]) or "--" in pattern[at:close]:
                return None
            out.append(pattern[at : close + 1])
            at = close
        elif extended and char in "(){}|+?":
            return None
        else:
            out.append(re.escape(char))
        at += 1
    # Three repeats over a long line cost too much, and nobody needs them to fill in a placeholder.
    if repeats > 2:
        return None
    try:
        return re.compile("".join(out), re.IGNORECASE if ignore_case else 0)
    except re.error:
        return None


def sed(script: str, text: str, extended: bool = False) -> str | None:
    """``text`` after ``sed``'s ``s`` commands, or None when the script does anything else."""
    if len(text) > _LIMIT:
        return None
    at = 0
    while at < len(script):
        if script[at] in " \t\n;":
            at += 1
            continue
        if script[at] != "s" or at + 1 >= len(script):
            return None
        mark = script[at + 1]
        pattern = _split(script, at + 2, mark)
        replacement = _split(script, pattern[1], mark) if pattern else None
        if pattern is None or replacement is None:
            return None
        at = replacement[1]
        flags = ""
        while at < len(script) and script[at] in "gIi":
            flags += script[at]
            at += 1
        if at < len(script) and script[at] not in " \t\n;":
            return None
        compiled = _pattern(pattern[0], extended, "i" in flags.lower())
        new = replacement[0]
        if compiled is None or re.search(r"\\[0-9nt]", new) or re.search(r"(?<!\\)&", new):
            return None
        new = re.sub(r"\\(.)", r"\1", new)
        lines = text.split("\n")
        if any(len(line) > 5_000 for line in lines):
            return None
        for index, line in enumerate(lines):
            if index == len(lines) - 1 and not line:
                continue
            lines[index] = compiled.sub(new.replace("\\", r"\\"), line, count=0 if "g" in flags else 1)
        text = "\n".join(lines)
        if len(text) > _LIMIT:
            return None
    return text
