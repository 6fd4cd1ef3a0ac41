"""``hf:DIR``: what the files of a model say of it. A model directory, or the folder of a model in the Hub's cache.

Only the small JSON files that describe the model are read, the names of the others, and of safetensors files the header
that lists their tensors. Nothing is imported, unpickled or run. In a Hub cache (``models--org--name``) the files are
links to ``blobs``; links that lead outside are not followed. ``hf:org/name`` is the model's folder in the cache of this
machine; nothing is downloaded.
Sources: https://huggingface.co/docs/huggingface_hub/guides/manage-cache and
https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence

import msgspec

from askew.collectors import records
from askew.collectors.files.collect import UnreadableError, read_bytes
from askew.collectors.hf import tokens
from askew.collectors.interface import Capability, Evidence, Request, Text
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

# Files that describe a model, as transformers, the quantizers and the engines read them.
READ = (
    "config.json", "generation_config.json", "hf_quant_config.json", "quantize_config.json",
    "model.safetensors.index.json", "pytorch_model.bin.index.json", *tokens.READ,
)  # fmt: skip
_MOST_NAMES = 10_000
_MOST_SHARDS = 1_000
_LONGEST_HEADER = 100_000_000  # bytes; safetensors itself refuses longer ones
_TENSORS = "#tensors"  # after the name of a file: the list of its tensors
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_HINT = "name the directory that holds the model's config.json"


class _Tensor(msgspec.Struct, frozen=True):
    data_offsets: tuple[int, int]


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
        _missing_shards(reader, names, shown)
        shards = [name for name in names if name.endswith(".safetensors")][:_MOST_SHARDS]
        for name in shards if any(name in READ for name in names) else ():
            _add_tensors(reader, os.path.join(path, name), f"{shown}/{name}", home)
        beside = [name for name in names if name in records.BESIDE]
        records.add(
            reader, beside, shown, lambda name: _real(reader, os.path.join(path, name), f"{shown}/{name}", home)
        )
        tokens.add(reader, redactor, path, shown, names, lambda file, name: _real(reader, file, name, home))
        if reader.documents or reader.texts:
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


def _real(reader: Reader, path: str, shown: str, home: str) -> str:
    """Where a file really lies; empty, with an error, where that is outside the model's directory."""
    real = os.path.realpath(path)
    if os.path.commonpath((real, home)) == home:
        return real
    reader.fail(shown, "the link leads outside the model's directory", "name the directory that it leads to")
    return ""


def _missing_shards(reader: Reader, names: Sequence[str], shown: str) -> None:
    """Files of weights that an index names and that are not there: the model cannot be loaded."""
    for document in reader.documents:
        wanted = document.root["weight_map"]
        if wanted.is_mapping:
            files = {node.value: node for _, node in wanted.items() if isinstance(node.value, str)}
            for name in sorted(files.keys() - set(names))[:3]:
                at = files[name].location
                message = f"the index names {name}, which is not in {shown}"
                reader.fail(document.source, message, "download the missing file", at.line, at.column)


def _add_tensors(reader: Reader, path: str, shown: str, home: str) -> None:
    """The header of a safetensors file: eight bytes of length, then JSON."""
    real = _real(reader, path, shown, home)
    if not real:
        return
    reader.files += 1
    hint = "download the file again; `sha256sum` tells whether it is whole"
    try:
        if not stat.S_ISREG(os.stat(real).st_mode):
            reader.fail(shown, "expected a file of weights, found something else", hint)
            return
        with open(real, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                message = f"expected a header of at most {max(0, size - 8):,} bytes, the file says {length:,}"
                reader.fail(shown, message, hint)
                return
            header = file.read(length)
    except OSError as error:
        reader.fail(shown, (error.strerror or "it cannot be read").lower(), hint)
        return
    try:
        text = header.decode("utf-8")
        end = max((offset for offset in _ends(text)), default=0)
    except (UnicodeDecodeError, ValueError, RecursionError):
        reader.fail(shown, "expected a header of JSON that lists the tensors", hint)
        return
    if 8 + length + end > size:
        reader.fail(shown, f"the header lists {end:,} bytes of tensors, and the file ends before", hint)
        return
    reader.texts.append(Text(source=f"{shown}{_TENSORS}", text=text))


def _ends(text: str) -> Iterator[int]:
    """Where each tensor ends, in bytes after the header. Raises ValueError for what is no such header."""
    listed = msgspec.json.decode(text)
    if not isinstance(listed, dict):
        raise ValueError("no object")
    for name, tensor in listed.items():
        if name != "__metadata__":
            yield msgspec.convert(tensor, _Tensor).data_offsets[1]


def _add(reader: Reader, path: str, shown: str, home: str) -> None:
    real = _real(reader, path, shown, home)
    if not real:
        return
    try:
        data = read_bytes(real)
    except UnreadableError as error:
        reader.fail(shown, error.message, error.hint)
        return
    reader.files += 1
    reader.add_manifest(shown, data, named=True)
