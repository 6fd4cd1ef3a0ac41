"""SGLang's metrics (``--enable-metrics``), of all releases.

Sources: ``python/sglang/srt/metrics/collector.py`` at v0.5.23 and the names in ``versions/history.json``. The ranks of
a tensor parallel group may all give the scheduler's gauges (``--enable-metrics-for-all-schedulers``): one counts.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_FIRST_RANK = {"tp_rank": ("0", "")}
_RUNNING = ("sglang:num_running_reqs",)
_PROMPT, _OUTPUT = ("sglang:prompt_tokens_histogram",), ("sglang:generation_tokens_histogram",)
_PROMPT_TOKENS, _OUTPUT_TOKENS = ("sglang:prompt_tokens_total",), ("sglang:generation_tokens_total",)
_REQUESTS = ("sglang:num_requests_total",)

METERS = Meters(
    prefixes=("sglang:",),
    aliases={"sglang_": "sglang:"},
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING, where=_FIRST_RANK),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_REQUESTS),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_PROMPT_TOKENS, of=_REQUESTS),
        Meter(fact="performance.load", key="output_tokens", how="mean", names=_OUTPUT_TOKENS, of=_REQUESTS),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=_OUTPUT_TOKENS),
        Meter(fact="performance.requests_per_second", how="rate", names=_REQUESTS),
        Meter(fact="performance.ttft", how="quantiles", names=("sglang:time_to_first_token_seconds",)),
        Meter(fact="performance.tpot", how="quantiles", names=("sglang:request_time_per_output_token_seconds",)),
        Meter(
            fact="performance.itl", how="quantiles",
            names=("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"),
        ),
        Meter(fact="performance.e2e", how="quantiles", names=("sglang:e2e_request_latency_seconds",)),
        Meter(fact="performance.batch_size.p95", how="peak", names=_RUNNING, where=_FIRST_RANK),
        Meter(fact="performance.queue_depth", how="level", names=("sglang:num_queue_reqs",), where=_FIRST_RANK),
        Meter(
            fact="performance.kv_cache_usage", how="level", across="mean", names=("sglang:token_usage",),
            where=_FIRST_RANK,
        ),
        Meter(fact="performance.preemptions", how="rate", names=("sglang:num_retracted_requests_total",)),
        Meter(
            fact="performance.prefix_hit_rate", how="share", names=("sglang:cached_tokens_total",), of=_PROMPT_TOKENS,
        ),
        Meter(
            fact="performance.prefix_hit_rate", how="level", across="mean", names=("sglang:cache_hit_rate",),
            where=_FIRST_RANK,
        ),
        Meter(
            fact="performance.spec_acceptance", how="level", across="mean", names=("sglang:spec_accept_rate",),
            where=_FIRST_RANK, nonzero=True,
        ),
        Meter(fact="performance.prompt_tokens", how="quantiles", names=_PROMPT),
        Meter(fact="performance.output_tokens", how="quantiles", names=_OUTPUT),
        Meter(fact="runtime.kv_cache.tokens", how="value", names=("sglang:max_total_num_tokens",), where=_FIRST_RANK),
        Meter(fact="runtime.kv_cache.block_size", how="value", names=("sglang:page_size",), where=_FIRST_RANK),
        Meter(fact="runtime.max_model_len", how="value", names=("sglang:context_len",), where=_FIRST_RANK),
    ),
)  # fmt: skip
