"""Which models TorchServe starts with, and what is set for each.

``ModelServer.initModelStore``: a ``model_snapshot`` where there is one, else ``load_models``; ``models`` sets what the
models among those get. A model archive's own ``model-config.yaml`` wins over ``models``, not over a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from askew.engines.settings import OTHER, unreadable
from askew.engines.torchserve.properties import Property
from askew.evidence.document import Node
from askew.evidence.launch import Content, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Origin, Unknown
from askew.resolve.workload import Problem

_SHAPE = 'expected {"model": {"1.0": {"minWorkers": 1, …}}}'
_NUMBERS = ("minWorkers", "maxWorkers", "batchSize", "maxBatchDelay", "responseTimeout", "startupTimeout")
_MANAGED = "models are registered by the management API, which no source shows"
_ALL = "every archive in the model store, which no source shows"
_LOOK = "curl -s $MANAGEMENT_URL/models"
_LAST = 1 << 20  # what is said of a model counts over what is said of all
_ARCHIVE = "a model-config.yaml in the model's archive wins over it"


class Model(msgspec.Struct, frozen=True):
    """A model of ``models`` or of a snapshot: its settings as numbers, each with its place."""

    name: str
    version: str
    archive: str
    at: Location
    numbers: tuple[tuple[str, int, Location], ...]


def read(one: Property, content: Content, *, snapshot: bool) -> tuple[tuple[Model, ...], Problem | None]:
    """The models of a setting's JSON, or what is wrong with it and where."""
    from askew.evidence.yaml import read as read_yaml

    def place(line: int, column: int) -> Location:
        if line > 1:  # escapes of line ends: the place of the value is as near as can be told
            return one.at(content)
        return one.at(content, column - 1)

    stream = read_yaml(one.value, one.name)
    documents, errors = stream.documents, stream.errors
    if errors:
        at = place(errors[0].line, errors[0].column)
        return (), unreadable(f"{one.name} is no valid JSON: {errors[0].message}", at, _SHAPE, argument=one.name)
    root = documents[0].root if len(documents) == 1 else None
    if root is not None and snapshot:
        root = root["models"]
    if root is None or not root.is_mapping:
        return (), unreadable(f"{one.name}: {_SHAPE}", one.at(content), _SHAPE, argument=one.name)
    found: list[Model] = []
    for name, releases in root.items():
        for version, settings in releases.items() if releases.is_mapping else [("", releases)]:
            at = place(settings.location.line, settings.location.column)
            if not settings.is_mapping:
                return (), unreadable(f"{one.name}: {_SHAPE}", at, _SHAPE, argument=one.name)
            try:
                numbers = tuple(_numbers(settings, place, snapshot))
            except ValueError as error:
                key = str(error)
                wrong = settings[key]
                at = place(wrong.location.line, wrong.location.column)
                message = f"{one.name}: {key} of {name} must be a whole number"
                return (), unreadable(message, at, "write a number", argument=one.name, value=wrong.text() or "")
            found.append(Model(name, version, settings["marName"].text() or "", at, numbers))
    return tuple(found), None


def _numbers(
    settings: Node, place: Callable[[int, int], Location], snapshot: bool
) -> Iterator[tuple[str, int, Location]]:
    for key in _NUMBERS:
        node = settings[key]
        if not node.exists or node.value is None:
            continue
        value = node.integer()
        if value is None:
            raise ValueError(key)
        if value > 0 or snapshot:  # of `models`, what is not above zero counts as not given
            yield key, value, place(node.location.line, node.location.column)


def of_snapshot(models: Sequence[Model], store: str) -> list[Observation]:
    """What a snapshot starts: nothing else decides."""
    found = [_names([one.name for one in models], models[0].at if models else None, "config-file", "certain")]
    if len(models) == 1:
        one = models[0]
        found.append(_said("model.source", _source(one.archive, store), one.at))
        if one.version:
            found.append(_said("model.revision", one.version, one.at))
    found.extend(_settings(models, "certain"))
    return found


def of_list(words: Sequence[Token], store: str, settings: Sequence[Model], origin: Origin) -> list[Observation]:
    """What ``load_models`` or ``--models`` starts, with what ``models`` sets for it."""
    unknown = next((word for word in words if word.unknown is not None), None)
    if unknown is not None:
        value = Unknown(unknown.unknown or "", text=unknown.text)
        return [Observation(fact="model.served_names", value=value, origin=origin, locations=(unknown.location,))]
    parts = [(part.strip(), word) for word in words for part in word.text.split(",") if part.strip()]
    if not parts:
        return [*managed(), *_settings(settings, "likely")]
    at = parts[0][1].location
    if parts[0][0].lower() == "all":
        value = Unknown(_ALL, _LOOK, text="all")
        found = [Observation(fact="model.served_names", value=value, origin=origin, locations=(at,))]
        if len(settings) == 1:
            found.append(_names([settings[0].name], settings[0].at, "config-file", "likely"))
        return [*found, *_settings(settings, "likely")]
    named: list[str] = []
    sources: list[str] = []
    bare = False
    for text, _ in parts:
        name, sign, archive = text.partition("=")
        if not sign:
            name, archive, bare = _stem(text), text, True
        named.append(name)
        sources.append(_source(archive, store))
    found = [_names(named, at, origin, "likely" if bare else "certain")]
    if len(sources) == 1:
        found.append(
            Observation(fact="model.source", value=sources[0], origin=origin, locations=(at,), raw=parts[0][0])
        )
    else:
        text = ", ".join(sorted(sources))
        found.append(Observation(fact=OTHER, key="--models", value=text, origin=origin, locations=(at,)))
    used = [one for one in settings if one.name in named]
    return [*found, *_settings(used if used or bare is False else settings, "likely", single=len(named) == 1)]


def managed() -> list[Observation]:
    """What follows where no model is named."""
    facts = ("model.served_names", "model.source", "runtime.instances")
    return [Observation(fact=fact, value=Unknown(_MANAGED, _LOOK), origin="engine-default") for fact in facts]


def _names(names: Sequence[str], at: Location | None, origin: Origin, confidence: Confidence) -> Observation:
    because = ("a name given when the archive was made wins over its file's",) if confidence == "likely" else ()
    value: list[Value] = [*sorted(set(names))]
    return Observation(
        fact="model.served_names", value=value, origin=origin, locations=(at,) if at else (),
        confidence=confidence, because=because,
    )  # fmt: skip


def _settings(models: Sequence[Model], confidence: Confidence, *, single: bool = True) -> Iterator[Observation]:
    because = (_ARCHIVE,) if confidence == "likely" else ()
    alone = len(models) == 1 and single
    limits = [value for one in models for key, value, _ in one.numbers if key == "responseTimeout"]
    smallest = min(limits) if limits and len(limits) == len(models) and single else None
    for one in models:
        for key, value, at in one.numbers:
            fact, entry, known = OTHER, f"models:{one.name}:{one.version}:{key}", str(value)
            hop, found = "", None
            if key == "responseTimeout":
                if smallest is not None and value != smallest:
                    continue  # the engine as a hop allows what the model with the smallest limit allows
                fact, entry, found = "serving.request_timeout", "", value
                hop = "engine" if smallest is not None else f"engine:{one.name}"
            elif alone and key == "minWorkers":
                fact, entry, found = "runtime.instances", "", value
            elif alone and key == "batchSize":
                fact, entry, found = "runtime.dynamic_batching", "max_batch_size", value
            elif alone and key == "maxBatchDelay":
                fact, entry, found = "runtime.dynamic_batching", "max_queue_delay_microseconds", value * 1000
            yield Observation(
                fact=fact, key=entry, value=known if found is None else found, origin="config-file", locations=(at,),
                confidence=confidence, because=because, hop=hop, raw=str(value), order=_LAST,
            )  # fmt: skip


def _said(fact: str, value: str, at: Location) -> Observation:
    return Observation(fact=fact, value=value, origin="config-file", locations=(at,), raw=value)


def _source(archive: str, store: str) -> str:
    if "://" in archive or archive.startswith("/") or not store:
        return archive
    return f"{store.rstrip('/')}/{archive}"


def _stem(text: str) -> str:
    """``ModelServer.getDefaultModelName``."""
    import re

    name = text.rpartition("/")[2]
    for end in (".mar", ".model"):
        if end in name:
            name = name.rpartition(".")[0]
            break
    return re.sub(r"(\W|^_)", "_", name)
