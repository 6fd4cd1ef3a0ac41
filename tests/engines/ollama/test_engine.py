"""Reading launches of Ollama: variables, Modelfiles, and the defaults of its releases."""

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
from askew.app.pipeline import Options, diff
from askew.engines import versions
from askew.engines.ollama.engine import ENGINE
from askew.engines.ollama.flags import INERT, OTHERS, PARAMETERS, VARIABLES, address
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import FACTS
from askew.resolve.observation import Observation, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
IMAGE = "ollama/ollama:0.32.15"
MODELFILE = "/models/Modelfile"


def launch_of(
    env: Mapping[str, str] | None = None,
    image: str = IMAGE,
    command: str = "",
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


def facts(
    env: Mapping[str, str] | None = None, image: str = IMAGE, modelfile: str = "", seen: tuple[Observation, ...] = ()
) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(env, image, files={MODELFILE: modelfile} if modelfile else None))
    return resolve((*reading.observations, *seen), reading.rules)


@pytest.mark.parametrize(
    ("name", "word", "fact", "value"),
    [
        ("OLLAMA_NUM_PARALLEL", "4", "runtime.max_num_seqs", 4),
        ("OLLAMA_NUM_PARALLEL", ' "4" ', "runtime.max_num_seqs", 4),
        ("OLLAMA_CONTEXT_LENGTH", "8192", "runtime.max_model_len", 8192),
        ("OLLAMA_KV_CACHE_TYPE", "q8_0", "runtime.kv_cache.dtype", "q8_0"),
        ("OLLAMA_KV_CACHE_TYPE", "Q4_0", "runtime.kv_cache.value_dtype", "q4_0"),
        ("OLLAMA_FLASH_ATTENTION", "1", "runtime.attention_backend", "flash_attn"),
        ("OLLAMA_FLASH_ATTENTION", "false", "runtime.attention_backend", "native"),
        ("OLLAMA_FLASH_ATTENTION", "please", "runtime.attention_backend", "flash_attn"),
        ("OLLAMA_MAX_QUEUE", "16", "serving.queue", {"max_requests": 16}),
        ("OLLAMA_HOST", "0.0.0.0:8080", "serving.port", 8080),
        ("OLLAMA_KEEP_ALIVE", "24h", "runtime.env", "24h"),
        ("OLLAMA_MAX_LOADED_MODELS", "2", "runtime.env", "2"),
    ],
)
def test_variables(name: str, word: str, fact: str, value: object) -> None:
    found = facts({name: word})[fact]
    entry = found.entries.get(name, found) if fact == "runtime.env" else next(iter(found.entries.values()), found)
    assert (entry.value if fact == "runtime.env" else found.value) == value
    assert (entry.origin, entry.locations) == ("env", (AT,))


@pytest.mark.parametrize("name", ["OLLAMA_DEBUG", "OLLAMA_MODELS", "OLLAMA_ORIGINS", "OLLAMA_MODEL", "OLLAMA_BASE_URL"])
def test_what_changes_no_answer_is_no_environment(name: str) -> None:
    assert facts({name: "x"})["runtime.env"].value == {"OLLAMA_NUM_PARALLEL": "1"}


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("", "127.0.0.1", 11434),
        ("0.0.0.0", "0.0.0.0", 11434),
        ("0.0.0.0:8080", "0.0.0.0", 8080),
        (":8080", "", 8080),
        ("http://0.0.0.0", "0.0.0.0", 80),
        ("https://host", "host", 443),
        ("http://host:1/path", "host", 1),
        ("[::]:9", "::", 9),
        ("[::1]", "::1", 11434),
        ("::1", "::1", 11434),
        ("host:99999", "host", 11434),
        ('"0.0.0.0:81"', "0.0.0.0", 81),
    ],
)
def test_the_address_is_read_as_ollama_reads_it(text: str, host: str, port: int) -> None:
    assert {fact: value for fact, _, value in address((text,))} == {"serving.listen_host": host, "serving.port": port}


def test_zero_slots_and_zero_context_are_the_defaults() -> None:
    zero, none = facts({"OLLAMA_NUM_PARALLEL": "0", "OLLAMA_CONTEXT_LENGTH": "0"}), facts()
    for fact in ("runtime.max_num_seqs", "runtime.max_model_len"):
        assert (zero[fact].state, zero[fact].value) == (none[fact].state, none[fact].value)


@pytest.mark.parametrize(
    ("release", "fact", "value"),
    [
        ("0.5.0", "runtime.max_model_len", 2048),
        ("0.5.13", "runtime.max_model_len", 2048),
        ("0.9.0", "runtime.max_model_len", 4096),
        ("0.15.4", "runtime.max_model_len", 4096),
        ("0.11.0", "runtime.max_num_seqs", 1),
        ("0.9.0", "serving.queue", {"max_requests": 512}),
    ],
)
def test_defaults_by_release(release: str, fact: str, value: object) -> None:
    assert facts(image=f"ollama/ollama:{release}")[fact].value == value


def test_slots_were_decided_by_memory_before() -> None:
    assert facts(image="ollama/ollama:0.9.0")["runtime.max_num_seqs"].state == "unknown"


def test_repeat_penalty_changed_between_releases() -> None:
    def penalty(release: str) -> object:
        return facts(image=f"ollama/ollama:{release}")["runtime.sampling_defaults"].entries["repetition_penalty"].value

    assert (penalty("0.9.0"), penalty("0.32.15")) == (1.1, 1)


@pytest.mark.parametrize(
    ("gib", "count", "length"), [(16, 1, 4096), (24, 1, 32768), (80, 1, 262144), (24, 2, 262144), (0, 0, 4096)]
)
def test_newer_releases_size_the_context_by_memory(gib: int, count: int, length: int) -> None:
    seen = (
        Observation(fact="hardware.gpu.memory.bytes", value=gib << 30, origin="measured"),
        Observation(fact="hardware.gpu.count", value=count, origin="measured"),
    )
    found = facts(seen=seen)["runtime.max_model_len"]
    assert (found.value, found.confidence) == (length, "likely")
    trained = Observation(fact="model.context_length", value=8192, origin="measured")
    assert facts(seen=(*seen, trained))["runtime.max_model_len"].value == min(length, 8192)
    assert facts()["runtime.max_model_len"].state == "unknown"
    assert "GPU" in facts()["runtime.max_model_len"].reason


def test_each_slot_has_the_whole_length() -> None:
    found = facts({"OLLAMA_NUM_PARALLEL": "4", "OLLAMA_CONTEXT_LENGTH": "8192"})
    assert (found["runtime.max_model_len"].value, found["runtime.kv_cache.tokens"].value) == (8192, 32768)


def test_the_projects_image_listens_on_all_addresses() -> None:
    assert facts()["serving.listen_host"].value == "0.0.0.0"
    assert facts(image="registry.example/own/ollama:1")["serving.listen_host"].value == "127.0.0.1"
    assert facts(image="")["serving.port"].value == 11434


@pytest.mark.parametrize(
    ("env", "image", "kind", "says"),
    [
        ({"OLLAMA_NUM_PARALLEL": "many"}, IMAGE, "invalid-value", "digits only"),
        ({"OLLAMA_NUM_PARALLEL": "-1"}, IMAGE, "invalid-value", "digits only"),
        ({"OLLAMA_KV_CACHE_TYPE": "int8"}, IMAGE, "invalid-value", "expected f16"),
        ({"OLLAMA_CONTEXT_LENGTH": "8192"}, "ollama/ollama:0.5.4", "ignored-argument", "came with 0.5.13"),
        ({"OLLAMA_KV_CACHE_TYPE": "q8_0"}, "ollama/ollama:0.3.0", "ignored-argument", "came with 0.5.0"),
    ],
)
def test_what_is_refused_or_ignored_is_a_problem(env: dict[str, str], image: str, kind: str, says: str) -> None:
    (problem,) = ENGINE.read(launch_of(env, image)).problems
    assert (problem.kind, problem.locations) == (kind, (AT,))
    assert says in problem.message


def test_a_value_that_could_not_be_seen_is_unknown() -> None:
    launch = launch_of()
    env = {
        "OLLAMA_NUM_PARALLEL": Variable("OLLAMA_NUM_PARALLEL", None, AT, "from a Secret"),
        "OLLAMA_HOST": Variable("OLLAMA_HOST", None, AT, "from a Secret"),
    }
    reading = ENGINE.read(Launch(argv=launch.argv, location=AT, image=launch.image, implicit_entrypoint=True, env=env))
    found = resolve(reading.observations, reading.rules)
    for fact in ("runtime.max_num_seqs", "serving.port", "serving.listen_host"):
        assert (found[fact].state, found[fact].reason) == ("unknown", "from a Secret")


# -- Modelfiles ------------------------------------------------------------------------------------------------------

FULL = '''\
# a comment
FROM hf.co/org/model-GGUF:Q4_K_M
parameter num_ctx 16384
PARAMETER temperature 0.3
PARAMETER stop "<|end|>"
PARAMETER stop User:
PARAMETER num_gpu 99
PARAMETER num_predict -1
ADAPTER ./lora.gguf
TEMPLATE """{{ .System }}
{{ .Prompt }}"""
SYSTEM You answer briefly.
LICENSE MIT
'''


def test_a_modelfile_states_what_one_model_does() -> None:
    found = facts({"OLLAMA_CONTEXT_LENGTH": "4096"}, modelfile=FULL)
    assert found["model.id"].value == "hf.co/org/model-GGUF:Q4_K_M"
    assert found["model.source"].value == "hf://org/model-GGUF"
    length = found["runtime.max_model_len"]
    assert (length.value, length.origin, length.locations[0].line) == (16384, "config-file", 3)
    assert [one.value for one in length.shadowed] == [4096, *[one.value for one in length.shadowed[1:]]]
    sampling = found["runtime.sampling_defaults"].entries
    assert (sampling["temperature"].value, sampling["stop"].value) == (0.3, ["<|end|>", "User:"])
    assert sampling["top_k"].value == 40
    assert found["runtime.default_output_tokens"].value == "unlimited"
    assert found["model.lora_adapters"].value == [{"name": "./lora.gguf", "source": "./lora.gguf"}]
    assert found["model.chat_template.source"].value == "Modelfile"
    others = found["runtime.arguments.unmapped"].value
    assert isinstance(others, dict)
    assert others["TEMPLATE"] == "{{ .System }}\n{{ .Prompt }}"
    assert others["PARAMETER num_gpu"] == "99"
    assert others["SYSTEM"] == "You answer briefly."


@pytest.mark.parametrize(
    ("model", "source"),
    [
        ("llama3.2", "ollama://llama3.2"),
        ("./model.gguf", "./model.gguf"),
        ("/m/model.gguf", "/m/model.gguf"),
        ("huggingface.co/a/b", "hf://a/b"),
        ("registry.example/team/model:tag", "ollama://registry.example/team/model:tag"),
    ],
)
def test_where_a_model_comes_from(model: str, source: str) -> None:
    assert facts(modelfile=f"FROM {model}\n")["model.source"].value == source


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("FROM a\nPARAM num_ctx 1\n", 2, "is no command; expected one of FROM"),
        ("FROM a\n\nPARAMETER num_ctx\n", 3, "expected a name and a value"),
        ('FROM a\nSYSTEM """never\nclosed\n', 2, 'no closing """'),
        ("PARAMETER num_ctx 1\n", 1, "expected a line FROM"),
        ("FROM\n", 1, "expected a value after FROM"),
    ],
)
def test_a_malformed_modelfile_is_a_problem_at_its_line(text: str, line: int, says: str) -> None:
    reading = ENGINE.read(launch_of(files={MODELFILE: text}))
    (problem,) = reading.problems
    assert problem.kind == "unreadable"
    at = problem.locations[0]
    assert (at.source, at.line, at.column) == (MODELFILE, line, 1)
    assert "FROM llama3.2" in problem.suggestion
    assert says in problem.message
    assert resolve(reading.observations, reading.rules)["runtime.max_num_seqs"].value == 1


@pytest.mark.parametrize(("parameter", "kind"), [("num_ctx many", "invalid-value"), ("no_such 1", "unknown-argument")])
def test_parameters_that_ollama_refuses(parameter: str, kind: str) -> None:
    (problem,) = ENGINE.read(launch_of(files={MODELFILE: f"FROM a\nPARAMETER {parameter}\n"})).problems
    assert (problem.kind, problem.locations[0].line) == (kind, 2)


def test_of_several_modelfiles_none_speaks_for_the_server() -> None:
    reading = ENGINE.read(launch_of(files={"/a/Modelfile": "FROM a\n", "/b/x.modelfile": "FROM b\n"}))
    found = resolve(reading.observations, reading.rules)
    assert found["model.id"].state == "unknown"
    assert found["runtime.arguments.unmapped"].entries["Modelfile"].state == "unknown"


# -- recognition and the tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "image", "version"),
    [
        ("", "ollama/ollama:0.9.0", "0.9.0"),
        ("", "docker.io/ollama/ollama:0.32.15-rocm", "0.32.15"),
        ("", "ollama/ollama", None),
        ("", "ollama/ollama:latest", None),
        ("serve", "ollama/ollama:0.9.0", "0.9.0"),
        ("/bin/ollama serve", "registry.example/x:1.2.3", None),
    ],
)
def test_recognition_and_version(command: str, image: str, version: str | None) -> None:
    launch = launch_of(image=image, command=command, implicit="/" not in command)
    assert registry.recognise(launch) == "ollama"
    assert ENGINE.read(launch).version == version


@pytest.mark.parametrize("command", ["ollama run llama3.2", "ollama pull llama3.2", "ollama create m -f Modelfile"])
def test_clients_are_not_servers(command: str) -> None:
    launch = launch_of(command=command, implicit=False)
    assert registry.recognise(launch) is None
    assert all(one.fact.startswith("runtime.") for one in ENGINE.read(launch).observations)


def test_other_images_are_not_taken_for_it() -> None:
    for image in ("ghcr.io/open-webui/open-webui:ollama", "ghcr.io/nekomeowww/ollama-operator:1", "x/ollama-exporter"):
        assert registry.recognise(launch_of(image=image)) is None


def test_flag_for() -> None:
    assert ENGINE.flag_for("runtime.max_num_seqs", None) == "OLLAMA_NUM_PARALLEL"
    assert ENGINE.flag_for("runtime.max_model_len", "0.32.15") == "OLLAMA_CONTEXT_LENGTH"
    assert ENGINE.flag_for("runtime.max_model_len", "0.5.4") == "PARAMETER num_ctx"
    assert ENGINE.flag_for("runtime.kv_cache.dtype", "0.32.15") == "OLLAMA_KV_CACHE_TYPE"
    assert ENGINE.flag_for("runtime.tensor_parallel_size", None) is None


def test_every_fact_of_the_first_milestone_is_stated_or_unsupported() -> None:
    wanted = {key for key, fact in FACTS.items() if fact.milestone == 1 and key.startswith(("runtime.", "model."))}
    for found in (facts(), facts(image="ollama/ollama"), facts(image="ollama/ollama:0.1.39")):
        assert wanted - set(found) - set(ENGINE.unsupported) - {"runtime.arguments.unmapped", "runtime.env"} == set()
        assert not set(ENGINE.unsupported) & set(found)


def test_tables_and_rules_name_known_facts() -> None:
    for flag in (*VARIABLES, *PARAMETERS):
        assert bool(flag.fact) + bool(flag.spreads) == 1, flag.names
        assert not flag.fact or bool(flag.key) == FACTS[flag.fact].type.keyed, flag.names
    for release in ("0.1.39", "0.5.13", "0.32.15"):
        reading = ENGINE.read(launch_of(image=f"ollama/ollama:{release}"))
        assert {need for rule in reading.rules for need in (rule.fact, *rule.needs, *rule.uses)} <= set(FACTS)
        for one in reading.observations:
            if not isinstance(one.value, Unknown) and one.value is not None and not one.key:
                assert FACTS[one.fact].type.parse(one.value) == one.value
    assert set(ENGINE.unsupported) <= set(FACTS)


def test_every_variable_and_option_of_every_release_is_known() -> None:
    past = versions.history("ollama")
    assert past is not None
    assert len(past.releases) > 180
    expressed = {flag.names[0] for flag in VARIABLES}
    assert set(past.variables) == (set(past.variables) & (expressed | set(INERT) | OTHERS))
    assert set(past.arguments) - {flag.names[0] for flag in PARAMETERS} == {"image OLLAMA_HOST", "stop"}
    for flag in VARIABLES:
        first = past.releases[past.variables[flag.names[0]][0][0]]
        assert flag.since == ("" if first == past.releases[0] else first), flag.names


PIECES = st.sampled_from(
    ["FROM a", "PARAMETER num_ctx 1", 'SYSTEM """', '"""', "PARAMETER", "x", "# c", "", "²", "\ufeff"]
)
VALUES = st.one_of(
    st.text(max_size=12), st.sampled_from(["0", "-1", "1e9", "[::", "http://", ":", "9" * 400, "\ud800"])
)


@given(
    st.dictionaries(st.sampled_from([flag.names[0] for flag in VARIABLES]), VALUES, max_size=4),
    st.lists(VALUES, max_size=3),
    st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=8).map("\n".join)),
    st.sampled_from([IMAGE, "ollama/ollama", "!!"]),
)
def test_nothing_that_is_written_raises(env: dict[str, str], words: list[str], text: str, image: str) -> None:
    launch = Launch(
        argv=tuple(Token(word, AT) for word in ["ollama", "serve", *words]),
        location=AT,
        image=Token(image, AT),
        env={name: Variable(name, value, AT) for name, value in env.items()},
        files={MODELFILE: Content(text, Location(MODELFILE, line=1))},
    )
    reading = ENGINE.read(launch)
    resolve(reading.observations, reading.rules)


# -- real files ------------------------------------------------------------------------------------------------------


def test_variables_of_the_corpus_are_known(shared: Path) -> None:
    own = {flag.names[0] for flag in VARIABLES} | set(INERT) | OTHERS
    servers, unmapped = 0, 0
    known, unknown = 0, []
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if not entry.get("file") or "ollama" not in (entry.get("engines") or ()):
            continue
        path = shared / "corpus" / entry["file"]
        for snapshot in load(str(path), "target", Redactor()).snapshots:
            if snapshot.engine is None or snapshot.engine.name != "ollama" or snapshot.launch is None:
                continue
            reading = ENGINE.read(snapshot.launch)
            servers, unmapped = servers + 1, unmapped + len(reading.unmapped)
            names = [name for name in snapshot.launch.env if re.match(r"OLLAMA_|LLAMA_ARG_", name)]
            known += sum(name in own for name in names)
            unknown += [name for name in names if name not in own]
    assert servers >= 6
    assert unmapped == 0
    assert known >= 3
    assert len(unknown) <= 0.03 * (known + len(unknown)), unknown


def test_an_image_for_amd_says_so() -> None:
    assert facts(image="ollama/ollama:0.11.0-rocm")["hardware.gpu.vendor"].value == "amd"
    assert "hardware.gpu.vendor" not in facts(image="ollama/ollama:0.11.0")


def test_a_modelfile_is_a_source_by_itself(tmp_path: Path) -> None:
    for name, length in (("old", 4096), ("new", 8192)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Modelfile").write_text(f"FROM llama3.2\nPARAMETER num_ctx {length}\n", encoding="utf-8")
    report = diff(str(tmp_path / "old" / "Modelfile"), str(tmp_path / "new" / "Modelfile"), Options())
    (workload,) = report.workloads
    found = {one.facts[0]: one for one in workload.findings}
    one = found["runtime.max_model_len"]
    assert one.reference is not None and one.target is not None
    assert (one.reference.value, one.target.value) == (4096, 8192)
    at = one.target.locations[0]
    assert (at.source, at.line) == (str(tmp_path / "new" / "Modelfile"), 2)


def test_a_modelfile_that_cannot_be_read_is_an_error_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2\nPARAM num_ctx 1\n", encoding="utf-8")
    side = load(str(tmp_path / "Modelfile"), "target", Redactor())
    (error,) = side.errors
    assert (error.line, error.column) == (2, 1)
    assert "'PARAM' is no command; expected one of FROM" in error.message
    assert error.hint


def test_a_release_that_came_later_is_read_as_the_last_one_and_says_so() -> None:
    found = facts(image="ollama/ollama:99.0.0")
    last = facts(image="ollama/ollama:0.32.15")
    assert found["runtime.max_num_seqs"].value == last["runtime.max_num_seqs"].value == 1
    assert found["runtime.max_num_seqs"].confidence == "likely"
    assert any("99.0.0 is not in this build" in one for one in found["runtime.max_num_seqs"].because)
