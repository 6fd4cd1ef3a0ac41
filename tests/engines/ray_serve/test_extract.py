"""Reading Ray Serve as text: small sources made up for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.engines.extract_ray_serve import read


def write(folder: Path, path: str, text: str) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_a_release(tmp_path: Path) -> None:
    write(
        tmp_path,
        "ray/serve/_private/constants.py",
        'import os\nLIMIT = 5\nALIVE = get_env_int("RAY_SERVE_ALIVE", 90)\n'
        'HOST = os.environ.get("RAY_SERVE_HOST") or "h"\n'
        'BIG = int(os.getenv("RAY_SERVE_BIG", str(int(1e9))))\n',
    )
    write(
        tmp_path,
        "ray/serve/_private/config.py",
        "class DeploymentConfig(BaseModel):\n    limit: int = Field(default=LIMIT, ge=1)\n    big: int = BIG\n"
        "    made: X = Field(default_factory=X)\n    must: int = Field(...)\n    version: str = 'no'\n",
    )
    write(
        tmp_path,
        "ray/serve/config.py",
        "class AutoscalingConfig(BaseModel):\n    min_replicas: int = 1\n    @classmethod\n    def default(cls):\n"
        "        return cls(max_replicas=100, target=LIMIT)\n",
    )
    write(
        tmp_path, "ray/serve/schema.py", "class HTTPOptionsSchema(BaseModel):\n    alive: int = Field(default=ALIVE)\n"
    )
    write(
        tmp_path,
        "ray/serve/_private/proxy.py",
        'a = metrics.Counter(f"serve_num_{protocol.lower()}_requests")\n'
        'b = Gauge(name="serve_x")\nc = Gauge("other")\n',
    )
    write(tmp_path, "ray/llm/_internal/serve/constants.py", "LIMIT = 1000\n")
    write(
        tmp_path,
        "ray/llm/_internal/serve/core/builder.py",
        'DEFAULT_DEPLOYMENT_OPTIONS = {"limit": LIMIT, "a": {"b": 2}}\n',
    )
    write(tmp_path, "ray-2.60.0.dist-info/METADATA", 'Name: ray\nRequires-Dist: vllm[audio]==0.29.0; extra == "llm"\n')
    found = read(tmp_path)
    assert {name: one.get("value", one.get("kind")) for name, one in found["arguments"].items()} == {
        "limit": 5,
        "big": 1_000_000_000,
        "made": "rule",
        "must": None,
        "autoscaling_config.min_replicas": 1,
        "num_replicas=auto.max_replicas": 100,
        "num_replicas=auto.target": 5,
        "http_options.alive": 90,
        "llm.limit": 1000,
        "llm.a.b": 2,
        "llm.autoscaling_config.min_replicas": 1,  # what every deployment has, where models have nothing of their own
    }
    assert found["arguments"]["limit"]["at"] == "ray/serve/_private/config.py:2"
    assert found["variables"]["RAY_SERVE_ALIVE"] == {"at": "ray/serve/_private/constants.py:3", "value": 90}
    assert set(found["metrics"]) == {"ray_serve_num_http_requests", "ray_serve_num_grpc_requests", "ray_serve_x"}
    assert found["packages"] == {"vllm": {"at": "ray-2.60.0.dist-info/METADATA:2", "value": "0.29.0"}}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('Requires-Dist: vllm>=0.7.2; extra == "llm"', ">=0.7.2"),
        ("Requires-Dist: vllm (>=0.8.5) ; extra == 'llm'", ">=0.8.5"),
        ('Requires-Dist: vllm>=0.7.2; extra == "other"', None),
    ],
)
def test_what_it_pins(tmp_path: Path, line: str, value: str | None) -> None:
    write(tmp_path, "ray-2.44.0.dist-info/METADATA", f"Name: ray\n{line}\n")
    assert read(tmp_path)["packages"].get("vllm", {}).get("value") == value
