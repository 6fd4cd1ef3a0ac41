"""NVIDIA's management library, asked what nvidia-smi would print: for machines that have the driver and no tool.

A driver that is stuck never answers, so the questions are asked in a process of its own, which is ended when it takes
too long. Functions, structures and constants: nvml.h, https://docs.nvidia.com/deploy/nvml-api/.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator

LIBRARY = "libnvidia-ml.so.1"
_SM, _MEMORY = 1, 2  # nvmlClockType_t
_MOST_DEVICES = 256
_MOST_SLICES = 64
_COLUMNS = (
    "index", "uuid", "name", "pci.bus_id", "driver_version", "memory.total [MiB]", "memory.used [MiB]",
    "utilization.gpu [%]", "power.limit [W]", "clocks.max.sm [MHz]", "clocks.max.memory [MHz]", "compute_cap",
    "ecc.mode.current", "mig.mode.current", "clocks_event_reasons.active",
)  # fmt: skip


class _Pci(ctypes.Structure):
    """nvmlPciInfo_t, of nvmlDeviceGetPciInfo_v3."""

    _fields_ = (
        ("legacy", ctypes.c_char * 16), ("domain", ctypes.c_uint), ("bus", ctypes.c_uint), ("device", ctypes.c_uint),
        ("id", ctypes.c_uint), ("subsystem", ctypes.c_uint), ("address", ctypes.c_char * 32),
    )  # fmt: skip


class _Memory(ctypes.Structure):
    """nvmlMemory_t, in bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Use(ctypes.Structure):
    """nvmlUtilization_t, in percent."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class NvmlError(Exception):
    """Why the library tells nothing."""


class _Library:
    """The functions of the library that answer with 0 when they worked."""

    def __init__(self, path: str) -> None:
        try:
            self._library = ctypes.CDLL(path)
        except OSError:
            raise NvmlError(f"{path} is not on this machine: no driver of NVIDIA is installed") from None

    def call(self, name: str, *arguments: object) -> bool:
        """Whether a function is there and worked. Newer ones are missing in libraries of old drivers."""
        function: Callable[..., int] | None = getattr(self._library, name, None)
        return function is not None and function(*arguments) == 0

    def text(self, name: str, *arguments: object) -> str:
        """A text that a function writes; empty where it does not."""
        buffer = ctypes.create_string_buffer(256)
        done = self.call(name, *arguments, buffer, ctypes.c_uint(len(buffer)))
        return buffer.value.decode("utf-8", "replace") if done else ""

    def number(self, name: str, *arguments: object) -> int | None:
        """An unsigned number that a function writes as its last argument; None where it does not."""
        value = ctypes.c_uint(0)
        return value.value if self.call(name, *arguments, ctypes.byref(value)) else None


def lines(path: str = LIBRARY) -> Iterator[str]:
    """What the library knows, as `nvidia-smi --version`, `--query-gpu=… --format=csv` and `-L` print it. Raises
    NvmlError."""
    library = _Library(path)
    if not library.call("nvmlInit_v2"):
        raise NvmlError(
            "the library of the driver does not start: the driver may not be loaded, or not fit the library"
        )
    try:
        yield from _told(library)
    finally:
        library.call("nvmlShutdown")


def _told(library: _Library) -> Iterator[str]:
    driver = library.text("nvmlSystemGetDriverVersion")
    cuda = ctypes.c_int(0)
    yield f"NVIDIA-SMI version  : {driver or 'N/A'}"
    yield f"DRIVER version      : {driver or 'N/A'}"
    if library.call("nvmlSystemGetCudaDriverVersion_v2", ctypes.byref(cuda)):
        yield f"CUDA Version        : {cuda.value // 1000}.{cuda.value % 1000 // 10}"
    yield ""
    handles = list(_handles(library))
    if handles:
        yield ", ".join(_COLUMNS)
    for index, handle in enumerate(handles):
        yield ", ".join(_row(library, index, handle, driver))
    if handles:
        yield ""
    for index, handle in enumerate(handles):
        name = library.text("nvmlDeviceGetName", handle)
        yield f"GPU {index}: {name} (UUID: {library.text('nvmlDeviceGetUUID', handle)})"
        yield from _slices(library, handle)


def _handles(library: _Library) -> Iterator[ctypes.c_void_p]:
    for index in range(min(library.number("nvmlDeviceGetCount_v2") or 0, _MOST_DEVICES)):
        handle = ctypes.c_void_p()
        if library.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle)):
            yield handle


def _row(library: _Library, index: int, handle: ctypes.c_void_p, driver: str) -> Iterator[str]:
    memory, use, pci = _Memory(), _Use(), _Pci()
    sized = library.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
    used = library.call("nvmlDeviceGetUtilizationRates", handle, ctypes.byref(use))
    placed = library.call("nvmlDeviceGetPciInfo_v3", handle, ctypes.byref(pci))
    power = library.number("nvmlDeviceGetEnforcedPowerLimit", handle)
    major, minor = ctypes.c_int(0), ctypes.c_int(0)
    able = library.call("nvmlDeviceGetCudaComputeCapability", handle, ctypes.byref(major), ctypes.byref(minor))
    reasons = ctypes.c_ulonglong(0)
    slow = library.call("nvmlDeviceGetCurrentClocksEventReasons", handle, ctypes.byref(reasons)) or library.call(
        "nvmlDeviceGetCurrentClocksThrottleReasons", handle, ctypes.byref(reasons)
    )
    yield str(index)
    yield library.text("nvmlDeviceGetUUID", handle) or "N/A"
    yield library.text("nvmlDeviceGetName", handle) or "N/A"
    yield pci.address.decode("ascii", "replace") if placed and pci.address else "N/A"
    yield driver or "N/A"
    yield f"{memory.total // 2**20} MiB" if sized else "N/A"
    yield f"{memory.used // 2**20} MiB" if sized else "N/A"
    yield f"{use.gpu} %" if used else "N/A"
    yield f"{power / 1000:.2f} W" if power is not None else "N/A"
    for kind in (_SM, _MEMORY):
        clock = library.number("nvmlDeviceGetMaxClockInfo", handle, ctypes.c_uint(kind))
        yield f"{clock} MHz" if clock is not None else "N/A"
    yield f"{major.value}.{minor.value}" if able else "N/A"
    yield _mode(library, "nvmlDeviceGetEccMode", handle)
    yield _mode(library, "nvmlDeviceGetMigMode", handle)
    yield f"0x{reasons.value:016x}" if slow else "N/A"


def _mode(library: _Library, name: str, handle: ctypes.c_void_p) -> str:
    current, pending = ctypes.c_uint(0), ctypes.c_uint(0)
    if not library.call(name, handle, ctypes.byref(current), ctypes.byref(pending)):
        return "N/A"
    return "Enabled" if current.value else "Disabled"


def _slices(library: _Library, handle: ctypes.c_void_p) -> Iterator[str]:
    most = library.number("nvmlDeviceGetMaxMigDeviceCount", handle) or 0
    for index in range(min(most, _MOST_SLICES)):
        part = ctypes.c_void_p()
        if not library.call("nvmlDeviceGetMigDeviceHandleByIndex", handle, ctypes.c_uint(index), ctypes.byref(part)):
            continue
        profile = library.text("nvmlDeviceGetName", part).rpartition(" MIG ")[2]
        yield f"  MIG {profile:<12} Device {index:2}: (UUID: {library.text('nvmlDeviceGetUUID', part)})"


def main() -> int:
    """Print what the library knows; a status other than 0, and why, where it knows nothing."""
    try:
        for line in lines():
            print(line)
    except NvmlError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
