"""What is asked inside a container, where the user allowed it: commands that only read.

Whoever brings the commands there (``kubectl exec``, a container runtime) runs ``PROBES`` one after another and gives
each output as a text named ``…/exec/NAME``; ``platforms.probes`` reads them. A command that fails or is not there says
nothing: its output counts whatever its status, and no output is no evidence. None of them loads a model, runs Python or
imports what is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from askew.collectors.reading import redacted_text
from askew.evidence.redaction import Redactor

_KIB, _MIB = 2**10, 2**20
_MOST_PATHS = 32
# Also what `rocm-smi:` runs on this machine.
ROCM_SMI = (
    *("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--showuse", "--showdriverversion"),
    *("--showmaxpower", "--json"),
)
_SETTINGS = (".yaml", ".yml", ".json", ".toml", ".conf", ".cfg", ".ini", ".properties", ".pbtxt", ".jinja")


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One command. ``why`` is what it tells, for whoever allows it.

    ``vendor``: only where the container has accelerators of this maker. ``takes``: paths that the launch names are put
    behind ``argv``, and without any it is not run. ``seconds`` and ``limit`` (bytes of output) bound it.
    """

    name: str
    argv: tuple[str, ...]
    why: str
    vendor: str = ""
    takes: Literal["", "files", "directories"] = ""
    seconds: float = 10.0
    limit: int = 256 * _KIB


# ``head`` with several files puts a header before each and goes on where one is missing, in GNU coreutils and BusyBox.
PROBES: tuple[Probe, ...] = (
    Probe(
        name="processes",
        argv=("sh", "-c", "head -c 65536 /proc/[0-9]*/cmdline"),
        why="the command lines of what runs, after every script and wrapper",
        limit=4 * _MIB,
    ),
    Probe(
        # Names only: the values never leave the container.
        name="environment",
        argv=("sh", "-c", r"tr '\012\000' ' \012' </proc/1/environ | sed 's/=.*//'"),
        why="the names of the variables that the first process has",
    ),
    Probe(name="shm", argv=("df", "-kP", "/dev/shm"), why="the size of shared memory"),
    Probe(
        name="limits",
        argv=(
            *("head", "-c", "4096", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cpu.max"),
            *("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
            "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
        ),
        why="the limits of memory and processors that hold",
        limit=64 * _KIB,
    ),
    Probe(
        name="cpu",
        argv=("head", "-c", "8192", "/proc/cpuinfo"),
        why="the model of the processor",
        limit=16 * _KIB,
    ),
    Probe(
        name="rdma", argv=("ls", "-1", "/sys/class/infiniband"), why="the RDMA devices that it sees", limit=64 * _KIB
    ),
    Probe(
        # pip would start Python, which runs whatever .pth files and sitecustomize say. The directories that installers
        # write have name and version in their names (packaging.python.org, "Recording installed projects").
        name="packages",
        argv=(
            "sh",
            "-c",
            "ls -1d /usr/local/lib/python3*/*-packages/*.dist-info /usr/lib/python3*/*-packages/*.dist-info "
            "/opt/*/lib/python3*/site-packages/*.dist-info /opt/*/*/lib/python3*/site-packages/*.dist-info "
            "/usr/src/*/lib/python3*/site-packages/*.dist-info /app/*/lib/python3*/site-packages/*.dist-info "
            "/usr/src/.venv/lib/python3*/site-packages/*.dist-info /app/.venv/lib/python3*/site-packages/*.dist-info "
            "/workspace/*/lib/python3*/site-packages/*.dist-info "
            "/root/.local/lib/python3*/site-packages/*.dist-info "
            "/home/*/.local/lib/python3*/site-packages/*.dist-info 2>/dev/null",
        ),
        why="the packages that are installed, by the names of their directories",
        limit=_MIB,
    ),
    Probe(
        name="files",
        argv=("sha256sum", "--"),
        why="digests of the files of settings that the launch names",
        takes="files",
        limit=64 * _KIB,
    ),
    Probe(
        name="model",
        argv=("ls", "-lnLA", "--"),
        why="the names and sizes of the files of the model's directory",
        takes="directories",
        limit=_MIB,
    ),
    Probe(
        name="nvidia-smi",
        argv=("nvidia-smi", "-q", "-x"),
        why="GPUs, driver, memory, clocks, power and errors as NVIDIA's driver reports them",
        vendor="nvidia",
        seconds=30,
        limit=4 * _MIB,
    ),
    Probe(
        name="nvidia-smi-list",
        argv=("nvidia-smi", "-L"),
        why="the MIG slices that it sees",
        vendor="nvidia",
        seconds=30,
    ),
    Probe(
        name="nvidia-smi-topo",
        argv=("nvidia-smi", "topo", "-m"),
        why="how the GPUs are connected",
        vendor="nvidia",
        seconds=30,
    ),
    Probe(
        name="rocm-smi",
        argv=ROCM_SMI,
        why="GPUs, driver, memory and power limit as AMD's driver reports them",
        vendor="amd",
        seconds=30,
        limit=_MIB,
    ),
    Probe(
        name="rocm-smi-topo",
        argv=("rocm-smi", "--showtopotype"),
        why="how the GPUs are connected",
        vendor="amd",
        seconds=30,
    ),
    Probe(
        name="hl-smi",
        argv=("hl-smi", "-Q", "name,driver_version,memory.total,memory.used,utilization.aip", "-f", "csv"),
        why="accelerators, driver and memory as Intel Gaudi's driver reports them",
        vendor="intel",
        seconds=30,
    ),
    Probe(
        name="xpu-smi",
        argv=("xpu-smi", "discovery", "-j"),
        why="accelerators as Intel's driver reports them",
        vendor="intel",
        seconds=30,
    ),
    Probe(
        name="npu-smi",
        argv=("npu-smi", "info"),
        why="accelerators, driver and memory as Ascend's driver reports them",
        vendor="huawei",
        seconds=30,
    ),
    Probe(
        name="neuron-ls",
        argv=("neuron-ls", "--json-output"),
        why="accelerators as AWS Neuron's driver reports them",
        vendor="aws",
        seconds=30,
        limit=_MIB,
    ),
)

_HEADER = re.compile(rb"(?:^|(?<=[\n\0]))==> /proc/(\d+)/cmdline <==\n", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.%()-]{0,255}")


def argv(probe: Probe, words: Sequence[str] = ()) -> tuple[str, ...]:
    """The command to run; empty where it takes paths and the launch (``words``) names none of its kind."""
    if not probe.takes:
        return probe.argv
    paths = _paths(words)
    chosen = [path for path in paths if path.endswith(_SETTINGS) == (probe.takes == "files")]
    return (*probe.argv, *chosen[:_MOST_PATHS]) if chosen else ()


def _paths(words: Iterable[str]) -> list[str]:
    """The absolute paths among the words of a launch, ``--flag=/path`` too, but no program."""
    found: dict[str, None] = {}
    for word in words:
        path = word.partition("=")[2] if word.startswith("-") and "=" in word else word
        if path.startswith("/") and "/bin/" not in path and path.isprintable() and len(path) < 4096:
            found[path] = None
    return list(found)


def text_of(probe: Probe, output: bytes, redactor: Redactor) -> str:
    """The output of a probe as a text without secrets.

    Command lines become one line each, the number of the process and its words as a JSON list; of variables only names
    stay, even where the command gave more.
    """
    output = output[: probe.limit]
    if probe.name == "processes":
        return "".join(_process(pid, words, redactor) for pid, words in _command_lines(output))
    text = output.decode("utf-8", "replace").replace("\0", "\n")
    if probe.name == "environment":
        names = sorted({line.partition("=")[0].strip() for line in text.splitlines()})
        return "".join(f"{name}\n" for name in names if _NAME.fullmatch(name))
    return redacted_text(text, redactor)


def _process(pid: int, words: list[str], redactor: Redactor) -> str:
    return f"{pid}\t{json.dumps(redactor.words(words), ensure_ascii=False)}\n"


def _command_lines(output: bytes) -> Iterable[tuple[int, list[str]]]:
    """The number and the words of each process that has words; kernel threads and processes that ended have none."""
    parts = _HEADER.split(output)
    for number, content in zip(parts[1::2], parts[2::2], strict=True):
        # head puts an empty line between files; the last word of a command line ends with a NUL.
        content = content.removesuffix(b"\n").removesuffix(b"\0")
        if content.endswith(b"\0\0"):  # what a process that renamed itself left of its arguments
            content = content.rstrip(b"\0")
        words = content.decode("utf-8", "replace").split("\0") if content else []
        if words and words != [""] and len(number) < 10:
            yield int(number), words
