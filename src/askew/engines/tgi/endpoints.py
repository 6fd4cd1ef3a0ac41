"""What a running TGI answers.

Source: ``Info`` in ``router/src/lib.rs`` of https://github.com/huggingface/text-generation-inference, at v1.4.5 to
v3.3.7. Releases before 2.3 gave more there: dtype and the budgets of the batch. ``model_sha`` is the commit that was
downloaded; which revision was asked for is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.engines.hub import hub_source
from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import by_flag, by_name, named, partly, reported, root, stated
from askew.engines.tgi.flags import FLAGS, OTHER
from askew.resolve.observation import Observation

_INFO = "/info"
_TITLE = "TGI"
_FIELDS: Mapping[str, str] = {
    "model_id": "--model-id",
    "max_concurrent_requests": "--max-concurrent-requests",
    "max_input_tokens": "--max-input-tokens",
    "max_input_length": "--max-input-length",
    "max_total_tokens": "--max-total-tokens",
    "max_batch_total_tokens": "--max-batch-total-tokens",
    "max_batch_size": "--max-batch-size",
    "waiting_served_ratio": "--waiting-served-ratio",
    "max_waiting_tokens": "--max-waiting-tokens",
}


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_INFO),)


def _speaks(answers: Answers) -> bool:
    info = root(answers, _INFO)
    fork = info["request_logger_url"].exists  # LoRAX, which has kept the rest: github.com/predibase/lorax
    return info["model_id"].exists and info["max_total_tokens"].exists and not fork


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    info = root(answers, _INFO)
    yield named("tgi", _TITLE, info)
    yield from reported("runtime.engine.version", info["version"])
    flags = by_name(FLAGS)
    yield from stated(info, _FIELDS, flags, engine=_TITLE)
    model, dtype = info["model_id"], info["model_dtype"]
    if isinstance(model.value, str):
        yield from reported("model.source", model, hub_source(model.value))
    if isinstance(dtype.value, str):
        yield from by_flag(flags["--dtype"], dtype, dtype.value.removeprefix("torch."), engine=_TITLE)
    yield partly(OTHER, info, "the answer has options at their default too")


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
