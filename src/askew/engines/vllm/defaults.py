"""What vLLM does where nobody says: defaults as data of the release, and those that depend on other facts as rules.

What the generation of the engine decides is in ``generations``. Source of the rules here: ``vllm/config`` and
``vllm/v1`` of the releases named beside each, https://pypi.org/project/vllm/#history
"""

from __future__ import annotations

from collections.abc import Mapping

from askew.engines.versions import Release, Stable, release_key
from askew.engines.vllm import generations, switches
from askew.engines.vllm.generations import GIB, GPU, Setting
from askew.engines.vllm.platforms import on_platform
from askew.engines.vllm.readers import OTHER, as_text
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule

_ENV = "runtime.env"

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
# What releases did before they had the argument, where that is not "nothing".
_BEFORE: dict[str, Value] = {
    "runtime.data_parallel_size": 1,
    "runtime.expert_parallel": False,
    "runtime.generation_config": "engine",
    "runtime.load_format": "auto",
}
_NOT_YET: frozenset[str] = frozenset({"runtime.lora.max_rank", "runtime.lora.max_adapters"})
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
    if entry is None and fact in _NOT_YET:
        return Unknown(f"vLLM {release.version} has no {argument}", missing=True)
    if entry is None:
        return 0 if fact.endswith(".bytes") else False if fact in _OFF else _BEFORE.get(fact)
    if fact == "runtime.seed" and entry.kind == "rule":
        return 0  # V1 sets it where nobody does (ModelConfig.__post_init__, 0.9.0 to 0.11.2)
    if fact == "runtime.generation_config" and entry.value is None:
        return "engine"
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


def rules(setting: Setting | None, *, longest: bool) -> tuple[Rule, ...]:
    """The computed defaults; of an unknown release those that hold in all.

    ``longest``: the launch asks for the longest context that fits.
    """
    found = [*_ANY, _context(longest)]
    if setting is None:
        found.append(_DTYPE)
    else:
        ruled = [*generations.rules(setting), *switches.rules(setting), _graphs(setting)]
        if "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS" in setting.release.variables:
            ruled.append(_graph_memory(setting))
        found += on_platform(ruled, setting)
        found.append(_api_servers(setting))
    return tuple(found)


def options(release: Release) -> tuple[Observation, ...]:
    """Defaults of options without a fact of their own that changed between releases, so that a change can be seen.

    What a release does not have is unknown, and nobody left it open.
    """
    found: list[Observation] = []

    def say(fact: str, key: str, value: Value | Unknown, argument: str = "", because: str = "") -> None:
        entry = release.arguments.get(argument or key) or release.variables.get(argument or key)
        found.append(
            Observation(
                fact=fact,
                key=key,
                value=value,
                origin="engine-default",
                locations=(release.where(entry),) if entry is not None else (),
                because=(because,) if because else (),
            )
        )

    key = release_key(release.version)
    for argument in ("--disable-cascade-attn", "--allowed-origins"):
        entry = release.arguments.get(argument)
        if entry is None:
            say(OTHER, argument, Unknown(f"vLLM {release.version} has no {argument}", missing=True))
        elif entry.value is None:
            say(OTHER, argument, Unknown("vLLM decides it at start"))
        else:
            say(OTHER, argument, _text(entry.value))
    logged = "--enable-log-requests" if "--enable-log-requests" in release.arguments else "--disable-log-requests"
    say(OTHER, "--enable-log-requests", "true" if logged.startswith("--disable") else "false", logged)
    manager = "--use-v2-block-manager"
    if manager in release.arguments and key < (0, 8):
        # Both managers existed until 0.6.3; later releases have the second alone, whatever the argument says.
        say(OTHER, manager, "true" if key >= (0, 6, 3) else "false")
    elif key < (0, 11):
        say(OTHER, manager, Unknown(f"vLLM {release.version} has no choice of a block manager", missing=True))
    sampler = "VLLM_USE_FLASHINFER_SAMPLER"
    if sampler not in release.variables:
        say(_ENV, sampler, Unknown(f"vLLM {release.version} does not read {sampler}", missing=True))
    elif (0, 8) <= key < (0, 11, 1):
        # topk_topp_sampler.py asks "is not False" in these, and whether it is true in later ones.
        say(_ENV, sampler, "auto", because="unset, V1 samples with FlashInfer where it is installed")
    else:
        say(_ENV, sampler, "1" if release.variables[sampler].value is True else "0")
    return tuple(found)


def cuda(release: Release) -> tuple[Value, Location] | None:
    """The CUDA that the project's own image and main wheel of a release are built with, as far as it says."""
    entry = release.variables.get("VLLM_MAIN_CUDA_VERSION")
    return (entry.value, release.where(entry)) if entry is not None and entry.value is not None else None


def _text(value: Value) -> str:
    """A default as the text of an option reads it."""
    import msgspec

    return as_text((value if isinstance(value, str) else msgspec.json.encode(value).decode(),))  # type: ignore[return-value]


def guided(release: Release) -> Value:
    """The back end of guided decoding: an argument of its own until 0.11, then a part of a configuration."""
    entry = release.arguments.get("--guided-decoding-backend")
    if entry is not None and isinstance(entry.value, str):
        return entry.value
    return "auto" if release_key(release.version) >= (0, 11) else None


def _graphs(setting: Setting) -> Rule:
    """``VllmConfig.__post_init__`` of 0.10.1 to 0.11.2, ``OPTIMIZATION_LEVEL_02`` since 0.12.0."""
    key = setting.key

    def compute(facts: Mapping[str, Value]) -> Value | Unknown:
        if key < (0, 10, 1):
            return Unknown(f"vLLM {setting.release.version} has no cudagraph_mode", missing=True)
        found = generations.core(setting, facts)
        if isinstance(found, Unknown):
            return found
        if found == "v0" or facts.get("runtime.enforce_eager"):
            return None
        return "FULL_AND_PIECEWISE" if key >= (0, 11) else "PIECEWISE"

    return Rule(
        fact="runtime.compilation",
        key="cudagraph_mode",
        needs=(),
        uses=(generations.GPU, generations.VENDOR, "runtime.enforce_eager"),
        compute=compute,
        because="CUDA graphs of models that generate text, where no other level of compilation is asked for",
        confidence="likely",
        location=setting.at("--compilation-config"),
    )


def _api_servers(setting: Setting) -> Rule:
    """``vllm/entrypoints/cli/serve.py``: since 0.15.0 as many as data parallel ranks."""

    def compute(facts: Mapping[str, Value]) -> Value | Unknown:
        ranks = facts.get("runtime.data_parallel_size")
        if not isinstance(ranks, int) or ranks <= 1:
            return None
        return str(ranks) if setting.key >= (0, 15) else "1"

    return Rule(
        fact=OTHER,
        key="--api-server-count",
        needs=(),
        uses=("runtime.data_parallel_size",),
        compute=compute,
        because="one process answers for each data parallel rank since 0.15.0, one for all before",
        location=setting.at("--api-server-count"),
    )


def _graph_memory(setting: Setting) -> Rule:
    name = "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS"
    entry = setting.release.variables[name]
    return Rule(
        fact=_ENV,
        key=name,
        needs=(),
        uses=("runtime.enforce_eager",),
        compute=lambda facts: None if facts.get("runtime.enforce_eager") else _text(entry.value),
        because="whether the memory of CUDA graphs is taken off the KV cache",
        location=setting.release.where(entry),
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


def _dtype(facts: Mapping[str, Value]) -> Value | Unknown:
    """``--dtype auto`` where the release is not known: what every release makes of a checkpoint."""
    from askew.knowledge.gpus import supports_bf16

    stored, gpus = facts["model.config.dtype"], facts.get(GPU)
    lacks = isinstance(gpus, list) and any(supports_bf16(str(gpu)) is False for gpu in gpus)
    if stored == "float16" or (stored == "bfloat16" and not lacks):
        return stored
    return Unknown(f"what becomes of a checkpoint in {stored} depends on the release of vLLM, which is not known")


# https://github.com/vllm-project/vllm/blob/v0.2.7/vllm/config.py and every release since.
_DTYPE = Rule(
    fact="runtime.dtype",
    needs=("model.config.dtype",),
    uses=(GPU,),
    compute=_dtype,
    because="in every release of vLLM --dtype auto takes what the checkpoint is stored in, if that is half precision",
    confidence="likely",
)
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
