"""Metrics of LiteLLM's proxy (``callbacks: [prometheus]``); times are in seconds.

Source: ``litellm/integrations/prometheus.py`` of https://github.com/BerriAI/litellm .
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_REQUESTS, _FAILED = ("litellm_proxy_total_requests_metric",), ("litellm_proxy_failed_requests_metric",)
_INPUT, _OUTPUT = ("litellm_input_tokens_metric",), ("litellm_output_tokens_metric",)

METERS = Meters(
    prefixes=("litellm_",),
    meters=(
        Meter(fact="performance.load", key="request_rate", how="rate", names=_REQUESTS),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_INPUT, of=_REQUESTS),
        Meter(fact="performance.load", key="output_tokens", how="mean", names=_OUTPUT, of=_REQUESTS),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=_OUTPUT),
        Meter(fact="performance.requests_per_second", how="rate", names=_REQUESTS),
        Meter(fact="performance.ttft", how="quantiles", names=("litellm_llm_api_time_to_first_token_metric",)),
        Meter(fact="performance.tpot", how="quantiles", names=("litellm_deployment_latency_per_output_token",)),
        Meter(fact="performance.e2e", how="quantiles", names=("litellm_request_total_latency_metric",)),
        Meter(fact="performance.error_rate", how="share", names=_FAILED, of=_REQUESTS, lazy=True),
    ),
)
