"""What changes when only the tag changes: the right old and new values where the condition holds, silence elsewhere."""

from __future__ import annotations

import pytest

from askew.engines import versions
from askew.engines.interface import Reading
from askew.engines.vllm.engine import ENGINE
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

HERE = Location("deploy.yaml", line=3)
OTHER, ENV = "runtime.arguments.unmapped", "runtime.env"
KNOWN: dict[str, Value] = {"model.context_length": 8192, "model.config.dtype": "bfloat16"}


def read(version: str, words: str = "", env: dict[str, str] | None = None) -> Reading:
    return ENGINE.read(
        Launch(
            argv=tuple(Token(word, HERE) for word in ("vllm", "serve", "org/m", *words.split())),
            location=HERE,
            image=Token(f"vllm/vllm-openai:v{version}", HERE),
            env={name: Variable(name, value, HERE) for name, value in (env or {}).items()},
        )
    )


def resolved(
    version: str, words: str = "", gpu: str = "", env: dict[str, str] | None = None, **more: Value
) -> dict[str, Resolved]:
    reading = read(version, words, env)
    assumed: dict[str, Value] = {**KNOWN, **{name.replace("__", "."): value for name, value in more.items()}}
    if gpu:
        assumed["hardware.gpu.model"] = [gpu]
    seen = [Observation(fact=fact, value=value, origin="assumed") for fact, value in assumed.items()]
    return resolve([*reading.observations, *seen], reading.rules)


def entry(found: dict[str, Resolved], fact: str) -> Resolved:
    name, _, key = fact.partition("[")
    return found[name].entries[key.rstrip("]")] if key else found[name]


H100, A100, L4, T4 = "h100-80gb-sxm", "a100-80gb-sxm", "l4", "t4"


@pytest.mark.parametrize(
    ("old", "new", "fact", "before", "after", "words", "gpu"),
    [
        ("0.7.3", "0.8.0", f"{ENV}[VLLM_USE_V1]", "0", "1", "", ""),
        ("0.7.3", "0.8.0", "runtime.prefix_caching", False, True, "", ""),
        ("0.7.3", "0.8.0", "runtime.generation_config", "engine", "auto", "", ""),
        ("0.7.3", "0.8.0", "runtime.chunked_prefill", False, True, "", H100),
        ("0.7.3", "0.8.0", "runtime.max_num_seqs", 256, 1024, "", H100),
        ("0.7.3", "0.8.0", f"{OTHER}[--logprobs-mode]", "processed_logprobs", "raw_logprobs", "", ""),
        ("0.8.4", "0.8.5", "runtime.max_num_seqs", 256, 1024, "", A100),
        ("0.8.4", "0.8.5", "runtime.max_num_batched_tokens", 2048, 8192, "", A100),
        ("0.8.5", "0.9.0", "runtime.max_num_seqs", 1024, 256, "", A100),
        ("0.8.5", "0.9.0", "runtime.max_num_batched_tokens", 8192, 2048, "", A100),
        ("0.6.4", "0.6.5", "runtime.structured_output_backend", "outlines", "xgrammar", "", ""),
        ("0.8.3", "0.8.4", "runtime.structured_output_backend", "xgrammar", "auto", "", ""),
        ("0.10.0", "0.10.1", f"{OTHER}[--enable-log-requests]", "true", "false", "", ""),
        ("0.19.0", "0.20.0", "runtime.gpu_memory_utilization", 0.9, 0.92, "", ""),
        ("0.19.0", "0.20.0", f"{ENV}[VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS]", "0", "1", "", ""),
        ("0.10.2", "0.11.0", "runtime.compilation[cudagraph_mode]", "PIECEWISE", "FULL_AND_PIECEWISE", "", ""),
        ("0.11.0", "0.11.1", f"{ENV}[VLLM_USE_FLASHINFER_SAMPLER]", "auto", "0", "", ""),
        ("0.20.0", "0.21.0", f"{ENV}[VLLM_USE_FLASHINFER_SAMPLER]", "0", "1", "", ""),
        ("0.19.0", "0.20.0", "runtime.packages[cuda]", "12.9", "13.0", "", ""),
        ("0.6.2", "0.6.3", f"{OTHER}[--use-v2-block-manager]", "false", "true", "", ""),
        ("0.17.0", "0.18.0", f"{OTHER}[--disable-cascade-attn]", "false", "true", "", ""),
        ("0.10.1", "0.10.2", f"{ENV}[VLLM_USE_V1]", "0", "1", "", T4),
        ("0.31.0", "0.32.0", f"{OTHER}[--allowed-origins]", '["*"]', "[]", "", ""),
        ("0.14.1", "0.15.1", f"{OTHER}[--api-server-count]", "1", "2", "--data-parallel-size 2", ""),
        ("0.27.0", "0.28.0", "runtime.max_num_batched_tokens", 8192, 16384, "", "b200"),
        ("0.17.1", "0.18.0", "runtime.swap.bytes", 4 * 2**30, 0, "", ""),
        ("0.4.3", "0.5.3", "runtime.chunked_prefill", False, True, "--max-model-len 65536", ""),
        ("0.6.4", "0.6.5", "runtime.max_num_batched_tokens", 512, 2048, "--enable-chunked-prefill", ""),
    ],
)
def test_the_tag_alone_changes_it(
    old: str, new: str, fact: str, before: Value, after: Value, words: str, gpu: str
) -> None:
    for version, expected in ((old, before), (new, after)):
        found = entry(resolved(version, words, gpu), fact)
        assert found.state == "known", (version, found.reason)
        assert (found.value, found.origin) == (expected, "engine-default"), version


@pytest.mark.parametrize("version", ["0.9.2", "0.10.0"])
def test_the_model_that_runs_where_none_is_named(version: str) -> None:
    reading = ENGINE.read(
        Launch(argv=(Token("--port=80", HERE),), location=HERE, implicit_entrypoint=True,
               image=Token(f"vllm/vllm-openai:v{version}", HERE))
    )  # fmt: skip
    model = next(one for one in reading.observations if one.fact == "model.id")
    assert model.value == {"0.9.2": "facebook/opt-125m", "0.10.0": "Qwen/Qwen3-0.6B"}[version]


@pytest.mark.parametrize(
    ("old", "new", "fact", "words", "gpu", "env"),
    [
        # the setting is written
        ("0.7.3", "0.8.0", "runtime.prefix_caching", "--enable-prefix-caching", "", {}),
        ("0.7.3", "0.8.0", "runtime.generation_config", "--generation-config vllm", "", {}),
        ("0.7.3", "0.8.0", f"{ENV}[VLLM_USE_V1]", "", "", {"VLLM_USE_V1": "0"}),
        ("0.7.3", "0.8.0", "runtime.prefix_caching", "", "", {"VLLM_USE_V1": "0"}),
        ("0.19.0", "0.20.0", "runtime.gpu_memory_utilization", "--gpu-memory-utilization 0.9", "", {}),
        ("0.8.4", "0.8.5", "runtime.max_num_seqs", "--max-num-seqs 256", A100, {}),
        ("0.6.4", "0.6.5", "runtime.structured_output_backend", "--guided-decoding-backend outlines", "", {}),
        ("0.10.0", "0.10.1", f"{OTHER}[--enable-log-requests]", "--disable-log-requests", "", {}),
        ("0.6.2", "0.6.3", f"{OTHER}[--use-v2-block-manager]", "--use-v2-block-manager", "", {}),
        # the condition does not hold
        ("0.7.3", "0.8.0", f"{ENV}[VLLM_USE_V1]", "", T4, {}),
        ("0.7.3", "0.8.0", "runtime.prefix_caching", "", T4, {}),
        ("0.8.4", "0.8.5", "runtime.max_num_seqs", "", L4, {}),
        ("0.8.4", "0.8.5", "runtime.max_num_seqs", "", H100, {}),
        ("0.8.5", "0.9.0", "runtime.max_num_batched_tokens", "", H100, {}),
        ("0.10.1", "0.10.2", f"{ENV}[VLLM_USE_V1]", "", A100, {}),
        ("0.10.2", "0.11.0", "runtime.compilation[cudagraph_mode]", "--enforce-eager", "", {}),
        ("0.19.0", "0.20.0", f"{ENV}[VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS]", "--enforce-eager", "", {}),
        ("0.14.1", "0.15.1", f"{OTHER}[--api-server-count]", "", "", {}),
        ("0.4.3", "0.5.3", "runtime.chunked_prefill", "", "", {}),
    ],
)
def test_silence(old: str, new: str, fact: str, words: str, gpu: str, env: dict[str, str]) -> None:
    first, second = (entry(resolved(version, words, gpu, env), fact) for version in (old, new))
    assert (first.state, first.value) == (second.state, second.value)
    assert first.state in ("known", "absent")


@pytest.mark.parametrize(
    ("old", "new", "words", "env", "argument", "suggestion"),
    [
        ("0.8.2", "0.8.3", "--speculative-model org/d", {}, "--speculative-model", "--speculative-config.model"),
        ("0.8.2", "0.8.3", "--num-speculative-tokens 3", {}, "--num-speculative-tokens",
         "--speculative-config.num_speculative_tokens"),
        ("0.10.2", "0.11.0", "--max-seq-len-to-capture 4096", {}, "--max-seq-len-to-capture",
         "--max-cudagraph-capture-size"),
        ("0.10.2", "0.11.0", "--preemption-mode swap", {}, "--preemption-mode", ""),
        ("0.10.2", "0.11.0", "--scheduler-delay-factor 1", {}, "--scheduler-delay-factor", ""),
        ("0.10.2", "0.11.0", "--disable-async-output-proc", {}, "--disable-async-output-proc", ""),
        ("0.18.0", "0.19.0", "--disable-frontend-multiprocessing", {}, "--disable-frontend-multiprocessing", ""),
        ("0.11.0", "0.11.1", "", {"VLLM_USE_V1": "0"}, "VLLM_USE_V1", ""),
        ("0.14.1", "0.15.1", "", {"VLLM_ATTENTION_BACKEND": "FLASHINFER"}, "VLLM_ATTENTION_BACKEND",
         "--attention-backend"),
        ("0.15.1", "0.16.0", "", {"VLLM_ALL2ALL_BACKEND": "naive"}, "VLLM_ALL2ALL_BACKEND", ""),
    ],
)  # fmt: skip
def test_what_a_release_no_longer_takes(
    old: str, new: str, words: str, env: dict[str, str], argument: str, suggestion: str
) -> None:
    assert not read(old, words, env).problems
    (problem,) = read(new, words, env).problems
    assert (problem.kind, problem.argument, problem.suggestion) == ("removed-argument", argument, suggestion)


def test_a_variable_that_came_later_is_no_removal() -> None:
    assert not read("0.8.5", env={"VLLM_USE_MEGA_AOT_ARTIFACT": "1"}).problems
    assert not read("0.3.3", env={"VLLM_USE_V1": "0"}).problems


@pytest.mark.parametrize(
    ("metric", "release", "there"),
    [
        ("vllm:gpu_cache_usage_perc", "0.10.2", True),
        ("vllm:gpu_cache_usage_perc", "0.11.0", False),
        ("vllm:gpu_cache_usage_perc", "0.12.0", False),
        ("vllm:kv_cache_usage_perc", "0.11.0", True),
        ("vllm:gpu_prefix_cache_hits_total", "0.10.2", True),
        ("vllm:gpu_prefix_cache_hits_total", "0.12.0", False),
        ("vllm:avg_prompt_throughput_toks_per_s", "0.6.6", True),
        ("vllm:avg_prompt_throughput_toks_per_s", "0.7.0", False),
        ("vllm:prompt_tokens_total", "0.7.3", True),
        ("vllm:prompt_tokens_total", "0.33.0", True),
    ],
)
def test_metrics_without_a_switch(metric: str, release: str, there: bool) -> None:
    loaded = versions.load("vllm", release)
    assert loaded is not None
    found = loaded.metrics.get(metric)
    assert (found is not None and not found.hidden) is there


@pytest.mark.parametrize(
    ("version", "words", "kept"),
    [
        ("0.8.2", "--enable-lora", True),
        ("0.8.5", "--enable-lora", False),
        ("0.8.5", "--kv-cache-dtype fp8", True),
        ("0.8.5", "--kv-cache-dtype auto", False),
        ("0.8.5", "--quantization awq", False),
        ("0.8.5", "--quantization gguf", True),
        ("0.9.0", "--quantization gguf", False),
        ("0.8.0", "--guided-decoding-backend xgrammar", False),
        ("0.8.0", "--guided-decoding-backend outlines", True),
        ("0.8.5", "--pipeline-parallel-size 2", True),
        ("0.9.1", "--scheduling-policy priority", True),
        ("0.9.2", "--scheduling-policy priority", False),
    ],
)
def test_settings_for_which_the_older_engine_may_stay(version: str, words: str, kept: bool) -> None:
    found = resolved(version, words, H100)
    for fact in ("runtime.prefix_caching", "runtime.max_num_seqs", f"{ENV}[VLLM_USE_V1]"):
        assert (f"{words.split()[0]} may be one" in entry(found, fact).reason) is kept, fact
        assert (entry(found, fact).state == "known") is not kept, fact
    assert entry(resolved("0.11.0", "--enable-lora", H100), "runtime.prefix_caching").value is True


@pytest.mark.parametrize(("version", "confidence"), [("0.20.9", "likely"), ("0.99.0", "possible")])
def test_a_release_that_is_not_known_is_taken_for_its_neighbour_and_said_so(version: str, confidence: str) -> None:
    found = resolved(version)["runtime.gpu_memory_utilization"]
    assert (found.value, found.confidence) == (0.92, confidence)
    assert any(f"vLLM {version} is not in this build" in reason for reason in found.because)
    exact = resolved("0.33.0")["runtime.gpu_memory_utilization"]
    assert (exact.value, exact.confidence, exact.because) == (0.92, "certain", ())


@pytest.mark.parametrize("release", versions.releases("vllm"))
def test_every_release_resolves(release: str) -> None:
    for gpu in ("", H100, L4, T4, "mi300x"):
        for words in ("", "--max-model-len 65536", "--enable-chunked-prefill"):
            found = resolved(release, words, gpu)
            for fact in ("runtime.max_num_seqs", "runtime.max_num_batched_tokens", "runtime.prefix_caching"):
                one = found[fact]
                assert one.state == "known" or one.reason, (release, fact)
                if fact.endswith("tokens") and one.state == "known":
                    assert isinstance(one.value, int)
                    assert one.value >= 512


def test_an_experiment_of_an_old_release_is_not_guessed() -> None:
    found = resolved("0.7.3", env={"VLLM_USE_V1": "1"})
    assert "an experiment" in found["runtime.max_num_seqs"].reason
    assert isinstance(found["runtime.max_num_seqs"].value, type(None) | Unknown)
