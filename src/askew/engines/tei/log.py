"""What TEI logs when it starts: its arguments, the length of a request, the backend.

Read in ``router/src/{main,lib,http/server}.rs`` at the tags v0.6.0, v1.0.0, v1.5.0 and
v1.9.3 of https://github.com/huggingface/text-embeddings-inference. It masks parts of its arguments with
asterisks: those say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.engines.live import Log
from askew.engines.logged import (
    EFFECTIVE,
    Line,
    Says,
    State,
    arguments,
    last_start,
    lines,
    named,
    reported,
    stated,
    whole,
)
from askew.engines.reprs import fields
from askew.engines.tei.engine import table_of
from askew.engines.tei.flags import OTHER
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("text_embeddings_router: router/src/main.rs", "Args { model_id: ")
_MARK = "Args { model_id: "
_SPOKEN = ("text_embeddings_router", "text_embeddings_backend", "text_embeddings_core")
_NO_ARGUMENT = frozenset({"hostname", "api_key", "hf_token", "hf_api_token"})
_ENUMERATIONS = frozenset({"dtype", "pooling"})
_OFF = frozenset({"model.trust_remote_code"})

_TABLE = (
    Says(
        mark="Maximum number of tokens per request: ",
        pattern=r"Maximum number of tokens per request: (\d+)\s*$",
        states=(State(fact="runtime.max_model_len", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="forcing `max_batch_requests=",
        pattern=r"forcing `max_batch_requests=(\d+)`",
        states=(State(fact="runtime.max_num_seqs", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="Starting HTTP server: ",
        pattern=r"Starting HTTP server: (?:[\w.-]+|\[[\da-f:]*\]):(\d+)\s*$",
        states=(State(fact="serving.port", read=whole),),
        strength=EFFECTIVE,
    ),
)


def _speaks(told: Told) -> bool:
    return any(mark in told.text for mark in _SPOKEN)


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    found = list(stated(told, _TABLE, since))
    for line in lines(told, _MARK, since):
        found.extend(_arguments(line))
    return named("tei", found)


def _arguments(line: Line) -> Iterator[Observation]:
    settings = fields(line.text, line.text.index(_MARK))
    kept = [
        msgspec.structs.replace(one, value=one.value.lower())
        if one.name in _ENUMERATIONS and isinstance(one.value, str)
        else one
        for one in settings
        if one.name not in _NO_ARGUMENT and not (isinstance(one.value, str) and "*" in one.value)
    ]
    yield from (one for one in arguments(line, kept, table_of(None), off=_OFF) if one.fact != OTHER)
    key = next((one for one in settings if one.name == "api_key" and one.value), None)
    if key is not None:
        yield from reported("serving.api_key_required", True, (line.at(key.start),))


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
