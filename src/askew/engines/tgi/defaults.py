"""What TGI does where nothing is written: literal defaults as observations, computed ones as rules.

Sources: ``versions/3.3.7.json``, ``versions/stable.json``; ``resolve_attention``, ``find_num_shards`` and ``main`` of
https://github.com/huggingface/text-generation-inference/blob/v3.3.7/launcher/src/main.rs, and ``get_model`` of
``server/text_generation_server/models/__init__.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from askew.engines import versions
from askew.engines.tgi.flags import FLAGS
from askew.evidence.launch import Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.images import read_image
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.rule import Rule

Compute: TypeAlias = Callable[[Mapping[str, Value]], Value | Unknown]

# Which build an image holds. plain: no image of Hugging Face, so nothing is known of its variables.
Build: TypeAlias = Literal["nvidia", "rocm", "intel", "gaudi", "neuron", "plain"]

_LITERAL = frozenset(
    (
        "model.trust_remote_code",
        "serving.max_body.bytes",
        "runtime.max_concurrent_requests",
        "runtime.scheduler",
        "runtime.gpu_memory_utilization",
        "runtime.max_input_tokens",
    )
)
_ABSENT: tuple[tuple[str, Value], ...] = (
    ("runtime.speculative", None),
    ("runtime.arguments.unmapped", {}),
    ("runtime.env", {}),
    ("runtime.rope_override", None),
    ("serving.api_key_required", False),
    ("serving.protocol", "http"),
    ("model.chat_template.source", None),
)
_INFO = "curl -s $URL/info"
_NOT_KNOWN: tuple[tuple[str, str], ...] = (
    ("runtime.max_model_len", "decided at warm-up from free GPU memory and the model's max_position_embeddings"),
    ("runtime.max_batch_total_tokens", "decided at warm-up from free GPU memory"),
    (
        "runtime.max_num_batched_tokens",
        "computed at start from the GPU's speed and memory and the sizes of the model; 4096 where these are not known",
    ),
)
_HEADS = (64, 128, 256)
_HALF = frozenset(("awq", "exl2", "gptq", "marlin"))
_NO_GRAPHS = frozenset(("bitsandbytes", "exl2"))
_GRAPHS: list[Value] = [1, 2, 4, 8, 16, 32]
_BRAIN_FLOAT = (
    "gemma",
    "qwen2_vl",
    "qwen2vl",
    "qwen2_5_vl",
    "qwen2_5vl",
    "mllama",
    "idefics",
    "paligemma",
    "llama4",
    "phimoe",
)


def build(image: Token | None) -> Build:
    """Which build an image holds, by its repository and tag."""
    reference = read_image(image)
    if reference is None:
        return "plain"
    name, tag = reference.repository.rpartition("/")[2], reference.tag or ""
    if "gaudi" in name or "gaudi" in tag:
        return "gaudi"
    if "neuron" in name or "neuron" in tag:
        return "neuron"
    if name != "text-generation-inference":
        return "plain"
    words = tag.split("-")
    return "rocm" if "rocm" in words else "intel" if "intel" in words or "cpu" in words else "nvidia"


@functools.lru_cache(maxsize=16)
def defaults(version: str | None, made: Build) -> tuple[Observation, ...]:
    """The literal defaults of a release; where it is not in this build of Askew, those that never changed."""
    release = versions.load("tgi", version)
    stable = versions.stable("tgi")
    found: list[Observation] = []
    for flag in FLAGS:
        if flag.fact not in _LITERAL or flag.until:
            continue
        name = flag.names[0]
        if release is not None and name in release.arguments:
            entry = release.arguments[name]
            raw, where = entry.value, release.where(entry)
            if entry.kind == "rule":
                continue
        elif release is None and stable is not None and name in stable.defaults:
            if not versions.has(flag.since, flag.until, version, stable.releases) or (version is None and flag.since):
                continue
            raw, where = stable.defaults[name], stable.where
        else:
            continue
        if raw is not None:
            found.append(_default(flag.fact, flag.key, _canonical(flag.fact, flag.key, raw), where))
    cited = Location("tgi launcher/src/main.rs")
    absent = list(_ABSENT)
    if made == "plain":
        absent.append(("serving.port", 3000))
    elif made != "neuron":
        # The images of Hugging Face set PORT=80. https://github.com/huggingface/text-generation-inference, Dockerfile
        found.append(_default("serving.port", "", 80, Location("tgi Dockerfile")))
    if version is not None and versions.release_key(version) >= (2, 0, 0):
        absent.append(("runtime.max_input_tokens", None))
    if release is not None:
        absent.append(("runtime.default_output_tokens", "unlimited"))
        if made in ("nvidia", "rocm", "plain"):
            absent.append(("runtime.max_num_seqs", None))
    found.extend(_default(fact, "", value, cited) for fact, value in absent)
    found.extend(_default(fact, "", Unknown(reason, _INFO), cited) for fact, reason in _NOT_KNOWN)
    return tuple(found)


def _default(fact: str, key: str, value: Value | Unknown, where: Location) -> Observation:
    hop = "engine" if fact == "serving.max_body.bytes" else ""
    return Observation(fact=fact, key=key, value=value, origin="engine-default", locations=(where,), hop=hop)


def _canonical(fact_key: str, key: str, raw: Value) -> Value:
    from askew.facts.catalogue import fact

    parsed = fact(fact_key).type.parse({key: raw} if key else raw)
    return parsed[key] if key and isinstance(parsed, dict) else parsed


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


def _shards(known: Mapping[str, Value]) -> Value | Unknown:
    """``find_num_shards``: the devices that CUDA_VISIBLE_DEVICES lists, else those that the container has."""
    variables = known.get("runtime.env")
    listed = variables.get("CUDA_VISIBLE_DEVICES") if isinstance(variables, dict) else None
    if isinstance(listed, str) and listed.strip():
        return len(listed.split(","))
    count = known.get("hardware.gpu.count")
    if isinstance(count, int):
        return max(count, 1)
    return Unknown("all GPUs that the container has, and no source shows how many", "nvidia-smi -L")


def _dtype(known: Mapping[str, Value]) -> Value | Unknown:
    method, architecture = known.get("runtime.quantization"), known.get("model.architecture")
    if method in _HALF:
        return "float16"
    if isinstance(architecture, str):
        return "bfloat16" if architecture.lower().startswith(_BRAIN_FLOAT) else "float16"
    return Unknown("float16 for most architectures, bfloat16 for some; no source shows the model's", _INFO)


def _quantization(known: Mapping[str, Value]) -> Value:
    stored = known["model.quantization"]
    method = stored.get("method") if isinstance(stored, dict) else stored
    return method if isinstance(method, str) and method else "none"


def _attention(known: Mapping[str, Value]) -> Value | Unknown:
    """``resolve_attention``: flashinfer for head sizes it knows, else flash decoding, or paged before Ampere."""
    geometry = known["model.kv_geometry"]
    head = geometry.get("head_dim") if isinstance(geometry, dict) else None
    architecture = str(known.get("model.architecture") or "").lower()
    if head in _HEADS and not architecture.startswith(("falcon", "deepseek")):
        return "flashinfer"
    capability = known.get("hardware.gpu.compute_capability")
    try:
        major = float(str(capability))
    except ValueError:
        return Unknown(
            "depends on the compute capability of the GPU, which no source shows", "nvidia-smi --query-gpu=compute_cap"
        )
    return "flashdecoding" if major >= 8 else "paged"


def _prefixes(known: Mapping[str, Value]) -> Value | Unknown:
    """``resolve_attention``: on, but not with paged attention, LoRA adapters, vision parts or unusual head sizes."""
    if known.get("runtime.attention_backend") == "paged" or known.get("runtime.lora.enabled") is True:
        return False
    return Unknown(
        "on unless the model has a vision part, an encoder and a decoder, or a head size other than 64, 128 and 256; "
        "no source shows the model's configuration",
        'the launcher logs "Using attention … - Prefix caching …"',
    )


def _chunks(known: Mapping[str, Value]) -> Value:
    return known["runtime.attention_backend"] != "paged"


def _block(known: Mapping[str, Value]) -> Value | Unknown:
    size = {"flashdecoding": 256, "flashinfer": 1, "paged": 16}.get(str(known["runtime.attention_backend"]))
    return size if size is not None else Unknown("depends on the attention backend", _INFO)


def _graph_sizes(known: Mapping[str, Value]) -> Value:
    return [] if known.get("runtime.quantization") in _NO_GRAPHS else list(_GRAPHS)


def _eager(known: Mapping[str, Value]) -> Value:
    return known.get("runtime.quantization") in _NO_GRAPHS


_ALWAYS: tuple[Rule, ...] = (
    _rule(
        "model.tokenizer.revision",
        ("model.revision",),
        lambda known: known["model.revision"],
        "TGI loads the tokenizer at --revision",
    ),
    _rule(
        "runtime.tensor_parallel_size",
        (),
        _shards,
        "without --num-shard TGI takes every GPU it sees",
        uses=("hardware.gpu.count", "runtime.env"),
        confidence="likely",
    ),
    _rule(
        "runtime.quantization",
        ("model.quantization",),
        _quantization,
        "without --quantize the checkpoint's own method",
        confidence="likely",
    ),
    _rule(
        "runtime.dtype",
        (),
        _dtype,
        "without --dtype the model class decides",
        uses=("runtime.quantization", "model.architecture"),
        confidence="likely",
    ),
    _rule(
        "runtime.kv_cache.dtype",
        ("runtime.dtype",),
        lambda known: known["runtime.dtype"],
        "without --kv-cache-dtype the cache has the dtype of the model",
        confidence="likely",
    ),
    _rule("runtime.lora.enabled", (), lambda known: False, "LoRA is on with --lora-adapters only"),
)

_READ_IN_3: tuple[Rule, ...] = (
    _rule(
        "runtime.attention_backend",
        ("model.kv_geometry",),
        _attention,
        "by the head size and the GPU",
        uses=("model.architecture", "hardware.gpu.compute_capability"),
        confidence="likely",
    ),
    _rule(
        "runtime.prefix_caching",
        (),
        _prefixes,
        "by the attention backend, LoRA and the kind of model",
        uses=("runtime.attention_backend", "runtime.lora.enabled"),
        confidence="likely",
    ),
    _rule(
        "runtime.chunked_prefill",
        ("runtime.attention_backend",),
        _chunks,
        "on unless attention is paged",
        confidence="likely",
    ),
    _rule(
        "runtime.kv_cache.block_size",
        ("runtime.attention_backend",),
        _block,
        "each attention backend has its own",
        confidence="likely",
    ),
    _rule(
        "runtime.cuda_graph.sizes",
        (),
        _graph_sizes,
        "without --cuda-graphs the powers of two up to 32",
        uses=("runtime.quantization",),
        confidence="likely",
    ),
    _rule(
        "runtime.enforce_eager",
        (),
        _eager,
        "CUDA graphs are on except with bitsandbytes and exl2",
        uses=("runtime.quantization",),
        confidence="likely",
    ),
)


def _always(value: Value) -> Compute:
    return lambda known: value


def _undecided(reason: str) -> tuple[Rule, ...]:
    return tuple(
        _rule(fact, (), lambda known: Unknown(reason, _INFO), "decided at start")
        for fact in (
            "runtime.attention_backend",
            "runtime.prefix_caching",
            "runtime.chunked_prefill",
            "runtime.enforce_eager",
        )
    )


# What the image for Gaudi sets: https://github.com/huggingface/text-generation-inference/blob/v3.3.7/Dockerfile_gaudi
_GAUDI: tuple[Rule, ...] = tuple(
    _rule(fact, (), _always(value), "set by the image for Gaudi", confidence="likely")
    for fact, value in (
        ("runtime.attention_backend", "paged"),
        ("runtime.prefix_caching", False),
        ("runtime.chunked_prefill", False),
    )
)


@functools.lru_cache(maxsize=16)
def default_rules(version: str | None, made: Build) -> tuple[Rule, ...]:
    """The computed defaults of a release in one of its builds."""
    if versions.load("tgi", version) is None:
        return (*_ALWAYS, *_undecided("decided at start by rules of the release, which are not in this build of Askew"))
    if made == "gaudi":
        return (*_ALWAYS, *_GAUDI)
    if made in ("intel", "neuron"):
        return (
            *_ALWAYS,
            *_undecided("decided at start by rules for this hardware, which are not in this build of Askew"),
        )
    return (*_ALWAYS, *_READ_IN_3)
