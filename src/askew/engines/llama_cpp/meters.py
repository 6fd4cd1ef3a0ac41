"""Metrics of llama.cpp's server (``--metrics``).

Source: ``tools/server`` of https://github.com/ggml-org/llama.cpp , and what builds answer. It counts tokens and their
time, and no requests; the use of the KV cache was taken out when the cache was unified.
"""

from __future__ import annotations

from askew.engines.live import Meter, Meters

_PROMPT, _CACHED = ("llamacpp:prompt_tokens_total",), ("llamacpp:prompt_tokens_cached_total",)
_OUTPUT = ("llamacpp:tokens_predicted_total",)
_RUNNING = ("llamacpp:requests_processing",)

METERS = Meters(
    prefixes=("llamacpp:",),
    aliases={"llamacpp_": "llamacpp:"},
    meters=(
        Meter(fact="performance.load", key="concurrency", how="level", names=_RUNNING),
        Meter(fact="performance.output_tokens_per_second", how="rate", names=_OUTPUT),
        Meter(
            fact="performance.tpot.mean", how="mean", names=("llamacpp:tokens_predicted_seconds_total",), of=_OUTPUT
        ),
        Meter(fact="performance.batch_size.p95", how="peak", names=_RUNNING),
        Meter(fact="performance.queue_depth", how="level", names=("llamacpp:requests_deferred",)),
        Meter(
            fact="performance.kv_cache_usage", how="level", across="mean", names=("llamacpp:kv_cache_usage_ratio",)
        ),
        Meter(fact="performance.prefix_hit_rate", how="share", names=_CACHED, of=(*_CACHED, *_PROMPT)),
        Meter(
            fact="performance.spec_acceptance", how="share", names=("llamacpp:spec_decode_num_accepted_tokens_total",),
            of=("llamacpp:spec_decode_num_draft_tokens_total",),
        ),
    ),
)  # fmt: skip
