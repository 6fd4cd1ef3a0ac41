"""Triton's metrics, and those of its TensorRT-LLM backend. (Its vLLM backend gives vLLM's.)

Sources: https://github.com/triton-inference-server/server/blob/main/docs/user_guide/metrics.md ,
``inflight_batcher_llm/src/custom_metrics_reporter`` of the TensorRT-LLM backend. The time of requests is a sum in
microseconds unless summaries or histograms are switched on. Requests of an ensemble are counted for it and for each of
its models.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_SUCCESS, _FAILURE = ("nv_inference_request_success",), ("nv_inference_request_failure",)
_TRTLLM, _BLOCKS = ("nv_trt_llm_request_metrics",), ("nv_trt_llm_kv_cache_block_metrics",)

METERS = Meters(
    prefixes=("nv_",),
    meters=(
        Meter(
            fact="performance.load", key="concurrency", how="level", names=_TRTLLM, where={"request_type": ("active",)}
        ),
        Meter(fact="performance.load", key="request_rate", how="rate", names=_SUCCESS),
        Meter(fact="performance.requests_per_second", how="rate", names=_SUCCESS),
        Meter(
            fact="performance.ttft", how="quantiles", names=("nv_inference_first_response_histogram_ms",), scale=0.001
        ),
        Meter(fact="performance.e2e", how="quantiles", names=("nv_inference_request_summary_us",), scale=1e-6),
        Meter(
            fact="performance.e2e.mean", how="mean", names=("nv_inference_request_duration_us",), of=_SUCCESS,
            scale=1e-6,
        ),
        Meter(fact="performance.error_rate", how="share", names=_FAILURE, of=(*_SUCCESS, *_FAILURE)),
        Meter(
            fact="performance.batch_size.p95", how="peak", names=_TRTLLM, where={"request_type": ("active",)}
        ),
        Meter(fact="performance.queue_depth", how="level", names=_TRTLLM, where={"request_type": ("waiting",)}),
        Meter(fact="performance.queue_depth", how="level", names=("nv_inference_pending_request_count",)),
        Meter(
            fact="performance.kv_cache_usage", how="level", across="mean", names=_BLOCKS,
            where={"kv_cache_block_type": ("fraction",)},
        ),
        Meter(fact="performance.gpu_utilization", how="level", across="mean", names=("nv_gpu_utilization",)),
        Meter(fact="performance.gpu_memory.bytes", how="level", across="mean", names=("nv_gpu_memory_used_bytes",)),
        Meter(fact="hardware.gpu.memory.bytes", how="value", names=("nv_gpu_memory_total_bytes",)),
        Meter(fact="hardware.gpu.power_limit", how="value", names=("nv_gpu_power_limit",)),
        Meter(
            fact="runtime.kv_cache.block_size", how="value", names=_BLOCKS,
            where={"kv_cache_block_type": ("tokens_per",)},
        ),
    ),
)  # fmt: skip
