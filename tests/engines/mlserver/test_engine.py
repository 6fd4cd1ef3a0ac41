"""Reading launches of MLServer and its files, and the silent changes of its releases."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from askew.app import registry
from askew.app.defaults import defaults
from askew.app.load import load
from askew.engines import versions
from askew.engines.mlserver.engine import ENGINE
from askew.engines.mlserver.flags import OF_MODEL, SERVER
from askew.engines.settings import OTHER
from askew.evidence.redaction import Redactor
from tests.engines.files import differing, entry, facts, launch

IMAGE = "seldonio/mlserver:1.7.1"
SERVER_FILE, MODEL_FILE = "/mnt/models/settings.json", "/mnt/models/iris/model-settings.json"
START = "mlserver start /mnt/models"


@pytest.mark.parametrize(
    ("name", "value", "fact", "expected"),
    [
        ("MLSERVER_HTTP_PORT", "9000", "serving.port", 9000),
        ("mlserver_http_port", "9000", "serving.port", 9000),
        ("MLSERVER_HOST", "127.0.0.1", "serving.listen_host", "127.0.0.1"),
        ("MLSERVER_PARALLEL_WORKERS", "4", "runtime.instances", 4),
        ("MLSERVER_PARALLEL_WORKERS", "0", "runtime.instances", 1),
        ("MLSERVER_MODEL_NAME", "iris", "model.served_names", ["iris"]),
        ("MLSERVER_MODEL_URI", "/mnt/m", "model.source", "/mnt/m"),
        ("MLSERVER_MODEL_VERSION", "v2", "model.revision", "v2"),
        ("MLSERVER_MODEL_MAX_BATCH_TIME", "0.5", "runtime.dynamic_batching[max_queue_delay_microseconds]", 500_000),
        ("MLSERVER_MODEL_HUGGINGFACE_PRETRAINED_MODEL", "gpt2", "model.source", "hf://gpt2"),
        ("MLSERVER_MODEL_HUGGINGFACE_TASK", "text-generation", f"{OTHER}[model-settings:task]", "text-generation"),
        ("MLSERVER_GZIP_ENABLED", "0", f"{OTHER}[gzip_enabled]", "false"),
    ],
)
def test_a_variable_is_a_fact(name: str, value: str, fact: str, expected: object) -> None:
    found = facts(ENGINE, START, IMAGE, env={name: value})
    key = re.search(r"\[(.*)\]$", fact)
    assert (entry(found, fact.partition("[")[0], key[1]) if key else found[fact].value) == expected


def test_a_file_wins_over_variables() -> None:
    files = {SERVER_FILE: '{\n  "http_port": 1234,\n  "parallel_workers": 3\n}'}
    found = facts(ENGINE, START, IMAGE, env={"MLSERVER_HTTP_PORT": "9000"}, files=files)
    assert found["serving.port"].value == 1234
    assert (found["serving.port"].locations[0].line, found["serving.port"].locations[0].column) == (2, 16)
    assert found["runtime.instances"].value == 3


def test_a_model_as_its_file_describes_it() -> None:
    text = json.dumps(
        {
            "name": "iris", "implementation": "mlserver_sklearn.SKLearnModel", "max_batch_size": 32,
            "max_batch_time": 0.1, "parameters": {"uri": "./m.joblib", "version": "v1", "extra": {"a": {"b": 1}}},
        }
    )  # fmt: skip
    found = facts(ENGINE, START, IMAGE, files={MODEL_FILE: text})
    assert found["model.served_names"].value == ["iris"]
    assert found["model.revision"].value == "v1"
    assert found["runtime.dynamic_batching"].value == {
        "max_batch_size": 32, "max_queue_delay_microseconds": 100_000,
    }  # fmt: skip
    assert entry(found, OTHER, "model-settings:parameters.extra.a.b") == "1"
    unnamed = facts(ENGINE, START, IMAGE, files={MODEL_FILE: '{"implementation": "a.B"}'})
    assert unnamed["model.served_names"].value == ["iris"]  # its folder


def test_what_a_hugging_face_model_is() -> None:
    text = '{"implementation": "mlserver_huggingface.HuggingFaceRuntime", "parameters": {"extra": {"task": "t", \
"pretrained_model": "org/m", "pretrained_tokenizer": "org/t"}}}'
    found = facts(ENGINE, START, IMAGE, files={MODEL_FILE: text})
    assert (found["model.id"].value, found["model.source"].value) == ("org/m", "hf://org/m")
    assert found["model.tokenizer.source"].value == "hf://org/t"


def test_several_models_are_told_apart() -> None:
    files = {
        f"/m/{name}/model-settings.json": json.dumps({"implementation": "a.B", "max_batch_size": 2}) for name in "ab"
    }
    found = facts(ENGINE, START, IMAGE, files=files)
    assert entry(found, OTHER, "a:max_batch_size") == entry(found, OTHER, "b:max_batch_size") == "2"


def test_where_no_file_is_shown_the_model_is_unknown() -> None:
    found = facts(ENGINE, START, IMAGE)
    assert found["model.served_names"].state == "unknown"
    assert "model-settings.json" in found["model.served_names"].reason
    assert found["runtime.dynamic_batching"].entries["max_batch_size"].confidence == "likely"
    assert entry(found, OTHER, "model_repository_root") == "/mnt/models"


@pytest.mark.parametrize(
    ("path", "text", "line", "column"),
    [
        (SERVER_FILE, '{\n "http_port": "eighty"\n}', 2, 15),
        (SERVER_FILE, '{\n "http_port": 80,,\n}', 2, 18),
        (SERVER_FILE, "[1]", 1, 1),
        (MODEL_FILE, '{\n "max_batch_size": "many"}', 2, 20),
    ],
)
def test_a_broken_file_is_unreadable_at_its_place(path: str, text: str, line: int, column: int) -> None:
    problems = ENGINE.read(launch(START, IMAGE, files={path: text})).problems
    problem = next(one for one in problems if one.kind == "unreadable")
    assert problem.suggestion
    assert (problem.locations[0].line, problem.locations[0].column) == (line, column)


def test_a_version_at_the_top_is_ignored() -> None:
    problems = ENGINE.read(
        launch(START, IMAGE, files={MODEL_FILE: '{"version": "v1", "implementation": "a.B"}'})
    ).problems
    assert [(one.kind, one.suggestion) for one in problems] == [("ignored-argument", "parameters.version")]


def test_files_alone_are_sources(tmp_path: Path) -> None:
    (tmp_path / "model-settings.json").write_text('{"name": "iris", "implementation": "a.B"}')
    (snapshot,) = load(str(tmp_path / "model-settings.json"), "target", Redactor()).snapshots
    assert snapshot.facts["model.served_names"].value == ["iris"]
    assert "serving.port" not in snapshot.facts
    (tmp_path / "settings.json").write_text('{"http_port": 81, "grpc_port": 82}')
    (snapshot,) = load(str(tmp_path / "settings.json"), "target", Redactor()).snapshots
    assert snapshot.facts["serving.port"].value == 81
    assert registry.engine_of_file("settings.json", ("editor.tabSize",)) is None


@pytest.mark.parametrize(
    ("old", "new", "name", "was", "now"),
    [
        ("1.0.1", "1.1.0", "parallel_workers", 4, 1),
        ("1.0.1", "1.1.0", "metrics_port", "that of HTTP", "8082"),
        ("1.0.1", "1.1.0", "gzip_enabled", "false", "true"),
    ],
)
def test_silent_changes(old: str, new: str, name: str, was: object, now: object) -> None:
    changes = {one.name: one for one in defaults("mlserver", old, new).changes if one.kind != "added"}
    assert (changes[name].old, changes[name].new) == (was, now)


def test_what_only_came_as_a_setting_is_no_change() -> None:
    assert not [one for one in defaults("mlserver", "1.5.0", "1.6.0").changes if one.kind != "added"]


def manifest(tag: str, *env: str) -> str:
    listed = "".join(
        f"        - {{name: {name}, value: '{value}'}}\n" for name, _, value in (e.partition("=") for e in env)
    )
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: m}\nspec:\n  selector: {matchLabels: {a: b}}\n"
        "  template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n      - name: m\n"
        f"        image: seldonio/mlserver:{tag}\n        env:\n{listed}"
    )


def test_a_new_tag_alone_shows_what_changes_and_a_written_setting_what_does_not(tmp_path: Path) -> None:
    found = differing(tmp_path, manifest("1.0.1", "A=b"), manifest("1.7.1", "A=b"))
    assert {"runtime.instances", f"{OTHER}[metrics_port]", f"{OTHER}[gzip_enabled]"} <= found
    assert "serving.port" not in found
    written = differing(tmp_path, manifest("1.0.1", "A=b"), manifest("1.7.1", "A=b", "MLSERVER_PARALLEL_WORKERS=4"))
    assert "runtime.instances" not in written
    same = differing(tmp_path, manifest("1.7.1"), manifest("1.7.1", "MLSERVER_HTTP_PORT=8080", "MLSERVER_DEBUG=True"))
    assert same == set()


def test_every_setting_of_every_release_is_in_the_tables() -> None:
    known = {flag.names[0] for flag in (*SERVER, *OF_MODEL)}
    for version in versions.releases("mlserver"):
        release = versions.load("mlserver", version)
        assert release is not None
        assert set(release.arguments) <= known


def test_variables_of_the_corpus_are_known(shared: Path) -> None:
    seen = 0
    strange: set[str] = set()
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if item.get("file") and "mlserver" in (item.get("engines") or ()):
            for snapshot in load(str(shared / "corpus" / item["file"]), "target", Redactor()).snapshots:
                if snapshot.engine is not None and snapshot.engine.name == "mlserver" and snapshot.launch is not None:
                    reading = ENGINE.read(snapshot.launch)
                    seen += reading.variables + reading.mapped
                    strange.update((*reading.strange, *reading.unmapped))
    assert seen >= 5
    assert not strange


def test_a_real_server_agrees(shared: Path) -> None:
    folder = shared / "recordings" / "mlserver-1.7.1"
    command = json.loads((folder / "command.json").read_text())
    log = (folder / "startup.log").read_text()
    files = {  # the files are not among the recordings: what the log shows of them is written here
        "/srv/engines/mls/settings.json": '{"host": "127.0.0.1", "http_port": 18020, "grpc_port": 18021, '
        '"metrics_port": 18022}',
        "/srv/engines/mls/iris/model-settings.json": '{"name": "iris", "implementation": "a.B", '
        '"parameters": {"version": "v1"}}',
    }
    found = facts(ENGINE, " ".join(command["cmd"]), IMAGE, files=files)
    assert f"HTTP server running on http://{found['serving.listen_host'].value}:{found['serving.port'].value}" in log
    grpc, metrics = entry(found, OTHER, "grpc_port"), entry(found, OTHER, "metrics_port")
    endpoint = entry(found, OTHER, "metrics_endpoint")
    assert f"gRPC server running on http://127.0.0.1:{grpc}" in log
    assert f"Prometheus scraping endpoint can be accessed on http://127.0.0.1:{metrics}{endpoint}" in log
    assert found["model.served_names"].value == ["iris"]
    assert f"[iris:{found['model.revision'].value}] INFO - Loaded model" in log
    assert (
        json.loads((folder / "v2.http").read_text().partition("\n\n")[2])["version"]
        == found["runtime.engine.version"].value
    )
    release = versions.load("mlserver", "1.7.1")
    assert release is not None
    shown = set(re.findall(r"^# TYPE (\w+)", (folder / "metrics-after.http").read_text(), re.MULTILINE))
    assert shown == set(release.metrics)


def test_inputs_and_outputs_are_the_models_signature(tmp_path):
    from askew.app.load import load
    from askew.evidence.redaction import Redactor

    age = '{"name": "age", "datatype": "FP64", "shape": [-1, 1]}'
    inputs = f'[{age}, {{"name": "city", "datatype": "BYTES", "shape": [-1]}}]'
    text = f'{{"name": "churn", "implementation": "mlserver_mlflow.MLflowRuntime", "inputs": {inputs}}}'
    (tmp_path / "model-settings.json").write_text(text)
    (snapshot,) = load(str(tmp_path / "model-settings.json"), "target", Redactor()).snapshots
    found = snapshot.facts["model.signature"]
    assert found.value == {
        "inputs": [
            {"name": "age", "shape": [-1, 1], "type": "float64"},
            {"name": "city", "shape": [-1], "type": "bytes"},
        ]
    }
    (tmp_path / "model-settings.json").write_text(text.replace('"shape": [-1, 1]', '"shape": "any"'))
    (snapshot,) = load(str(tmp_path / "model-settings.json"), "target", Redactor()).snapshots
    assert snapshot.facts["model.signature"].state == "unknown"
