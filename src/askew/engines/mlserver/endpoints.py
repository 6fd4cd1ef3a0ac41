"""What a running MLServer answers: its release, and its models as the Open Inference Protocol has them.

Source: https://docs.seldon.ai/mlserver/reference/openapi and a recorded server. The inputs and outputs of a model are
those of its ``model-settings.json``: many have none.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.protocol_v2 import INDEX, SERVER, described, models, ready, server
from askew.engines.reported import named, reported, root
from askew.resolve.observation import Observation


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(SERVER), INDEX, *models(ready(answers))) if _speaks(answers) else (Ask(SERVER),)


def _speaks(answers: Answers) -> bool:
    return server(answers) == "mlserver"


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    yield named("mlserver", "MLServer", root(answers, SERVER))
    yield from reported("runtime.engine.version", root(answers, SERVER)["version"])
    names = ready(answers)
    if names:
        yield from reported("model.served_names", root(answers, INDEX.name), [*sorted(names)])
    yield from described(answers, names)


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
