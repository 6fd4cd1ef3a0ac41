"""``hf:DIR``: what the files of a model say of it. A model directory, or the folder of a model in the Hub's cache.

Only the small JSON files that describe the model are read, and the names of the others. Nothing is imported, unpickled
or run. In a Hub cache (``models--org--name``) the files are links to ``blobs``; links that lead outside are not
followed. ``hf:org/name`` is the model's folder in the cache of this machine; nothing is downloaded.
Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import os
import re

from askew.collectors.files.collect import UnreadableError, read_bytes
from askew.collectors.interface import Capability, Evidence, Request, Text
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

# Files that describe a model, as transformers, the quantizers and the engines read them.
READ = (
    "config.json", "generation_config.json", "hf_quant_config.json", "quantize_config.json",
    "model.safetensors.index.json", "pytorch_model.bin.index.json",
)  # fmt: skip
_MOST_NAMES = 10_000
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_HINT = "name the directory that holds the model's config.json"


class HuggingFaceCollector:
    """A directory with a model in Hugging Face's layout."""

    name = "hf"
    schemes: tuple[str, ...] = ("hf",)
    capabilities: tuple[Capability, ...] = ("filesystem",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the files that describe the model. Never raises for what lies there."""
        reader = Reader(redactor)
        target = request.target or "."
        path = os.path.expanduser(target)
        path = path if os.path.isabs(path) else os.path.join(request.base, path)
        shown = target.rstrip("/") or "/"
        if not os.path.isdir(path) and _REPOSITORY.fullmatch(target):
            path = shown = os.path.join(_cache(), f"models--{target.replace('/', '--')}")
        top = path
        try:
            snapshot = _snapshot(path)
            if snapshot:
                path, shown = os.path.join(path, snapshot), f"{shown}/{snapshot}"
            with os.scandir(path) as scan:
                names = sorted(entry.name for entry, _ in zip(scan, range(_MOST_NAMES), strict=False))
        except OSError as error:
            reader.fail(target, f"{(error.strerror or 'it cannot be read').lower()}", _HINT)
            return reader.evidence(request.uri, "", "")
        # A snapshot of the cache links to its blobs, two levels up.
        home = os.path.realpath(os.path.join(path, "..", "..") if "snapshots" in path.split(os.sep) else top)
        for name in READ:
            if name in names:
                _add(reader, os.path.join(path, name), f"{shown}/{name}", home)
        if reader.documents:
            reader.texts.append(Text(source=f"{shown}/", text=redactor.text("\n".join(names))))
        return reader.evidence(request.uri, "no config.json lies in this directory", _HINT)


COLLECTOR = HuggingFaceCollector()


def _cache() -> str:
    """The Hub's cache, where the variables of huggingface_hub put it."""
    home = os.environ.get("HF_HOME") or os.path.join(os.path.expanduser("~"), ".cache", "huggingface")
    return os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")


def _snapshot(path: str) -> str:
    """The newest snapshot of a model's folder in the Hub's cache, relative to it; empty for any other directory."""
    snapshots = os.path.join(path, "snapshots")
    if not os.path.isdir(snapshots):
        return ""
    try:
        with open(os.path.join(path, "refs", "main"), encoding="ascii") as file:
            commit = file.read(64).strip()
    except (OSError, UnicodeDecodeError):
        commit = ""
    known = sorted(os.listdir(snapshots))
    if commit in known:
        return f"snapshots/{commit}"
    if len(known) == 1:
        return f"snapshots/{known[0]}"
    raise OSError(0, f"expected refs/main or one snapshot, found {len(known)} snapshots: name one")


def _add(reader: Reader, path: str, shown: str, home: str) -> None:
    real = os.path.realpath(path)
    if os.path.commonpath((real, home)) != home:
        reader.fail(shown, "the link leads outside the model's directory", "name the directory that it leads to")
        return
    try:
        data = read_bytes(real)
    except UnreadableError as error:
        reader.fail(shown, error.message, error.hint)
        return
    reader.files += 1
    reader.add_manifest(shown, data, named=True)
