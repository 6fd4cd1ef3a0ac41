"""What one run of such a tool showed, word for word, with the place of every word."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping

import msgspec

from askew.evidence.location import Location

MOST_DEVICES = 1024  # a rack has some hundreds
MOST_LINES = 200_000

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]")
_PROMPT = re.compile(r"(?:^|[\s(\[])[\w.-]{1,64}@([\w.-]{1,128})[:\s]")


class Said(msgspec.Struct, frozen=True):
    """A word of the output, and where it stands."""

    text: str
    at: Location


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a device that is given out as a device of its own (MIG). ``profile`` is None where it is not shown."""

    at: Location
    profile: Said | None = None
    memory: Said | None = None
    used: Said | None = None
    uuid: str = ""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One accelerator. ``said`` holds what is shown of it by the names of ``FIELDS``; ``reasons`` the active reasons
    for lower clocks, None where none are shown at all."""

    at: Location
    said: Mapping[str, Said] = {}
    slices: tuple[Slice, ...] = ()
    reasons: tuple[Said, ...] | None = None


# ``memory``, ``used``: with a unit, else MiB. ``power_limit`` in watts, clocks in MHz, ``utilization`` in percent.
FIELDS = (
    *("name", "uuid", "bus", "index", "memory", "used", "utilization", "power_limit", "ecc", "mig"),
    *("compute_capability", "max_sm", "max_memory", "applications_sm", "applications_memory"),
)


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """One output of one tool.

    ``form`` names which: two of one form are the same question asked twice. ``count`` is a number of devices that the
    output states. ``cut`` says why devices are missing from it, ``doubt`` why they may be; ``counted`` is false where
    its rows are no count of devices. ``host`` is the machine that a prompt before it names. ``links``: how two devices
    are connected, by their numbers. ``errors`` are codes that the driver logged.
    """

    form: str
    at: Location
    vendor: str = ""
    devices: tuple[Device, ...] = ()
    driver: Said | None = None
    cuda: Said | None = None
    count: Said | None = None
    counted: bool = True
    cut: str = ""
    doubt: str = ""
    host: str = ""
    links: Mapping[tuple[int, int], Said] = {}
    errors: tuple[Said, ...] = ()


class Lines:
    """The lines of a text without terminal colours, and places in the text as it is."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self._open = text[-1:] not in ("\n", "\r")
        self._raw = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", MOST_LINES)[:MOST_LINES]
        self.lines = [_ANSI.sub("", line) for line in self._raw] if "\x1b" in text else self._raw

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, row: int) -> str:
        return self.lines[row] if 0 <= row < len(self.lines) else ""

    def open_ended(self, row: int) -> bool:
        """Whether a line is the last one and has no end, so that its last word may go on."""
        return self._open and row == len(self.lines) - 1

    def at(self, row: int, column: int = 0) -> Location:
        """The place of a column of a line, both counted from 0, in the text with its colours."""
        raw, clean = self._raw[row], self.lines[row]
        if raw is not clean and raw != clean:
            shift = 0
            for match in _ANSI.finditer(raw):
                if match.start() - shift > column:
                    break
                shift += len(match[0])
            column += shift
        return Location(self.source, line=row + 1, column=column + 1)

    def said(self, row: int, start: int, end: int) -> Said:
        """The words between two columns, without the blanks around them."""
        part = self.lines[row][start:end]
        return Said(part.strip(), self.at(row, start + len(part) - len(part.lstrip())))

    def host(self, row: int) -> str:
        """The machine that the last prompt before a line names (``root@node-1:/#``); empty without one."""
        for line in reversed(self.lines[max(0, row - 6) : row]):
            if (match := _PROMPT.search(line[:400])) is not None:
                return match[1].lower()
        return ""

    def cells(self, row: int, separators: str = "|") -> Iterator[tuple[int, int]]:
        """The columns between the separators of a line of a table, as pairs of start and end."""
        line = self.lines[row]
        bars = [at for at, letter in enumerate(line[:2000]) if letter in separators]
        yield from ((a + 1, b) for a, b in itertools.pairwise(bars))


def nothing(text: str) -> bool:
    """Whether a value says that there is none: ``N/A``, ``[Not Supported]``, a deprecated field."""
    word = text.strip().strip("[]").lower()
    return word in ("", "n/a", "none", "not supported", "unknown error", "err!", "-", "insufficient permissions") or (
        word.startswith(("requested functionality", "unknown"))
    )
