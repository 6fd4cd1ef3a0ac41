"""What vLLM does where nobody says: defaults as data of the release, and those that depend on other facts as rules.

Source of the rules: ``EngineArgs.create_engine_config``, ``EngineArgs.get_batch_defaults`` and
``vllm/config/model.py`` of vLLM 0.33.0, https://pypi.org/project/vllm/0.33.0/
"""

from __future__ import annotations

from collections.abc import Mapping

from askew.engines.versions import Release, Stable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Unknown
from askew.resolve.rule import Rule

GIB = 2**30
GPU = "hardware.gpu.model"

# Facts whose default is what the argument's default says, as it stands.
LITERAL: dict[str, str] = {
    "model.trust_remote_code": "--trust-remote-code",
    "model.code_revision": "--code-revision",
    "model.tokenizer.mode": "--tokenizer-mode",
    "model.chat_template.source": "--chat-template",
    "runtime.tensor_parallel_size": "--tensor-parallel-size",
    "runtime.pipeline_parallel_size": "--pipeline-parallel-size",
    "runtime.data_parallel_size": "--data-parallel-size",
    "runtime.expert_parallel": "--enable-expert-parallel",
    "runtime.gpu_memory_utilization": "--gpu-memory-utilization",
    "runtime.enforce_eager": "--enforce-eager",
    "runtime.cpu_offload.bytes": "--cpu-offload-gb",
    "runtime.swap.bytes": "--swap-space",
    "runtime.generation_config": "--generation-config",
    "runtime.reasoning_parser": "--reasoning-parser",
    "runtime.tool_call_parser": "--tool-call-parser",
    "runtime.lora.enabled": "--enable-lora",
    "runtime.lora.max_rank": "--max-lora-rank",
    "runtime.lora.max_adapters": "--max-loras",
    "runtime.seed": "--seed",
    "runtime.load_format": "--load-format",
    "runtime.max_concurrent_requests": "--max-num-queued-reqs",
    "serving.port": "--port",
    "serving.api_key_required": "--api-key",
    "serving.tls": "--ssl-certfile",
}
# None in these means "off" or "no", not "none known".
_OFF: frozenset[str] = frozenset({"runtime.lora.enabled", "serving.api_key_required", "serving.tls"})

# Facts that vLLM cannot express, and why.
UNSUPPORTED: dict[str, str] = {
    "runtime.max_input_tokens": "vLLM has one limit for prompt and output together: --max-model-len",
    "runtime.default_output_tokens": "a request that names no limit may use the rest of the context",
    "runtime.max_batch_total_tokens": "vLLM has no token budget over the whole batch; the KV cache bounds it",
    "runtime.kv_cache.key_dtype": "keys and values have one dtype in vLLM",
    "runtime.kv_cache.value_dtype": "keys and values have one dtype in vLLM",
    "runtime.dynamic_batching": "vLLM batches continuously; there is nothing to configure",
    "runtime.instances": "one server runs one copy; copies are replicas or data parallel ranks",
}

# Defaults that start-up decides, in releases whose rule is not in this build.
RULED: tuple[str, ...] = (
    "runtime.max_num_seqs",
    "runtime.max_num_batched_tokens",
    "runtime.chunked_prefill",
    "runtime.prefix_caching",
)


def literal(fact: str, argument: str, release: Release) -> Value | Unknown:
    """The default of ``fact`` in a release of this build. An argument that the release lacks is off, or none."""
    entry = release.arguments.get(argument)
    if entry is None:
        return 0 if fact.endswith(".bytes") else None
    return spelled(fact, entry.value)


def spelled(fact: str, value: Value) -> Value:
    """An argument's default as the fact's type reads it: GiB as bytes, nothing as off."""
    if fact.endswith(".bytes") and isinstance(value, (int, float)):
        return int(value * GIB)
    if value in (None, "") and fact in _OFF:
        return False
    return None if value == "" else value


def why_unknown(version: str | None, tag: str, stable: Stable | None) -> str:
    """Why a default that differs between releases is not known."""
    if version is None:
        return f"the release of vLLM is not known ({tag})" if tag else "the release of vLLM is not known"
    return f"defaults of vLLM {version} are not in this build"


def rules(release: Release | None, *, throughput: bool, longest: bool, pooling: bool) -> tuple[Rule, ...]:
    """The computed defaults.

    ``throughput``: ``--performance-mode throughput`` doubles the batch. ``longest``: the launch asks for the longest
    context that fits. ``pooling``: the launch asks for a pooling model, of which some can do neither chunked prefill
    nor prefix caching.
    """
    found = [*_ANY, _context(longest)]
    if release is not None:
        found.append(_dtype(release))
        if not pooling:
            found += _batch(release, throughput)
    return tuple(found)


def _dtype(release: Release) -> Rule:
    def compute(facts: Mapping[str, Value]) -> Value | Unknown:
        stored = facts["model.config.dtype"]
        gpus = facts.get(GPU)
        bfloat16 = None
        if isinstance(gpus, list) and gpus:
            from askew.knowledge.gpus import supports_bf16

            bfloat16 = supports_bf16(str(gpus[0]))
        if stored == "float16":
            return "float16"
        if stored in ("bfloat16", "float32"):
            if bfloat16 is None and stored == "bfloat16":
                return "bfloat16"
            if bfloat16 is None:
                return Unknown("a float32 checkpoint runs in bfloat16 or float16, whichever the GPU prefers")
            return "bfloat16" if bfloat16 else "float16"
        return Unknown(f"vLLM decides by the GPU for a checkpoint in {stored}")

    return Rule(
        fact="runtime.dtype",
        needs=("model.config.dtype",),
        uses=(GPU,),
        compute=compute,
        because="--dtype auto follows the model's configuration, and the GPU where it lacks that dtype",
        location=_at(release, "--dtype"),
    )


def _context(longest: bool) -> Rule:
    def compute(facts: Mapping[str, Value]) -> Value | Unknown:
        if longest:
            return Unknown("--max-model-len auto takes the longest context that fits in GPU memory")
        if facts.get("runtime.rope_override"):
            return Unknown("the rope override changes the context length")
        return facts["model.context_length"]

    return Rule(
        fact="runtime.max_model_len",
        needs=() if longest else ("model.context_length",),
        uses=("runtime.rope_override",),
        compute=compute,
        because="without --max-model-len the model's own context length holds",
    )


def _batch(release: Release, throughput: bool) -> list[Rule]:
    """``get_batch_defaults`` for the OpenAI server: by the memory of one GPU, the A100 and GB10 excepted."""

    def tier(facts: Mapping[str, Value]) -> tuple[int, int] | Unknown:
        from askew.knowledge.gpus import info

        gpus = facts[GPU]
        if not isinstance(gpus, list) or not gpus:
            return Unknown("the GPU is not known")
        gpu = info(str(gpus[0]))
        if gpu.vendor not in ("nvidia", "amd"):
            return Unknown(f"vLLM decides by the platform on {gpu.vendor}")
        if facts.get("hardware.gpu.mig_profile"):
            return Unknown("it depends on the memory of the MIG slice")
        memory = gpu.memory_bytes or (gpu.memory_gb or 0) * 10**9
        if not memory:
            return Unknown(f"the memory of {gpu.id} is not known")
        if facts.get("runtime.expert_parallel") and facts.get("runtime.data_parallel_size", 1) != 1:
            return Unknown("it depends on the all-to-all back end of expert parallelism")
        seqs, tokens = 256, 2048
        if memory >= 160 * GIB:
            seqs, tokens = 1024, 16384
        elif memory >= 70 * GIB and "a100" not in gpu.id and "gb10" not in gpu.id.split("-"):
            seqs, tokens = 1024, 8192
        return (seqs * 2, tokens * 2) if throughput else (seqs, tokens)

    def tokens(facts: Mapping[str, Value]) -> Value | Unknown:
        found = tier(facts)
        if isinstance(found, Unknown):
            return found
        length, chunked = facts.get("runtime.max_model_len"), facts.get("runtime.chunked_prefill")
        budget = found[1]
        if chunked is False:
            if not isinstance(length, int):
                return Unknown("without chunked prefill it follows the context length, which is not known")
            budget = max(budget, length)
        return min(budget, found[0] * length) if isinstance(length, int) else budget

    def seqs(facts: Mapping[str, Value]) -> Value | Unknown:
        found = tier(facts)
        if isinstance(found, Unknown):
            return found
        budget = facts.get("runtime.max_num_batched_tokens")
        return min(found[0], budget) if isinstance(budget, int) and not isinstance(budget, bool) else found[0]

    shared = ("hardware.gpu.mig_profile", "runtime.expert_parallel", "runtime.data_parallel_size")
    where = _at(release, "--max-num-seqs")
    return [
        Rule(
            fact="runtime.max_num_batched_tokens",
            needs=(GPU,),
            uses=(*shared, "runtime.max_model_len", "runtime.chunked_prefill"),
            compute=tokens,
            because="vLLM's server sets it by the memory of the GPU",
            confidence="likely",
            location=where,
        ),
        Rule(
            fact="runtime.max_num_seqs",
            needs=(GPU,),
            uses=(*shared, "runtime.max_num_batched_tokens"),
            compute=seqs,
            because="vLLM's server sets it by the memory of the GPU",
            confidence="likely",
            location=where,
        ),
    ]


def _quantization(facts: Mapping[str, Value]) -> Value | Unknown:
    stored = facts["model.quantization"]
    method = stored.get("method") if isinstance(stored, dict) else stored
    if method in (None, "", "none"):
        return "none"
    if method in ("awq", "gptq"):
        return Unknown(f"vLLM runs a {method} checkpoint with {method} or {method}_marlin, by the GPU")
    return method


def _cache(facts: Mapping[str, Value]) -> Value | Unknown:
    stored = facts["model.quantization"]
    if isinstance(stored, dict) and any("kv" in key for key in stored):
        return Unknown("the checkpoint states a scheme for the KV cache")
    return facts["runtime.dtype"]


def _names(facts: Mapping[str, Value]) -> Value | Unknown:
    model = facts["model.id"]
    return [model] if isinstance(model, str) else Unknown("the model is not known")


def _sampling(facts: Mapping[str, Value]) -> Value | Unknown:
    if facts["runtime.generation_config"] == "engine":
        return {}
    stored = facts.get("model.generation.sampling_defaults")
    if isinstance(stored, dict) and facts["runtime.generation_config"] == "auto":
        return {key: value for key, value in stored.items() if key != "max_new_tokens"}
    return Unknown("they come from the model's generation_config.json, which no source shows")


def _longest_answer(facts: Mapping[str, Value]) -> Value | Unknown:
    if facts["runtime.generation_config"] == "engine":
        return None
    return Unknown("the model's generation_config.json may set max_new_tokens, and no source shows it")


_ANY: tuple[Rule, ...] = (
    Rule(
        fact="runtime.quantization",
        needs=("model.quantization",),
        compute=_quantization,
        because="without --quantization the checkpoint's own configuration decides",
    ),
    Rule(
        fact="runtime.kv_cache.dtype",
        needs=("runtime.dtype", "model.quantization"),
        compute=_cache,
        because="--kv-cache-dtype auto follows the dtype of the model unless the checkpoint says otherwise",
    ),
    Rule(
        fact="model.served_names",
        needs=("model.id",),
        compute=_names,
        because="without --served-model-name the model is served under its own name",
    ),
    Rule(
        fact="model.tokenizer.source",
        needs=("model.id",),
        compute=lambda facts: facts["model.id"],
        because="without --tokenizer the model's own tokenizer is used",
    ),
    Rule(
        fact="model.tokenizer.revision",
        needs=("model.revision",),
        compute=lambda facts: facts["model.revision"],
        because="without --tokenizer-revision the model's revision holds",
    ),
    Rule(
        fact="runtime.sampling_defaults",
        needs=("runtime.generation_config",),
        uses=("model.generation.sampling_defaults",),
        compute=_sampling,
        because="sampling defaults come from where --generation-config says",
    ),
    Rule(
        fact="runtime.max_output_tokens",
        needs=("runtime.generation_config",),
        compute=_longest_answer,
        because="only max_new_tokens of the generation configuration caps an answer",
    ),
)


def _at(release: Release, argument: str) -> Location | None:
    entry = release.arguments.get(argument)
    return release.where(entry) if entry is not None else None
