"""What Ollama's logs state. Values are invented, shapes are real."""

from __future__ import annotations

from askew.engines.llama_cpp.log import LOG as LLAMA
from askew.engines.ollama.log import LOG
from tests.engines.logs import excerpt, facts, obeys_the_laws, observed, told

TEXT = excerpt("ollama/0.11")


def test_a_server_with_one_model() -> None:
    found = facts(LOG, TEXT)
    assert found["runtime.engine.version"] == "0.11.10"
    assert found["runtime.max_model_len"] == 8192
    assert found["runtime.max_num_seqs"] == 2
    assert found["runtime.kv_cache.tokens"] == 16384
    assert found["runtime.kv_cache.dtype"] == "q8_0"
    assert found["runtime.attention_backend"] == "flash_attn"
    assert found["hardware.gpu.model"] == ["l4"] and found["hardware.gpu.count"] == 2
    assert found["hardware.gpu.compute_capability"] == "8.9"
    assert found["hardware.cuda.version"] == "12.8"
    assert found["serving.port"] == 11434
    assert found["model.context_length"] == 131072


def test_of_several_models_none_is_the_one() -> None:
    other = TEXT[TEXT.index("time=2026-02-01T10:01:00") :].replace("sha256-aa00", "sha256-bb11")
    found = facts(LOG, TEXT + other)
    assert "runtime.kv_cache.tokens" not in found and "model.context_length" not in found
    assert found["runtime.engine.version"] == "0.11.10"


def test_what_nobody_set_is_not_stated() -> None:
    text = TEXT.replace("OLLAMA_FLASH_ATTENTION:true", "OLLAMA_FLASH_ATTENTION:false").split("time=2026-02-01T10:01")[0]
    assert not any(one.fact == "runtime.attention_backend" for one in observed(LOG, text))


def test_it_is_not_taken_for_llama_server() -> None:
    assert LOG.speaks(told(TEXT)) and not LLAMA.speaks(told(TEXT))


def test_laws() -> None:
    obeys_the_laws(LOG, TEXT)
