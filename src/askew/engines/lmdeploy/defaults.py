"""What LMDeploy does where nothing is written: literal defaults as observations, computed ones as rules.

Sources, in the packages at https://pypi.org/project/lmdeploy/#history: ``versions/history.json`` for literals;
``autoget_backend`` of ``lmdeploy/archs.py``, ``get_max_batch_size`` of ``lmdeploy/utils.py``, ``AsyncEngine.__init__``
of ``lmdeploy/serve`` and ``lmdeploy/messages.py`` for the rest.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from askew.engines import versions
from askew.engines.literal import engine_default, literals
from askew.engines.lmdeploy.flags import FLAGS, OTHER
from askew.engines.versions import Release, release_key
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.rule import Rule

_SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty", "min_p", "presence_penalty", "frequency_penalty")
_LOG = "the server's start-up log, which prints the engine configuration"
# Facts that are computed at start, whatever the arguments' own defaults are.
_LEAVE = frozenset(
    (
        *("serving.port", "runtime.speculative", "runtime.generation_config", "runtime.async_scheduling"),
        *(
            "runtime.arguments.unmapped",
            "runtime.engine.backend",
            "runtime.enforce_eager",
            "serving.tls",
            "runtime.dtype",
        ),
    )
)
_ABSENT: tuple[tuple[str, Value], ...] = (
    ("serving.api_key_required", False),
    ("serving.tls", False),
    ("serving.protocol", "http"),
    ("runtime.lora.enabled", False),
    ("runtime.hf_overrides", None),
    ("runtime.speculative", None),
    ("runtime.tool_call_parser", None),
    ("runtime.reasoning_parser", None),
    ("runtime.max_concurrent_requests", None),
    ("runtime.max_input_tokens", None),
    ("runtime.max_output_tokens", None),
    ("runtime.expert_parallel", False),
    ("runtime.pipeline_parallel_size", 1),
    ("model.chat_template.source", None),
    ("runtime.arguments.unmapped", {}),
    ("runtime.env", {}),
)
# get_max_batch_size of lmdeploy/utils.py: the first release with the numbers, those by what the name of the device
# holds (128 for any other), and those of ascend, maca and camb. Before 0.6.0 --max-batch-size was 128.
_BATCHES: tuple[tuple[str, Mapping[str, int], Mapping[str, int]], ...] = (
    ("0.6.0", {"a100": 256, "a800": 256, "h100": 512, "h800": 512}, {"ascend": 16}),
    ("0.6.2", {"a100": 256, "a800": 256, "h100": 512, "h800": 512}, {"ascend": 16, "maca": 256}),
    ("0.7.0", {"a100": 256, "a800": 256, "h100": 512, "h800": 512}, {"ascend": 16, "maca": 256, "camb": 128}),
    ("0.7.2", {"a100": 256, "a800": 256, "h100": 512, "h800": 512}, {"ascend": 256, "maca": 256, "camb": 256}),
    (
        "0.10.0",
        {"a100": 384, "a800": 384, "h100": 1024, "h800": 1024, "l20y": 1024, "h200": 1024},
        {"ascend": 256, "maca": 256, "camb": 256},
    ),
)


@functools.lru_cache(maxsize=16)
def defaults(version: str | None, program: str) -> tuple[Observation, ...]:
    """The literal defaults of a release; where the release is not known, those that never changed."""
    near = versions.nearest("lmdeploy", version)
    found = list(literals("lmdeploy", "LMDeploy", version, FLAGS, leave=_LEAVE))
    cited = Location(f"lmdeploy {near[0].version} lmdeploy/cli/serve.py" if near else "lmdeploy lmdeploy/cli/serve.py")
    found.extend(engine_default(fact, "", value, cited) for fact, value in _ABSENT)
    # api_server's own default in every release, whether argparse holds it or the function that it starts.
    found.append(engine_default("serving.port", "", 6006 if program == "gradio" else 23333, cited))
    if near is not None:
        found.extend(_requested(*near))
        found.extend(_switches(*near))
    return tuple(found)


def _requested(release: Release, exact: bool) -> list[Observation]:
    """What a chat completion gets that names nothing, where the release itself has values."""
    found = []
    limit = release.requests.get("max_tokens")
    if limit is not None:
        tokens: Value = "unlimited" if limit.value is None else limit.value
        where = release.where(limit)
        found.append(
            engine_default(
                "runtime.default_output_tokens", "", tokens, where, confidence="certain" if exact else "likely"
            )
        )
    for name in _SAMPLING:
        entry = release.requests.get(name)
        if entry is not None and entry.value is not None:
            value = entry.value
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            sure: Confidence = "certain" if exact else "likely"
            found.append(
                engine_default("runtime.sampling_defaults", name, value, release.where(entry), confidence=sure)
            )
    return found


def _switches(release: Release, exact: bool) -> list[Observation]:
    found = []
    sure: Confidence = "certain" if exact else "likely"
    for name, fact in (("--generation-config", "runtime.generation_config"), ("--async", "runtime.async_scheduling")):
        entry = release.arguments.get(name)
        if entry is not None:
            value: Value = bool(entry.value) if name == "--async" else entry.value
            found.append(engine_default(fact, "", value, release.where(entry), confidence=sure))
    measured = release.arguments.get("--disable-metrics") or release.arguments.get("--enable-metrics")
    if measured is not None:
        on = "true" if "--disable-metrics" in release.arguments else "false"
        found.append(engine_default(OTHER, "metrics", on, release.where(measured), confidence=sure))
    if "--generation-config" not in release.arguments and release.requests:
        where = Location(f"lmdeploy {release.version} lmdeploy/serve/openai/protocol.py")
        entry = release.requests.get("temperature")
        if entry is not None and entry.value is not None:
            found.append(engine_default("runtime.generation_config", "", "engine", where, confidence=sure))
    return found


def _batch(by_name: Mapping[str, int], by_device: Mapping[str, int], known: Mapping[str, Value]) -> Value | Unknown:
    other = known.get("runtime.arguments.unmapped")
    device = other.get("--device") if isinstance(other, dict) else None
    if isinstance(device, str) and device != "cuda":
        return by_device.get(device, Unknown(f"LMDeploy has no number for the device {device}", _LOG))
    models = known.get("hardware.gpu.model")
    sizes = {_size(str(model), by_name) for model in models} if isinstance(models, list) and models else set()
    if len(sizes) == 1:
        return sizes.pop()
    named = ", ".join(f"{size} on {name.upper()}" for name, size in by_name.items())
    return Unknown(f"by the name of the GPU, which no source shows: {named}, 128 on others", _LOG)


def _size(model: str, by_name: Mapping[str, int]) -> int:
    """The catalogue's ids hold the names that the function looks for (``h100-80gb-sxm``)."""
    return next((size for name, size in by_name.items() if name in model.split("-")), 128)


def _dtype(known: Mapping[str, Value]) -> Value | Unknown:
    if known.get("runtime.quantization") == "awq":
        return "float16"
    stored = known.get("model.config.dtype")
    if not isinstance(stored, str):
        return Unknown("bfloat16 for bfloat16 checkpoints, else float16; no source shows the model's", _LOG)
    if stored != "bfloat16":
        return "float16"
    capability = known.get("hardware.gpu.compute_capability")
    try:
        return "bfloat16" if capability is None or float(str(capability)) >= 8 else "float16"
    except ValueError:
        return "bfloat16"


def _quantization(known: Mapping[str, Value]) -> Value:
    stored = known["model.quantization"]
    method = stored.get("method") if isinstance(stored, dict) else stored
    return method if isinstance(method, str) and method else "none"


def _length(known: Mapping[str, Value]) -> Value | Unknown:
    """``_get_and_verify_max_len``: the positions of config.json, which RoPE scaling does not multiply."""
    rope = known.get("model.rope")
    factor = rope.get("factor") if isinstance(rope, dict) else None
    if factor not in (None, 1, 1.0):
        return Unknown("max_position_embeddings of config.json, without the factor of RoPE scaling", _LOG)
    return known["model.context_length"]


# Architectures that is_supported of lmdeploy/turbomind/supported_models.py asks more of than their name, to 0.13; from
# 0.14 on only the last.
_BY_SHAPE = frozenset(("Qwen2ForCausalLM", "LlamaForCausalLM"))
_BY_CONFIG = frozenset(
    (
        *("BaichuanForCausalLM", "ChatGLMModel", "ChatGLMForConditionalGeneration", "InternVLChatModel"),
        *("LlavaForConditionalGeneration", "InternVLForConditionalGeneration", "MolmoForCausalLM"),
        *("DeepseekV2ForCausalLM", "Glm4MoeLiteForCausalLM"),
    )
)


def _backend(table: frozenset[str], plain: bool, known: Mapping[str, Value]) -> Value | Unknown:
    """``autoget_backend``: TurboMind where it has the model's architecture, else PyTorch."""
    architecture = known.get("model.architecture")
    if not table or not isinstance(architecture, str):
        return Unknown("turbomind where it supports the model's architecture, else pytorch", _LOG)
    if architecture not in table:
        return "pytorch"
    if architecture in _BY_CONFIG and (not plain or architecture == "Glm4MoeLiteForCausalLM"):
        return Unknown(f"turbomind for some models of {architecture}, pytorch for others", _LOG)
    if architecture in _BY_SHAPE and not plain:
        geometry = known.get("model.kv_geometry")
        if not isinstance(geometry, dict) or geometry.get("head_dim") != 128:
            return Unknown(f"turbomind for {architecture} with heads of some sizes, pytorch for others", _LOG)
    return "turbomind"


def _eager(known: Mapping[str, Value]) -> Value | Unknown:
    if known.get("runtime.engine.backend") == "pytorch":
        return False
    return Unknown("the pytorch backend captures CUDA graphs, turbomind has none; which one runs is not known", _LOG)


def _graphs(known: Mapping[str, Value]) -> Unknown:
    return Unknown("derived from the largest batch, with the pytorch backend", _LOG)


_RULES: tuple[Rule, ...] = (
    Rule(
        fact="runtime.kv_cache.dtype", needs=("runtime.dtype",), compute=lambda known: known["runtime.dtype"],
        because="without --quant-policy the cache has the dtype of the model", confidence="likely",
    ),
    Rule(
        fact="runtime.quantization", needs=("model.quantization",), compute=_quantization,
        because="without --model-format the checkpoint's own method", confidence="likely",
    ),
    Rule(
        fact="model.served_names", needs=("model.id",), compute=lambda known: [str(known["model.id"])],
        because="without --model-name the model has the name it was asked for by", confidence="likely",
    ),
    Rule(
        fact="runtime.attention_backend", needs=(),
        compute=lambda known: Unknown("each backend has its own kernels; there is no setting", _LOG),
        because="decided by backend and device",
    ),
)  # fmt: skip


# Rules with the first release whose source does so, and what holds in older ones or where the release is not known.
_SINCE: tuple[tuple[str, Rule, str], ...] = (
    (
        "0.5.0",
        Rule(
            fact="runtime.dtype", needs=(),
            uses=("model.config.dtype", "hardware.gpu.compute_capability", "runtime.quantization"), compute=_dtype,
            because="auto takes bfloat16 for bfloat16 checkpoints and float16 for others", confidence="likely",
            location=Location("lmdeploy lmdeploy/turbomind/deploy/converter.py"),
        ),
        "by the converter of the backend",
    ),
    (
        "0.4.2",
        Rule(
            fact="runtime.max_model_len", needs=("model.context_length",), uses=("model.rope",), compute=_length,
            because="without --session-len the model's own length", confidence="likely",
            location=Location("lmdeploy lmdeploy/utils.py _get_and_verify_max_len"),
        ),
        "by the chat template, before 0.4.2",
    ),
    (
        "0.6.2",
        Rule(
            fact="runtime.enforce_eager", needs=(), uses=("runtime.engine.backend",), compute=_eager,
            because="CUDA graphs unless --eager-mode, with the pytorch backend", confidence="likely",
            location=Location("lmdeploy lmdeploy/cli/utils.py eager_mode"),
        ),
        "no argument decides it before 0.6.2",
    ),
)  # fmt: skip


# Literal defaults that are not the same in every release.
_CHANGED = (
    "runtime.default_output_tokens",
    "runtime.generation_config",
    "runtime.gpu_memory_utilization",
    "runtime.max_num_seqs",
    "runtime.sampling_defaults",
)


def _older(fact: str, reason: str) -> Rule:
    return Rule(
        fact=fact, needs=(), compute=lambda known: Unknown(reason, _LOG), because="decided by the release at start"
    )


@functools.lru_cache(maxsize=16)
def default_rules(version: str | None) -> tuple[Rule, ...]:
    """The computed defaults of a release."""
    near = versions.nearest("lmdeploy", version)
    key = release_key(near[0].version) if near else ()
    found = list(_RULES)
    for since, rule, otherwise in _SINCE:
        # Where the release is not known, these rules hold for every release of the last two years.
        found.append(rule if near is None or key >= release_key(since) else _older(rule.fact, otherwise))
    if near is None:
        found.extend(_older(fact, "decided by the release, which is not known") for fact in _CHANGED)
    named = near[0].arguments if near else {}
    supported = frozenset(name.partition(" ")[2] for name in named if name.startswith("turbomind "))
    found.append(
        Rule(
            fact="runtime.engine.backend", needs=(), uses=("model.architecture", "model.kv_geometry"),
            compute=functools.partial(_backend, supported, key >= release_key("0.14.0")), confidence="likely",
            because="LMDeploy falls back to pytorch where turbomind does not support the model's architecture",
            location=Location("lmdeploy lmdeploy/turbomind/supported_models.py"),
        )
    )  # fmt: skip
    rows = [row for row in _BATCHES if near is not None and release_key(row[0]) <= key]
    if rows and near is not None:
        _, by_name, by_device = rows[-1]
        found.append(
            Rule(
                fact="runtime.max_num_seqs", needs=(), uses=("hardware.gpu.model", "runtime.arguments.unmapped"),
                compute=functools.partial(_batch, by_name, by_device),
                because="without --max-batch-size by the name of the device",
                location=Location(f"lmdeploy {near[0].version} lmdeploy/utils.py"),
            )
        )  # fmt: skip
    return tuple(found)
