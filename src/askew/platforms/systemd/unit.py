"""Unit files as systemd reads them: sections, assignments that repeat, lines that go on.

Rules: systemd.syntax(7). A value that ends in a backslash goes on in the next line, with a blank between; comment lines
in between are left out. An empty assignment empties a list.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec

from askew.evidence.location import Location


class Entry(msgspec.Struct, frozen=True):
    """One assignment: its value with continued lines joined, and for each joined line where it begins in the file."""

    section: str
    name: str
    value: str
    source: str
    line: int
    column: int
    joints: tuple[tuple[int, int, int], ...]

    def at(self, offset: int = 0) -> Location:
        """The place of a character of the value."""
        index = bisect_right(self.joints, (offset, 1 << 30, 1 << 30)) - 1
        begin, line, column = self.joints[max(index, 0)] if self.joints else (0, self.line, self.column)
        return Location(self.source, f"{self.section}.{self.name}", line, column + offset - begin)


class Unit(msgspec.Struct, frozen=True):
    """The assignments of a unit and its drop-ins, in the order in which they apply."""

    name: str
    source: str
    entries: tuple[Entry, ...]

    def all(self, section: str, name: str) -> tuple[Entry, ...]:
        """Every assignment of a list setting that counts: those behind the last empty one."""
        found: list[Entry] = []
        for entry in self.entries:
            if entry.section == section and entry.name == name:
                if entry.value.strip():
                    found.append(entry)
                else:
                    found = []
        return tuple(found)

    def last(self, section: str, name: str) -> Entry | None:
        """The assignment of a single setting that counts."""
        found = self.all(section, name)
        return found[-1] if found else None

    def has(self, section: str) -> bool:
        """Whether anything is assigned in a section."""
        return any(entry.section == section for entry in self.entries)


def parse(text: str, source: str) -> tuple[Entry, ...]:
    """The assignments of one file. Lines that are none are passed over, as systemd does with a warning."""
    entries: list[Entry] = []
    section = ""
    lines = text.split("\n")
    index = 0
    while index < len(lines):
        line = lines[index].rstrip("\r")
        number = index + 1
        index += 1
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
            continue
        name, equals, rest = line.partition("=")
        if not equals:
            continue
        column = len(name) + 2 + len(rest) - len(rest.lstrip())
        parts = [rest.strip()]
        joints = [(0, number, column)]
        length = 0
        while parts[-1].endswith("\\") and index < len(lines):
            following = lines[index].rstrip("\r")
            index += 1
            if following.strip()[:1] in ("#", ";"):
                continue
            parts[-1] = parts[-1][:-1]
            length += len(parts[-1]) + 1
            body = following.strip()
            joints.append((length, index, len(following) - len(following.lstrip()) + 1))
            parts.append(body)
        if parts[-1].endswith("\\"):
            parts[-1] = parts[-1][:-1]
        value = " ".join(parts)
        entries.append(Entry(section, name.strip(), value, source, number, column, tuple(joints)))
    return tuple(entries)
