"""What llama.cpp's library logs when it loads a model, whichever server it is part of (llama-server, Ollama).

Sources: ``src/llama-context.cpp``, ``src/llama-kv-cache.cpp`` and ``tools/server/server-context.cpp`` of
https://github.com/ggml-org/llama.cpp, logs in its issues 14043 and 15946, in Ollama's 5024 and 10833, a recorded one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.engines.logged import (
    EFFECTIVE,
    STATED,
    Says,
    State,
    decimal,
    gpu_models,
    lines,
    reported,
    stated,
    strong,
    whole,
)
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Observation

_CONTEXT = r"(?:llama_context|llama_new_context_with_model|llama_init_from_model|llama_context_init): "
_CACHE = r"K \((\w+)\): +[\d.]+ MiB, V \((\w+)\): +[\d.]+ MiB"
_DEVICE = r"Device \d+: ([^,]+), compute capability"


def _flash(text: str) -> Value:
    if text in ("1", "enabled"):
        return "flash_attn"
    if text in ("0", "disabled"):
        return "native"
    raise ValueError("decided later")


def _finished(text: str) -> Value:
    return _flash("enabled" if text == "enabled" else "disabled")


TABLE = (
    Says(
        mark="n_ctx ",
        pattern=_CONTEXT + r"n_ctx +=\s+(\d+)\s*$",
        states=(State(fact="runtime.kv_cache.tokens", read=whole),),
    ),
    # With one slot, or slots that share one cache, a request has all of it.
    Says(
        mark="n_ctx_per_seq ",
        pattern=_CONTEXT + r"n_ctx_per_seq +=\s+(\d+)\s*$",
        states=(State(fact="runtime.max_model_len", read=whole),),
    ),
    Says(
        mark="n_ctx_seq ",
        pattern=_CONTEXT + r"n_ctx_seq +=\s+(\d+)\s*$",
        states=(State(fact="runtime.max_model_len", read=whole),),
    ),
    Says(
        mark="n_ctx_slot = ",
        pattern=r"n_ctx_slot = (\d+)(?:,|\s*$)",
        states=(State(fact="runtime.max_model_len", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="n_slots = ",
        pattern=r"n_slots = (\d+)(?:,|\s*$)",
        states=(State(fact="runtime.max_num_seqs", read=whole),),
        strength=EFFECTIVE,
    ),
    Says(
        mark="n_seq_max ",
        pattern=_CONTEXT + r"n_seq_max +=\s+(\d+)\s*$",
        states=(State(fact="runtime.max_num_seqs", read=whole),),
    ),
    Says(
        mark="n_batch ",
        pattern=_CONTEXT + r"n_batch +=\s+(\d+)\s*$",
        states=(State(fact="runtime.max_num_batched_tokens", read=whole),),
    ),
    Says(
        mark="flash_attn ",
        pattern=_CONTEXT + r"flash_attn +=\s+(\w+)\s*$",
        states=(State(fact="runtime.attention_backend", read=_flash),),
    ),
    Says(
        mark="Flash Attention was auto, set to ",
        pattern=r"Flash Attention was auto, set to (enabled|disabled)",
        states=(State(fact="runtime.attention_backend", read=_finished),),
        strength=EFFECTIVE,
    ),
    Says(
        mark=" MiB, V (",
        pattern=_CACHE,
        states=(
            State(fact="runtime.kv_cache.key_dtype"),
            State(fact="runtime.kv_cache.value_dtype", group=2),
        ),
        strength=EFFECTIVE,
    ),
    Says(
        mark=" key-value pairs and ",
        pattern=r"loaded meta data with \d+ key-value pairs and \d+ tensors from (.{1,4096}?) \(version GGUF",
        states=(State(fact="model.id"),),
    ),
    Says(
        mark=": arch ",
        pattern=r"(?:print_info|llm_load_print_meta): arch +=\s+([\w-]+)\s*$",
        states=(State(fact="model.architecture"),),
    ),
    Says(
        mark=": n_ctx_train ",
        pattern=r"(?:print_info|llm_load_print_meta): n_ctx_train +=\s+(\d+)\s*$",
        states=(State(fact="model.context_length", read=whole),),
    ),
)

# What is found before the server says that it starts.
_DEVICES = (
    Says(
        mark=", compute capability ",
        pattern=_DEVICE + r" (\d+\.\d+), ",
        states=(State(fact="hardware.gpu.compute_capability", group=2),),
    ),
    Says(
        mark="ggml_cuda_init: found ",
        pattern=r"ggml_cuda_init: found (\d+) (?:CUDA|ROCm) devices",
        states=(State(fact="hardware.gpu.count", read=whole),),
    ),
)

_SIZE = re.compile(r"(?:llama_kv_cache\w*: size =|KV self size +=) +([\d.]+) MiB")


def loaded(told: Told, since: int) -> tuple[Observation, ...]:
    """What was said when models were loaded, from ``since`` on."""
    # A draft model has a context of its own, and says the same of it.
    drafted = "draft model" in told.text[since:]
    found = list(stated(told, [one for one in TABLE if not drafted or one.strength == EFFECTIVE], since))
    found.extend(() if drafted else _cache(told, since))
    found.extend(stated(told, _DEVICES))
    found.extend(gpu_models(told, 0, ", compute capability ", re.compile(_DEVICE)))
    return tuple(found)


def _cache(told: Told, since: int) -> Iterator[Observation]:
    """The size of the cache, which is told for each of its parts, and its dtype where keys and values have one."""
    sizes = [(line, match) for line in lines(told, " MiB", since) if (match := _SIZE.search(line.text))]
    if sizes:
        places = tuple(line.at(match.start(1)) for line, match in sizes)
        total = int(sum(decimal(match[1]) for _, match in sizes) * 2**20)
        because = ("the sum of the parts of the cache",) if len(sizes) > 1 else ()
        yield from reported("runtime.kv_cache.bytes", total, places, because=because)
    for line in lines(told, " MiB, V (", since):
        match = re.search(_CACHE, line.text)
        if match is not None and match[1] == match[2]:
            order = strong(STATED, line)
            yield from reported("runtime.kv_cache.dtype", match[1], (line.at(match.start(1)),), order=order)
