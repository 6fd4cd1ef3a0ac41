"""A default that is spelled out is no difference, whether or not the option has a fact of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from askew.app import registry
from askew.app.pipeline import Options, diff

OTHER, ENV = "runtime.arguments.unmapped", "runtime.env"


def manifest(engine: str, version: str, words: str, env: str) -> str:
    known = registry.recognition(engine)
    container = {
        "name": "engine",
        "image": known.image.format(version),
        "args": [*known.words, *words.split()],
        "env": [{"name": one.partition("=")[0], "value": one.partition("=")[2]} for one in env.split()],
    }
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "llm", "namespace": "prod"},
            "spec": {
                "selector": {"matchLabels": {"app": "llm"}},
                "template": {"metadata": {"labels": {"app": "llm"}}, "spec": {"containers": [container]}},
            },
        }
    )


def shown(
    folder: Path, engine: str, old: str, new: str, first: tuple[str, str], last: tuple[str, str]
) -> dict[str, tuple[object, object]]:
    for name, version, said in (("old", old, first), ("new", new, last)):
        (folder / f"{name}.json").write_text(manifest(engine, version, *said))
    report = diff(str(folder / "old.json"), str(folder / "new.json"), Options())
    assert not report.errors
    return {
        f"{one.facts[0]}[{one.key}]" if one.key else one.facts[0]: (one.reference.value, one.target.value)
        for workload in report.workloads
        for one in workload.findings
        if one.kind == "difference" and one.reference is not None and one.target is not None
    }


@pytest.mark.parametrize(
    ("engine", "version", "words", "env"),
    [
        ("vllm", "0.9.0", "", "VLLM_FUSED_MOE_CHUNK_SIZE=32768"),
        ("vllm", "0.18.1", "", "VLLM_ALLOW_LONG_MAX_MODEL_LEN=0 VLLM_IMAGE_FETCH_TIMEOUT=5"),
        ("vllm", "0.9.0", "", "VLLM_ALLOW_RUNTIME_LORA_UPDATING=false"),
        ("sglang", "0.5.5", "--watchdog-timeout 300 --tp 1 --dp-size=1 --pipeline-parallel-size 1", ""),
        ("sglang", "0.4.7", "--watchdog-timeout=300.0", "SGLANG_SET_CPU_AFFINITY=0"),
        ("tgi", "3.1.1", "--max-waiting-tokens 20 --max-best-of=2", ""),
        ("lmdeploy", "0.12.0", "--vision-max-batch-size 1 --max-prefill-iters 1", ""),
        ("ollama", "0.14.2", "", "OLLAMA_MAX_QUEUE=512"),
        ("llama.cpp", "9873", "--ubatch-size 512 --cache-ram 8192 --keep 0", ""),
        ("llama.cpp", "9873", "", "LLAMA_ARG_CACHE_RAM=8192"),
    ],
)
def test_a_default_that_is_spelled_out(tmp_path: Path, engine: str, version: str, words: str, env: str) -> None:
    for first, last in ((("", ""), (words, env)), ((words, env), ("", ""))):
        assert not shown(tmp_path, engine, version, version, first, last)


def test_another_value_is_shown_with_the_default(tmp_path: Path) -> None:
    found = shown(tmp_path, "llama.cpp", "9873", "9873", ("", ""), ("--ubatch-size 1024", ""))
    assert found == {f"{OTHER}[--ubatch-size]": ("512", "1024")}
    found = shown(tmp_path, "vllm", "0.9.0", "0.9.0", ("", "VLLM_FUSED_MOE_CHUNK_SIZE=1024"), ("", ""))
    assert found == {f"{ENV}[VLLM_FUSED_MOE_CHUNK_SIZE]": ("1024", "32768")}


def test_the_default_is_that_of_the_release_that_leaves_it_out(tmp_path: Path) -> None:
    option = f"{OTHER}[--watchdog-timeout]"
    found = shown(tmp_path, "sglang", "0.3.5", "0.3.5.post1", ("", ""), ("--watchdog-timeout 600", ""))
    assert option not in found
    found = shown(tmp_path, "sglang", "0.3.5", "0.3.5.post1", ("--watchdog-timeout 600", ""), ("", ""))
    assert found[option] == ("600", "300")


@pytest.mark.parametrize(
    ("engine", "old", "new", "option", "before", "after"),
    [
        ("sglang", "0.3.5", "0.3.5.post1", f"{OTHER}[--watchdog-timeout]", "600", "300"),
        ("llama.cpp", "9294", "9538", f"{OTHER}[--timeout]", "600", "3600"),
        ("ollama", "0.1.48", "0.2.0", f"{ENV}[OLLAMA_MAX_LOADED_MODELS]", "1", "0"),
    ],
)
def test_what_nobody_writes_and_is_always_in_force(
    tmp_path: Path, engine: str, old: str, new: str, option: str, before: str, after: str
) -> None:
    assert shown(tmp_path, engine, old, new, ("", ""), ("", ""))[option] == (before, after)
    key = option.partition("[")[2].rstrip("]")
    said = (f"{key} 700", "") if key.startswith("-") else ("", f"{key}=700")
    assert option not in shown(tmp_path, engine, old, new, said, said)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi", "lmdeploy", "tensorrt-llm", "llama.cpp", "ollama"])
def test_a_release_does_not_differ_from_itself(tmp_path: Path, engine: str) -> None:
    from askew.engines import versions

    releases = [one for one in versions.releases(engine) if engine != "llama.cpp" or "." not in one]
    for release in (releases[0], releases[len(releases) // 2], releases[-1], "latest", "nightly", "99.0.0"):
        assert not shown(tmp_path, engine, release, release, ("", ""), ("", "")), release


def test_a_written_value_stays_when_the_default_moves(tmp_path: Path) -> None:
    name, kept = "VLLM_ALLREDUCE_USE_SYMM_MEM", ("", "VLLM_ALLREDUCE_USE_SYMM_MEM=0")
    assert f"{ENV}[{name}]" not in shown(tmp_path, "vllm", "0.10.2", "0.11.0", kept, kept)
    assert f"{ENV}[{name}]" not in shown(tmp_path, "vllm", "0.10.2", "0.11.0", ("", ""), kept)


def test_what_the_maintainers_know_to_matter_is_not_low(tmp_path: Path) -> None:
    for version in ("0.7.3", "0.8.0"):
        (tmp_path / f"{version}.json").write_text(manifest("vllm", version, "", ""))
    options = Options(assume=("hardware.gpu.model=l4",))
    report = diff(str(tmp_path / "0.7.3.json"), str(tmp_path / "0.8.0.json"), options)
    found = {(one.facts[0], one.key): one.severity for workload in report.workloads for one in workload.findings}
    assert found[ENV, "VLLM_USE_V1"] == "high"
    assert found[OTHER, "--logprobs-mode"] == "medium"
