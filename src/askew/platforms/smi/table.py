"""The summary that nvidia-smi and hl-smi print without arguments: boxes of bars, whose columns moved with every era.

A device has two or three lines. Nothing is taken from fixed columns: cells stand between bars, and words in them are
told by their shape.
"""

from __future__ import annotations

import re

import msgspec

from askew.platforms.smi.capture import Capture, Device, Lines, Said, Slice

_HEAD = re.compile(r"\|\s*(NVIDIA-SMI|HL-SMI Version:)\s+(\S+)")
# Since 610 the driver is the kernel-mode driver (KMD), and CUDA's version that of the user-mode one (UMD).
_DRIVER = re.compile(r"(?:Driver|KMD) Version:\s*([0-9][0-9A-Za-z.+-]*)(?=[\s|])")
_CUDA = re.compile(r"CUDA (?:UMD )?Version:\s*([0-9][0-9.]*)(?=[\s|])")
# number, name, persistence; the name of older drivers ends in "..." where it is too long.
_FIRST = re.compile(r"\s*(\d{1,4})\s+(\S.*?)\s+(?:On|Off|N/A|TCC|WDDM|MCDM|ERR!)(?:\s+(?:On|Off|N/A))?\s*")
_SECOND = re.compile(r"(?:\d+%|N/A|ERR!)\s+(?:-?\d+C|N/A|ERR!)")
_BUS = re.compile(r"\b([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f])\b")
_POWER = re.compile(r"/\s*(\d+(?:\.\d+)?\s*W)\b")
_MEMORY = re.compile(r"(\d+\s*Mi?[Bb])\s*/\s*(\d+\s*Mi?[Bb])")  # hl-smi once wrote Mib
_PERCENT = re.compile(r"(\d{1,3})\s*%")
_MIG_ROW = re.compile(r"\|\s*(\d{1,4})\s+(\d{1,4})\s+(\d{1,4})\s+(\d{1,4})\s+\|")
_ENDS = ("| Processes", "| Compute Processes", "| MIG devices", "| Active Processes")


def starts(line: str) -> bool:
    """Whether a line begins such a summary."""
    return "SMI" in line and _HEAD.search(line) is not None


def read(lines: Lines, row: int) -> tuple[Capture, int]:
    """The summary that begins at a line, and the first line after it."""
    begin = row
    match = _HEAD.search(lines[row])
    habana = match is not None and match[1].startswith("HL")
    driver = cuda = None
    devices: list[Device] = []
    bare: list[int] = []  # devices whose second line is missing
    mig = False
    while row < len(lines):
        line = lines[row]
        if row > begin and starts(line):
            break
        if (found := _DRIVER.search(line)) is not None and driver is None:
            driver = lines.said(row, *found.span(1))
        if (found := _CUDA.search(line)) is not None and cuda is None:
            cuda = lines.said(row, *found.span(1))
        if _ends(line):
            mig = mig or "MIG devices" in line
            if not mig or "Processes" in line:
                break
        if mig:
            _slice(lines, row, devices)
        elif "|" in line:
            _device(lines, row, devices, bare)
        elif line.strip() and "+" not in line and (devices or row > begin + 40):
            break
        row += 1
    cut = "the table ends in the middle of a device" if bare else "" if devices else "the table shows no device"
    return (
        Capture(
            form="table",
            at=lines.at(begin),
            vendor="intel" if habana else "nvidia",
            devices=tuple(devices),
            driver=driver,
            cuda=cuda,
            cut=cut or _shortened(lines, row),
            doubt="" if _ends(lines[row]) or mig else "the text ends before the list of processes",
            host=lines.host(begin),
        ),
        max(row, begin + 1),
    )


def _ends(line: str) -> bool:
    return any(end in line for end in _ENDS)


def _shortened(lines: Lines, end: int) -> str:
    """Why a table is not all there: the border below its last device is missing."""
    last = next((lines[row] for row in range(min(end, len(lines)) - 1, -1, -1) if lines[row].strip()), "").strip()
    if last in ("...", "…"):
        return "the table was shortened"
    return "" if last.endswith("+") and "-+" in last else "the table has no end"


def _device(lines: Lines, row: int, devices: list[Device], bare: list[int]) -> None:
    cells = list(lines.cells(row))
    if len(cells) < 2:
        return
    line = lines[row]
    first = _FIRST.fullmatch(line[slice(*cells[0])])
    bus = _BUS.search(line, *cells[1])
    if first is not None and bus is not None:
        start = cells[0][0]
        said = {
            "index": lines.said(row, start + first.start(1), start + first.end(1)),
            "name": lines.said(row, start + first.start(2), start + first.end(2)),
            "bus": lines.said(row, *bus.span(1)),
        }
        if len(cells) > 2:
            said["ecc"] = lines.said(row, *cells[2])
            if said["ecc"].text == "On":  # stands for the errors of a device that MIG divides
                said["mig"] = Said("Enabled", said["ecc"].at)
        devices.append(Device(at=lines.at(row), said=said))
        bare[:] = [row]
        return
    if not devices:
        return
    if _SECOND.search(line[slice(*cells[0])]) is not None and bare:
        devices[-1] = _with(devices[-1], _second(lines, row, cells))
        if len(cells) > 2:
            bare.clear()
    elif len(cells) > 2 and (word := lines.said(row, *cells[2])).text in ("Enabled", "Disabled"):
        devices[-1] = _with(devices[-1], {"mig": word})


def _with(device: Device, more: dict[str, Said]) -> Device:
    return msgspec.structs.replace(device, said={**device.said, **more})


def _second(lines: Lines, row: int, cells: list[tuple[int, int]]) -> dict[str, Said]:
    line, said = lines[row], {}
    if (power := _POWER.search(line, *cells[0])) is not None:
        said["power_limit"] = lines.said(row, *power.span(1))
    if (memory := _MEMORY.search(line, *cells[1])) is not None:
        said["used"] = lines.said(row, *memory.span(1))
        said["memory"] = lines.said(row, *memory.span(2))
    if len(cells) > 2 and (percent := _PERCENT.search(line, *cells[2])) is not None:
        said["utilization"] = lines.said(row, *percent.span(0))
    return said


def _slice(lines: Lines, row: int, devices: list[Device]) -> None:
    match = _MIG_ROW.search(lines[row])
    if match is None:
        return
    memory = _MEMORY.search(lines[row])
    for at, device in enumerate(devices):
        if device.said["index"].text == match[1]:
            part = Slice(
                at=lines.at(row, match.start(1)),
                memory=lines.said(row, *memory.span(2)) if memory else None,
                used=lines.said(row, *memory.span(1)) if memory else None,
            )
            devices[at] = msgspec.structs.replace(device, slices=(*device.slices, part))
