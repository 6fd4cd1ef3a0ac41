"""Reading launches of MLflow's model server and gateway, and the silent changes of its releases."""

from __future__ import annotations

import pytest

from askew.app import registry
from askew.app.defaults import defaults
from askew.engines import versions
from askew.engines.mlflow.engine import ENGINE
from askew.engines.settings import OTHER
from tests.engines.files import entry, facts, launch

OLD, NEW = "ghcr.io/mlflow/mlflow:v2.20.4", "ghcr.io/mlflow/mlflow:v3.18.0"
SERVE = "mlflow models serve -m models:/iris/3"
CONTAINER = "python -c 'from mlflow.models import container as C; C._serve(\"local\")'"


@pytest.mark.parametrize(
    ("words", "fact", "expected"),
    [
        ("", "model.id", "iris"),
        ("", "model.source", "models:/iris/3"),
        ("", "model.revision", "3"),
        ("--port 8000", "serving.port", 8000),
        ("-p 8000", "serving.port", 8000),
        ("-h 0.0.0.0", "serving.listen_host", "0.0.0.0"),
        ("--timeout 300", "serving.request_timeout", 300),
        ("-w 4", "runtime.instances", 4),
        ("", "serving.port", 5000),
        ("", "serving.listen_host", "127.0.0.1"),
        ("", "serving.request_timeout", 60),
        ("", "runtime.instances", 1),
    ],
)
def test_an_argument_is_a_fact(words: str, fact: str, expected: object) -> None:
    assert facts(ENGINE, f"{SERVE} {words}", NEW)[fact].value == expected


def test_where_models_come_from() -> None:
    run = "a" * 32
    found = facts(ENGINE, f"mlflow models serve -m runs:/{run}/model --no-conda", NEW)
    assert (found["model.source"].value, found["model.revision"].value) == (f"runs:/{run}/model", run)
    assert entry(found, OTHER, "--env-manager") == "local"
    alias = facts(ENGINE, "mlflow models serve -m models:/iris@champion", NEW)
    assert alias["model.id"].value == "iris"
    assert "model.revision" not in alias


def test_variables_set_the_same_and_changed_their_names() -> None:
    env = {"MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "120", "MLFLOW_WORKERS": "3", "MLFLOW_MODELS_WORKERS": "5"}
    assert facts(ENGINE, SERVE, OLD, env=env)["runtime.instances"].value == 3
    found = facts(ENGINE, SERVE, NEW, env=env)
    assert (found["runtime.instances"].value, found["serving.request_timeout"].value) == (5, 120)


def test_gunicorns_arguments_count_while_gunicorn_is_started() -> None:
    env = {"GUNICORN_CMD_ARGS": "--timeout 600 --threads 8 -k gthread"}
    found = facts(ENGINE, f"{SERVE} -t 30", OLD, env=env)
    assert (found["serving.request_timeout"].value, found["runtime.threads"].value) == (600, 8)
    assert entry(found, OTHER, "gunicorn --worker-class") == "gthread"
    ignored = ENGINE.read(launch(f"{SERVE} -t 30", NEW, env=env))
    assert [(one.kind, one.argument) for one in ignored.problems] == [("ignored-argument", "GUNICORN_CMD_ARGS")]
    assert facts(ENGINE, f"{SERVE} -t 30", NEW, env=env)["serving.request_timeout"].value == 30


def test_with_mlserver_there_is_no_timeout() -> None:
    found = facts(ENGINE, f"{SERVE} --enable-mlserver -t 30", OLD)
    assert found["serving.request_timeout"].state == "absent"
    assert entry(found, OTHER, "scoring server") == "mlserver"
    removed = ENGINE.read(launch(f"{SERVE} --enable-mlserver", NEW)).problems
    assert [(one.kind, one.argument) for one in removed] == [("removed-argument", "--enable-mlserver")]


def test_the_images_that_mlflow_builds() -> None:
    found = facts(ENGINE, CONTAINER, "registry/iris:1", env={"MLFLOW_MODELS_WORKERS": "2"})
    assert (found["serving.port"].value, found["runtime.instances"].value) == (8080, 2)
    assert found["serving.listen_host"].value == "0.0.0.0"
    old = facts(ENGINE, CONTAINER, OLD, env={"MLFLOW_MODELS_WORKERS": "2"})
    assert old["runtime.instances"].state == "unknown"
    served = facts(ENGINE, CONTAINER, OLD, env={"ENABLE_MLSERVER": "true"})
    assert entry(served, OTHER, "scoring server") == "mlserver"
    assert (served["serving.port"].value, served["serving.request_timeout"].state) == (8080, "absent")
    bare = facts(ENGINE, CONTAINER, "registry/iris:1", env={"DISABLE_NGINX": "true"})
    assert (bare["serving.port"].value, bare["serving.listen_host"].value) == (8000, "127.0.0.1")
    assert bare["runtime.instances"].state == "unknown"


GATEWAY = """\
endpoints:
- name: chat
  endpoint_type: llm/v1/chat
  model:
    provider: openai
    name: gpt-4o
  limit: {calls: 10, renewal_period: minute}
"""


def test_the_gateway_and_its_file() -> None:
    found = facts(ENGINE, "mlflow gateway start --config-path /c/g.yaml --port 7000", NEW, files={"/c/g.yaml": GATEWAY})
    assert found["serving.port"].value == 7000
    assert found["model.served_names"].value == ["chat"]
    assert entry(found, OTHER, "endpoints:chat:model.name") == "gpt-4o"
    assert found["runtime.instances"].value == 2
    assert found["serving.request_timeout"].value == 300
    env = {"MLFLOW_GATEWAY_ROUTE_TIMEOUT_SECONDS": "30"}
    assert facts(ENGINE, "mlflow gateway start", NEW, env=env)["serving.request_timeout"].value == 30
    broken = ENGINE.read(launch("mlflow gateway start --config-path /c/g.yaml", NEW, files={"/c/g.yaml": "a: [\n"}))
    assert [one.kind for one in broken.problems] == ["unreadable"]


def test_the_programs_behind_the_command() -> None:
    found = facts(ENGINE, "gunicorn --timeout=60 -b 0.0.0.0:5000 -w 2 -- mlflow.pyfunc.scoring_server.wsgi:app", "")
    assert (found["runtime.instances"].value, found["serving.request_timeout"].value) == (2, 60)
    found = facts(ENGINE, "uvicorn --host 0.0.0.0 --port 80 mlflow.pyfunc.scoring_server.app:app", "")
    assert (found["serving.listen_host"].value, found["serving.port"].value) == ("0.0.0.0", 80)


@pytest.mark.parametrize(
    ("old", "new", "name", "was", "now"),
    [
        ("2.20.4", "2.21.0", "scoring server", "gunicorn", "uvicorn"),
        ("3.12.0", "3.13.0", "--enable-mlserver", False, None),
    ],
)
def test_silent_changes(old: str, new: str, name: str, was: object, now: object) -> None:
    changes = {one.name: one for one in defaults("mlflow", old, new).changes if one.kind != "added"}
    assert (changes[name].old, changes[name].new) == (was, now)
    assert not defaults("mlflow", new, new).changes


def test_a_variable_that_is_not_read_any_more_is_told() -> None:
    gone = {one.name for one in defaults("mlflow", "2.20.4", "2.21.0").changes if one.kind == "env"}
    assert "GUNICORN_CMD_ARGS" in gone


def test_every_argument_of_every_release_is_in_the_tables() -> None:
    from askew.engines.mlflow.flags import GATEWAY as OF_GATEWAY
    from askew.engines.mlflow.flags import SERVE as OF_SERVE

    known = {name for flag in OF_SERVE for name in flag.names}
    known |= {f"gateway {name}" for flag in OF_GATEWAY for name in flag.names} | {"scoring server"}
    for version in versions.releases("mlflow"):
        release = versions.load("mlflow", version)
        assert release is not None
        assert {name for name in release.arguments if not name.startswith("container ")} <= known


def test_it_is_found_by_its_forms() -> None:
    for words in (SERVE, "python -m mlflow models serve -m m", "mlflow deployments start-server", CONTAINER):
        assert registry.recognise(launch(words)) == "mlflow"
    assert registry.recognise(launch("mlflow server --host 0.0.0.0")) is None
    assert registry.recognise(launch("mlflow ui")) is None
