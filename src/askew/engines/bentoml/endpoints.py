"""What a running BentoML service answers.

Source: ``src/_bentoml_impl/server/app.py`` of https://github.com/bentoml/BentoML (``/schema.json``, of services since
1.2), and a recorded server. Neither its release nor its configuration is told.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import named, root, unknown
from askew.resolve.observation import Observation

_SCHEMA = "/schema.json"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_SCHEMA),)


def _speaks(answers: Answers) -> bool:
    schema = root(answers, _SCHEMA)
    return schema["type"].value == "service" and schema["routes"].is_sequence and schema["name"].exists


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    schema = root(answers, _SCHEMA)
    yield named("bentoml", "BentoML", schema)
    yield unknown("runtime.engine.version", schema, "no answer of BentoML tells its release", "pip show bentoml")


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
