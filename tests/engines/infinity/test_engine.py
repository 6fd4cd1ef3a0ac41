"""Reading launches of Infinity: arguments, variables, several models, and defaults by release."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.engines import versions
from askew.engines.infinity import RECOGNITION
from askew.engines.infinity.engine import ENGINE, _table
from askew.engines.infinity.flags import MODEL, OTHER, POOLING, SERVER, VARIABLES
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
ONE = "v2 --model-id BAAI/bge-small-en-v1.5"


def launch_of(command: str = ONE, env: Mapping[str, str] | None = None, tag: str = "0.0.77") -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(f"michaelf34/infinity:{tag}", AT) if tag else None,
        implicit_entrypoint=True,
        env={name: Variable(name, value, AT) for name, value in (env or {}).items()},
    )


def facts(
    command: str = ONE,
    env: Mapping[str, str] | None = None,
    tag: str = "0.0.77",
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
        ("--revision", "8f9d1c2", "model.revision", "8f9d1c2"),
        ("--served-model-name", "embed", "model.served_names", ["embed"]),
        ("--batch-size", "64", "runtime.max_num_seqs", 64),
        ("--dtype", "float16", "runtime.dtype", "float16"),
        ("--dtype", "int8", "runtime.quantization", "int8"),
        ("--pooling-method", "cls", POOLING, "cls"),
        ("--port", "8080", "serving.port", 8080),
        ("--host", "127.0.0.1", "serving.listen_host", "127.0.0.1"),
        ("--api-key", "redacted:0123456789abcdef", "serving.api_key_required", True),
    ],
)
def test_an_argument_and_its_variable_say_the_same(argument: str, word: str, fact: str, value: object) -> None:
    name = "INFINITY_" + argument[2:].replace("-", "_").upper()
    written, variable = facts(f"{ONE} {argument} {word}")[fact], facts(env={name: word})[fact]
    assert written.value == variable.value == value
    assert (written.origin, variable.origin) == ("explicit", "env")
    assert facts(env={name: word + ";"})[fact].value == value or argument in ("--port", "--host", "--api-key")


def test_the_argument_replaces_its_variable() -> None:
    found = facts(f"{ONE} --batch-size 8", {"INFINITY_BATCH_SIZE": "64;32"})
    assert found["runtime.max_num_seqs"].value == 8
    assert not ENGINE.read(launch_of(f"{ONE} --batch-size 8", {"INFINITY_BATCH_SIZE": "64;32"})).problems


@pytest.mark.parametrize(
    ("command", "env", "value"),
    [
        ("", {}, True),
        ("--trust-remote-code", {}, True),
        ("--no-trust-remote-code", {}, False),
        ("", {"INFINITY_TRUST_REMOTE_CODE": "false"}, False),
        ("", {"INFINITY_TRUST_REMOTE_CODE": "1;"}, True),
        ("--no-trust-remote-code", {"INFINITY_TRUST_REMOTE_CODE": "true"}, False),
    ],
)
def test_remote_code_is_trusted_unless_somebody_says_no(command: str, env: dict[str, str], value: bool) -> None:
    assert facts(f"{ONE} {command}", env)["model.trust_remote_code"].value is value


TWO = "v2 --model-id a/b --model-id c/d/e"


def test_two_models_that_agree_have_one_value() -> None:
    found = facts(f"{TWO} --batch-size 16 --dtype float16 --dtype float16")
    assert found["runtime.max_num_seqs"].value == 16
    assert found["runtime.dtype"].value == "float16"
    assert found["model.served_names"].value == ["a/b", "d/e"]
    assert (found["model.id"].state, found["model.id"].reason) == ("unknown", "2 models in one server")
    assert other(found, "--model-id of model 2") == "c/d/e"


def test_two_models_that_differ_are_kept_apart() -> None:
    found = facts(f"{TWO} --batch-size 16 --batch-size 32 --served-model-name x --served-model-name y")
    assert found["runtime.max_num_seqs"].state == "unknown"
    assert "differ in --batch-size" in found["runtime.max_num_seqs"].reason
    assert (other(found, "--batch-size of model 1"), other(found, "--batch-size of model 2")) == ("16", "32")
    assert found["model.served_names"].value == ["x", "y"]


def test_variables_hold_a_list() -> None:
    env = {"INFINITY_MODEL_ID": "a/b;c/d;", "INFINITY_BATCH_SIZE": "8;4;", "INFINITY_MODEL_WARMUP": "true;false"}
    found = facts("v2", env)
    assert found["model.served_names"].value == ["a/b", "c/d"]
    assert other(found, "--batch-size of model 2") == "4"
    assert other(found, "--model-warmup of model 2") == "false"
    assert found["runtime.warmup"].state == "unknown"


@pytest.mark.parametrize(
    "command", [f"{TWO} --batch-size 1 --batch-size 2 --batch-size 3", f"{ONE} --dtype int8 --dtype fp8"]
)
def test_as_many_values_as_models_or_one(command: str) -> None:
    problems = ENGINE.read(launch_of(command)).problems
    assert [one.kind for one in problems] == ["invalid-value"]
    assert "expected one, or one for each" in problems[0].message


@pytest.mark.parametrize(
    ("tag", "known", "value"),
    [
        ("0.0.11", {"hardware.gpu.model": ["a100-80gb-sxm"]}, "float32"),
        ("0.0.12", {"hardware.gpu.model": ["a100-80gb-sxm"]}, "float16"),
        ("0.0.67", {"hardware.gpu.model": ["a100-80gb-sxm"]}, "float16"),
        ("0.0.68", {"hardware.gpu.model": ["a100-80gb-sxm"]}, "bfloat16"),
        ("0.0.77", {"hardware.gpu.model": ["t4"]}, None),
        ("0.0.77", {"hardware.gpu.count": 0}, "float32"),
        ("0.0.77", {}, None),
        ("latest", {"hardware.gpu.model": ["a100-80gb-sxm"]}, None),
    ],
)
def test_the_dtype_follows_release_and_device(tag: str, known: dict[str, Value], value: str | None) -> None:
    assert facts(tag=tag, known=known)["runtime.dtype"].value == value


def test_the_dtype_follows_what_is_asked_for() -> None:
    assert facts(f"{ONE} --device cpu")["runtime.dtype"].value == "float32"
    assert facts(f"{ONE} --dtype auto --device cpu")["runtime.dtype"].value == "float32"
    assert facts(f"{ONE} --engine optimum --device cpu")["runtime.dtype"].state == "unknown"
    assert facts(f"{ONE} --dtype bfloat16", tag="0.0.50")["runtime.dtype"].value == "bfloat16"


@pytest.mark.parametrize(
    ("tag", "fact", "value"),
    [
        ("0.0.26", "runtime.max_num_seqs", 64),
        ("0.0.28", "runtime.max_num_seqs", 32),
        ("0.0.77", "runtime.max_num_seqs", 32),
        ("0.0.77", "serving.port", 7997),
        ("0.0.77", "serving.listen_host", "0.0.0.0"),
        ("0.0.77", "runtime.warmup", True),
        ("0.0.77", "runtime.quantization", "none"),
    ],
)
def test_defaults_of_a_release(tag: str, fact: str, value: Value) -> None:
    found = facts(tag=tag)[fact]
    assert (found.value, found.origin) == (value, "engine-default")


def test_the_queue_and_the_inputs_of_a_request() -> None:
    assert facts()["serving.queue"].value == {"max_requests": 32000}
    assert facts(env={"INFINITY_QUEUE_SIZE": "100"})["serving.queue"].value == {"max_requests": 100}
    assert other(facts(), "INFINITY_MAX_CLIENT_BATCH_SIZE") == "2048"
    assert other(facts(tag="0.0.71"), "INFINITY_MAX_CLIENT_BATCH_SIZE") is None


def test_a_release_that_is_not_known_is_read_as_the_nearest() -> None:
    found = facts(tag="0.0.99")["runtime.max_num_seqs"]
    assert (found.value, found.confidence) == (32, "likely")


def test_of_no_release_only_what_never_changed_is_said() -> None:
    found = facts(tag="latest")
    assert (found["serving.port"].value, found["serving.listen_host"].value) == (7997, "0.0.0.0")
    trusts = found["model.trust_remote_code"]
    assert (trusts.value, trusts.confidence) == (True, "likely")
    assert found["runtime.max_num_seqs"].state == "unknown"
    assert facts(f"{ONE} --no-trust-remote-code", tag="latest")["model.trust_remote_code"].value is False


def test_names_and_sources() -> None:
    found = facts("v2 --model-id models/org/m")
    assert found["model.served_names"].value == ["org/m"]
    assert facts("v2 --model-id /data/m")["model.revision"].state == "absent"
    assert facts()["model.revision"].state == "unknown"
    assert facts()["model.source"].value == "hf://BAAI/bge-small-en-v1.5"


@pytest.mark.parametrize(
    ("command", "kind", "suggestion"),
    [
        (f"{ONE} --batch-size many", "invalid-value", ""),
        (f"{ONE} --dtype half", "invalid-value", ""),
        (f"{ONE} --pooling-method last", "invalid-value", ""),
        (f"{ONE} --batchsize 3", "unknown-argument", "--batch-size"),
        (f"{ONE} --model-warmup=false", "invalid-value", "--no-model-warmup"),
        (f"{ONE} stray", "malformed", ""),
    ],
)
def test_what_the_command_refuses_is_a_problem(command: str, kind: str, suggestion: str) -> None:
    problems = ENGINE.read(launch_of(command)).problems
    assert [one.kind for one in problems] == [kind]
    assert not suggestion or problems[0].suggestion == suggestion


@pytest.mark.parametrize(
    "words",
    [
        "infinity_emb v2 --model-id a/b --port 81",
        "/app/.venv/bin/infinity_emb v2 --model-id a/b --port 81",
        "infinity_emb v1 --model-name-or-path a/b --port 81",
        "infinity_emb --model-id a/b --port 81",
        "python3 -m infinity_emb v2 --model-id a/b --port 81",
    ],
)
def test_ways_to_start_it(words: str) -> None:
    assert any(re.match(pattern, words) for pattern in RECOGNITION.programs)
    found = resolve(
        ENGINE.read(Launch(argv=tuple(Token(word, AT) for word in words.split()), location=AT)).observations
    )
    assert (found["model.id"].value, found["serving.port"].value) == ("a/b", 81)


def test_a_shell_is_not_read_as_arguments() -> None:
    reading = ENGINE.read(launch_of("bash -c ls"))
    assert "serving.port" not in {one.fact for one in reading.observations}


@pytest.mark.parametrize(
    ("image", "taken"),
    [
        ("michaelf34/infinity:0.0.77", True),
        ("docker.io/michaelf34/infinity:latest-cpu", True),
        ("x/infinity-game:1", False),
    ],
)
def test_which_images_are_infinity(image: str, taken: bool) -> None:
    assert any(re.search(pattern, image) for pattern in RECOGNITION.images) is taken


def test_flag_for() -> None:
    assert ENGINE.flag_for("runtime.max_num_seqs", "0.0.77") == "--batch-size"
    assert ENGINE.flag_for("runtime.dtype", "0.0.77") == "--dtype"
    assert ENGINE.flag_for("model.source", None) == "--model-id"
    assert ENGINE.flag_for(OTHER, None) is None
    assert ENGINE.flag_for("runtime.seed", None) is None


def test_every_fact_of_the_first_milestone_is_stated_or_unsupported() -> None:
    found = facts()
    wanted = {key for key, fact in FACTS.items() if fact.milestone == 1 and key.startswith(("runtime.", "model."))}
    assert wanted - set(found) - set(ENGINE.unsupported) == set()
    assert not set(ENGINE.unsupported) & set(found)


def test_tables_name_known_facts() -> None:
    for flag in (*MODEL, *SERVER, *VARIABLES):
        assert sum((bool(flag.fact), flag.spreads is not None, bool(flag.irrelevant))) == 1, flag.names
        assert not flag.fact or bool(flag.key) == FACTS[flag.fact].type.keyed, flag.names
    for tag in ("0.0.77", "0.0.4", "latest"):
        for one in ENGINE.read(launch_of(tag=tag)).observations:
            if not isinstance(one.value, Unknown) and one.value is not None and not one.key:
                assert FACTS[one.fact].type.parse(one.value) == one.value


def test_every_argument_of_every_release_is_in_the_table_for_that_release() -> None:
    for version in versions.releases("infinity"):
        release = versions.load("infinity", version)
        assert release is not None
        has = {name.replace("--model-name-or-path", "--model-id") for name in release.arguments}
        names = _table(version).names
        alive = {entry.flag.names[0] for name, entry in names.items() if entry.alive and name.startswith("--")}
        assert has == alive - {"--help", "--install-completion", "--show-completion"}, version


NAMES = sorted({name for flag in (*MODEL, *SERVER) for name in flag.names})
VALUES = st.one_of(st.text(max_size=12), st.sampled_from(["true", ";", ";;a", "-1", "9" * 400, "\ud800", "=", "auto"]))


@given(
    st.lists(
        st.one_of(st.sampled_from(NAMES), st.builds("{}={}".format, st.sampled_from(NAMES), VALUES), VALUES),
        max_size=10,
    ),
    st.dictionaries(
        st.sampled_from(sorted({flag.env for flag in (*MODEL, *SERVER) if flag.env} | {"INFINITY_QUEUE_SIZE"})),
        st.one_of(VALUES, st.just("x;" * 200)),
        max_size=6,
    ),
    st.sampled_from(["0.0.77", "0.0.20", "latest", "9.9.9", "!!"]),
)
def test_nothing_that_is_written_raises(words: list[str], env: dict[str, str], tag: str) -> None:
    launch = Launch(
        argv=tuple(Token(word, AT) for word in ["infinity_emb", "v2", *words]),
        location=AT,
        image=Token(f"michaelf34/infinity:{tag}", AT),
        env={name: Variable(name, value, AT) for name, value in env.items()},
    )
    reading = ENGINE.read(launch)
    resolve(reading.observations, reading.rules)


@given(st.lists(st.sampled_from(["1", "8", "64"]), min_size=1, max_size=4))
def test_arguments_and_a_list_in_a_variable_mean_the_same(sizes: list[str]) -> None:
    ids = [f"org/m{place}" for place in range(len(sizes))]
    words = [part for one in ids for part in ("--model-id", one)] + [p for one in sizes for p in ("--batch-size", one)]
    written = facts("v2 " + " ".join(words))
    held = facts("v2", {"INFINITY_MODEL_ID": ";".join(ids), "INFINITY_BATCH_SIZE": ";".join(sizes) + ";"})
    for fact in ("runtime.max_num_seqs", "model.served_names", OTHER, "model.id"):
        assert (written[fact].state, written[fact].value) == (held[fact].state, held[fact].value)
