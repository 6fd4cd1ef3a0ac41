"""What a running LitServe answers.

Source: ``src/litserve/server.py`` of https://github.com/Lightning-AI/LitServe (``/info``, since 0.2.6). Its release is
not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from askew.engines.litserve.flags import SETTINGS
from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import by_name, named, reported, root, stated, unknown
from askew.resolve.observation import Observation

_INFO = "/info"
_FIELDS: Mapping[str, str] = {"timeout": "LitServer.timeout", "max_payload_size": "LitServer.max_payload_size"}


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_INFO),)


def _speaks(answers: Answers) -> bool:
    server = root(answers, _INFO)["server"]
    return server["workers_per_device"].exists and server["devices"].exists


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    info = root(answers, _INFO)
    yield named("litserve", "LitServe", info)
    yield unknown("runtime.engine.version", info, "no answer of LitServe tells its release", "pip show litserve")
    for one in stated(info["server"], _FIELDS, by_name(SETTINGS), engine="LitServe"):
        yield msgspec.structs.replace(one, hop="engine")
    streams = [node for _, node in info["server"]["stream"].items()]
    if len(streams) == 1:
        yield from reported("serving.streaming", streams[0])


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
