"""Facts of language models that servers of any model cannot express, with the reason."""

from __future__ import annotations

_LANGUAGE = (
    "model.chat_template.source model.code_revision model.tokenizer.mode model.tokenizer.revision "
    "model.tokenizer.source model.trust_remote_code runtime.attention_backend runtime.chunked_prefill "
    "runtime.cpu_offload.bytes runtime.data_parallel_size runtime.default_output_tokens runtime.dtype "
    "runtime.enforce_eager runtime.expert_parallel runtime.generation_config runtime.gpu_memory_utilization "
    "runtime.hf_overrides runtime.kv_cache.block_size runtime.kv_cache.dtype runtime.load_format runtime.lora.enabled "
    "runtime.lora.max_rank runtime.max_input_tokens runtime.max_model_len runtime.max_num_batched_tokens "
    "runtime.max_num_seqs runtime.max_output_tokens runtime.pipeline_parallel_size runtime.prefix_caching "
    "runtime.quantization runtime.reasoning_parser runtime.rope_override runtime.sampling_defaults runtime.seed "
    "runtime.speculative runtime.swap.bytes runtime.tensor_parallel_size runtime.tool_call_parser "
    "runtime.async_scheduling runtime.cuda_graph.sizes"
)


def classic(title: str, own: str = "a model's own code") -> dict[str, str]:
    """What a server of any kind of model leaves to ``own``."""
    reason = f"{title} serves any model; {own} decides what a language model would need"
    return dict.fromkeys(_LANGUAGE.split(), reason)
