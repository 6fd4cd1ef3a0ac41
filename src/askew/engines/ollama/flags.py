"""Ollama's variables and Modelfile parameters as data: all that 0.1.0 to 0.32.15 know.

Sources: ``envconfig/config.go``, ``Options`` of ``api/types.go`` and ``parser/parser.go`` at each tag of
https://github.com/ollama/ollama. ``ollama serve`` takes no arguments: variables say what the server does, and
a Modelfile or the request what one model does.
"""

from __future__ import annotations

from collections.abc import Mapping

from askew.engines.flags import Flag, decimal_number, whole_number
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
Spread = tuple[tuple[str, str, Value], ...]

# strconv.ParseBool of Go; Ollama takes every other word that is not empty for true.
_TRUE, _FALSE = frozenset(("1", "t", "true")), frozenset(("0", "f", "false"))


def trimmed(text: str) -> str:
    """``envconfig.Var``: without blanks around it, and without quotes."""
    return text.strip().strip("\"'")


def boolean(words: tuple[str, ...]) -> Value:
    """``envconfig.Bool``: a word that is no boolean counts as true."""
    return trimmed(words[0]).lower() not in _FALSE


def whole(words: tuple[str, ...]) -> Value:
    """``strconv.ParseUint``: digits only; a word that is none is ignored with a warning."""
    word = trimmed(words[0])
    if word.isascii() and word.isdecimal():
        return int(word)
    raise ValueError(f"expected a whole number of zero or more, digits only, got {words[0]!r}; the default is used")


def _predict(words: tuple[str, ...]) -> Value:
    count = whole_number(words)
    return "unlimited" if isinstance(count, int) and count < 0 else count


def flash(words: tuple[str, ...]) -> Value:
    """Whether flash attention is used."""
    return "flash_attn" if boolean(words) else "native"


def _cache(words: tuple[str, ...]) -> Spread:
    """``f16``, ``q8_0`` or ``q4_0``; other words are passed on or ignored, by release."""
    kind = trimmed(words[0]).lower()
    if kind not in ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl"):
        raise ValueError(f"expected f16, q8_0 or q4_0, got {words[0]!r}")
    return tuple((f"runtime.kv_cache.{part}", "", kind) for part in ("dtype", "key_dtype", "value_dtype"))


def _queue(words: tuple[str, ...]) -> Value:
    return whole(words)


def address(words: tuple[str, ...]) -> Spread:
    """``envconfig.Host``: ``[scheme://]host[:port][/path]``, with the defaults that it has for the parts."""
    text = trimmed(words[0])
    scheme, sign, rest = text.partition("://")
    port = 11434
    if not sign:
        rest = text
    elif scheme in ("http", "https"):
        port = 80 if scheme == "http" else 443
    hostport = rest.partition("/")[0]
    host, colon, given = hostport.rpartition(":")
    if hostport.startswith("[") or hostport.count(":") == 1:
        if not (colon and (not hostport.startswith("[") or host.endswith("]"))):
            host, given = hostport, ""
    else:
        host, given = hostport, ""
    if given.isascii() and given.isdecimal() and int(given) <= 65535:
        port = int(given)
    elif given:
        port = 11434
    host = host.strip("[]")
    if not hostport:
        host = "127.0.0.1"
    return (("serving.listen_host", "", host), ("serving.port", "", port))


# Variables that state a fact.
VARIABLES: tuple[Flag, ...] = (
    Flag(names=("OLLAMA_HOST",), spreads=address),
    Flag(names=("OLLAMA_NUM_PARALLEL",), fact="runtime.max_num_seqs", read=whole, since="0.1.33"),
    Flag(names=("OLLAMA_CONTEXT_LENGTH",), fact="runtime.max_model_len", read=whole, since="0.5.13"),
    Flag(names=("OLLAMA_KV_CACHE_TYPE",), spreads=_cache, since="0.5.0"),
    Flag(names=("OLLAMA_FLASH_ATTENTION",), fact="runtime.attention_backend", read=flash, since="0.1.39"),
    Flag(names=("OLLAMA_MAX_QUEUE",), fact="serving.queue", key="max_requests", read=_queue, since="0.1.34"),
)

# Variables that change nothing that a fact describes.
INERT: Mapping[str, str] = {
    name: reason
    for reason, names in {
        "Log output only.": "OLLAMA_DEBUG OLLAMA_DEBUG_LOG_REQUESTS",
        "Of the command line, not of the server.": "OLLAMA_NOHISTORY OLLAMA_EDITOR OLLAMA_AGENT_DISABLE_WEBSEARCH "
        "OLLAMA_AGENT_DISABLE_BASH",
        "Where files are kept, or how they are transferred.": "OLLAMA_MODELS OLLAMA_TMPDIR OLLAMA_RUNNERS_DIR "
        "OLLAMA_NOPRUNE OLLAMA_MAX_TRANSFER_STREAMS OLLAMA_EXPERIMENT OLLAMA_REGISTRY_MAXSTREAMS",
        "Which web pages and hosts may be used.": "OLLAMA_ORIGINS OLLAMA_REMOTES OLLAMA_AUTH OLLAMA_INSECURE",
    }.items()
    for name in names.split()
}

# Variables that the server reads and no fact expresses: a difference is shown in `runtime.env`.
OTHERS = frozenset(
    (
        *("OLLAMA_KEEP_ALIVE", "OLLAMA_LOAD_TIMEOUT", "OLLAMA_MAX_LOADED_MODELS", "OLLAMA_SCHED_SPREAD"),
        *("OLLAMA_GPU_OVERHEAD", "OLLAMA_LLM_LIBRARY", "OLLAMA_INTEL_GPU", "OLLAMA_MULTIUSER_CACHE", "OLLAMA_MAX_VRAM"),
        *("OLLAMA_NEW_ENGINE", "OLLAMA_NEW_ESTIMATES", "OLLAMA_VULKAN", "OLLAMA_IGPU_ENABLE", "OLLAMA_GO_TEMPLATE"),
        *("OLLAMA_NO_CLOUD", "LLAMA_ARG_FIT", "LLAMA_ARG_FIT_TARGET"),
    )
)

# ``PARAMETER name value`` of a Modelfile: the options of the API.
PARAMETERS: tuple[Flag, ...] = (
    Flag(names=("num_ctx",), fact="runtime.max_model_len", read=whole_number),
    Flag(names=("num_batch",), fact="runtime.max_num_batched_tokens", read=whole_number),
    Flag(names=("num_thread",), fact="runtime.threads", read=whole_number),
    Flag(names=("num_predict",), fact="runtime.default_output_tokens", read=_predict),
    Flag(names=("seed",), fact="runtime.seed", read=whole_number),
    Flag(names=("draft_num_predict",), fact="runtime.speculative", key="num_speculative_tokens", read=whole_number),
    *(
        Flag(names=(name,), fact="runtime.sampling_defaults", key=key, read=read)
        for name, key, read in (
            ("temperature", "temperature", decimal_number),
            ("top_k", "top_k", whole_number),
            ("top_p", "top_p", decimal_number),
            ("min_p", "min_p", decimal_number),
            ("typical_p", "typical_p", decimal_number),
            ("repeat_penalty", "repetition_penalty", decimal_number),
            ("presence_penalty", "presence_penalty", decimal_number),
            ("frequency_penalty", "frequency_penalty", decimal_number),
            ("repeat_last_n", "repeat_last_n", whole_number),
            ("tfs_z", "tfs_z", decimal_number),
            ("mirostat", "mirostat", whole_number),
            ("mirostat_tau", "mirostat_tau", decimal_number),
            ("mirostat_eta", "mirostat_eta", decimal_number),
        )
    ),
    *(
        Flag(names=(name,), fact=OTHER, key=f"PARAMETER {name}")
        for name in (
            "num_gpu",
            "main_gpu",
            "num_keep",
            "use_mmap",
            "use_mlock",
            "low_vram",
            "f16_kv",
            "vocab_only",
            "numa",
            "penalize_newline",
            "logits_all",
            "num_gqa",
            "embedding_only",
            "rope_frequency_base",
            "rope_frequency_scale",
        )
    ),
)
