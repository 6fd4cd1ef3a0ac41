"""Reading launches of TGI: arguments, variables, and both."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.engines.tgi import RECOGNITION
from askew.engines.tgi.engine import ENGINE
from askew.engines.tgi.flags import FLAGS, VARIABLES
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.resolve.observation import Observation, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
IMAGE = "ghcr.io/huggingface/text-generation-inference:3.3.7"
MODEL = {"MODEL_ID": "mistralai/Mistral-7B-Instruct-v0.3"}


def launch_of(
    command: str = "", env: Mapping[str, str] | None = None, image: str = IMAGE, *, implicit: bool = True
) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if image else None,
        implicit_entrypoint=implicit,
        env={name: Variable(name, value, AT) for name, value in (MODEL if env is None else {**MODEL, **env}).items()},
    )


def facts(command: str = "", env: Mapping[str, str] | None = None, image: str = IMAGE) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(command, env, image))
    return resolve(reading.observations, reading.rules)


@pytest.mark.parametrize(
    ("argument", "word", "fact", "value"),
    [
        ("--num-shard", "2", "runtime.tensor_parallel_size", 2),
        ("--sharded", "false", "runtime.tensor_parallel_size", 1),
        ("--quantize", "awq", "runtime.quantization", "awq"),
        ("--quantize", "bitsandbytes-nf4", "runtime.quantization", "bitsandbytes-nf4"),
        ("--dtype", "bfloat16", "runtime.dtype", "bfloat16"),
        ("--kv-cache-dtype", "fp8_e4m3fn", "runtime.kv_cache.dtype", "float8_e4m3"),
        ("--max-input-tokens", "4096", "runtime.max_input_tokens", 4096),
        ("--max-input-length", "4096", "runtime.max_input_tokens", 4096),
        ("--max-total-tokens", "8192", "runtime.max_model_len", 8192),
        ("--max-batch-prefill-tokens", "4096", "runtime.max_num_batched_tokens", 4096),
        ("--max-batch-total-tokens", "65536", "runtime.max_batch_total_tokens", 65536),
        ("--max-batch-size", "16", "runtime.max_num_seqs", 16),
        ("--max-concurrent-requests", "512", "runtime.max_concurrent_requests", 512),
        ("--cuda-memory-fraction", "0.9", "runtime.gpu_memory_utilization", 0.9),
        ("--cuda-graphs", "0", "runtime.enforce_eager", True),
        ("--cuda-graphs", "1,2,4", "runtime.cuda_graph.sizes", [1, 2, 4]),
        ("--speculate", "3", "runtime.speculative", {"num_speculative_tokens": 3}),
        ("--rope-factor", "2.0", "runtime.rope_override", {"factor": 2}),
        ("--revision", "8f9d1c2", "model.revision", "8f9d1c2"),
        ("--lora-adapters", "a/b@c,d=/l/d", "runtime.lora.enabled", True),
        ("--payload-limit", "4000000", "serving.max_body.bytes", 4000000),
        ("--port", "8080", "serving.port", 8080),
        ("--api-key", "redacted:0123456789abcdef", "serving.api_key_required", True),
        ("--tokenizer-config-path", "/t/c.json", "model.chat_template.source", "/t/c.json"),
    ],
)
def test_an_argument_and_its_variable_say_the_same(argument: str, word: str, fact: str, value: object) -> None:
    written = facts(f"{argument} {word}")[fact]
    variable = facts(env={argument[2:].replace("-", "_").upper(): word})[fact]
    assert written.value == variable.value == value
    entry = next(iter(written.entries.values()), written)
    assert entry.origin == "explicit"
    assert next(iter(variable.entries.values()), variable).origin == "env"


@pytest.mark.parametrize(
    ("name", "word", "fact", "value"),
    [
        ("ATTENTION", "paged", "runtime.attention_backend", "paged"),
        ("ATTENTION", "paged", "runtime.chunked_prefill", False),
        ("ATTENTION", "paged", "runtime.prefix_caching", False),
        ("ATTENTION", "flashdecoding", "runtime.kv_cache.block_size", 256),
        ("PREFIX_CACHING", "1", "runtime.prefix_caching", True),
        ("PREFIX_CACHING", "0", "runtime.prefix_caching", False),
        ("PREFILL_CHUNKING", "false", "runtime.chunked_prefill", False),
        ("TRUST_REMOTE_CODE", "true", "model.trust_remote_code", True),
        ("TRUST_REMOTE_CODE", "false", "model.trust_remote_code", False),
        ("CUDA_VISIBLE_DEVICES", "0,1,2,3", "runtime.tensor_parallel_size", 4),
        ("QUANTIZE", "bitsandbytes", "runtime.enforce_eager", True),
        ("QUANTIZE", "gptq", "runtime.dtype", "float16"),
        ("LORA_ADAPTERS", "a/b", "runtime.prefix_caching", False),
    ],
)
def test_variables_without_an_argument_and_what_follows(name: str, word: str, fact: str, value: object) -> None:
    assert facts(env={name: word})[fact].value == value


def test_the_argument_wins_over_the_variable() -> None:
    found = facts("--max-total-tokens 4096", {"MAX_TOTAL_TOKENS": "8192"})["runtime.max_model_len"]
    assert found.value == 4096
    assert [shadowed.value for shadowed in found.shadowed] == [8192]


def test_variables_that_state_facts_are_not_environment_too() -> None:
    env = {
        "MAX_TOTAL_TOKENS": "8192",
        "PREFIX_CACHING": "1",
        "NCCL_DEBUG": "INFO",
        "NCCL_P2P_DISABLE": "1",
        "HF_TOKEN": "x",
    }
    found = facts(env={**env, "ENABLE_HPU_GRAPH": "true", "JSON_OUTPUT": "true", "TGI_WIGGLE_ROOM": "0.9"})
    assert found["runtime.env"].value == {"ENABLE_HPU_GRAPH": "true", "NCCL_P2P_DISABLE": "1", "TGI_WIGGLE_ROOM": "0.9"}


def test_quantize_was_a_switch_once() -> None:
    old = "ghcr.io/huggingface/text-generation-inference:0.6.0"
    assert facts("--quantize", image=old)["runtime.quantization"].value == "bitsandbytes"
    assert facts(env={"QUANTIZE": "true"}, image=old)["runtime.quantization"].value == "bitsandbytes"
    assert (
        facts(env={"QUANTIZE": "awq"}, image="x/text-generation-inference:latest")["runtime.quantization"].value
        == "awq"
    )


@pytest.mark.parametrize(
    ("method", "tag", "taken"),
    [
        ("bitsandbytes-nf4", "1.0.0", False), ("bitsandbytes-nf4", "1.0.1", True), ("awq", "1.0.3", False),
        ("awq", "1.1.0", True), ("fp8", "1.4.5", False), ("fp8", "2.0.0", True), ("exl2", "2.0.4", False),
        ("marlin", "2.1.0", True), ("compressed-tensors", "2.4.0", False), ("compressed-tensors", "2.4.1", True),
        ("compressed-tensors", "latest", True), ("gptq", "0.7.0", True),
    ],
)  # fmt: skip
def test_methods_of_quantization_by_release(method: str, tag: str, taken: bool) -> None:
    image = f"ghcr.io/huggingface/text-generation-inference:{tag}"
    for command, env in ((f"--quantize {method}", {}), ("", {"QUANTIZE": method})):
        reading = ENGINE.read(launch_of(command, env, image))
        assert [one.kind for one in reading.problems] == ([] if taken else ["invalid-value"])
        found = resolve(reading.observations, reading.rules)["runtime.quantization"]
        assert found.value == (method if taken else None)


def test_adapters_with_revision_and_path() -> None:
    adapters = facts("--lora-adapters a/b@c,d=/l/d")["model.lora_adapters"].value
    assert adapters == [
        {"name": "a/b", "revision": "c", "source": "a/b"},
        {"name": "d", "source": "/l/d"},
    ]


def test_port_is_that_of_the_image() -> None:
    assert facts()["serving.port"].value == 80
    reading = ENGINE.read(launch_of("text-generation-launcher", image="python:3.11", implicit=False))
    assert resolve(reading.observations, reading.rules)["serving.port"].value == 3000


def test_gpus_decide_the_shards_when_nothing_else_does() -> None:
    reading = ENGINE.read(launch_of())
    assert resolve(reading.observations, reading.rules)["runtime.tensor_parallel_size"].state == "unknown"
    seen = Observation(fact="hardware.gpu.count", value=4, origin="explicit")
    assert resolve((*reading.observations, seen), reading.rules)["runtime.tensor_parallel_size"].value == 4


def test_attention_follows_head_size_and_gpu() -> None:
    reading = ENGINE.read(launch_of())

    def attention(head: int, capability: str | None) -> object:
        seen = [Observation(fact="model.kv_geometry", key="head_dim", value=head, origin="model")]
        if capability:
            seen.append(Observation(fact="hardware.gpu.compute_capability", value=capability, origin="catalogue"))
        return resolve((*reading.observations, *seen), reading.rules)["runtime.attention_backend"].value

    assert attention(128, None) == "flashinfer"
    assert attention(80, "8.0") == "flashdecoding"
    assert attention(80, "7.5") == "paged"
    assert attention(80, None) is None


@pytest.mark.parametrize(
    ("command", "env", "kind", "suggestion"),
    [
        ("--max-total-tokens banana", {}, "invalid-value", ""),
        ("--max-total-tokens 8k", {}, "invalid-value", ""),
        ("", {"MAX_TOTAL_TOKENS": "8k"}, "invalid-value", ""),
        ("--quantize gptqq", {}, "invalid-value", "gptq"),
        ("", {"TRUST_REMOTE_CODE": "1"}, "invalid-value", "true"),
        ("--max-total-token 1", {}, "unknown-argument", "--max-total-tokens"),
        ("--num_shard 2", {}, "unknown-argument", "--num-shard"),
        ("--num-shard 2 --num-shard 4", {}, "malformed", ""),
        ("--trust-remote-code true", {}, "malformed", ""),
        ("--max-input-tokens 1 --max-input-length 1", {}, "malformed", "--max-input-tokens"),
        ("--max-input-tokens 1", {"MAX_INPUT_LENGTH": "1"}, "malformed", "--max-input-tokens"),
        ("--enable-cuda-graphs", {}, "removed-argument", "--cuda-graphs"),
        ("", {"ATTENTION": "flash"}, "invalid-value", ""),
    ],
)
def test_what_the_launcher_refuses_is_a_problem(command: str, env: dict[str, str], kind: str, suggestion: str) -> None:
    problems = ENGINE.read(launch_of(command, env)).problems
    assert [problem.kind for problem in problems] == [kind]
    assert not suggestion or problems[0].suggestion == suggestion
    assert problems[0].locations


def test_a_value_that_could_not_be_seen_is_unknown() -> None:
    variable = Variable("MAX_TOTAL_TOKENS", None, AT, "from Secret tgi/settings")
    reading = ENGINE.read(Launch(argv=(), location=AT, implicit_entrypoint=True, env={"MAX_TOTAL_TOKENS": variable}))
    found = resolve(reading.observations, reading.rules)["runtime.max_model_len"]
    assert (found.state, found.reason) == ("unknown", "from Secret tgi/settings")


def test_a_variable_of_a_later_release_means_nothing_to_an_earlier_one() -> None:
    old = facts(
        env={"PAYLOAD_LIMIT": "1", "MAX_INPUT_LENGTH": "99"},
        image="ghcr.io/huggingface/text-generation-inference:1.4.0",
    )
    assert old["serving.max_body.bytes"].value == 2 * 1024 * 1024
    assert old["runtime.max_input_tokens"].value == 99


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("ghcr.io/huggingface/text-generation-inference:3.3.7", "3.3.7"),
        ("ghcr.io/huggingface/text-generation-inference:2.4.0-intel-cpu", "2.4.0"),
        ("ghcr.io/huggingface/tgi-gaudi:2.3.1", "2.3.1"),
        ("ghcr.io/huggingface/neuronx-tgi:0.0.28", None),
        ("ghcr.io/huggingface/text-generation-inference:latest", None),
    ],
)
def test_version_and_recognition_of_images(image: str, version: str | None) -> None:
    assert any(re.search(pattern, image) for pattern in RECOGNITION.images)
    assert ENGINE.read(launch_of(image=image)).version == version


@pytest.mark.parametrize(
    "image",
    [
        "ghcr.io/huggingface/text-generation-inference:3.2.0-llamacpp",
        "x/text-generation-webui:1",
        "ghcr.io/huggingface/text-embeddings-inference:1.7",
    ],
)
def test_other_images_are_not_taken_for_tgi(image: str) -> None:
    assert not any(re.search(pattern, image) for pattern in RECOGNITION.images)


def test_builds_for_other_hardware_do_not_borrow_the_rules_of_cuda() -> None:
    gaudi = facts(image="ghcr.io/huggingface/text-generation-inference:3.3.7-gaudi")
    assert gaudi["runtime.attention_backend"].value == "paged"
    assert "runtime.cuda_graph.sizes" not in gaudi
    assert gaudi["runtime.enforce_eager"].state == "unknown"
    intel = facts(image="ghcr.io/huggingface/text-generation-inference:3.3.7-intel-xpu")
    assert intel["runtime.enforce_eager"].value is True
    assert intel["runtime.attention_backend"].value == "flashdecoding-ipex"
    rocm = facts(image="ghcr.io/huggingface/text-generation-inference:2.3.1-rocm")
    assert rocm["runtime.prefix_caching"].value is False
    assert rocm["runtime.cuda_graph.sizes"].value == [1, 2, 4, 8, 16, 32]


def test_images_for_sagemaker_have_variables_of_their_own() -> None:
    image = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/huggingface-pytorch-tgi-inference:TAG"
    tag = "2.6.0-tgi3.2.3-gpu-py311-cu124-ubuntu22.04"
    env = {"HF_MODEL_ID": "a/b", "SM_NUM_GPUS": "4", "HF_MODEL_QUANTIZE": "awq", "MAX_TOTAL_TOKENS": "4096"}
    at = {name: Variable(name, value, AT) for name, value in env.items()}
    launch = Launch(argv=(), location=AT, image=Token(image.replace("TAG", tag), AT), implicit_entrypoint=True, env=at)
    reading = ENGINE.read(launch)
    found = resolve(reading.observations, reading.rules)
    assert reading.version == "3.2.3"
    assert found["model.id"].value == "a/b"
    assert found["runtime.tensor_parallel_size"].value == 4
    assert found["runtime.quantization"].value == "awq"
    assert found["runtime.max_model_len"].value == 4096
    assert found["serving.port"].value == 8080
    assert found["runtime.env"].value == {"TGI_WIGGLE_ROOM": "0.93"}


def test_words_of_another_program_are_not_read_as_arguments() -> None:
    reading = ENGINE.read(launch_of("bash -c ls", implicit=True))
    assert "serving.port" not in {one.fact for one in reading.observations}


def test_flag_for() -> None:
    assert ENGINE.flag_for("runtime.max_model_len", "3.3.7") == "--max-total-tokens"
    assert ENGINE.flag_for("runtime.max_input_tokens", "3.3.7") == "--max-input-tokens"
    assert ENGINE.flag_for("runtime.max_input_tokens", "1.4.0") == "--max-input-length"
    assert ENGINE.flag_for("runtime.prefix_caching", "3.3.7") == "PREFIX_CACHING"
    assert ENGINE.flag_for("runtime.prefix_caching", "1.4.0") is None
    assert ENGINE.flag_for("model.id", None) == "--model-id"
    assert ENGINE.flag_for("runtime.seed", None) is None


def test_every_fact_of_the_first_milestone_is_stated_or_unsupported() -> None:
    found = facts()
    wanted = {key for key, fact in FACTS.items() if fact.milestone == 1 and key.startswith(("runtime.", "model."))}
    assert wanted - set(found) - set(ENGINE.unsupported) - {"runtime.arguments.unmapped", "runtime.env"} == set()
    assert not set(ENGINE.unsupported) & set(found)


def test_tables_and_rules_name_known_facts() -> None:
    for flag in (*FLAGS, *VARIABLES):
        assert sum((bool(flag.fact), flag.spreads is not None, bool(flag.irrelevant))) == 1, flag.names
        assert not flag.fact or bool(flag.key) == FACTS[flag.fact].type.keyed, flag.names
    for image in (IMAGE, f"{IMAGE}-gaudi", f"{IMAGE}-rocm", "ghcr.io/huggingface/text-generation-inference:1.0.0"):
        reading = ENGINE.read(launch_of(image=image))
        assert {need for rule in reading.rules for need in (rule.fact, *rule.needs, *rule.uses)} <= set(FACTS)
        for one in reading.observations:
            if not isinstance(one.value, Unknown) and one.value is not None and not one.key:
                assert FACTS[one.fact].type.parse(one.value) == one.value


def test_the_newest_release_is_covered() -> None:
    from askew.engines import versions

    release = versions.load("tgi", "3.3.7")
    assert release is not None
    current = {flag.names[0]: flag for flag in FLAGS if not flag.until}
    arguments = {name for name in release.arguments if not name.startswith("image ")}
    assert arguments - set(current) == set()
    assert {flag.env for flag in current.values() if flag.env} - set(release.variables) == set()
    assert {"ATTENTION", "PREFIX_CACHING", "PREFILL_CHUNKING", "TGI_WIGGLE_ROOM"} <= set(release.variables)


def test_every_argument_of_every_release_is_in_the_table_for_that_release() -> None:
    from askew.engines import versions
    from askew.engines.tgi.engine import table_of

    for version in versions.releases("tgi"):
        release = versions.load("tgi", version)
        assert release is not None
        names = table_of(version).names
        has = {name for name in release.arguments if name.startswith("--")}
        alive = {name for name, entry in names.items() if entry.alive and name.startswith("--")} - {
            "--version",
            "--help",
        }
        assert has == alive, version


NAMES = sorted({name for flag in FLAGS for name in flag.names})
VALUES = st.one_of(
    st.text(max_size=12), st.sampled_from(["true", "1", "-1", "1e999", "nan", "9" * 400, "\ud800", "1,,2", "@@", "="])
)


@given(
    st.lists(
        st.one_of(st.sampled_from(NAMES), st.builds("{}={}".format, st.sampled_from(NAMES), VALUES), VALUES),
        max_size=10,
    ),
    st.dictionaries(
        st.sampled_from(sorted({flag.env for flag in FLAGS if flag.env} | {"ATTENTION"})), VALUES, max_size=6
    ),
    st.sampled_from([IMAGE, "ghcr.io/huggingface/tgi-gaudi:2.0.6", "!!"]),
)
def test_nothing_that_is_written_raises(words: list[str], env: dict[str, str], image: str) -> None:
    launch = Launch(
        argv=tuple(Token(word, AT) for word in ["text-generation-launcher", *words]),
        location=AT,
        image=Token(image, AT),
        env={name: Variable(name, value, AT) for name, value in env.items()},
    )
    reading = ENGINE.read(launch)
    resolve(reading.observations, reading.rules)


def test_a_model_that_is_not_known_leaves_its_source_unknown_too() -> None:
    words = tuple(
        Token(word, AT, "from ConfigMap tgi, not given" if word == "$M" else None) for word in ("--model-id", "$M")
    )
    reading = ENGINE.read(Launch(argv=words, location=AT, implicit_entrypoint=True))
    found = resolve(reading.observations, reading.rules)
    for fact in ("model.id", "model.source"):
        assert (found[fact].state, found[fact].reason) == ("unknown", "from ConfigMap tgi, not given")
    assert found["model.revision"].state == "unknown"
    assert found["runtime.arguments.unmapped"].value == {}
