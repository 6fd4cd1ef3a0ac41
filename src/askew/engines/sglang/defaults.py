"""What SGLang does where nothing is written: literal defaults as observations, computed ones as rules.

Sources: ``versions/<release>.json``, ``versions/stable.json``, and of release 0.5.23 ``memory_hook.py``,
``serving_hook.py``, ``attention_hook.py`` of ``sglang/srt/arg_groups`` and ``sglang/srt/configs/model_config.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeAlias

from askew.engines import versions
from askew.engines.flags import Flag
from askew.engines.sglang.flags import flags
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.rule import Rule

Compute: TypeAlias = Callable[[Mapping[str, Value]], Value | Unknown]

# None there means "there is none", not "decide later".
_NONE_IS_NONE = frozenset(
    ("runtime.reasoning_parser", "runtime.tool_call_parser", "runtime.seed", "model.chat_template.source")
)
# Facts whose default is a literal; the other arguments have rules below, or their default is no statement.
_LITERAL = frozenset(
    (
        "model.tokenizer.mode",
        "model.trust_remote_code",
        "serving.port",
        "serving.listen_host",
        "runtime.load_format",
        "runtime.tensor_parallel_size",
        "runtime.pipeline_parallel_size",
        "runtime.data_parallel_size",
        "runtime.prefix_caching",
        "runtime.cpu_offload.bytes",
        "runtime.generation_config",
        "runtime.role",
        "runtime.async_scheduling",
        "runtime.scheduler",
        "runtime.lora.max_adapters",
        "runtime.warmup",
        *_NONE_IS_NONE,
    )
)
# Absent in every release unless written; what an argument without default says by being absent.
_ABSENT: tuple[tuple[str, Value], ...] = (
    ("runtime.speculative", None),
    ("runtime.arguments.unmapped", {}),
    ("runtime.env", {}),
    ("runtime.hf_overrides", None),
    ("serving.api_key_required", False),
    ("serving.tls", False),
    ("serving.protocol", "http"),
)
_NOT_KNOWN: tuple[tuple[str, str], ...] = (
    ("runtime.max_num_seqs", "computed at start from the size of the KV cache"),
    (
        "runtime.gpu_memory_utilization",
        "computed at start from GPU memory, prefill chunk, CUDA graphs, parallelism and the kind of model",
    ),
    ("runtime.attention_backend", "chosen at start from the GPU and the model's architecture"),
)
_READ = "GET /get_server_info, or the server_args line of the start-up log"
# Releases whose source was read for this: earlier ones size chunks differently on GPUs of 24 and 32 GB.
_CHUNKS_READ_IN = ("0.5.23",)
# ``_A2A_EP_SPANNING_BACKENDS`` of ``arg_groups/overrides.py``.
_EXCHANGES = frozenset(
    (
        "deepep",
        "deepep_v2",
        "mooncake",
        "nixl",
        "mori",
        "ascend_fuseep",
        "flashinfer",
        "flashinfer_megamoe",
        "megamoe",
        "pplx",
    )
)
_EAGER = ("torch_native", "flex_attention")


@functools.lru_cache(maxsize=8)
def defaults(version: str | None) -> tuple[Observation, ...]:
    """The literal defaults of a release; where it is not in this build, those that never changed."""
    release = versions.load("sglang", version)
    stable = versions.stable("sglang")
    found: list[Observation] = []
    for flag in flags()[0]:
        if flag.fact not in _LITERAL or flag.until:
            continue
        name = flag.names[0]
        if release is not None:
            entry = release.arguments.get(name)
            if entry is None or (entry.kind == "rule" and flag.fact not in _NONE_IS_NONE):
                continue
            raw, where = entry.value, release.where(entry)
        elif stable is not None and name in stable.defaults:
            if flag.since and not versions.has(flag.since, "", version, stable.releases):
                continue
            raw, where = stable.defaults[name], stable.where
        else:
            if flag.fact in _NONE_IS_NONE and stable is not None:
                found.append(_default(flag.fact, "", None, stable.where))
            continue
        if raw is not None or flag.fact in _NONE_IS_NONE:
            found.append(_default(flag.fact, flag.key, _canonical(flag, raw), where))
    cited = Location("sglang server_args.py")
    found.extend(_default(fact, "", value, cited) for fact, value in _ABSENT)
    found.extend(_default(fact, "", Unknown(reason, _READ), cited) for fact, reason in _NOT_KNOWN)
    return tuple(found)


def _default(fact: str, key: str, value: Value | Unknown, where: Location) -> Observation:
    return Observation(fact=fact, key=key, value=value, origin="engine-default", locations=(where,))


def _canonical(flag: Flag, raw: Value) -> Value:
    from askew.facts.catalogue import fact

    if raw is None:
        return None
    if flag.takes == "switch" and isinstance(raw, bool):
        value: Value = flag.implies if raw else not flag.implies
    else:
        value = flag.read((str(raw),)) if flag.read is not None else raw
    if not flag.key:
        return fact(flag.fact).type.parse(value)
    parsed = fact(flag.fact).type.parse({flag.key: value})
    return parsed[flag.key] if isinstance(parsed, dict) else parsed


def _rule(
    fact: str,
    needs: tuple[str, ...],
    compute: Compute,
    because: str,
    *,
    uses: tuple[str, ...] = (),
    confidence: Confidence = "certain",
) -> Rule:
    return Rule(fact=fact, needs=needs, compute=compute, because=because, uses=uses, confidence=confidence)


def _same_as(fact: str) -> Compute:
    return lambda known: known[fact]


def _names(known: Mapping[str, Value]) -> Value:
    return [known["model.id"]]


def _dtype(known: Mapping[str, Value]) -> Value | Unknown:
    """``_get_and_verify_dtype``: float32 checkpoints run in float16, those of Gemma in bfloat16."""
    stored = known["model.config.dtype"]
    if stored not in (None, "float32"):
        return stored
    architecture = known.get("model.architecture")
    if architecture is None:
        return Unknown("depends on model.architecture: float32 checkpoints run in float16, Gemma's in bfloat16", _READ)
    return "bfloat16" if str(architecture).lower().startswith("gemma") else "float16"


def _quantization(known: Mapping[str, Value]) -> Value:
    stored = known["model.quantization"]
    method = stored.get("method") if isinstance(stored, dict) else stored
    return method if isinstance(method, str) and method else "none"


def _eager(known: Mapping[str, Value]) -> Value:
    return known.get("runtime.attention_backend") in _EAGER


def _experts(known: Mapping[str, Value]) -> Value:
    """``_a2a_ep_size``: these ways of exchanging tokens set the expert parallel size to the tensor parallel one."""
    options = known.get("runtime.arguments.unmapped")
    exchange = options.get("--moe-a2a-backend") if isinstance(options, dict) else None
    return exchange in _EXCHANGES and (known.get("runtime.tensor_parallel_size") or 1) != 1


def _chunked(known: Mapping[str, Value]) -> Value:
    return True


def _budget(known: Mapping[str, Value]) -> Value | Unknown:
    """``handle_gpu_memory_settings`` of 0.5.23: by the memory of the smallest GPU, as nvidia-smi counts it."""
    if known.get("runtime.chunked_prefill") is False:
        return Unknown("without chunks --max-prefill-tokens and the context length bound a prefill step", _READ)
    memory = known["hardware.gpu.memory.bytes"]
    if not isinstance(memory, (int, float)) or memory <= 0:
        return Unknown("depends on the memory of the GPU, which no source shows", "nvidia-smi --query-gpu=memory.total")
    gib = memory / 2**30
    for below, size in ((20, 2048), (60, 4096), (160, 8192)):
        if gib < below:
            return size
    return 16384


def _lora_rank(known: Mapping[str, Value]) -> Value | Unknown:
    if known.get("runtime.lora.enabled"):
        return Unknown("taken from the adapters when the server starts", _READ)
    return None


def _sampling(known: Mapping[str, Value]) -> Value | Unknown:
    engine: dict[str, Value] = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    if known["runtime.generation_config"] == "engine":
        return engine
    stored = known.get("model.generation.sampling_defaults")
    if not isinstance(stored, dict):
        return Unknown("taken from the model's generation_config.json, which no source shows", _READ)
    return {**engine, **{key: value for key, value in stored.items() if key in engine}}


_RULES: tuple[Rule, ...] = (
    _rule(
        "model.tokenizer.source",
        ("model.id",),
        _same_as("model.id"),
        "without --tokenizer-path the tokenizer comes with the model",
    ),
    _rule("model.served_names", ("model.id",), _names, "without --served-model-name clients use the model's path"),
    _rule(
        "model.tokenizer.revision",
        ("model.revision",),
        _same_as("model.revision"),
        "SGLang loads the tokenizer at --revision",
    ),
    _rule(
        "runtime.dtype",
        ("model.config.dtype",),
        _dtype,
        "without --dtype the checkpoint's own, float32 halved",
        uses=("model.architecture",),
    ),
    _rule(
        "runtime.kv_cache.dtype",
        ("runtime.dtype",),
        _same_as("runtime.dtype"),
        "without --kv-cache-dtype the cache has the dtype of the model",
        confidence="likely",
    ),
    _rule(
        "runtime.quantization",
        ("model.quantization",),
        _quantization,
        "without --quantization the checkpoint's own method",
    ),
    _rule(
        "runtime.max_model_len",
        ("model.context_length",),
        _same_as("model.context_length"),
        "without --context-length the model's own",
    ),
    _rule(
        "runtime.enforce_eager",
        (),
        _eager,
        "CUDA graphs are on; two attention backends switch them off",
        uses=("runtime.attention_backend",),
        confidence="likely",
    ),
    _rule(
        "runtime.chunked_prefill",
        (),
        _chunked,
        "long prompts are processed in chunks unless --chunked-prefill-size is -1",
        confidence="likely",
    ),
    _rule(
        "runtime.expert_parallel",
        (),
        _experts,
        "without --ep-size experts are split, except with a token exchange for experts",
        uses=("runtime.arguments.unmapped", "runtime.tensor_parallel_size"),
        confidence="likely",
    ),
    _rule("runtime.lora.enabled", (), lambda known: False, "LoRA is on with --enable-lora or --lora-paths only"),
    _rule(
        "runtime.lora.max_rank",
        (),
        _lora_rank,
        "without --max-lora-rank the largest rank of the adapters",
        uses=("runtime.lora.enabled",),
    ),
)


@functools.lru_cache(maxsize=16)
def default_rules(version: str | None, switched: frozenset[str]) -> tuple[Rule, ...]:
    """The computed defaults of a release; ``switched`` are given arguments that change how they are computed."""
    found = list(_RULES)
    if version in _CHUNKS_READ_IN and not switched:
        found.append(
            _rule(
                "runtime.max_num_batched_tokens",
                ("hardware.gpu.memory.bytes",),
                _budget,
                "without --chunked-prefill-size the chunk follows the memory of the GPU",
                uses=("runtime.chunked_prefill",),
                confidence="likely",
            )
        )
    else:
        reason = (
            f"computed at start; {', '.join(sorted(switched))} changes how"
            if switched and version in _CHUNKS_READ_IN
            else "computed at start from the memory of the GPU, by rules of the release that are not in this build"
        )
        found.append(
            _rule(
                "runtime.max_num_batched_tokens",
                (),
                lambda known: Unknown(reason, _READ),
                "without --chunked-prefill-size the chunk follows the memory of the GPU",
            )
        )
    stable = versions.stable("sglang")
    if stable is not None and version is not None and versions.release_key(version) >= (0, 5, 4):
        found.append(
            _rule(
                "runtime.sampling_defaults",
                ("runtime.generation_config",),
                _sampling,
                "--sampling-defaults says where they come from",
                uses=("model.generation.sampling_defaults",),
            )
        )
    else:
        unread = "depends on the release of SGLang and on the model's generation_config.json"
        found.append(
            _rule("runtime.sampling_defaults", (), lambda known: Unknown(unread, _READ), "by the release and the model")
        )
    return tuple(found)
