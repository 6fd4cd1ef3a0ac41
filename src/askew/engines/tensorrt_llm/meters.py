"""Metrics of ``trtllm-serve`` (``return_perf_metrics``, ``enable_iter_perf_stats``).

Source: ``tensorrt_llm/metrics/collector.py`` of https://github.com/NVIDIA/TensorRT-LLM . Its first releases gave a few
of these without the prefix: names that other servers have too, and that are read where the engine is known otherwise.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_SUCCESS, _ERROR = ("trtllm_request_success_total", "request_success_total"), ("trtllm_request_error_total",)
_RUNNING = ("trtllm_num_requests_running", "trtllm_num_active_requests")
_WAITING = ("trtllm_num_requests_waiting", "trtllm_server_queue_length")
_PROMPT_TOKENS, _OUTPUT_TOKENS = ("trtllm_prompt_tokens_total",), ("trtllm_generation_tokens_total",)

METERS = Meters(
    prefixes=("trtllm_",),
    aliases={"trtllm:": "trtllm_"},
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_SUCCESS),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_PROMPT_TOKENS, of=_SUCCESS),
        Meter(fact="performance.load", key="output_tokens", how="mean", names=_OUTPUT_TOKENS, of=_SUCCESS),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=_OUTPUT_TOKENS),
        Meter(fact="performance.requests_per_second", how="rate", names=_SUCCESS),
        Meter(
            fact="performance.ttft", how="quantiles",
            names=("trtllm_time_to_first_token_seconds", "time_to_first_token_seconds"),
        ),
        Meter(
            fact="performance.tpot", how="quantiles",
            names=("trtllm_time_per_output_token_seconds", "time_per_output_token_seconds"),
        ),
        Meter(
            fact="performance.e2e", how="quantiles",
            names=("trtllm_e2e_request_latency_seconds", "e2e_request_latency_seconds"),
        ),
        Meter(fact="performance.error_rate", how="share", names=_ERROR, of=(*_SUCCESS, *_ERROR)),
        Meter(fact="performance.batch_size.p95", how="peak", names=_RUNNING),
        Meter(fact="performance.queue_depth", how="level", names=_WAITING),
        Meter(
            fact="performance.kv_cache_usage", how="level", across="mean", names=("trtllm_kv_cache_utilization",)
        ),
        Meter(
            fact="performance.prefix_hit_rate", how="share", names=("trtllm_prompt_cached_tokens_total",),
            of=_PROMPT_TOKENS,
        ),
        Meter(
            fact="performance.prefix_hit_rate", how="level", across="mean", names=("trtllm_kv_cache_hit_rate",)
        ),
        Meter(
            fact="performance.spec_acceptance", how="share",
            names=("trtllm_spec_decode_num_accepted_tokens_total", "trtllm_spec_decode_accepted_tokens_total"),
            of=("trtllm_spec_decode_num_draft_tokens_total", "trtllm_spec_decode_drafted_tokens_total"),
        ),
        Meter(
            fact="performance.finish_length_ratio", how="share", names=_SUCCESS, where={"finished_reason": ("length",)}
        ),
        Meter(
            fact="performance.gpu_memory.bytes", how="level", across="mean", names=("trtllm_gpu_memory_usage_bytes",)
        ),
        Meter(fact="runtime.kv_cache.block_size", how="value", names=("trtllm_kv_cache_tokens_per_block",)),
        Meter(fact="runtime.max_num_seqs", how="value", names=("trtllm_max_batch_size_static",)),
    ),
)  # fmt: skip
