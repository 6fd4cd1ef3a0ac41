"""Metrics of TensorFlow Serving (``--monitoring_config_file``); times are in microseconds.

Source: ``tensorflow_serving/servables/tensorflow/util.cc`` at 2.20.0. Statuses are those of absl.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_REQUESTS = (":tensorflow:serving:request_count",)
_FAILED = (
    "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_BATCHES = (
    ":tensorflow:serving:batching_session:processed_batch_size",
    ":tensorflow:serving:saved_model_with_batching:processed_batch_size",
)

METERS = Meters(
    prefixes=(":tensorflow:",),
    meters=(
        Meter(fact="performance.load", key="request_rate", how="rate", names=_REQUESTS),
        Meter(fact="performance.requests_per_second", how="rate", names=_REQUESTS),
        Meter(
            fact="performance.e2e", how="quantiles", names=(":tensorflow:serving:request_latency",), scale=1e-6
        ),
        Meter(
            fact="performance.error_rate", how="share", names=_REQUESTS, where={"status": _FAILED}, lazy=True
        ),
        Meter(fact="performance.batch_size", how="quantiles", names=_BATCHES),
    ),
)  # fmt: skip
