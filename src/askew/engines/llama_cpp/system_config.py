"""``/etc/llama.cpp/config.ini``: arguments that every program of llama.cpp starts with, below variables and arguments.

``common_params_apply_system_config`` of ``common/arg.cpp`` and ``parse_ini_from_file`` of ``common/preset.cpp``, in the
builds since 10566: a key is an argument without its dashes, or its variable; the sections ``*`` and ``default`` apply,
the others are presets for requests to name.
"""

from __future__ import annotations

import re

import msgspec

from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location

_LARGEST = 1 << 20  # a megabyte; real files have a few dozen lines
_SYSTEM, _USER = "/etc/llama.cpp/config.ini", "/.config/llama.cpp/config.ini"
_HEADER = r"\[\s*([^\]]+?)\s*\]\s*(?:[;#].*)?"
EXPECTED = "write [section] or key = value on each line, the key an argument without its dashes"
_ENTRY = r"([A-Za-z_][\w.-]*)[ \t]*=[ \t]*(.*?)[ \t]*(?:[;#].*)?"


class Entry(msgspec.Struct, frozen=True):
    """One key and its value, at its line."""

    key: str
    value: Token


class Malformed(msgspec.Struct, frozen=True):
    """Why llama.cpp refuses a file, and where."""

    message: str
    location: Location


def read(launch: Launch) -> tuple[tuple[Entry, ...], tuple[Malformed, ...]]:
    """The entries that apply to the server, those that win last. Never raises on what the files hold."""
    entries: list[Entry] = []
    refused: list[Malformed] = []
    for path in sorted(launch.files, key=lambda one: one != _SYSTEM):
        if path != _SYSTEM and not path.endswith(_USER):
            continue
        found = _read(path, launch.files[path])
        if isinstance(found, Malformed):
            refused.append(found)
        else:
            entries.extend(found)
    return tuple(entries), tuple(refused)


def _read(path: str, content: Content) -> list[Entry] | Malformed:
    if len(content.text) > _LARGEST:
        return Malformed(f"{path} is too large for a file of arguments", content.location)
    shared: list[Entry] = []
    own: list[Entry] = []
    section = "default"
    for index, line in enumerate(content.text.split("\n")):
        text, at = line.strip(), content.place(index, len(line) - len(line.lstrip()))
        if not text or text[0] in ";#":
            continue
        header, entry = re.fullmatch(_HEADER, text), re.fullmatch(_ENTRY, text)
        if header is not None:
            section = header[1]
        elif entry is None:
            return Malformed(f"{path}, line {index + 1}: expected [section] or key = value, got {text[:40]!r}", at)
        elif section in ("*", "default") and entry[1] != "version":
            unknown = next((why for part, why in content.unknown.items() if part and part in entry[2]), None)
            (shared if section == "*" else own).append(Entry(entry[1], Token(entry[2], at, unknown)))
    return [*shared, *own]
