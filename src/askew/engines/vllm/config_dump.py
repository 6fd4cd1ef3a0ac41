"""The configuration of a running vLLM, as it prints it: JSON at ``/server_info``, text there and in its log.

It is what start-up made of the arguments: most fields are in effect as printed; those that stay as asked say so. Which
field is which argument is the only table here; what an argument means is in ``flags``. Fields: ``vllm/config`` of the
releases; the text is ``VllmConfig.__str__``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from askew.engines.flags import Flag
from askew.engines.reported import by_flag, partly, reported, unknown
from askew.engines.reprs import fields
from askew.engines.vllm.flags import DEFERRED, FLAGS
from askew.engines.vllm.readers import OTHER, source
from askew.evidence.document import Context, Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation

# Field of the JSON → argument. Several fields for one argument are of several releases.
FIELDS: tuple[tuple[str, str], ...] = (
    ("model_config.model", "--model"),
    ("model_config.tokenizer", "--tokenizer"),
    ("model_config.tokenizer_mode", "--tokenizer-mode"),
    ("model_config.trust_remote_code", "--trust-remote-code"),
    ("model_config.revision", "--revision"),
    ("model_config.code_revision", "--code-revision"),
    ("model_config.tokenizer_revision", "--tokenizer-revision"),
    ("model_config.dtype", "--dtype"),
    ("model_config.seed", "--seed"),
    ("model_config.max_model_len", "--max-model-len"),
    ("model_config.generation_config", "--generation-config"),
    ("model_config.override_generation_config", "--override-generation-config"),
    ("model_config.enforce_eager", "--enforce-eager"),
    ("model_config.hf_overrides", "--hf-overrides"),
    ("cache_config.gpu_memory_utilization", "--gpu-memory-utilization"),
    ("cache_config.enable_prefix_caching", "--enable-prefix-caching"),
    ("cache_config.block_size", "--block-size"),
    ("cache_config.cache_dtype", "--kv-cache-dtype"),
    ("cache_config.swap_space", "--swap-space"),
    ("cache_config.cpu_offload_gb", "--cpu-offload-gb"),
    ("offload_config.uva.cpu_offload_gb", "--cpu-offload-gb"),
    ("scheduler_config.max_num_batched_tokens", "--max-num-batched-tokens"),
    ("scheduler_config.max_num_seqs", "--max-num-seqs"),
    ("scheduler_config.max_num_queued_reqs", "--max-num-queued-reqs"),
    ("scheduler_config.enable_chunked_prefill", "--enable-chunked-prefill"),
    ("scheduler_config.chunked_prefill_enabled", "--enable-chunked-prefill"),
    ("scheduler_config.async_scheduling", "--async-scheduling"),
    ("scheduler_config.policy", "--scheduling-policy"),
    ("parallel_config.tensor_parallel_size", "--tensor-parallel-size"),
    ("parallel_config.pipeline_parallel_size", "--pipeline-parallel-size"),
    ("parallel_config.data_parallel_size", "--data-parallel-size"),
    ("parallel_config.enable_expert_parallel", "--enable-expert-parallel"),
    ("load_config.load_format", "--load-format"),
    ("lora_config.max_lora_rank", "--max-lora-rank"),
    ("lora_config.max_loras", "--max-loras"),
    ("attention_config.backend", "--attention-backend"),
    ("structured_outputs_config.reasoning_parser", "--reasoning-parser"),
)
# Field of the text → argument.
LINE: tuple[tuple[str, str], ...] = (
    ("model", "--model"),
    ("tokenizer", "--tokenizer"),
    ("tokenizer_mode", "--tokenizer-mode"),
    ("revision", "--revision"),
    ("tokenizer_revision", "--tokenizer-revision"),
    ("trust_remote_code", "--trust-remote-code"),
    ("dtype", "--dtype"),
    ("max_seq_len", "--max-model-len"),
    ("load_format", "--load-format"),
    ("tensor_parallel_size", "--tensor-parallel-size"),
    ("pipeline_parallel_size", "--pipeline-parallel-size"),
    ("data_parallel_size", "--data-parallel-size"),
    ("enforce_eager", "--enforce-eager"),
    ("kv_cache_dtype", "--kv-cache-dtype"),
    ("structured_outputs_config.reasoning_parser", "--reasoning-parser"),
    ("seed", "--seed"),
    ("enable_prefix_caching", "--enable-prefix-caching"),
    ("enable_chunked_prefill", "--enable-chunked-prefill"),
)
_ENGINE = "vLLM"
_PARTLY = {
    OTHER: "the configuration is what start-up made of the arguments, and does not say which were given",
    "runtime.compilation": "of the compiler's settings only those are read that Askew knows to be in effect",
    "runtime.sampling_defaults": "the configuration states what overrides the model's own sampling defaults",
}
_AUTO = {
    "--kv-cache-dtype": ("runtime.kv_cache.dtype", "the configuration says auto: it follows the dtype of the model"),
    "--dtype": ("runtime.dtype", "the configuration says auto"),
}


def of_json(config: Node) -> Iterator[Observation]:
    """What the configuration states, as JSON."""
    fetched = bool(config["model_config"]["model_weights"].value)  # from a bucket, into a folder of its own
    for field, name in FIELDS:
        node = config.get(*field.split("."))
        if node.exists and not (fetched and name in ("--model", "--tokenizer")):
            yield from _stated(name, node, node.value)
    method = config["model_config"]["quantization"]
    yield from reported("runtime.quantization", method, method.value or "none")
    yield from _features(config)
    backend = config.get("structured_outputs_config", "backend")
    yield from reported("runtime.structured_output_backend", backend)
    cache = config["cache_config"]
    yield from reported("runtime.kv_cache.tokens", cache["kv_cache_size_tokens"])
    yield from _graphs(config["compilation_config"]["cudagraph_mode"])
    for fact, reason in _PARTLY.items():
        yield partly(fact, config, reason)


def _features(config: Node) -> Iterator[Observation]:
    """What is there only where it is on: adapters, speculative decoding, a role in disaggregated serving."""
    lora, speculative, transfer = config["lora_config"], config["speculative_config"], config["kv_transfer_config"]
    if lora.exists:
        yield from reported("runtime.lora.enabled", lora, lora.value is not None)
    if speculative.exists and not speculative:
        yield from reported("runtime.speculative", speculative, {})
    elif speculative.is_mapping:
        for key in ("method", "model", "num_speculative_tokens"):
            yield from reported("runtime.speculative", speculative[key], key=key)
        yield partly("runtime.speculative", speculative, "only its method, model and number of tokens are read")
    if transfer.is_mapping:
        yield from by_flag(_flag("--kv-transfer-config"), transfer, engine=_ENGINE)


def _graphs(mode: Node) -> Iterator[Observation]:
    """The mode of CUDA graphs: the number of ``CUDAGraphMode``, or a pair of them."""
    value = _MODES.get(str(mode.value))
    if value is not None:
        yield from reported("runtime.compilation", mode, None if value == "NONE" else value, key="cudagraph_mode")


# vllm/config/compilation.py: PIECEWISE = 1, FULL = 2, FULL_DECODE_ONLY = (FULL, NONE), FULL_AND_PIECEWISE = (FULL,
# PIECEWISE); JSON makes lists of the pairs.
_MODES = {
    "0": "NONE", "1": "PIECEWISE", "2": "FULL", "[2, 0]": "FULL_DECODE_ONLY", "[2, 1]": "FULL_AND_PIECEWISE",
}  # fmt: skip


def _stated(name: str, node: Node, raw: object) -> Iterator[Observation]:
    """What one field states, by the argument of which it is."""
    if isinstance(raw, str):
        raw = raw.removeprefix("torch.")
        if raw.lower() in DEFERRED.get(name, ()) or raw == "None":
            if name in _AUTO and raw == "auto":
                fact, reason = _AUTO[name]
                yield unknown(fact, node, reason)
            return
        if name == "--reasoning-parser" and not raw:
            yield from reported("runtime.reasoning_parser", node, None)
            return
        if name == "--attention-backend":
            raw = raw.rpartition(".")[2].lower()
    if raw in (None, ""):
        return
    flag = _flag(name)
    yield from by_flag(flag, node, raw, engine=_ENGINE)
    if name == "--model" and isinstance(raw, str):
        yield from reported("model.source", node, source(raw))


@functools.cache
def _flags() -> Mapping[str, Flag]:
    return {name: flag for flag in FLAGS if not flag.until or flag.names[0] == "--swap-space" for name in flag.names}


def _flag(name: str) -> Flag:
    return _flags()[name]


def of_text(text: str, at: Location) -> Iterator[Observation]:
    """What the configuration states, as text; every value stands at ``at``."""
    context = Context(at.source)
    printed: dict[str, Value] = {}
    for one in fields(text):
        printed[one.name] = one.value
        if isinstance(one.value, dict):
            printed.update({f"{one.name}.{key}": inner for key, inner in one.value.items()})

    def node(name: str) -> Node:
        return _At(context, printed.get(name), at, exists=name in printed)

    for field, name in LINE:
        yield from _stated(name, node(field), printed.get(field))
    method = node("quantization")
    yield from reported("runtime.quantization", method, method.value or "none")
    yield from reported("runtime.structured_output_backend", node("structured_outputs_config.backend"))
    yield from _graphs(node("compilation_config.cudagraph_mode"))
    for fact, reason in _PARTLY.items():
        yield partly(fact, _At(context, text, at), reason)


class _At(Node):
    """A value at a place of its own: a part of a text, which no node of a document is."""

    __slots__ = ("_place",)

    def __init__(self, context: Context, value: object, place: Location, *, exists: bool = True) -> None:
        super().__init__(context, value, exists=exists)
        self._place = place

    @property
    def location(self) -> Location:
        return self._place
