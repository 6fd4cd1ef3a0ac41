"""vLLM's metrics, of all releases.

Sources: ``vllm/v1/metrics/loggers.py`` at v0.33.0, ``vllm/engine/metrics.py`` at v0.10.2, and the names in
``versions/history.json``. ``vllm:time_per_output_token_seconds`` was one value for each token and so the time between
tokens; ``vllm:request_time_per_output_token_seconds`` is the mean of a request.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters, Stated

_SUCCESS = ("vllm:request_success_total",)
_PROMPT = ("vllm:request_prompt_tokens",)
_OUTPUT = ("vllm:request_generation_tokens",)
_RUNNING = ("vllm:num_requests_running",)
_CONFIG = ("vllm:cache_config_info", "vllm:cache_config")

METERS = Meters(
    prefixes=("vllm:",),
    # Ray's exporter puts its own prefix before; it and OpenTelemetry's write "_" for the colon.
    aliases={"ray_vllm:": "vllm:", "ray_vllm_": "vllm:", "vllm_": "vllm:"},
    foreign=("server",),  # production-stack's router says under these names what each server behind it has
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_SUCCESS),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_PROMPT),
        Meter(fact="performance.load", key="output_tokens", how="mean", names=_OUTPUT),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=("vllm:generation_tokens_total",)),
        Meter(fact="performance.requests_per_second", how="rate", names=_SUCCESS),
        Meter(fact="performance.ttft", how="quantiles", names=("vllm:time_to_first_token_seconds",)),
        Meter(fact="performance.tpot", how="quantiles", names=("vllm:request_time_per_output_token_seconds",)),
        Meter(
            fact="performance.itl", how="quantiles",
            names=("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
        ),
        Meter(fact="performance.e2e", how="quantiles", names=("vllm:e2e_request_latency_seconds",)),
        Meter(fact="performance.error_rate", how="share", names=_SUCCESS, where={"finished_reason": ("error",)}),
        Meter(fact="performance.batch_size.p95", how="peak", names=_RUNNING),
        Meter(fact="performance.queue_depth", how="level", names=("vllm:num_requests_waiting",)),
        Meter(
            fact="performance.kv_cache_usage", how="level", across="mean",
            names=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        ),
        Meter(fact="performance.preemptions", how="rate", names=("vllm:num_preemptions_total",)),
        Meter(
            fact="performance.prefix_hit_rate", how="share",
            names=("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
            of=("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
        ),
        Meter(
            fact="performance.prefix_hit_rate", how="level", across="mean", names=("vllm:gpu_prefix_cache_hit_rate",)
        ),
        Meter(
            fact="performance.spec_acceptance", how="share", names=("vllm:spec_decode_num_accepted_tokens_total",),
            of=("vllm:spec_decode_num_draft_tokens_total",),
        ),
        Meter(fact="performance.prompt_tokens", how="quantiles", names=_PROMPT),
        Meter(fact="performance.output_tokens", how="quantiles", names=_OUTPUT),
        Meter(
            fact="performance.finish_length_ratio", how="share", names=_SUCCESS, where={"finished_reason": ("length",)}
        ),
    ),
    # The labels are the fields of CacheConfig: vllm/config/cache.py, metrics_info, at v0.33.0. Newer releases add what
    # was settled at start, kv_cache_size_tokens, and write the block size of their kernel in block_size.
    stated=(
        Stated(fact="runtime.kv_cache.block_size", names=_CONFIG, labels=("block_size",)),
        Stated(fact="runtime.kv_cache.tokens", names=_CONFIG, labels=("kv_cache_size_tokens",)),
        Stated(fact="runtime.kv_cache.tokens", names=_CONFIG, labels=("num_gpu_blocks", "block_size")),
        Stated(fact="runtime.kv_cache.dtype", names=_CONFIG, labels=("cache_dtype",)),
        Stated(fact="runtime.prefix_caching", names=_CONFIG, labels=("enable_prefix_caching",)),
        Stated(fact="runtime.gpu_memory_utilization", names=_CONFIG, labels=("gpu_memory_utilization",)),
        Stated(fact="runtime.swap.bytes", names=_CONFIG, labels=("swap_space_bytes",)),
    ),
)  # fmt: skip
