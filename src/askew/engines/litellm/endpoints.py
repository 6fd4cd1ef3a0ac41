"""What a running LiteLLM proxy answers.

Source: https://docs.litellm.ai/docs/proxy/health and https://docs.litellm.ai/docs/proxy/model_management
(``/v1/model/info``, which wants a key where the proxy has one). Its ``/v1/models`` looks like OpenAI's.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import named, reported, root, served, texts
from askew.resolve.observation import Observation

_ALIVE, _READY, _INFO, _MODELS = "/health/liveliness", "/health/readiness", "/v1/model/info", "/v1/models"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    if not _speaks(answers):
        return (Ask(_ALIVE), Ask(_MODELS))
    lacking = "its models and where it passes requests to stay unknown: give a key of the proxy as ASKEW_API_KEY"
    return (Ask(_READY), Ask(_INFO, lacking=lacking), Ask(_MODELS))


def _speaks(answers: Answers) -> bool:
    alive = answers.get(_ALIVE)
    said = root(answers, _ALIVE).value if alive is not None else None
    return said == "I'm alive!" or root(answers, _READY)["litellm_version"].exists


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    info, ready = root(answers, _INFO), root(answers, _READY)
    yield named("litellm", "LiteLLM", root(answers, _ALIVE))
    yield from reported("runtime.engine.version", ready["litellm_version"])
    names = texts(one["model_name"] for one in info["data"].each())
    if names:
        yield from reported("model.served_names", info["data"], names)
    else:
        yield from served(root(answers, _MODELS))


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
