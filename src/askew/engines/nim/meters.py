"""Metrics of NIM for language models: vLLM's, without its prefix, and some of its own. Newer images have vLLM's own.

Source: https://docs.nvidia.com/nim/large-language-models/latest/observability.html . The time per output token is
counted for each token, as vLLM's of that name was.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_SUCCESS, _FAILURE, _FINISH = ("request_success_total",), ("request_failure_total",), ("request_finish_total",)
_PROMPT, _OUTPUT = ("request_prompt_tokens",), ("request_generation_tokens",)
_RUNNING = ("num_requests_running",)

METERS = Meters(
    marks=("num_request_max", "request_finish_total"),
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_SUCCESS),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_PROMPT),
        Meter(fact="performance.load", key="output_tokens", how="mean", names=_OUTPUT),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=("generation_tokens_total",)),
        Meter(fact="performance.requests_per_second", how="rate", names=_SUCCESS),
        Meter(fact="performance.ttft", how="quantiles", names=("time_to_first_token_seconds",)),
        Meter(fact="performance.itl", how="quantiles", names=("time_per_output_token_seconds",)),
        Meter(fact="performance.e2e", how="quantiles", names=("e2e_request_latency_seconds",)),
        Meter(fact="performance.error_rate", how="share", names=_FAILURE, of=(*_SUCCESS, *_FAILURE)),
        Meter(fact="performance.batch_size.p95", how="peak", names=_RUNNING),
        Meter(fact="performance.queue_depth", how="level", names=("num_requests_waiting",)),
        Meter(fact="performance.kv_cache_usage", how="level", across="mean", names=("gpu_cache_usage_perc",)),
        Meter(fact="performance.prompt_tokens", how="quantiles", names=_PROMPT),
        Meter(fact="performance.output_tokens", how="quantiles", names=_OUTPUT),
        Meter(
            fact="performance.finish_length_ratio", how="share", names=_FINISH, where={"finished_reason": ("length",)},
            lazy=True,
        ),
        Meter(fact="runtime.max_num_seqs", how="value", names=("num_request_max",)),
    ),
)  # fmt: skip
