"""BentoML's metrics; times are in seconds.

Source: ``src/bentoml/_internal/server/http/instruments.py`` of https://github.com/bentoml/BentoML , and the names in
``versions/history.json``. What is asked to see how it is, is no request.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_REQUESTS = ("bentoml_service_request_total", "bentoml_api_server_request_total")
_RUNNING = ("bentoml_service_request_in_progress", "bentoml_api_server_request_in_progress")
_TIMES = ("bentoml_service_request_duration_seconds", "bentoml_api_server_request_duration_seconds")
_PROBES = {"endpoint": ("/healthz", "/livez", "/readyz", "/metrics", "/docs.json", "/schema.json", "/")}
_FAILED = {"http_response_code": ("500", "501", "502", "503", "504", "507")}

METERS = Meters(
    prefixes=("bentoml_",),
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING, unless=_PROBES),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_REQUESTS, unless=_PROBES),
        Meter(fact="performance.requests_per_second", how="rate", names=_REQUESTS, unless=_PROBES),
        Meter(fact="performance.e2e", how="quantiles", names=_TIMES, unless=_PROBES),
        Meter(
            fact="performance.error_rate", how="share", names=_REQUESTS, where=_FAILED, unless=_PROBES, lazy=True
        ),
        Meter(fact="performance.batch_size", how="quantiles", names=("bentoml_service_adaptive_batch_size",)),
    ),
)  # fmt: skip
