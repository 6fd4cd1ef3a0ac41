"""What the tools of other makers print: ``npu-smi info`` (Ascend), ``neuron-ls`` (AWS), ``tpu-info`` (Google),
``xpu-smi discovery`` (Intel).

Shapes: the documentation of CANN at hiascend.com; awsdocs-neuron.readthedocs-hosted.com; the README of
google/cloud-accelerator-diagnostics; intel.github.io/xpumanager.
"""

from __future__ import annotations

import re

import msgspec

from askew.platforms.smi.capture import MOST_DEVICES, Capture, Device, Lines, Said

_NPU = re.compile(r"\|\s*npu-smi\s+(\S+)\s+Version:\s*(\S+)(?=[\s|])")
_NPU_FIRST = re.compile(r"\s*(\d{1,4})\s+(\S.*\S|\S)\s*")
_NPU_MEMORY = re.compile(r"(\d+)\s*/\s*(\d+)\s*$")
_NEURON_INSTANCE = re.compile(r"^instance-type:\s*(\S+)")
_NEURON_ROW = re.compile(r"\|\s*(\d{1,4})\s*\|\s*\d+\s*\|\s*(?:[\d,\- ]+\|\s*)?(\d+ [GM]i?B)\s*\|")
_TPU_ROW = re.compile(r"[│|]\s*(/dev/\S+)\s*[│|]\s*(TPU \S.*?)\s*[│|]\s*(\d+)\s*[│|]")
_XPU_ROW = re.compile(r"\|\s*(\d{1,4})\s*\|\s*Device Name:\s*(\S.*?)\s*\|")


def starts(line: str) -> str:
    """Which of these tools printed a line that begins its output; empty for none."""
    if "npu-smi" in line and _NPU.search(line):
        return "npu-smi"
    if line.startswith("instance-type:"):
        return "neuron-ls"
    if line.strip() == "TPU Chips" or ("TPU" in line and _TPU_ROW.search(line)):
        return "tpu-info"
    if "Device Name:" in line and _XPU_ROW.search(line):
        return "xpu-smi"
    return ""


def read(lines: Lines, row: int, tool: str) -> tuple[Capture, int]:
    """The output of a tool that begins at a line, and the first line after it."""
    begin = row
    devices: list[Device] = []
    driver: Said | None = None
    instance: Said | None = None
    pending = False
    while row < len(lines) and len(devices) < MOST_DEVICES:
        line = lines[row]
        if line.strip().startswith("```") or (row > begin and "Process" in line):
            break
        if tool == "npu-smi":
            if (head := _NPU.search(line)) is not None:
                driver = lines.said(row, *head.span(2))
            pending = _npu(lines, row, devices, pending)
        elif tool == "neuron-ls":
            if (found := _NEURON_INSTANCE.match(line)) is not None:
                instance = lines.said(row, *found.span(1))
            elif (match := _NEURON_ROW.search(line)) is not None:
                said = {"index": lines.said(row, *match.span(1)), "memory": lines.said(row, *match.span(2))}
                devices.append(Device(at=lines.at(row), said=said))
        elif tool == "tpu-info":
            if (match := _TPU_ROW.search(line)) is not None:
                said = {"bus": lines.said(row, *match.span(1)), "name": lines.said(row, *match.span(2))}
                devices.append(Device(at=lines.at(row), said=said))
        elif (match := _XPU_ROW.search(line)) is not None:
            said = {"index": lines.said(row, *match.span(1)), "name": lines.said(row, *match.span(2))}
            devices.append(Device(at=lines.at(row), said=said))
        row += 1
    if instance is not None:
        devices = [msgspec.structs.replace(one, said={**one.said, "instance": instance}) for one in devices]
    vendors = {"npu-smi": "huawei", "neuron-ls": "aws", "tpu-info": "google", "xpu-smi": "intel"}
    return (
        Capture(
            form=tool,
            at=lines.at(begin),
            vendor=vendors[tool],
            devices=tuple(devices),
            driver=driver,
            cut="the table ends in the middle of a device" if pending else "" if devices else "no device is shown",
            doubt="" if row < len(lines) else "the text may end before the table does",
            host=lines.host(begin),
        ),
        max(row, begin + 1),
    )


def _npu(lines: Lines, row: int, devices: list[Device], pending: bool) -> bool:
    """Take a row of a table of ``npu-smi info``; whether the second row of the device is still to come."""
    cells = list(lines.cells(row))
    if len(cells) != 3:
        return pending
    start, end = cells[0]
    first = _NPU_FIRST.fullmatch(lines[row][start:end])
    health = lines.said(row, *cells[1]).text
    if first is not None and not pending and ":" not in health:
        said = {
            "index": lines.said(row, start + first.start(1), start + first.end(1)),
            "name": lines.said(row, start + first.start(2), start + first.end(2)),
        }
        devices.append(Device(at=lines.at(row), said=said))
        return True
    if pending and devices and (memory := _NPU_MEMORY.search(lines[row][: cells[2][1]], cells[2][0])) is not None:
        used, total = lines.said(row, *memory.span(1)), lines.said(row, *memory.span(2))
        more = {"used": Said(f"{used.text} MB", used.at), "memory": Said(f"{total.text} MB", total.at)}
        bus = lines.said(row, *cells[1])
        devices[-1] = msgspec.structs.replace(devices[-1], said={**devices[-1].said, **more, "bus": bus})
        return False
    return pending
