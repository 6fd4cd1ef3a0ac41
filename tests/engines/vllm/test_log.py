"""What vLLM's start-up logs state, from releases that print it differently. Values are invented, shapes are real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from askew.app.pipeline import Options, diff
from askew.app.pipeline import facts as facts_of
from askew.cli.run import run
from askew.engines.vllm.log import LOG
from tests.engines.logs import excerpt, facts, line_of, obeys_the_laws, observed, told

V0 = excerpt("vllm/0.6.6")  # 0.4.2 to 0.8.5: all arguments; until 0.6.6 the blocks of the cache
V1 = excerpt("vllm/0.11.0")  # 0.9 to 0.14: what differs from the defaults
NOW = excerpt("vllm/0.32.0")
ALL = pytest.mark.parametrize("text", [V0, V1, NOW], ids=["0.6.6", "0.11.0", "0.32.0"])


def test_a_log_of_the_first_generation() -> None:
    found = facts(LOG, V0)
    assert found["runtime.engine.version"] == "0.6.6"
    assert found["runtime.dtype"] == "float16"  # `auto` in the arguments
    assert found["runtime.quantization"] == "awq_marlin"
    assert found["runtime.max_model_len"] == 32768
    assert found["runtime.kv_cache.tokens"] == 12000 * 16
    assert found["runtime.attention_backend"] == "flash_attn"
    assert found["runtime.tensor_parallel_size"] == 2
    assert found["runtime.max_num_batched_tokens"] == 2048
    assert found["runtime.chunked_prefill"] is True
    assert found["runtime.prefix_caching"] is False
    assert found["runtime.gpu_memory_utilization"] == 0.85
    assert found["runtime.max_num_seqs"] == 128
    assert found["model.served_names"] == ["chat", "small"]
    assert "runtime.kv_cache.dtype" not in found


def test_a_log_of_the_second_generation() -> None:
    found = facts(LOG, V1)
    assert found["runtime.engine.version"] == "0.11.0"
    assert found["runtime.dtype"] == "bfloat16"
    assert found["runtime.quantization"] == "none"
    assert found["runtime.kv_cache.dtype"] == "float8_e4m3"
    assert found["runtime.kv_cache.tokens"] == 1234560
    assert found["runtime.kv_cache.bytes"] == int(35.5 * 2**30)
    assert found["runtime.attention_backend"] == "flashinfer"
    assert found["runtime.expert_parallel"] is True
    assert found["runtime.speculative[method]"] == "ngram"
    assert found["runtime.sampling_defaults[temperature]"] == 0.7
    assert found["runtime.sampling_defaults[top_k]"] == 20
    assert found["runtime.cuda_graph.sizes"] == [1, 2, 4, 8, 16]
    assert found["model.architecture"] == "LargeForCausalLM"
    assert found["hardware.gpu.model"] == ["h100-80gb-sxm"]
    assert found["performance.startup"] == 116
    assert found["model.trust_remote_code"] is True
    assert not any("canary" in repr(one) for one in observed(LOG, V1))


def test_a_log_of_today() -> None:
    found = facts(LOG, NOW)
    assert found["runtime.engine.version"] == "0.32.0"
    assert found["runtime.attention_backend"] == "flash_attn"
    assert found["runtime.kv_cache.tokens"] == 98304
    assert found["runtime.sampling_defaults[top_p]"] == 0.9
    assert found["model.served_names"] == ["org/small"]
    assert line_of(LOG, NOW, "runtime.kv_cache.tokens") == 7


def test_what_was_asked_for_yields_to_what_came_of_it() -> None:
    text = V1.replace("'max_model_len': 16384", "'max_model_len': 20000")
    (asked,) = (one for one in observed(LOG, text) if one.value == 20000)
    assert "asked for" in asked.because[0]
    assert facts(LOG, text)["runtime.max_model_len"] == 16384


def test_the_last_start_counts() -> None:
    again = V1 + V1.replace("1,234,560", "999,936").replace("FlashInfer backend", "FlashAttention MLA backend")
    found = facts(LOG, again)
    assert found["runtime.kv_cache.tokens"] == 999936
    assert found["runtime.attention_backend"] == "flash_attn_mla"
    # A start that ended early says nothing of what it did not come to.
    crashed = V1 + "".join(V1.splitlines(keepends=True)[:4])
    assert "runtime.kv_cache.tokens" not in facts(LOG, crashed)


@ALL
def test_laws(text: str) -> None:
    obeys_the_laws(LOG, text)


def test_other_logs_are_not_taken_for_one() -> None:
    assert not LOG.speaks(told("INFO server started\n"))


@pytest.mark.parametrize("name", ["a-defaults", "c-prod-no-shim-apikey-configfile"])
def test_a_recorded_log_agrees_with_its_command(shared: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "recordings" / "vllm-0.32.0" / name
    words = json.loads((folder / "command.json").read_text())["cmd"]
    if "--config" in words:  # the file is not part of the recording
        at = words.index("--config")
        del words[at : at + 2]
    command = " ".join(words)
    assert run(["diff", f"cmd:{command}", f"log:{folder / 'startup.log'}"]) in (0, 1)
    shown = capsys.readouterr().out
    assert "HIGH" not in shown or name != "a-defaults"
    assert "serving.api_key_required" not in shown
    if name == "a-defaults":
        assert run(["diff", f"cmd:{command}", f"log:{folder / 'startup.log'}"]) == 0
        assert run(["diff", f"cmd:{command} --dtype float16", f"log:{folder / 'startup.log'}"]) == 1
        assert "runtime.dtype: float16 → bfloat16" in capsys.readouterr().out


def test_the_first_of_several_names_is_not_all_of_them(tmp_path: Path) -> None:
    served = "engine (v0.9.1) with config: model='org/m', dtype=torch.float16, served_model_name=a, seed=0\n"
    (tmp_path / "a.log").write_text(f"INFO 05-01 10:00:08 [core.py:58] Initializing a V1 LLM {served}")
    (tmp_path / "c.yaml").write_text(
        "services: {llm: {image: 'vllm/vllm-openai:v0.9.1', "
        "command: [--model, org/m, --served-model-name, a, b, --dtype, half]}}"
    )
    report = diff(f"{tmp_path}/c.yaml", f"{tmp_path}/c.yaml+log:{tmp_path}/a.log", Options())
    assert [f.summary for w in report.workloads for f in w.findings] == []
    (alone,) = facts_of(f"log:{tmp_path}/a.log", Options()).side.snapshots
    assert alone.facts["model.served_names"].value == ["a"]
