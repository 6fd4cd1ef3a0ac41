"""What a running llama.cpp server answers.

Source: ``tools/server/README.md`` of https://github.com/ggml-org/llama.cpp (``GET /props``, ``/v1/models``) and a
recorded server. The context at ``/props`` is that of one slot, which is what a request can have; ``-c`` is that of all
slots together. A request for a model of another name is answered all the same.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from askew.engines.flags import Flag
from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.llama_cpp.flags import flags
from askew.engines.reported import by_flag, named, owned_by, partly, reported, root, texts, unknown
from askew.evidence.document import Node
from askew.resolve.observation import Observation

_MODELS, _PROPS = "/v1/models", "/props"
_ENGINE = "llama.cpp"
# Keys of ``default_generation_settings.params`` → those of the arguments that set them, where they differ.
_PARAMS = {"repeat_penalty": "repetition_penalty"}
_RANDOM = 0xFFFFFFFF  # LLAMA_DEFAULT_SEED
_CACHES = ("/.cache/", "/models--")  # where downloads lie: the path is not what was asked for


def _asks(answers: Answers) -> tuple[Ask, ...]:
    lacking = "context, slots, sampling defaults and the model's file stay unknown" if _speaks(answers) else ""
    return (Ask(_MODELS), Ask(_PROPS, lacking=lacking))


def _speaks(answers: Answers) -> bool:
    props = root(answers, _PROPS)
    return (props["default_generation_settings"].is_mapping and props["total_slots"].exists) or owned_by(
        answers, ("llamacpp",)
    )


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    props, models = root(answers, _PROPS), root(answers, _MODELS)
    yield named("llama.cpp", _ENGINE, props if props.exists else models)
    build = props["build_info"]
    if isinstance(build.value, str):
        number = build.value.partition("-")[0]  # b11549-1a2b3c4
        if number not in ("", "b0"):
            yield from reported("runtime.engine.version", build, number)
    settings = props["default_generation_settings"]
    yield from reported("runtime.max_model_len", settings["n_ctx"])
    yield from reported("runtime.max_num_seqs", props["total_slots"])
    yield from _model(props, models)
    yield from _sampling(settings["params"])


def _model(props: Node, models: Node) -> Iterator[Observation]:
    path = props["model_path"]
    if isinstance(path.value, str) and path.value:
        if any(part in path.value for part in _CACHES):
            reason = "the server tells the file that it loaded, which it downloaded, and not what was asked for"
            yield unknown("model.id", path, reason)
        else:
            yield from reported("model.id", path)
            yield from reported("model.source", path)
    cards = list(models["data"].each())
    names = texts(name for card in cards for name in (card["id"], *card["aliases"].each()))
    if names:
        yield from reported("model.served_names", models["data"], names)
    elif props["model_alias"]:
        yield from reported("model.served_names", props["model_alias"], [props["model_alias"].value])
    meta = cards[0]["meta"] if len(cards) == 1 else models["none"]
    yield from reported("model.context_length", meta["n_ctx_train"])
    yield from reported("model.vocab_size", meta["n_vocab"])


def _sampling(params: Node) -> Iterator[Observation]:
    """What a request gets that names nothing."""
    by_key = _flags()
    for name, node in params.items():
        flag = by_key.get(_PARAMS.get(name, name))
        if flag is not None and isinstance(node.value, (int, float)):
            # Numbers of 32 bits, printed with the digits of 64.
            value = round(node.value, 6) if isinstance(node.value, float) else node.value
            yield from by_flag(flag, node, value, engine=_ENGINE)
    if params.exists:
        yield partly("runtime.sampling_defaults", params, "some of its sampling parameters are no argument's")
    limit = params["n_predict"]
    if limit.exists:
        yield from reported(
            "runtime.default_output_tokens", limit, "unlimited" if limit.integer() == -1 else limit.value
        )
    seed = params["seed"]
    if seed.exists:
        yield from reported("runtime.seed", seed, None if seed.integer() in (_RANDOM, -1) else seed.value)


@functools.cache
def _flags() -> dict[str, Flag]:
    return {flag.key: flag for flag in flags() if flag.fact == "runtime.sampling_defaults" and not flag.until}


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
