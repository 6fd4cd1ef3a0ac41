"""Read what is published of TensorRT-LLM's releases: their metadata, and what the project documents of their defaults.

The source distributions hold no source, only ``PKG-INFO``: it names the release and pins the libraries. The defaults
are in the table below, each with the file and line or the section of the release notes that a person read, and the
first release for which it says so. ``serve.py`` was read at the tag v0.15.0 and on the main branch after 1.1;
``llm_args.py`` in versions of 0.19 to 1.1. What lies between is as both ends are, where the release
notes name no change.

Release notes: https://github.com/NVIDIA/TensorRT-LLM/blob/main/docs/source/release-notes.md
"""

from __future__ import annotations

import pathlib
import re

import msgspec

from askew.engines.versions import release_key
from tools.engines.reader import Content, Package, Reader, Things

# The libraries that compute; the rest of the pins is of servers and tools.
_PINNED = frozenset(
    (
        *("torch", "transformers", "tensorrt", "triton", "flashinfer-python", "xgrammar", "llguidance"),
        *("nvidia-modelopt", "nvidia-cutlass-dsl"),
    )
)
_REQUIRES = re.compile(r"^Requires-Dist: ([A-Za-z0-9_.-]+)(?:\[[^\]\n]*\])? ?\(?([^;()\n]*)\)?(;.*)?$", re.MULTILINE)
_VERSION = re.compile(r"^Version: (\S+)$", re.MULTILINE)

SERVE = "tensorrt_llm/commands/serve.py"
ARGS = "tensorrt_llm/llmapi/llm_args.py"
BUILD = "tensorrt_llm/commands/build.py"
NOTES = "docs/source/release-notes.md"


class Documented(msgspec.Struct, frozen=True):
    """A state of one argument or field from a release on: ``since`` is the first release of which it is said."""

    name: str
    since: str
    value: object
    at: str
    kind: str = "literal"
    takes: str = "value"
    names: tuple[str, ...] = ()


# An argument begins with its dashes, a field of the options file is its path, one of `trtllm-build` begins with that.
DOCUMENTED: tuple[Documented, ...] = (
    Documented("--host", "0.15.0", "localhost", f"{SERVE}:18"),
    Documented("--port", "0.15.0", 8000, f"{SERVE}:22"),
    Documented("--max_beam_width", "0.15.0", 1, f"{SERVE}:23"),
    # BuildConfig's defaults are those of trtllm-build since 0.15 (release notes 0.15, API changes; 0.14, API changes).
    Documented("--max_batch_size", "0.15.0", 2048, f"{SERVE}:27"),
    Documented("--max_num_tokens", "0.15.0", 8192, f"{SERVE}:31"),
    Documented("--max_seq_len", "0.15.0", None, f"{SERVE}:38", "rule"),
    Documented("--tokenizer", "0.15.0", None, f"{SERVE}:12", "rule"),
    Documented("--tensor_parallel_size", "0.15.0", 1, f"{SERVE}:44", names=("--tp_size",)),
    Documented("--pipeline_parallel_size", "0.15.0", 1, f"{SERVE}:45", names=("--pp_size",)),
    Documented(
        "--free_gpu_memory_fraction", "0.15.0", 0.9, f"{SERVE}:49", names=("--kv_cache_free_gpu_memory_fraction",)
    ),
    Documented("--trust_remote_code", "0.15.0", False, f"{SERVE}:54", takes="switch"),
    # "Change default backend to PyTorch in trtllm-serve": release notes 1.0, API changes.
    Documented("--backend", "0.15.0", "tensorrt", f"{SERVE}:87"),
    Documented("--backend", "1.0.0", "pytorch", f"{NOTES}:"),
    # "Enable scheduling overlap by default": release notes 0.20, API changes. With the PyTorch backend.
    Documented("disable_overlap_scheduler", "0.17.0", True, f"{NOTES}:"),
    Documented("disable_overlap_scheduler", "0.20.0", False, f"{NOTES}:"),
    # use_cuda_graph = False became cuda_graph_config = CudaGraphConfig(). With the PyTorch backend.
    Documented("cuda_graph_config", "0.17.0", None, f"{ARGS}:"),
    Documented("cuda_graph_config", "1.0.0", {"enable_padding": False}, f"{ARGS}:"),
    Documented("kv_cache_config.enable_block_reuse", "0.19.0", True, f"{ARGS}:"),
    # "Added the enable_chunked_prefill flag": release notes 0.16, API changes; False where nobody sets it.
    Documented("enable_chunked_prefill", "0.16.0", False, f"{ARGS}:"),
    Documented("attn_backend", "0.19.0", "TRTLLM", f"{ARGS}:"),
    # "FlashInfer sampling now used by default with PyTorch backend": release notes 1.2, API changes. What sampler_type
    # auto means in 1.1 the release notes and the field's own description tell differently, so nothing is said of it.
    Documented("disable_flashinfer_sampling", "1.0.0", True, f"{NOTES}:"),
    Documented("disable_flashinfer_sampling", "1.2.0", False, f"{NOTES}:"),
    # trtllm-build: release notes 0.11, 0.13 and 0.14, API changes.
    Documented("trtllm-build --max_batch_size", "0.12.0", 256, f"{NOTES}:"),
    Documented("trtllm-build --max_batch_size", "0.14.0", 2048, f"{NOTES}:"),
    Documented("trtllm-build --max_num_tokens", "0.12.0", 8192, f"{NOTES}:"),
    Documented("trtllm-build --use_fused_mlp", "0.12.0", False, f"{NOTES}:"),
    Documented("trtllm-build --use_fused_mlp", "0.13.0", True, f"{NOTES}:"),
)
# Removed from trtllm-build: release notes 0.12, 0.14, 0.15 and 0.16, API changes.
REMOVED: dict[str, str] = {"trtllm-build --builder_opt": "0.14.0", "trtllm-build --enable_xqa": "0.16.0"}


def documented(version: str) -> Things:
    """What is documented of one release."""
    found: Things = {}
    key = release_key(version)
    for one in DOCUMENTED:
        if release_key(one.since) <= key:
            state: dict[str, object] = {"at": one.at}
            if one.value is not None:
                state["value"] = one.value
            if one.kind != "literal":
                state["kind"] = one.kind
            if one.takes != "value":
                state["takes"] = one.takes
            if one.names:
                state["names"] = list(one.names)
            found[one.name] = state
    for name, until in REMOVED.items():
        if key < release_key(until):
            found[name] = {"at": f"{NOTES}:", "kind": "rule"}
    return found


def packages(text: str) -> Things:
    """What a release requires of the libraries that compute, by its ``PKG-INFO``."""
    found: Things = {}
    for match in _REQUIRES.finditer(text):
        name, wanted, marker = match[1].lower(), match[2].strip(), match[3] or ""
        if name in _PINNED and wanted and "extra" not in marker and name not in found:
            parts = ",".join(sorted(part.strip() for part in wanted.split(",")))
            found[name] = {"at": f"PKG-INFO:{text[: match.start()].count(chr(10)) + 1}", "value": parts}
    return found


def release(root: pathlib.Path) -> Content:
    """One release, from the folder with its ``PKG-INFO``."""
    text = (root / "PKG-INFO").read_text(encoding="utf-8", errors="replace")
    version = _VERSION.search(text)
    return {"arguments": documented(version[1]) if version else {}, "packages": packages(text)}


READER = Reader(
    engine="tensorrt-llm",
    source=Package(name="tensorrt-llm", oldest="0.12.0", also=r"^PKG-INFO$"),
    read=release,
)
