"""What llama-server's start-up logs state. Values are invented, shapes are real."""

from __future__ import annotations

from pathlib import Path

from askew.engines.llama_cpp.log import LOG
from tests.engines.logs import excerpt, facts, obeys_the_laws, told

CUDA = excerpt("llama_cpp/cuda")


def test_a_log_on_gpus() -> None:
    found = facts(LOG, CUDA)
    assert found["runtime.engine.version"] == "b6400"
    assert found["runtime.max_model_len"] == 8192
    assert found["runtime.kv_cache.tokens"] == 32768
    assert found["runtime.kv_cache.bytes"] == 2176 * 2**20
    assert found["runtime.kv_cache.dtype"] == "q8_0"
    assert found["runtime.kv_cache.key_dtype"] == "q8_0"
    assert found["runtime.max_num_seqs"] == 4
    assert found["runtime.max_num_batched_tokens"] == 1024
    assert found["runtime.attention_backend"] == "flash_attn"
    assert found["runtime.threads"] == 12
    assert found["model.id"] == "/models/small-q4.gguf"
    assert found["model.architecture"] == "llama"
    assert found["model.context_length"] == 131072
    assert found["hardware.gpu.model"] == ["l4"]
    assert found["hardware.gpu.count"] == 2
    assert found["hardware.gpu.compute_capability"] == "8.9"
    assert found["serving.port"] == 8081


def test_a_cache_of_two_types_has_no_one_dtype() -> None:
    found = facts(LOG, CUDA.replace("V (q8_0)", "V (f16)"))
    assert found["runtime.kv_cache.value_dtype"] == "float16"
    assert "runtime.kv_cache.dtype" not in found


def test_a_draft_model_has_a_context_of_its_own() -> None:
    draft = "srv    load_model: loading draft model '/models/tiny.gguf'\nllama_context: n_ctx         = 512\n"
    found = facts(LOG, CUDA + draft)
    assert found["runtime.max_model_len"] == 8192 and "runtime.kv_cache.tokens" not in found


def test_laws() -> None:
    obeys_the_laws(LOG, CUDA)


def test_a_recorded_log(shared: Path) -> None:
    (log,) = (shared / "recordings").glob("llama.cpp-*/startup.log")
    text = log.read_text(encoding="utf-8")
    assert LOG.speaks(told(text))
    found = facts(LOG, text)
    assert (found["runtime.max_model_len"], found["runtime.max_num_seqs"]) == (256, 2)
    assert (found["model.id"], found["serving.port"]) == ("/models/tiny.gguf", 18090)
    assert "runtime.engine.version" not in found  # build b0
