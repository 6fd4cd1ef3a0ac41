"""What the management API of a running TorchServe answers (port 8081, unless it is set otherwise).

Source: https://pytorch.org/serve/management_api.html and a recorded server. The release is told only by an OPTIONS
request, and the interface for predictions tells nothing of the models.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import MOST_MODELS, by_flag, by_name, named, path, reported, root, texts
from askew.engines.settings import OTHER
from askew.engines.torchserve.flags import MODEL_CONFIG
from askew.evidence.document import Node
from askew.resolve.observation import Observation

_MODELS = "/models"


def _asks(answers: Answers) -> tuple[Ask, ...]:
    if not _speaks(answers):
        return (Ask(_MODELS),)
    lacking = "workers, batches and timeouts of {} stay unknown"
    return (Ask(_MODELS), *(Ask(_model(name), lacking=lacking.format(name)) for name in _names(answers)[:MOST_MODELS]))


def _model(name: str) -> str:
    return path("models", name)


def _speaks(answers: Answers) -> bool:
    models = list(root(answers, _MODELS)["models"].each())
    return bool(models) and all(one["modelName"].exists and one["modelUrl"].exists for one in models)


def _names(answers: Answers) -> list[str]:
    names = texts(one["modelName"] for one in root(answers, _MODELS)["models"].each())
    return [name for name in names if _model(name)]


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    models = root(answers, _MODELS)
    yield named("torchserve", "TorchServe", models)
    names = _names(answers)
    yield from reported("model.served_names", models["models"], [*sorted(names)])
    if len(names) == 1:
        releases = list(root(answers, _model(names[0])).each())
        if len(releases) == 1:
            yield from reported("model.revision", releases[0]["modelVersion"])
            yield from _settings(releases[0])


def _settings(model: Node) -> Iterator[Observation]:
    """What the model runs with, by the same names as in its ``model-config.yaml``."""
    table = by_name(MODEL_CONFIG)
    for name, node in model.items():
        flag = table.get(name)
        if flag is None or flag.fact in (OTHER, "") or isinstance(node.value, bool):
            continue
        for one in by_flag(flag, node, engine="TorchServe"):
            yield msgspec.structs.replace(one, hop="engine") if one.fact == "serving.request_timeout" else one


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
