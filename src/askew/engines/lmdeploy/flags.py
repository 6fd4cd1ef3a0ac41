"""LMDeploy's arguments as data: those of ``lmdeploy serve api_server`` and of ``lmdeploy serve gradio``.

Sources: ``lmdeploy/cli/serve.py`` and ``lmdeploy/cli/utils.py`` of the releases; ``versions/history.json`` says which
release has which. What the values mean: ``lmdeploy/messages.py`` and https://lmdeploy.readthedocs.io.
"""

from __future__ import annotations

from askew.engines.flags import Flag, whole_number
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
Spread = tuple[tuple[str, str, Value], ...]

_ORIGINS = "Which web pages may call the server; the answers are the same."
_LOG = "Log output only."
_PATHS = "Where files are kept."

# QuantPolicy of lmdeploy/messages.py: numbers, and since 0.13 names.
_POLICIES = {
    **{"0": None, "none": None, "4": "int4", "int4": "int4", "8": "int8", "int8": "int8", "16": "float8_e4m3"},
    **{"fp8": "float8_e4m3", "fp8_e4m3": "float8_e4m3", "17": "float8_e5m2", "fp8_e5m2": "float8_e5m2"},
}
_TURBO = ("42", "turbo_quant")


def _policy(words: tuple[str, ...]) -> Spread:
    """The dtype of the KV cache; nothing where it is not quantized."""
    word = words[0].strip().lower()
    if word in _TURBO:  # keys in 4 bits, values in 2
        return (("runtime.kv_cache.dtype", "", "int4"), (OTHER, "--quant-policy", "turbo_quant"))
    if word not in _POLICIES:
        raise ValueError("expected 0, 4, 8, 16, 17 or 42, or their names none, int4, int8, fp8, fp8_e5m2, turbo_quant")
    kind = _POLICIES[word]
    return () if kind is None else (("runtime.kv_cache.dtype", "", kind),)


def _format(words: tuple[str, ...]) -> Value:
    """How the weights are quantized; hf and llama are layouts without quantization."""
    return "none" if words[0] in ("hf", "llama", "qwen") else words[0]


def _experts(words: tuple[str, ...]) -> Spread:
    size = whole_number(words)
    return (("runtime.expert_parallel", "", size != 1), *(((OTHER, "--ep", str(size)),) if size != 1 else ()))


def _adapters(words: tuple[str, ...]) -> Spread:
    """``name=path`` each; a single path has the name default."""
    found: list[Value] = []
    for word in words:
        name, sign, path = word.strip().partition("=")
        found.append({"name": name if sign else "default", "source": path if sign else name})
    return (("model.lora_adapters", "", found), ("runtime.lora.enabled", "", True)) if found else ()


def _factor(words: tuple[str, ...]) -> Value:
    try:
        factor = float(words[0])
    except ValueError:
        raise ValueError(f"expected a number, got {words[0]!r}") from None
    return factor or None


def _switched(words: tuple[str, ...]) -> Value:
    if words[0].strip() not in ("0", "1"):
        raise ValueError(f"expected 0 or 1, got {words[0]!r}")
    return words[0].strip() == "1"


def _generation(words: tuple[str, ...]) -> Value:
    return "engine" if words[0] == "lmdeploy" else words[0]


def _role(words: tuple[str, ...]) -> Value:
    return {"Hybrid": "both"}.get(words[0], words[0].lower())


def _sizes(words: tuple[str, ...]) -> Value:
    return [whole_number((word,)) for word in words]


_FACTS: tuple[Flag, ...] = (
    Flag(names=("--server-name",), fact="serving.listen_host"),
    Flag(names=("--server-port",), fact="serving.port"),
    Flag(names=("--api-keys",), takes="list", fact="serving.api_key_required", read=lambda words: bool(words)),
    Flag(names=("--ssl",), takes="switch", fact="serving.tls"),
    Flag(names=("--max-concurrent-requests",), fact="runtime.max_concurrent_requests", read=whole_number),
    Flag(names=("--backend",), fact="runtime.engine.backend", choices=("pytorch", "turbomind")),
    Flag(names=("--model-name",), fact="model.served_names", read=lambda words: [words[0]]),
    Flag(names=("--revision",), fact="model.revision"),
    Flag(names=("--trust-remote-code",), takes="switch", fact="model.trust_remote_code"),
    Flag(names=("--chat-template",), fact="model.chat_template.source"),
    Flag(names=("--tool-call-parser",), fact="runtime.tool_call_parser"),
    Flag(names=("--reasoning-parser",), fact="runtime.reasoning_parser"),
    Flag(names=("--generation-config",), fact="runtime.generation_config", read=_generation),
    Flag(names=("--hf-overrides",), takes="json", fact="runtime.hf_overrides"),
    Flag(names=("--dtype",), fact="runtime.dtype", choices=("auto", "float16", "bfloat16")),
    Flag(names=("--model-format",), fact="runtime.quantization", read=_format),
    Flag(names=("--tp",), fact="runtime.tensor_parallel_size", read=whole_number),
    Flag(names=("--dp",), fact="runtime.data_parallel_size", read=whole_number),
    Flag(names=("--ep",), spreads=_experts),
    Flag(names=("--session-len",), fact="runtime.max_model_len", read=whole_number),
    Flag(names=("--max-batch-size",), fact="runtime.max_num_seqs", read=whole_number),
    # The share of memory for the KV cache that is free once the weights are loaded; to 0.2.0 of all memory.
    Flag(names=("--cache-max-entry-count",), fact="runtime.gpu_memory_utilization"),
    Flag(names=("--cache-block-seq-len",), fact="runtime.kv_cache.block_size", read=whole_number),
    Flag(names=("--quant-policy",), spreads=_policy),
    Flag(names=("--enable-prefix-caching",), takes="switch", fact="runtime.prefix_caching"),
    Flag(names=("--max-prefill-token-num",), fact="runtime.max_num_batched_tokens", read=whole_number),
    Flag(names=("--rope-scaling-factor",), fact="runtime.rope_override", key="factor", read=_factor),
    Flag(names=("--adapters",), takes="list", spreads=_adapters),
    Flag(names=("--eager-mode",), takes="switch", fact="runtime.enforce_eager"),
    Flag(names=("--cudagraph-capture-batch-sizes",), takes="list", fact="runtime.cuda_graph.sizes", read=_sizes),
    Flag(names=("--role",), fact="runtime.role", read=_role, choices=("Hybrid", "Prefill", "Decode")),
    Flag(names=("--async",), fact="runtime.async_scheduling", read=_switched),
    Flag(names=("--speculative-algorithm",), fact="runtime.speculative", key="method"),
    Flag(names=("--speculative-draft-model",), fact="runtime.speculative", key="model"),
    Flag(
        names=("--speculative-num-draft-tokens",), fact="runtime.speculative", key="num_speculative_tokens",
        read=whole_number,
    ),
    # Whether the server measures itself: off unless asked for until 0.11, on unless told otherwise since.
    Flag(names=("--enable-metrics",), takes="switch", fact=OTHER, key="metrics", implies="true"),
    Flag(names=("--disable-metrics",), takes="switch", fact=OTHER, key="metrics", implies="false"),
)  # fmt: skip

_IRRELEVANT = {
    "--allow-credentials": _ORIGINS,
    "--allow-origins": _ORIGINS,
    "--allow-methods": _ORIGINS,
    "--allow-headers": _ORIGINS,
    "--log-level": _LOG,
    "--max-log-len": _LOG,
    "--download-dir": _PATHS,
    "--disable-fastapi-docs": "Documentation pages only.",
    "--help": "It prints help and ends.",
}
_LISTS = frozenset(("--allow-origins", "--allow-methods", "--allow-headers", "--allowed-media-domains"))
_SWITCHES = frozenset(
    (
        *("--allow-credentials", "--allow-terminate-by-client", "--enable-abort-handling", "--empty-init", "--share"),
        *("--enable-return-routed-experts", "--language-model-only", "--enable-microbatch"),
        *("--enable-eplb", "--disable-fastapi-docs", "--use-logn-attn", "--disable-vision-encoder", "--help"),
    )
)
_OTHERS = (
    "--allow-terminate-by-client --allowed-media-domains --attn-tp-size --communicator --cp --device "
    "--disable-vision-encoder --dist-init-addr --distributed-executor-backend --dllm-block-length "
    "--dllm-confidence-threshold --dllm-denoising-steps --dllm-unmasking-strategy --dp-rank --empty-init "
    "--enable-abort-handling --enable-eplb --enable-microbatch --enable-return-routed-experts "
    "--instance_num --kernel-block-size --kv-transfer-config --language-model-only --logprobs-mode --max-prefill-iters "
    "--meta-instruction --cap --migration-backend --mlp-tp-size --moe-a2a-backend --moe-tp-size --nnodes --node-rank "
    "--num-gpu-blocks --num-tokens-per-iter --piecewise-cudagraph-max-tokens --prefix-cache-decode-state-interval "
    "--prefix-cache-state-budget --proxy-url --qos-config-path --share --speculative-dflash-block-size --batch-size "
    "--thread-num --use-logn-attn --vision-max-batch-size --image-token --system-prompt"
)

FLAGS: tuple[Flag, ...] = (
    *_FACTS,
    *(
        Flag(
            names=(name, "-h") if name == "--help" else (name,), irrelevant=reason,
            takes="list" if name in _LISTS else "switch" if name in _SWITCHES else "value",
        )
        for name, reason in _IRRELEVANT.items()
    ),
    *(
        Flag(
            names=(name,), fact=OTHER, key=name,
            takes="list" if name in _LISTS else "switch" if name in _SWITCHES else "value",
        )
        for name in _OTHERS.split()
    ),
)  # fmt: skip
