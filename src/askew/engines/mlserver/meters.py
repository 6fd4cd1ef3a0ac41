"""MLServer's metrics; times are in seconds.

Source: ``mlserver/handlers/dataplane.py`` and ``mlserver/rest/app.py`` at 1.7.1. The dataplane has a sum without
buckets, the HTTP server a histogram by path.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_SUCCESS, _FAILURE = ("model_infer_request_success_total",), ("model_infer_request_failure_total",)
_INFER = {"path": tuple(f"/v2/models/{{model_name}}{version}/infer" for version in ("", "/versions/{model_version}"))}

METERS = Meters(
    marks=(*_SUCCESS, "model_infer_request_duration"),
    meters=(
        Meter(fact="performance.load", key="request_rate", how="rate", names=_SUCCESS),
        Meter(fact="performance.requests_per_second", how="rate", names=_SUCCESS),
        Meter(
            fact="performance.e2e", how="quantiles", names=("rest_server_request_duration_seconds",), where=_INFER
        ),
        Meter(fact="performance.e2e", how="quantiles", names=("model_infer_request_duration",)),
        Meter(fact="performance.error_rate", how="share", names=_FAILURE, of=(*_SUCCESS, *_FAILURE), lazy=True),
    ),
)  # fmt: skip
