"""TorchServe's metrics (``metrics_mode=prometheus``), in the units of ``ts/configs/metrics.yaml`` at v0.12.0."""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_REQUESTS = ("ts_inference_requests_total",)
_ANSWERS = ("Requests2XX", "Requests4XX", "Requests5XX")

METERS = Meters(
    marks=(*_REQUESTS, "ts_inference_latency_microseconds", "ts_queue_latency_microseconds", "Requests2XX"),
    meters=(
        Meter(fact="performance.load", key="request_rate", how="rate", names=_REQUESTS),
        Meter(fact="performance.requests_per_second", how="rate", names=_REQUESTS),
        Meter(
            fact="performance.e2e.mean", how="mean", names=("ts_inference_latency_microseconds",), of=_REQUESTS,
            scale=1e-6,
        ),
        Meter(fact="performance.error_rate", how="share", names=("Requests5XX",), of=_ANSWERS, lazy=True),
        Meter(
            fact="performance.gpu_utilization", how="level", across="mean", names=("GPUUtilization",), scale=0.01
        ),
        Meter(
            fact="performance.gpu_memory.bytes", how="level", across="mean", names=("GPUMemoryUsed",), scale=2**20
        ),
    ),
)  # fmt: skip
