"""Metrics of KServe's own Python servers. Source: ``python/kserve/kserve/metrics.py`` at v0.20.0.

They time the steps of a request, not the whole of it. A server with vLLM in it gives vLLM's metrics.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_PREDICTED = ("request_predict_seconds_count",)

METERS = Meters(
    marks=("request_predict_seconds", "request_preprocess_seconds"),
    meters=(
        Meter(fact="performance.load", key="request_rate", how="rate", names=_PREDICTED),
        Meter(fact="performance.requests_per_second", how="rate", names=_PREDICTED),
    ),
)
