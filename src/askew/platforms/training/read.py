"""Records of training to workloads: those of one directory describe one model.

Texts are named by their file, with ``#record`` behind it where the same directory also holds texts of others; a text
``dir/`` lists the names of a directory. A pickle (``training_args.bin``) is named and never loaded.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from askew.evidence.document import Document, Node
from askew.evidence.location import Location
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.platforms.kubernetes.observe import observed
from askew.platforms.packages import locks
from askew.platforms.packages.pin import states
from askew.platforms.packages.read import pins, pins_of_text
from askew.platforms.training import cards, mlflow
from askew.platforms.training.settings import DTYPE, NAMES, PARAMETERS, SEED, at, of_settings, tracked
from askew.platforms.training.shape import Form, form
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Workload

KIND = "TrainingRecord"
RECORD = "#record"
PACKAGES, RUN = "model.training.packages", "model.training.run"
_WANDB_RUN = re.compile(r"(?:^|/)(?:offline-)?run-\d{8}_\d{6}-([a-z0-9]{4,20})(?:/|$)")
_PYTHON = re.compile(r"(?:[A-Za-z]+ )?(\d+\.\d+(?:\.\d+)?\S*)")
_LOADED = "in a sandbox: torch.load('training_args.bin', weights_only=False)"


class _Folder(msgspec.Struct):
    documents: list[tuple[Form, Document]] = []
    texts: list[SourceText] = []
    listed: frozenset[str] | None = None


class _Text(msgspec.Struct, frozen=True):
    source: str
    text: str


def read(documents: Sequence[Document], texts: Sequence[SourceText] = ()) -> PlatformReading:
    """One workload for each directory that holds a record; what is none is named as unread."""
    folders: dict[str, _Folder] = {}
    unread: list[Unread] = []
    for document in documents:
        kind = form(document)
        folder = folders.setdefault(os.path.dirname(document.source), _Folder())
        folder.documents.append((kind, document))
    for text in texts:
        source = text.source.removesuffix(RECORD)
        folder = folders.setdefault(os.path.dirname(source), _Folder())
        if source.endswith("/"):
            folder.listed = frozenset(text.text.splitlines())
        else:
            folder.texts.append(_Text(source, text.text))
    workloads: list[Workload] = []
    for name, folder in folders.items():
        found, first, refused = _of_folder(name, folder)
        unread.extend(refused)
        if first:
            workloads.append(_workload(name, first, found))
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def into(records: Sequence[Workload], models: Sequence[Workload]) -> tuple[Workload, ...]:
    """Records pooled into the model whose directory they lie in; those of other directories stay by themselves."""
    by_folder = {os.path.dirname(one.source): one for one in records}
    out: list[Workload] = []
    for model in models:
        record = by_folder.pop(os.path.dirname(model.source), None)
        more = record.observations if record is not None else ()
        out.append(msgspec.structs.replace(model, observations=(*model.observations, *more)) if more else model)
    return (*out, *by_folder.values())


def _of_folder(name: str, folder: _Folder) -> tuple[tuple[Observation, ...], str, list[Unread]]:
    """What the records of a directory state, the file that shows it, and what could not be read."""
    found: list[Observation] = []
    refused: list[Unread] = []
    sources: list[str] = []
    shared = dict(reversed(folder.documents))
    others = [document for kind, document in folder.documents if not kind]
    for kind, document in folder.documents:
        if kind:
            sources.append(document.source)
            found.extend(_of_document(kind, document, folder, others))
        elif "dvc" not in shared or os.path.basename(document.source) != "params.yaml":
            refused.append(Unread(document.root.location, "this is no record of training that is known"))
    for text in folder.texts:
        if cards.is_card(text.text):
            sources.append(text.source)
            found.extend(cards.of_card(text))
            continue
        try:
            listed = pins_of_text(text)
        except locks.LockError as error:
            refused.append(Unread(Location(text.source, line=error.line or 1, column=1), str(error)))
            continue
        if listed:
            sources.append(text.source)
            found.extend(states(PACKAGES, listed, origin="model"))
    found.extend(_of_pickle(name, folder, found))
    if sources and (run := _WANDB_RUN.search(name + "/")) is not None:
        found.append(observed(RUN, f"wandb:{run[1]}", Location(sources[0], line=1, column=1), origin="model"))
    if not sources and found:
        sources = [found[0].locations[0].source]
    main = shared.get("mlmodel")
    return tuple(_known(found)), main.source if main is not None else min(sources, default=""), refused


def _of_document(kind: Form, document: Document, folder: _Folder, others: Sequence[Document]) -> Iterator[Observation]:
    root = document.root
    if kind == "mlmodel":
        yield from mlflow.of_model(root, folder.listed)
    elif kind == "packages":
        yield from states(PACKAGES, pins(document), origin="model")
    elif kind in ("python-env", "wandb-metadata"):
        version = _PYTHON.fullmatch(root["python"].text() or "")
        if version is not None and version[1].count(".") > 1:
            yield observed(PACKAGES, version[1], root["python"].location, origin="model", key="python")
    elif kind == "wandb-config":
        yield from of_settings(tracked(root), NAMES[kind], "likely")
        python = root["_wandb"]["value"]["python_version"]
        if python.text():
            yield observed(PACKAGES, python.text(), python.location, origin="model", key="python")
    elif kind == "dvc-lock":
        yield from _of_dvc(document)
    elif kind == "dvc":
        for other in others:
            if os.path.basename(other.source) == "params.yaml":
                yield from of_settings(at(other.root), PARAMETERS, "likely")
    elif kind in NAMES:
        yield from of_settings(at(root), NAMES[kind])


def _of_dvc(document: Document) -> Iterator[Observation]:
    """``dvc.lock``: the parameters with which each stage ran, by the last part of their names."""
    for _, stage in document.root["stages"].items():
        for _, file in stage["params"].items():
            leaves: dict[str, Node] = {}
            for key, node in file.items():
                leaves.setdefault(key.rpartition(".")[2], node)
                for inner, child in node.items():
                    leaves.setdefault(inner, child)
            yield from of_settings(_named(leaves, file), PARAMETERS, "likely")


def _named(leaves: dict[str, Node], file: Node) -> Callable[[str], Node]:
    return lambda name: leaves.get(name, file[f"no {name}"])


def _of_pickle(name: str, folder: _Folder, found: Sequence[Observation]) -> Iterator[Observation]:
    """``training_args.bin`` holds the trainer's arguments as a pickle: where nothing else tells them, it says where
    they are."""
    if folder.listed is None or "training_args.bin" not in folder.listed:
        return
    stated = {one.fact for one in found}
    for fact in (DTYPE, SEED):
        if fact not in stated:
            reason = Unknown("training_args.bin holds it, a pickle, which is never loaded", _LOADED)
            yield observed(fact, reason, Location(f"{name}/training_args.bin" if name else "training_args.bin"))


def _known(found: Sequence[Observation]) -> Iterator[Observation]:
    """Without what one record leaves open and another of the same directory tells."""
    told = {(one.fact, one.key) for one in found if not isinstance(one.value, Unknown)}
    for one in found:
        if not isinstance(one.value, Unknown) or (one.fact, one.key) not in told:
            yield one


def _workload(folder: str, source: str, found: tuple[Observation, ...]) -> Workload:
    name = os.path.basename(folder) or os.path.splitext(os.path.basename(source))[0]
    place = Location(source, line=1, column=1)
    return Workload(namespace="files", kind=KIND, name=name, source=source, location=place, observations=found)
