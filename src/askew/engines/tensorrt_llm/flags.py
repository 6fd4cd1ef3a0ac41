"""TensorRT-LLM's settings as data: arguments of ``trtllm-serve`` and ``trtllm-build``, fields of the options file.

Sources: ``tensorrt_llm/commands/serve.py``, ``tensorrt_llm/commands/build.py`` and ``tensorrt_llm/llmapi/llm_args.py``
of https://github.com/NVIDIA/TensorRT-LLM; the pages of the commands at https://nvidia.github.io/TensorRT-LLM. The
options file (``--config``, ``--extra_llm_api_options``) holds fields of ``LlmArgs``; ``--set PATH=VALUE`` names one.
"""

from __future__ import annotations

from collections.abc import Callable

from askew.engines.flags import Flag, whole_number
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
Parts = tuple[tuple[str, str, Value], ...]
Field = Callable[[str, Value], Parts]

_BACKENDS = {"trt": "tensorrt", "cpp": "tensorrt", "_autodeploy": "autodeploy"}
_ROLES = {"context": "prefill", "generation": "decode", "mm_encoder": "encode"}
_DRAFTS = {"max_draft_len": "num_speculative_tokens", "num_nextn_predict_layers": "num_speculative_tokens"}
_SPECULATIVE = {"decoding_type": "method", "speculative_model": "model", "speculative_model_dir": "model", **_DRAFTS}


def backend(words: tuple[str, ...]) -> Value:
    """The name without its aliases: ``trt`` is tensorrt, ``_autodeploy`` is autodeploy."""
    return _BACKENDS.get(words[0], words[0])


def _experts(words: tuple[str, ...]) -> Parts:
    size = whole_number(words)
    return (("runtime.expert_parallel", "", size != 1), *(((OTHER, "--ep_size", str(size)),) if size != 1 else ()))


def _role(words: tuple[str, ...]) -> Value:
    return _ROLES.get(words[0].lower(), words[0].lower())


def quantization(value: Value) -> Value:
    """``FP8`` is fp8, ``W4A16_AWQ`` is awq; without an algorithm none."""
    if value is None:
        return "none"
    name = str(value).lower()
    return {"w4a16_awq": "awq", "w4a16_gptq": "gptq", "no_quant": "none"}.get(name, name)


def _dtype(fact: str) -> Field:
    def read(path: str, value: Value) -> Parts:
        return () if value is None or str(value).lower() == "auto" else ((fact, "", str(value).lower()),)

    return read


def _cache_dtype(path: str, value: Value) -> Parts:
    """The dtype of the KV cache; ``auto`` takes what the checkpoint says."""
    if value is None or str(value).lower() == "auto":
        return ()
    return (("runtime.kv_cache.dtype", "", {"fp8": "float8_e4m3"}.get(str(value).lower(), str(value).lower())),)


def _to(fact: str, key: str = "") -> Field:
    return lambda path, value: () if value is None else ((fact, key, value),)


def _lower(fact: str) -> Field:
    return lambda path, value: () if value is None else ((fact, "", str(value).lower()),)


def _not(fact: str) -> Field:
    def read(path: str, value: Value) -> Parts:
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, got {value!r}")
        return ((fact, "", not value),)

    return read


def _quantized(path: str, value: Value) -> Parts:
    return (("runtime.quantization", "", quantization(value)),)


def _parallel(path: str, value: Value) -> Parts:
    return () if value is None else _experts((str(value),))


def _policy(path: str, value: Value) -> Parts:
    """A part of the scheduler; the capacity policy that holds anyway says nothing."""
    name = path.rpartition(".")[2]
    if value is None or (name == "capacity_scheduler_policy" and str(value).upper() == "GUARANTEED_NO_EVICT"):
        return ()
    return (("runtime.scheduler", name, value if isinstance(value, (bool, int, float)) else str(value).lower()),)


def _draft(path: str, value: Value) -> Parts:
    key = _SPECULATIVE.get(path.rpartition(".")[2], path.rpartition(".")[2])
    if value is None:
        return ()
    return (("runtime.speculative", key, str(value).lower() if key == "method" else value),)


def _graphs(path: str, value: Value) -> Parts:
    """A section without content turns CUDA graphs off; its fields are read by themselves."""
    return (("runtime.enforce_eager", "", True),) if value is None else ()


def _adapters(path: str, value: Value) -> Parts:
    """``lora_dir`` lists adapters that every request may name."""
    found: list[Value] = [{"name": str(one), "source": str(one)} for one in value] if isinstance(value, list) else []
    return (("model.lora_adapters", "", found), ("runtime.lora.enabled", "", True)) if found else ()


def _backend(path: str, value: Value) -> Parts:
    return () if value is None else (("runtime.engine.backend", "", backend((str(value),))),)


def as_text(value: Value) -> str:
    """A value as text, in JSON where it is no text itself."""
    import msgspec

    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (ValueError, OverflowError, TypeError, RecursionError):  # a number that JSON readers do not take
        return str(value)


# Fields of LlmArgs whose value here is what they are where nobody writes them, in every release that was read.
_SAME_AS_ABSENT: dict[str, Value] = {
    "enable_attention_dp": False,
    "cuda_graph_config.enable_padding": False,
    "cuda_graph_config.max_batch_size": 0,
    "cuda_graph_padding_enabled": False,
    "max_beam_width": 1,
    "build_config.max_beam_width": 1,
    "stream_interval": 1,
    "num_postprocess_workers": 0,
    "context_parallel_size": 1,
    "fail_fast_on_attention_window_too_large": False,
    "skip_tokenizer_init": False,
    "enable_prompt_adapter": False,
    "max_prompt_adapter_token": 0,
    "enable_min_latency": False,
    "kv_cache_config.copy_on_partial_reuse": True,
    "kv_cache_config.enable_partial_reuse": True,
    "kv_cache_config.onboard_blocks": True,
}


def other(path: str, value: Value) -> Parts:
    """A field that changes what the server does and that no fact describes; nothing where it says what holds anyway."""
    if value is None or (path in _SAME_AS_ABSENT and _SAME_AS_ABSENT[path] == value):
        return ()
    return ((OTHER, path, as_text(value)),)


def nothing(path: str, value: Value) -> Parts:
    """A field that changes nothing that a fact describes."""
    return ()


_SEQS, _TOKENS, _LENGTH = "runtime.max_num_seqs", "runtime.max_num_batched_tokens", "runtime.max_model_len"

# Fields of LlmArgs by their path; the first entry that is the path or a part of its beginning, ended by a dot, counts.
FIELDS: dict[str, Field] = {
    "model": _to("model.id"),
    "tokenizer": _to("model.tokenizer.source"),
    "tokenizer_mode": _to("model.tokenizer.mode"),
    "tokenizer_revision": _to("model.tokenizer.revision"),
    "revision": _to("model.revision"),
    "trust_remote_code": _to("model.trust_remote_code"),
    "backend": _backend,
    "dtype": _dtype("runtime.dtype"),
    "load_format": _lower("runtime.load_format"),
    "tensor_parallel_size": _to("runtime.tensor_parallel_size"),
    "pipeline_parallel_size": _to("runtime.pipeline_parallel_size"),
    "moe_expert_parallel_size": _parallel,
    "max_batch_size": _to(_SEQS),
    "max_num_tokens": _to(_TOKENS),
    "max_seq_len": _to(_LENGTH),
    "max_input_len": _to("runtime.max_input_tokens"),
    "build_config.max_batch_size": _to(_SEQS),
    "build_config.max_num_tokens": _to(_TOKENS),
    "build_config.max_seq_len": _to(_LENGTH),
    "build_config.max_input_len": _to("runtime.max_input_tokens"),
    "enable_chunked_prefill": _to("runtime.chunked_prefill"),
    "disable_overlap_scheduler": _not("runtime.async_scheduling"),
    "enable_overlap_scheduler": _to("runtime.async_scheduling"),
    "pytorch_backend_config.enable_overlap_scheduler": _to("runtime.async_scheduling"),
    "attn_backend": _lower("runtime.attention_backend"),
    "guided_decoding_backend": _to("runtime.structured_output_backend"),
    "reasoning_parser": _to("runtime.reasoning_parser"),
    "kv_cache_config.enable_block_reuse": _to("runtime.prefix_caching"),
    "kv_cache_config.free_gpu_memory_fraction": _to("runtime.gpu_memory_utilization"),
    "kv_cache_config.max_tokens": _to("runtime.kv_cache.tokens"),
    "kv_cache_config.tokens_per_block": _to("runtime.kv_cache.block_size"),
    "kv_cache_config.host_cache_size": _to("runtime.swap.bytes"),
    "kv_cache_config.dtype": _cache_dtype,
    "cuda_graph_config": _graphs,
    "cuda_graph_config.batch_sizes": _to("runtime.cuda_graph.sizes"),
    "use_cuda_graph": _not("runtime.enforce_eager"),
    "pytorch_backend_config.use_cuda_graph": _not("runtime.enforce_eager"),
    "cuda_graph_batch_sizes": _to("runtime.cuda_graph.sizes"),
    "quant_config.quant_algo": _quantized,
    "quant_config.kv_cache_quant_algo": _cache_dtype,
    "scheduler_config": _policy,
    "speculative_config": _draft,
    "enable_lora": _to("runtime.lora.enabled"),
    "lora_config.max_lora_rank": _to("runtime.lora.max_rank"),
    "lora_config.max_loras": _to("runtime.lora.max_adapters"),
    "lora_config.lora_dir": _adapters,
    "model_kwargs": lambda path, value: (("runtime.hf_overrides", path.partition(".")[2], value),),
    "print_iter_log": nothing,
    "enable_iter_perf_stats": nothing,
    "iter_stats_max_iterations": nothing,
    "enable_iter_req_stats": nothing,
    "request_stats_max_iterations": nothing,
    "return_perf_metrics": nothing,
    "perf_metrics_max_requests": nothing,
    "otlp_traces_endpoint": nothing,
    "telemetry_config": nothing,
}


def parts_of(path: str, value: Value) -> Parts:
    """What one field says. Raises ValueError for what it cannot be."""
    name = path
    while True:
        read = FIELDS.get(name)
        if read is not None and (name == path or read in (_policy, _draft) or name == "model_kwargs"):
            return read(path, value)
        if "." not in name:
            return other(path, value)
        name = name.rpartition(".")[0]


def _assignment(words: tuple[str, ...]) -> Parts:
    """``PATH=VALUE``, the value in YAML."""
    path, sign, text = words[0].partition("=")
    if not sign or not path:
        raise ValueError("expected PATH=VALUE")
    return parts_of(path, scalar(text))


def scalar(text: str) -> Value:
    """A plain YAML scalar as PyYAML reads it; anything longer stays text."""
    word = text.strip()
    if word in ("", "~", "null", "Null", "NULL"):
        return None
    if word.lower() in ("true", "yes", "on"):
        return True
    if word.lower() in ("false", "no", "off"):
        return False
    try:
        return int(word)
    except ValueError:
        try:
            return float(word)
        except ValueError:
            return word


_LOG = "Log output only."

_FACTS: tuple[Flag, ...] = (
    Flag(names=("--tokenizer",), fact="model.tokenizer.source"),
    Flag(names=("--host",), fact="serving.listen_host"),
    Flag(names=("--port",), fact="serving.port"),
    Flag(names=("--backend",), fact="runtime.engine.backend", read=backend),
    Flag(names=("--max_batch_size",), fact=_SEQS, read=whole_number),
    Flag(names=("--max_num_tokens",), fact=_TOKENS, read=whole_number),
    Flag(names=("--max_seq_len",), fact=_LENGTH, read=whole_number),
    Flag(names=("--max_input_len",), fact="runtime.max_input_tokens", read=whole_number),
    Flag(names=("--tensor_parallel_size", "--tp_size", "--tp"), fact="runtime.tensor_parallel_size", read=whole_number),
    Flag(
        names=("--pipeline_parallel_size", "--pp_size", "--pp"),
        fact="runtime.pipeline_parallel_size",
        read=whole_number,
    ),
    Flag(names=("--moe_expert_parallel_size", "--ep_size", "--ep"), spreads=_experts),
    # The share of memory for the KV cache that is free once weights and buffers are allocated.
    Flag(
        names=(
            *("--free_gpu_memory_fraction", "--kv_cache_free_gpu_memory_fraction"), "--kv_cache_free_gpu_mem_fraction"
        ),
        fact="runtime.gpu_memory_utilization",
    ),
    Flag(names=("--kv_cache_dtype",), spreads=lambda words: _cache_dtype("", words[0])),
    Flag(names=("--disable_kv_cache_reuse",), takes="switch", fact="runtime.prefix_caching", implies=False),
    Flag(names=("--trust_remote_code",), takes="switch", fact="model.trust_remote_code"),
    Flag(names=("--revision",), fact="model.revision"),
    Flag(names=("--reasoning_parser",), fact="runtime.reasoning_parser"),
    Flag(names=("--tool_parser", "--tool_call_parser"), fact="runtime.tool_call_parser"),
    Flag(names=("--chat_template",), fact="model.chat_template.source"),
    Flag(names=("--served_model_name",), fact="model.served_names", read=lambda words: [words[0]]),
    Flag(names=("--server_role",), fact="runtime.role", read=_role),
    Flag(names=("--enable_chunked_prefill",), takes="switch", fact="runtime.chunked_prefill"),
    Flag(names=("--set",), takes="append", spreads=_assignment),
)  # fmt: skip

FILES = ("--config", "--extra_llm_api_options", "--extra_encoder_options")
_FILE = Flag(names=("--config", "--extra_llm_api_options", "--extra_encoder_options"), fact=OTHER, key="--config")
_VALUES = (
    "--cp_config --moe_cluster_parallel_size,--cluster_size "
    "--gpus_per_node --custom_tokenizer --metadata_server_config_file,-m "
    "--disagg_cluster_uri --media_io_kwargs --config_file,-c --server_start_timeout,-t --request_timeout,-r "
    "--video_pruning_rate --visual_gen_args --extra_visual_gen_options --agent_percentage --agent_types "
    "--stream_interval --max_request_size"
)
_SWITCHES = (
    "--fail_fast_on_attention_window_too_large --grpc --skip_tokenizer_init --enable_attention_dp "
    "--allow_request_chat_template --enable_iter_perf_stats"
)

SERVE: tuple[Flag, ...] = (
    *_FACTS,
    _FILE,
    Flag(names=("--max_beam_width",), spreads=lambda words: other("max_beam_width", scalar(words[0]))),
    Flag(
        names=("--context_parallel_size", "--cp_size"),
        spreads=lambda words: other("context_parallel_size", scalar(words[0])),
    ),
    Flag(
        names=("--num_postprocess_workers",),
        spreads=lambda words: other("num_postprocess_workers", scalar(words[0])),
    ),
    *(Flag(names=tuple(n.split(",")), fact=OTHER, key=n.partition(",")[0]) for n in _VALUES.split()),
    *(Flag(names=(name,), takes="switch", fact=OTHER, key=name) for name in _SWITCHES.split()),
    Flag(names=("--custom_module_dirs",), takes="append", fact=OTHER, key="--custom_module_dirs"),
    Flag(names=("--log_level", "-l"), irrelevant=_LOG),
    Flag(names=("--metrics-log-interval",), irrelevant=_LOG),
    Flag(names=("--otlp_traces_endpoint",), irrelevant="Traces only."),
    Flag(names=("--telemetry",), takes="switch", irrelevant="Usage statistics only."),
    Flag(names=("--no-telemetry",), takes="switch", irrelevant="Usage statistics only."),
    Flag(names=("--help",), takes="switch", irrelevant="It prints help and ends."),
)

_ENABLES = {"enable": True, "disable": False, "true": True, "false": False}


def _enabled(words: tuple[str, ...]) -> Value:
    """``enable`` or ``disable``, as the plug-ins of the builder are set."""
    if words[0].lower() not in _ENABLES:
        raise ValueError(f"expected enable or disable, got {words[0]!r}")
    return _ENABLES[words[0].lower()]


_BUILD_VALUES = (
    "--output_dir --build_config --model_cls_file --model_cls_name --model_config --max_beam_width --opt_num_tokens "
    "--max_encoder_input_len --max_prompt_embedding_table_size --kv_cache_type --paged_kv_cache --workers "
    "--input_timing_cache --output_timing_cache --profiling_verbosity --logits_dtype --gather_context_logits "
    "--gather_generation_logits --lora_target_modules --lora_ckpt_source --max_draft_len --speculative_decoding_mode "
    "--gemm_plugin --gpt_attention_plugin --bert_attention_plugin --nccl_plugin --moe_plugin --lora_plugin "
    "--mamba_conv1d_plugin --low_latency_gemm_plugin --low_latency_gemm_swiglu_plugin --gemm_swiglu_plugin "
    "--fp8_rowwise_gemm_plugin --smooth_quant_gemm_plugin --qserve_gemm_plugin --nvfp4_gemm_plugin --identity_plugin "
    "--weight_only_groupwise_quant_matmul_plugin --weight_only_quant_matmul_plugin --smooth_quant_plugins "
    "--layernorm_quantization_plugin --rmsnorm_quantization_plugin --quantize_per_token_plugin "
    "--quantize_tensor_plugin --context_fmha --bert_context_fmha_fp32_acc --remove_input_padding --reduce_fusion "
    "--user_buffer --norm_quant_fusion --multiple_profiles --use_fp8_context_fmha --fuse_fp4_quant --paged_state "
    "--streamingllm --use_fused_mlp --pp_reduce_scatter --cluster_key --monitor_memory --use_mrope "
    "--gemm_allreduce_plugin --dora_plugin --norm_before_bmm1 --cp_size --auto_parallel --enable_xqa --builder_opt"
)
_BUILD_SWITCHES = (
    "--fast_build --strip_plan --weight_sparsity --weight_streaming --use_strip_plan --enable_debug_output "
    "--visualize_network --dry_run --gather_all_token_logits --disable_weight_only_quant_plugin"
)

BUILD: tuple[Flag, ...] = (
    Flag(names=("--checkpoint_dir",), fact="model.source"),
    Flag(names=("--max_batch_size",), fact=_SEQS, read=whole_number),
    Flag(names=("--max_num_tokens",), fact=_TOKENS, read=whole_number),
    Flag(names=("--max_seq_len", "--max_decoder_seq_len"), fact=_LENGTH, read=whole_number),
    Flag(names=("--max_input_len",), fact="runtime.max_input_tokens", read=whole_number),
    Flag(names=("--tokens_per_block",), fact="runtime.kv_cache.block_size", read=whole_number),
    Flag(names=("--use_paged_context_fmha",), fact="runtime.chunked_prefill", read=_enabled),
    Flag(names=("--max_lora_rank",), fact="runtime.lora.max_rank", read=whole_number),
    Flag(names=("--lora_dir",), takes="list", fact="runtime.lora.enabled", read=lambda words: bool(words)),
    *(Flag(names=(name,), fact=OTHER, key=name) for name in _BUILD_VALUES.split()),
    *(Flag(names=(name,), takes="switch", fact=OTHER, key=name) for name in _BUILD_SWITCHES.split()),
    Flag(names=("--log_level",), irrelevant=_LOG),
    Flag(names=("--help", "-h"), takes="switch", irrelevant="It prints help and ends."),
)
