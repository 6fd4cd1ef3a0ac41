"""What changes when only the tag changes: the right old and new values where the condition holds, silence elsewhere."""

from __future__ import annotations

import itertools

import pytest

from askew.engines import versions
from askew.engines.interface import Reading
from askew.engines.sglang.engine import ENGINE
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

HERE = Location("deploy.yaml", line=3)
OTHER = "runtime.arguments.unmapped"
H100, A100, A10, L40S, T4, B200, RTX5090 = "h100-80gb-sxm", "a100-80gb-sxm", "a10g", "l40s", "t4", "b200", "rtx-5090"
MEMORY: dict[str, int] = {H100: 81559, A10: 23028, L40S: 46068, T4: 15360, B200: 183359}  # MiB, as nvidia-smi prints it


def read(version: str, words: str = "", env: dict[str, str] | None = None) -> Reading:
    start = ("python3", "-m", "sglang.launch_server", "--model-path", "org/m")
    return ENGINE.read(
        Launch(
            argv=tuple(Token(word, HERE) for word in (*start, *words.split())),
            location=HERE,
            image=Token(f"lmsysorg/sglang:v{version}", HERE),
            env={name: Variable(name, value, HERE) for name, value in (env or {}).items()},
        )
    )


def resolved(version: str, words: str = "", gpu: str = "", **more: Value) -> dict[str, Resolved]:
    reading = read(version, words)
    assumed: dict[str, Value] = {name.replace("__", "."): value for name, value in more.items()}
    if gpu:
        assumed["hardware.gpu.model"] = [gpu]
        if gpu in MEMORY:
            assumed["hardware.gpu.memory.bytes"] = MEMORY[gpu] * 2**20
    seen = [Observation(fact=fact, value=value, origin="assumed") for fact, value in assumed.items()]
    return resolve([*reading.observations, *seen], reading.rules)


def entry(found: dict[str, Resolved], fact: str) -> Resolved:
    name, _, key = fact.partition("[")
    return found[name].entries[key.rstrip("]")] if key else found[name]


DP = "--tp 8 --dp 8 --enable-dp-attention"
PREFILL = "--disaggregation-mode prefill"
EAGLE = "--speculative-algorithm EAGLE --speculative-draft-model-path org/d"


@pytest.mark.parametrize(
    ("old", "new", "fact", "before", "after", "words", "gpu"),
    [
        ("0.5.3", "0.5.4", "runtime.generation_config", "engine", "auto", "", ""),
        ("0.5.3", "0.5.3.post1", "runtime.generation_config", "engine", "auto", "", ""),
        ("0.4.4", "0.4.5", "runtime.structured_output_backend", "outlines", "xgrammar", "", ""),
        ("0.4.4.post1", "0.4.4.post2", "runtime.structured_output_backend", "outlines", "xgrammar", "", ""),
        ("0.4.10.post2", "0.5.3", f"{OTHER}[--log-requests-level]", "0", "2", "--log-requests", ""),
        ("0.5.4", "0.5.5", f"{OTHER}[--lora-backend]", "triton", "csgmv", "--enable-lora", ""),
        ("0.5.4", "0.5.5", f"{OTHER}[--lora-backend]", "triton", "csgmv", "--lora-paths a=/l/a", ""),
        ("0.5.3.post3", "0.5.4", f"{OTHER}[--lora-backend]", "csgmv", "triton", "--enable-lora", ""),
        ("0.4.3.post2", "0.4.3.post3", "runtime.scheduler[policy]", "lpm", "fcfs", "", ""),
        ("0.3.5.post2", "0.3.6", "runtime.async_scheduling", False, True, "", ""),
        ("0.4.1.post6", "0.4.1.post7", "runtime.async_scheduling", False, True, DP, ""),
        ("0.5.10", "0.5.11", "runtime.async_scheduling", False, True, EAGLE + " --speculative-eagle-topk 1", ""),
        # the prefill chunk
        ("0.3.5.post1", "0.3.5.post2", "runtime.max_num_batched_tokens", 8192, 2048, "", A10),
        ("0.5.2", "0.5.3", "runtime.max_num_batched_tokens", 8192, 4096, "", L40S),
        ("0.4.7", "0.4.7.post1", "runtime.max_num_batched_tokens", 8192, 2048, "", RTX5090),
        ("0.5.19", "0.5.20", "runtime.max_num_batched_tokens", 2048, 4096, "", A10),
        ("0.4.6.post1", "0.4.6.post2", "runtime.max_num_batched_tokens", 8192, 16384, PREFILL, H100),
        ("0.4.4", "0.4.4.post1", "runtime.max_num_batched_tokens", 4096, 1024, DP, H100),
        ("0.4.4", "0.4.4.post1", "runtime.max_num_batched_tokens", 2048, 512, DP + " --chunked-prefill-size 4096", ""),
        # the share of memory
        ("0.3.5.post2", "0.3.6", "runtime.gpu_memory_utilization", 0.83, 0.82, "--tp 8", ""),
        ("0.3.6", "0.4.0", "runtime.gpu_memory_utilization", 0.82, 0.81, "--tp 8", ""),
        ("0.4.7", "0.4.7.post1", "runtime.gpu_memory_utilization", 0.88, 0.874, "", H100),
        ("0.5.2", "0.5.3", "runtime.gpu_memory_utilization", 0.874, 0.835, "", H100),
        ("0.5.9", "0.5.10", "runtime.gpu_memory_utilization", 0.835, 0.83, "", H100),
        ("0.4.6.post5", "0.4.7", "runtime.gpu_memory_utilization", (183359 - 18 * 1024) / 183359, 0.79, "", B200),
        # CUDA graphs, attention, speculative decoding
        ("0.5.2", "0.5.3", f"{OTHER}[--cuda-graph-max-bs-decode]", "8", "16", "", A10),
        ("0.5.2", "0.5.3", f"{OTHER}[--cuda-graph-max-bs-decode]", "160", "256", "", H100),
        ("0.5.4", "0.5.4.post1", f"{OTHER}[--cuda-graph-max-bs-decode]", "16", "24", "", A10),
        ("0.5.19", "0.5.20", f"{OTHER}[--cuda-graph-max-bs-decode]", "80", "160", "--tp 4", A10),
        ("0.4.5", "0.4.5.post1", "runtime.attention_backend", "flashinfer", "fa3", "", H100),
        ("0.4.4", "0.4.5", "runtime.max_num_seqs", 32, 48, EAGLE, ""),
        ("0.4.3.post2", "0.4.3.post3", "runtime.speculative[eagle_topk]", 8, 4, EAGLE, ""),
        ("0.4.3.post2", "0.4.3.post3", "runtime.speculative[num_draft_tokens]", 64, 8, EAGLE, ""),
        # what matters with another argument only
        ("0.5.1", "0.5.2", f"{OTHER}[--hicache-write-policy]", "write_through_selective", "write_through",
         "--enable-hierarchical-cache", ""),
        ("0.5.13", "0.5.14", f"{OTHER}[--hicache-mem-layout]", "layer_first", "page_first",
         "--enable-hierarchical-cache", ""),
        ("0.5.11", "0.5.12", f"{OTHER}[--hicache-storage-prefetch-policy]", "best_effort", "timeout",
         "--hicache-storage-backend file", ""),
        ("0.5.8", "0.5.9", f"{OTHER}[--cp-strategy]", "in-seq-split", "round-robin-split",
         "--enable-nsa-prefill-context-parallel", ""),
        ("0.5.3", "0.5.4", f"{OTHER}[--sm-group-num]", "3", "8", "--enable-pdmux", ""),
        ("0.5.7", "0.5.8", f"{OTHER}[--load-balance-method]", "round_robin", "follow_bootstrap_room",
         "--dp 2 --disaggregation-mode prefill", ""),
    ],
)  # fmt: skip
def test_the_tag_alone_changes_it(
    old: str, new: str, fact: str, before: Value, after: Value, words: str, gpu: str
) -> None:
    for version, expected in ((old, before), (new, after)):
        found = entry(resolved(version, words, gpu), fact)
        assert found.state == "known", (version, found.reason)
        assert found.value == expected, version
        assert found.origin == "engine-default" or "--chunked-prefill-size" in words
        assert found.locations, "every default has a source"


def test_sampling_that_no_request_names() -> None:
    stored: dict[str, Value] = {"temperature": 0.6, "top_p": 0.95}
    for version, temperature, top_p in (("0.5.3", 0.7, 1.0), ("0.5.4", 0.6, 0.95)):
        found = resolved(version, model__generation__sampling_defaults=stored)["runtime.sampling_defaults"]
        assert found.entries["temperature"].value == temperature
        assert found.entries["top_p"].value == top_p
    found = resolved("0.5.4", "--sampling-defaults openai")["runtime.sampling_defaults"]
    assert found.entries["temperature"].value == 1.0


@pytest.mark.parametrize(
    ("old", "new", "fact", "words", "gpu"),
    [
        # the setting is written
        ("0.4.4", "0.4.5", "runtime.structured_output_backend", "--grammar-backend outlines", ""),
        ("0.4.10.post2", "0.5.3", f"{OTHER}[--log-requests-level]", "--log-requests --log-requests-level 1", ""),
        ("0.5.4", "0.5.5", f"{OTHER}[--lora-backend]", "--enable-lora --lora-backend triton", ""),
        ("0.5.3.post1", "0.5.4", "runtime.generation_config", "--sampling-defaults openai", ""),
        ("0.4.3.post2", "0.4.3.post3", "runtime.scheduler[policy]", "--schedule-policy lpm", ""),
        ("0.5.2", "0.5.3", "runtime.max_num_batched_tokens", "--chunked-prefill-size 8192", L40S),
        ("0.5.2", "0.5.3", "runtime.gpu_memory_utilization", "--mem-fraction-static 0.85", H100),
        ("0.4.5", "0.4.5.post1", "runtime.attention_backend", "--attention-backend triton", H100),
        ("0.4.4", "0.4.5", "runtime.max_num_seqs", EAGLE + " --max-running-requests 16", ""),
        # the condition does not hold
        ("0.5.2", "0.5.3", "runtime.max_num_batched_tokens", "", H100),
        ("0.5.19", "0.5.20", "runtime.max_num_batched_tokens", "", T4),
        ("0.5.19", "0.5.20", "runtime.max_num_batched_tokens", "", L40S),
        ("0.4.7", "0.4.7.post1", "runtime.max_num_batched_tokens", "", A100),
        ("0.3.6", "0.4.0", "runtime.gpu_memory_utilization", "", ""),
        ("0.3.6", "0.4.0", "runtime.gpu_memory_utilization", "--tp 4", ""),
        ("0.5.3", "0.5.4", "runtime.gpu_memory_utilization", "", H100),
        ("0.4.5", "0.4.5.post1", "runtime.attention_backend", "", A100),
        ("0.4.4", "0.4.5", "runtime.attention_backend", "", H100),
        ("0.5.4", "0.5.4.post1", f"{OTHER}[--cuda-graph-max-bs-decode]", "", H100),
        ("0.5.7", "0.5.8", f"{OTHER}[--load-balance-method]", "--dp 2", ""),
        ("0.4.1.post6", "0.4.1.post7", "runtime.async_scheduling", "", ""),
        ("0.5.10", "0.5.11", "runtime.async_scheduling", "", ""),
        ("0.5.10", "0.5.11", "runtime.async_scheduling", EAGLE + " --speculative-eagle-topk 4", ""),
        ("0.4.5.post2", "0.4.5.post3", f"{OTHER}[--cuda-graph-max-bs-decode]", "", H100),
        ("0.4.4", "0.4.5", "runtime.prefix_caching", "", ""),
        ("0.4.4", "0.4.5", "runtime.role", "", ""),
        ("0.5.3", "0.5.4", "runtime.kv_cache.block_size", "", H100),
    ],
)
def test_silence(old: str, new: str, fact: str, words: str, gpu: str) -> None:
    first, second = (entry(resolved(version, words, gpu), fact) for version in (old, new))
    assert (first.state, first.value) == (second.state, second.value)
    assert first.state in ("known", "absent")


@pytest.mark.parametrize(
    "words", ["", "--log-requests-level 2", "--enable-metrics", "--enable-hierarchical-cache --disable-cuda-graph"]
)
@pytest.mark.parametrize("option", ["--log-requests-level", "--lora-backend", "--sm-group-num"])
def test_what_is_switched_off_does_not_change(words: str, option: str) -> None:
    for old, new in (("0.4.10.post2", "0.5.1"), ("0.5.3", "0.5.4"), ("0.5.4", "0.5.5")):
        first, second = (resolved(version, words)[OTHER].entries.get(option) for version in (old, new))
        assert (first and (first.state, first.value)) == (second and (second.state, second.value))


@pytest.mark.parametrize(
    ("old", "new", "words", "env", "argument", "suggestion"),
    [
        ("0.5.2", "0.5.3", "--enable-ep-moe", {}, "--enable-ep-moe", "--ep-size"),
        ("0.5.2", "0.5.3", "--enable-deepep-moe", {}, "--enable-deepep-moe", "--moe-a2a-backend deepep"),
        ("0.5.4", "0.5.5", "--oltp-traces-endpoint x:1", {}, "--oltp-traces-endpoint", "--otlp-traces-endpoint"),
        ("0.5.3", "0.5.4", "--max-micro-batch-size 8", {}, "--max-micro-batch-size", "--pp-max-micro-batch-size"),
        ("0.5.19", "0.5.20", "--cuda-graph-max-bs 8", {}, "--cuda-graph-max-bs", "--cuda-graph-max-bs-decode"),
        ("0.3.5", "0.3.6", "--disable-flashinfer", {}, "--disable-flashinfer", "--attention-backend triton"),
        ("0.3.5", "0.3.6", "--enable-overlap-schedule", {}, "--enable-overlap-schedule",
         "nothing: it is on by default"),
        ("0.4.5.post3", "0.5.4", "", {"SGL_ENABLE_JIT_DEEPGEMM_BMM": "1"}, "SGL_ENABLE_JIT_DEEPGEMM_BMM", ""),
    ],
)  # fmt: skip
def test_what_a_release_no_longer_takes(
    old: str, new: str, words: str, env: dict[str, str], argument: str, suggestion: str
) -> None:
    before = read(old, words, env).problems
    assert not before or argument.startswith("SGL")
    (problem,) = read(new, words, env).problems
    assert (problem.kind, problem.argument, problem.suggestion) == ("removed-argument", argument, suggestion)


def test_variables_that_came_later_or_were_renamed_at_start_are_no_removal() -> None:
    assert not read("0.5.3", env={"SGLANG_ENABLE_SPEC_V2": "1"}).problems
    assert not read("0.5.9", env={"SGL_ENABLE_JIT_DEEPGEMM": "1"}).problems


@pytest.mark.parametrize(
    ("metric", "release", "there"),
    [
        ("sglang:time_per_output_token_seconds", "0.4.4", True),
        ("sglang:time_per_output_token_seconds", "0.4.5", False),
        ("sglang:inter_token_latency_seconds", "0.4.5", True),
        ("sglang:num_running_reqs", "0.3.6", True),
        ("sglang:num_running_reqs", "0.5.23", True),
        ("sglang:prompt_tokens_total", "0.5.23", True),
        ("sglang:avg_request_queue_latency", "0.5.2", True),
        ("sglang:avg_request_queue_latency", "0.5.3", False),
        ("sglang:gpu_execution_seconds_total", "0.5.11", False),
    ],
)
def test_metrics(metric: str, release: str, there: bool) -> None:
    loaded = versions.load("sglang", release)
    assert loaded is not None
    assert (metric in loaded.metrics) is there


def test_what_took_the_place_of_a_metric_is_there() -> None:
    past = versions.history("sglang")
    assert past is not None
    for name, steps in past.metrics.items():
        for (_, state), (gone, following) in itertools.pairwise(steps):
            if state is not None and state.heir and following is None:
                assert state.heir in past.at(gone).metrics, name


@pytest.mark.parametrize(("version", "near"), [("0.5.99", "0.5.23"), ("0.5.0rc0", "0.4.10.post2"), ("0.9.0", "0.5.23")])
def test_a_release_that_is_not_known_is_taken_for_its_neighbour_and_said_so(version: str, near: str) -> None:
    for fact in ("runtime.scheduler[policy]", "runtime.structured_output_backend"):
        found = entry(resolved(version), fact)
        assert found.value in ("fcfs", "xgrammar")
        assert found.confidence == "likely"
        assert any(f"SGLang {version} is not in this build; {near}" in reason for reason in found.because)
    exact = entry(resolved("0.5.23"), "runtime.scheduler[policy]")
    assert (exact.confidence, exact.because) == ("certain", ())


@pytest.mark.parametrize("release", versions.releases("sglang"))
def test_every_release_resolves(release: str) -> None:
    for gpu in ("", H100, A100, T4, "mi300x"):
        for words in ("", DP, "--enable-lora"):
            found = resolved(release, words, gpu)
            for fact in ("runtime.max_num_batched_tokens", "runtime.gpu_memory_utilization", "runtime.max_num_seqs"):
                one = found[fact]
                assert one.state == "known" or one.reason, (release, fact)
            share = found["runtime.gpu_memory_utilization"].value
            assert share is None or 0.5 < float(str(share)) < 0.96, release


@pytest.mark.parametrize("maker", ["huawei", "intel", "habana"])
def test_sizes_of_other_platforms_are_not_guessed(maker: str) -> None:
    found = resolved("0.5.5", hardware__gpu__vendor=maker, hardware__gpu__memory__bytes=64 * 2**30)
    for fact in ("runtime.max_num_batched_tokens", "runtime.gpu_memory_utilization", "runtime.attention_backend"):
        assert found[fact].state == "unknown"
        assert found[fact].reason


def test_a_slice_of_a_gpu_has_a_memory_of_its_own() -> None:
    found = resolved("0.5.5", gpu=H100, hardware__gpu__mig_profile="3g.40gb")
    assert "MIG slice" in found["runtime.max_num_batched_tokens"].reason


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "0.5.4",
            "0.5.5",
            {
                ("removed", "--enable-beta-spec", None),
                ("renamed", "--oltp-traces-endpoint", "--otlp-traces-endpoint"),
                ("default", "--lora-backend", "csgmv"),
                ("rule", "--cuda-graph-max-bs-decode", "24"),
            },
        ),
        (
            "0.4.4",
            "0.4.5",
            {
                ("rule", "--grammar-backend", "xgrammar"),
                ("metric", "sglang:time_per_output_token_seconds", "sglang:inter_token_latency_seconds"),
            },
        ),
        (
            "0.5.3",
            "0.5.4",
            {
                ("default", "--sampling-defaults", "auto"),
                ("default", "--sm-group-num", 8),
                ("api", "/v1/chat/completions temperature", 1.0),
                ("removed", "--debug-tensor-dump-prefill-only", None),
                ("renamed", "--max-micro-batch-size", "--pp-max-micro-batch-size"),
                ("renamed", "--nsa-decode", "--nsa-decode-backend"),
                ("renamed", "--nsa-prefill", "--nsa-prefill-backend"),
            },
        ),
    ],
)
def test_what_is_told_before_an_upgrade_and_nothing_else(old: str, new: str, told: set[tuple[str, str, Value]]) -> None:
    """Variables and packages apart, of which every release changes some."""
    from askew.app.defaults import defaults

    found = {
        (one.kind, one.name, one.new)
        for one in defaults("sglang", old, new).changes
        if one.severity != "info"
        and one.kind not in ("env", "dependency")
        and not one.name.startswith(("SGL", "SGLANG"))
    }
    assert found == told
