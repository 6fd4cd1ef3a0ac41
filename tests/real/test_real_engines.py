"""Real engines, asked as a user asks: ``askew facts http://…`` and a diff with what started them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from askew.app.load import load
from askew.cli.run import run
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor
from askew.resolve.workload import Snapshot
from tests.real.conftest import Installed, free_port, running

HERE = Path(__file__).parent
# Each model of Triton's Python backend is such a file.
MODEL = """
import triton_python_backend_utils as utils


class TritonPythonModel:
    def execute(self, requests):
        given = [utils.get_input_tensor_by_name(one, "x").as_numpy() for one in requests]
        return [utils.InferenceResponse([utils.Tensor("y", 2 * x)]) for x in given]
"""
CONFIG = """
backend: "python"
max_batch_size: 16
input { name: "x" data_type: TYPE_FP32 dims: -1 }
output { name: "y" data_type: TYPE_FP32 dims: -1 }
instance_group { kind: KIND_CPU count: 2 }
dynamic_batching { preferred_batch_size: [4, 8] max_queue_delay_microseconds: 500 }
"""
RUNTIME = """
from mlserver import MLModel


class Echo(MLModel):
    async def predict(self, payload):
        return payload
"""


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ASKEW_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def one(uri: str) -> Snapshot:
    side = load(uri, "target", Redactor())
    assert not side.errors, side.errors
    (snapshot,) = side.snapshots
    return snapshot


def differing(source: str, url: str) -> set[str]:
    return {each.fact.key for each in compare(one(source), one(url)).differences}


def test_llama_cpp(installed: Installed, tmp_path: Path) -> None:
    python, port, model = installed("llama-cpp", "xllamacpp", "gguf", "numpy"), free_port(), tmp_path / "tiny.gguf"
    url = f"http://127.0.0.1:{port}"
    command = [str(python), str(HERE / "llama_cpp_server.txt"), str(model), str(port)]
    with running(command, f"{url}/health", tmp_path / "log"):
        snapshot = one(url)
        assert snapshot.engine is not None and snapshot.engine.name == "llama.cpp"
        assert snapshot.facts["runtime.max_model_len"].value == 256  # 512 for two slots
        assert snapshot.facts["model.id"].value == str(model)
        asked = f"cmd:llama-server -m {model} -c 512 -np 2 -a tiny --no-warmup --metrics"
        assert differing(asked, url) == set()
        assert differing(asked.replace("-c 512", "-c 1024"), url) == {"runtime.max_model_len"}


def test_golden_outputs_of_llama_cpp(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new process with the same weights agrees; other weights under the same name do not."""
    monkeypatch.chdir(tmp_path)
    python = installed("llama-cpp", "xllamacpp", "gguf", "numpy")
    inputs: list[object] = ["Hello", "Once upon a time", {"messages": [{"role": "user", "content": "12 + 30 ="}]}]
    Path("inputs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in inputs), encoding="utf-8")
    Path("prompts.jsonl").write_text('{"prompt": "The quick brown"}\n', encoding="utf-8")
    found: dict[str, int] = {}
    for turn, weights in (("first", "0"), ("again", "0"), ("other", "1")):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [str(python), str(HERE / "llama_cpp_server.txt"), str(tmp_path / "tiny.gguf"), str(port), weights]
        with running(command, f"{url}/health", tmp_path / "log"):
            if turn == "first":
                for given, file in (("inputs.jsonl", "chat.json"), ("prompts.jsonl", "completions.json")):
                    words = ["golden", "record", url, "--inputs", given, "-o", file, "--max-tokens", "12"]
                    assert run(words) == 0, capsys.readouterr().err
            for file in ("chat.json", "completions.json"):
                found[f"{turn} {file}"] = run(["golden", "verify", file, url])
    golden = json.loads(Path("chat.json").read_text(encoding="utf-8"))
    assert golden["api"] == "chat" and golden["served"]["runtime.engine.name"] == "llama.cpp"
    assert all(case["stable"] and len(case["output"]["tokens"]) > 1 for case in golden["cases"])
    assert list(found.values()) == [0, 0, 0, 0, 1, 1], capsys.readouterr().out


def test_triton(installed: Installed, tmp_path: Path) -> None:
    python, port = installed("triton", "nvidia-pytriton"), free_port()
    home = next(python.parents[1].glob("lib/python*/site-packages"))
    release = home.parent.name.removeprefix("python")
    shutil.copytree(home / "pytriton/tritonserver/backends", tmp_path / "backends")
    stub = home / "pytriton/tritonserver/python_backend_stubs" / release / "triton_python_backend_stub"
    shutil.copy(stub, tmp_path / "backends/python")
    folder = tmp_path / "models/doubler"
    (folder / "1").mkdir(parents=True)
    (folder / "1/model.py").write_text(MODEL, encoding="utf-8")
    (folder / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = [
        str(home / "pytriton/tritonserver/bin/tritonserver"), f"--model-repository={tmp_path / 'models'}",
        f"--backend-directory={tmp_path / 'backends'}", "--http-address=127.0.0.1", f"--http-port={port}",
        "--allow-grpc=false", "--allow-metrics=false",
    ]  # fmt: skip
    env = {
        "LD_LIBRARY_PATH": str(home / "nvidia_pytriton.libs"), "CUDA_VISIBLE_DEVICES": "",
        "PATH": f"{python.parent}:/usr/bin:/bin",
    }  # fmt: skip
    with running(command, f"{url}/v2/health/ready", tmp_path / "log", env):
        snapshot = one(url)
        assert snapshot.engine is not None and snapshot.engine.name == "triton" and snapshot.engine.version
        assert snapshot.facts["runtime.max_num_seqs"].value == 16
        assert snapshot.facts["runtime.instances"].value == 2
        file = folder / "config.pbtxt"
        assert differing(str(file), url) == set()
        file.write_text(CONFIG.replace("max_batch_size: 16", "max_batch_size: 8"), encoding="utf-8")
        assert differing(str(file), url) == {"runtime.max_num_seqs"}
        row = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.1, 2.5]}]}
        inputs, golden = tmp_path / "rows.jsonl", tmp_path / "golden.json"
        inputs.write_text(json.dumps(row), encoding="utf-8")
        assert run(["golden", "record", url, "--inputs", str(inputs), "-o", str(golden)]) == 0
        recorded = json.loads(golden.read_text(encoding="utf-8"))
        assert (recorded["api"], recorded["model"]) == ("v2", "doubler")
        assert recorded["cases"][0]["output"][0]["data"] == pytest.approx([0.2, 5.0])
        assert run(["golden", "verify", str(golden), url]) == 0


def test_mlserver(installed: Installed, tmp_path: Path) -> None:
    python, port = installed("mlserver", "mlserver==1.7.1", "uvloop<0.22"), free_port()
    settings = {
        "debug": False, "host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port(),
        "parallel_workers": 0,
    }  # fmt: skip
    model = {
        "name": "echo", "implementation": "echo_runtime.Echo",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}],
    }  # fmt: skip
    (tmp_path / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (tmp_path / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    (tmp_path / "echo_runtime.py").write_text(RUNTIME, encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = [str(python.parent / "mlserver"), "start", "."]
    with running(command, f"{url}/v2/models/echo/ready", tmp_path / "log", {"PYTHONPATH": str(tmp_path)}, tmp_path):
        snapshot = one(url)
        assert snapshot.engine is not None
        assert (snapshot.engine.name, snapshot.engine.version) == ("mlserver", "1.7.1")
        assert snapshot.facts["model.served_names"].value == ["echo"]
        assert differing(str(tmp_path / "model-settings.json"), url) == set()
