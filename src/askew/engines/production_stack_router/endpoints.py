"""What the router of vLLM's production stack answers: the models of the engines behind it, and a release of its own.

Source: ``src/vllm_router/routers/main_router.py`` of https://github.com/vllm-project/production-stack
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import named, reported, root, served
from askew.resolve.observation import Observation

_MODELS, _VERSION, _ENGINES = "/v1/models", "/version", "/engines"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_ENGINES), Ask(_MODELS), Ask(_VERSION))


def _speaks(answers: Answers) -> bool:
    return root(answers, _ENGINES)[0]["engine_id"].exists


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    yield named("production-stack-router", "the production stack's router", root(answers, _ENGINES))
    yield from reported("runtime.engine.version", root(answers, _VERSION)["version"])
    yield from served(root(answers, _MODELS))


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
