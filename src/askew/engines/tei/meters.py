"""TEI's metrics; times are in seconds. Source: ``router/src/prometheus.rs`` and ``core/src`` at v1.9.3."""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_SUCCESS, _FAILURE = ("te_request_success",), ("te_request_failure",)
_PROMPT = ("te_request_input_length",)

METERS = Meters(
    prefixes=("te_",),
    meters=(
        Meter(fact="performance.load", key="request_rate", how="rate", names=_SUCCESS),
        Meter(fact="performance.load", key="input_tokens", how="mean", names=_PROMPT),
        Meter(fact="performance.requests_per_second", how="rate", names=_SUCCESS),
        Meter(fact="performance.e2e", how="quantiles", names=("te_request_duration",)),
        Meter(fact="performance.error_rate", how="share", names=_FAILURE, of=(*_SUCCESS, *_FAILURE), lazy=True),
        Meter(fact="performance.batch_size", how="quantiles", names=("te_batch_next_size",)),
        Meter(fact="performance.queue_depth", how="level", names=("te_queue_size",)),
        Meter(fact="performance.prompt_tokens", how="quantiles", names=_PROMPT),
    ),
)  # fmt: skip
