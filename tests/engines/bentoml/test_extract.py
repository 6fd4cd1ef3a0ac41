"""Reading BentoML's source as text."""

from __future__ import annotations

from pathlib import Path

from tools.engines.clicked import options
from tools.engines.extract_bentoml import leaves, read

COMMAND = """\
@cli.command()
@click.argument("bento")
@click.option("-p", "--port", default=PORT, envvar="BENTOML_PORT")
@click.option("--host", default=container.host.get())
@click.option("--reload/--no-reload", default=False)
@deprecated_option("--production", is_flag=True, default=True)
def serve(bento):
    pass

PORT = 3000
"""


def test_options_of_a_command() -> None:
    arguments, variables = options(COMMAND, "s.py", ("serve",))
    assert arguments == {
        "--port": {"at": "s.py:3", "names": ["-p"], "value": 3000},
        "--host": {"at": "s.py:4", "kind": "rule"},
        "--reload": {"at": "s.py:5", "names": ["--no-reload"], "takes": "switch", "value": False},
        "--production": {"at": "s.py:6", "takes": "switch", "value": True},
    }
    assert variables == {"BENTOML_PORT": {"at": "s.py:3"}}


def test_leaves_of_a_configuration() -> None:
    found = leaves("version: 1\na:\n  b: 60\n  c: ~\n  d: [1, 2]\n", "c.yaml")
    assert found == {
        "a.b": {"at": "c.yaml:3", "value": 60},
        "a.c": {"at": "c.yaml:4"},
        "a.d": {"at": "c.yaml:5", "value": [1, 2]},
    }


def test_metrics_have_their_namespace_before_them(tmp_path: Path) -> None:
    base = tmp_path / "src" / "bentoml" / "_internal"
    (base / "configuration" / "v1").mkdir(parents=True)
    (base / "configuration" / "v1" / "default_configuration.yaml").write_text(
        "api_server:\n  metrics:\n    namespace: api\nrunners:\n  metrics:\n    namespace: run\n"
    )
    (base / "server" / "http").mkdir(parents=True)
    call = '    x = metrics_client.Counter(\n        namespace=self.namespace,\n        name="total",\n    )\n'
    (base / "server" / "http" / "instruments.py").write_text(
        f"class HTTPTrafficMetricsMiddleware:\n{call}class RunnerTrafficMetricsMiddleware:\n{call}"
    )
    assert set(read(tmp_path)["metrics"]) == {"api_total", "run_total"}
