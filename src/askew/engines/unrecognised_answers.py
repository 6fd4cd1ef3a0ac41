"""Answers of a server that no engine folder knows: what OpenAI's list of models says, whoever gives it.

Source: https://platform.openai.com/docs/api-reference/models/list; ``max_model_len`` is what several engines add.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers
from askew.engines.reported import reported, root, served, unknown
from askew.evidence.document import Context, Node
from askew.resolve.observation import Observation

_MODELS = "/v1/models"
_WHY = "its answers are of no engine that this build knows"


def read(answers: Answers) -> tuple[Observation, ...]:
    """The names of the models, and that the engine is not known."""
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    first = next(iter(answers.values()), None)
    if first is None:
        return
    models = root(answers, _MODELS)
    yield unknown("runtime.engine.name", models if models.exists else Node(Context(first.source), None), _WHY)
    yield from served(models)
    cards = list(models["data"].each())
    if len(cards) == 1:
        yield from reported("runtime.max_model_len", cards[0]["max_model_len"])
