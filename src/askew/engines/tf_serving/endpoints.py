"""What a running TensorFlow Serving answers of one model.

Source: https://www.tensorflow.org/tfx/serving/api_rest. It lists no models: the one that the URL names
(``http://host:8501/v1/models/NAME``) is asked for, else the one that has the name which nobody set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import named, reported, root
from askew.evidence.document import Node
from askew.facts.types import Value
from askew.resolve.observation import Observation

_DEFAULT = "/v1/models/default"  # --model_name, model_servers/main.cc
_MODEL = re.compile(r"/v1/models/[^/?]+")
_TYPES = {
    "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16", "DT_BFLOAT16": "bfloat16",
}  # fmt: skip
_MOST = 1_000


def _asks(answers: Answers) -> tuple[Ask, ...]:
    found = _model(answers)
    if not found:
        return (Ask(_DEFAULT),)
    return (Ask(found), Ask(f"{found}/metadata", lacking="its inputs and outputs stay unknown"))


def _model(answers: Answers) -> str:
    return next(
        (name for name in answers if _MODEL.fullmatch(name) and root(answers, name)["model_version_status"].exists), ""
    )


def _speaks(answers: Answers) -> bool:
    return bool(_model(answers))


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    name = _model(answers)
    status, metadata = root(answers, name), root(answers, f"{name}/metadata")
    yield named("tf-serving", "TensorFlow Serving", status)
    model = metadata["model_spec"]["name"]
    if model.exists:
        yield from reported("model.id", model)
        yield from reported("model.served_names", model, [model.value])
    available = [one for one in status["model_version_status"].each() if one["state"].value == "AVAILABLE"]
    if len(available) == 1:
        yield from reported("model.revision", available[0]["version"], available[0]["version"].text())
    yield from _signature(metadata)


def _signature(metadata: Node) -> Iterator[Observation]:
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    chosen = signatures["serving_default"]
    if chosen.exists:
        sides: dict[str, Value] = {side: _tensors(chosen[side]) for side in ("inputs", "outputs")}
        yield from reported("model.signature", chosen, sides)


def _tensors(node: Node) -> Value:
    return [_tensor(name, one) for name, one in sorted(list(node.items())[:_MOST], key=lambda pair: pair[0])]


def _tensor(name: str, one: Node) -> Value:
    kind, shape = one["dtype"].text() or "", one["tensor_shape"]
    sizes: Value = [size["size"].integer() for size in list(shape["dim"].each())[:100]]
    found = _TYPES.get(kind, kind.removeprefix("DT_").lower())
    return {"name": name, "type": found, "shape": None if shape["unknown_rank"].value is True else sizes}


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read, metrics="/monitoring/prometheus/metrics")
