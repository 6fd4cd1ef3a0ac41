"""What TensorRT-LLM does where nothing is written: literal defaults as observations, computed ones as rules.

The data is in ``versions/history.json``. Of most releases the source was not read, only what the project documents, so
every default here is *likely*. What decides: release notes at
https://github.com/NVIDIA/TensorRT-LLM/blob/main/docs/source/release-notes.md; ``TorchLlmArgs`` of
``tensorrt_llm/llmapi/llm_args.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from askew.engines import versions
from askew.engines.literal import literals
from askew.engines.tensorrt_llm.flags import OTHER, SERVE
from askew.engines.versions import Default, Release
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule

_LOG = "the server's start-up log, which prints LlmArgs"
_DOCUMENTED = "documented by the project; the source of this release was not read"
_ENGINE = "runtime.engine.backend"
_LEAVE = frozenset(("runtime.chunked_prefill", "runtime.prefix_caching", OTHER))
_ABSENT: tuple[tuple[str, Value], ...] = (
    ("serving.api_key_required", False),
    ("serving.tls", False),
    ("serving.protocol", "http"),
    ("runtime.lora.enabled", False),
    ("runtime.hf_overrides", None),
    ("runtime.speculative", None),
    ("runtime.tool_call_parser", None),
    ("runtime.reasoning_parser", None),
    ("runtime.max_input_tokens", None),
    ("runtime.max_output_tokens", None),
    ("runtime.expert_parallel", False),
    ("runtime.data_parallel_size", 1),
    ("runtime.role", "both"),
    ("model.chat_template.source", None),
    ("model.tokenizer.mode", "auto"),
    ("runtime.load_format", "auto"),
    ("runtime.arguments.unmapped", {}),
    ("runtime.env", {}),
)


@functools.lru_cache(maxsize=16)
def defaults(version: str | None) -> tuple[Observation, ...]:
    """The literal defaults of ``trtllm-serve``; where the release is not known, those that never changed."""
    cited = Location("tensorrt-llm tensorrt_llm/commands/serve.py")
    found = [
        msgspec.structs.replace(one, confidence="likely", because=(*one.because, _DOCUMENTED))
        for one in literals("tensorrt-llm", "TensorRT-LLM", version, SERVE, leave=_LEAVE)
    ]
    found.extend(
        Observation(fact=fact, value=value, origin="engine-default", locations=(cited,)) for fact, value in _ABSENT
    )
    return tuple(found)


def _field(release: Release | None, name: str) -> Default | None:
    return release.arguments.get(name) if release is not None else None


def _with_pytorch(fact: str, default: Default | None, value: Value, release: Release | None, because: str) -> Rule:
    """A default that only the PyTorch backend has."""
    known = default is not None and release is not None

    def compute(seen: Mapping[str, Value]) -> Value | Unknown:
        if not known:
            return Unknown("the release is not known, or its default is not documented", _LOG)
        if seen.get(_ENGINE) != "pytorch":
            return Unknown("decided by the engine that was built, which no source shows", _LOG)
        return value

    where = release.where(default) if release is not None and default is not None else None
    return Rule(
        fact=fact, needs=(), uses=(_ENGINE,), compute=compute, because=because, confidence="likely", location=where
    )


def _same(fact: str, need: str, because: str) -> Rule:
    return Rule(fact=fact, needs=(need,), compute=lambda seen: seen[need], because=because, confidence="likely")


def _dtype(seen: Mapping[str, Value]) -> Value | Unknown:
    stored = seen["model.config.dtype"]
    return "float16" if stored == "float32" else stored


def _quantization(seen: Mapping[str, Value]) -> Value:
    stored = seen["model.quantization"]
    method = stored.get("method") if isinstance(stored, dict) else stored
    return method if isinstance(method, str) and method else "none"


def _cache(seen: Mapping[str, Value]) -> Value | Unknown:
    if seen.get("runtime.quantization") == "none" and isinstance(seen.get("runtime.dtype"), str):
        return seen["runtime.dtype"]
    return Unknown("what the checkpoint says of its KV cache, else the dtype of the model", _LOG)


def _prompt(seen: Mapping[str, Value]) -> Value | Unknown:
    return Unknown("decided when the engine was built: --use_paged_context_fmha", _LOG)


@functools.lru_cache(maxsize=16)
def default_rules(version: str | None) -> tuple[Rule, ...]:
    """The computed defaults of ``trtllm-serve``."""
    near = versions.nearest("tensorrt-llm", version)
    release = near[0] if near is not None else None
    graphs, overlap = _field(release, "cuda_graph_config"), _field(release, "disable_overlap_scheduler")
    reuse, chunks = _field(release, "kv_cache_config.enable_block_reuse"), _field(release, "enable_chunked_prefill")
    attention, sampler = _field(release, "attn_backend"), _field(release, "disable_flashinfer_sampling")
    found = [
        _with_pytorch(
            "runtime.enforce_eager", graphs, graphs is None or graphs.value is None, release,
            "CUDA graphs are captured where cuda_graph_config has a value, which it has by default since 1.0",
        ),
        _with_pytorch(
            "runtime.async_scheduling", overlap, overlap is not None and overlap.value is False, release,
            "the overlap scheduler is on by default since 0.20",
        ),
        _with_pytorch(
            "runtime.prefix_caching", reuse, reuse.value if reuse else None, release,
            "kv_cache_config.enable_block_reuse is on by default",
        ),
        _with_pytorch(
            "runtime.chunked_prefill", chunks, chunks.value if chunks else None, release,
            "enable_chunked_prefill is off by default",
        ),
        _with_pytorch(
            "runtime.attention_backend", attention, str(attention.value).lower() if attention else None, release,
            "attn_backend is TRTLLM by default",
        ),
        _same("model.tokenizer.source", "model.id", "without --tokenizer the model's own"),
        _same("runtime.max_model_len", "model.context_length", "without --max_seq_len the model's own length"),
        Rule(
            fact="runtime.dtype", needs=("model.config.dtype",), compute=_dtype,
            because="auto takes the dtype of the checkpoint, and float16 for float32", confidence="likely",
        ),
        Rule(
            fact="runtime.quantization", needs=("model.quantization",), compute=_quantization,
            because="the checkpoint says how it is quantized", confidence="likely",
        ),
        Rule(
            fact="runtime.kv_cache.dtype", needs=(), uses=("runtime.quantization", "runtime.dtype"), compute=_cache,
            because="auto takes what the checkpoint says", confidence="likely",
        ),
        Rule(
            fact="model.served_names", needs=("model.id",), compute=lambda seen: [_name(seen["model.id"])],
            because="the model has the last part of its path as its name", confidence="likely",
        ),
    ]  # fmt: skip
    if sampler is not None and release is not None:
        text = "true" if sampler.value else "false"
        found.append(
            Rule(
                fact=OTHER, key="disable_flashinfer_sampling", needs=(), uses=(_ENGINE,),
                compute=lambda seen: text if seen.get(_ENGINE) == "pytorch" else None, location=release.where(sampler),
                because="FlashInfer samples by default since 1.2, with the PyTorch backend", confidence="likely",
            )
        )  # fmt: skip
    return tuple(found)


def _name(model: Value) -> Value:
    """``OpenAIServer``: the name of a folder, the whole of a name at the Hub."""
    text = str(model).rstrip("/")
    return text.rpartition("/")[2] if text.startswith(("/", ".")) else text


@functools.lru_cache(maxsize=16)
def build_defaults(version: str | None) -> tuple[Observation, ...]:
    """What ``trtllm-build`` compiles an engine for where nothing is written."""
    near = versions.nearest("tensorrt-llm", version)
    found = []
    for name, fact in (
        ("--max_batch_size", "runtime.max_num_seqs"),
        ("--max_num_tokens", "runtime.max_num_batched_tokens"),
    ):
        entry = _field(near[0] if near else None, f"trtllm-build {name}")
        if entry is not None and near is not None:
            found.append(
                Observation(
                    fact=fact, value=entry.value, origin="engine-default", locations=(near[0].where(entry),),
                    confidence="likely", because=(_DOCUMENTED,),
                )
            )  # fmt: skip
    return tuple(found)
