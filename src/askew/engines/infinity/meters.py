"""Infinity's metrics: those of the web framework, which other servers have too.

Source: ``infinity_emb/infinity_server.py`` at 0.0.77, which uses ``prometheus-fastapi-instrumentator``. Only requests
that embed, rank or classify count.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_HANDLERS = tuple(
    prefix + path for prefix in ("", "/v1") for path in ("/embeddings", "/rerank", "/classify", "/embeddings_image")
)
_ASKED = {"handler": _HANDLERS}
_REQUESTS = ("http_requests_total",)
# Everything that is no such request, as far as the framework names it: it has no other way to say so.
_PROBES = {"handler": ("/health", "/metrics", "/models", "/v1/models", "/docs", "/openapi.json", "none", "/")}

METERS = Meters(
    meters=(
        Meter(fact="performance.load", key="request_rate", how="rate", names=_REQUESTS, where=_ASKED),
        Meter(fact="performance.requests_per_second", how="rate", names=_REQUESTS, where=_ASKED),
        Meter(fact="performance.e2e", how="quantiles", names=("http_request_duration_seconds",), where=_ASKED),
        Meter(
            fact="performance.error_rate", how="share", names=_REQUESTS, where={"status": ("5xx",)}, unless=_PROBES,
            lazy=True,
        ),
    ),
)  # fmt: skip
