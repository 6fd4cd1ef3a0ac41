"""What a running Infinity answers.

Source: ``_models`` in ``infinity_emb/infinity_server.py`` and ``ModelInfo`` in ``fastapi_schemas/pymodels.py`` of
https://github.com/michaelfeil/infinity
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.infinity.flags import MODEL
from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import by_flag, by_name, named, root, served
from askew.resolve.observation import Observation

_MODELS, _VERSIONED = "/models", "/v1/models"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_MODELS), Ask(_VERSIONED))


def _speaks(answers: Answers) -> bool:
    return any(
        card["owned_by"].value == "infinity" or (card["stats"]["queue_fraction"].exists and card["backend"].exists)
        for name in (_MODELS, _VERSIONED)
        for card in root(answers, name)["data"].each()
    )


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    models = root(answers, _MODELS)
    if not models["data"].exists:
        models = root(answers, _VERSIONED)
    yield named("infinity", "Infinity", models)
    yield from served(models)
    cards = list(models["data"].each())
    if len(cards) == 1:
        yield from by_flag(by_name(MODEL)["--batch-size"], cards[0]["stats"]["batch_size"], engine="Infinity")


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
