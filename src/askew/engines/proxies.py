"""What proxies have in common: they run no model."""

from __future__ import annotations

_OF_A_MODEL = (
    *("model.id", "model.source", "model.revision", "model.code_revision", "model.trust_remote_code"),
    *("model.tokenizer.source", "model.tokenizer.revision", "model.tokenizer.mode", "model.chat_template.source"),
    *("runtime.dtype", "runtime.quantization", "runtime.kv_cache.dtype", "runtime.max_model_len"),
    *("runtime.max_num_seqs", "runtime.max_num_batched_tokens", "runtime.gpu_memory_utilization"),
    *("runtime.tensor_parallel_size", "runtime.pipeline_parallel_size", "runtime.data_parallel_size"),
    *("runtime.expert_parallel", "runtime.chunked_prefill", "runtime.prefix_caching", "runtime.enforce_eager"),
    *("runtime.attention_backend", "runtime.speculative", "runtime.cpu_offload.bytes", "runtime.swap.bytes"),
    *("runtime.generation_config", "runtime.reasoning_parser", "runtime.tool_call_parser"),
    *("runtime.lora.enabled", "runtime.lora.max_rank", "runtime.rope_override", "runtime.hf_overrides"),
    *("runtime.seed", "runtime.load_format", "runtime.max_input_tokens", "runtime.max_output_tokens"),
    *("runtime.default_output_tokens", "runtime.max_concurrent_requests"),
)


def unsupported(title: str, *more: str) -> dict[str, str]:
    """The facts that a proxy called ``title`` cannot express, with the reason; ``more`` are further ones."""
    return dict.fromkeys((*_OF_A_MODEL, *more), f"{title} runs no model: it passes requests on")
