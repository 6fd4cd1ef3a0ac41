"""What SGLang's start-up logs state. Values are invented, shapes are real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from askew.cli.run import run
from askew.engines.sglang.log import LOG
from tests.engines.logs import excerpt, facts, line_of, obeys_the_laws, observed

OLD, NEW = excerpt("sglang/0.4.6"), excerpt("sglang/0.5.20")


def test_a_log_that_prints_an_object() -> None:
    found = facts(LOG, OLD)
    assert found["runtime.engine.name"] == "sglang"
    assert found["runtime.dtype"] == "bfloat16"
    assert found["runtime.kv_cache.dtype"] == "float8_e5m2"
    assert found["runtime.kv_cache.tokens"] == 300000
    assert found["runtime.kv_cache.bytes"] == 21 * 2**30
    assert found["runtime.max_model_len"] == 131072
    assert found["runtime.max_num_seqs"] == 2048
    assert found["runtime.attention_backend"] == "fa3"
    assert found["runtime.prefix_caching"] is False
    assert found["runtime.enforce_eager"] is False
    assert found["runtime.tensor_parallel_size"] == 8
    assert found["runtime.gpu_memory_utilization"] == 0.84
    assert found["runtime.scheduler[conservativeness]"] == 0.3
    assert found["serving.api_key_required"] is True
    assert found["performance.startup"] == 69
    assert "runtime.seed" not in found and "runtime.speculative" not in found
    assert not any("canary" in repr(one) for one in observed(LOG, OLD))


def test_a_log_that_prints_a_map() -> None:
    found = facts(LOG, NEW)
    assert found["runtime.attention_backend"] == "flashinfer"
    assert found["runtime.max_num_seqs"] == 32  # 64 were asked for
    assert found["runtime.kv_cache.dtype"] == "bfloat16"
    assert found["runtime.speculative[method]"] == "eagle"
    assert found["runtime.sampling_defaults[top_p]"] == 0.95
    assert found["runtime.scheduler[policy]"] == "lpm"
    assert found["runtime.reasoning_parser"] == "qwen3"
    assert line_of(LOG, NEW, "runtime.max_num_seqs") == 5


def test_the_last_start_counts() -> None:
    assert facts(LOG, NEW + NEW.replace("50000", "40000"))["runtime.kv_cache.tokens"] == 40000


@pytest.mark.parametrize("text", [OLD, NEW], ids=["0.4.6", "0.5.20"])
def test_laws(text: str) -> None:
    obeys_the_laws(LOG, text)


def test_a_recorded_log_agrees_with_its_command(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "recordings" / "sglang-0.5.23" / "cpu-torch_native"
    command = " ".join(json.loads((folder / "command.json").read_text())["cmd"])
    log = f"log:{folder / 'startup.log'}"
    for sides in ((f"cmd:{command}", log), (log, f"cmd:{command}")):
        assert run(["diff", *sides]) == 0
        assert "no differences" in capsys.readouterr().out
    assert run(["diff", f"cmd:{command.replace('--context-length 512', '--context-length 640')}", log]) == 1
    assert "runtime.max_model_len: 640 → 512" in capsys.readouterr().out
