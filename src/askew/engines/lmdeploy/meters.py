"""LMDeploy's metrics (``--enable-metrics``).

Source: ``lmdeploy/metrics/loggers.py`` at v0.18.0. Its requests that succeeded and failed are gauges that only grow. It
takes the time of an output token of each step, and the time between two steps.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_FINISHED = ("lmdeploy:e2e_request_latency_seconds_count",)
_PROMPT, _OUTPUT = ("lmdeploy:request_prompt_tokens",), ("lmdeploy:request_generation_tokens",)
_RUNNING = ("lmdeploy:num_requests_running",)
_FAILED, _SUCCEEDED = ("lmdeploy:num_requests_failed",), ("lmdeploy:num_requests_succeeded",)

METERS = Meters(
    prefixes=("lmdeploy:",),
    aliases={"lmdeploy_": "lmdeploy:"},
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_FINISHED),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_PROMPT),
        Meter(fact="performance.load", key="output_tokens", how="mean", names=_OUTPUT),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=("lmdeploy:generation_tokens_total",)),
        Meter(fact="performance.requests_per_second", how="rate", names=_FINISHED),
        Meter(fact="performance.ttft", how="quantiles", names=("lmdeploy:time_to_first_token_seconds",)),
        Meter(fact="performance.tpot", how="quantiles", names=("lmdeploy:time_per_output_token_seconds",)),
        Meter(fact="performance.itl", how="quantiles", names=("lmdeploy:iter_token_latency",)),
        Meter(fact="performance.e2e", how="quantiles", names=("lmdeploy:e2e_request_latency_seconds",)),
        Meter(fact="performance.error_rate", how="share", names=_FAILED, of=(*_SUCCEEDED, *_FAILED)),
        Meter(fact="performance.batch_size.p95", how="peak", names=_RUNNING),
        Meter(fact="performance.queue_depth", how="level", names=("lmdeploy:num_requests_waiting",)),
        Meter(
            fact="performance.kv_cache_usage", how="level", across="mean", names=("lmdeploy:gpu_cache_usage_perc",)
        ),
        Meter(
            fact="performance.prefix_hit_rate", how="share", names=("lmdeploy:cached_tokens_total",),
            of=("lmdeploy:prompt_tokens_total",),
        ),
        Meter(
            fact="performance.spec_acceptance", how="share", names=("lmdeploy:spec_decode_num_accepted_tokens_total",),
            of=("lmdeploy:spec_decode_num_draft_tokens_total",),
        ),
        Meter(fact="performance.prompt_tokens", how="quantiles", names=_PROMPT),
        Meter(fact="performance.output_tokens", how="quantiles", names=_OUTPUT),
    ),
)  # fmt: skip
