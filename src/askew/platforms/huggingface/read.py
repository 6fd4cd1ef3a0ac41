"""The files of a model to a workload with the facts that they state.

Files of one directory describe one model. A list of the directory's files, where the source has one, tells that a file
is not there; without it nothing is concluded from a file that nobody showed.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Mapping, Sequence

from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.platforms.huggingface import tokens
from askew.platforms.huggingface.adapters import of_adapter
from askew.platforms.huggingface.config import of_config, of_pipeline
from askew.platforms.huggingface.embeddings import (
    configures_a_module,
    lists_modules,
    of_length,
    of_modules,
    of_settings,
)
from askew.platforms.huggingface.generation import of_generation
from askew.platforms.huggingface.gguf import of_gguf
from askew.platforms.huggingface.graphs import of_graphs
from askew.platforms.huggingface.observe import seen
from askew.platforms.huggingface.pickles import of_pickles
from askew.platforms.huggingface.processors import of_processor
from askew.platforms.huggingface.tensors import of_tensors
from askew.platforms.huggingface.weights import of_weights
from askew.platforms.interface import PlatformReading, SourceText
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation
from askew.resolve.workload import Workload

KIND = "ModelFiles"
_ADAPTER = "adapter_config.json"
_TENSORS = "#tensors"
_INDEXES = (
    "model.safetensors.index.json", "pytorch_model.bin.index.json", "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin.index.json",
)  # fmt: skip
_PIPELINE = "model_index.json"
_OTHERS = frozenset(
    ("generation_config.json", "hf_quant_config.json", "quantize_config.json", _ADAPTER, "modules.json",
     "config_sentence_transformers.json", "sentence_bert_config.json", "preprocessor_config.json",
     "processor_config.json", _PIPELINE, *_INDEXES, *tokens.FILES)
)  # fmt: skip
_SNAPSHOT = re.compile(r"(?:^|/)models--([^/]+?)--([^/]+)/snapshots/([0-9a-f]{40})(?:/|$)")
_FORMATS = (
    (".safetensors", "safetensors"),
    (".gguf", "gguf"),
    (".bin", "pickle"),
    (".pt", "pickle"),
    (".pth", "pickle"),
)


def describes_a_model(document: Document) -> bool:
    """Whether a JSON document is one of the files that describe a model."""
    root, name = document.root, os.path.basename(document.source)
    if name == "modules.json":
        return lists_modules(root)
    if not root.is_mapping or not name.endswith(".json") or root["kind"].exists:
        return False
    if name == _ADAPTER:
        return isinstance(root["peft_type"].value, str)
    if name in _OTHERS or (name == "config.json" and configures_a_module(root)):
        return True
    if name in ("config.json", "scheduler_config.json") and isinstance(root["_class_name"].value, str):
        return True  # a part of a pipeline of diffusers
    named = isinstance(root["model_type"].value, str) or root["architectures"].is_sequence
    sized = any(root[key].exists for key in ("hidden_size", "text_config", "num_hidden_layers", "d_model", "n_embd"))
    return named and (name == "config.json" or sized)


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """One workload for each directory. ``texts`` are lists: of a directory, whose source is ``dir/``, a name a line; of
    what stands in a file, ``dir/file#tensors``; of digests, ``dir/#weights``."""
    folders: dict[str, dict[str, Document]] = {}
    for document in documents:
        folder, name = os.path.split(document.source)
        key = name if name in _OTHERS else "config.json"
        if key == "config.json" and configures_a_module(document.root):
            folder, part = os.path.split(folder)
            key = f"{part}/{name}"
        folders.setdefault(folder, {}).setdefault(key, document)
    names = {text.source[:-1]: frozenset(text.text.splitlines()) for text in texts if text.source.endswith("/")}
    parts: dict[str, list[SourceText]] = {}
    told = tokens.by_folder(texts)
    for folder in told:
        folders.setdefault(folder, {})
    for text in texts:
        if not text.source.endswith(("/", *tokens.PARTS)):
            folder = os.path.dirname(text.source)
            folders.setdefault(folder, {})
            parts.setdefault(folder, []).append(text)
    workloads = (
        _workload(folder, files, names.get(folder), parts.get(folder, ()), told.get(folder, ()))
        for folder, files in folders.items()
    )
    return PlatformReading(workloads=tuple(workloads))


def _workload(
    folder: str,
    files: Mapping[str, Document],
    listed: frozenset[str] | None,
    parts: Sequence[SourceText],
    told: Sequence[SourceText],
) -> Workload:
    first = next((document.source for document in files.values()), "")
    first = first or (parts[0].source.partition("#")[0] if parts else f"{folder}/")
    place = Location(first, line=1, column=1) if files or not parts else Location(first)
    found: list[Observation] = []
    config = files.get("config.json")
    if config is not None:
        quantization = files.get("hf_quant_config.json") or files.get("quantize_config.json")
        found.extend(of_config(config.root, quantization.root if quantization is not None else None))
    generation = files.get("generation_config.json")
    if generation is not None:
        found.extend(of_generation(generation.root))
    elif config is not None and listed is not None and "generation_config.json" not in listed:
        because = ("the directory has no generation_config.json",)
        found.append(seen("model.generation.sampling_defaults", {}, place, because))
    found.extend(tokens.read(files, told, listed, place))
    found.extend(_of_parts(files))
    tensors = [part for part in parts if part.source.endswith(_TENSORS)]
    stored = list(of_tensors(tensors)) if tensors else []
    found.extend(stored)
    described = list(_described(parts))
    found.extend(described)
    named = any(one.fact == "model.weights.format" for one in described)
    found.extend(_weights(files if not stored else {}, listed if not named else None, place))
    snapshot = _SNAPSHOT.search(os.path.abspath(folder) if folder else "")
    if snapshot is not None:
        owner, name, commit = snapshot.groups()
        found.append(seen("model.id", f"{owner}/{name}", place, ("the folder of the Hub's cache",)))
        found.append(seen("model.revision", commit, place, ("the snapshot in the Hub's cache",)))
    alone = listed is None and not files  # one file of weights
    # Beside its parts a pipeline has the same name wherever it lies, so that two are matched as their parts are.
    name = "" if alone else "pipeline" if _PIPELINE in files else os.path.basename(folder)
    name = name or os.path.splitext(os.path.basename(first))[0]
    return Workload(namespace="files", kind=KIND, name=name, source=first, location=place, observations=tuple(found))


def _described(parts: Sequence[SourceText]) -> Iterator[Observation]:
    """What stands in the files of weights themselves."""
    kinds: dict[str, list[SourceText]] = {}
    for part in parts:
        kinds.setdefault(part.source.rpartition("#")[2], []).append(part)
    yield from of_gguf(kinds.get("gguf", ()))
    yield from of_pickles(kinds.get("pickle", ()))
    yield from of_graphs(kinds.get("graph", ()))
    for part in kinds.get("weights", ()):
        yield from of_weights(part)


def _of_parts(files: Mapping[str, Document]) -> Iterator[Observation]:
    """Adapters, embeddings, processors and pipelines."""
    if _PIPELINE in files:
        yield from of_pipeline(files[_PIPELINE].root)
    for name, read in (
        (_ADAPTER, of_adapter), ("config_sentence_transformers.json", of_settings),
        ("sentence_bert_config.json", of_length),
    ):  # fmt: skip
        if name in files:
            yield from read(files[name].root)
    if "modules.json" in files:
        yield from of_modules(files["modules.json"].root, files)
    processor = files.get("preprocessor_config.json") or files.get("processor_config.json")
    if processor is not None:
        yield from of_processor(processor.root)


def _weights(files: Mapping[str, Document], listed: frozenset[str] | None, place: Location) -> list[Observation]:
    found: list[Observation] = []
    for name in _INDEXES:
        index = files.get(name)
        if index is not None:
            size = index.root["metadata"]["total_size"]
            if (total := size.integer()) is not None:
                found.append(observed("model.weights.bytes", total, size.location, origin="model"))
            break
    formats = {kind for file in listed or () for ending, kind in _FORMATS if file.endswith(ending)}
    if len(formats) == 1:
        found.append(seen("model.weights.format", formats.pop(), place, ("by the names of the files",)))
    return found
