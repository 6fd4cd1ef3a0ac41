"""TGI's metrics, of all releases; times are in seconds.

Source: ``router/src/server.rs`` and ``backends/v3/src`` at v3.3.7. No metric tells the time to the first token.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_SUCCESS, _FAILURE = ("tgi_request_success",), ("tgi_request_failure",)
_PROMPT, _OUTPUT = ("tgi_request_input_length",), ("tgi_request_generated_tokens",)
_RUNNING = ("tgi_batch_current_size",)

METERS = Meters(
    prefixes=("tgi_",),
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_SUCCESS),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_PROMPT),
        Meter(fact="performance.load", key="output_tokens", how="mean", names=_OUTPUT),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=("tgi_request_generated_tokens_sum",)),
        Meter(fact="performance.requests_per_second", how="rate", names=_SUCCESS),
        Meter(fact="performance.tpot", how="quantiles", names=("tgi_request_mean_time_per_token_duration",)),
        Meter(fact="performance.e2e", how="quantiles", names=("tgi_request_duration",)),
        Meter(
            fact="performance.error_rate", how="share", names=_FAILURE, of=(*_SUCCESS, *_FAILURE), lazy=True
        ),
        Meter(fact="performance.batch_size.p95", how="peak", names=_RUNNING),
        Meter(fact="performance.queue_depth", how="level", names=("tgi_queue_size",)),
        Meter(fact="performance.prompt_tokens", how="quantiles", names=_PROMPT),
        Meter(fact="performance.output_tokens", how="quantiles", names=_OUTPUT),
        Meter(fact="runtime.max_batch_total_tokens", how="value", names=("tgi_batch_max_total_tokens",)),
    ),
)  # fmt: skip
