"""Arithmetic of memory and speed: what a model's weights, cache and steps take of one device.

Pure functions over sizes; nothing here knows a source or prints. Bytes are bytes, rates are per second.

Sources of the formulas: ``vllm/v1/core/kv_cache_utils.py`` (groups of layers, tokens, concurrency) and
``vllm/v1/worker/gpu_worker.py`` (what remains for the cache), https://github.com/vllm-project/vllm/tree/v0.19.0. The
constants of a step's memory are fitted to published start-up logs of 0.19.0
(https://github.com/llm-d-incubation/llm-d-planner/pull/205); ``docs/capacity.md`` says how far they are off.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

GIB = 1 << 30
# What the driver keeps of a device, so that CUDA sees less than nvidia-smi shows: 0.4 to 0.75 GiB from T4 to H200 in
# published start-up logs (H100 SXM: 79.19 of 79.65 GiB).
RESERVED = GIB // 2
_BLOCK = 16  # tokens of one block of vLLM's cache

# Bytes of one parameter: plain dtypes, and quantized weights with their scales (4 bits with one 16-bit scale and zero
# point for 128 weights are 0.52; NF4's scales for 64, quantized once more, come to the same; MX formats have one byte
# for 32 weights, NVFP4 one for 16).
_BYTES: Mapping[str, float] = {
    "float32": 4, "bfloat16": 2, "float16": 2, "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "int8": 1, "awq": 0.52,
    "gptq": 0.52, "awq_marlin": 0.52, "gptq_marlin": 0.52, "bitsandbytes": 0.53, "mxfp4": 0.531, "nvfp4": 0.5625,
    "modelopt": 1, "modelopt_fp4": 0.5625, "fbgemm_fp8": 1, "ptpc_fp8": 1, "marlin": 0.52, "hqq": 0.52,
}  # fmt: skip


class Geometry(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the size of the cache: layers, KV heads, size of a head; ranks of latent attention (0: plain);
    layers that keep a window only, and the window in tokens."""

    layers: int
    kv_heads: int
    head_dim: int
    kv_lora_rank: int = 0
    rotary: int = 0
    window_layers: int = 0
    window: int = 0


class Shards(msgspec.Struct, frozen=True, kw_only=True):
    """Over how many devices one copy of the model is spread."""

    tensor: int = 1
    pipeline: int = 1


def bytes_per_parameter(name: str, bits: int | None = None) -> float | None:
    """What one parameter takes in a dtype or a quantization; None for one that is not known. ``bits`` of a scheme whose
    name does not tell (compressed-tensors)."""
    if name in _BYTES:
        return _BYTES[name]
    return {16: 2.0, 8: 1.0, 4: 0.52, 3: 0.4, 2: 0.27}.get(bits or 0)


def weight_bytes(total: int, embedding: int, each: float, plain: float, shards: Shards) -> int:
    """Weights of one device. ``each`` and ``plain`` are bytes of a parameter: quantizers leave the embeddings as they
    were. Pipeline stages are uneven where the layers do not divide; the mean is taken."""
    return int(((total - embedding) * each + embedding * plain) / (shards.tensor * shards.pipeline))


def cache_bytes_per_token(one: Geometry, each: float, shards: Shards) -> int:
    """Cache of one token on one device, all layers without a window. Heads that do not divide over the devices are
    replicated; latent attention keeps one vector, which every device has whole."""
    full = one.layers - one.window_layers
    return int(_layer(one, each, shards) * max(full, 0) / shards.pipeline)


def _layer(one: Geometry, each: float, shards: Shards) -> float:
    if one.kv_lora_rank:
        return (one.kv_lora_rank + one.rotary) * each
    return 2 * max(1, -(-one.kv_heads // shards.tensor)) * one.head_dim * each


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """What fits into the cache: tokens, and requests of the longest length at once."""

    tokens: int
    concurrency: float


def cache_holds(room: int, one: Geometry, each: float, shards: Shards, length: int, step: int) -> Cache:
    """How much the cache of ``room`` bytes on one device holds, for requests of ``length`` tokens.

    ``step`` is the most tokens that one step computes: a layer with a window keeps the window and a step. vLLM puts
    layers into groups of equal size that share blocks; each request has blocks of its own in every group.
    """
    layer = _layer(one, each, shards)
    layers = one.layers / shards.pipeline
    if room <= 0 or layer <= 0 or layers <= 0 or length <= 0:
        return Cache(tokens=0, concurrency=0.0)
    windows = one.window_layers / shards.pipeline
    full = layers - windows
    needed = -(-length // _BLOCK)
    if not windows or not full:
        bounded = min(length, one.window - 1 + step) if windows else length
        blocks = int(room // (layer * layers * _BLOCK))
        per_request = -(-bounded // _BLOCK) + (1 if windows else 0)
        return Cache(tokens=blocks * _BLOCK, concurrency=blocks / per_request)
    size = min(full, windows)
    kept = -(-min(one.window - 1 + step, length) // _BLOCK) + 1
    blocks = int(room // (layer * size * _BLOCK))
    groups_full, groups_window = -(-int(full) // max(1, int(size))), -(-int(windows) // max(1, int(size)))
    concurrency = blocks / (groups_full * needed + groups_window * min(kept, needed))
    return Cache(tokens=int(concurrency * length), concurrency=concurrency)


def step_bytes(
    seqs: int, tokens: int, vocabulary: int, hidden: int, expert_width: int, chosen: int, shards: Shards, *, old: bool
) -> int:
    """What one step takes beside weights and cache, on one device: the sampler's copies of the logits in float32, the
    hidden states, and the inputs and outputs of the experts. ``old``: releases before 0.17, whose sampler keeps more.
    """
    copies = 9.7 if old else 3.75
    experts = tokens * chosen * (2 * expert_width / shards.tensor + hidden) * 2 if chosen else 0
    return int(copies * seqs * vocabulary * 4 + tokens * hidden * 2 + experts)


def context_bytes(shards: Shards, *, old: bool) -> int:
    """What CUDA and the communication between devices hold outside the allocator."""
    if shards.tensor > 1:
        return int((0.5 if old else 2.1) * GIB)
    return int((0.1 if old else 0.25) * GIB)


def decode_seconds(weights: int, cache: int, bandwidth: float) -> float:
    """The least time of one token: every active weight and the request's cache is read once. A bound, no forecast."""
    return (weights + cache) / bandwidth


def prefill_seconds(active: int, tokens: int, layers: int, hidden: int, tflops: float, devices: int) -> float:
    """The least time until the first token of a prompt: two operations for each active parameter and token, and the
    attention's share. A bound, not a forecast."""
    return (2 * active * tokens + 2 * layers * hidden * tokens**2) / (tflops * 1e12 * devices)
