"""Metrics of production-stack's router: what passed through it, and some gauges of the engines behind it.

Source: ``src/vllm_router/services/metrics_service/__init__.py`` of https://github.com/vllm-project/production-stack .
It passes on vLLM's names for what it saw of each server.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_REQUESTS, _ERRORS = ("vllm:num_incoming_requests",), ("vllm:request_errors",)
_INPUT, _OUTPUT = ("vllm:input_tokens",), ("vllm:output_tokens",)
_RUNNING = ("vllm:num_requests_running",)

METERS = Meters(
    marks=("vllm:current_qps", "vllm:healthy_pods_total", "vllm:num_incoming_requests"),
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_REQUESTS),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_INPUT, of=_REQUESTS),
        Meter(fact="performance.load", key="output_tokens", how="mean", names=_OUTPUT, of=_REQUESTS),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=_OUTPUT),
        Meter(fact="performance.requests_per_second", how="rate", names=_REQUESTS),
        Meter(fact="performance.e2e", how="quantiles", names=("vllm:request_latency_seconds",)),
        Meter(fact="performance.error_rate", how="share", names=_ERRORS, of=_REQUESTS, lazy=True),
        Meter(fact="performance.queue_depth", how="level", names=("vllm:num_requests_waiting",)),
    ),
)
