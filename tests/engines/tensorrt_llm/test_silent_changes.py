"""What changes between releases of TensorRT-LLM when arguments and options stay as they are; and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.defaults import defaults
from askew.app.load import load
from askew.engines import versions
from askew.engines.tensorrt_llm.flags import OTHER
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from tests.engines.tensorrt_llm.test_engine import OPTIONS, START, facts


# Release notes of 0.14, 0.16, 0.20, 1.0, 1.1 and 1.2, API changes.
@pytest.mark.parametrize(
    ("old", "new", "words", "fact", "key", "was", "now"),
    [
        ("0.21.0", "1.0.0", "", "runtime.engine.backend", "", "tensorrt", "pytorch"),
        ("0.21.0", "1.0.0", "--backend pytorch", "runtime.enforce_eager", "", True, False),
        ("0.19.0", "0.20.0", "--backend pytorch", "runtime.async_scheduling", "", False, True),
        ("1.1.0", "1.2.0", "", OTHER, "disable_flashinfer_sampling", "true", "false"),
        ("0.18.2", "0.19.0", "--backend pytorch", "runtime.prefix_caching", "", None, True),
        ("0.15.0", "0.16.0", "--backend pytorch", "runtime.chunked_prefill", "", None, False),
        ("0.21.0", "1.0.0", "", "runtime.attention_backend", "", None, "trtllm"),
        ("0.21.0", "1.0.0", "", "runtime.prefix_caching", "", None, True),
        ("0.21.0", "1.0.0", "", "runtime.enforce_eager", "", None, False),
        ("0.18.2", "0.19.0", "--backend pytorch", "runtime.attention_backend", "", None, "trtllm"),
    ],
)
def test_a_default_changes(old: str, new: str, words: str, fact: str, key: str, was: Value, now: Value) -> None:
    def value(release: str) -> Value:
        one = facts(f"{START} {words}", release).get(fact)
        if one is not None and key:
            one = one.entries.get(key)
        return one.value if one is not None and one.state == "known" else None

    assert (value(old), value(new)) == (was, now)


@pytest.mark.parametrize(
    ("old", "new", "words", "options", "fact"),
    [
        ("0.21.0", "1.0.0", "--backend tensorrt", "", "runtime.engine.backend"),
        ("0.21.0", "1.0.0", "--backend pytorch", "cuda_graph_config: null", "runtime.enforce_eager"),
        ("0.19.0", "0.20.0", "--backend pytorch", "disable_overlap_scheduler: true", "runtime.async_scheduling"),
        ("0.15.0", "1.2.1", "", "", "runtime.max_num_seqs"),
        ("0.15.0", "1.2.1", "", "", "runtime.max_num_batched_tokens"),
        ("0.15.0", "1.2.1", "", "", "runtime.gpu_memory_utilization"),
        ("0.15.0", "1.2.1", "", "", "serving.port"),
        ("1.0.0", "1.2.1", "", "", "runtime.prefix_caching"),
        ("1.0.0", "1.2.1", "", "", "runtime.async_scheduling"),
    ],
)
def test_nothing_changes_where_the_condition_does_not_hold(
    old: str, new: str, words: str, options: str, fact: str
) -> None:
    more = f" --config {OPTIONS}" if options else ""
    before, after = (facts(f"{START} {words}{more}", release, {OPTIONS: options})[fact] for release in (old, new))
    assert before.state == after.state == "known"
    assert before.value == after.value


def test_the_builder_changes_its_batch() -> None:
    before, after = (
        facts("trtllm-build --checkpoint_dir /c", one)["runtime.max_num_seqs"] for one in ("0.13.0", "0.14.0")
    )
    assert (before.value, after.value) == (256, 2048)


def test_defaults_are_likely_and_say_where_they_are_from() -> None:
    found = facts(START, "1.1.0")["runtime.max_num_seqs"]
    assert found.confidence == "likely"
    assert any("source of this release was not read" in one for one in found.because)


def test_nothing_of_pytorch_is_said_of_a_built_engine() -> None:
    found = facts(f"{START} --backend tensorrt", "1.1.0")
    for fact in ("runtime.prefix_caching", "runtime.enforce_eager", "runtime.async_scheduling"):
        assert found[fact].state == "unknown"
    assert not found[OTHER].value


def test_the_command_shows_the_changes() -> None:
    changes = defaults("tensorrt-llm", "0.21.0", "1.0.0").changes
    by_name = {one.name: (one.old, one.new) for one in changes}
    assert by_name["--backend"] == ("tensorrt", "pytorch")
    assert by_name["transformers"] == ("~=4.51.1", "==4.53.1")
    assert defaults("tensorrt-llm", "1.2.0", "1.2.0").changes == ()


def test_two_manifests_that_differ_in_the_tag(tmp_path: Path) -> None:
    def snapshot(release: str) -> dict[str, Value]:
        path = tmp_path / f"{release}.yaml"
        path.write_text(
            "services:\n  llm:\n    command: trtllm-serve org/model\n"
            f"    image: nvcr.io/nvidia/tensorrt-llm/release:{release}\n"
        )
        (one,) = load(str(path), "target", Redactor()).snapshots
        return {fact: found.value for fact, found in one.facts.items() if found.state == "known"}

    before, after = snapshot("0.21.0"), snapshot("1.0.0")
    assert before["runtime.engine.backend"] == "tensorrt"
    assert after["runtime.engine.backend"] == "pytorch"
    assert before["runtime.max_num_seqs"] == after["runtime.max_num_seqs"]


def test_every_final_release_is_there() -> None:
    releases = versions.releases("tensorrt-llm")
    assert releases[0] == "0.12.0"
    assert {"0.15.0", "0.17.0.post1", "0.21.0", "1.0.0", "1.1.0", "1.2.0", "1.2.1"} <= set(releases)
