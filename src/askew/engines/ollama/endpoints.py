"""What a running Ollama answers: its release, its models, those that are loaded, and what each was made with.

Source: ``docs/api.md`` and ``api/types.go`` of https://github.com/ollama/ollama. The context of a loaded model is that
of one request (``context_length`` at ``/api/ps``); the parameters at ``/api/show`` are those of its Modelfile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.ollama.flags import OTHER, PARAMETERS
from askew.engines.reported import MOST_MODELS, by_flag, by_name, named, partly, reported, root, texts
from askew.evidence.document import Node
from askew.resolve.observation import Observation

_VERSION, _TAGS, _LOADED = "/api/version", "/api/tags", "/api/ps"
# llama.cpp's server lists its model there too, with an empty digest: tools/server of
# https://github.com/ggml-org/llama.cpp
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


def _asks(answers: Answers) -> tuple[Ask, ...]:
    if not _speaks(answers):
        return (Ask(_TAGS), Ask(_VERSION))
    shows = tuple(_show(name) for name in _names(answers)[:MOST_MODELS])
    return (Ask(_VERSION, lacking="its release stays unknown"), Ask(_TAGS), Ask(_LOADED), *shows)


def _show(name: str) -> Ask:
    body = msgspec.json.encode({"model": name}).decode()
    return Ask("/api/show", body, f"with which parameters {name} was made stays unknown")


def _speaks(answers: Answers) -> bool:
    models = root(answers, _TAGS)["models"]
    if not models.is_sequence:
        return False
    listed = list(models.each())
    if not listed:  # which others answer that have no model, too
        return root(answers, _VERSION)["version"].exists
    return all(_DIGEST.fullmatch(str(one["digest"].value)) and one["name"].exists for one in listed)


def _names(answers: Answers) -> list[str]:
    return texts(one["name"] for one in root(answers, _TAGS)["models"].each())


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    tags, loaded = root(answers, _TAGS), list(root(answers, _LOADED)["models"].each())
    yield named("ollama", "Ollama", tags)
    yield from reported("runtime.engine.version", root(answers, _VERSION)["version"])
    names = _names(answers)
    if names:
        yield from reported("model.served_names", tags["models"], [*names])
    one = str(loaded[0]["name"].value) if len(loaded) == 1 else names[0] if len(names) == 1 else ""
    if not one:
        return  # of several models nobody says which is meant
    held = next((card for card in tags["models"].each() if card["name"].value == one), tags["none"])
    yield from reported("model.id", held["name"])
    yield from reported("runtime.quantization", held["details"]["quantization_level"])
    yield from _parameters(root(answers, _show(one).name))
    if len(loaded) == 1:
        yield from reported("runtime.max_model_len", loaded[0]["context_length"])


def _parameters(shown: Node) -> Iterator[Observation]:
    """``name value`` lines: what the Modelfile sets. The context of a model that is loaded is told by what holds it."""
    node = shown["parameters"]
    table = by_name(PARAMETERS)
    for line in node.value.splitlines()[:200] if isinstance(node.value, str) else ():
        name, _, value = line.strip().partition(" ")
        flag = table.get(name)
        if flag is not None and flag.fact not in (OTHER, "runtime.max_model_len"):
            yield from by_flag(flag, node, value.strip().strip('"'), engine="Ollama")
    if shown.exists:
        yield partly("runtime.sampling_defaults", shown, "the answer has the parameters that the Modelfile sets")


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read, metrics="")
