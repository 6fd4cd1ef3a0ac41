"""What a running LMDeploy answers.

Source: ``lmdeploy/serve/openai`` of https://github.com/InternLM/lmdeploy: ``ModelCard`` and ``endpoints/distserve.py``,
whose answer is JSON inside a JSON text. Among its GETs is one that ends the server; it is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.lmdeploy.flags import FLAGS
from askew.engines.reported import by_flag, by_name, named, owned_by, root, served
from askew.evidence.document import Node
from askew.resolve.observation import Observation

_MODELS, _ENGINE = "/v1/models", "/distserve/engine_info"
_FIELDS: Mapping[str, str] = {"tp_size": "--tp", "dp_size": "--dp", "block_size": "--cache-block-seq-len"}
_LACKING = "parallel sizes and the rest of its settings stay unknown; its start-up log has them"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_MODELS), Ask(_ENGINE, lacking=_LACKING)) if _speaks(answers) else (Ask(_MODELS),)


def _speaks(answers: Answers) -> bool:
    return owned_by(answers, ("lmdeploy",))


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    models, engine = root(answers, _MODELS), root(answers, _ENGINE)
    yield named("lmdeploy", "LMDeploy", models)
    yield from served(models)
    for field, value in _inside(engine).items():
        if field in _FIELDS and isinstance(value, int):
            yield from by_flag(by_name(FLAGS)[_FIELDS[field]], engine, value, engine="LMDeploy")


def _inside(engine: Node) -> Mapping[str, object]:
    if not isinstance(engine.value, str):
        return engine.value if isinstance(engine.value, dict) else {}
    try:
        return msgspec.json.decode(engine.value, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return {}


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
