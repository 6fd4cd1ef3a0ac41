"""Reading launches of TorchServe and its files, and the silent changes of its releases."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.app.defaults import defaults
from askew.app.load import load
from askew.engines.interface import Reading
from askew.engines.settings import OTHER
from askew.engines.torchserve import properties
from askew.engines.torchserve.engine import ENGINE
from askew.engines.torchserve.flags import ARGUMENTS, SETTINGS
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
PATH = "/home/model-server/config.properties"


def reading(
    command: str = "",
    image: str = "pytorch/torchserve:0.12.0-cpu",
    *,
    env: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> Reading:
    return ENGINE.read(
        Launch(
            argv=tuple(Token(word, AT) for word in shlex.split(command)),
            location=AT,
            image=Token(image, AT) if image else None,
            implicit_entrypoint=bool(image),
            env={name: Variable(name, value, AT) for name, value in (env or {}).items()},
            files={path: Content(text, Location(path, line=1)) for path, text in (files or {}).items()},
        )
    )


def facts(
    command: str = "",
    image: str = "pytorch/torchserve:0.12.0-cpu",
    *,
    seen: tuple[Observation, ...] = (),
    env: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> dict[str, Resolved]:
    found = reading(command, image, env=env, files=files)
    return resolve((*found.observations, *seen), found.rules)


COMMAND = f"torchserve --start --ts-config {PATH}"


def with_file(text: str, command: str = COMMAND, **more: str) -> dict[str, Resolved]:
    return facts(command, files={PATH: text}, env=more)


def text_of(found: dict[str, Resolved], key: str) -> object:
    return found[OTHER].entries[key].value


@pytest.mark.parametrize(
    ("text", "fact", "value"),
    [
        ("inference_address=http://0.0.0.0:9000", "serving.port", 9000),
        ("inference_address=https://0.0.0.0:8443", "serving.tls", True),
        ("inference_address=http://host", "serving.port", 80),
        ("inference_address : HTTP://0.0.0.0:8080", "serving.protocol", "http"),
        ("inference_address=unix:/tmp/ts.sock", "serving.listen_host", "/tmp/ts.sock"),
        ("default_response_timeout=300", "serving.request_timeout", 300),
        ("", "serving.request_timeout", 120),
        ("max_request_size=65535000", "serving.max_body.bytes", 65535000),
        ("", "serving.max_body.bytes", 6553500),
        ("default_workers_per_model=4", "runtime.instances", 4),
        ("disable_token_authorization=TRUE", "serving.api_key_required", False),
        ("", "serving.api_key_required", True),
    ],
)
def test_a_setting_is_a_fact(text: str, fact: str, value: object) -> None:
    models = "load_models=a=a.mar\n"
    assert with_file(models + text)[fact].value == value


def test_of_the_queue_and_batches_each_is_an_entry() -> None:
    found = with_file("job_queue_size=50\nload_models=a.mar")
    assert found["serving.queue"].value == {"max_requests": 50}
    assert found["runtime.dynamic_batching"].value == {"max_batch_size": 1, "max_queue_delay_microseconds": 100_000}
    assert found["runtime.dynamic_batching"].entries["max_batch_size"].confidence == "likely"
    older = facts("torchserve --start", "pytorch/torchserve:0.7.1-cpu")
    assert older["runtime.dynamic_batching"].entries["max_batch_size"].confidence == "certain"


def test_the_published_image_brings_its_own_file_and_turns_authorization_off() -> None:
    found = facts()
    assert found["serving.listen_host"].value == "0.0.0.0"
    assert found["serving.queue"].value == {"max_requests": 1000}
    assert found["serving.api_key_required"].value is False
    assert "docker/config.properties" in str(found["serving.listen_host"].locations[0])
    assert facts("torchserve --start --foreground")["serving.api_key_required"].value is True


def test_models_as_people_name_them() -> None:
    found = facts("torchserve --start --model-store /m --models a=x.mar b=https://h/y.mar --disable-token-auth")
    assert found["model.served_names"].value == ["a", "b"]
    assert text_of(found, "--models") == "/m/x.mar, https://h/y.mar"
    assert found["serving.api_key_required"].value is False
    one = facts("torchserve --start --model-store /m --models fast-rcnn.mar")
    assert (one["model.served_names"].value, one["model.served_names"].confidence) == (["fast_rcnn"], "likely")
    assert one["model.source"].value == "/m/fast-rcnn.mar"
    assert facts("torchserve --start --models all")["model.served_names"].state == "unknown"
    assert facts("torchserve --start")["model.served_names"].state == "unknown"


def test_the_java_program_takes_the_same() -> None:
    found = facts(
        "java -Xmx4g -cp .:ts.jar org.pytorch.serve.ModelServer --python /usr/bin/python -s /m -m a=a.mar -ncs", ""
    )
    assert found["model.source"].value == "/m/a.mar"
    assert text_of(found, "--no-config-snapshots") == "true"


def test_models_in_json_have_the_place_of_each_value() -> None:
    models = 'models={\n  "a": {\n    "1.0": {\n      "minWorkers": 3,\n      "batchSize": 8\n    }\n  }\n}'
    text = "load_models=a=a.mar\n" + models.replace("\n", "\\\n")
    found = with_file(text)
    assert found["runtime.instances"].value == 3
    assert str(found["runtime.instances"].locations[0]) == f"{PATH}:5:21"
    assert found["runtime.dynamic_batching"].value["max_batch_size"] == 8  # type: ignore[index,call-overload]


def test_a_snapshot_decides_alone() -> None:
    numbers = '"minWorkers":2,"maxWorkers":5,"batchSize":4,"maxBatchDelay":50,"responseTimeout":60'
    snapshot = f'{{"name":"s.cfg","modelCount":1,"models":{{"m":{{"1.0":{{"marName":"m.mar",{numbers}}}}}}}}}'
    found = with_file(
        f"model_store=/mnt\nload_models=other.mar\ndefault_workers_per_model=9\nmodel_snapshot={snapshot}"
    )
    assert found["model.served_names"].value == ["m"]
    assert found["model.source"].value == "/mnt/m.mar"
    assert found["runtime.instances"].value == 2
    assert found["serving.request_timeout"].value == 60
    assert found["runtime.dynamic_batching"].value == {"max_batch_size": 4, "max_queue_delay_microseconds": 50_000}


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ('a=b\nmodels={"a": {\n', 2, 15, "models"),
        ('models={"a": {"1.0": {"minWorkers": "many"}}}', 1, 37, "minWorkers"),
        ("models=[1]", 1, 8, "expected"),
        ("job_queue_size=ten", 1, 16, "whole number"),
        ("job_queue_size=10 ", 1, 16, "blanks"),
        ("inference_address=0.0.0.0:8080", 1, 19, "http://HOST:PORT"),
        ("a=1\nb=\\u12", 2, 3, "hexadecimal"),
    ],
)
def test_what_the_server_would_not_start_with_is_unreadable_at_its_place(
    text: str, line: int, column: int, says: str
) -> None:
    found = reading(f"torchserve --start --ts-config {PATH}", files={PATH: text}).problems
    problem = next(one for one in found if one.kind == "unreadable")
    assert problem.suggestion
    assert says in problem.message
    assert (problem.locations[0].line, problem.locations[0].column) == (line, column)


def test_a_broken_file_is_an_input_error_and_the_rest_is_reported(tmp_path: Path) -> None:
    (tmp_path / "config.properties").write_text("inference_address=http://0.0.0.0:8080\njob_queue_size=1O0\n")
    target = load(str(tmp_path / "config.properties"), "target", Redactor())
    assert [(error.line, error.column) for error in target.errors] == [(2, 16)]
    assert target.snapshots[0].facts["serving.port"].value == 8080


def test_a_switch_that_java_reads_as_false_is_told() -> None:
    found = reading(f"torchserve --start --ts-config {PATH}", files={PATH: "install_py_dep_per_model=yes"})
    assert [(one.kind, one.suggestion) for one in found.problems] == [("invalid-value", "true")]


def test_variables_count_only_where_the_file_lets_them() -> None:
    enabled = with_file("enable_envvars_config=true\njob_queue_size=7", TS_JOB_QUEUE_SIZE="9")
    assert enabled["serving.queue"].value == {"max_requests": 9}
    assert with_file("job_queue_size=7", TS_JOB_QUEUE_SIZE="9")["serving.queue"].value == {"max_requests": 7}
    ignored = reading("torchserve --start", env={"TS_JOB_QUEUE_SIZE": "9"}).problems
    assert [(one.kind, one.argument) for one in ignored] == [("ignored-argument", "TS_JOB_QUEUE_SIZE")]
    # Above arguments too: setSystemVars runs after them.
    both = with_file(
        "enable_envvars_config=true",
        f"torchserve --start --ts-config {PATH} --models a=a.mar",
        TS_LOAD_MODELS="b=b.mar",
    )
    assert both["model.served_names"].value == ["b"]
    unseen = facts("torchserve --ts-config /mnt/c.properties", env={"TS_JOB_QUEUE_SIZE": "9"})
    assert unseen["serving.queue"].entries["max_requests"].state == "unknown"


def test_a_file_that_no_source_shows_leaves_its_settings_unknown() -> None:
    found = facts(
        "torchserve --start --model-store=/mnt/models/model-store --ts-config=/mnt/models/config/config.properties",
        "pytorch/torchserve-kfs:0.9.0",
    )
    for fact in ("serving.request_timeout", "serving.port", "runtime.instances", "model.served_names"):
        assert found[fact].state == "unknown"
        assert "/mnt/models/config/config.properties" in found[fact].reason


def test_kserves_image_listens_in_front() -> None:
    found = facts(
        f"torchserve --start --ts-config={PATH}",
        "pytorch/torchserve-kfs:0.9.0",
        files={PATH: "inference_address=http://0.0.0.0:8085"},
    )
    assert "serving.port" not in found
    assert text_of(found, "inference_address port") == "8085"


def test_workers_follow_gpus_then_processors() -> None:
    gpus = Observation(fact="hardware.gpu.count", value=2, origin="explicit")
    none = Observation(fact="hardware.gpu.count", value=0, origin="explicit")
    cores = Observation(fact="orchestration.resources.cpu", value={"limit": 3.5, "request": 1}, origin="explicit")
    command = "torchserve --start --models a=a.mar"
    assert facts(command, seen=(gpus, cores))["runtime.instances"].value == 2
    assert facts(command, seen=(none, cores))["runtime.instances"].value == 4
    assert facts(command, seen=(none,))["runtime.instances"].state == "unknown"
    assert facts(command)["runtime.instances"].state == "unknown"


MODEL = "/models/model-config.yaml"


def test_the_file_of_an_archive_wins_for_its_model() -> None:
    files = {
        PATH: "default_response_timeout=300\nload_models=a=a.mar\ndefault_workers_per_model=8",
        MODEL: "minWorkers: 1\nmaxWorkers: 2\nbatchSize: 16\nmaxBatchDelay: 20\n"
        "parallelType: tp\ntorchrun:\n  nproc-per-node: 4\n",
    }
    found = facts(f"torchserve --start --ts-config {PATH}", files=files)
    assert found["runtime.instances"].value == 1
    assert found["runtime.tensor_parallel_size"].value == 4
    assert found["runtime.dynamic_batching"].value == {"max_batch_size": 16, "max_queue_delay_microseconds": 20_000}
    # Without responseTimeout such an archive gets 120 seconds, whatever config.properties says.
    assert found["serving.request_timeout"].value == 120


def test_vllms_settings_in_an_archive_are_vllms_facts() -> None:
    text = (
        "handler:\n  vllm_engine_config:\n    max_num_seqs: 16\n    enable_lora: true\n"
        "    served_model_name:\n      - b\n      - a\n    tensor_parallel_size: 4\n"
    )
    found = facts("", "", files={MODEL: text})
    assert found["runtime.max_num_seqs"].value == 16
    assert found["runtime.max_num_seqs"].locations[0].line == 3
    assert found["runtime.lora.enabled"].value is True
    assert found["model.served_names"].value == ["a", "b"]
    assert found["runtime.tensor_parallel_size"].value == 4
    assert "serving.port" not in found  # the archive says nothing of the server


def test_a_value_of_the_wrong_type_is_ignored_as_the_server_does() -> None:
    found = reading("", "", files={MODEL: "batchSize: '8'\nminWorkers: 1\nmaxWorkers: 1\n"})
    assert [(one.kind, one.argument, one.locations[0].line) for one in found.problems] == [
        ("ignored-argument", "batchSize", 1)
    ]
    assert "batchSize" not in str([one.fact for one in found.observations])


@pytest.mark.parametrize(
    ("old", "new", "name", "was", "now"),
    [
        ("0.11.0", "0.11.1", "serving.api_key_required", False, True),
        ("0.11.0", "0.11.1", "enable_model_api", "true", "false"),
        ("0.7.1", "0.8.0", "metrics_mode", "prometheus", "log"),
    ],
)
def test_silent_changes(old: str, new: str, name: str, was: object, now: object) -> None:
    changes = {one.name: one for one in defaults("torchserve", old, new).changes if one.kind != "added"}
    assert (changes[name].old, changes[name].new) == (was, now)
    assert name not in {one.name for one in defaults("torchserve", new, new).changes}


def manifest(tag: str, config: str) -> str:
    lines = "".join(f"    {line}\n" for line in config.splitlines())
    return (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ts}\ndata:\n  config.properties: |\n" + lines + "---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ts}\nspec:\n  selector: {matchLabels: {a: b}}\n"
        "  template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n      - name: ts\n"
        f"        image: pytorch/torchserve:{tag}\n"
        "        args: [torchserve, --start, --ts-config=/config/config.properties]\n"
        "        volumeMounts: [{name: c, mountPath: /config}]\n      volumes: [{name: c, configMap: {name: ts}}]\n"
    )


def differing(tmp_path: Path, old: str, new: str) -> set[str]:
    found = []
    for name, text in (("old.yaml", old), ("new.yaml", new)):
        (tmp_path / name).write_text(text)
        (snapshot,) = load(str(tmp_path / name), "target", Redactor()).snapshots
        flat = {fact: one.value for fact, one in snapshot.facts.items() if not one.entries}
        flat.update(
            {f"{fact}[{key}]": e.value for fact, one in snapshot.facts.items() for key, e in one.entries.items()}
        )
        found.append(flat)
    return {key for key in found[0].keys() | found[1].keys() if found[0].get(key) != found[1].get(key)} - {
        "runtime.engine.version", "runtime.image.tag"
    }  # fmt: skip


def test_a_new_tag_alone_shows_what_changes_and_a_written_setting_what_does_not(tmp_path: Path) -> None:
    config = "inference_address=http://0.0.0.0:8080\nmodel_store=/m\nload_models=a=a.mar\n"
    found = differing(tmp_path, manifest("0.10.0-cpu", config), manifest("0.12.0-cpu", config))
    assert {"serving.api_key_required", f"{OTHER}[grpc_inference_address]", f"{OTHER}[enable_model_api]"} <= found
    assert "serving.request_timeout" not in found
    written = config + "disable_token_authorization=true\ngrpc_inference_address=0.0.0.0\nenable_model_api=true\n"
    found = differing(tmp_path, manifest("0.10.0-cpu", config), manifest("0.12.0-cpu", written))
    assert "serving.api_key_required" not in found
    assert f"{OTHER}[grpc_inference_address]" not in found
    assert f"{OTHER}[enable_model_api]" not in found


def test_spelled_out_defaults_and_order_make_no_difference(tmp_path: Path) -> None:
    plain = "load_models=a=a.mar\n"
    full = (
        "# c\ndefault_response_timeout : 120\nload_models a=a.mar\nmax_request_size=6553500\ngrpc_inference_port=7070\n"
    )
    assert differing(tmp_path, manifest("0.12.0-cpu", plain), manifest("0.12.0-cpu", full)) == set()


def test_loading_had_the_timeout_of_answers_before_it_had_its_own(tmp_path: Path) -> None:
    config = "load_models=a=a.mar\ndefault_response_timeout=600\n"
    assert f"{OTHER}[default_startup_timeout]" in differing(
        tmp_path, manifest("0.11.1-cpu", config), manifest("0.12.0-cpu", config)
    )
    written = config + "default_startup_timeout=600\n"
    found = differing(tmp_path, manifest("0.11.1-cpu", config), manifest("0.12.0-cpu", written))
    assert f"{OTHER}[default_startup_timeout]" not in found
    plain = "load_models=a=a.mar\n"
    found = differing(tmp_path, manifest("0.11.1-cpu", plain), manifest("0.12.0-cpu", plain))
    assert f"{OTHER}[default_startup_timeout]" not in found


def test_allowed_urls_need_a_switch_to_come_from_a_variable() -> None:
    text = "enable_envvars_config=true\n"
    for image, expected in (("0.8.2", "https://a"), ("0.12.0", "file://.*|http(s)?://.*")):
        found = facts(
            COMMAND, f"pytorch/torchserve:{image}-cpu", files={PATH: text}, env={"TS_ALLOWED_URLS": "https://a"}
        )
        assert text_of(found, "allowed_urls") == expected
    allowed = with_file(text + "use_env_allowed_urls=true\n", TS_ALLOWED_URLS="https://a")
    assert text_of(allowed, "allowed_urls") == "https://a"


# The law of the format: what is written by its rules is read back, whatever the characters.
_KEYS = st.text("abc.=: !#\\\t\u00e9", min_size=1, max_size=8)
_VALUES = st.text('xyz=: !#\\\t{}"\u00e9', max_size=12)


def _escaped(text: str, special: str) -> str:
    return "".join("\\t" if one == "\t" else "\\" + one if one in special else one for one in text)


@given(st.dictionaries(_KEYS, _VALUES, max_size=6), st.sampled_from(["=", ":", " ", " = ", "\t:\t"]))
def test_properties_that_were_written_are_read(entries: dict[str, str], sign: str) -> None:
    lines = []
    for key, value in entries.items():
        start = _escaped(value, "\\\\")
        if start[:1] in (" ", "=", ":"):
            start = "\\" + start
        lines.append(_escaped(key, "\\=: !#") + sign + start)
    found, read = properties.read("f", Content("\n".join(lines), Location("f", line=1)))
    assert read.problem is None
    assert {one.name: one.value for one in found} == entries


@given(st.text('a=:\\\n\r \t#!u0{}"', max_size=80))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    found, _ = properties.read("f", Content(text, Location("f", line=1)))
    assert all(len(one.places) == len(one.value) + 1 for one in found)


def test_settings_of_the_corpus_are_known(shared: Path) -> None:
    seen: Counter[bool] = Counter()
    strange: set[str] = set()
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("file") and "torchserve" in (entry.get("engines") or ()) and entry["file"].endswith(".properties"):
            text = (shared / "corpus" / entry["file"]).read_text(encoding="utf-8")
            found = reading("", "", files={"/config.properties": text})
            seen[True] += found.mapped
            seen[False] += len(found.unmapped)
            strange.update(found.unmapped)
    assert seen[True] > 100
    assert seen[False] / seen.total() <= 0.03, strange


def test_arguments_and_variables_of_the_corpus_are_known(shared: Path) -> None:
    names = {name for flag in ARGUMENTS for name in flag.names}
    seen = unknown = variables = 0
    strange: set[str] = set()
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if (
            not entry.get("file")
            or "torchserve" not in (entry.get("engines") or ())
            or not entry["file"].endswith(".yaml")
        ):
            continue
        for snapshot in load(str(shared / "corpus" / entry["file"]), "target", Redactor()).snapshots:
            if snapshot.engine is not None and snapshot.engine.name == "torchserve" and snapshot.launch is not None:
                found = ENGINE.read(snapshot.launch)
                seen += found.mapped
                unknown += len(found.unmapped)
                variables += found.variables
                strange.update((*found.strange, *found.unmapped))
    assert seen > 20
    assert not strange, (strange, names)
    assert unknown == 0


def test_the_startup_log_of_a_real_server_agrees(shared: Path) -> None:
    folder = shared / "recordings" / "torchserve-0.12.0"
    command = json.loads((folder / "command.json").read_text())
    log = (folder / "startup.log").read_text()
    printed = dict(re.findall(r"^([A-Z][\w .]+?): (.*)$", log, re.MULTILINE))
    # The file that was given is not among the recordings; what the log shows of it is written here.
    config = (
        "inference_address=http://127.0.0.1:18080\nmanagement_address=http://127.0.0.1:18081\n"
        "metrics_address=http://127.0.0.1:18082\nmetrics_mode=prometheus\ndefault_workers_per_model=1\n"
    )
    found = facts(
        shlex.join(command["cmd"]), "pytorch/torchserve:0.12.0-cpu", files={"/srv/engines/ts/config.properties": config}
    )
    agrees = {
        "Inference address": f"http://{found['serving.listen_host'].value}:{found['serving.port'].value}",
        "Management address": text_of(found, "management_address"),
        "Metrics address": text_of(found, "metrics_address"),
        "Netty threads": text_of(found, "number_of_netty_threads"),
        "Netty client threads": text_of(found, "netty_client_threads"),
        "Default workers per model": str(found["runtime.instances"].value),
        "Maximum Response Size": text_of(found, "max_response_size"),
        "Maximum Request Size": str(found["serving.max_body.bytes"].value),
        "Limit Maximum Image Pixels": text_of(found, "limit_max_image_pixels"),
        "Prefer direct buffer": text_of(found, "prefer_direct_buffer"),
        "Allowed Urls": f"[{text_of(found, 'allowed_urls')}]",
        "Custom python dependency for model allowed": text_of(found, "install_py_dep_per_model"),
        "Enable metrics API": text_of(found, "enable_metrics_api"),
        "Metrics mode": str(text_of(found, "metrics_mode")).upper(),
        "Disable system metrics": text_of(found, "disable_system_metrics"),
        "Model API enabled": text_of(found, "enable_model_api"),
        "Torchserve version": found["runtime.engine.version"].value,
    }
    assert agrees == {name: printed[name] for name in agrees}
    model = json.loads((folder / "model.http").read_text().partition("\n\n")[2])[0]
    assert found["model.served_names"].value == [model["modelName"]]
    assert found["model.source"].value == f"{printed['Model Store']}/{model['modelUrl']}"
    assert found["runtime.instances"].value == model["minWorkers"]
    assert found["runtime.dynamic_batching"].value == {
        "max_batch_size": model["batchSize"], "max_queue_delay_microseconds": model["maxBatchDelay"] * 1000,
    }  # fmt: skip


def test_it_is_found_by_its_forms() -> None:
    def name(words: str, image: str = "") -> str | None:
        at = Location("x")
        tokens = tuple(Token(word, at) for word in words.split())
        return registry.recognise(
            Launch(argv=tokens, location=at, image=Token(image, at) if image else None, implicit_entrypoint=bool(image))
        )

    assert name("torchserve --start") == name("", "pytorch/torchserve:latest") == "torchserve"
    assert name("java -Xmx1g org.pytorch.serve.ModelServer -f c") == "torchserve"
    assert name("", "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.3.0-gpu-py311") == "torchserve"
    assert name("torchserve --stop") is None
    assert (
        registry.engine_of_file("config.properties", text="load_models=all")
        == registry.engine_of_file("x.yaml", ("minWorkers", "maxWorkers"))
        == "torchserve"
    )
    assert {flag.names[0] for flag in SETTINGS}.isdisjoint({name for flag in ARGUMENTS for name in flag.names})
