"""What a running Text Embeddings Inference answers.

Source: ``Info`` in ``router/src/lib.rs`` of https://github.com/huggingface/text-embeddings-inference. ``model_sha`` is
the commit that was downloaded; which revision was asked for is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.engines.hub import hub_source
from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import by_name, named, partly, reported, root, stated
from askew.engines.tei.flags import FLAGS, OTHER
from askew.resolve.observation import Observation

_INFO = "/info"
_TITLE = "Text Embeddings Inference"
_FIELDS: Mapping[str, str] = {
    "model_id": "--model-id",
    "served_model_name": "--served-model-name",
    "model_dtype": "--dtype",
    "max_concurrent_requests": "--max-concurrent-requests",
    "max_batch_tokens": "--max-batch-tokens",
    "max_batch_requests": "--max-batch-requests",
}


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_INFO),)


def _speaks(answers: Answers) -> bool:
    info = root(answers, _INFO)
    return info["model_type"].exists and info["max_batch_tokens"].exists and info["tokenization_workers"].exists


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    info = root(answers, _INFO)
    yield named("tei", _TITLE, info)
    yield from reported("runtime.engine.version", info["version"])
    yield from stated(info, _FIELDS, by_name(FLAGS), engine=_TITLE)
    model = info["model_id"]
    if isinstance(model.value, str):
        yield from reported("model.source", model, hub_source(model.value))
    yield from reported("runtime.max_model_len", info["max_input_length"])
    yield from reported("model.embedding.pooling", info["model_type"]["embedding"]["pooling"])
    yield partly(OTHER, info, "the answer has options at their default too")


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
