"""``hf:DIR``: what the files of a model say of it. A model directory, a file of weights, or the folder of a model in
the Hub's cache.

Only the small JSON files that describe the model are read, the names of the others, and of files of weights what lists
their tensors. ``?digest=full`` reads the weights, too, and hands on digests of them; ``?digest=sample`` reads a little
of each tensor. Nothing is imported, unpickled or run. In a Hub cache (``models--org--name``) the files are links to
``blobs``; links that lead outside are not followed. ``hf:org/name`` is the model's folder in the cache of this machine;
nothing is downloaded. ``s3://…``, ``gs://…``, ``az://…``, ``hf://org/name`` and ``hf:https://…`` are read where they
lie (``remote``).
Sources: https://huggingface.co/docs/huggingface_hub/guides/manage-cache and
https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from askew.collectors import records
from askew.collectors.files.collect import UnreadableError, read_bytes
from askew.collectors.hf import remote, tokens
from askew.collectors.hf.artifacts import VARIABLES, Artifact, models_of, read_artifact, weights_of
from askew.collectors.hf.tensors import (
    MalformedError,
    Mode,
    Tensor,
    WeightFile,
    opened,
    shortened,
    why,
    with_the_rest,
)
from askew.collectors.interface import Capability, Evidence, Request, Text
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

# Files that describe a model, as transformers, the quantizers and the engines read them.
READ = (
    "config.json", "generation_config.json", "hf_quant_config.json", "quantize_config.json",
    "model.safetensors.index.json", "pytorch_model.bin.index.json", "adapter_config.json", "modules.json",
    "config_sentence_transformers.json", "sentence_bert_config.json", "preprocessor_config.json",
    "processor_config.json", "model_index.json", "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin.index.json", "scheduler_config.json", *tokens.READ,
)  # fmt: skip
_MOST_NAMES = 10_000
_MOST_SHARDS = 1_000
_MOST_MODULES = 32
_MOST_MISSING = 20
PIPELINE = "model_index.json"  # of diffusers: the parts of a pipeline, each a model in a folder of its own
# Weights of a part in another precision, which are taken only where somebody asks for that variant.
_VARIANT = re.compile(r"(.+)\.[A-Za-z0-9_]+\.(safetensors|bin)")
_FOLDER = re.compile(r"\w[\w-]*")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_HINT = "name the directory that holds the model's config.json"
_MODES: dict[str, Mode] = {"sample": "sample", "full": "full"}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "digest": ("none", "sample", "full"), "cache": ("on", "off"), "hash": ("sha256", "blake3"),
}  # fmt: skip


class HuggingFaceCollector:
    """A directory with a model in Hugging Face's layout, or one file of weights."""

    name = "hf"
    schemes: tuple[str, ...] = ("hf", "s3", "gs", "az", "abfs")
    capabilities: tuple[Capability, ...] = ("filesystem", "network")  # the network to a Dask cluster that was named

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the files that describe the model. Never raises for what lies there."""
        reader = Reader(redactor)
        options = dict(request.options)
        for key, value in options.items():
            if value not in _OPTIONS.get(key, ()) and not (key == "executor" and value.startswith("dask://")):
                said = f"{key}={value}" if key in _OPTIONS else f"'{key}'"  # what stands there may be a secret
                message = f"{said} is no option of a model's directory"
                choices = ", ".join(f"{name}={'|'.join(values)}" for name, values in _OPTIONS.items())
                choices += ", executor=dask://host:port"
                reader.fail(request.uri, message, f"write hf:DIR?digest=full; these are: {choices}")
                return reader.evidence(request.uri, "", "")
        url = _address(request)
        if url:
            return _remote(reader, request, redactor, url)
        target = request.target or "."
        path = os.path.expanduser(target)
        path = path if os.path.isabs(path) else os.path.join(request.base, path)
        shown = target.rstrip("/") or "/"
        if not os.path.exists(path) and _REPOSITORY.fullmatch(target):
            path = shown = os.path.join(_cache(), f"models--{target.replace('/', '--')}")
        file = "" if os.path.isdir(path) or not os.path.exists(path) else os.path.basename(path)
        if file:
            path, shown = os.path.dirname(path) or ".", os.path.dirname(shown) or "."
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
        names = [file] if file else names
        if "saved_model.pb" in names:
            names.extend(_variables(path))
        directory = _Directory(path, shown, home, tuple(names), whole=not file)
        try:
            (_pipeline if PIPELINE in names else _model)(reader, directory, request, redactor)
        except KeyboardInterrupt:
            reader.stopped(request)
        return reader.evidence(request.uri, "no config.json and no weights lie in this directory", _HINT)


class _Directory(msgspec.Struct, frozen=True):
    """A model's directory: where its files are read, how it is shown, where links may lead, and its names. ``stored``:
    the files that lie in a store. ``whole``: it was named itself, not one file of it."""

    path: str
    shown: str
    home: str
    names: tuple[str, ...]
    stored: Mapping[str, remote.Entry] = {}
    whole: bool = True


def _model(reader: Reader, model: _Directory, request: Request, redactor: Redactor) -> None:
    path, shown, home, names = model.path, model.shown, model.home, model.names
    for name in READ:
        if name in names:
            _add(reader, os.path.join(path, name), f"{shown}/{name}", home)
    for folder in _modules(reader):
        if os.path.isfile(os.path.join(path, folder, "config.json")):
            _add(reader, os.path.join(path, folder, "config.json"), f"{shown}/{folder}/config.json", home)
    _add_weights(reader, model, _indexed(reader, names, shown), request, redactor)
    records.add(
        reader,
        records.beside(names),
        shown,
        lambda name: _real(reader, os.path.join(path, name), f"{shown}/{name}", home),
    )
    tokens.add(reader, redactor, path, shown, names, lambda file, name: _real(reader, file, name, home))
    if model.whole and (reader.documents or reader.texts):
        reader.texts.append(Text(source=f"{shown}/", text=redactor.text("\n".join(names))))


def _pipeline(reader: Reader, model: _Directory, request: Request, redactor: Redactor) -> None:
    """A pipeline of diffusers: what its ``model_index.json`` lists, each part as a model of its own.

    Source: ``DiffusionPipeline.from_pretrained``, https://github.com/huggingface/diffusers/tree/v0.35.1 and
    ``variant`` of https://huggingface.co/docs/diffusers/using-diffusers/loading#checkpoint-variants
    """
    path, shown = model.path, model.shown
    _add(reader, os.path.join(path, PIPELINE), f"{shown}/{PIPELINE}", model.home)
    for folder in _parts(reader):
        inside = [name for name in model.stored if name.startswith(f"{folder}/")]
        real = _real(reader, os.path.join(path, folder), f"{shown}/{folder}", model.home)
        if not real:
            continue
        try:
            names = {name.partition("/")[2] for name in inside}.union(os.listdir(real) if os.path.isdir(real) else ())
        except OSError:
            names = set()
        if not names:
            message = f"{PIPELINE} lists {folder}, which is not in {shown}"
            reader.fail(f"{shown}/{PIPELINE}", message, "download the missing folder")
            continue
        kept = sorted(name for name in names if not _is_variant(name, names))[:_MOST_NAMES]
        stored = {name.partition("/")[2]: model.stored[name] for name in inside}
        part = Reader(redactor)
        where = _Directory(os.path.join(path, folder), f"{shown}/{folder}", model.home, tuple(kept), stored)
        _model(part, where, request, redactor)
        reader.documents.extend(part.documents)
        reader.texts.extend(part.texts)
        reader.errors.extend(part.errors)
        reader.notes.extend(part.notes)
        reader.files += part.files


def _parts(reader: Reader) -> list[str]:
    """The folders of the parts: entries of two names, the library and the class; both null where a part is left out."""
    listed = next((one for one in reader.documents if os.path.basename(one.source) == PIPELINE), None)
    if listed is None or not listed.root.is_mapping:
        return []
    found = []
    for name, node in listed.root.items():
        value = node.value
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], str) and _FOLDER.fullmatch(name):
            found.append(name)
    return found[:_MOST_MODULES]


def _is_variant(name: str, names: Collection[str]) -> bool:
    match = _VARIANT.fullmatch(name)
    return match is not None and f"{match[1]}.{match[2]}" in names


def _address(request: Request) -> str:
    """The address in a store that was named; empty for a directory of this machine."""
    if request.scheme in remote.STORES and request.scheme != "hf":
        return f"{request.scheme}:{request.target}"
    return f"hf:{request.target}" if request.target.startswith("//") else remote.address(request.target)


def _remote(reader: Reader, request: Request, redactor: Redactor, url: str) -> Evidence:
    """A model in a store: its small files are copied, its weights read where they lie."""
    shown = redactor.text(url.rstrip("/"))
    try:
        found = remote.listing(url)
        names = tuple(sorted(name for name in found.entries if "/" not in name or name.startswith(VARIABLES)))
        folders = {name.partition("/")[0] for name in found.entries if "/" in name}
        parts = PIPELINE in found.entries
        small = [entry for name, entry in sorted(found.entries.items()) if _describes(name, parts)]
        with remote.copied(small, request.progress) as folder:
            home = os.path.realpath(folder)
            if found.file:
                shown = os.path.dirname(shown)
            names = (*names, *sorted(folders.difference(names)))
            directory = _Directory(folder, shown, home, names, found.entries, not found.file)
            (_pipeline if parts else _model)(reader, directory, request, redactor)
    except remote.StoreError as error:
        reader.fail(shown, str(error.strerror), error.hint)
    return reader.evidence(request.uri, "no config.json and no weights lie there", _HINT)


def _describes(name: str, parts: bool) -> bool:
    """Whether a file of a store is one of the small ones that are read whole. ``parts``: so it is in folders, too."""
    folder, _, base = name.rpartition("/")
    if folder and not parts:
        return base == "config.json" or (folder == tokens.TEMPLATES and base.endswith(".jinja"))
    return base in READ or base in tokens.WHOLE or base.endswith(".tiktoken") or bool(records.beside((base,)))


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


def _variables(path: str) -> list[str]:
    """The weights of a SavedModel, which lie in a folder beside it."""
    try:
        found = sorted(os.listdir(os.path.join(path, "variables")))[:_MOST_SHARDS]
    except OSError:
        return []
    return [f"variables/{name}" for name in found if f"variables/{name}".startswith(VARIABLES)]


def _modules(reader: Reader) -> list[str]:
    """The folders of the parts that a modules.json of sentence-transformers names."""
    listed = next((one for one in reader.documents if os.path.basename(one.source) == "modules.json"), None)
    if listed is None or not listed.root.is_sequence:
        return []
    folders = (str(module["path"].value) for module, _ in zip(listed.root.each(), range(_MOST_MODULES), strict=False))
    return [folder for folder in folders if _FOLDER.fullmatch(folder)]


def _indexed(reader: Reader, names: Sequence[str], shown: str) -> set[str]:
    """The files of weights that an index names. One that is not there is an error: the model cannot be loaded."""
    wanted: set[str] = set()
    for document in reader.documents:
        mapped = document.root["weight_map"]
        if mapped.is_mapping:
            files = {node.value: node for _, node in mapped.items() if isinstance(node.value, str)}
            wanted.update(files)
            for name in sorted(files.keys() - set(names))[:3]:
                at = files[name].location
                message = f"the index names {name}, which is not in {shown}"
                reader.fail(document.source, message, "download the missing file", at.line, at.column)
    return wanted


def _add_weights(reader: Reader, model: _Directory, indexed: set[str], request: Request, redactor: Redactor) -> None:
    """What the files of weights list and, where it was asked for, the digests of what they hold."""
    shown, names = model.shown, model.names
    chosen = weights_of(names, indexed)
    # A graph comes before the files that its tensors lie in.
    chosen.sort(key=lambda name: not name.endswith(".onnx"))
    models = models_of(chosen)
    if len(models) > 1:
        listed = ", ".join(models[:4]) + (" …" if len(models) > 4 else "")
        reader.fail(f"{shown}/", f"{len(models)} models lie here: {listed}", f"name one: hf:{shown}/{models[0]}")
        return
    if len(chosen) > _MOST_SHARDS:
        message = f"there are {len(chosen):,} files of weights, and at most {_MOST_SHARDS:,} are read"
        reader.fail(f"{shown}/", message, _HINT)
        return
    files: list[WeightFile] = []
    broken: dict[str, str] = dict.fromkeys(sorted(indexed.difference(names))[:_MOST_MISSING], "it is not there")
    elsewhere: dict[str, list[Tensor]] = {}  # tensors of ONNX graphs, by the file that they lie in
    for name in chosen:  # which grows by those files
        stored = model.stored.get(name)
        real = stored.url if stored else _real(reader, os.path.join(model.path, name), f"{shown}/{name}", model.home)
        if not real:
            broken[name] = "it lies outside the model's directory"
            continue
        reader.files += 1
        try:
            with remote.opened(stored) if stored else opened(real) as (file, status):
                size = status.st_size
                artifact = (
                    Artifact((), with_the_rest(elsewhere[name], size))
                    if name in elsewhere
                    else read_artifact(name, file, size, redactor.text)
                )
        except (MalformedError, OSError) as error:
            message, hint = why(error)
            reader.fail(f"{shown}/{name}", message, hint)
            broken[name] = message
            continue
        if artifact.warning:
            reader.fail(f"{shown}/{name}", artifact.warning, artifact.hint)
        reader.texts.extend(Text(source=f"{shown}/{name}#{kind}", text=text) for kind, text in artifact.texts)
        files.append(WeightFile(name, real, artifact.tensors, status))
        for location, tensors in artifact.elsewhere.items():
            other = os.path.normpath(location)
            elsewhere.setdefault(other, []).extend(tensors)
            if other in chosen or other in broken or len(chosen) >= _MOST_SHARDS:
                continue
            if _lies(model, other):
                chosen.append(other)
            elif len(broken) < _MOST_MISSING:
                message = f"the graph says that tensors lie in {shortened(location)}, which is not in {shown}"
                reader.fail(f"{shown}/{name}", message, "copy the file to where the graph lies")
                broken[shortened(other)] = "it is not there"
    options = dict(request.options)
    mode: Mode | None = _MODES.get(options.get("digest", ""))
    if mode is not None:
        from askew.collectors.hf.digests import weights_text

        remember, where = options.get("cache") != "off", options.get("executor", "")
        text = weights_text(
            reader, files, broken, shown, mode, remember, request.progress, where,
            "blake3" if options.get("hash") == "blake3" else "sha256",
        )  # fmt: skip
        if text:
            reader.texts.append(Text(source=f"{shown}/#weights", text=text))


def _lies(model: _Directory, name: str) -> bool:
    """Whether a file that another one names is in the directory, or in a folder of it."""
    if os.path.isabs(name) or name.split(os.sep)[0] == os.pardir:
        return False
    return name in model.stored if model.stored else os.path.isfile(os.path.join(model.path, name))


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
