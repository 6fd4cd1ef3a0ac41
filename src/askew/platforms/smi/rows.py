"""Comma-separated outputs: ``nvidia-smi --query-gpu=… --format=csv``, ``hl-smi -Q … -f csv``, ``rocm-smi --csv``,
``amd-smi … --csv``.

A header names the columns. Where it was left out (``noheader``), the command in the line before does; else only what a
value says by its own shape is taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from askew.knowledge.gpus import begins_longer_name, clock_reasons, is_device_name
from askew.platforms.smi.capture import MOST_DEVICES, Capture, Device, Lines, Said, nothing

# Column → field: `nvidia-smi --help-query-gpu`, `hl-smi -Q`, `rocm-smi --help`, `amd-smi static --help`.
_COLUMNS: Mapping[str, str] = {
    "name": "name", "gpu_name": "name", "uuid": "uuid", "gpu_uuid": "uuid", "index": "index",
    "pci.bus_id": "bus", "gpu_bus_id": "bus", "bus_id": "bus", "memory.total": "memory", "memory.used": "used",
    "utilization.gpu": "utilization", "utilization.aip": "utilization", "power.limit": "power_limit",
    "enforced.power.limit": "power_limit", "ecc.mode.current": "ecc", "mig.mode.current": "mig",
    "compute_cap": "compute_capability", "clocks.max.sm": "max_sm", "clocks.max.memory": "max_memory",
    "clocks.max.mem": "max_memory", "clocks.applications.graphics": "applications_sm",
    "clocks.applications.gr": "applications_sm", "clocks.applications.memory": "applications_memory",
    "clocks.applications.mem": "applications_memory",
    "device": "index", "gpu": "index", "card series": "name", "market_name": "name",
    "vram total memory (b)": "memory", "vram total used memory (b)": "used", "gpu use (%)": "utilization",
    "max graphics package power (w)": "power_limit",
}  # fmt: skip
_OF_ALL = {"driver_version": "driver", "driver version": "driver", "count": "count"}
_AMD = frozenset(("device", "gpu", "card series", "market_name"))
# Rows of these are processes, pages or clocks, not devices.
_NO_DEVICES = frozenset(("pid", "process_name", "retired_pages.address", "graphics", "used_gpu_memory", "gpu_util"))
_REASON = re.compile(r"clocks_(?:event|throttle)_reasons\.(\w+)")
_UNIT = re.compile(r"\s*\[([^\]]{1,10})\]$")
_COMMAND = re.compile(r"(?:nvidia-smi\b.*--query-gpu|hl-smi\b.*(?:-Q|--query-aip))[=\s]\s*['\"]?([a-z0-9_.,]+)")
_SELECTED = re.compile(r"\s(?:-i|--id)[=\s]\s*\S")
_UUID = re.compile(r"GPU-[0-9a-f]{8}-[0-9a-f-]{27}")
_BUS = re.compile(r"[0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\.[0-9A-F]")
_DRIVER = re.compile(r"[1-9]\d{2}\.\d{2,3}\.\d{2}")
_FINISHED = re.compile(r".*\s(?:MiB|GiB|W|MHz|%)")
_LONGEST = 20_000


def columns_of(line: str) -> tuple[str, ...]:
    """The columns that a header names; empty for a line that is none."""
    if len(line) > _LONGEST:
        return ()
    words = line.strip().strip("`>").strip()
    if "," not in words:
        alone = _plain(words)
        return (alone,) if alone in _COLUMNS or alone in _OF_ALL else ()
    names = tuple(_plain(word) for word in words.split(","))
    known = sum(1 for name in names if name in _COLUMNS or name in _OF_ALL)
    if known and (names[0] in _COLUMNS or names[0] in _OF_ALL or names[0] in ("timestamp", "pid", "gpu_serial")):
        return names if not _sentence(names) else ()
    return ()


def _plain(word: str) -> str:
    return _UNIT.sub("", word.strip()).lower()


def _sentence(names: Sequence[str]) -> bool:
    """Whether these are words of a text: names of columns have no blanks, but for those of rocm-smi."""
    return names[0] not in _AMD and any(" " in name for name in names)


def of_command(line: str) -> tuple[str, ...]:
    """The columns that a command asks for: ``nvidia-smi --query-gpu=name,memory.total``."""
    if "-smi" not in line or (match := _COMMAND.search(line[:_LONGEST])) is None or "csv" not in line:
        return ()
    return tuple(word for word in match[1].split(",") if word)


def read(lines: Lines, row: int, columns: Sequence[str], *, header: bool) -> tuple[Capture | None, int]:
    """The rows below a header, or those that a command gives without one; None where they are no devices."""
    begin = row
    units = [_unit(word) for word in lines[row].split(",")] if header else [""] * len(columns)
    command = next((lines[at] for at in (row - 1, row - 2) if at >= 0 and "-smi" in lines[at]), "")
    row += 1
    devices: list[Device] = []
    shared: dict[str, Said] = {}
    times: set[str] = set()
    cut = ""
    half = False
    while row < len(lines) and len(devices) < MOST_DEVICES:
        cells = _cells(lines, row)
        if not _belongs(lines[row], cells, columns):
            break
        if len(cells) != len(columns):
            cut = "a row has not all of its columns"
            row += 1
            continue
        if not all(_plausible(column, cell.text) for column, cell in zip(columns, cells, strict=True)):
            break
        if lines.open_ended(row) and not _whole(columns[-1], cells[-1].text):
            cells[-1] = Said("", cells[-1].at)
            half = True
        device, rest = _device(lines, row, columns, units, cells)
        devices.append(device)
        shared.update({key: said for key, said in rest.items() if key != "time"})
        times.add(rest["time"].text if "time" in rest else "")
        row += 1
    if _NO_DEVICES & set(columns) or (not devices and not cut):
        return None, max(row, begin + 1)
    repeated = len(times) > 1 and not any("uuid" in one.said or "index" in one.said for one in devices)
    doubt = "rows are counted, and no column tells two of the same device apart" if not _told(devices) else ""
    if half:
        doubt = "the last row has no end"
    amd = columns[0] in _AMD
    return (
        Capture(
            form="rows",
            at=lines.at(begin),
            vendor="intel" if "hl-smi" in command or "utilization.aip" in columns else "amd" if amd else "nvidia",
            devices=tuple(devices),
            driver=shared.get("driver"),
            count=shared.get("count"),
            counted=not repeated and not _SELECTED.search(command),
            cut=cut,
            doubt=doubt,
            host=lines.host(begin),
        ),
        row,
    )


def _told(devices: Sequence[Device]) -> bool:
    return all(any(key in one.said for key in ("uuid", "index", "bus")) for one in devices)


def _belongs(line: str, cells: Sequence[Said], columns: Sequence[str]) -> bool:
    """Whether a line can be a row: neither blank nor another header, a prompt or a fence."""
    if not line.strip() or line.lstrip().startswith(("#", "```", "$", "+", "|")) or "-smi " in line:
        return False
    if columns_of(line):
        return False
    return len(cells) == len(columns) or (len(columns) > 1 and len(cells) > 1)


_SHAPES = {
    "name": re.compile(r"(?=.*[A-Z0-9])[^{}<>;=]{1,100}"),
    "uuid": re.compile(r"(?:GPU|MIG)-\S{1,80}|[0-9a-f-]{16,40}"),
    "index": re.compile(r"(?:card)?\d{1,4}"),
    "bus": re.compile(r"[0-9A-Fa-f]{2,8}:[0-9A-Fa-f:.]{4,16}"),
    "ecc": re.compile(r"Enabled|Disabled"),
    "mig": re.compile(r"Enabled|Disabled"),
    "driver": re.compile(r"\d[0-9A-Za-z.+-]{0,40}"),
}
_AMOUNT = re.compile(r"\d{1,18}(?:\.\d{1,6})?(?:\s*[A-Za-z%]{1,4})?")


def _plausible(column: str, text: str) -> bool:
    """Whether a value can stand in a column; in one that no field takes everything can."""
    field = _COLUMNS.get(column) or _OF_ALL.get(column, "")
    return not field or not text or nothing(text) or _SHAPES.get(field, _AMOUNT).fullmatch(text) is not None


def _whole(column: str, text: str) -> bool:
    """Whether the last word of a text that has no line end can be taken as it stands."""
    if _COLUMNS.get(column) == "name":
        return not begins_longer_name(text)
    return _FINISHED.fullmatch(text) is not None or _UUID.fullmatch(text) is not None or nothing(text)


def _unit(word: str) -> str:
    match = _UNIT.search(word.strip())
    return match[1] if match else ""


def _cells(lines: Lines, row: int) -> list[Said]:
    line = lines[row]
    if len(line) > _LONGEST:
        return []
    cells: list[Said] = []
    at = 0
    for part in line.split(","):
        cells.append(lines.said(row, at, at + len(part)))
        at += len(part) + 1
    return cells


def _device(
    lines: Lines, row: int, columns: Sequence[str], units: Sequence[str], cells: Sequence[Said]
) -> tuple[Device, dict[str, Said]]:
    said: dict[str, Said] = {}
    rest: dict[str, Said] = {}
    active: list[Said] = []
    shown = False
    for column, unit, cell in zip(columns, units, cells, strict=True):
        if nothing(cell.text):
            continue
        if column == "timestamp":
            rest["time"] = cell
        if (key := _OF_ALL.get(column)) is not None:
            rest[key] = cell
        if (reason := _REASON.fullmatch(column)) is not None:
            shown = shown or reason[1] != "supported"
            active.extend(_reasons(reason[1], cell))
        if (field := _COLUMNS.get(column)) is not None and field not in said:
            text = cell.text
            if field == "index":
                text = text.removeprefix("card")
            if unit and text.replace(".", "", 1).isdecimal():
                text = f"{text} {unit}"
            if column.endswith("(b)"):
                text = f"{text} B"
            said[field] = Said(text, cell.at)
    distinct = tuple({one.text: one for one in active}.values())
    return Device(at=lines.at(row), said=said, reasons=distinct if shown else None), rest


def _reasons(name: str, cell: Said) -> list[Said]:
    if name == "active":
        try:
            bits = int(cell.text, 16)
        except ValueError:
            return []
        return [Said(word, cell.at) for word in clock_reasons(bits)]
    return [Said(name, cell.at)] if cell.text == "Active" else []


def read_bare(lines: Lines, row: int) -> tuple[Capture | None, int]:
    """Rows without a header or a command: each must begin with, or hold, the exact name of a known device; then that
    name, a UUID, a bus address and a driver's version are told by their shapes, and nothing else is."""
    begin = row
    devices: list[Device] = []
    driver: Said | None = None
    while row < len(lines) and len(devices) < MOST_DEVICES:
        said: dict[str, Said] = {}
        for cell in _cells(lines, row):
            # No driver prints a bare ``L4``: people write that, in lists and in code.
            full = " " in cell.text or "-" in cell.text
            if full and is_device_name(cell.text) and not (lines.open_ended(row) and not _whole("name", cell.text)):
                said["name"] = cell
            elif _UUID.fullmatch(cell.text):
                said["uuid"] = cell
            elif _BUS.fullmatch(cell.text):
                said["bus"] = cell
            elif _DRIVER.fullmatch(cell.text):
                driver = cell
        if "name" not in said:
            break
        devices.append(Device(at=lines.at(row), said=said))
        row += 1
    if not devices:
        return None, begin + 1
    doubt = "" if _told(devices) else "rows are counted, and no column tells two of the same device apart"
    return (
        Capture(form="rows", at=lines.at(begin), vendor="", devices=tuple(devices), driver=driver, doubt=doubt,
                host=lines.host(begin)),
        row,
    )  # fmt: skip
