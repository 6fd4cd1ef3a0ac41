"""What one of KServe's own servers answers.

Source: ``python/kserve/kserve/protocol/rest/v2_endpoints.py`` of https://github.com/kserve/kserve, and a recorded
server.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.protocol_v2 import SERVER, described, model, server
from askew.engines.reported import MOST_MODELS, named, reported, root, texts
from askew.resolve.observation import Observation

_MODELS = "/v2/models"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    if not _speaks(answers):
        return (Ask(SERVER),)
    shown = (Ask(model(name)) for name in _names(answers)[:MOST_MODELS])
    return (Ask(SERVER), Ask(_MODELS, lacking="which models it serves stays unknown"), *shown)


def _speaks(answers: Answers) -> bool:
    return server(answers) == "kserve"


def _names(answers: Answers) -> list[str]:
    return texts(root(answers, _MODELS)["models"].each())


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    yield named("kserve", "KServe's model server", root(answers, SERVER))
    yield from reported("runtime.engine.version", root(answers, SERVER)["version"])
    names = _names(answers)
    if names:
        yield from reported("model.served_names", root(answers, _MODELS)["models"], [*sorted(names)])
    yield from described(answers, names)


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
