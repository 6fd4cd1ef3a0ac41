"""What a running Triton answers: its release, its models, and of each the configuration that is in effect.

Source: https://github.com/triton-inference-server/server, ``docs/protocol/extension_model_repository.md`` and
``extension_model_configuration.md``, and https://github.com/kserve/open-inference-protocol. The configuration is
``ModelConfig`` as JSON with every field of the file and what Triton completed; it is read as ``config.pbtxt`` is. A
configuration that was given with a request to load a model is here, and in no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import MOST_MODELS, named, partly, path, reported, root, texts, unknown
from askew.engines.triton import backends
from askew.engines.triton.flags import OTHER
from askew.engines.triton.model_config import LLM_BACKENDS, Model, Setting, settings
from askew.engines.triton.schema import SCHEMA
from askew.evidence.document import Node
from askew.evidence.textproto import Item
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown

_SERVER = "/v2"
_INDEX = Ask("/v2/repository/index", "{}", "which models it serves, and how, stays unknown")
_MODELS = "runtime.models"
_DEEPEST = 12  # levels of a configuration; real ones have six
# Of the groups only the number of copies is compared: Triton turned "wherever there is one" into GPUs or CPUs.
_DECIDED = ("instance_group",)


def _asks(answers: Answers) -> tuple[Ask, ...]:
    if not _speaks(answers):
        return (Ask(_SERVER),)
    found = [Ask(_SERVER), _INDEX]
    for name in _names(answers)[:MOST_MODELS]:
        found.append(Ask(_config(name), lacking=f"how {name} is configured stays unknown"))
    return tuple(found)


def _config(name: str) -> str:
    return path("v2", "models", name, "config")


def _speaks(answers: Answers) -> bool:
    return root(answers, _SERVER)["name"].value == "triton"


def _names(answers: Answers) -> list[str]:
    """The models that are loaded: the index names all of the repository, the others without a state or unavailable."""
    found = root(answers, _INDEX.name).each()
    return texts(one["name"] for one in found if one["state"].value == "READY" and path(str(one["name"].value)))


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    server, index = root(answers, _SERVER), root(answers, _INDEX.name)
    yield named("triton", "Triton", server)
    yield from reported("runtime.engine.version", server["version"])
    names = _names(answers)
    if names:
        yield from reported("model.served_names", index, [*sorted(names)])
    elif index.exists:
        yield unknown("model.served_names", index, "the index lists no model that is ready")
    shown = [(name, top) for name in names if (top := root(answers, _config(name))).is_mapping]
    alone = len(names) == 1
    models = [_model(name, top) for name, top in shown]
    leaders = [one for one in models if one.config.backend in LLM_BACKENDS]
    for model in models:
        yield from _settings(model, alone=alone, leads=len(leaders) == 1 and model is leaders[0])
    if not alone and models:
        yield from _signatures(models, models[0].top)
    yield partly(OTHER, server, "its arguments are not told by any answer")


def _settings(model: _Read, *, alone: bool, leads: bool) -> Iterator[Observation]:
    """``leads``: it is the one language model; what states a fact of that does so beside other models too."""
    if alone and model.config.backend not in LLM_BACKENDS:
        name = model.top["name"] if model.top["name"].exists else model.top
        yield from reported("model.id", name, model.config.name)
    for setting in (*settings(model.config), *backends.parameters(model.config)):
        if setting.name in _DECIDED or (not alone and setting.name == "signature"):
            continue
        plain = alone or (leads and setting.llm)
        fact, key = (setting.fact, setting.key) if plain else (_MODELS, f"{model.config.name}.{setting.name}")
        yield from _stated(setting, fact, key, model)


def _stated(setting: Setting, fact: str, key: str, model: _Read) -> Iterator[Observation]:
    if isinstance(setting.value, Unknown):
        return
    node = model.nodes[setting.item.line] if setting.item is not None else model.top
    yield from reported(fact, node, setting.value, key=key, engine="Triton")


class _Read(msgspec.Struct, frozen=True):
    """A model's configuration, and the node of each of its items by the number that stands for its line."""

    config: Model
    nodes: tuple[Node, ...]
    top: Node


def _model(name: str, top: Node) -> _Read:
    nodes: list[Node] = []
    config = _message(top, "ModelConfig", nodes, 0)
    # What backends complete is in the answer already.
    return _Read(Model(path=f"{name}/config.pbtxt", folder=name, config=config, completes=False), tuple(nodes), top)


def _message(node: Node, kind: str, nodes: list[Node], depth: int, key: str = "") -> Item:
    """A message of the schema from its JSON. Fields at their default are left out: in a file nobody writes them."""
    line = len(nodes)
    nodes.append(node)
    fields: dict[str, tuple[Item, ...]] = {}
    declared: Mapping[str, str] = SCHEMA[kind]
    for name, child in node.items() if depth < _DEEPEST else ():
        if name in declared:
            found = tuple(_items(child, declared[name].partition("@")[0], nodes, depth + 1))
            if found:
                fields[name] = found
    return Item(value=None, line=line, column=0, fields=fields, is_message=True, key=key)


def _items(node: Node, kind: str, nodes: list[Node], depth: int) -> Iterator[Item]:
    if kind.startswith("map:"):
        for key, child in node.items():
            yield from _item(child, kind.split(":")[2], nodes, depth, key, written=True)
    elif kind.endswith("*"):
        for child in node.each():
            yield from _item(child, kind[:-1], nodes, depth, "", written=True)
    else:
        yield from _item(node, kind, nodes, depth, "", written=False)


def _item(node: Node, kind: str, nodes: list[Node], depth: int, key: str, *, written: bool) -> Iterator[Item]:
    if kind in SCHEMA:
        if node.is_mapping:
            yield _message(node, kind, nodes, depth, key)
        return
    value = node.value
    if isinstance(value, (dict, list)) or value is None:
        return
    if kind.startswith(("int", "uint")) and isinstance(value, str):  # JSON of protocol buffers quotes 64 bits
        value = node.integer()
    if not written and (value in (None, "", 0, False) or value == kind.partition("|")[0]):
        return
    nodes.append(node)
    yield Item(value=_scalar(value), line=len(nodes) - 1, column=0, key=key)


def _scalar(value: object) -> Value:
    return value if isinstance(value, (str, int, float, bool)) else None


def _signatures(models: Sequence[_Read], at: Node) -> Iterator[Observation]:
    value: dict[str, Value] = {}
    for model in models:
        found = next(one for one in settings(model.config) if one.name == "signature")
        if isinstance(found.value, dict):
            value[model.config.name] = found.value
    yield from reported("model.signature", at, {name: value[name] for name in sorted(value)})


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
