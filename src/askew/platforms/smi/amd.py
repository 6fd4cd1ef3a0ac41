"""What ``rocm-smi`` and ``amd-smi`` print as text: lines by device, the concise table of each, blocks by device.

Shapes: rocm_smi.py of ROCm/rocm_smi_lib and the documentation of amd-smi, rocm.docs.amd.com/projects/amdsmi.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from askew.platforms.smi.capture import MOST_DEVICES, Capture, Device, Lines, Said, nothing

# PCI device ids of accelerators: pci-ids.ucw.cz, vendor 1002.
IDS: Mapping[str, str] = {
    "0x740f": "AMD Instinct MI210",
    "0x7408": "AMD Instinct MI250X",
    "0x74a0": "AMD Instinct MI300A",
    "0x74a1": "AMD Instinct MI300X",
    "0x74a5": "AMD Instinct MI325X",
    "0x75a0": "AMD Instinct MI350X",
    "0x75a3": "AMD Instinct MI355X",
}
# rocm-smi's words for what it shows of a device → field and unit. They are the keys of its JSON and CSV too.
WORDS: Mapping[str, tuple[str, str]] = {
    "card series": ("name", ""),
    "device name": ("name", ""),
    "vram total memory (b)": ("memory", " B"),
    "vram total used memory (b)": ("used", " B"),
    "gpu use (%)": ("utilization", ""),
    "max graphics package power (w)": ("power_limit", ""),
    "unique id": ("uuid", ""),
    "pci bus": ("bus", ""),
}
# amd-smi's keys, by block.
_BLOCKS: Mapping[str, str] = {
    "asic/market_name": "name",
    "vram/size": "memory",
    "mem_usage/total_vram": "memory",
    "mem_usage/used_vram": "used",
    "usage/gfx_activity": "utilization",
    "limit/max_power": "power_limit",
    "limit/socket_power": "power_limit",
    "bus/bdf": "bus",
    "/gpu_bdf": "bus",
    "/bdf": "bus",
    "/gpu_uuid": "uuid",
    "/uuid": "uuid",
}
_LINE = re.compile(r"GPU\[(\d{1,4})\]\s*:\s*([^:]{1,60}?)\s*:\s*(.+)")
_DRIVER = re.compile(r"^\W*Driver version:\s*([0-9][0-9A-Za-z.+-]*)\s*$")
_LOG = re.compile(r"=+\s*ROCm System Management Interface\s*=+")
_CONCISE = re.compile(r"(?:Device|GPU)\s.*\bVRAM%\s+GPU%")
_BLOCK = re.compile(r"GPU: (\d{1,4})\s*")
_PAIR = re.compile(r"([A-Z][A-Z0-9_]{1,60}):(?:\s+(.*\S))?\s*")
_TABLE = re.compile(r"\|\s*AMD-SMI\s+\S+")
_TABLE_DRIVER = re.compile(r"amdgpu version:\s*([0-9][0-9A-Za-z.+-]*)(?=[\s|])")
_TABLE_BUS = re.compile(r"\b([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])\s+(\S.*\S)\s*$")
_TABLE_POWER = re.compile(r"\d+/(\d+ W)")
_TABLE_MEMORY = re.compile(r"(\d+)/(\d+ MB)")
_TABLE_INDEX = re.compile(r"\s*(\d{1,4})\s+\d+\s+\S")
_PERCENT = re.compile(r"(\d{1,3})\s*%")


def starts_log(line: str) -> bool:
    """Whether a line begins the output of ``rocm-smi``."""
    return "ROCm System" in line and _LOG.search(line) is not None


def starts_lines(line: str) -> bool:
    """Whether a line is one of those that ``rocm-smi`` prints for each device."""
    return line.lstrip("> ").startswith("GPU[") and _LINE.search(line) is not None


def read_log(lines: Lines, row: int) -> tuple[Capture, int]:
    """The output of ``rocm-smi`` from a line on, and the first line after it."""
    begin = row
    devices: dict[str, dict[str, Said]] = {}
    driver: Said | None = None
    ended = False
    concise = False
    blank = 0
    while row < len(lines) and not (row > begin and starts_log(lines[row]) and "Concise" not in lines[row]):
        line = lines[row]
        if "End of ROCm SMI Log" in line:
            ended = True
            row += 1
            break
        concise = concise or _CONCISE.search(line) is not None
        if (match := _LINE.search(line)) is not None:
            _line(lines, row, match, devices)
        elif (found := _DRIVER.match(line)) is not None and not lines.open_ended(row):
            driver = lines.said(row, *found.span(1))
        elif concise:
            _concise(lines, row, devices)
        blank = 0 if line.strip() else blank + 1
        if blank > 3 or line.strip().startswith("```"):
            break
        row += 1
    found_devices = tuple(
        Device(at=next(iter(said.values())).at, said=said) for said in list(devices.values())[:MOST_DEVICES] if said
    )
    return (
        Capture(
            form="rocm-smi",
            at=lines.at(begin),
            vendor="amd",
            devices=found_devices,
            driver=driver,
            counted=bool(found_devices),
            doubt="" if ended else "the text ends before rocm-smi says so",
            host=lines.host(begin),
        ),
        max(row, begin + 1),
    )


def _line(lines: Lines, row: int, match: re.Match[str], devices: dict[str, dict[str, Said]]) -> None:
    said = devices.setdefault(match[1], {"index": lines.said(row, *match.span(1))})
    word = WORDS.get(match[2].lower())
    if word is None or lines.open_ended(row):
        return
    value = lines.said(row, *match.span(3))
    field, unit = word
    if not nothing(value.text) and not value.text.startswith("0x") and field not in said:
        said[field] = Said(value.text + unit, value.at)


def _concise(lines: Lines, row: int, devices: dict[str, dict[str, Said]]) -> None:
    """A device's row of the concise table: its number first, its power cap and its use last."""
    words = list(re.finditer(r"\S+", lines[row][:400]))
    if len(words) < 6 or not words[0][0].isdecimal() or not words[-1][0].endswith("%") or lines.open_ended(row):
        return
    said = devices.setdefault(words[0][0], {"index": lines.said(row, *words[0].span())})
    said["utilization"] = lines.said(row, *words[-1].span())
    cap = words[-3]
    if cap[0].endswith("W") and cap[0][:-1].replace(".", "", 1).isdecimal():
        said["power_limit"] = lines.said(row, *cap.span())
    for word in words[1:4]:
        name = IDS.get(word[0].rstrip(",").lower())
        if name is not None:
            said["name"] = Said(name, lines.at(row, word.start()))


def starts_blocks(lines: Lines, row: int) -> bool:
    """Whether a line begins what ``amd-smi`` prints of a device."""
    line = lines[row]
    return line.startswith("GPU: ") and _BLOCK.fullmatch(line) is not None and lines[row + 1].startswith("    ")


def read_blocks(lines: Lines, row: int) -> tuple[Capture, int]:
    """The blocks that ``amd-smi static``, ``metric`` or ``list`` print from a line on, and the line after them."""
    begin = row
    devices: list[Device] = []
    driver: Said | None = None
    block = ""
    while row < len(lines):
        line = lines[row]
        if (gpu := _BLOCK.fullmatch(line)) is not None and len(devices) < MOST_DEVICES:
            devices.append(Device(at=lines.at(row), said={"index": lines.said(row, *gpu.span(1))}))
            block = ""
        elif line.strip() and not line.startswith("    "):
            break
        elif (pair := _PAIR.fullmatch(line.strip())) is not None:
            indent = len(line) - len(line.lstrip())
            key = pair[1].lower()
            if indent == 4:
                block = key
            if pair[2] and not lines.open_ended(row) and not nothing(pair[2]):
                start = line.index(pair[2], line.index(":") + 1)
                value = lines.said(row, start, start + len(pair[2]))
                if block == "driver" and key in ("version", "driver_version"):
                    driver = value
                field = _BLOCKS.get(f"{block if indent > 4 else ''}/{key}")
                if field is not None and field not in devices[-1].said:
                    devices[-1] = msgspec.structs.replace(devices[-1], said={**devices[-1].said, field: value})
        row += 1
    return (
        Capture(form="amd-smi", at=lines.at(begin), vendor="amd", devices=tuple(devices), driver=driver,
                host=lines.host(begin)),
        row,
    )  # fmt: skip


def starts_table(line: str) -> bool:
    """Whether a line begins the summary of ``amd-smi``."""
    return "AMD-SMI" in line and _TABLE.search(line) is not None


def read_table(lines: Lines, row: int) -> tuple[Capture, int]:
    """The summary that ``amd-smi`` prints without arguments, and the first line after it."""
    begin = row
    devices: list[Device] = []
    driver: Said | None = None
    whole = True
    ended = False
    while row < len(lines):
        line = lines[row]
        if "Processes" in line or (row > begin and starts_table(line)):
            ended = True
            break
        if devices and line.strip() and "|" not in line and "+" not in line:
            break
        if (found := _TABLE_DRIVER.search(line)) is not None:
            driver = lines.said(row, *found.span(1))
        cells = list(lines.cells(row))
        if len(cells) == 2:
            whole = _table_row(lines, row, cells, devices, whole)
        row += 1
    cut = "" if whole else "the table ends in the middle of a device"
    return (
        Capture(
            form="amd-table",
            at=lines.at(begin),
            vendor="amd",
            devices=tuple(devices),
            driver=driver,
            cut=cut if devices else "the table shows no device",
            doubt="" if ended else "the text ends before the list of processes",
            host=lines.host(begin),
        ),
        max(row, begin + 1),
    )


def _table_row(lines: Lines, row: int, cells: list[tuple[int, int]], devices: list[Device], whole: bool) -> bool:
    """Take a row of the summary; whether the device that it shows is complete."""
    line = lines[row]
    left, right = cells
    first = _TABLE_BUS.search(line[: left[1]], left[0])
    if first is not None:
        said = {"bus": lines.said(row, *first.span(1)), "name": lines.said(row, *first.span(2))}
        if (power := _TABLE_POWER.search(line, *right)) is not None:
            said["power_limit"] = lines.said(row, *power.span(1))
        devices.append(Device(at=lines.at(row), said=said))
        return False
    second = _TABLE_INDEX.match(line[: left[1]], left[0])
    if second is None or not devices or whole:
        return whole
    more = {"index": lines.said(row, *second.span(1))}
    if (memory := _TABLE_MEMORY.search(line, *right)) is not None:
        used = lines.said(row, *memory.span(1))
        more["used"] = Said(f"{used.text} MB", used.at)
        more["memory"] = lines.said(row, *memory.span(2))
    if (percent := _PERCENT.search(line, *right)) is not None:
        more["utilization"] = lines.said(row, *percent.span(0))
    devices[-1] = msgspec.structs.replace(devices[-1], said={**devices[-1].said, **more})
    return True
