"""What a running NIM answers.

Source: https://docs.nvidia.com/nim/large-language-models/reference/api-reference/get-metadata and
https://docs.nvidia.com/nim/large-language-models/latest/api-reference.html (``/v1/metadata``, ``/v1/version``). The
models of ``/v1/models`` are those of the engine inside.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import named, reported, root, served
from askew.resolve.observation import Observation

_MODELS, _META, _VERSION = "/v1/models", "/v1/metadata", "/v1/version"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_META), Ask(_VERSION), Ask(_MODELS)) if _speaks(answers) else (Ask(_META),)


def _speaks(answers: Answers) -> bool:
    meta = root(answers, _META)
    return meta["modelInfo"].is_sequence and meta["version"].exists


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    meta, models = root(answers, _META), root(answers, _MODELS)
    yield named("nim", "NIM", meta)
    release = root(answers, _VERSION)["release"]
    yield from reported("runtime.engine.version", release if release.exists else meta["version"])
    yield from served(models)
    cards = list(models["data"].each())
    if len(cards) == 1:
        yield from reported("runtime.max_model_len", cards[0]["max_model_len"])


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
