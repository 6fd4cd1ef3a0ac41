"""What changes when only the tag changes: the right old and new values where the condition holds, silence elsewhere."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from askew.engines import versions
from askew.engines.interface import Reading
from askew.engines.tgi.engine import ENGINE
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

HERE = Location("deploy.yaml", line=3)
OTHER, ENV = "runtime.arguments.unmapped", "runtime.env"
IMAGE = "ghcr.io/huggingface/text-generation-inference"
TOTAL, PROMPT = f"{OTHER}[default of --max-total-tokens]", f"{OTHER}[default of --max-input-tokens]"


def read(tag: str, words: str = "", env: dict[str, str] | None = None) -> Reading:
    return ENGINE.read(
        Launch(
            argv=tuple(Token(word, HERE) for word in ("--model-id", "org/m", *shlex.split(words))),
            location=HERE,
            image=Token(f"{IMAGE}:{tag}", HERE),
            implicit_entrypoint=True,
            env={name: Variable(name, value, HERE) for name, value in (env or {}).items()},
        )
    )


def resolved(
    tag: str, words: str = "", known: dict[str, Value] | None = None, env: dict[str, str] | None = None
) -> dict[str, Resolved]:
    reading = read(tag, words, env)
    seen = []
    for fact, value in (known or {}).items():
        if isinstance(value, dict):
            seen += [Observation(fact=fact, key=key, value=part, origin="assumed") for key, part in value.items()]
        else:
            seen.append(Observation(fact=fact, value=value, origin="assumed"))
    return resolve([*reading.observations, *seen], reading.rules)


def entry(found: dict[str, Resolved], fact: str) -> Resolved:
    name, _, key = fact.partition("[")
    return found[name].entries[key.rstrip("]")] if key else found[name]


LONG: dict[str, Value] = {"model.context_length": 32768}
SHORT: dict[str, Value] = {"model.context_length": 2048}
LLAMA: dict[str, Value] = {"model.kv_geometry": {"head_dim": 128}, "model.architecture": "LlamaForCausalLM"}
GEMMA: dict[str, Value] = {"model.kv_geometry": {"head_dim": 256}, "model.architecture": "Gemma2ForCausalLM"}
PHI: dict[str, Value] = {"model.kv_geometry": {"head_dim": 80}, "model.architecture": "PhiForCausalLM"}
T4: dict[str, Value] = {"hardware.gpu.model": ["t4"]}
GRAPHS: list[Value] = [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    ("old", "new", "fact", "before", "after", "words", "known"),
    [
        # tgi-01: the limits come from the model
        ("1.4.5", "2.0.0", "runtime.max_model_len", 2048, 4096, "", LONG),
        ("1.4.5", "2.0.0", "runtime.max_input_tokens", 1024, 4095, "", LONG),
        ("1.4.5", "2.0.0", "runtime.max_input_tokens", 1024, 2047, "", SHORT),
        ("1.4.5", "2.0.0", "runtime.max_num_batched_tokens", 4096, 4145, "", LONG),
        ("1.4.5", "2.0.0", TOTAL, "2048", "max_position_embeddings, at most 4096", "", {}),
        ("1.4.5", "2.0.0", PROMPT, "1024", "max_position_embeddings - 1, at most 4095", "", {}),
        # tgi-05: and then from memory
        (
            *("2.4.0", "3.0.0", TOTAL, "max_position_embeddings, at most 4096"),
            *("what fits in GPU memory, at most max_position_embeddings", "", {}),
        ),
        (
            *("2.4.0", "2.4.1", PROMPT, "max_position_embeddings - 1, at most 4095"),
            *("what fits in GPU memory, at most max_position_embeddings, less 1", "", {}),
        ),
        # what a request gets that names no limit
        ("1.1.0", "1.1.1", "runtime.default_output_tokens", 20, "unlimited", "", {}),
        ("1.3.2", "1.3.3", "runtime.default_output_tokens", "unlimited", 100, "", {}),
        ("2.4.1", "3.0.0", "runtime.default_output_tokens", 100, "unlimited", "", {}),
        # scheduling
        ("2.0.1", "2.0.2", "runtime.scheduler[waiting_served_ratio]", 1.2, 0.3, "", {}),
        ("2.4.1", "3.0.0", "runtime.chunked_prefill", False, True, "", LLAMA),
        (
            *("2.4.1", "3.0.0", f"{OTHER}[default of --max-batch-prefill-tokens]"),
            *("max_position_embeddings, at most 4096", "by the GPU's speed and memory", "", {}),
        ),
        # attention
        ("2.2.0", "2.3.0", "runtime.attention_backend", "paged", "flashinfer", "", LLAMA),
        ("2.2.0", "2.3.0", "runtime.prefix_caching", False, True, "", LLAMA),
        ("2.2.0", "2.3.0", "runtime.kv_cache.block_size", 16, 1, "", LLAMA),
        ("2.3.0", "2.3.1", "runtime.attention_backend", "flashdecoding", "paged", "", {**PHI, **T4}),
        ("2.1.1", "2.2.0", "runtime.attention_backend", "paged", "flashdecoding", "", GEMMA),
        ("2.3.0", "2.4.0", "runtime.attention_backend", "flashdecoding", "flashinfer", "", GEMMA),
        (
            *("2.2.0", "2.3.0", f"{OTHER}[default of PREFIX_CACHING]"),
            *("off", "on, by the model and the attention backend", "", {}),
        ),
        # memory left free
        ("2.3.1", "2.4.0", f"{ENV}[TGI_WIGGLE_ROOM]", "0.95", "0.9", "", {}),
        ("2.4.1", "3.0.0", f"{ENV}[TGI_WIGGLE_ROOM]", "0.9", "0.95", "", {}),
        ("3.0.2", "3.1.0", f"{ENV}[TGI_WIGGLE_ROOM]", "0.95", "0.93", "", {}),
        ("3.2.3", "3.3.0", f"{ENV}[TGI_WIGGLE_ROOM]", "0.93", "0.9", "", {}),
        # CUDA graphs
        ("1.4.5", "2.0.0", "runtime.enforce_eager", True, False, "", {}),
        ("1.4.5", "2.0.0", "runtime.cuda_graph.sizes", [], GRAPHS, "", {}),
        ("3.0.1", "3.0.2", "runtime.enforce_eager", True, False, "--quantize bitsandbytes-nf4", {}),
        ("2.2.0", "2.3.0", "runtime.cuda_graph.sizes", GRAPHS, [], "--quantize exl2", {}),
        ("2.0.1", "2.0.2", "runtime.cuda_graph.sizes", GRAPHS, [1, 2], "--cuda-graphs 1,2", {}),
        # weights
        ("1.1.1", "1.2.0", "runtime.dtype", "float16", "bfloat16", "", {"model.architecture": "GemmaForCausalLM"}),
        ("1.4.5", "2.0.0", "runtime.quantization", "none", "gptq", "", {"model.quantization": {"method": "gptq"}}),
        # the front end
        ("2.4.0", "2.4.1", "serving.max_body.bytes", 2 * 1024 * 1024, 2_000_000, "", {}),
        # images for other hardware set their own variables
        ("3.0.0-intel", "3.1.0-intel", "runtime.attention_backend", "paged", "flashdecoding-ipex", "", {}),
        ("3.0.0-intel", "3.1.0-intel", "runtime.prefix_caching", False, True, "", {}),
        ("3.3.0-gaudi", "3.3.7-gaudi", "runtime.attention_backend", "default", "paged", "", {}),
    ],
)  # fmt: skip
def test_the_tag_alone_changes_it(
    old: str, new: str, fact: str, before: Value, after: Value, words: str, known: dict[str, Value]
) -> None:
    for tag, expected in ((old, before), (new, after)):
        found = entry(resolved(tag, words, known), fact)
        assert found.state == "known", (tag, found.reason)
        assert found.value == expected, tag


@pytest.mark.parametrize(
    ("old", "new", "fact", "words", "env", "known"),
    [
        # the setting is written
        ("1.4.5", "2.0.0", "runtime.max_model_len", "--max-total-tokens 2048", {}, LONG),
        ("1.4.5", "2.0.0", "runtime.max_input_tokens", "--max-input-length 1024", {}, LONG),
        ("1.4.5", "2.0.0", "runtime.max_num_batched_tokens", "--max-batch-prefill-tokens 4096", {}, {}),
        ("2.4.0", "3.0.0", "runtime.max_model_len", "", {"MAX_TOTAL_TOKENS": "4096"}, {}),
        ("2.4.0", "3.0.0", "runtime.max_input_tokens", "--max-input-tokens 4095", {}, {}),
        ("2.4.0", "3.0.0", "runtime.max_num_batched_tokens", "--max-batch-prefill-tokens 4145", {}, {}),
        ("2.0.1", "2.0.2", "runtime.scheduler[waiting_served_ratio]", "--waiting-served-ratio 1.2", {}, {}),
        ("2.3.1", "2.4.0", f"{ENV}[TGI_WIGGLE_ROOM]", "", {"TGI_WIGGLE_ROOM": "0.90"}, {}),
        ("2.3.0", "2.3.1", "runtime.prefix_caching", "", {"USE_PREFIX_CACHING": "0"}, {}),
        ("2.4.0", "3.3.7", "runtime.prefix_caching", "", {"PREFIX_CACHING": "0"}, {}),
        ("2.4.1", "3.0.0", "runtime.chunked_prefill", "", {"PREFILL_CHUNKING": "0"}, LLAMA),
        ("2.3.0", "2.3.1", "runtime.attention_backend", "", {"ATTENTION": "flashdecoding"}, {**PHI, **T4}),
        ("1.1.0", "1.2.0", "runtime.dtype", "--dtype bfloat16", {}, {}),
        ("2.0.2", "2.0.3", "runtime.cuda_graph.sizes", "--cuda-graphs 0", {}, {}),
        ("3.0.1", "3.0.2", "runtime.enforce_eager", "--cuda-graphs 1 --quantize bitsandbytes-nf4", {}, {}),
        ("2.4.1", "3.0.0", "serving.max_body.bytes", "", {}, {}),
        # the condition does not hold
        ("2.3.0", "2.3.1", "runtime.attention_backend", "", {}, LLAMA),
        ("2.3.0", "2.4.0", "runtime.attention_backend", "", {}, LLAMA),
        ("2.2.0", "2.3.0", "runtime.prefix_caching", "--lora-adapters a/b", {}, LLAMA),
        ("2.2.0", "2.3.0", "runtime.prefix_caching", "", {}, PHI),
        ("2.4.1", "3.0.0", "runtime.chunked_prefill", "--speculate 2", {}, LLAMA),
        ("2.4.1", "3.0.0", "runtime.chunked_prefill", "", {"ATTENTION": "paged"}, {}),
        ("3.0.1", "3.0.2", "runtime.enforce_eager", "--quantize bitsandbytes", {}, {}),
        ("2.2.0", "2.3.0", "runtime.cuda_graph.sizes", "--quantize awq", {}, {}),
        ("1.1.1", "1.2.0", "runtime.dtype", "", {}, LLAMA),
        ("1.4.5", "2.0.0", "runtime.quantization", "--quantize awq", {}, {}),
        ("2.4.1", "3.0.0-rocm", "runtime.prefix_caching", "", {"PREFIX_CACHING": "0"}, {}),
        ("2.4.0-rocm", "3.3.7-rocm", "runtime.chunked_prefill", "", {}, {}),
        ("2.1.0-rocm", "2.4.0-rocm", "runtime.attention_backend", "", {}, {}),
        ("2.1.0-rocm", "2.4.0-rocm", "runtime.prefix_caching", "", {}, {}),
        # nothing of it changed between these
        ("2.0.2", "2.4.0", "runtime.max_model_len", "", {}, LONG),
        ("1.4.1", "2.4.1", "runtime.default_output_tokens", "", {}, {}),
        ("3.0.0", "3.3.7", "runtime.default_output_tokens", "", {}, {}),
        ("1.0.0", "3.3.7", "runtime.max_concurrent_requests", "", {}, {}),
        ("1.0.0", "3.3.7", "serving.port", "", {}, {}),
    ],
)  # fmt: skip
def test_silence(old: str, new: str, fact: str, words: str, env: dict[str, str], known: dict[str, Value]) -> None:
    first, second = (entry(resolved(tag, words, known, env), fact) for tag in (old, new))
    assert (first.state, first.value) == (second.state, second.value)
    assert first.state == "known"


def test_the_cap_on_prompts_goes() -> None:
    assert resolved("2.4.0", known=LONG)["runtime.max_input_tokens"].value == 4095
    assert resolved("2.4.1", known=LONG)["runtime.max_input_tokens"].state == "absent"
    assert resolved("3.0.0", "--max-input-tokens 4095", LONG)["runtime.max_input_tokens"].value == 4095


def test_a_written_limit_has_no_rule_beside_it() -> None:
    found = resolved("3.0.0", "--max-total-tokens 4096 --max-batch-prefill-tokens 4096", env={"PREFIX_CACHING": "0"})
    keys = found[OTHER].entries
    assert "default of --max-input-tokens" in keys
    for name in ("--max-total-tokens", "--max-batch-prefill-tokens", "PREFIX_CACHING"):
        assert f"default of {name}" not in keys


@pytest.mark.parametrize(
    ("tag", "env", "argument", "suggestion"),
    [
        # tgi-04: the old name is not read any more, and prefix caching comes back
        ("2.4.0", {"USE_PREFIX_CACHING": "0"}, "USE_PREFIX_CACHING", "PREFIX_CACHING"),
        ("3.3.7", {"USE_PREFIX_CACHING": "0"}, "USE_PREFIX_CACHING", "PREFIX_CACHING"),
        ("2.3.0", {"FLASH_DECODING": "1"}, "FLASH_DECODING", "ATTENTION"),
    ],
)
def test_a_variable_that_is_not_read_any_more_is_named(
    tag: str, env: dict[str, str], argument: str, suggestion: str
) -> None:
    problems = read(tag, env=env).problems
    assert [(one.kind, one.argument, one.suggestion) for one in problems] == [
        ("ignored-argument", argument, suggestion)
    ]
    assert resolved("2.3.1", env={"USE_PREFIX_CACHING": "0"})["runtime.prefix_caching"].value is False
    assert resolved("2.4.0", env={"USE_PREFIX_CACHING": "0"}, known=LLAMA)["runtime.prefix_caching"].value is True


def test_the_first_releases_with_cuda_graphs_overlooked_the_argument() -> None:
    reading = read("2.0.1", "--cuda-graphs 0")
    assert [one.kind for one in reading.problems] == ["ignored-argument"]
    assert resolved("2.0.1", "--cuda-graphs 0")["runtime.enforce_eager"].value is False
    assert resolved("2.0.1", "--cuda-graphs 4 --quantize gptq")["runtime.cuda_graph.sizes"].value == [4]


@pytest.mark.parametrize("tag", ["3.4.0", "2.3.2", "3.3.8-rocm"])
def test_a_release_that_is_not_known_is_read_as_the_nearest_and_says_so(tag: str) -> None:
    found = resolved(tag)
    assert found["runtime.max_concurrent_requests"].value == 128
    for fact in ("runtime.max_concurrent_requests", "runtime.default_output_tokens", "runtime.scheduler"):
        one = next(iter(found[fact].entries.values()), found[fact])
        assert one.confidence == "likely"
        assert any("not in this build" in because for because in one.because)


def test_of_no_release_only_what_never_changed_is_said() -> None:
    found = resolved("latest")
    assert found["runtime.max_concurrent_requests"].value == 128
    assert found["runtime.max_model_len"].state == found["runtime.attention_backend"].state == "unknown"
    assert found["runtime.default_output_tokens"].state == "unknown"
    assert not any(key.startswith("default of") for key in found[OTHER].entries)


def test_literals_agree_with_the_research_tables(shared: Path) -> None:
    """Another extractor read the same tags. Every field agrees."""
    import json

    tables = json.loads((shared / "knowledge/defaults/tgi_defaults.json").read_text(encoding="utf-8"))
    compared = 0
    for version in versions.releases("tgi"):
        release = versions.load("tgi", version)
        assert release is not None
        for name, other in tables[f"v{version}"].items():
            mine, theirs = release.arguments[name].value, other["default"]
            if theirs is None:
                assert mine in (None, False), (version, name)
            else:
                assert str(mine).lower() == str(theirs).lower() or float(str(mine)) == float(theirs), (version, name)
            compared += 1
    assert compared > 2500
