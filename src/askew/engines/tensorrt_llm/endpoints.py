"""What a running ``trtllm-serve`` answers.

Source: ``tensorrt_llm/serve/openai_server.py`` and ``openai_protocol.py`` of https://github.com/NVIDIA/TensorRT-LLM.
``/metrics`` there is no exposition of Prometheus but a queue of statistics, which asking would empty; the exposition is
at ``/prometheus/metrics``.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import named, owned_by, reported, root, served
from askew.resolve.observation import Observation

_MODELS, _VERSION = "/v1/models", "/version"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_MODELS), Ask(_VERSION, lacking="its release stays unknown" if _speaks(answers) else ""))


def _speaks(answers: Answers) -> bool:
    return owned_by(answers, ("tensorrt_llm",))


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    models = root(answers, _MODELS)
    yield named("tensorrt-llm", "TensorRT-LLM", models)
    yield from reported("runtime.engine.version", root(answers, _VERSION)["version"])
    yield from served(models)


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read, metrics="/prometheus/metrics")
