"""Text and data as YAML scalars: what is written here, any YAML or JSON reader reads back unchanged."""

from __future__ import annotations

import re

from askew.facts.types import Value

# Plain where every reader agrees that it is text; anything else is quoted.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:@+-]*[A-Za-z0-9_/]")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "unknown"))
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def plain(text: str) -> str:
    """Text as a plain scalar where that is safe, else quoted: in single quotes where it holds double ones."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return "'" + text.replace("'", "''") + "'" if '"' in text and text.isprintable() else quoted(text)


def quoted(text: str) -> str:
    """Text in double quotes, with the escapes that JSON and YAML share (and YAML's own beyond U+FFFF)."""
    return '"' + "".join(_ESCAPES.get(char) or (char if char.isprintable() else _escape(char)) for char in text) + '"'


def flow(value: Value) -> str:
    """Data on one line: JSON, which is YAML. Keys keep their order."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {flow(item)}" for key, item in value.items()) + "}"
    return repr(value)


def comment(text: str) -> str:
    """Text as it may stand behind ``#``: on one line, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
