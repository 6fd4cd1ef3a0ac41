"""Reading launches of LitServe, and the programs that start it."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app import registry
from askew.app.defaults import defaults
from askew.app.load import load
from askew.engines import versions
from askew.engines.litserve.engine import ENGINE
from askew.engines.litserve.flags import SETTINGS, VARIABLES
from askew.engines.settings import OTHER
from askew.evidence.redaction import Redactor
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from tests.engines.files import entry, facts, launch

IMAGE = "litserve:0.2.19"
PROGRAM = """\
import litserve as ls


class MyAPI(ls.LitAPI):
    def setup(self, device):
        self.model = load(PATH)


if __name__ == "__main__":
    api = MyAPI(max_batch_size=8, batch_timeout=0.05, own=3)
    server = ls.LitServer(api, accelerator="cuda", devices=2, workers_per_device=LIMIT, timeout=False)
    server.run(port=8001, generate_client_file=False)
"""


def of(program: str, image: str = IMAGE) -> dict[str, object]:
    found = facts(ENGINE, "python server.py", image, files={"/server.py": program})
    return {fact: one.value if one.state == "known" else f"<{one.state}>" for fact, one in found.items()}


def test_a_program_says_what_it_hands_to_the_library() -> None:
    found = facts(ENGINE, "python server.py", IMAGE, files={"/server.py": PROGRAM})
    assert found["serving.port"].value == 8001
    assert (found["serving.port"].locations[0].line, found["serving.port"].locations[0].column) == (12, 21)
    assert found["serving.request_timeout"].value == "unlimited"
    assert found["runtime.dynamic_batching"].value == {"max_batch_size": 8, "max_queue_delay_microseconds": 50_000}
    assert found["runtime.instances"].state == "unknown"
    assert "computes" in found["runtime.instances"].reason
    assert found["serving.streaming"].value is False
    assert entry(found, OTHER, "LitServer.accelerator") == "cuda"
    assert not [key for key in found[OTHER].entries if key.endswith(".own")]


@pytest.mark.parametrize(
    ("call", "fact", "expected"),
    [
        ("LitServer(api)", "serving.request_timeout", 30),
        ("LitServer(api, timeout=60)", "serving.request_timeout", 60),
        ("LitServer(api, 'auto', 4, 2, 5.5)", "serving.request_timeout", 5.5),
        ("LitServer(api, 'auto', 4, 2)", "runtime.instances", 8),
        ("LitServer(api, accelerator='cpu', workers_per_device=3)", "runtime.instances", 3),
        ("LitServer(api, max_payload_size=50_000_000)", "serving.max_body.bytes", 50_000_000),
        ("LitServer(api)", "serving.max_body.bytes", "unlimited"),
        ("LitServer(api)", "serving.port", 8000),
        ("LitServer(api)", "serving.listen_host", "0.0.0.0"),
        ("LitServer(api, stream=True)", "serving.streaming", True),
        ("LitServer(api, **cfg)", "serving.request_timeout", "<unknown>"),
        ("LitServer(api, **cfg)", "runtime.instances", "<unknown>"),
        ("LitServer(api, timeout=limit())", "serving.request_timeout", "<unknown>"),
        ("LitServer(api).run(9000)", "serving.port", 9000),
        ("LitServer(api); subprocess.run(['x'], check=True)", "serving.port", 8000),
    ],
)
def test_arguments_of_a_call(call: str, fact: str, expected: object) -> None:
    assert of(f"from litserve import LitServer\n{call}\n")[fact] == expected


def test_a_size_with_a_unit_is_refused_as_the_middleware_compares_it_with_a_number() -> None:
    reading = ENGINE.read(launch("python s.py", IMAGE, files={"/s.py": "LitServer(api, max_payload_size='50MB')"}))
    assert [(one.kind, one.argument) for one in reading.problems] == [("invalid-value", "LitServer.max_payload_size")]


def test_workers_follow_the_gpus_where_devices_are_automatic() -> None:
    reading = ENGINE.read(launch("python s.py", IMAGE, files={"/s.py": "LitServer(api, workers_per_device=2)"}))
    for count, expected in ((4, 8), (0, 2)):
        seen = Observation(fact="hardware.gpu.count", value=count, origin="explicit")
        assert resolve((*reading.observations, seen), reading.rules)["runtime.instances"].value == expected
    assert resolve(reading.observations, reading.rules)["runtime.instances"].state == "unknown"


def test_devices_were_one_in_the_first_release() -> None:
    program = "LitServer(api, workers_per_device=2)"
    assert of(program, "litserve:0.1.0")["runtime.instances"] == 2
    assert of(program, "litserve:0.1.1")["runtime.instances"] == "<unknown>"
    changes = {one.name: (one.old, one.new) for one in defaults("litserve", "0.1.0", "0.1.1").changes}
    assert changes["LitServer.devices"] == (1, "auto")
    assert not defaults("litserve", "0.2.18", "0.2.19").changes


def test_where_the_program_is_not_shown_its_settings_are_unknown() -> None:
    for found in (facts(ENGINE, "lightning deploy server.py"), facts(ENGINE, "", "registry/litserve-model:v1")):
        for fact in ("serving.request_timeout", "serving.port", "runtime.instances"):
            assert found[fact].state == "unknown"
            assert "program's source" in found[fact].reason


def test_a_key_in_the_environment_is_required() -> None:
    assert facts(ENGINE, "", IMAGE, env={"LIT_SERVER_API_KEY": "x"})["serving.api_key_required"].value is True
    assert facts(ENGINE, "", IMAGE)["serving.api_key_required"].value is False


def test_a_program_that_imports_it_is_it(tmp_path: Path) -> None:
    manifest = tmp_path / "deploy.yaml"
    lines = "".join(f"    {line}\n" for line in PROGRAM.splitlines())
    manifest.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: code}\ndata:\n  server.py: |\n" + lines + "---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: m}\nspec:\n  selector: {matchLabels: {a: b}}\n"
        "  template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n      - name: m\n"
        "        image: python:3.11\n        command: [python, /app/server.py]\n"
        "        volumeMounts: [{name: code, mountPath: /app}]\n"
        "      volumes: [{name: code, configMap: {name: code}}]\n"
    )
    (snapshot,) = load(str(manifest), "target", Redactor()).snapshots
    assert snapshot.engine is not None
    assert snapshot.engine.name == "litserve"
    assert snapshot.facts["serving.port"].value == 8001
    assert snapshot.facts["serving.port"].locations[0].line == 17


def test_other_programs_are_not_it() -> None:
    assert registry.recognise(launch("python server.py")) is None
    text = "# not litserve\nimport flask\n"
    assert registry.recognise(launch("python server.py", files={"/server.py": text})) is None
    assert registry.recognise(launch("python server.py", files={"/other.py": PROGRAM})) is None


def test_every_setting_and_variable_of_every_release_is_in_the_tables() -> None:
    known = {flag.names[0] for flag in SETTINGS}
    for version in versions.releases("litserve"):
        release = versions.load("litserve", version)
        assert release is not None
        assert set(release.arguments) <= known
        assert set(release.variables) <= set(VARIABLES)
