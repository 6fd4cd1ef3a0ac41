"""``nvidia-smi:FILE``, ``rocm-smi:FILE`` and their like: what such a tool printed, as a file or piped in (``-``).

Without a file (``nvidia-smi:``) the tool is run here: it asks the driver and changes nothing. ``nvml:`` asks NVIDIA's
library itself.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Mapping

from askew.collectors import tools
from askew.collectors.files.collect import UnreadableError, read_bytes, read_piped
from askew.collectors.interface import Capability, Evidence, Request, located
from askew.collectors.probes import ROCM_SMI
from askew.collectors.reading import MAX_TEXT_BYTES, Reader
from askew.evidence.redaction import Redactor

# What each tool is asked on this machine: every command only reads.
COMMANDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "nvidia-smi": (
        ("nvidia-smi", "-q", "-x"),
        ("nvidia-smi", "-L"),
        ("nvidia-smi", "--query-gpu=index,uuid,compute_cap", "--format=csv"),
        ("nvidia-smi", "topo", "-m"),
    ),
    "rocm-smi": (ROCM_SMI,),
    "amd-smi": (("amd-smi", "static", "--json"),),
    "hl-smi": (("hl-smi",),),
    "xpu-smi": (("xpu-smi", "discovery", "-j"),),
    "npu-smi": (("npu-smi", "info"),),
    "neuron-ls": (("neuron-ls", "--json-output"),),
    "tpu-info": (("tpu-info",),),
}
_SECONDS = 30.0
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class SmiCollector:
    """What the tool of a maker of accelerators prints."""

    name = "smi"
    schemes: tuple[str, ...] = (*COMMANDS, "nvml")
    capabilities: tuple[Capability, ...] = ("filesystem", "exec")

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the output, or get it. Never raises for what it holds."""
        reader = Reader(redactor)
        if request.scheme == "nvml":
            _library(reader)
        elif not request.target:
            _run(reader, request.scheme)
        else:
            _file(reader, request)
        expected = f"there is no output of {request.scheme} here"
        return reader.evidence(request.uri, expected, _hint(request.scheme), platform="smi")


def _hint(scheme: str) -> str:
    return f"save what {scheme} prints in a file and name it: {scheme} > out.txt, then {scheme}:out.txt"


def _file(reader: Reader, request: Request) -> None:
    reader.files += 1
    target = request.target
    try:
        if target == "-":
            content = read_piped(MAX_TEXT_BYTES, "pipe its output in: nvidia-smi -q -x | askew facts nvidia-smi:-")
        else:
            content = read_bytes(located(target, request.base), MAX_TEXT_BYTES)
    except UnreadableError as error:
        reader.fail(target, error.message, error.hint if target == "-" else _hint(request.scheme))
        return
    reader.add_text(target, _utf8(content), variables=False, named=True)


def _utf8(content: bytes) -> bytes:
    """The text as UTF-8: what PowerShell redirects into a file is UTF-16."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, "replace").encode()
    return content


def _run(reader: Reader, tool: str) -> None:
    path = tools.find(tool)
    if path is None:
        reader.fail(f"{tool}:", f"{tool} is not installed on this machine", _hint(tool))
        return
    for argv in COMMANDS[tool]:
        reader.files += 1
        shown = " ".join(argv)
        ended = tools.run((path, *argv[1:]), seconds=_SECONDS, limit=MAX_TEXT_BYTES)
        if ended.fault or ended.status:
            said = (ended.complaint or ended.output.decode("utf-8", "replace")).strip().splitlines()
            why = (
                ended.fault
                or f"{tool} ended with status {ended.status}: {said[0][:200] if said else 'it said nothing'}"
            )
            reader.fail(shown, why, "run the command by hand and see whether the driver answers")
        elif ended.output.strip():
            reader.add_text(shown, ended.output, variables=False, named=True)


def _library(reader: Reader) -> None:
    reader.files += 1
    # -P: what lies in the current directory is inspected and never imported.
    ended = tools.run((sys.executable, "-P", "-m", "askew.collectors.smi.nvml"), seconds=_SECONDS, limit=MAX_TEXT_BYTES)
    if ended.fault or ended.status:
        said = ended.complaint.strip().splitlines()
        why = ended.fault or (said[-1][:300] if said else "NVIDIA's library gives no answer")
        reader.fail(
            "nvml:", why, "run it on the machine of the GPUs, or save what nvidia-smi prints: nvidia-smi:out.txt"
        )
    else:
        reader.add_text("nvml:", ended.output, variables=False, named=True)


COLLECTOR = SmiCollector()
