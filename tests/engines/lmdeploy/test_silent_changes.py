"""What changes between releases of LMDeploy when the arguments stay as they are; and what does not."""

from __future__ import annotations

import pytest

from askew.app.defaults import defaults
from askew.engines import versions
from askew.engines.lmdeploy.flags import OTHER
from askew.facts.types import Value
from tests.engines.lmdeploy.test_engine import START, facts

H100 = {"hardware.gpu.model": ["h100-80gb-sxm"]}
A100 = {"hardware.gpu.model": ["a100-80gb-sxm"]}
H200 = {"hardware.gpu.model": ["h200-sxm"]}
MISTRAL = {"model.architecture": "MistralForCausalLM"}
QWEN3 = {"model.architecture": "Qwen3ForCausalLM"}
LLAMA: dict[str, Value] = {"model.architecture": "LlamaForCausalLM", "model.kv_geometry": {"head_dim": 128}}
L4 = {"hardware.gpu.model": ["l4"]}


# Read in the wheels: lmdeploy/cli/utils.py, lmdeploy/utils.py (get_max_batch_size), lmdeploy/serve/openai/protocol.py.
@pytest.mark.parametrize(
    ("old", "new", "words", "seen", "fact", "key", "was", "now"),
    [
        ("0.2.0", "0.2.2", "", {}, "runtime.gpu_memory_utilization", "", 0.5, 0.8),
        ("0.5.3", "0.6.0", "", H100, "runtime.max_num_seqs", "", 128, 512),
        ("0.5.3", "0.6.0", "", A100, "runtime.max_num_seqs", "", 128, 256),
        ("0.9.2", "0.10.0", "", H100, "runtime.max_num_seqs", "", 512, 1024),
        ("0.9.2", "0.10.0", "", A100, "runtime.max_num_seqs", "", 256, 384),
        ("0.9.2", "0.10.0", "", H200, "runtime.max_num_seqs", "", 128, 1024),
        ("0.7.1", "0.7.2", "--device ascend --backend pytorch", {}, "runtime.max_num_seqs", "", 16, 256),
        ("0.7.1", "0.7.2", "--device camb --backend pytorch", {}, "runtime.max_num_seqs", "", 128, 256),
        ("0.14.0", "0.15.0", "", {}, "runtime.generation_config", "", "engine", "auto"),
        ("0.14.0", "0.15.0", "", {}, "runtime.sampling_defaults", "temperature", 0.7, None),
        ("0.14.0", "0.15.0", "", {}, "runtime.sampling_defaults", "top_k", 40, None),
        ("0.11.1", "0.12.0", "", {}, "runtime.async_scheduling", "", None, True),
        ("0.5.3", "0.6.0", "", {}, "runtime.max_num_batched_tokens", "", None, 8192),
        ("0.10.2", "0.11.0", "", {}, OTHER, "metrics", "false", "true"),
        ("0.13.0", "0.14.0", "", MISTRAL, "runtime.engine.backend", "", "turbomind", "pytorch"),
        ("0.7.2", "0.7.3", "", QWEN3, "runtime.engine.backend", "", "pytorch", "turbomind"),
        (
            "0.9.2",
            "0.10.0",
            "",
            {"model.architecture": "GptOssForCausalLM"},
            "runtime.engine.backend",
            "",
            "pytorch",
            "turbomind",
        ),
        ("0.2.4", "0.2.5", "", {}, "runtime.default_output_tokens", "", 512, "unlimited"),
        ("0.4.1", "0.4.2", "", {"model.context_length": 4096}, "runtime.max_model_len", "", None, 4096),
    ],
)
def test_a_default_changes(
    old: str, new: str, words: str, seen: dict[str, Value], fact: str, key: str, was: Value, now: Value
) -> None:
    def value(release: str) -> Value:
        one = facts(f"{START} {words}", release, seen).get(fact)
        if one is not None and key:
            one = one.entries.get(key)
        return one.value if one is not None and one.state == "known" else None

    assert (value(old), value(new)) == (was, now)


@pytest.mark.parametrize(
    ("old", "new", "words", "seen", "fact"),
    [
        ("0.2.0", "0.2.2", "--cache-max-entry-count 0.6", {}, "runtime.gpu_memory_utilization"),
        ("0.5.3", "0.6.0", "--max-batch-size 64", H100, "runtime.max_num_seqs"),
        ("0.9.2", "0.10.0", "--max-batch-size 64", H100, "runtime.max_num_seqs"),
        ("0.9.2", "0.10.0", "", L4, "runtime.max_num_seqs"),
        ("0.5.3", "0.18.0", "", L4, "runtime.max_num_seqs"),
        ("0.11.0", "0.18.0", "--disable-metrics", {}, OTHER),
        ("0.13.0", "0.14.0", "--backend pytorch", MISTRAL, "runtime.engine.backend"),
        ("0.4.0", "0.18.0", "", LLAMA, "runtime.engine.backend"),
        ("0.4.0", "0.18.0", "", {"model.architecture": "PhiForCausalLM"}, "runtime.engine.backend"),
        ("0.2.2", "0.18.0", "", {}, "runtime.gpu_memory_utilization"),
        ("0.2.0", "0.18.0", "", {}, "serving.port"),
        ("0.4.2", "0.18.0", "", {}, "runtime.prefix_caching"),
        ("0.2.0", "0.18.0", "--tp 2", {}, "runtime.tensor_parallel_size"),
    ],
)
def test_nothing_changes_where_the_condition_does_not_hold(
    old: str, new: str, words: str, seen: dict[str, Value], fact: str
) -> None:
    before, after = (facts(f"{START} {words}", release, seen)[fact] for release in (old, new))
    assert before.state == after.state == "known"
    assert before.value == after.value


def test_a_release_between_is_likely_and_said() -> None:
    found = facts(START, "0.10.9")["runtime.gpu_memory_utilization"]
    assert (found.value, found.confidence) == (0.8, "likely")
    assert "0.10.2, the nearest" in found.because[0]


def test_the_command_shows_the_changes() -> None:
    changes = defaults("lmdeploy", "0.9.2", "0.10.0").changes
    shown = {(one.name, str(one.old), str(one.new)) for one in changes}
    assert {("--max-batch-size", "256", "384"), ("--max-batch-size", "512", "1024")} <= shown
    changes = defaults("lmdeploy", "0.9.2", "0.12.3").changes
    assert {"lmdeploy:num_requests_finished", "lmdeploy:num_requests_unfinished"} <= {one.name for one in changes}


def test_metrics_are_off_before_0_11() -> None:
    history = versions.history("lmdeploy")
    assert history is not None
    assert history.spans("--enable-metrics") == (("0.9.2", "0.11.0"),)
    assert history.spans("--disable-metrics") == (("0.11.0", ""),)
