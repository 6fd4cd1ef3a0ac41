"""The JSON of ``rocm-smi --json``, ``amd-smi … --json``, ``xpu-smi discovery -j`` and ``neuron-ls --json-output``.

Shapes: rocm_smi.py of ROCm/rocm_smi_lib; rocm.docs.amd.com/projects/amdsmi; intel.github.io/xpumanager; the Neuron
documentation at awsdocs-neuron.readthedocs-hosted.com.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from askew.evidence.document import Document, Node
from askew.platforms.smi.amd import IDS, WORDS
from askew.platforms.smi.capture import MOST_DEVICES, Capture, Device, Said, nothing

_LINK = re.compile(r"\(Topology\) Link type between DRM devices (\d{1,4}) and (\d{1,4})")
_CARD = re.compile(r"card\d{1,4}")
# Path of amd-smi → field; where both a size with its unit and a bare number are written, the unit is megabytes.
_AMD: Mapping[str, str] = {
    "asic.market_name": "name",
    "board.product_name": "name",
    "vram.size": "memory",
    "vram.vram_size_mb": "memory",
    "mem_usage.total_vram": "memory",
    "mem_usage.used_vram": "used",
    "usage.gfx_activity": "utilization",
    "limit.max_power": "power_limit",
    "limit.ppt0.max_power_limit": "power_limit",
    "bus.bdf": "bus",
    "bdf": "bus",
    "uuid": "uuid",
}
_XPU: Mapping[str, str] = {
    "device_name": "name",
    "uuid": "uuid",
    "pci_bdf_address": "bus",
    "memory_physical_size_byte": "memory",
}


def form(document: Document) -> str:
    """Which tool wrote a document; empty for any other."""
    root = document.root
    if root.is_mapping:
        keys = [key for key, _ in root.items()][:MOST_DEVICES]
        if any(_CARD.fullmatch(key) and root[key].is_mapping for key in keys):
            return "rocm-smi"
        if root["device_list"].is_sequence:
            return "xpu-smi"
        if root["gpu_data"].is_sequence:
            return "amd-smi"
        return "xpu-smi" if root["device_name"].exists and root["pci_bdf_address"].exists else ""
    first = next(iter(root.each()), None) if root.is_sequence else None
    if first is None:
        return ""
    if first["neuron_device"].exists:
        return "neuron-ls"
    parts = ("asic", "vram", "bdf", "usage", "mem_usage", "driver", "limit", "bus")
    return "amd-smi" if first["gpu"].exists and any(first[part].exists for part in parts) else ""


def read(document: Document) -> Capture | None:
    """What such a document shows; None for any other."""
    root = document.root
    kind = form(document)
    if kind == "rocm-smi":
        return _rocm(root)
    if kind == "amd-smi":
        data = root["gpu_data"] if root.is_mapping else root
        entries = list(data.each())[:MOST_DEVICES]
        driver = next((said for one in entries if (said := _said(one.get("driver", "version"))) is not None), None)
        driver = driver or next((s for one in entries if (s := _said(one.get("driver", "driver_version")))), None)
        return Capture(
            form="amd-smi-json", at=root.location, vendor="amd", driver=driver,
            devices=tuple(_device(one, _AMD, "gpu", " MB") for one in entries),
        )  # fmt: skip
    if kind == "xpu-smi":
        entries = list(root["device_list"].each())[:MOST_DEVICES] if root["device_list"].exists else [root]
        return Capture(
            form="xpu-smi", at=root.location, vendor="intel", counted=root["device_list"].exists,
            devices=tuple(_device(one, _XPU, "device_id", " B") for one in entries),
        )  # fmt: skip
    if kind == "neuron-ls":
        entries = list(root.each())[:MOST_DEVICES]
        fields = {"memory_size": "memory", "bdf": "bus", "instance_type": "instance"}
        return Capture(
            form="neuron-ls", at=root.location, vendor="aws",
            devices=tuple(_device(one, fields, "neuron_device", " B") for one in entries),
        )  # fmt: skip
    return None


def _rocm(root: Node) -> Capture:
    devices: list[Device] = []
    for key, card in list(root.items())[:MOST_DEVICES]:
        if not _CARD.fullmatch(key):
            continue
        said = {"index": Said(key[4:], card.key_location)}
        for word, node in card.items():
            field, unit = WORDS.get(word.lower(), ("", ""))
            value = _said(node)
            if value is None:
                continue
            if value.text.lower() in IDS and word.lower() in ("card model", "device id", "gpu id"):
                said.setdefault("name", Said(IDS[value.text.lower()], value.at))
            elif field and field not in said and not value.text.startswith("0x"):
                said[field] = Said(value.text + unit, value.at)
        devices.append(Device(at=card.key_location, said=said))
    driver = _said(root["system"]["Driver version"])
    links: dict[tuple[int, int], Said] = {}
    for key, node in root["system"].items():
        if (match := _LINK.fullmatch(key)) is not None and (kind := _said(node)) is not None:
            links[int(match[1]), int(match[2])] = links[int(match[2]), int(match[1])] = kind
    return Capture(
        form="rocm-smi-json", at=root.location, vendor="amd", devices=tuple(devices), driver=driver, links=links
    )


def _device(entry: Node, fields: Mapping[str, str], index: str, unit: str) -> Device:
    said: dict[str, Said] = {}
    if (number := _said(entry[index])) is not None:
        said["index"] = number
    for path, field in fields.items():
        node = entry.get(*path.split("."))
        value = _said(node["value"]) if node.is_mapping else _said(node)
        if value is None or field in said:
            continue
        suffix = _said(node["unit"]) if node.is_mapping else None
        if suffix is not None:
            value = Said(f"{value.text} {suffix.text}", value.at)
        elif field in ("memory", "used") and value.text.isdecimal():
            value = Said(value.text + unit, value.at)
        said[field] = value
    return Device(at=entry.location, said=said)


def _said(node: Node) -> Said | None:
    text = node.text()
    return None if text is None or nothing(text) else Said(text.strip()[:400], node.location)
