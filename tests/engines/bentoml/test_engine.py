"""Reading launches of BentoML, its files and sources, and the silent changes of its releases."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.app.defaults import defaults
from askew.app.load import load
from askew.engines import versions
from askew.engines.bentoml.engine import ENGINE
from askew.engines.bentoml.flags import ARGUMENTS, CONFIG, SILENT, SILENT_VARIABLES
from askew.engines.python_source import calls
from askew.engines.settings import OTHER
from askew.evidence.launch import Content
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from tests.engines.files import entry, facts, launch

OLD, NEW = "bentoml/bento-server:1.1.11", "bentoml/bento-server:1.4.40"
SERVE = "bentoml serve service:svc"
FILE = "/home/bentoml/bentoml_configuration.yaml"


@pytest.mark.parametrize(
    ("words", "fact", "expected"),
    [
        ("--port 8000", "serving.port", 8000),
        ("-p 8000", "serving.port", 8000),
        ("--host 127.0.0.1", "serving.listen_host", "127.0.0.1"),
        ("--timeout 300", "serving.request_timeout", 300),
        ("--api-workers 4", "runtime.instances", 4),
        ("--ssl-certfile c.pem", "serving.tls", True),
        ("--timeout-keep-alive 5", "serving.idle_timeout", 5),
        ("", "serving.port", 3000),
        ("", "serving.listen_host", "0.0.0.0"),
        ("--development", "serving.listen_host", "127.0.0.1"),
    ],
)
def test_an_argument_is_a_fact(words: str, fact: str, expected: object) -> None:
    assert facts(ENGINE, f"{SERVE} {words}", NEW)[fact].value == expected


def test_variables_set_the_same() -> None:
    env = {"BENTOML_PORT": "5000", "BENTOML_TIMEOUT": "90", "BENTOML_CONFIG_OPTIONS": 'api_server.backlog=7 "a.b"=c'}
    found = facts(ENGINE, SERVE, NEW, env=env)
    assert (found["serving.port"].value, found["serving.request_timeout"].value) == (5000, 90)
    assert entry(found, OTHER, "backlog") == "7"
    problems = ENGINE.read(launch(SERVE, NEW, env={"BENTOML_CONFIG_OPTIONS": "api_server.backlog"})).problems
    assert [one.kind for one in problems] == ["invalid-value"]


def test_the_configuration_file_in_both_forms() -> None:
    first = (
        "version: 1\napi_server:\n  workers: 2\n  traffic:\n    timeout: 30\n    max_concurrency: 50\n  port: 4000\n"
    )
    found = facts(ENGINE, SERVE, OLD, files={FILE: first})
    assert found["runtime.instances"].value == 2
    assert found["runtime.instances"].locations[0].line == 3
    assert found["serving.request_timeout"].value == 30
    assert found["runtime.max_concurrent_requests"].value == 50
    assert found["serving.port"].value == 4000
    second = "version: 2\nservices:\n  Summary:\n    traffic: {timeout: 12}\n    threads: 8\n  workers: cpu_count\n"
    found = facts(ENGINE, SERVE, NEW, files={FILE: second})
    assert found["serving.request_timeout"].value == 12
    assert found["runtime.threads"].value == 8
    assert entry(found, OTHER, "workers") == "cpu_count"


def test_options_win_over_the_file() -> None:
    env = {"BENTOML_CONFIG": FILE, "BENTOML_CONFIG_OPTIONS": "services.traffic.timeout=5"}
    found = facts(ENGINE, SERVE, NEW, env=env, files={FILE: "version: 2\nservices:\n  traffic:\n    timeout: 9\n"})
    assert found["serving.request_timeout"].value == 5


SOURCE = """\
import bentoml


@bentoml.service(
    resources={"gpu": 1},
    traffic={"timeout": 300, "max_concurrency": LIMIT},
    workers=2,
)
class Summary:
    @bentoml.api(batchable=True, max_batch_size=16)
    def summarize(self, texts: list[str]) -> list[str]: ...
"""


def test_a_services_source_says_what_its_decorator_says() -> None:
    found = facts(ENGINE, SERVE, NEW, files={"/home/bentoml/service.py": SOURCE})
    assert found["serving.request_timeout"].value == 300
    assert found["serving.request_timeout"].locations[0].line == 6
    assert found["runtime.max_concurrent_requests"].state == "unknown"
    assert "LIMIT" in found["runtime.max_concurrent_requests"].reason
    assert found["runtime.instances"].value == 2
    assert found["runtime.threads"].value == 1
    assert found["runtime.dynamic_batching"].value == {"max_batch_size": 16, "max_latency_ms": 60000}
    # What the file says of this service wins over the decorator, what it says of all loses to it.
    for above, expected in (("  Summary:\n    traffic:\n      timeout: 9\n", 9), ("  traffic:\n    timeout: 9\n", 300)):
        both = {"/home/bentoml/service.py": SOURCE, FILE: f"version: 2\nservices:\n{above}"}
        assert facts(ENGINE, SERVE, NEW, files=both)["serving.request_timeout"].value == expected


def test_what_the_file_hands_to_no_service_is_told() -> None:
    problems = ENGINE.read(launch(SERVE, NEW, files={FILE: "version: 2\nservices:\n  threads: 8\n"})).problems
    assert [(one.kind, one.suggestion) for one in problems] == [("ignored-argument", "services.NAME.threads")]
    assert (
        facts(ENGINE, SERVE, NEW, files={FILE: "version: 2\nservices:\n  threads: 8\n"})["runtime.threads"].state
        == "unknown"
    )


def test_without_its_source_what_it_may_set_is_unknown() -> None:
    found = facts(ENGINE, SERVE, NEW)
    for fact in ("serving.request_timeout", "runtime.instances", "runtime.threads", "runtime.max_concurrent_requests"):
        assert found[fact].state == "unknown"
        assert "source" in found[fact].reason
    assert facts(ENGINE, SERVE, OLD)["serving.request_timeout"].value == 60  # first kind: no decorator


@given(st.text("ab=()[]{}:,.'\"\\\n #@1", max_size=60))
def test_any_source_is_read_without_an_exception(text: str) -> None:
    calls(Content(f"LitServer({text}", Location("f", line=1)), ("LitServer",))
    calls(Content(f"LitServer({text})", Location("f", line=1)), ("LitServer",))


def test_a_source_that_nests_without_end_is_no_source() -> None:
    assert calls(Content("service(" + "(" * 5000 + ")" * 5000 + ")", Location("f", line=1)), ("service",)) == ()


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("version: 1\napi_server:\n  workers: many\n", 3, 12),
        ("version: 1\napi_server: [\n", 2, 13),
        ("- 1\n", 1, 1),
        ("version: 1\nrunners:\n  batching:\n    enabled: perhaps\n", 4, 14),
    ],
)
def test_a_broken_file_is_unreadable_at_its_place(text: str, line: int, column: int) -> None:
    problems = ENGINE.read(launch(SERVE, OLD, files={FILE: text})).problems
    problem = next(one for one in problems if one.kind == "unreadable")
    assert problem.suggestion
    assert (problem.locations[0].line, problem.locations[0].column) == (line, column)


def test_files_alone_are_sources(tmp_path: Path) -> None:
    (tmp_path / "bentoml_configuration.yaml").write_text("version: 1\napi_server:\n  workers: 3\n")
    (snapshot,) = load(str(tmp_path / "bentoml_configuration.yaml"), "target", Redactor()).snapshots
    assert snapshot.facts["runtime.instances"].value == 3
    assert "serving.port" not in snapshot.facts
    (tmp_path / "bentofile.yaml").write_text("service: 's:svc'\npython:\n  packages:\n  - torch==2.4.0\n  - numpy\n")
    (snapshot,) = load(str(tmp_path / "bentofile.yaml"), "target", Redactor()).snapshots
    assert snapshot.facts["runtime.packages"].value == {"torch": "2.4.0"}
    assert registry.engine_of_file("compose.yaml", ("version", "services")) is None


@pytest.mark.parametrize(
    ("old", "new", "name", "was", "now"),
    [
        ("1.0.19", "1.0.20", "--host", "127.0.0.1", "0.0.0.0"),
        ("1.0.22", "1.0.23", "runtime.dynamic_batching[max_latency_ms]", 10000, 60000),
        ("1.1.6", "1.1.7", "runners.traffic.timeout", "300", "900"),
        ("1.1.11", "1.2.0", "metrics.namespace", "bentoml_api_server", "bentoml_service"),
    ],
)
def test_silent_changes(old: str, new: str, name: str, was: object, now: object) -> None:
    changes = [one for one in defaults("bentoml", old, new).changes if one.kind != "added"]
    assert (name, was, now) in [(one.name, one.old, one.new) for one in changes]
    assert name not in {one.name for one in defaults("bentoml", new, new).changes}


def test_a_written_setting_hides_the_change_of_its_default() -> None:
    for image in ("bentoml/bento-server:1.0.19", "bentoml/bento-server:1.0.20"):
        found = facts(ENGINE, f"{SERVE} --host 0.0.0.0 --production", image)
        assert found["serving.listen_host"].value == "0.0.0.0"
        assert entry(found, OTHER, "development") == "false"


def test_every_setting_argument_and_variable_of_every_release_is_in_the_tables() -> None:
    known = {name for flag in (*ARGUMENTS, *CONFIG) for name in flag.names}
    variables = {flag.env for flag in ARGUMENTS} | set(SILENT_VARIABLES)
    stable = versions.stable("bentoml")
    assert stable is not None
    for version in versions.releases("bentoml"):
        release = versions.load("bentoml", version)
        assert release is not None
        rest = {name for name in set(release.arguments) - known if not any(part in f"{name}." for part in SILENT)}
        assert not rest, (version, rest)
        assert set(release.variables) <= variables | set(stable.variables)


def test_it_is_found_by_its_forms() -> None:
    for words in ("bentoml serve .", "/usr/bin/python3 -m bentoml serve-grpc a:b",
                  "/home/bentoml/bento/env/docker/entrypoint.sh serve /home/bentoml/bento"):  # fmt: skip
        assert registry.recognise(launch(words)) == "bentoml"
    assert registry.recognise(launch("bentoml build")) is None


def test_a_real_server_agrees(shared: Path) -> None:
    folder = shared / "recordings" / "bentoml-1.4.39"
    command = json.loads((folder / "command.json").read_text())
    found = facts(ENGINE, " ".join(command["cmd"]), "bentoml/bento-server:1.4.39", env=command["env"])
    log = (folder / "startup.log").read_text()
    address = f"{found['serving.protocol'].value}://{found['serving.listen_host'].value}:{found['serving.port'].value}"
    bento = entry(found, OTHER, "bento")
    assert f'Starting production HTTP BentoServer from "{bento}" listening on {address}' in log
    assert entry(found, OTHER, "development") == "false"
    release = versions.load("bentoml", "1.4.39")
    assert release is not None
    shown = set(re.findall(r"^# TYPE (\w+)", (folder / "metrics.http").read_text(), re.MULTILINE))
    assert {name for name in shown if name.startswith("bentoml_service")} <= set(release.metrics)
