"""What TensorRT-LLM's start-up logs state. Values are invented, shapes are real."""

from __future__ import annotations

from askew.engines.tensorrt_llm.log import LOG
from tests.engines.logs import excerpt, facts, obeys_the_laws

TEXT = excerpt("tensorrt_llm/cpp")


def test_a_log_of_the_runtime() -> None:
    found = facts(LOG, TEXT)
    assert found["runtime.engine.version"] == "0.16.0"
    assert found["runtime.max_model_len"] == 8192
    assert found["runtime.max_num_seqs"] == 64
    assert found["runtime.max_num_batched_tokens"] == 4096
    assert found["runtime.kv_cache.tokens"] == 266240
    assert found["runtime.kv_cache.bytes"] == int(32.5 * 2**30)
    assert found["runtime.kv_cache.block_size"] == 64
    assert found["serving.port"] == 8000


def test_laws() -> None:
    obeys_the_laws(LOG, TEXT)
