"""Reading KServe's servers as text: small sources made up for it."""

from __future__ import annotations

from pathlib import Path

from tools.engines.extract_kserve import read

_SDK = """\
import os
from .constants.constants import DEFAULT_HTTP_PORT
parser.add_argument("--http_port", default=DEFAULT_HTTP_PORT, type=int)
parser.add_argument("--enable_grpc", default=True, type=lambda x: strtobool(x))
parser.add_argument("--quiet", "-q", action="store_true")
parser.add_argument("--log", default=None)
parser.add_argument("--where", default=os.getcwd())
LEVEL = os.environ.get("KSERVE_LOGLEVEL", "INFO").upper()
"""
_LOCK = '[[package]]\nname = "transformers"\nversion = "4.57.1"\n\n[[package]]\nname = "torch"\nversion = "1"\n\n' + (
    '[[package]]\nname = "torch"\nversion = "2"\n'
)


def write(folder: Path, path: str, text: str) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_a_release(tmp_path: Path) -> None:
    write(tmp_path, "python/kserve/kserve/model_server.py", _SDK)
    write(tmp_path, "python/kserve/kserve/constants/constants.py", "DEFAULT_HTTP_PORT = 8080\n")
    write(tmp_path, "python/kserve/kserve/metrics.py", 'A = Histogram("request_x_seconds", "d")\nB = len("no")\n')
    write(tmp_path, "python/kserve/kserve/models/v1beta1_x.py", 'A = Counter("not_this", "d")\n')
    write(tmp_path, "python/huggingfaceserver/huggingfaceserver/__main__.py", "def load_model():\n    return 1\n")
    write(tmp_path, "python/huggingfaceserver/uv.lock", _LOCK)
    write(tmp_path, "python/huggingface_server.Dockerfile", "FROM x\nARG VLLM_VERSION=0.9.2\nRUN y\n")
    found = read(tmp_path)
    sdk = "python/kserve/kserve/model_server.py"
    assert found["arguments"] == {
        "--http_port": {"at": f"{sdk}:3", "value": 8080},
        "--enable_grpc": {"at": f"{sdk}:4", "value": True},
        "--quiet": {"at": f"{sdk}:5", "names": ["-q"], "takes": "switch", "value": False},
        "--log": {"at": f"{sdk}:6"},
        "--where": {"at": f"{sdk}:7", "kind": "rule"},
    }
    assert found["variables"] == {"KSERVE_LOGLEVEL": {"at": f"{sdk}:8", "value": "INFO"}}
    assert list(found["metrics"]) == ["request_x_seconds"]
    # Two releases of torch are for two releases of Python: which one runs is not known.
    assert {name: one["value"] for name, one in found["packages"].items()} == {
        "transformers": "4.57.1",
        "vllm": "0.9.2",
    }
    assert found["packages"]["vllm"]["at"] == "python/huggingface_server.Dockerfile:2"
    assert list(found["rules"]) == ["load_model"]


def test_an_empty_release_has_nothing(tmp_path: Path) -> None:
    assert not any(read(tmp_path).values())
