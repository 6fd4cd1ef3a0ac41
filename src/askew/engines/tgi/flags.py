"""TGI's arguments as data: all that the launchers 0.2.0 to 3.3.7 know; ``versions/`` has 1.0.0 and later.

Source: ``struct Args`` of ``launcher/src/main.rs`` at each tag of https://github.com/huggingface/text-generation-inference.
Every argument can be given by a variable too, its name in capitals (clap's ``env``); the argument wins.
"""

from __future__ import annotations

from askew.engines.clap import boolean, integer, present
from askew.engines.clap import clap_flag as _flag
from askew.engines.flags import Flag, decimal_number
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
Spread = tuple[tuple[str, str, Value], ...]

_LOG = "Log output only."
_TELEMETRY = "Metrics, traces and usage statistics only."
_ADDRESS = "An address or port between the processes of one container."
_TUNNEL = "A tunnel for demonstrations; it serves the same answers."


def _sharded(words: tuple[str, ...]) -> Spread:
    """False means one shard; true says nothing about how many."""
    return () if boolean(words) else (("runtime.tensor_parallel_size", "", 1),)


def _speculate(words: tuple[str, ...]) -> Spread:
    """Tokens guessed by Medusa heads where the model has them, else by n-grams."""
    count = integer(words)
    return () if count == 0 else (("runtime.speculative", "num_speculative_tokens", count),)


def _graphs(words: tuple[str, ...]) -> Spread:
    """Batch sizes, joined by commas; zeros are dropped, and without a size there are no graphs."""
    sizes = [integer((part.strip(),)) for part in words[0].split(",")]
    kept: list[Value] = [size for size in sizes if size]
    return (("runtime.cuda_graph.sizes", "", kept), ("runtime.enforce_eager", "", not kept))


def _adapters(words: tuple[str, ...]) -> Spread:
    """``repository[@revision]`` or ``name=path``, joined by commas."""
    found: list[Value] = []
    for part in words[0].split(","):
        name, sign, path = part.strip().partition("=")
        if not name:
            continue
        place, at, revision = (path if sign else name).partition("@")
        adapter: dict[str, Value] = {"name": name.partition("@")[0], "source": place}
        if at:
            adapter["revision"] = revision
        found.append(adapter)
    return (("model.lora_adapters", "", found), ("runtime.lora.enabled", "", True)) if found else ()


def _lenient(words: tuple[str, ...]) -> Value:
    """The server's reading of its own variables: ``1`` and ``true`` in any case, everything else is false."""
    return words[0].lower() in ("1", "true")


def _flash_decoding(words: tuple[str, ...]) -> Value:
    return "flashdecoding" if words[0] in ("1", "true", "True") else "paged"


# When each method came: `enum Quantization` of launcher/src/main.rs at the tags. None went.
_METHODS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("0.7.0", ("bitsandbytes", "gptq")),
    ("1.0.1", ("bitsandbytes-nf4", "bitsandbytes-fp4")),
    ("1.1.0", ("awq", "eetq")),
    ("2.0.0", ("fp8",)),
    ("2.1.0", ("exl2", "marlin")),
    ("2.4.1", ("compressed-tensors",)),
)


def _quantize() -> tuple[Flag, ...]:
    """``--quantize`` with the methods that each release knows."""
    ends = (*(since for since, _ in _METHODS[1:]), "")
    known = [tuple(name for _, names in _METHODS[: place + 1] for name in names) for place in range(len(_METHODS))]
    return tuple(
        _flag("--quantize", fact="runtime.quantization", choices=names, since=since, until=until)
        for (since, _), until, names in zip(_METHODS, ends, known, strict=True)
    )


FLAGS: tuple[Flag, ...] = (
    _flag("--model-id", fact="model.id"),
    _flag("--revision", fact="model.revision"),
    _flag("--trust-remote-code", takes="switch", fact="model.trust_remote_code", since="0.7.0"),
    _flag("--tokenizer-config-path", fact="model.chat_template.source", since="1.4.0"),
    _flag("--lora-adapters", spreads=_adapters, since="2.1.0"),
    _flag("--num-shard", fact="runtime.tensor_parallel_size", read=integer),
    _flag("--sharded", spreads=_sharded, since="0.4.0"),
    *_quantize(),
    # A switch at first: bitsandbytes in eight bits.
    _flag("--quantize", takes="switch", fact="runtime.quantization", implies="bitsandbytes", until="0.7.0"),
    _flag("--dtype", fact="runtime.dtype", choices=("float16", "bfloat16"), since="0.9.0"),
    _flag("--kv-cache-dtype", fact="runtime.kv_cache.dtype", choices=("fp8_e4m3fn", "fp8_e5m2"), since="2.4.0"),
    _flag("--max-concurrent-requests", fact="runtime.max_concurrent_requests", read=integer),
    _flag("--max-input-tokens", fact="runtime.max_input_tokens", read=integer, since="2.0.0"),
    _flag("--max-input-length", fact="runtime.max_input_tokens", read=integer, replaced_by="--max-input-tokens"),
    _flag("--max-total-tokens", fact="runtime.max_model_len", read=integer, since="0.3.2"),
    _flag("--max-batch-prefill-tokens", fact="runtime.max_num_batched_tokens", read=integer, since="0.9.0"),
    _flag("--max-batch-total-tokens", fact="runtime.max_batch_total_tokens", read=integer, since="0.7.0"),
    # Away for a while: batches were bounded by tokens alone.
    _flag("--max-batch-size", fact="runtime.max_num_seqs", read=integer, until="0.9.0"),
    _flag("--max-batch-size", fact="runtime.max_num_seqs", read=integer, since="1.4.1"),
    _flag(
        "--waiting-served-ratio",
        fact="runtime.scheduler",
        key="waiting_served_ratio",
        read=decimal_number,
        since="0.7.0",
    ),
    _flag("--max-waiting-tokens", fact="runtime.scheduler", key="max_waiting_tokens", read=integer),
    _flag("--cuda-graphs", spreads=_graphs, since="2.0.0"),
    _flag(
        "--enable-cuda-graphs",
        takes="switch",
        fact="runtime.enforce_eager",
        implies=False,
        since="1.4.1",
        until="2.0.0",
        replaced_by="--cuda-graphs",
    ),
    _flag("--cuda-memory-fraction", fact="runtime.gpu_memory_utilization", since="0.9.4"),
    _flag("--rope-scaling", fact="runtime.rope_override", key="type", choices=("linear", "dynamic"), since="1.0.1"),
    _flag("--rope-factor", fact="runtime.rope_override", key="factor", read=decimal_number, since="1.0.1"),
    _flag("--speculate", spreads=_speculate, since="1.3.0"),
    _flag("--port", short=("-p",), fact="serving.port", read=integer),
    _flag("--hostname", fact="serving.listen_host", since="0.9.1"),
    _flag("--api-key", fact="serving.api_key_required", read=present, since="2.3.0"),
    _flag("--payload-limit", fact="serving.max_body.bytes", read=integer, since="2.4.1"),
    # No fact names these; each changes what a client may ask for or how fast the answer comes.
    _flag("--validation-workers", fact=OTHER, key="--validation-workers", since="0.9.2"),
    _flag("--max-best-of", fact=OTHER, key="--max-best-of", since="0.4.0"),
    _flag("--max-stop-sequences", fact=OTHER, key="--max-stop-sequences", since="0.3.2"),
    _flag("--max-top-n-tokens", fact=OTHER, key="--max-top-n-tokens", since="1.0.3"),
    _flag("--max-client-batch-size", fact=OTHER, key="--max-client-batch-size", since="2.0.1"),
    _flag("--disable-custom-kernels", takes="switch", fact=OTHER, key="--disable-custom-kernels", since="0.3.0"),
    _flag("--disable-grammar-support", takes="switch", fact=OTHER, key="--disable-grammar-support", since="1.4.1"),
    _flag("--enable-prefill-logprobs", takes="switch", fact=OTHER, key="--enable-prefill-logprobs", since="3.0.0"),
    _flag("--watermark-gamma", fact=OTHER, key="--watermark-gamma", since="0.3.2"),
    _flag("--watermark-delta", fact=OTHER, key="--watermark-delta", since="0.3.2"),
    _flag("--cors-allow-origin", takes="append", fact=OTHER, key="--cors-allow-origin", since="0.3.1"),
    _flag(
        "--graceful-termination-timeout", short=("-g",), fact=OTHER, key="--graceful-termination-timeout", since="3.2.2"
    ),
    _flag("--json-output", takes="switch", irrelevant=_LOG),
    Flag(names=("--env", "-e"), takes="switch", irrelevant=_LOG, since="0.7.0"),
    _flag("--otlp-endpoint", irrelevant=_TELEMETRY, since="0.3.0"),
    _flag("--otlp-service-name", irrelevant=_TELEMETRY, since="2.1.0"),
    _flag("--prometheus-port", irrelevant=_TELEMETRY, since="3.3.0"),
    _flag("--usage-stats", irrelevant=_TELEMETRY, since="2.3.0"),
    _flag(
        "--disable-usage-stats",
        takes="switch",
        irrelevant=_TELEMETRY,
        since="2.2.0",
        until="2.3.0",
        replaced_by="--usage-stats off",
    ),
    _flag(
        "--disable-crash-reports",
        takes="switch",
        irrelevant=_TELEMETRY,
        since="2.2.0",
        until="2.3.0",
        replaced_by="--usage-stats no-stack",
    ),
    _flag("--shard-uds-path", irrelevant=_ADDRESS),
    _flag("--master-addr", irrelevant=_ADDRESS),
    _flag("--master-port", irrelevant=_ADDRESS),
    _flag("--huggingface-hub-cache", irrelevant="Where downloads are kept.", since="0.3.0"),
    _flag("--weights-cache-override", irrelevant="Where downloads are kept.", since="0.3.0"),
    _flag("--ngrok", takes="switch", irrelevant=_TUNNEL, since="0.9.0"),
    _flag("--ngrok-authtoken", irrelevant=_TUNNEL, since="0.9.0"),
    _flag("--ngrok-edge", irrelevant=_TUNNEL, since="0.9.4"),
    _flag("--ngrok-domain", irrelevant=_TUNNEL, since="0.9.0", until="0.9.4", replaced_by="--ngrok-edge"),
    _flag("--ngrok-username", irrelevant=_TUNNEL, since="0.9.0", until="0.9.4", replaced_by="--ngrok-edge"),
    _flag("--ngrok-password", irrelevant=_TUNNEL, since="0.9.0", until="0.9.4", replaced_by="--ngrok-edge"),
    Flag(names=("--version", "-V"), takes="switch", irrelevant="It prints the version and ends."),
    Flag(names=("--help", "-h"), takes="switch", irrelevant="It prints help and ends."),
)

# Variables that have no argument: read by the launcher's resolve_attention and by the server.
# https://github.com/huggingface/text-generation-inference/blob/v3.3.7/launcher/src/main.rs
VARIABLES: tuple[Flag, ...] = (
    Flag(
        names=("ATTENTION",),
        fact="runtime.attention_backend",
        choices=("flashinfer", "flashdecoding", "paged", "flashdecoding-ipex", "default"),
        since="2.3.0",
    ),
    Flag(names=("PREFIX_CACHING",), fact="runtime.prefix_caching", read=_lenient, since="2.4.0"),
    Flag(
        names=("USE_PREFIX_CACHING",),
        fact="runtime.prefix_caching",
        read=_lenient,
        since="2.3.0",
        until="2.4.0",
        replaced_by="PREFIX_CACHING",
    ),
    Flag(names=("PREFILL_CHUNKING",), fact="runtime.chunked_prefill", read=_lenient, since="2.4.0"),
    # 2.1.1 and 2.2.0 chose it by this one; anything but these words left paged attention.
    Flag(
        names=("FLASH_DECODING",),
        fact="runtime.attention_backend",
        read=_flash_decoding,
        since="2.1.1",
        until="2.3.0",
        replaced_by="ATTENTION",
    ),
)

# Variables of the images for Gaudi, which the common server does not read; compared as text.
# https://github.com/huggingface/text-generation-inference/tree/v3.3.7/backends/gaudi and the releases of
# https://github.com/huggingface/tgi-gaudi
HARDWARE = frozenset(
    (
        *("ENABLE_HPU_GRAPH", "LIMIT_HPU_GRAPH", "BATCH_BUCKET_SIZE", "PREFILL_BATCH_BUCKET_SIZE"),
        *("PAD_SEQUENCE_TO_MULTIPLE_OF", "SKIP_TOKENIZER_IN_TGI", "USE_FLASH_ATTENTION", "FLASH_ATTENTION_RECOMPUTE"),
        *("WARMUP_ENABLED", "QUEUE_THRESHOLD_MS", "PT_HPU_ENABLE_LAZY_COLLECTIVES", "MESSAGES_API_ENABLED"),
    )
)
