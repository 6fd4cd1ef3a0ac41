"""``nvidia-smi -q``, as a text of indented lines and as XML (``-x``): both are one tree under two spellings.

The XML is read as it streams by: no entity is taken but those that XML itself has, no document type is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.parsers import expat

import msgspec

from askew.evidence.location import Location
from askew.platforms.smi.capture import MOST_DEVICES, Capture, Device, Lines, Said, Slice, nothing

_HEAD = re.compile(r"=+\s*NVSMI LOG\s*=+")
_XML = re.compile(r"<\?xml\b|<!DOCTYPE\s+nvidia_smi_log\b|<nvidia_smi_log\b")
_END = "</nvidia_smi_log>"
_PAIR = re.compile(r"([^:\s][^:]{0,120}?)\s*:(?:\s+(.*))?")
_GPU = re.compile(r"GPU ([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f])")
_WORD = re.compile(r"[^a-z0-9]+")
_DEEPEST = 32
_LONGEST = 4096

# Where a device's fields stand, by path, the first that is there and says something. Releases renamed some.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "name": ("product_name",),
    "uuid": ("gpu_uuid", "uuid"),
    "bus": ("pci/bus_id", "pci/pci_bus_id"),
    "memory": ("fb_memory_usage/total",),
    "used": ("fb_memory_usage/used",),
    "utilization": ("utilization/gpu", "utilization/gpu_util"),
    "power_limit": (
        *("gpu_power_readings/current_power_limit", "gpu_power_readings/enforced_power_limit"),
        *("gpu_power_readings/power_limit", "power_readings/enforced_power_limit", "power_readings/power_limit"),
    ),
    "ecc": ("ecc_mode/current", "ecc_mode/current_ecc"),
    "mig": ("mig_mode/current", "mig_mode/current_mig"),
    "max_sm": ("max_clocks/sm", "max_clocks/sm_clock"),
    "max_memory": ("max_clocks/memory", "max_clocks/mem_clock"),
    "applications_sm": ("applications_clocks/graphics", "applications_clocks/graphics_clock"),
    "applications_memory": ("applications_clocks/memory", "applications_clocks/mem_clock"),
}
_REASONS = ("clocks_event_reasons", "clocks_throttle_reasons")
_SLICES = ("mig_device", "mig_devices/mig_device")


class _Node(msgspec.Struct):
    """An element or a block: the place of its name, its text, what is inside by canonical names."""

    at: Location
    name: str
    said: Said | None = None
    inside: list[_Node] = []


def starts_text(line: str) -> bool:
    """Whether a line begins the output of ``nvidia-smi -q``."""
    return "NVSMI LOG" in line and _HEAD.search(line) is not None


def starts_xml(line: str) -> bool:
    """Whether a line begins the output of ``nvidia-smi -q -x``, or some XML."""
    return "<" in line and _XML.search(line) is not None


def read_text(lines: Lines, row: int) -> tuple[Capture, int]:
    """The output of ``nvidia-smi -q`` that begins at a line, and the first line after it."""
    head = _HEAD.search(lines[row])
    prefix = lines[row][: head.start()] if head is not None else ""
    begin = row
    row += 1
    root = _Node(at=lines.at(begin), name="")
    stack: list[tuple[int, _Node]] = [(-1, root)]
    while row < len(lines):
        line = lines[row]
        shift = len(prefix) if prefix and line.startswith(prefix) else 0
        body = line[shift:]
        indent = len(body) - len(body.lstrip())
        words = body.strip()
        if not words:
            row += 1
            continue
        pair = _PAIR.fullmatch(words[:_LONGEST])
        gpu = _GPU.fullmatch(words) if indent == 0 else None
        if indent == 0 and gpu is None and pair is None:
            break
        if indent == 0 and re.match(r"GPU \d+: ", words):  # what nvidia-smi -L prints
            break
        while len(stack) > 1 and stack[-1][0] >= indent:
            stack.pop()
        if len(stack) < _DEEPEST and not (lines.open_ended(row) and pair is not None):
            node = _Node(at=lines.at(row, shift + indent), name="gpu" if gpu else _name(pair[1] if pair else words))
            if gpu is not None:
                node.said = Said(gpu[1], node.at)
            elif pair is not None and pair[2]:
                start = shift + indent + pair.start(2)
                node.said = lines.said(row, start, start + len(pair[2]))
            stack[-1][1].inside.append(node)
            stack.append((indent, node))
        row += 1
    return _capture(root, "query", lines.host(begin), ""), max(row, begin + 1)


def read_xml(lines: Lines, row: int) -> tuple[Capture | str, int]:
    """The output of ``nvidia-smi -q -x`` that begins at a line, or why it is none; and the first line after it."""
    begin, end = row, row
    while end < len(lines) and _END not in lines[end]:
        end += 1
    part = lines.lines[begin : end + 1]
    part[0] = part[0][_starts_at(part[0]) :]
    shift = len(lines[begin]) - len(part[0])
    if end < len(lines):
        part[-1] = part[-1][: part[-1].find(_END) + len(_END)]
    root = _Node(at=lines.at(begin, shift), name="")
    fault = _parsed("\n".join(part), root, lines, begin, shift)
    log = next((node for node in root.inside if node.name == "nvidia_smi_log"), None)
    if log is None:
        return fault or "expected the XML of nvidia-smi -q -x, found other XML", min(end, len(lines) - 1) + 1
    return _capture(log, "query", lines.host(begin), fault), min(end, len(lines) - 1) + 1


def _starts_at(line: str) -> int:
    match = _XML.search(line)
    return match.start() if match else 0


class _Refused(Exception):  # noqa: N818 - it stops the parser
    """The XML declares what such an output never has."""


def _parsed(text: str, root: _Node, lines: Lines, begin: int, shift: int) -> str:
    """Read XML below ``root``; what is wrong with it, or an empty text. What came before a fault stays."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    stack = [root]
    inner = [root.at]  # where the words of each open element begin

    def here() -> Location:
        row = parser.CurrentLineNumber - 1
        return lines.at(min(begin + row, len(lines) - 1), parser.CurrentColumnNumber + (shift if row == 0 else 0))

    def opened(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise _Refused("its elements are nested too deeply")
        node = _Node(at=here(), name=_name(name))
        if node.name == "gpu" and "id" in attributes:
            node.said = Said(attributes["id"], node.at)
        stack[-1].inside.append(node)
        stack.append(node)
        written = 0 if attributes else len(name) + 2
        inner.append(msgspec.structs.replace(node.at, column=node.at.column + written))

    def closed(name: str) -> None:
        stack.pop()
        inner.pop()

    def words(data: str) -> None:
        node = stack[-1]
        if data.strip() and len(stack) > 1 and node.name != "gpu":
            text = node.said.text if node.said is not None else ""
            place = inner[-1] if node.said is None else node.said.at
            node.said = Said((text + data).strip()[:_LONGEST], place)

    def declared(*_: object) -> None:
        raise _Refused("it declares entities, which nvidia-smi never does")

    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = words
    parser.EntityDeclHandler = declared
    try:
        parser.Parse(text, True)
    except expat.ExpatError:
        _drop_open(stack)
        return "the XML ends before its last element" if parser.ErrorCode in _UNFINISHED else "this is no complete XML"
    except _Refused as refusal:
        root.inside.clear()
        return str(refusal)
    return ""


_UNFINISHED = (3, 4, 5)  # no element, not well-formed, unclosed token: expat's codes for a text that was cut


def _drop_open(stack: list[_Node]) -> None:
    """Forget the text of the element that a cut ended in, which may be half of it."""
    for node in stack[1:]:
        if not node.inside and node.name != "gpu":
            node.said = None


def _name(text: str) -> str:
    return _WORD.sub("_", text.strip().lower()).strip("_")


def _find(node: _Node, path: str) -> Iterator[_Node]:
    name, _, rest = path.partition("/")
    for child in node.inside:
        if child.name == name:
            yield from _find(child, rest) if rest else (child,)


def _said(node: _Node, *paths: str) -> Said | None:
    """What the first of these paths says."""
    for path in paths:
        for found in _find(node, path):
            if found.said is not None and not nothing(found.said.text):
                return found.said
    return None


def _capture(root: _Node, form: str, host: str, fault: str) -> Capture:
    gpus = [node for node in root.inside if node.name == "gpu"][:MOST_DEVICES]
    devices = tuple(_device(node) for node in gpus)
    count = _said(root, "attached_gpus")
    cut = fault
    if count is not None and count.text.isdecimal() and len(count.text) < 5:
        missing = int(count.text) - len(devices)
        cut = f"{len(devices)} of {count.text} devices are shown" if missing > 0 else fault
    return Capture(
        form=form,
        at=root.at,
        vendor="nvidia",
        devices=devices,
        driver=_release(_said(root, "kmd_version", "driver_version")),
        cuda=_release(_said(root, "cuda_umd_version", "cuda_version")),
        count=count,
        counted=not fault,
        cut=cut,
        host=host,
    )


def _release(said: Said | None) -> Said | None:
    """A version without the remark that it will be called otherwise."""
    return Said(said.text.split()[0], said.at) if said is not None else None


def _device(node: _Node) -> Device:
    said = {field: found for field, paths in _FIELDS.items() if (found := _said(node, *paths)) is not None}
    if "bus" not in said and node.said is not None:
        said["bus"] = node.said
    slices = [_slice(one) for path in _SLICES for one in _find(node, path)]
    return Device(at=node.at, said=said, slices=tuple(slices), reasons=_reasons(node))


def _slice(node: _Node) -> Slice:
    uuid = _said(node, "uuid", "mig_device_uuid")
    return Slice(
        at=node.at,
        memory=_said(node, "shared_fb_memory_usage/total", "fb_memory_usage/total"),
        used=_said(node, "shared_fb_memory_usage/used", "fb_memory_usage/used"),
        uuid=uuid.text if uuid is not None else "",
    )


def _reasons(node: _Node) -> tuple[Said, ...] | None:
    """The active reasons, by their names; None where they are not shown."""
    for name in _REASONS:
        for block in _find(node, name):
            if block.inside:
                return tuple(_active(block))
    return None


def _active(block: _Node) -> Iterator[Said]:
    pending = list(reversed(block.inside))
    while pending:
        node = pending.pop()
        pending.extend(reversed(node.inside))
        if node.said is not None and node.said.text == "Active":
            yield Said(re.sub(r"^clocks_(?:throttle|event)_reason_", "", node.name), node.said.at)
