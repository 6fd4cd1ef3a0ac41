"""Which files of a directory are a model's weights, and what is handed on of each: the list of its tensors, never the
tensors. A format is read by the module that knows it, imported when such a file lies there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from askew.collectors.hf.tensors import Tensor, as_header, read_safetensors, with_the_rest

if TYPE_CHECKING:
    from askew.collectors.hf.graphs import Graph

# Names of files of weights, in the order in which loaders prefer their formats where several lie side by side.
_FORMATS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("safetensors", (".safetensors",)),
    ("gguf", (".gguf",)),
    ("pickle", (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".skops")),
    ("onnx", (".onnx", ".onnx_data")),
    ("savedmodel", ("saved_model.pb", ".h5", ".keras", ".tflite")),
    ("tensorrt-plan", (".plan", ".engine")),
    ("trees", (".ubj", ".bst", ".xgb", ".lgb", ".cbm")),
)
VARIABLES = "variables/variables."  # of a SavedModel, in a folder of their own
_TREES = ("model.txt", "model.json")  # LightGBM's and XGBoost's, where people keep no other model
# What a trainer leaves beside the weights, and copies of them: other names of the tensors, or no model by themselves.
_BESIDE = re.compile(
    r"(?:training_args|optimizer|scheduler|scaler|rng_state.*|trainer_state)\.(?:bin|pt|pth|pkl)|.*\.index\.json"
)
_COPIES = re.compile(
    r"(?:consolidated|adapter_model|adapter).*\.(?:safetensors|bin|pth|pt)|mmproj.*\.gguf|.*imatrix.*\.gguf"
)
# Files of these names hold nothing but pickles; other programs, too, write files called .bin.
_PICKLED = re.compile(r"pytorch_model.*\.bin|.*\.(?:pkl|pickle|joblib|pt|pth)")
_SPLIT = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)")


def format_of(name: str) -> str:
    """The format that a file's name promises; empty where it is no file of weights."""
    if _BESIDE.fullmatch(name):
        return ""
    if name.startswith(VARIABLES):
        return "savedmodel"
    if name in _TREES:
        return "trees"
    return next((kind for kind, endings in _FORMATS if name.endswith(endings)), "")


def weights_of(names: Sequence[str], indexed: Iterable[str]) -> list[str]:
    """The files that hold the weights: those that an index names, else those of the format that loaders prefer."""
    wanted = sorted(set(indexed).intersection(names))
    if wanted:
        return wanted
    for kind, _ in _FORMATS:
        found = [name for name in names if format_of(name) == kind]
        if found:
            return [name for name in found if not _COPIES.fullmatch(name)] or found
    return []


def models_of(names: Iterable[str]) -> list[str]:
    """Names of the models that lie side by side: GGUF files are whole models, unless they are parts of one."""
    return sorted({_SPLIT.sub("", name) for name in names if name.endswith(".gguf")})


class Artifact(msgspec.Struct, frozen=True):
    """What one file says: texts by their kind, its tensors, and what is wrong with it although it can be read.
    ``elsewhere``: the tensors that it says lie in other files."""

    texts: tuple[tuple[str, str], ...]
    tensors: tuple[Tensor, ...]
    warning: str = ""
    hint: str = ""
    elsewhere: Mapping[str, tuple[Tensor, ...]] = {}


def read_artifact(name: str, file: BinaryIO, size: int, clean: Callable[[str], str]) -> Artifact:
    """Read what lists the tensors of a file. A format that lists none gives the file as one tensor. ``clean`` takes
    secrets out of a text. Raises MalformedError, OSError."""
    kind = format_of(name)
    if kind == "safetensors":
        text, tensors = read_safetensors(file, size)
        return Artifact((("tensors", clean(text)),), tensors)
    if kind == "gguf":
        from askew.collectors.hf.gguf import read_gguf

        text, tensors = read_gguf(file, size, clean)
        return Artifact((("gguf", text),), tensors)
    whole = (Tensor("", "bytes", (), 0, size),)
    if kind == "pickle":
        return _of_pickle(name, file, size, whole, clean)
    graph = _graph(kind, name, file, size, clean)
    if name.endswith(".onnx") and graph is not None:
        from askew.collectors.hf.graphs import read_initializers

        text = msgspec.json.encode(graph).decode()
        stored = read_initializers(file, size)
        return Artifact((("graph", text),), with_the_rest(stored.here, size), elsewhere=stored.elsewhere)
    return Artifact((), whole) if graph is None else Artifact((("graph", msgspec.json.encode(graph).decode()),), whole)


def _graph(kind: str, name: str, file: BinaryIO, size: int, clean: Callable[[str], str]) -> Graph | None:
    if kind not in ("onnx", "savedmodel", "trees", "tensorrt-plan"):
        return None
    from askew.collectors.hf.graphs import read_onnx, read_plan, read_saved_model, read_trees

    if kind == "tensorrt-plan":
        return read_plan(file, size, clean)

    if name.endswith(".onnx"):
        return read_onnx(file, size, clean)
    if name == "saved_model.pb":
        return read_saved_model(file, size, clean)
    return read_trees(file, size, clean) if kind == "trees" else None


def _of_pickle(
    name: str, file: BinaryIO, size: int, whole: tuple[Tensor, ...], clean: Callable[[str], str]
) -> Artifact:
    from askew.collectors.hf.pickles import NoPickleError, read_pickle

    try:
        scan, tensors = read_pickle(file, size)
    except NoPickleError:
        if _PICKLED.fullmatch(name):
            raise
        return Artifact((), whole)
    texts = [("pickle", clean(msgspec.json.encode(scan).decode()))]
    if tensors:
        texts.append(("tensors", clean(as_header(tensors))))
    warning = hint = ""
    if scan.dangerous:
        warning = f"whoever loads this pickle lets it call {', '.join(scan.dangerous[:3])}"
        hint = "do not load it; take the model as safetensors, from a source that you trust"
    elif scan.unread:
        warning = f"the pickle could not be followed to its end: {scan.unread}"
        hint = (
            "unpack the file, or save the model without compression"
            if "packed with" in scan.unread
            else "ask whoever saved the model whether the file is whole"
        )
    return Artifact(tuple(texts), tensors or whole, warning, hint)
