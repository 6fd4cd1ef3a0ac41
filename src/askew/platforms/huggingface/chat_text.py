"""The text of a chat template in canonical form: what Jinja renders alike is the same text.

Templates are compiled with ``trim_blocks`` and ``lstrip_blocks``, as transformers, vLLM and SGLang do. White space that
these or a ``-`` remove, blanks inside tags, comments, line ends and one line end at the end change no prompt.
Sources: https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control and ``_compile_jinja_template`` of
https://github.com/huggingface/transformers/blob/v4.57.1/src/transformers/utils/chat_template_utils.py
"""

from __future__ import annotations

import re
from typing import NamedTuple

_OPENING = re.compile(r"\{[{%#]")
_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
# Inside a tag: strings, names, numbers, and signs, the longest first.
_WORD = re.compile(rf"{_STRING}|[^\W\d]\w*|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?|//|\*\*|==|!=|<=|>=|\S", re.DOTALL)
_RAW = re.compile(r"\{%[-+]?\s*raw\b")
_PLAIN_STRING = re.compile(r'"([^"\\\']*)"')


class Piece(NamedTuple):
    """Text as it stands, or a tag: ``kind`` is ``text``, ``{{`` or ``{%``."""

    kind: str
    text: str


def normal(text: str) -> str:
    """With Jinja's line ends, and without the one line end that it takes from the end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text[:-1] if text.endswith("\n") else text


def pieces(template: str) -> list[Piece]:
    """The template without what makes no difference. Raises ValueError for what cannot be followed."""
    text = normal(template)
    if _RAW.search(text):
        raise ValueError("a raw block")
    found: list[Piece] = []
    at, trim = 0, ""
    while True:
        opening = _OPENING.search(text, at)
        data = text[at : opening.start() if opening else len(text)]
        before = data
        if trim == "-":
            data = data.lstrip()
        elif trim == "\n" and data.startswith("\n"):
            data = data[1:]
        if opening is None:
            return _joined([*found, Piece("text", data)])
        kind = opening.group()
        at = opening.end()
        mark = text[at : at + 1]
        if mark == "-":
            data = data.rstrip()
        elif kind != "{{" and mark != "+":
            data = _lstripped(data, before, opening.start() == len(before))
        at += mark in ("-", "+") and not (kind == "{{" and mark == "+")
        found.append(Piece("text", data))
        end, words, closing = _tag(text, at, kind)
        if words:
            found.append(Piece(kind, " ".join(words)))
        at = end
        trim = "-" if closing == "-" else "\n" if kind != "{{" and closing != "+" else ""


def _lstripped(data: str, before: str, first: bool) -> str:
    """Without the blanks between the beginning of the line and a tag, where nothing else stands there."""
    line = before.rfind("\n") + 1
    if line == 0 and not first:
        return data  # the line begins in front of another tag
    blanks = before[line:]
    if blanks.strip():
        return data
    return data[: len(data) - len(blanks)] if len(blanks) <= len(data) else ""


def _tag(text: str, at: int, kind: str) -> tuple[int, list[str], str]:
    """Where a tag ends, its words, and the sign in front of its end."""
    close = {"{{": "}}", "{%": "%}", "{#": "#}"}[kind]
    if kind == "{#":
        end = text.find(close, at)
        if end < 0:
            raise ValueError("a comment that does not end")
        sign = text[end - 1] if end > at and text[end - 1] in "-+" else ""
        return end + 2, [], sign
    words: list[str] = []
    depth = 0
    while True:
        match = _WORD.search(text, at)
        if match is None:
            raise ValueError("a tag that does not end")
        start = match.start()
        if depth == 0:
            if text.startswith(close, start):
                return start + 2, words, ""
            if text[start] in "-+" and text.startswith(close, start + 1) and (kind == "{%" or text[start] == "-"):
                return start + 3, words, text[start]
        word = match.group()
        depth += (word in "([{") - (word in ")]}")
        words.append(_PLAIN_STRING.sub(r"'\1'", word))
        at = match.end()


def _joined(found: list[Piece]) -> list[Piece]:
    out: list[Piece] = []
    for piece in found:
        if piece.kind == "text" and not piece.text:
            continue
        if piece.kind == "text" and out and out[-1].kind == "text":
            out[-1] = Piece("text", out[-1].text + piece.text)
        else:
            out.append(piece)
    return out


def written(found: list[Piece]) -> str:
    """The pieces as a template that Jinja renders as it renders the original."""
    ends = {"{{": (" ", " }}"), "{%": ("+ ", " +%}")}
    return "".join(
        piece.text if piece.kind == "text" else f"{piece.kind}{ends[piece.kind][0]}{piece.text}{ends[piece.kind][1]}"
        for piece in found
    )


def canonical(template: str) -> str:
    """The text to take the digest of: canonical where the template can be followed, else with its white space."""
    try:
        return written(pieces(template))
    except ValueError:
        return normal(template)
