"""What TensorRT-LLM logs when it starts: its runtime in C++, which Triton's backend has too, and ``trtllm-serve``.

Sources: logs in issues 224, 1400 and 2398 of https://github.com/NVIDIA/TensorRT-LLM, 396 and 577 of
https://github.com/triton-inference-server/tensorrtllm_backend and pull request 150 of
https://github.com/triton-inference-server/tutorials: releases 0.5 to 1.0.
"""

from __future__ import annotations

from askew.engines.live import Log
from askew.engines.logged import (
    EFFECTIVE,
    UVICORN,
    Says,
    State,
    gibibytes,
    last_start,
    mebibytes,
    named,
    stated,
    whole,
)
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("[TensorRT-LLM] TensorRT-LLM version: ", "[TensorRT LLM] TensorRT LLM version: ")
_SPOKEN = (*_STARTS, "[TensorRT-LLM][INFO]", "[TRT-LLM] [I]")
_MODEL = r"\[INFO\] (?:\[\d+\] )?TRTGptModel "

RUNTIME = (
    Says(
        mark="TRTGptModel maxSequenceLen: ",
        pattern=_MODEL + r"maxSequenceLen: (\d+)\s*$",
        states=(State(fact="runtime.max_model_len", read=whole),),
    ),
    Says(
        mark="TRTGptModel maxBatchSize: ",
        pattern=_MODEL + r"maxBatchSize: (\d+)\s*$",
        states=(State(fact="runtime.max_num_seqs", read=whole),),
    ),
    Says(
        mark="TRTGptModel maxNumTokens: ",
        pattern=_MODEL + r"maxNumTokens: (\d+)\s*$",
        states=(State(fact="runtime.max_num_batched_tokens", read=whole),),
    ),
    Says(
        mark="Number of tokens per block: ",
        pattern=r"Number of tokens per block: (\d+)\.",
        states=(State(fact="runtime.kv_cache.block_size", read=whole),),
    ),
    Says(
        mark=" for max tokens in paged KV cache (",
        pattern=r"Allocated ([\d.]+) GiB for max tokens in paged KV cache \((\d+)\)",
        states=(
            State(fact="runtime.kv_cache.bytes", read=gibibytes),
            State(fact="runtime.kv_cache.tokens", group=2, read=whole),
        ),
        strength=EFFECTIVE,
    ),
    Says(
        mark=" for max tokens in paged KV cache (",
        pattern=r"Allocated ([\d.]+) MiB for max tokens in paged KV cache \((\d+)\)",
        states=(
            State(fact="runtime.kv_cache.bytes", read=mebibytes),
            State(fact="runtime.kv_cache.tokens", group=2, read=whole),
        ),
        strength=EFFECTIVE,
    ),
    Says(
        mark=" tokens in paged KV cache.",
        pattern=r"Using (\d+) tokens in paged KV cache\.",
        states=(State(fact="runtime.kv_cache.tokens", read=whole),),
    ),
    Says(
        mark=" bytes for k/v cache.",
        pattern=r"Allocate (\d+) bytes for k/v cache\.",
        states=(State(fact="runtime.kv_cache.bytes", read=whole),),
    ),
)
_TABLE = (
    *RUNTIME,
    UVICORN,
    Says(
        mark=" version: ",
        pattern=r"\[TensorRT[- ]LLM\] TensorRT[- ]LLM version: (\d\S*)\s*$",
        states=(State(fact="runtime.engine.version"),),
    ),
    Says(
        mark="Using LLM with ",
        pattern=r"Using LLM with (PyTorch|TensorRT|AutoDeploy) backend",
        states=(State(fact="runtime.engine.backend", read=str.lower),),
    ),
)


def _speaks(told: Told) -> bool:
    return any(mark in told.text for mark in _SPOKEN) and "tritonserver.cc:" not in told.text


def _read(told: Told) -> tuple[Observation, ...]:
    return named("tensorrt-llm", stated(told, _TABLE, last_start(told, _STARTS)))


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
