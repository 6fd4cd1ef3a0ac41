"""What Triton's start-up logs state. Values are invented, shapes are real."""

from __future__ import annotations

from pathlib import Path

from askew.engines.tensorrt_llm.log import LOG as INSIDE
from askew.engines.triton.log import LOG
from tests.engines.logs import excerpt, facts, line_of, obeys_the_laws, told

TEXT = excerpt("triton/trtllm")


def test_a_log() -> None:
    found = facts(LOG, TEXT)
    assert found["runtime.engine.version"] == "2.47.0"
    assert found["model.served_names"] == ["ensemble", "tensorrt_llm"]
    assert found["hardware.gpu.model"] == ["h100-80gb-sxm"] and found["hardware.gpu.count"] == 2
    assert found["serving.port"] == 8000
    assert line_of(LOG, TEXT, "runtime.engine.version") == 23


def test_what_its_backend_says_of_the_cache() -> None:
    inside = "[TensorRT-LLM][INFO] [MemUsageChange] Allocated 8.50 GiB for max tokens in paged KV cache (69632).\n"
    text = TEXT.replace("I0717 23:01:28.501008", f"{inside}I0717 23:01:28.501008")
    assert facts(LOG, text)["runtime.kv_cache.tokens"] == 69632
    assert LOG.speaks(told(text)) and not INSIDE.speaks(told(text))


def test_half_a_table_is_none() -> None:
    assert "model.served_names" not in facts(LOG, TEXT[: TEXT.index("| broken ")] + "| bro")


def test_laws() -> None:
    obeys_the_laws(LOG, TEXT)


def test_a_recorded_log(shared: Path) -> None:
    (log,) = (shared / "recordings").glob("tritonserver-*/startup.log")
    found = facts(LOG, log.read_text(encoding="utf-8"))
    assert found["model.served_names"] == ["doubler"] and found["serving.port"] == 18010
