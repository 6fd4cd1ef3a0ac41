"""Capacity arithmetic: worked examples, laws, and published start-up logs."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.knowledge import capacity
from askew.knowledge.capacity import GIB, Geometry, Shards

LLAMA = Geometry(layers=32, kv_heads=8, head_dim=128)


def test_llama_8b_on_an_h100_as_its_log_says() -> None:
    """Llama-3.1-8B, bfloat16, vLLM 0.19.0, share 0.95: weights 14.99 GiB, cache 58.11 GiB, 476,016 tokens."""
    one = Shards()
    weights = capacity.weight_bytes(8030261248, 1050673152, 2, 2, one)
    step = capacity.step_bytes(1024, 8192, 128256, 4096, 0, 0, one, old=False)
    room = 79.19 * GIB * 0.95 - weights - step - capacity.context_bytes(one, old=False)
    assert weights / GIB == pytest.approx(14.99, rel=0.005)
    assert step / GIB == pytest.approx(1.89, rel=0.02)
    assert room / GIB == pytest.approx(58.11, rel=0.005)
    assert capacity.cache_bytes_per_token(LLAMA, 2, one) == 131072
    held = capacity.cache_holds(int(58.11 * GIB), LLAMA, 2, one, 8192, 8192)
    assert held.tokens == pytest.approx(476016, rel=0.0005)
    assert held.concurrency == pytest.approx(58.11, rel=0.001)


def test_latent_attention_is_whole_on_every_device() -> None:
    latent = Geometry(layers=61, kv_heads=128, head_dim=56, kv_lora_rank=512, rotary=64)
    assert capacity.cache_bytes_per_token(latent, 2, Shards()) == 61 * 576 * 2
    assert capacity.cache_bytes_per_token(latent, 2, Shards(tensor=8)) == 61 * 576 * 2


def test_heads_that_do_not_divide_are_replicated() -> None:
    assert capacity.cache_bytes_per_token(LLAMA, 2, Shards(tensor=8)) == 131072 / 8
    assert capacity.cache_bytes_per_token(LLAMA, 2, Shards(tensor=16)) == 131072 / 8


@given(
    st.integers(0, 200 * GIB),
    st.integers(1, 128),
    st.integers(1, 64),
    st.integers(1, 131072),
    st.sampled_from([1, 2, 4]),
)
def test_more_room_holds_more_and_longer_requests_fewer(
    room: int, layers: int, heads: int, length: int, tensor: int
) -> None:
    shape, shards = Geometry(layers=layers, kv_heads=heads, head_dim=64), Shards(tensor=tensor)
    held = capacity.cache_holds(room, shape, 2, shards, length, 8192)
    more = capacity.cache_holds(room + GIB, shape, 2, shards, length, 8192)
    longer = capacity.cache_holds(room, shape, 2, shards, length + 4096, 8192)
    assert more.tokens >= held.tokens >= 0 and more.concurrency >= held.concurrency >= longer.concurrency >= 0
    assert held.tokens * capacity.cache_bytes_per_token(shape, 2, shards) <= room


@given(st.integers(1, 64), st.integers(128, 8192), st.integers(1, 131072))
def test_a_window_never_costs_requests(windows: int, window: int, length: int) -> None:
    full = Geometry(layers=64, kv_heads=8, head_dim=128)
    mixed = Geometry(layers=64, kv_heads=8, head_dim=128, window_layers=min(windows, 32), window=window)
    room = 40 * GIB
    with_window = capacity.cache_holds(room, mixed, 2, Shards(), length, 2048)
    without = capacity.cache_holds(room, full, 2, Shards(), length, 2048)
    # Groups of layers round up, so that a window may cost a little where the request is not longer than it.
    assert with_window.concurrency >= without.concurrency * 0.45


def test_published_logs(shared: Path) -> None:
    """The goals: the cache within 2 % median and 10 % at the 90th percentile where batching is known, tokens from known
    bytes within 0.5 %."""
    path = shared / "knowledge" / "memory_observations.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rooms, tokens = [], []
    for row in rows:
        sizes, batching = row["params"], (row["max_num_seqs"], row["max_num_batched_tokens"])
        if row["post_hoc"] or row["observed_kv_gib"] is None or row["max_model_len"] is None:
            continue
        shards, swa, mla = Shards(tensor=row["tp"], pipeline=row["pp"]), sizes["swa"] or {}, sizes["mla"] or {}
        shape = Geometry(
            layers=sizes["layers"], kv_heads=sizes["kv_heads"], head_dim=sizes["head_dim"],
            kv_lora_rank=mla.get("kv_lora", 0), rotary=mla.get("rope", 0),
            window_layers=sizes["layers"] - swa["full"] if "full" in swa else 0, window=swa.get("window", 0),
        )  # fmt: skip
        each = 1 if "fp8" in row["kv_cache_dtype"] else 4 if sizes["quant"] == "f32" else 2
        if row["observed_kv_tokens"]:
            held = capacity.cache_holds(
                int(row["observed_kv_gib"] * GIB), shape, each, shards, row["max_model_len"], batching[1] or 8192
            )
            tokens.append(abs(held.tokens / row["observed_kv_tokens"] - 1))
        if None not in batching and row["vram_reported_gib"] and row["observed_weights_gib"]:
            old = row["activation_regime"] != "new"
            step = capacity.step_bytes(*batching, sizes["vocab"], sizes["hidden"], 0, 0, shards, old=old)
            taken = row["observed_weights_gib"] * GIB + step + capacity.context_bytes(shards, old=old)
            room = row["vram_reported_gib"] * GIB * row["gpu_memory_utilization"] - taken
            rooms.append(abs(room / GIB / row["observed_kv_gib"] - 1))
    rooms.sort()
    tokens.sort()
    assert len(rooms) > 30 and len(tokens) > 30
    assert statistics.median(rooms) <= 0.02 and rooms[int(0.9 * len(rooms))] <= 0.10
    assert statistics.median(tokens) <= 0.005 and tokens[int(0.9 * len(tokens))] <= 0.005
