"""Ray Serve's metrics; times are in milliseconds. (Engines within it give their own, with ``ray_`` before.)

Sources: https://docs.ray.io/en/latest/serve/monitoring.html and the names in ``versions/history.json``.
Routes that begin with a hyphen are the proxy's own.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters, Stated

_REQUESTS, _ERRORS = ("ray_serve_num_http_requests",), ("ray_serve_num_http_error_requests",)
_SEEN = ("ray_serve_deployment_request_counter", "ray_serve_application_status", "ray_serve_proxy_status")
_OWN = {"route": ("/-/healthz", "/-/routes")}

METERS = Meters(
    prefixes=("ray_serve_",),
    meters=(
        Meter(
            fact="performance.load", key="concurrency", how="level", names=("ray_serve_replica_processing_queries",)
        ),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_REQUESTS, unless=_OWN),
        Meter(fact="performance.requests_per_second", how="rate", names=_REQUESTS, unless=_OWN),
        Meter(
            fact="performance.e2e", how="quantiles", names=("ray_serve_http_request_latency_ms",), scale=0.001,
            unless=_OWN,
        ),
        Meter(
            fact="performance.e2e", how="quantiles", names=("ray_serve_deployment_processing_latency_ms",), scale=0.001
        ),
        Meter(fact="performance.error_rate", how="share", names=_ERRORS, of=_REQUESTS, unless=_OWN, lazy=True),
        Meter(
            fact="performance.batch_size.p95", how="peak", names=("ray_serve_replica_processing_queries",)
        ),
        Meter(fact="performance.batch_size", how="quantiles", names=("ray_serve_actual_batch_size",)),
        Meter(fact="performance.queue_depth", how="level", names=("ray_serve_deployment_queued_queries",)),
    ),
    # Ray puts its release on everything that it exports.
    stated=(Stated(fact="runtime.engine.version", names=_SEEN, labels=("Version",)),),
)  # fmt: skip
