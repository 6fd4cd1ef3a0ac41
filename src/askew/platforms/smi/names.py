"""What a device is: its name to the ids of the catalogue."""

from __future__ import annotations

import re

from askew.knowledge.gpus import gpu, gpu_of_device, gpu_of_prefix, instance_gpus
from askew.platforms.smi.capture import Device, Said
from askew.platforms.smi.machines import is_cut, is_mig

_UNITS = {"": 2**20, "b": 1, "mib": 2**20, "mb": 2**20, "gib": 2**30, "gb": 2**30, "kib": 2**10}
_SIZE = re.compile(r"(\d{1,18})(?:\.0+)?\s*([A-Za-z]{0,3})")
# https://docs.habana.ai/en/latest/Management_and_Monitoring/Embedded_System_Tools_Guide/System_Management_Interface_Tool.html
_GAUDI = re.compile(r"HL-(2[1-9]|3\d)\d[A-Z]{0,2}")  # the first, HL-205, is not in the catalogue


def ids_of(device: Device) -> tuple[frozenset[str], str]:
    """The catalogue's ids of a device, and how they follow where its name does not tell alone."""
    said, instance = device.said.get("name"), device.said.get("instance")
    if said is None:
        known = instance_gpus(instance.text) if instance is not None else None
        return (known[0] if known else frozenset()), f"from the instance type {instance.text}" if instance else ""
    memory = None if is_mig(device) else bytes_of(device.said.get("memory"))
    name = said.text
    if is_cut(name):
        ids = gpu_of_prefix(name.rstrip(".… "), memory)
        return ids, f"the name is cut off ({name}); the accelerators that begin so and have this memory"
    if (gaudi := _GAUDI.fullmatch(name)) is not None:
        return frozenset((f"gaudi{gaudi[1][0]}",)), ""
    name = re.sub(r"(?i)\s+chip$", "", name)
    if (sold := re.search(r"\[(Instinct [^\]/]+)\]", name)) is not None:  # Aldebaran/MI200 [Instinct MI210]
        name = f"AMD {sold[1]}"
    ids = gpu_of_device(name, memory)
    if not ids:
        ids = _whole_name(name)
    return ids, ""


def _whole_name(name: str) -> frozenset[str]:
    """The one id that a name spells out, for makers whose tools write the catalogue's own names (``TPU v5e``,
    ``AMD Instinct MI210``)."""
    if not re.match(r"(?i)TPU |Intel\(R\) Data Center|AMD Instinct ", name):
        return frozenset()
    try:
        ids = gpu(name)
    except ValueError:
        return frozenset()
    return ids if len(ids) == 1 else frozenset()


def bytes_of(said: Said | None) -> int | None:
    """A size in bytes; tools that write none mean MiB, and those that write MB mean it too."""
    match = _SIZE.fullmatch(said.text) if said is not None else None
    unit = _UNITS.get(match[2].lower()) if match is not None else None
    return int(match[1]) * unit if match is not None and unit is not None else None
