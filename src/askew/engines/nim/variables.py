"""NIM's variables as data, and what a model profile states.

Sources: "Configure Your NIM" at https://docs.nvidia.com/nim/large-language-models/1.12.0/configuration.html and its
older versions; "Environment Variables" and "Advanced Configuration" below
https://docs.nvidia.com/nim/large-language-models/2.1.6/reference; "Model Profiles" and "NIM Container Variants" at
https://docs.nvidia.com/nim/large-language-models/latest/profiles.html and beside it; the pages of the NIMs for
embedding, reranking and vision at https://docs.nvidia.com/nim.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from askew.engines.flags import Flag, whole_number
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
Parts = tuple[tuple[str, str, Value], ...]

BACKENDS = {
    "tensorrt_llm": "tensorrt-llm", "trtllm": "tensorrt-llm", "tensorrt-llm": "tensorrt-llm", "vllm": "vllm",
    "sglang": "sglang",
}  # fmt: skip
# Numbers in which weights are stored as they are; every other precision is a quantization.
_PLAIN = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
_QUANTIZED = frozenset(
    ("fp8", "nvfp4", "fp4", "mxfp4", "int8", "int4", "int8wo", "int4_awq", "awq", "gptq", "w4a16", "w8a8", "int4-awq")
)
_HASH = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"(tp|pp)(\d{1,4})")
_GOALS = frozenset(("throughput", "latency", "balanced"))


def is_hash(profile: str) -> bool:
    """Whether a profile is named by the digest of its content, which says nothing of it."""
    return _HASH.fullmatch(profile.strip().lower()) is not None


def profile(words: tuple[str, ...]) -> Parts:
    """What the readable name of a profile states: ``tensorrt_llm-h100-fp8-tp2-pp1-throughput``, ``vllm-bf16-tp1``."""
    text = words[0].strip()
    if not text or is_hash(text):
        return ()
    found: list[tuple[str, str, Value]] = []
    first, *rest = text.split("-")
    if first.lower() not in BACKENDS:
        return ((OTHER, "NIM_MODEL_PROFILE", text),)
    found.append(("runtime.engine.backend", "", BACKENDS[first.lower()]))
    for place, part in enumerate(rest):
        found.extend(_tag(part.lower(), place))
    return tuple(found)


def _tag(part: str, place: int) -> Parts:
    size = _SIZE.fullmatch(part)
    if size is not None:
        kind = "tensor" if size[1] == "tp" else "pipeline"
        return ((f"runtime.{kind}_parallel_size", "", int(size[2])),)
    if part in _PLAIN or part in _QUANTIZED:
        return precision(part)
    if part in _GOALS:
        return ((OTHER, "profile", part),)
    if part in ("lora", "feat_lora"):
        return (("runtime.lora.enabled", "", True),)
    gpu = gpus(part) if place == 0 else None
    return () if gpu is None else (("hardware.gpu.model", "", gpu),)


def precision(word: str) -> Parts:
    """The dtype of the weights, or how they are quantized."""
    if word in _PLAIN:
        return (("runtime.dtype", "", _PLAIN[word]), ("runtime.quantization", "", "none"))
    return (("runtime.quantization", "", {"int4_awq": "awq", "int4-awq": "awq"}.get(word, word)),)


def gpus(word: str) -> Value:
    """The GPUs that a profile was made for, or None where the word names none."""
    from askew.knowledge.gpus import gpu

    try:
        return [*sorted(gpu(word))]
    except ValueError:
        return None


def selector(words: tuple[str, ...]) -> Parts:
    """``NIM_TAGS_SELECTOR``: ``key=value`` joined by commas; only profiles with these tags are chosen from."""
    found: list[tuple[str, str, Value]] = []
    for part in words[0].split(","):
        key, sign, word = (text.strip().lower() for text in part.partition("="))
        if not sign or not key:
            continue
        if key in ("llm_engine", "backend", "engine") and word in BACKENDS:
            found.append(("runtime.engine.backend", "", BACKENDS[word]))
        elif key == "precision" and word:
            found.extend(precision(word))
        elif key in ("tp", "pp") and word.isascii() and word.isdigit():
            found.append((f"runtime.{'tensor' if key == 'tp' else 'pipeline'}_parallel_size", "", int(word[:9])))
        elif key == "gpu" and gpus(word) is not None:
            found.append(("hardware.gpu.model", "", gpus(word)))
        elif key == "feat_lora":
            found.append(("runtime.lora.enabled", "", word in ("true", "1")))
        else:
            found.append((OTHER, "profile" if key == "profile" else f"NIM_TAGS_SELECTOR {key}", word))
    return tuple(found)


def _model(words: tuple[str, ...]) -> Parts:
    """A folder, or a name at a hub: ``hf://org/name``, ``ngc://org/team/model:version``."""
    text = words[0].strip()
    return (("model.source", "", text), ("model.id", "", text.removeprefix("hf://"))) if text else ()


def _names(words: tuple[str, ...]) -> Value:
    return [part.strip() for part in words[0].split(",") if part.strip()]


def _truth(words: tuple[str, ...]) -> Value:
    word = words[0].strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(f"expected 1 or 0, got {words[0]!r}")


def _tls(words: tuple[str, ...]) -> Value:
    return words[0].strip().upper() in ("TLS", "MTLS")


def _adapters(words: tuple[str, ...]) -> Parts:
    text = words[0].strip()
    return (("runtime.lora.enabled", "", True), (OTHER, "NIM_PEFT_SOURCE", text)) if text else ()


def _backend(words: tuple[str, ...]) -> Value:
    return BACKENDS.get(words[0].strip().lower(), words[0].strip().lower())


def _sglang(words: tuple[str, ...]) -> Parts:
    return (("runtime.engine.backend", "", "sglang"),) if _truth(words) else ()


VARIABLES: tuple[Flag, ...] = (
    Flag(names=("NIM_MODEL_PROFILE",), spreads=profile),
    Flag(names=("NIM_TAGS_SELECTOR",), spreads=selector),
    Flag(names=("NIM_MODEL_NAME",), spreads=_model),
    Flag(names=("NIM_MODEL_PATH",), spreads=_model),
    Flag(names=("NIM_SERVED_MODEL_NAME",), fact="model.served_names", read=_names),
    Flag(names=("NIM_TENSOR_PARALLEL_SIZE",), fact="runtime.tensor_parallel_size", read=whole_number),
    Flag(names=("NIM_PIPELINE_PARALLEL_SIZE",), fact="runtime.pipeline_parallel_size", read=whole_number),
    Flag(names=("NIM_MAX_MODEL_LEN",), fact="runtime.max_model_len", read=whole_number),
    # A share of memory for the KV cache; of which memory is the engine's matter.
    Flag(names=("NIM_KVCACHE_PERCENT",), fact="runtime.gpu_memory_utilization"),
    Flag(names=("NIM_ENABLE_KV_CACHE_REUSE",), fact="runtime.prefix_caching", read=_truth),
    Flag(names=("NIM_DISABLE_CUDA_GRAPH",), fact="runtime.enforce_eager", read=_truth),
    Flag(
        names=("NIM_DISABLE_OVERLAP_SCHEDULING",), fact="runtime.async_scheduling",
        read=lambda words: not _truth(words),
    ),
    Flag(names=("NIM_SCHEDULER_POLICY",), fact="runtime.scheduler", key="policy"),
    Flag(names=("NIM_PEFT_SOURCE",), spreads=_adapters),
    Flag(names=("NIM_MAX_LORA_RANK",), fact="runtime.lora.max_rank", read=whole_number),
    Flag(names=("NIM_MAX_GPU_LORAS",), fact="runtime.lora.max_adapters", read=whole_number),
    Flag(names=("NIM_FORCE_TRUST_REMOTE_CODE",), fact="model.trust_remote_code", read=_truth),
    Flag(names=("NIM_TRUST_CUSTOM_CODE",), fact="model.trust_remote_code", read=_truth),
    Flag(names=("NIM_TOKENIZER_MODE",), fact="model.tokenizer.mode"),
    Flag(names=("NIM_MODEL_TOKENIZER",), fact="model.tokenizer.source"),
    Flag(names=("NIM_CHAT_TEMPLATE",), fact="model.chat_template.source"),
    Flag(names=("NIM_TOOL_CALL_PARSER",), fact="runtime.tool_call_parser"),
    Flag(names=("NIM_GUIDED_DECODING_BACKEND",), fact="runtime.structured_output_backend"),
    Flag(names=("NIM_OPTIMIZED_BACKEND",), fact="runtime.engine.backend", read=_backend),
    Flag(names=("NIM_USE_SGLANG",), spreads=_sglang),
    Flag(names=("NIM_SERVER_PORT",), fact="serving.port"),
    Flag(names=("NIM_HTTP_API_PORT",), fact="serving.port"),
    Flag(names=("NIM_SSL_MODE",), fact="serving.tls", read=_tls),
    Flag(
        names=("NIM_TRITON_MAX_BATCH_SIZE",), fact="runtime.dynamic_batching", key="max_batch_size", read=whole_number,
    ),
    Flag(
        names=("NIM_TRITON_DYNAMIC_BATCHING_MAX_QUEUE_DELAY_MICROSECONDS",), fact="runtime.dynamic_batching",
        key="max_queue_delay_microseconds", read=whole_number,
    ),
)  # fmt: skip

_REASONS: Mapping[str, str] = {
    "where models are kept and how they are fetched": "NIM_CACHE_PATH NIM_REPOSITORY_OVERRIDE "
    "NIM_DISABLE_MODEL_DOWNLOAD NIM_IGNORE_MODEL_DOWNLOAD_FAIL NIM_SDK_* NIM_PROXY_CONNECTIVITY_TARGETS "
    "NIM_MANIFEST_PATH NIM_MANIFEST_ALLOW_UNSAFE NIM_PEFT_REFRESH_INTERVAL",
    "log output, traces and telemetry": "NIM_LOG_LEVEL NIM_JSONL_LOGGING NIM_LOGGING_JSONL NIM_DISABLE_LOG_REQUESTS "
    "NIM_ENABLE_OTEL NIM_OTEL_* NIM_TRITON_LOG_VERBOSE NIM_TELEMETRY_MODE NIM_PER_REQ_METRICS_ENABLE NIM_LOG_*",
    "files of TLS; whether TLS is on is read from NIM_SSL_MODE": "NIM_SSL_KEY_PATH NIM_SSL_CERTS_PATH "
    "NIM_SSL_CERT_PATH NIM_SSL_CA_CERTS_PATH",
    "how the members of a group find each other": "NIM_LEADER_ROLE NIM_LEADER_IP_ADDRESS NIM_NODE_RANK "
    "NIM_MPI_ALLOW_RUN_AS_ROOT NIM_MULTI_NODE NIM_NUM_COMPUTE_NODES NIM_MPI_*",
    "of charts and scripts around the container, which does not read it": "NIM_IMAGE NIM_TAG NIM_CONTAINER_TAG "
    "NIM_CONTAINER_NAME NIM_NGC_ORG NIM_MODEL NIM_HOST NIM_PORT NIM_URL NIM_BASE_URL NIM_API_KEY NIM_ENDPOINT",
    "a port of monitoring or between the processes of one container": "NIM_HEALTH_PORT NIM_METRICS_PORT "
    "NIM_GRPC_API_PORT NIM_TRITON_GRPC_PORT NIM_TRITON_HTTP_PORT NIM_TRITON_METRICS_PORT",
}
INERT: tuple[str, ...] = tuple(name for names in _REASONS.values() for name in names.split())

# Documented, or used in published manifests, and no fact says what they do, or no page which: compared as text, with
# the environment.
_READS = (
    "NIM_CUSTOM_GUIDED_DECODING_BACKENDS NIM_CUSTOM_MODEL_NAME NIM_ENABLE_BUDGET_CONTROL NIM_ENABLE_DP_ATTENTION "
    "NIM_ENABLE_KV_CACHE_HOST_OFFLOAD NIM_KV_CACHE_HOST_MEM_FRACTION NIM_ENABLE_PROMPT_LOGPROBS "
    "NIM_FORCE_DETERMINISTIC NIM_FT_MODEL NIM_FT_* NIM_LOW_MEMORY_MODE NIM_MAX_CPU_LORAS NIM_NUM_KV_CACHE_SEQ_LENS "
    "NIM_RELAX_MEM_CONSTRAINTS NIM_REWARD_* NIM_USE_API_TRANSFORM_SHIM NIM_ENABLE_AUTO_TOOL_CHOICE "
    "NIM_TOOL_PARSER_PLUGIN NIM_MAX_IMAGES_PER_PROMPT NIM_MAX_VIDEOS_PER_PROMPT NIM_VIDEO_* NIM_IMAGE_* "
    "NIM_TRITON_RATE_LIMIT NIM_TRITON_CUDA_MEMORY_POOL_MB NIM_TRITON_CPU_THREADS_PRE_PROCESSOR "
    "NIM_TRITON_CPU_THREADS_POST_PROCESSOR NIM_TRITON_MAX_QUEUE_SIZE NIM_TRITON_MODEL_BATCH_SIZE "
    "NIM_TRITON_PERFORMANCE_MODE NIM_TRITON_REQUEST_TIMEOUT NIM_TRITON_WORKER_INSTANCE_COUNT NIM_TRITON_* "
    "NIM_NUM_MODEL_INSTANCES NIM_NUM_TOKENIZERS NIM_TRT_ENGINE_HOST_CODE_ALLOWED NIM_ENABLE_* NIM_DISABLE_* "
    "NIM_MAX_BATCH_SIZE NIM_MAX_NUM_SEQS NIM_GPU_MEM_FRACTION "
    "NIM_PASSTHROUGH_ARGS NIM_EXTRA_ARGS NIM_HTTP_* NIM_THINKING_* NIM_REASONING_*"
)
READS: tuple[str, ...] = tuple(_READS.split())
