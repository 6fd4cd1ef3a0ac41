"""What TGI logs when it starts, in releases 0.9 to 3.3.7.

Read in ``launcher/src/main.rs``, ``router/src/main.rs``, ``backends/v3/src/{lib,main}.rs`` and
``server/text_generation_server/models/{globals,flash_causal_lm}.py`` at the tags v1.0.0, v1.4.0, v2.0.4, v2.3.0 and
v3.3.7 of https://github.com/huggingface/text-generation-inference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from askew.engines.live import Log
from askew.engines.logged import (
    EFFECTIVE,
    STATED,
    Line,
    Says,
    State,
    arguments,
    blocks,
    last_start,
    lines,
    named,
    reported,
    startup,
    stated,
    strong,
    whole,
)
from askew.engines.reprs import Field, fields
from askew.engines.tgi.engine import table_of
from askew.engines.tgi.flags import OTHER
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Observation

_STARTS = ("text_generation_launcher: Args {", "Args { model_id: ")
_MARK = "Args {"
_SPOKEN = ("text_generation_launcher", "text_generation_router")
# Variants of enumerations, as Rust prints them, in the spelling of the arguments.
_ENUMERATIONS = frozenset({"quantize", "dtype", "kv_cache_dtype", "rope_scaling"})
_SPELLED = {"fp8e4m3fn": "fp8_e4m3fn", "fp8e5m2": "fp8_e5m2", "b-float16": "bfloat16", "bfloat16": "bfloat16"}
_NO_ARGUMENT = frozenset({"hostname", "api_key"})  # the name of the pod; a secret
_OFF = frozenset({"model.trust_remote_code"})


def _truth(text: str) -> Value:
    return {"1": True, "true": True, "True": True, "0": False, "false": False, "False": False}[text]


def _attention(text: str) -> Value:
    return text.strip("'\"").lower()


_TABLE = (
    Says(
        mark="Using attention ",
        pattern=r"Using attention (\w+) - Prefix caching (1|0|true|false)\s*$",
        states=(
            State(fact="runtime.attention_backend", read=_attention),
            State(fact="runtime.prefix_caching", group=2, read=_truth),
        ),
    ),
    Says(
        mark="Using Attention = ",
        pattern=r"Using Attention = (\w+)\s*$",
        states=(State(fact="runtime.attention_backend", read=_attention),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="Using prefix caching = ",
        pattern=r"Using prefix caching = (True|False)\s*$",
        states=(State(fact="runtime.prefix_caching", read=_truth),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="Using prefill chunking = ",
        pattern=r"Using prefill chunking = (True|False)\s*$",
        states=(State(fact="runtime.chunked_prefill", read=_truth),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="Setting max batch total tokens to ",
        pattern=r"Setting max batch total tokens to (\d+)\s*$",
        states=(State(fact="runtime.max_batch_total_tokens", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="Maximum input tokens defaulted to ",
        pattern=r"Maximum input tokens defaulted to (\d+)\s*$",
        states=(State(fact="runtime.max_input_tokens", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="Maximum total tokens defaulted to ",
        pattern=r"Maximum total tokens defaulted to (\d+)\s*$",
        states=(State(fact="runtime.max_model_len", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="Default `max_input_tokens` to ",
        pattern=r"Default `max_input_tokens` to (\d+)\s*$",
        states=(State(fact="runtime.max_input_tokens", read=whole),),
    ),
    Says(
        mark="Default `max_total_tokens` to ",
        pattern=r"Default `max_total_tokens` to (\d+)\s*$",
        states=(State(fact="runtime.max_model_len", read=whole),),
    ),
    Says(
        mark="Default `max_batch_prefill_tokens` to ",
        pattern=r"Default `max_batch_prefill_tokens` to (\d+)\s*$",
        states=(State(fact="runtime.max_num_batched_tokens", read=whole),),
    ),
    Says(
        mark="Sharding model on ",
        pattern=r"Sharding model on (\d+) processes\s*$",
        states=(State(fact="runtime.tensor_parallel_size", read=whole),),
    ),
)
_BLOCKS = re.compile(r"KV-cache blocks: (\d{1,15}), size: (\d{1,6})\s*$")


def _speaks(told: Told) -> bool:
    return any(mark in told.text for mark in _SPOKEN)


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    found = list(stated(told, _TABLE, since))
    for block in blocks(told, _MARK, "}", since):
        found.extend(_arguments(block))
    found.extend(_tokens(told, since))
    found.extend(startup(told, since, (": Connected\n",)))
    return named("tgi", found)


def _arguments(block: Line) -> Iterator[Observation]:
    at = block.text.index(_MARK)
    settings = fields(block.text, at)
    kept = [_spelled(one) for one in settings if one.name not in _NO_ARGUMENT]
    for one in arguments(block, kept, table_of(None), off=_OFF):
        if one.fact != OTHER:  # printed whether somebody set them or not
            yield one
    key = next((one for one in settings if one.name == "api_key" and one.value), None)
    if key is not None:
        yield from reported("serving.api_key_required", True, (block.at(key.start),))


def _spelled(one: Field) -> Field:
    if one.name not in _ENUMERATIONS or not isinstance(one.value, str):
        return one
    word = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", one.value).lower()
    return msgspec.structs.replace(one, value=_SPELLED.get(word, word))


def _tokens(told: Told, since: int) -> Iterator[Observation]:
    """The cache in tokens: blocks times their size."""
    for line in lines(told, "KV-cache blocks: ", since):
        match = _BLOCKS.search(line.text)
        if match is not None:
            tokens, place = int(match[1]) * int(match[2]), (line.at(match.start(1)),)
            because = ("blocks times their size",)
            yield from reported("runtime.kv_cache.tokens", tokens, place, order=strong(STATED, line), because=because)


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
