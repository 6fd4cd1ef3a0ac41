"""Facts about how the model behaves under a stated load. They compare with a tolerance, never for equality."""

from __future__ import annotations

from askew.facts import kinds as k
from askew.facts.later import Row, later
from askew.facts.types import Fact

# How far apart two figures are that mean the same: a quarter is what buckets of histograms and the day's traffic move a
# quantile by; below the second number nobody notices.
_latency_kind = k.about(k.seconds, 0.25, 0.005, better=-1)
_throughput_kind = k.about(k.number, 0.25, 0.01, better=1)
_rate_kind = k.about(k.number, 0.25, 0.01, better=-1)
_hits_kind = k.about(k.ratio, 0.25, 0.02, better=1)
_share_kind = k.about(k.ratio, 0.25, 0.02, better=-1)
_errors_kind = k.about(k.ratio, 0.25, 0.005, better=-1)
_usage_kind = k.about(k.ratio, 0.25, 0.1)
_number_kind = k.about(k.number, 0.25, 1)
_queue_kind = k.about(k.number, 0.5, 2, better=-1)
_tokens_kind = k.about(k.tokens, 0.25, 16)
_load_kind = k.mapping(k.about(k.number, 0.3, 0.01))

_METRICS = "curl -s $URL/metrics (SGLang: with --enable-metrics)"
_SMI = "kubectl -n $NS exec $POD -- nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv"
_EVENTS = "kubectl -n $NS get pod $POD -o jsonpath='{.status.conditions}'"


def _latency(noun: str, brief: str, why: str) -> tuple[Row, ...]:
    """The three percentiles of one latency, and its mean: some engines show no more."""
    return tuple(
        (f"{noun}.{percentile}", _latency_kind, "low", _METRICS, (example,), f"{brief}, {percentile}.", why)
        for percentile, example in (("p50", 0.2), ("p95", 0.8), ("p99", 1.5), ("mean", 0.3))
    )


_ROWS: tuple[Row, ...] = (
    (
        "load",
        _load_kind,
        "info",
        _METRICS,
        ({"concurrency": 32, "input_tokens": 1024, "output_tokens": 256},),
        "The load under which the other figures were measured.",
        "Figures measured under different loads say nothing about each other.",
    ),
    (
        "output_tokens_per_second",
        _throughput_kind,
        "low",
        _METRICS,
        (2400,),
        "Output tokens per second of one replica.",
        "Less throughput on the same GPUs is more queueing and more cost.",
    ),
    (
        "requests_per_second",
        _throughput_kind,
        "low",
        _METRICS,
        (12.5,),
        "Completed requests per second of one replica.",
        "Fewer at the same load means that requests wait or fail.",
    ),
    *_latency(
        "ttft", "Time to first token", "Users wait longer before anything appears: prefill, queue or cache changed."
    ),
    *_latency("tpot", "Time per output token", "Text appears more slowly: batch size, GPU or kernels changed."),
    *_latency(
        "itl", "Time between tokens", "Pauses in the stream: prefill of others interrupts decoding, or preemption."
    ),
    *_latency("e2e", "Time of a whole request", "Clients and hops on the path time out and try again."),
    (
        "error_rate",
        _errors_kind,
        "low",
        _METRICS,
        (0.001,),
        "Share of requests that fail.",
        "Refusals, timeouts and crashes reach the clients.",
    ),
    (
        "batch_size.p95",
        _number_kind,
        "low",
        _METRICS,
        (48,),
        "Running requests per step, p95.",
        "Smaller batches waste the GPU; larger ones slow each token.",
    ),
    (
        "queue_depth",
        _queue_kind,
        "low",
        _METRICS,
        (0, 12),
        "Requests waiting in the engine.",
        "A queue that never empties means too little capacity or too low a limit.",
    ),
    (
        "kv_cache_usage",
        _usage_kind,
        "low",
        _METRICS,
        (0.62,),
        "Share of the KV cache in use.",
        "Near 1 requests are preempted and computed again.",
    ),
    (
        "preemptions",
        _rate_kind,
        "low",
        _METRICS,
        (0,),
        "Preempted requests per second.",
        "Each is computed twice: latency rises while utilization looks fine.",
    ),
    (
        "prefix_hit_rate",
        _hits_kind,
        "low",
        _METRICS,
        (0.55,),
        "Share of prompt tokens found in the prefix cache.",
        "A fall means that prefixes changed, or that routing or cache size did.",
    ),
    (
        "spec_acceptance",
        _hits_kind,
        "low",
        _METRICS,
        (0.7,),
        "Share of guessed tokens that the model accepts.",
        "A draft model that does not fit costs more than it saves.",
    ),
    (
        "gpu_utilization",
        _usage_kind,
        "info",
        _SMI,
        (0.9,),
        "Share of time in which the GPU runs a kernel.",
        "It says nothing about efficiency, but near 0 the GPU idles.",
    ),
    (
        "gpu_memory.bytes",
        k.about(k.bytes_, 0.1),
        "info",
        _SMI,
        (77309411328,),
        "GPU memory in use.",
        "Engines reserve most of it; a change shows another setting or a neighbour.",
    ),
    (
        "startup",
        k.about(k.seconds, 0.25, 10, better=-1),
        "low",
        _EVENTS,
        (180,),
        "Time from container start to ready.",
        "Probes, rollouts and autoscaling are laid out for it.",
    ),
    (
        "cost_per_million_tokens",
        k.about(k.number, 0.1, better=-1),
        "low",
        f"{_METRICS}, and the price of the nodes",
        (0.35,),
        "Cost of a million output tokens, in the currency of the contract.",
        "Idle GPUs, small batches and dearer nodes raise it without an error.",
    ),
    (
        "prompt_tokens.p50",
        _tokens_kind,
        "info",
        _METRICS,
        (900,),
        "Length of prompts, p50.",
        "Longer prompts are another load: time to first token grows with them.",
    ),
    (
        "prompt_tokens.p95",
        _tokens_kind,
        "info",
        _METRICS,
        (6000,),
        "Length of prompts, p95.",
        "Long prompts stall others and fill the cache.",
    ),
    (
        "output_tokens.p50",
        _tokens_kind,
        "info",
        _METRICS,
        (220,),
        "Length of answers, p50.",
        "Longer answers occupy the batch longer; a jump may be a lost stop token.",
    ),
    (
        "output_tokens.p95",
        _tokens_kind,
        "info",
        _METRICS,
        (1800,),
        "Length of answers, p95.",
        "Answers at the limit were probably cut.",
    ),
    (
        "finish_length_ratio",
        _share_kind,
        "low",
        _METRICS,
        (0.02,),
        "Share of answers that ended at the token limit.",
        "A rise shows a lost stop token, a lower limit or rambling answers.",
    ),
)

_LOAD = "performance.load"
# What the load alone does not move: what requests are like, and what the engine answers to them.
_WHATEVER_THE_LOAD = frozenset(
    ("load", "error_rate", "prefix_hit_rate", "spec_acceptance", "gpu_memory.bytes", "startup", "prompt_tokens.p50",
     "prompt_tokens.p95", "output_tokens.p50", "output_tokens.p95", "finish_length_ratio")
)  # fmt: skip

FACTS: tuple[Fact, ...] = later(
    "performance", _ROWS, "performance", under={row[0]: _LOAD for row in _ROWS if row[0] not in _WHATEVER_THE_LOAD}
)
