"""The short outputs of nvidia-smi: ``-L``, ``topo -m``, ``mig -lgi``, ``--version``; and what its driver logged."""

from __future__ import annotations

import re

import msgspec

from askew.platforms.smi.capture import MOST_DEVICES, Capture, Device, Lines, Said, Slice

_LISTED = re.compile(r"GPU (\d{1,4}): (.{1,200}?) \(UUID: (GPU-[^)\s]{1,80})\)")
_MIG = re.compile(r"MIG (\S{1,40})\s+Device\s+(\d{1,4}): \(UUID: ([^)\s]{1,120})\)")
_TOPOLOGY = re.compile(r"^[>\s]*GPU0(?:\s+GPU\d+)*(?:\s|$)")
_LINK = re.compile(r"X|SELF|NV\d+|SYS|NODE|PHB|PXB|PIX|PIX?NODE|SOC|XGMI|PCIE|0|N/A", re.IGNORECASE)
_VERSION = re.compile(r"(NVIDIA-SMI|DRIVER|KMD|CUDA|CUDA UMD)\s+version\s*:\s*([0-9][0-9.]*)\s*", re.IGNORECASE)
_XID = re.compile(r"NVRM: Xid \([^)]{0,80}\): (\d{1,4})\b")
# The attributes behind a profile: https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
_INSTANCE = re.compile(r"\|\s*(\d{1,4})\s+MIG\s+(\d{1,2}g\.\d{1,3}gb\S{0,20})\s")
_MOST_ERRORS = 1000


def starts_list(line: str) -> bool:
    """Whether a line begins the output of ``nvidia-smi -L``."""
    return "(UUID: GPU-" in line and _LISTED.search(line) is not None


def read_list(lines: Lines, row: int) -> tuple[Capture, int]:
    """The devices that ``nvidia-smi -L`` lists from a line on, and the first line after them."""
    begin = row
    devices: list[Device] = []
    while row < len(lines) and len(devices) < MOST_DEVICES:
        line = lines[row]
        if (gpu := _LISTED.search(line)) is not None:
            names = ("index", "name", "uuid")
            said = {name: lines.said(row, *gpu.span(at)) for at, name in enumerate(names, 1)}
            devices.append(Device(at=lines.at(row, gpu.start()), said=said))
        elif (mig := _MIG.search(line)) is not None:
            part = Slice(at=lines.at(row, mig.start()), profile=lines.said(row, *mig.span(1)), uuid=mig[3])
            devices[-1] = msgspec.structs.replace(devices[-1], slices=(*devices[-1].slices, part))
        else:
            break
        row += 1
    rest = lines[row].strip()[:4]
    half = bool(rest) and ("GPU ".startswith(rest) or "MIG ".startswith(rest) or rest in ("GPU ", "MIG "))
    cut = "the list ends in the middle of a line" if half else ""
    return (
        Capture(
            form="list", at=lines.at(begin), vendor="nvidia", devices=tuple(devices), cut=cut, host=lines.host(begin)
        ),
        row,
    )


def starts_topology(lines: Lines, row: int) -> bool:
    """Whether a line is the head of a matrix of connections."""
    line = lines[row]
    return "GPU0" in line and _TOPOLOGY.match(line) is not None and _row(lines[row + 1]) is not None


def _row(line: str) -> tuple[int, list[re.Match[str]]] | None:
    """The number of the device of a line of the matrix, and its words."""
    words = list(re.finditer(r"\S+", line[:4000]))
    while words and words[0][0] == ">":
        words.pop(0)
    if len(words) < 2 or re.fullmatch(r"GPU\d{1,4}", words[0][0]) is None:
        return None
    return (int(words[0][0][3:]), words[1:]) if _LINK.fullmatch(words[1][0]) else None


def read_topology(lines: Lines, row: int) -> tuple[Capture, int]:
    """The matrix that begins at a line (``nvidia-smi topo -m``, ``rocm-smi --showtopotype``), and the line after it.

    Only connections between GPUs are taken. A row that is not all there takes its connections along, and the others'
    with it.
    """
    begin = row
    columns = [int(word[3:]) for word in re.findall(r"GPU\d{1,4}(?=\s|$)", lines[row])]
    links: dict[tuple[int, int], Said] = {}
    seen: list[int] = []
    row += 1
    cut = ""
    while row < len(lines) and (found := _row(lines[row])) is not None:
        number, words = found
        seen.append(number)
        for column, word in zip(columns, words, strict=False):
            if _LINK.fullmatch(word[0]) is None or (lines.open_ended(row) and word.end() == len(lines[row])):
                cut = "a line of the matrix is not complete"
                break
            if column != number:
                links[number, column] = lines.said(row, *word.span())
        if len(words) < len(columns):
            cut = "a line of the matrix is not complete"
        row += 1
    if sorted(seen) != sorted(columns):
        cut = cut or "the matrix has not all of its lines"
    return (
        Capture(form="topology", at=lines.at(begin), links=links, counted=False, cut=cut, host=lines.host(begin)),
        row,
    )


def starts_instances(line: str) -> bool:
    """Whether a line begins the output of ``nvidia-smi mig -lgi``."""
    return "GPU instances:" in line and "|" in line


def read_instances(lines: Lines, row: int) -> tuple[Capture, int]:
    """The MIG instances that ``nvidia-smi mig -lgi`` lists, and the line after them. Of a device it shows nothing
    else."""
    begin = row
    devices: dict[str, Device] = {}
    row += 1
    while row < len(lines) and ("|" in lines[row] or "+" in lines[row]) and not starts_instances(lines[row]):
        match = _INSTANCE.search(lines[row])
        if match is not None and len(devices) < MOST_DEVICES:
            place = lines.at(row, match.start(1))
            device = devices.get(match[1]) or Device(at=place, said={"index": lines.said(row, *match.span(1))})
            part = Slice(at=place, profile=lines.said(row, *match.span(2)))
            devices[match[1]] = msgspec.structs.replace(device, slices=(*device.slices, part))
        row += 1
    last = lines[row - 1].strip()
    cut = "" if last.startswith("+") and last.endswith("+") else "the table has no end"
    found = tuple(devices.values())
    return (
        Capture(form="instances", at=lines.at(begin), vendor="nvidia", devices=found, counted=False, cut=cut,
                host=lines.host(begin)),
        row,
    )  # fmt: skip


def starts_version(line: str) -> bool:
    """Whether a line is one of ``nvidia-smi --version``."""
    return "ersion" in line and line.lstrip("> ").startswith("NVIDIA-SMI") and _VERSION.search(line) is not None


def read_version(lines: Lines, row: int) -> tuple[Capture, int]:
    """The versions that ``nvidia-smi --version`` prints from a line on, and the line after them."""
    begin = row
    driver = cuda = None
    while row < len(lines) and "ersion" in lines[row]:
        match = _VERSION.search(lines[row])
        if match is not None and not lines.open_ended(row):
            said = lines.said(row, *match.span(2))
            kind = match[1].upper()
            driver = said if kind in ("DRIVER", "KMD") else driver
            cuda = said if kind.startswith("CUDA") else cuda
        row += 1
    return (
        Capture(form="version", at=lines.at(begin), vendor="nvidia", driver=driver, cuda=cuda, counted=False), row
    )  # fmt: skip


_COMPLAINTS = ("NVIDIA-SMI has failed because", "Failed to initialize NVML", "Unable to determine the device handle")


def complaint(line: str) -> str:
    """What nvidia-smi says where the driver does not answer; empty for any other line."""
    return f"nvidia-smi says: {line.strip()[:300]}" if line.strip().startswith(_COMPLAINTS) else ""


def shows_none(line: str) -> bool:
    """Whether nvidia-smi says that there is no device."""
    return line.strip().rstrip("!.") == "No devices were found"


def read_none(lines: Lines, row: int) -> tuple[Capture, int]:
    """No device."""
    at = lines.at(row)
    return Capture(form="none", at=at, vendor="nvidia", count=Said("0", at), host=lines.host(row)), row + 1


def errors(lines: Lines) -> tuple[Said, ...]:
    """The codes of the Xid errors that the text holds (``dmesg``): docs.nvidia.com/deploy/xid-errors/."""
    found: list[Said] = []
    for row, line in enumerate(lines.lines):
        if "NVRM: Xid" in line and (match := _XID.search(line)) is not None and len(found) < _MOST_ERRORS:
            found.append(lines.said(row, *match.span(1)))
    return tuple(found)
