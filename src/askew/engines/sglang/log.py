"""What SGLang logs when it starts, in releases 0.3.0 to 0.5.23.

Read from the calls of its loggers in the published releases, https://pypi.org/project/sglang/#history: among others
``sglang/srt/managers/scheduler.py`` @ 0.3.0 to 0.5.23, ``sglang/srt/model_executor/model_runner.py`` @ 0.4.4 to 0.5.9,
``sglang/srt/mem_cache/memory_pool.py`` @ 0.4.1.post6 to 0.5.16, ``sglang/srt/entrypoints/engine.py`` @ 0.5.23.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.engines.live import Log
from askew.engines.logged import (
    DEVICE_NAME,
    EFFECTIVE,
    STATED,
    Line,
    Says,
    State,
    arguments,
    decimal,
    gpu_models,
    last_start,
    lines,
    named,
    reported,
    startup,
    stated,
    strong,
    whole,
)
from askew.engines.reprs import fields
from askew.engines.sglang.engine import deferred, table_of
from askew.engines.sglang.flags import OTHER
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Observation

_STARTS = ("server_args=ServerArgs(", "server_args={'")
_SIZES = "max_total_num_tokens="
# What start-up prints is what the arguments, the model and the device came to; these it prints as they were asked for,
# and the seed as it was drawn. See what a real server printed: tests/engines/sglang/test_dumps.py.
_NOT_EFFECTIVE = frozenset(
    {"random_seed", "api_key", "admin_api_key", "json_model_override_args", "preferred_sampling_params"}
)
_OFF = frozenset(
    {"model.trust_remote_code", "runtime.prefix_caching", "runtime.enforce_eager", "runtime.async_scheduling",
     "runtime.warmup"}
)  # fmt: skip


def _gigabytes(text: str) -> Value:
    """The sum of the sizes in a text. ``GB`` is 2**30 there: sglang/srt/mem_cache/memory_pool.py @ 0.5.16."""
    total = int(sum(decimal(size) for size in re.findall(r"([\d.]{1,20}) GB", text)) * 2**30)
    if not total:
        raise ValueError("too small to be told in GB")
    return total


_TABLE = (
    Says(
        mark=_SIZES,
        pattern=r"\bmax_total_num_tokens=(\d+), (?:chunked_prefill_size=-?\d+, )?max_prefill_tokens=\d+, "
        r"max_running_requests=(\d+), context_len=(\d+)(?:,|\s*$)",
        states=(
            State(fact="runtime.kv_cache.tokens", read=whole),
            State(fact="runtime.max_num_seqs", group=2, read=whole),
            State(fact="runtime.max_model_len", group=3, read=whole),
        ),
        strength=EFFECTIVE,
    ),
    Says(
        mark=_SIZES,
        pattern=r"\bmax_total_num_tokens=\d+, chunked_prefill_size=([1-9]\d*), ",
        states=(
            State(fact="runtime.max_num_batched_tokens", read=whole),
            State(fact="runtime.chunked_prefill", value=True),
        ),
        strength=EFFECTIVE,
    ),
    Says(
        mark="KV Cache is allocated. ",
        pattern=r"KV Cache is allocated\. (?:dtype: (?P<dtype>[\w.]+), )?(?:#tokens: (?P<tokens>\d+), )?"
        r"(?P<bytes>K size: [\d.]+ GB, V size: [\d.]+ GB|KV size: [\d.]+ GB)",
        states=(
            State(fact="runtime.kv_cache.dtype", group="dtype"),
            State(fact="runtime.kv_cache.bytes", group="bytes", read=_gigabytes),
        ),
        because=("logged in GiB with two decimals",),
    ),
    Says(
        mark="Using KV cache dtype: ",
        pattern=r"Using KV cache dtype: ([\w.]+)\s*$",
        states=(State(fact="runtime.kv_cache.dtype"),),
    ),
    Says(
        mark="Load weight end.",
        pattern=r"Load weight end\..{0,200} type=(\w+),(?: dtype=([\w.]+),)?",
        states=(State(fact="model.architecture"), State(fact="runtime.dtype", group=2)),
    ),
    Says(
        mark="Use ",
        pattern=r"Use (\w+) (?:backend by default\.|backend\.\s*$|as (?:the )?(?:default )?attention backend\b"
        r"|attention backend for )",
        states=(State(fact="runtime.attention_backend"),),
    ),
)


def _speaks(told: Told) -> bool:
    text = told.text
    return any(mark in text for mark in _STARTS) or (_SIZES in text and ", context_len=" in text)


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    found = list(stated(told, _TABLE, since))
    for line in lines(told, "server_args=", since):
        found.extend(_arguments(line))
    for line in lines(told, " sampling params from model generation config: ", since):
        at = line.text.find("{", line.text.index("generation config: "))
        for one in fields(line.text, at) if at >= 0 else ():
            place, order = (line.at(one.start),), strong(EFFECTIVE, line)
            found.extend(reported("runtime.sampling_defaults", one.value, place, key=one.name, order=order))
    found.extend(gpu_models(told, since, "device_name=", DEVICE_NAME))
    found.extend(startup(told, since, ("The server is fired up and ready to roll!",)))
    return named("sglang", found)


def _arguments(line: Line) -> Iterator[Observation]:
    settings = fields(line.text, line.text.index("server_args=") + len("server_args="))
    speculative = any(one.name == "speculative_algorithm" and one.value for one in settings)
    kept = [
        one
        for one in settings
        if one.name not in _NOT_EFFECTIVE and (speculative or not one.name.startswith("speculative_"))
    ]
    said = arguments(line, kept, table_of(None), strength=STATED, deferred=deferred(), because=(), off=_OFF)
    yield from (one for one in said if one.fact != OTHER)  # hundreds, most of them as the release has them
    key = next((one for one in settings if one.name == "api_key" and one.value), None)
    if key is not None:
        yield from reported("serving.api_key_required", True, (line.at(key.start),))


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
