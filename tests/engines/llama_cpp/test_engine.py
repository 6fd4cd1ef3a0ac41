"""Reading launches of llama.cpp's server and of llama-cpp-python's: arguments, variables, settings files, defaults."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.app.load import load
from askew.engines import versions
from askew.engines.llama_cpp import RECOGNITION
from askew.engines.llama_cpp.defaults import builds
from askew.engines.llama_cpp.engine import ENGINE
from askew.engines.llama_cpp.flags import flags, variables
from askew.engines.llama_cpp.python_flags import FLAGS as PYTHON
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import FACTS
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
NEWEST = "ghcr.io/ggml-org/llama.cpp:server-cuda-b11549"
PYTHON_IMAGE = "ghcr.io/abetlen/llama-cpp-python:v0.3.36"


def launch_of(
    command: str = "",
    env: Mapping[str, str] | None = None,
    image: str = NEWEST,
    *,
    implicit: bool = True,
    files: Mapping[str, str] | None = None,
) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if image else None,
        implicit_entrypoint=implicit,
        env={name: Variable(name, value, AT) for name, value in (env or {}).items()},
        files={path: Content(text, Location(path, line=1)) for path, text in (files or {}).items()},
    )


def facts(command: str = "", env: Mapping[str, str] | None = None, image: str = NEWEST) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(command, env, image))
    return resolve(reading.observations, reading.rules)


def python(command: str, env: Mapping[str, str] | None = None, **rest: Mapping[str, str]) -> dict[str, Resolved]:
    words = f"python3 -m llama_cpp.server {command}"
    reading = ENGINE.read(launch_of(words, env, PYTHON_IMAGE, implicit=False, **rest))
    return resolve(reading.observations, reading.rules)


@pytest.mark.parametrize(
    ("argument", "word", "variable", "fact", "value"),
    [
        ("-m", "/m/a.gguf", "LLAMA_ARG_MODEL", "model.id", "/m/a.gguf"),
        ("-m", "/m/a.gguf", "LLAMA_ARG_MODEL", "model.source", "/m/a.gguf"),
        ("-hf", "org/m:Q4_K_M", "LLAMA_ARG_HF_REPO", "model.id", "org/m:Q4_K_M"),
        ("-hf", "org/m:Q4_K_M", "LLAMA_ARG_HF_REPO", "model.source", "hf://org/m"),
        ("--alias", "a,b", "LLAMA_ARG_ALIAS", "model.served_names", ["a", "b"]),
        ("--ctx_size", "8192", "LLAMA_ARG_CTX_SIZE", "runtime.kv_cache.tokens", 8192),
        ("-np", "8", "LLAMA_ARG_N_PARALLEL", "runtime.max_num_seqs", 8),
        ("-b", "1024", "LLAMA_ARG_BATCH", "runtime.max_num_batched_tokens", 1024),
        ("-n", "512", "LLAMA_ARG_N_PREDICT", "runtime.default_output_tokens", 512),
        ("--n-predict", "-1", "LLAMA_ARG_N_PREDICT", "runtime.default_output_tokens", "unlimited"),
        ("-fa", "on", "LLAMA_ARG_FLASH_ATTN", "runtime.attention_backend", "flash_attn"),
        ("-ctk", "q8_0", "LLAMA_ARG_CACHE_TYPE_K", "runtime.kv_cache.key_dtype", "q8_0"),
        ("--cache-type-v", "bf16", "LLAMA_ARG_CACHE_TYPE_V", "runtime.kv_cache.value_dtype", "bfloat16"),
        ("-t", "16", "LLAMA_ARG_THREADS", "runtime.threads", 16),
        ("--reasoning-format", "none", "LLAMA_ARG_THINK", "runtime.reasoning_parser", "none"),
        ("--port", "9000", "LLAMA_ARG_PORT", "serving.port", 9000),
        ("--host", "127.0.0.1", "LLAMA_ARG_HOST", "serving.listen_host", "127.0.0.1"),
        ("--api-key", "redacted:0123456789abcdef", "LLAMA_API_KEY", "serving.api_key_required", True),
        ("--chat-template", "chatml", "LLAMA_ARG_CHAT_TEMPLATE", "model.chat_template.source", "chatml"),
        ("--pooling", "mean", "LLAMA_ARG_POOLING", "model.embedding.pooling", "mean"),
    ],
)
def test_an_argument_and_its_variable_say_the_same(
    argument: str, word: str, variable: str, fact: str, value: object
) -> None:
    assert facts(f"{argument} {word}")[fact].value == facts(env={variable: word})[fact].value == value


@pytest.mark.parametrize(
    ("command", "length"),
    [
        ("-c 8192", 8192),  # four slots that share one cache
        ("-c 8192 -np 4", 2048),
        ("-c 8192 -np 4 --kv-unified", 8192),
        ("-c 8192 -np 4 -kvu -no-kvu", 2048),
        ("-c 8192 -np -1", 8192),
        ("-c 4096 -np 3", 1536),  # 1365, rounded up
        ("-c 1000", 1024),
        ("-c 8192 --kv-unified-per-slot 2048", 2048),
    ],
)
def test_the_context_is_divided_by_the_slots_unless_they_share_it(command: str, length: int) -> None:
    assert facts(command)["runtime.max_model_len"].value == length


def test_without_a_build_a_size_is_only_stated_where_all_builds_agree() -> None:
    image = "ghcr.io/ggml-org/llama.cpp:server"
    assert facts("-c 8192 -np 4", image=image)["runtime.max_model_len"].value == 2048
    assert facts("-c 4096 -np 3", image=image)["runtime.max_model_len"].state == "unknown"
    assert facts("-c 8192", image=image)["runtime.max_num_seqs"].state == "unknown"
    assert facts("", image=image)["serving.port"].state == "unknown"
    assert facts("", image=image)["runtime.max_num_batched_tokens"].value == 2048


def test_a_context_of_zero_is_the_models_own() -> None:
    found = facts("-c 0", image="ghcr.io/ggml-org/llama.cpp:server-b9000")
    assert found["runtime.kv_cache.tokens"].state == found["runtime.max_model_len"].state == "unknown"
    assert facts("-c 0 -c 512")["runtime.max_model_len"].value == 512


def test_the_port_moved_between_two_builds() -> None:
    old, new = (facts("-m a.gguf", image=f"ghcr.io/ggml-org/llama.cpp:server-b{build}") for build in (11063, 11549))
    assert (old["serving.port"].value, new["serving.port"].value) == (8080, 9931)
    assert old["serving.port"].locations[0].source == "llama.cpp 8672 common/arg.cpp"
    between = facts("-m a.gguf", image="ghcr.io/ggml-org/llama.cpp:server-b11300")
    assert between["serving.port"].state == "unknown"  # the builds before and after it differ
    assert between["runtime.max_num_seqs"].value == 4
    assert between["runtime.max_num_seqs"].confidence == "likely"


def test_the_images_of_the_project_listen_on_all_addresses() -> None:
    assert facts()["serving.listen_host"].value == "0.0.0.0"
    own = "registry.example/llama-server:b11549"
    assert facts(image=own)["serving.listen_host"].value == "127.0.0.1"


def test_toggles_by_name_by_negation_and_by_variable() -> None:
    def slots(command: str = "", env: Mapping[str, str] | None = None) -> object:
        return facts(command, env)["runtime.arguments.unmapped"].entries["--slots"].value

    assert slots("--no-slots") == slots(env={"LLAMA_ARG_NO_ENDPOINT_SLOTS": "1"}) == "false"
    assert slots("--no-slots --slots") == "true"
    assert slots(env={"LLAMA_ARG_ENDPOINT_SLOTS": "off"}) == "false"
    assert facts("-nocb")["runtime.scheduler"].value == {"continuous_batching": False}
    assert facts(env={"LLAMA_ARG_NO_CONT_BATCHING": "1"})["runtime.scheduler"].value == {"continuous_batching": False}
    assert facts("--no-cache-prompt")["runtime.prefix_caching"].value is False
    assert "runtime.arguments.unmapped" not in facts(env={"LLAMA_ARG_ENDPOINT_METRICS": "no"})


def test_the_argument_wins_over_the_variable() -> None:
    found = facts("-c 4096", {"LLAMA_ARG_CTX_SIZE": "8192"})["runtime.kv_cache.tokens"]
    assert found.value == 4096
    assert [one.value for one in found.shadowed] == [8192]


def test_flash_attention_was_a_switch_once() -> None:
    assert facts("-fa -m a.gguf", image="x/llama.cpp:server")["runtime.attention_backend"].value == "flash_attn"
    assert facts("-fa auto")["runtime.attention_backend"].state == "unknown"
    reading = ENGINE.read(launch_of("-m a.gguf -fa"))
    assert [one.kind for one in reading.problems] == ["malformed"]


def test_sampling_rope_drafts_and_adapters() -> None:
    found = facts("--temp 0.2 --repeat-penalty 1.1 --rope-scaling yarn --rope-freq-base 1e6 -md d.gguf --lora a.gguf")
    assert found["runtime.sampling_defaults"].value["temperature"] == 0.2  # type: ignore[index, call-overload]
    assert found["runtime.sampling_defaults"].value["repetition_penalty"] == 1.1  # type: ignore[index, call-overload]
    assert found["runtime.rope_override"].value == {"type": "yarn", "theta": 1000000}
    assert found["runtime.speculative"].value == {"model": "d.gguf"}
    assert found["model.lora_adapters"].value == [{"name": "a.gguf", "source": "a.gguf"}]
    assert found["runtime.lora.enabled"].value is True


def test_keys_and_values_of_one_type_are_the_type_of_the_cache() -> None:
    assert facts("-ctk q8_0 -ctv q8_0")["runtime.kv_cache.dtype"].value == "q8_0"
    assert facts()["runtime.kv_cache.dtype"].value == "float16"
    assert facts("-ctk q8_0")["runtime.kv_cache.dtype"].state == "unknown"


@pytest.mark.parametrize(
    ("command", "kind", "says"),
    [
        ("--ctx-size=4096", "malformed", "the value must be the next word"),
        ("-c many", "invalid-value", "expected a whole number"),
        ("-ctk q9", "invalid-value", "expected one of f32"),
        ("--draft-max 8", "removed-argument", "gone since b9093 or earlier"),
        ("--no-such-thing", "unknown-argument", "has no argument"),
        ("-c", "malformed", "no value follows"),
        ("stray.gguf", "malformed", "stray word"),
    ],
)
def test_what_the_server_refuses_is_a_problem(command: str, kind: str, says: str) -> None:
    program = launch_of(f"llama-server {command}", implicit=False)
    found = ENGINE.read(program).problems
    assert [one.kind for one in found] == [kind]
    assert says in found[0].message
    assert found[0].locations[0] == AT


def test_an_argument_gone_long_ago_is_not_refused_where_the_build_is_not_known() -> None:
    reading = ENGINE.read(launch_of("--grp-attn-n 4 --draft-max 8 --mlock", image="x/llama.cpp:server"))
    assert (reading.problems, reading.unmapped) == ((), ())
    assert not ENGINE.read(launch_of("--grp-attn-n 4", image="x/llama.cpp:server-b4000")).problems


SYSTEM = """\
; for every program of this machine
version = 1
ctx-size = 4096   ; half of it is enough
[*]
LLAMA_ARG_N_PARALLEL = 2
no-cache-prompt = true
metrics = false
slots = false
unknown-to-the-server = 1
[small]
ctx-size = 512
"""


def test_the_file_of_the_machine_stands_below_variables() -> None:
    def read(text: str, command: str = "", image: str = NEWEST) -> dict[str, Resolved]:
        reading = ENGINE.read(launch_of(command, image=image, files={"/etc/llama.cpp/config.ini": text}))
        assert not reading.problems
        return resolve(reading.observations, reading.rules)

    found = read(SYSTEM)
    tokens = found["runtime.kv_cache.tokens"]
    assert (tokens.value, tokens.origin, tokens.locations[0].line) == (4096, "config-file", 3)
    assert (found["runtime.max_num_seqs"].value, found["runtime.max_model_len"].value) == (2, 2048)
    assert found["runtime.prefix_caching"].value is False
    assert found["runtime.arguments.unmapped"].value == {"--metrics": "true", "--slots": "false"}
    assert read(SYSTEM, "-c 1024")["runtime.kv_cache.tokens"].value == 1024
    assert read(SYSTEM, image="x/llama.cpp:server-b9873")["runtime.kv_cache.tokens"].state == "unknown"
    assert read(SYSTEM, image="x/llama.cpp:server")["runtime.kv_cache.tokens"].confidence == "likely"


def test_a_malformed_file_of_the_machine_is_a_problem_at_its_line() -> None:
    files = {"/etc/llama.cpp/config.ini": "ctx-size = 1\n[*\n"}
    (problem,) = ENGINE.read(launch_of("-m a.gguf", files=files)).problems
    assert (problem.kind, problem.locations[0].line) == ("unreadable", 2)
    assert "expected [section] or key = value" in problem.message


# -- llama-cpp-python ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "word", "fact", "value"),
    [
        ("model", "/m/a.gguf", "model.id", "/m/a.gguf"),
        ("model_alias", "llm", "model.served_names", ["llm"]),
        ("hf_model_repo_id", "org/m", "model.source", "hf://org/m"),
        ("n_ctx", "4096", "runtime.max_model_len", 4096),
        ("n_batch", "256", "runtime.max_num_batched_tokens", 256),
        ("flash_attn", "true", "runtime.attention_backend", "flash_attn"),
        ("type_k", "8", "runtime.kv_cache.key_dtype", "q8_0"),
        ("n_gpu_layers", "-1", "runtime.arguments.unmapped", {"--n_gpu_layers": "-1"}),
        ("chat_format", "chatml", "model.chat_template.source", "chatml"),
        ("port", "9000", "serving.port", 9000),
    ],
)
def test_settings_by_argument_variable_and_file(setting: str, word: str, fact: str, value: object) -> None:
    assert python(f"--{setting} {word}")[fact].value == value
    assert python("", {setting.upper(): word})[fact].value == value
    top = setting == "port"
    text = f"{setting}: {word}\n" if top else f"models:\n  - {setting}: {word}\n"
    assert python("--config_file /c.yaml", files={"/c.yaml": text})[fact].value == value


def test_defaults_of_the_python_server_are_its_own() -> None:
    found = python("--model a.gguf")
    assert (found["serving.port"].value, found["serving.listen_host"].value) == (8000, "localhost")
    assert (found["runtime.max_model_len"].value, found["runtime.max_num_seqs"].value) == (2048, 1)
    assert found["runtime.sampling_defaults"].value["repetition_penalty"] == 1.1  # type: ignore[index, call-overload]
    assert found["serving.port"].locations[0].source.startswith("llama.cpp 0.2.56 llama_cpp/server/settings.py")


def test_the_address_in_variables_wins_over_arguments() -> None:
    assert python("--port 1234", {"PORT": "9000"})["serving.port"].value == 9000
    assert python("--n_ctx 1024", {"N_CTX": "4096"})["runtime.max_model_len"].value == 1024


def test_a_settings_file_makes_arguments_ignored() -> None:
    text = json.dumps({"port": 8001, "models": [{"model": "a.gguf", "n_ctx": 1024}, {"model": "b.gguf"}]}, indent=1)
    words = "python -m llama_cpp.server --config_file c.json --n_ctx 4096"
    launch = launch_of(words, image=PYTHON_IMAGE, implicit=False, files={"/c.json": text})
    reading = ENGINE.read(launch)
    found = resolve(reading.observations, reading.rules)
    assert (found["model.id"].value, found["runtime.max_model_len"].value) == ("a.gguf", 1024)
    assert found["runtime.max_model_len"].origin == "engine-default"
    assert found["runtime.kv_cache.tokens"].origin == "config-file"
    assert [one.kind for one in reading.problems] == ["ignored-argument"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("models: [\n  {model: a", 2, "no valid YAML or JSON"),
        ("- a\n", 1, "expected a map"),
        ("port: 1\nmodels: 7\n", 2, "expected a map"),
        ("models:\n  - model: a\n  - 7\n", 3, "expected a map"),
    ],
)
def test_a_malformed_settings_file_is_a_problem_at_its_line(text: str, line: int, says: str) -> None:
    words = "python -m llama_cpp.server --config_file /c.yaml"
    launch = launch_of(words, image=PYTHON_IMAGE, implicit=False, files={"/c.yaml": text})
    (problem,) = ENGINE.read(launch).problems
    assert problem.kind == "unreadable" and "models:" in problem.suggestion
    assert says in problem.message
    assert problem.locations[0].line >= line
    assert problem.locations[0].source == "/c.yaml"


# -- recognition and the tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "image", "version"),
    [
        ("", "ghcr.io/ggml-org/llama.cpp:server-cuda-b4719", "b4719"),
        ("", "ghcr.io/ggerganov/llama.cpp:server", None),
        ("", "local/llama.cpp:server-cuda", None),
        ("--server -m a.gguf", "ghcr.io/ggml-org/llama.cpp:full-cuda-b5000", "b5000"),
        ("/app/llama-server -m a.gguf", "registry.example/x:1.2.3", None),
        ("./server -m models/a.gguf -c 512", "", None),
        ("python3 -m llama_cpp.server --model a", "", None),
        ("", "ghcr.io/abetlen/llama-cpp-python:v0.3.16", "0.3.16"),
        ("uvicorn --factory llama_cpp.server.app:create_app --host 0.0.0.0 --port 9000", "", None),
    ],
)
def test_recognition_and_version(command: str, image: str, version: str | None) -> None:
    launch = launch_of(command, image=image, implicit=not command or command.startswith("-"))
    assert registry.recognise(launch) == "llama.cpp"
    assert ENGINE.read(launch).version == version


@pytest.mark.parametrize(
    ("command", "image"),
    [
        ("", "ghcr.io/ggml-org/llama.cpp:light"),
        ("server --config x.yaml", ""),
        ("/app/server start", "registry.example/app:1"),
        ("llama-cli -m a.gguf", ""),
        ("", "ghcr.io/huggingface/text-generation-inference:3.3.7-llamacpp"),
    ],
)
def test_other_programs_are_not_taken_for_it(command: str, image: str) -> None:
    assert registry.recognise(launch_of(command, image=image, implicit=not command)) != "llama.cpp"


def test_everything_recognised_has_a_hint() -> None:
    for text in (
        "llama-server",
        "/app/tools.sh --server",
        "ghcr.io/abetlen/llama-cpp-python:v0.3.16",
        "./server -m a.gguf",
    ):
        assert any(hint in text for hint in RECOGNITION.hints)


def test_words_of_another_program_are_not_read_as_arguments() -> None:
    reading = ENGINE.read(launch_of("llama-quantize a.gguf b.gguf", implicit=False))
    assert all(one.fact in ("runtime.arguments.unmapped", "runtime.env") for one in reading.observations)


def test_flag_for() -> None:
    assert ENGINE.flag_for("runtime.max_model_len", "b11549") == "--ctx-size"
    assert ENGINE.flag_for("runtime.max_num_seqs", None) == "--parallel"
    assert ENGINE.flag_for("runtime.max_model_len", "0.3.36") == "--n_ctx"
    assert ENGINE.flag_for("runtime.sampling_defaults", "b11549") is None
    assert ENGINE.flag_for("runtime.gpu_memory_utilization", None) is None


def test_every_fact_of_the_first_milestone_is_stated_or_unsupported() -> None:
    wanted = {key for key, fact in FACTS.items() if fact.milestone == 1 and key.startswith(("runtime.", "model."))}
    for found in (facts("-m a.gguf"), facts("-m a.gguf", image="x/llama.cpp:server"), python("--model a.gguf")):
        assert wanted - set(found) - set(ENGINE.unsupported) - {"runtime.arguments.unmapped", "runtime.env"} == set()
        assert not set(ENGINE.unsupported) & set(found)


def test_tables_name_known_facts_and_each_argument_once() -> None:
    for table in (flags(), PYTHON):
        names: set[str] = set()
        for flag in table:
            assert bool(flag.fact) + bool(flag.spreads) + bool(flag.irrelevant) == 1, flag.names
            assert not flag.fact or flag.fact in FACTS
            for name in flag.names:
                assert name not in names, name
                names.add(name)
    assert set(ENGINE.unsupported) <= set(FACTS)


def test_every_argument_and_variable_of_every_release_is_known() -> None:
    known = {name for flag in (*flags(), *PYTHON) for name in flag.names}
    known |= {f"--no-{flag.names[0][2:]}" for flag in flags() if flag.takes == "toggle"}
    for release in versions.releases("llama.cpp"):
        data = versions.load("llama.cpp", release)
        assert data is not None
        given = {name for name in data.arguments if name.startswith("-")}
        assert given <= known, (release, given - known)
        spelled = set(data.variables) - {flag.env for flag in PYTHON}
        assert spelled <= set(variables()), (release, spelled - set(variables()))


def test_since_and_until_are_those_of_the_data() -> None:
    read = [(build, versions.load("llama.cpp", build)) for build in builds()]
    for flag in flags():
        if flag.takes == "switch" and flag.implies is False:
            continue
        names = set(flag.names)
        for build, data in read:
            assert data is not None
            present = any(names & {name, *one.names} for name, one in data.arguments.items())
            assert present == versions.has(flag.since, flag.until, build, builds()), (flag.names[0], build)


NAMES = sorted({name for flag in (*flags(), *PYTHON) for name in flag.names})
VALUES = st.one_of(
    st.text(max_size=12), st.sampled_from(["0", "-1", "auto", "on", "1e9", "q8_0", "a,b", "{}", "NaN", "9" * 30, "²"])
)


@given(
    st.lists(
        st.one_of(st.sampled_from(NAMES), st.builds("{}={}".format, st.sampled_from(NAMES), VALUES), VALUES), max_size=8
    ),
    st.dictionaries(st.sampled_from(sorted({*variables(), "N_CTX", "PORT", "CONFIG_FILE"})), VALUES, max_size=5),
    st.sampled_from([NEWEST, "ghcr.io/ggml-org/llama.cpp:server-b9000", "!!", PYTHON_IMAGE]),
    st.booleans(),
    st.text(max_size=40),
)
def test_nothing_that_is_written_raises(
    words: list[str], env: dict[str, str], image: str, python: bool, text: str
) -> None:
    program = ["python", "-m", "llama_cpp.server", "--config_file", "/c"] if python else ["llama-server"]
    launch = Launch(
        argv=tuple(Token(word, AT) for word in [*program, *words]),
        location=AT,
        image=Token(image, AT),
        env={name: Variable(name, value, AT) for name, value in env.items()},
        files={path: Content(text, Location(path, line=1)) for path in ("/c", "/etc/llama.cpp/config.ini")},
    )
    reading = ENGINE.read(launch)
    resolve(reading.observations, reading.rules)


# -- real files ------------------------------------------------------------------------------------------------------


def test_arguments_of_the_corpus_are_known(shared: Path) -> None:
    names = {name for flag in (*flags(), *PYTHON) for name in flag.names}
    names |= {f"--no-{name[2:]}" for flag in flags() if flag.takes == "toggle" for name in flag.names}
    mapped, launches = 0, 0
    unmapped: list[str] = []
    spelled: list[str] = []
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if not entry.get("file") or "llama.cpp" not in (entry.get("engines") or ()):
            continue
        path = shared / "corpus" / entry["file"]
        for snapshot in load(str(path), "target", Redactor()).snapshots:
            if snapshot.engine is not None and snapshot.engine.name == "llama.cpp" and snapshot.launch is not None:
                reading = ENGINE.read(snapshot.launch)
                launches, mapped, unmapped = launches + 1, mapped + reading.mapped, unmapped + list(reading.unmapped)
        text = path.read_text(encoding="utf-8")
        if "- ./llama-server" in text:  # templates that no platform reads
            spelled += re.findall(r'(?<=- )"?(--?[a-z][\w-]*)', text)
    assert launches >= 15
    assert len(unmapped) <= 0.03 * (mapped + len(unmapped)), unmapped
    unknown = [one for one in spelled if one.replace("_", "-") not in names]
    assert len(spelled) > 10
    assert len(unknown) <= 0.03 * len(spelled), unknown


def test_sampling_defaults_are_those_that_a_server_reported(shared: Path) -> None:
    (recording,) = (shared / "recordings").glob("llama.cpp-*/props.http")
    reported = json.loads(recording.read_text(encoding="utf-8").partition("\n\n")[2])["default_generation_settings"]
    own = {"repetition_penalty": "repeat_penalty"}
    stated = facts("-m a.gguf")["runtime.sampling_defaults"].value
    assert isinstance(stated, dict)
    for key, value in stated.items():
        assert reported["params"][own.get(key, key)] == pytest.approx(value, abs=1e-6), key
