"""What a running SGLang answers.

Source: ``sglang/srt/entrypoints/http_server.py`` of the releases, https://pypi.org/project/sglang/#history.
``/server_info`` (``/get_server_info`` in releases before 0.5) is ``ServerArgs`` after start-up, with the release, and
lately the command that started it. Fields that stay as they were asked for are not what is in effect, and say so.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator, Mapping

import msgspec

from askew.engines import versions
from askew.engines.flags import Flag
from askew.engines.hub import hub_source
from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import by_flag, named, owned_by, partly, reported, root, texts, unknown
from askew.engines.sglang.flags import OTHER, flags
from askew.evidence.document import Node
from askew.evidence.launch import Launch, Token
from askew.resolve.observation import Observation

_MODELS, _INFO, _OLD = "/v1/models", "/server_info", "/get_server_info"
_ENGINE = "SGLang"
_LACKING = "its arguments and what start-up made of them stay unknown; its start-up log has them"
# Fields that are printed as asked for: the model, the checkpoint or chance decides later.
_AS_ASKED = {
    "dtype": "as asked for; the checkpoint decides",
    "kv_cache_dtype": "as asked for; the checkpoint decides",
    "quantization": "as asked for; where it is nothing the checkpoint decides",
    "random_seed": "drawn when the server starts, where nobody asks for one",
    "preferred_sampling_params": "the argument, and not what requests get",
}
_SAID_BY_NOTHING = frozenset(("auto", "null", "None", ""))
# Null in these means that there is none, or no.
_NONE_MEANS = {"reasoning_parser": None, "tool_call_parser": None, "api_key": False, "ssl_certfile": False}
# Maps whose keys mean nothing while the feature is off, or whose defaults nobody writes.
_WHERE_CHANGED = frozenset(("runtime.speculative", "runtime.rope_override"))


def _asks(answers: Answers) -> tuple[Ask, ...]:
    if not _speaks(answers):
        return (Ask(_MODELS), Ask(_INFO))
    return (Ask(_MODELS), Ask(_INFO), Ask(_OLD, lacking=_LACKING, instead_of=_INFO))


def _speaks(answers: Answers) -> bool:
    info = _info(answers)
    return owned_by(answers, ("sglang",)) or (info["model_path"].exists and info["mem_fraction_static"].exists)


def _info(answers: Answers) -> Node:
    found = root(answers, _INFO)
    return found if found.exists else root(answers, _OLD)


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    models, info = root(answers, _MODELS), _info(answers)
    yield named("sglang", _ENGINE, models if models.exists else info)
    yield from reported("runtime.engine.version", info["version"])
    names = texts(card["id"] for card in models["data"].each() if card["parent"].value is None)
    if names:
        yield from reported("model.served_names", models["data"], names)
        yield from reported("runtime.max_model_len", models["data"][0]["max_model_len"])
    if not info.is_mapping:
        return
    yield from _arguments(info)
    # What the cache holds; --max-total-tokens is what it may hold at most.
    yield from reported("runtime.kv_cache.tokens", info["max_total_num_tokens"])
    yield from _given(info)


def _arguments(info: Node) -> Iterator[Observation]:
    defaults = _defaults(str(info["version"].value))
    for field, node in info.items():
        flag = _flags().get("--" + field.replace("_", "-"))
        if flag is None or flag.fact == OTHER:
            continue
        if node.value is None:
            if field in _NONE_MEANS:
                yield from reported(flag.fact, node, _NONE_MEANS[field])
            elif field in _AS_ASKED:
                yield unknown(flag.fact, node, f"{_ENGINE} says nothing here: {_AS_ASKED[field]}")
            continue
        if field == "max_total_tokens" and info["max_total_num_tokens"].exists:
            continue
        asked = field in _AS_ASKED and (field == "random_seed" or str(node.value) in _SAID_BY_NOTHING)
        if asked:
            yield unknown(flag.fact, node, f"{_ENGINE} says {str(node.value)[:40]} here: {_AS_ASKED[field]}")
        elif flag.fact in _WHERE_CHANGED and (not _drafts(info) or _same(node.value, defaults.get(flag.names[0]))):
            continue
        else:
            for one in by_flag(flag, node, engine=_ENGINE):
                if one.fact != OTHER:
                    yield one
    yield from _features(info)


def _features(info: Node) -> Iterator[Observation]:
    path = info["model_path"]
    if isinstance(path.value, str):
        yield from reported("model.source", path, hub_source(path.value))
    method = info["speculative_algorithm"]
    if method.exists and method.value is None:
        yield from reported("runtime.speculative", method, {})
    elif _drafts(info):
        yield partly("runtime.speculative", method, "settings at their default are not listed")
    lora, paths = info["enable_lora"], info["lora_paths"]
    if lora.exists and lora.value is None and not paths:
        yield from reported("runtime.lora.enabled", lora, False)


def _drafts(info: Node) -> bool:
    return bool(info["speculative_algorithm"].value)


def _given(info: Node) -> Iterator[Observation]:
    """Options without a fact of their own: those that the command gave, where the answer has the command."""
    command = info["launch_command"]
    words: list[str] | None = None
    if isinstance(command.value, str):
        try:
            words = shlex.split(command.value)
        except ValueError:
            words = None
    if words is None:
        yield partly(OTHER, info, "the answer does not tell which arguments were given")
        return
    from askew.engines.sglang.engine import ENGINE

    at = command.location
    argv = ("python3", "-m", "sglang.launch_server", *words)
    reading = ENGINE.read(Launch(argv=tuple(Token(word, at) for word in argv), location=at))
    yield from reported(OTHER, command, {})
    for one in reading.observations:
        if one.fact == OTHER and one.origin == "explicit":
            yield msgspec.structs.replace(one, origin="reported", basis="seen")


def _same(value: object, default: object) -> bool:
    return value == default or (not value and not default)


@functools.lru_cache(maxsize=4)
def _defaults(version: str) -> Mapping[str, object]:
    near = versions.nearest("sglang", version)
    return {name: one.value for name, one in near[0].arguments.items()} if near is not None else {}


@functools.cache
def _flags() -> Mapping[str, Flag]:
    return {name: flag for flag in flags() if not flag.until and not flag.irrelevant for name in flag.names}


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
