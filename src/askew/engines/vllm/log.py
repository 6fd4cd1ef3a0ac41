"""What vLLM logs when it starts, in releases 0.4.0 to 0.33.0.

Read from the calls of its loggers in the published releases, https://pypi.org/project/vllm/#history: among others
``vllm/entrypoints/openai/api_server.py`` and ``vllm/engine/llm_engine.py`` @ 0.4.0 to 0.8.5,
``vllm/config.py`` @ 0.9.2 (``VllmConfig.__str__``), ``vllm/v1/core/kv_cache_utils.py`` @ 0.8.5, 0.13.0, 0.28.0, 0.32.0,
``vllm/platforms/cuda.py`` @ 0.8.5, 0.12.0, 0.32.0, ``vllm/entrypoints/common/startup.py`` @ 0.33.0.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.engines import versions
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
    gibibytes,
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
from askew.engines.reprs import Field, fields
from askew.engines.vllm.engine import NAME, table_of, without_own_defaults
from askew.engines.vllm.flags import DEFERRED
from askew.engines.vllm.readers import OTHER
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import PRECEDENCE, Observation

_STARTS = ("vLLM API server version ", "vLLM server version ", "█  version ", "non-default args: {")
_ALL = "args: Namespace("  # until 0.8.5 all arguments are printed, not those that differ from the defaults
_ENGINE = "LLM engine (v"  # also where a program of the user's own starts it
_SPOKEN = (*_STARTS, _ENGINE, "[kv_cache_utils.py:", "[gpu_executor.py:", "vLLM sampling parameters")

# How the lines of the backends name them → how the setting that selects one does: vllm/platforms/interface.py @ 0.8.5,
# vllm/v1/attention/backends/registry.py @ 0.32.0.
_BACKENDS = {
    "flash attention": "flash_attn", "flashattention": "flash_attn", "flashattention-2": "flash_attn",
    "flashinfer": "flashinfer", "xformers": "xformers", "torch sdpa": "torch_sdpa", "rocmflashattention": "rocm_flash",
    "triton attention": "triton_attn", "triton": "triton_attn", "triton mla": "triton_mla", "flashmla": "flashmla",
    "flash mla": "flashmla", "cutlass mla": "cutlass_mla", "flashinfer mla": "flashinfer_mla",
    "flashattention mla": "flash_attn_mla", "aiter mla": "rocm_aiter_mla", "flexattention": "flex_attention",
    "flexattenion": "flex_attention", "tree attention": "tree_attn", "pallas": "pallas",
    "pallas v1": "pallas", "hpuattention": "hpu_attn", "aiter flash attention": "rocm_aiter_fa",
}  # fmt: skip
_NAMED = "|".join(sorted((name.replace(" ", r" ").replace("-", r"\-") for name in _BACKENDS), key=len, reverse=True))


def _backend(text: str) -> Value:
    return _BACKENDS.get(text.lower(), text.lower().removesuffix("_vllm_v1"))


def _taken(text: str) -> Value:
    if text.lower() in ("none", "auto"):
        raise ValueError("none is named")
    return text.lower()


_VERSION = State(fact="runtime.engine.version")
_TABLE = (
    Says(mark="vLLM API server version ", pattern=r"version (\S+)\s*$", states=(_VERSION,)),
    Says(mark="vLLM server version ", pattern=r"server version ([^\s,]+), serving model ", states=(_VERSION,)),
    Says(mark="█  version ", pattern=r"█  version (\S+)\s*$", states=(_VERSION,)),
    Says(mark=_ENGINE, pattern=r"LLM engine \(v([^)\s]+)\) with config: ", states=(_VERSION,)),
    Says(
        mark="Using max model len ",
        pattern=r"Using max model len (\d+)\s*$",
        states=(State(fact="runtime.max_model_len", read=whole),),
    ),
    Says(
        mark="Maximum concurrency for ",
        pattern=r"Maximum concurrency for ([\d,]+) tokens per request: [\d.]+x",
        states=(State(fact="runtime.max_model_len", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark=" KV cache size: ",
        pattern=r"(?:GPU|CPU|HPU|XPU|TPU)(?: \+ host)? KV cache size: ([\d,]+) tokens",
        states=(State(fact="runtime.kv_cache.tokens", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="Available KV cache memory: ",
        pattern=r"Available KV cache memory: ([\d.]+) GiB",
        states=(State(fact="runtime.kv_cache.bytes", read=gibibytes),),
        strength=EFFECTIVE,
        because=("logged in GiB with two decimals",),
    ),
    # 0.6.4 to 0.9: the memory that is left for the cache. vllm/worker/worker.py @ 0.8.5
    Says(
        mark="the rest of the memory reserved for KV Cache is ",
        pattern=r"reserved for KV Cache is ([\d.]+)GiB",
        states=(State(fact="runtime.kv_cache.bytes", read=gibibytes),),
        strength=EFFECTIVE,
        because=("logged in GiB with two decimals",),
    ),
    Says(
        mark="total_gpu_memory",
        pattern=r"total_gpu_memory \(([\d.]+)GiB\) x gpu_memory_utilization \(([\d.]+)\)",
        states=(State(fact="runtime.gpu_memory_utilization", group=2, read=decimal),),
    ),
    Says(
        mark=" attention backend out of potential backends",
        pattern=r"Using (?:AttentionBackendEnum\.)?(\w+) attention backend out of potential backends",
        states=(State(fact="runtime.attention_backend", read=_backend),),
    ),
    Says(
        mark=" backend (selected via --attention-backend)",
        pattern=r"Using (?:AttentionBackendEnum\.)?(\w+) backend \(selected",
        states=(State(fact="runtime.attention_backend", read=_backend),),
    ),
    Says(
        mark=" backend",
        pattern=r"(?i)\] Using (" + _NAMED + r") backend(?: on V1 engine)?(?: by default for [^.]{1,60})?\.?\s*$",
        states=(State(fact="runtime.attention_backend", read=_backend),),
    ),
    Says(
        mark="Chunked prefill is enabled with max_num_batched_tokens=",
        pattern=r"Chunked prefill is enabled with max_num_batched_tokens=(\d+)\.",
        states=(
            State(fact="runtime.max_num_batched_tokens", read=whole),
            State(fact="runtime.chunked_prefill", value=True),
        ),
    ),
    Says(
        mark="Automatic prefix caching is enabled.",
        pattern=r"Automatic prefix caching is enabled\.",
        states=(State(fact="runtime.prefix_caching", value=True),),
    ),
    Says(
        mark=" data type to store kv cache",
        pattern=r"Using (\w+) data type to store kv cache",
        states=(State(fact="runtime.kv_cache.dtype", read=_taken),),
    ),
    Says(
        mark=" scheduling is enabled",
        pattern=r"\bAsync(?:hronous)? scheduling is enabled",
        states=(State(fact="runtime.async_scheduling", value=True),),
    ),
    Says(
        mark="Resolved architecture: ",
        pattern=r"Resolved architecture: (\w+)\s*$",
        states=(State(fact="model.architecture"),),
    ),
)

# What tells less than the launch does, and more than a default.
_BELOW_THE_LAUNCH = 10 * PRECEDENCE.index("engine-default") - 1

# What the line of the engine's settings calls otherwise than the arguments do.
_RENAMED = {
    "max_seq_len": "--max-model-len",
    "chunked_prefill_enabled": "--enable-chunked-prefill",
    "served_model_name": "",  # only the first of them
    "speculative_config": "",  # an object of the engine, not what was asked for
    "compilation_config": "",
    "device_config": "",
    "quantization_config": "",
    "observability_config": "",
    "structured_outputs_config": "",
    "decoding_config": "",
    "pooler_config": "",
    "kernel_config": "",
}
# What a program around the engine adds to its arguments, and what says only how it logs.
_NO_ARGUMENT = frozenset({"model_tag", "config", "subparser", "dispatch_function", "api_key", "headless"})


def _speaks(told: Told) -> bool:
    return any(mark in told.text for mark in _SPOKEN) and (
        any(mark in told.text for mark in (*_STARTS, _ENGINE)) or "vllm" in told.text.lower()
    )


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS, (_ENGINE,))
    found = list(stated(told, _TABLE, since))
    version = _version(found)
    names = False
    for line in (*lines(told, "non-default args: {", since), *lines(told, _ALL, since)):
        settings = fields(line.text, line.text.index("args: ") + len("args: "))
        asked = _arguments(line, settings, version)
        names = names or any(one.fact == "model.served_names" for one in asked)
        found.extend(asked)
        found.extend(_blocks(told, since, line, settings))
    for line in lines(told, _ENGINE, since):
        found.extend(_engine(line, version, served=not names))
    found.extend(_sampling(told, since))
    found.extend(gpu_models(told, since, "device_name=", DEVICE_NAME))
    found.extend(startup(told, since, ("Starting vLLM API server", "Starting vLLM server on ")))
    return named(NAME, found)


def _version(found: list[Observation]) -> str | None:
    said = [one for one in found if one.fact == "runtime.engine.version"]
    return str(max(said, key=lambda one: one.order).value) if said else None


def _arguments(line: Line, settings: tuple[Field, ...], version: str | None) -> tuple[Observation, ...]:
    kept = [one for one in settings if one.name not in _NO_ARGUMENT]
    key = next((one for one in settings if one.name == "api_key" and one.value), None)
    said = arguments(line, kept, table_of(version), deferred=DEFERRED)
    if _ALL in line.text:
        said = tuple(one for one in said if one.fact != OTHER or _has_a_default(one.key, version))
    locked = reported("serving.api_key_required", True, (line.at(key.start),)) if key is not None else ()
    return (*without_own_defaults(said, versions.load(NAME, version)), *locked)


def _has_a_default(argument: str, version: str | None) -> bool:
    """Whether an option that is printed whether somebody set it or not can be told from one that nobody set."""
    release = versions.load(NAME, version)
    entry = release.arguments.get(argument) if release is not None else None
    return entry is not None and entry.kind == "literal" and entry.value is not None


def _engine(line: Line, version: str | None, *, served: bool) -> Iterator[Observation]:
    """The settings with which the engine itself starts: what its arguments, its defaults and the model came to."""
    at = line.text.find(" with config: ")
    if at < 0:
        return
    settings = fields(line.text, at + len(" with config: "))
    said = arguments(
        line,
        settings,
        table_of(version),
        strength=STATED,
        deferred=DEFERRED,
        names=lambda name: _RENAMED.get(name, "--" + name.replace("_", "-")),
        because=(),
    )
    yield from (one for one in said if one.fact != OTHER)  # of those the arguments say what was asked for
    held = {one.name: one for one in settings}
    order = strong(STATED, line)
    none = held.get("quantization")
    if none is not None and none.value is None:
        yield from reported("runtime.quantization", "none", (line.at(none.start),), order=order)
    name = held.get("served_model_name")
    if served and name is not None and isinstance(name.value, str):
        first = ("the line has only the first of the names",)
        yield from (
            msgspec.structs.replace(one, rank=_BELOW_THE_LAUNCH)
            for one in reported(
                "model.served_names", [name.value], (line.at(name.start),), order=order, confidence="likely",
                because=first,
            )
        )  # fmt: skip
    compiled = held.get("compilation_config")
    sizes = compiled.value.get("cudagraph_capture_sizes") if compiled and isinstance(compiled.value, dict) else None
    if compiled is not None and isinstance(sizes, list) and sizes:
        yield from reported("runtime.cuda_graph.sizes", sizes, (line.at(compiled.start),), order=order)


def _blocks(told: Told, since: int, line: Line, settings: tuple[Field, ...]) -> Iterator[Observation]:
    """Tokens of the cache, where the log counts blocks and the arguments have their size."""
    size = next((one for one in settings if one.name == "block_size"), None)
    if size is None or not isinstance(size.value, int) or isinstance(size.value, bool):
        return
    says = Says(
        mark=" blocks: ",
        pattern=r"# (?:GPU|HPU|TPU|cuda|cpu|rocm|xpu|neuron) blocks: (\d+)\b",
        states=(State(fact="runtime.kv_cache.tokens", read=lambda text: int(text[:20]) * int(size.value)),),  # type: ignore[arg-type]
        strength=EFFECTIVE,
        because=("blocks times the block size of the arguments",),
    )
    for one in stated(told, (says,), since):
        yield msgspec.structs.replace(one, origin="derived", locations=(*one.locations, line.at(size.start)))


def _sampling(told: Told, since: int) -> Iterator[Observation]:
    """Sampling defaults that come from the model, as the log has them."""
    marks = (
        "vLLM sampling parameters have been overridden by ",  # 0.15.0 on: vllm/config/model.py
        "Using default chat sampling params from ",  # 0.8.0 to 0.14: vllm/entrypoints/openai/serving_chat.py
    )
    for mark in marks:
        for line in lines(told, mark, since):
            at = line.text.find("{", line.text.index(mark))
            for one in fields(line.text, at) if at >= 0 else ():
                yield from reported(
                    "runtime.sampling_defaults",
                    one.value,
                    (line.at(one.start),),
                    key=one.name,
                    order=strong(EFFECTIVE, line),
                )


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
