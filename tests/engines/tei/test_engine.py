"""Reading launches of TEI: arguments, variables, what an image was built for, and defaults by release."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.engines import versions
from askew.engines.tei import RECOGNITION
from askew.engines.tei.defaults import fits
from askew.engines.tei.engine import ENGINE, table_of
from askew.engines.tei.flags import FLAGS, OTHER, VARIABLES
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
IMAGE = "ghcr.io/huggingface/text-embeddings-inference"
MODEL = {"MODEL_ID": "BAAI/bge-m3"}


def launch_of(
    command: str = "", env: Mapping[str, str] | None = None, tag: str = "1.9.3", *, image: str = IMAGE
) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(f"{image}:{tag}", AT) if tag else None,
        implicit_entrypoint=True,
        env={name: Variable(name, value, AT) for name, value in {**MODEL, **(env or {})}.items()},
    )


def facts(
    command: str = "",
    env: Mapping[str, str] | None = None,
    tag: str = "1.9.3",
    known: Mapping[str, Value] | None = None,
) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(command, env, tag))
    seen = [Observation(fact=fact, value=value, origin="assumed") for fact, value in (known or {}).items()]
    return resolve((*reading.observations, *seen), reading.rules)


def other(found: Mapping[str, Resolved], key: str) -> Value:
    entry = found[OTHER].entries.get(key)
    return entry.value if entry is not None else None


@pytest.mark.parametrize(
    ("argument", "word", "fact", "value"),
    [
        ("--model-id", "org/m", "model.id", "org/m"),
        ("--revision", "8f9d1c2", "model.revision", "8f9d1c2"),
        ("--served-model-name", "embed", "model.served_names", ["embed"]),
        ("--dtype", "float32", "runtime.dtype", "float32"),
        ("--pooling", "cls", "model.embedding.pooling", "cls"),
        ("--pooling", "last-token", "model.embedding.pooling", "last"),
        ("--pooling", "splade", "model.embedding.pooling", "splade"),
        ("--max-concurrent-requests", "64", "runtime.max_concurrent_requests", 64),
        ("--max-batch-tokens", "32768", "runtime.max_num_batched_tokens", 32768),
        ("--max-batch-requests", "8", "runtime.max_num_seqs", 8),
        ("--port", "8080", "serving.port", 8080),
        ("--hostname", "127.0.0.1", "serving.listen_host", "127.0.0.1"),
        ("--api-key", "redacted:0123456789abcdef", "serving.api_key_required", True),
        ("--payload-limit", "4000000", "serving.max_body.bytes", 4000000),
        ("--default-prompt", "query: ", "model.embedding.prompts", {"default": "query: "}),
    ],
)
def test_an_argument_and_its_variable_say_the_same(argument: str, word: str, fact: str, value: object) -> None:
    written = facts(f"{argument} {shlex.quote(word)}")[fact]
    variable = facts(env={argument[2:].replace("-", "_").upper(): word})[fact]
    assert written.value == variable.value == value
    assert next(iter(written.entries.values()), written).origin == "explicit"
    assert next(iter(variable.entries.values()), variable).origin == "env"


def test_the_argument_wins_over_the_variable() -> None:
    found = facts("--dtype float32", {"DTYPE": "float16"})["runtime.dtype"]
    assert (found.value, [one.value for one in found.shadowed]) == ("float32", ["float16"])


@pytest.mark.parametrize(
    ("tag", "command", "env", "value"),
    [
        ("1.0.0", "", {}, "false"),
        ("1.8.3", "", {}, "false"),
        ("1.8.3", "--auto-truncate", {}, "true"),
        ("1.8.3", "", {"AUTO_TRUNCATE": "true"}, "true"),
        ("1.9.0", "", {}, "true"),
        ("1.9.0", "", {"AUTO_TRUNCATE": "false"}, "false"),
        ("1.9.3", "", {}, "true"),
        ("1.9.3", "--auto-truncate", {}, "true"),
        ("1.9.3", "--auto-truncate false", {}, "false"),
        ("1.9.3", "--auto-truncate=false", {}, "false"),
    ],
)
def test_long_inputs_are_cut_or_refused(tag: str, command: str, env: dict[str, str], value: str) -> None:
    assert other(facts(command, env, tag), "--auto-truncate") == value


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("0.1.0", "float16"),
        ("0.2.2", "float16"),
        ("1.5.0", "float16"),
        ("cpu-0.2.2", "float16"),
        ("cpu-0.3.0", "float32"),
        ("cpu-1.5", "float32"),
        ("turing-1.5", "float16"),
        ("hpu-1.6.0", "float16"),
        ("hpu-1.7", "bfloat16"),
        ("cpu-ipex-1.7.2", "bfloat16"),
        ("latest", None),
    ],
)
def test_the_dtype_is_that_of_the_build(tag: str, value: str | None) -> None:
    assert facts(tag=tag)["runtime.dtype"].value == value


def test_gemma_3_is_computed_in_full_precision_since_1_8_1() -> None:
    known = {"model.architecture": "Gemma3TextModel"}
    assert facts(tag="1.8.0", known=known)["runtime.dtype"].value == "float16"
    assert facts(tag="1.8.1", known=known)["runtime.dtype"].value == "float32"


@pytest.mark.parametrize(
    ("tag", "state", "value"),
    [
        ("1.9.3", "absent", None),
        ("cpu-0.2.2", "known", 1),
        ("cpu-1.0.0", "unknown", None),
        ("cpu-1.4.0", "known", 4),
        ("cpu-1.5.1", "known", 8),
        ("cpu-1.6.0", "unknown", None),
    ],
)
def test_a_cpu_has_a_largest_batch_of_its_own(tag: str, state: str, value: int | None) -> None:
    found = facts(tag=tag)["runtime.max_num_seqs"]
    assert (found.state, found.value) == (state, value)


def test_what_is_asked_for_does_not_hold_on_a_cpu() -> None:
    reading = ENGINE.read(launch_of("--max-batch-requests 32", tag="cpu-1.5.1"))
    assert resolve(reading.observations, reading.rules)["runtime.max_num_seqs"].value == 8
    assert [one.kind for one in reading.problems] == ["ignored-argument"]
    assert not ENGINE.read(launch_of("--max-batch-requests 8", tag="cpu-1.5.1")).problems
    assert facts("--max-batch-requests 32")["runtime.max_num_seqs"].value == 32


@pytest.mark.parametrize(
    ("tag", "version", "compiled", "protocol"),
    [
        ("1.9.3", "1.9.3", "8.0", "http"),
        ("89-1.5.1", "1.5.1", "8.9", "http"),
        ("hopper-1.6.0-grpc", "1.6.0", "9.0", "grpc"),
        ("turing-1.9", None, "7.5", "http"),
        ("cuda-1.9.2", "1.9.2", "all", "http"),
        ("120-1.9.3", "1.9.3", "12.0", "http"),
        ("cpu-1.7", None, None, "http"),
        ("latest", None, "8.0", "http"),
        ("cpu-latest", None, None, "http"),
    ],
)
def test_a_tag_says_hardware_and_release(tag: str, version: str | None, compiled: str | None, protocol: str) -> None:
    reading = ENGINE.read(launch_of(tag=tag))
    found = resolve(reading.observations, reading.rules)
    assert reading.version == version
    assert other(found, "compiled for compute capability") == compiled
    assert found["serving.protocol"].value == protocol
    assert found["serving.port"].value == 80


def test_an_image_for_another_gpu_is_said() -> None:
    fitting = facts(tag="89-1.7.0", known={"hardware.gpu.model": ["l4"]})
    assert other(fitting, "compiled for compute capability") == "8.9"
    wrong = other(
        facts(tag="89-1.7.0", known={"hardware.gpu.model": ["a100-80gb-sxm"]}), "compiled for compute capability"
    )
    assert wrong == "8.9, which a GPU of 8.0 cannot run"


@pytest.mark.parametrize(
    ("compiled", "runs", "value"),
    [
        ("7.5", 7.5, True), ("8.0", 8.9, True), ("8.6", 8.9, True), ("8.9", 8.9, True), ("9.0", 9.0, True),
        ("8.0", 7.5, False), ("8.6", 8.0, False), ("8.9", 8.6, False), ("8.0", 9.0, False), ("9.0", 10.0, False),
    ],
)  # fmt: skip
def test_which_builds_run_where(compiled: str, runs: float, value: bool) -> None:
    assert fits(compiled, runs) is value


def test_a_tag_that_moves_is_read_as_its_newest_release_and_says_so() -> None:
    found = facts(tag="1.8")["runtime.max_concurrent_requests"]
    assert (found.value, found.confidence) == (512, "likely")
    assert any("1.8.3" in because for because in found.because)
    future = facts(tag="2.0.0")["runtime.max_concurrent_requests"]
    assert (future.value, future.confidence) == (512, "likely")
    assert any("not in this build" in because for because in future.because)


def test_the_longest_input_is_bounded_by_the_batch_since_1_9() -> None:
    known = {"model.embedding.max_seq_length": 32768}
    assert facts(tag="1.8.3", known=known)["runtime.max_model_len"].value == 32768
    assert facts(tag="1.9.3", known=known)["runtime.max_model_len"].value == 16384
    assert facts("--max-batch-tokens 65536", known=known)["runtime.max_model_len"].value == 32768


def test_names_and_keys_and_code() -> None:
    assert facts()["model.served_names"].value == ["BAAI/bge-m3"]
    assert facts(tag="1.8.3")["model.served_names"].state == "unknown"
    assert facts()["serving.api_key_required"].value is False
    assert facts()["model.source"].value == "hf://BAAI/bge-m3"
    assert facts()["model.trust_remote_code"].value is False
    assert facts(env={"TRUST_REMOTE_CODE": "true"}, tag="hpu-1.7.4")["model.trust_remote_code"].value is True
    assert facts("--model-id /data/m")["model.revision"].state == "absent"
    assert facts("--revision main")["model.revision"].state == "unknown"


def test_one_spelling_of_a_switch() -> None:
    assert facts(env={"USE_FLASH_ATTENTION": "True"})["runtime.env"].value == {"USE_FLASH_ATTENTION": "true"}
    assert facts()["runtime.env"].value == {"USE_FLASH_ATTENTION": "true"}
    assert facts(tag="turing-1.9.3")["runtime.env"].value == {"USE_FLASH_ATTENTION": "false"}


@pytest.mark.parametrize(
    ("command", "env", "tag", "kind", "suggestion"),
    [
        ("--max-batch-tokens 8k", {}, "1.9.3", "invalid-value", ""),
        ("", {"MAX_BATCH_TOKENS": "8k"}, "1.9.3", "invalid-value", ""),
        ("--pooling max", {}, "1.9.3", "invalid-value", ""),
        ("--dtype fp16", {}, "1.9.3", "invalid-value", ""),
        ("--max-batch-token 1", {}, "1.9.3", "unknown-argument", "--max-batch-tokens"),
        ("--served-model-name x", {}, "1.8.0", "unknown-argument", ""),
        ("--auto-truncate true", {}, "1.8.0", "malformed", ""),
        ("--port 1 --port 2", {}, "1.9.3", "malformed", ""),
        ("serve", {}, "1.9.3", "", ""),
    ],
)
def test_what_the_router_refuses_is_a_problem(
    command: str, env: dict[str, str], tag: str, kind: str, suggestion: str
) -> None:
    problems = ENGINE.read(launch_of(command, env, tag)).problems
    assert [one.kind for one in problems] == ([kind] if kind else [])
    assert not suggestion or problems[0].suggestion == suggestion


@pytest.mark.parametrize(
    ("image", "taken"),
    [
        ("ghcr.io/huggingface/text-embeddings-inference:cpu-1.7", True),
        ("ghcr.io/huggingface/text-embeddings-inference", True),
        ("registry.local/text-embeddings-inference:89-1.5", True),
        ("ghcr.io/huggingface/tei-gaudi:1.5.2", True),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/tei-cpu:2.0.1-tei1.4.0-cpu-py310-ubuntu22.04", True),
        ("ghcr.io/huggingface/text-generation-inference:3.3.7", False),
        ("opea/embedding-tei:latest", False),
        ("x/protein:1", False),
    ],
)
def test_which_images_are_tei(image: str, taken: bool) -> None:
    assert any(re.search(pattern, image) for pattern in RECOGNITION.images) is taken


def test_images_that_count_their_own_releases_state_none() -> None:
    reading = ENGINE.read(launch_of(image="ghcr.io/huggingface/tei-gaudi", tag="1.5.2"))
    assert reading.version is None
    assert resolve(reading.observations, reading.rules)["runtime.dtype"].state == "unknown"


def test_amazons_images_say_the_release_behind_pytorchs() -> None:
    tag = "2.0.1-tei1.4.0-cpu-py310-ubuntu22.04"
    reading = ENGINE.read(launch_of(image="683313688378.dkr.ecr.us-east-1.amazonaws.com/tei-cpu", tag=tag))
    found = resolve(reading.observations, reading.rules)
    assert reading.version == "1.4.0"
    assert (found["runtime.dtype"].value, found["runtime.max_num_seqs"].value) == ("float32", 4)


def test_the_program_by_its_name() -> None:
    launch = Launch(
        argv=tuple(Token(word, AT) for word in ("/bin/text-embeddings-router", "--port", "81")), location=AT
    )
    found = resolve(ENGINE.read(launch).observations)
    assert found["serving.port"].value == 81
    bare = Launch(argv=(Token("text-embeddings-router", AT),), location=AT)
    assert resolve(ENGINE.read(bare).observations)["serving.port"].value == 3000


def test_flag_for() -> None:
    assert ENGINE.flag_for("runtime.max_num_batched_tokens", "1.9.3") == "--max-batch-tokens"
    assert ENGINE.flag_for("model.served_names", "1.9.3") == "--served-model-name"
    assert ENGINE.flag_for("model.served_names", "1.8.0") is None
    assert ENGINE.flag_for("model.trust_remote_code", "1.9.3") == "TRUST_REMOTE_CODE"
    assert ENGINE.flag_for("runtime.seed", None) is None
    assert ENGINE.flag_for(OTHER, "1.9.3") is None


def test_every_fact_of_the_first_milestone_is_stated_or_unsupported() -> None:
    found = facts()
    wanted = {key for key, fact in FACTS.items() if fact.milestone == 1 and key.startswith(("runtime.", "model."))}
    assert wanted - set(found) - set(ENGINE.unsupported) == set()
    assert not set(ENGINE.unsupported) & set(found)


def test_tables_name_known_facts() -> None:
    for flag in (*FLAGS, *VARIABLES):
        assert sum((bool(flag.fact), flag.spreads is not None, bool(flag.irrelevant))) == 1, flag.names
        assert not flag.fact or bool(flag.key) == FACTS[flag.fact].type.keyed, flag.names
    for tag in ("1.9.3", "cpu-1.7", "0.1.0", "hpu-1.7", "latest"):
        reading = ENGINE.read(launch_of(tag=tag))
        assert {need for rule in reading.rules for need in (rule.fact, *rule.needs, *rule.uses)} <= set(FACTS)
        for one in reading.observations:
            if not isinstance(one.value, Unknown) and one.value is not None and not one.key:
                assert FACTS[one.fact].type.parse(one.value) == one.value


def test_every_argument_of_every_release_is_in_the_table_for_that_release() -> None:
    for version in versions.releases("tei"):
        release = versions.load("tei", version)
        assert release is not None
        has = {name for name in release.arguments if name.startswith("--")}
        alive = {name for name, entry in table_of(version).names.items() if entry.alive and name.startswith("--")}
        # 0.6.0 was the only release without the argument.
        left = {"--cors-allow-origin"} if version == "0.6.0" else set()
        assert has == alive - {"--version", "--help"} - left, version
        assert {flag.env for flag in FLAGS if flag.names[0] in has} - {""} <= set(release.variables), version


def test_metrics_of_the_queue_stay_in_every_release() -> None:
    for version in versions.releases("tei"):
        release = versions.load("tei", version)
        assert release is not None
        assert {"te_queue_size", "te_request_count", "te_embed_duration", "te_batch_next_size"} <= set(release.metrics)


NAMES = sorted({name for flag in FLAGS for name in flag.names})
VALUES = st.one_of(st.text(max_size=12), st.sampled_from(["true", "1", "-1", "1e999", "nan", "9" * 400, "\ud800", "="]))


@given(
    st.lists(
        st.one_of(st.sampled_from(NAMES), st.builds("{}={}".format, st.sampled_from(NAMES), VALUES), VALUES),
        max_size=10,
    ),
    st.dictionaries(st.sampled_from(sorted({flag.env for flag in FLAGS if flag.env})), VALUES, max_size=6),
    st.sampled_from(["1.9.3", "cpu-1.7", "89-1.5.1-grpc", "latest", "9.9", "!!", ""]),
)
def test_nothing_that_is_written_raises(words: list[str], env: dict[str, str], tag: str) -> None:
    launch = Launch(
        argv=tuple(Token(word, AT) for word in ["text-embeddings-router", *words]),
        location=AT,
        image=Token(f"{IMAGE}:{tag}", AT),
        env={name: Variable(name, value, AT) for name, value in env.items()},
    )
    reading = ENGINE.read(launch)
    resolve(reading.observations, reading.rules)
