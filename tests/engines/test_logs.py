"""Start-up logs of engines of which a few facts are seen. Values are invented, shapes are real."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from askew.engines._live import LOGS
from askew.engines.live import Log
from askew.facts.types import Value
from tests.engines.logs import excerpt, facts, obeys_the_laws, observed, told

CASES: tuple[tuple[str, str, dict[str, Value]], ...] = (
    ("tf-serving", "tf_serving/small", {"model.served_names": ["birds", "pets"], "serving.port": 9000}),
    (
        "tei",
        "tei/1.8",
        {
            "runtime.dtype": "float16",
            "runtime.max_model_len": 512,
            "runtime.max_num_batched_tokens": 8192,
            "runtime.max_concurrent_requests": 256,
            "model.served_names": ["bge"],
            "serving.port": 3000,
        },
    ),
    ("infinity", "infinity/0.0.78", {"model.id": "org/bge-small", "runtime.max_num_seqs": 64, "serving.port": 7997}),
    (
        "lmdeploy",
        "lmdeploy/turbomind",
        {
            "runtime.engine.backend": "turbomind",
            "runtime.dtype": "bfloat16",
            "runtime.max_model_len": 32768,
            "runtime.max_num_seqs": 64,
            "runtime.tensor_parallel_size": 2,
            "runtime.kv_cache.block_size": 64,
            "runtime.gpu_memory_utilization": 0.7,
            "serving.port": 23333,
        },
    ),
    (
        "nim",
        "nim/1.0",
        {
            "runtime.engine.version": "1.0.3",
            "model.id": "org/small-instruct",
            "runtime.engine.backend": "vllm",
            "runtime.dtype": "float16",
            "runtime.tensor_parallel_size": 2,
            "runtime.max_model_len": 8192,
        },
    ),
    ("litellm", "litellm/proxy", {"model.served_names": ["chat-large", "embed"], "serving.port": 4000}),
    ("litserve", "litserve/small", {"serving.port": 8001}),
    (
        "ray-serve",
        "ray_serve/llm",
        {"runtime.dtype": "bfloat16", "runtime.kv_cache.tokens": 60000, "serving.port": 8000},
    ),
    ("mlserver", "mlserver/1.7", {"model.served_names": ["iris", "wine"], "serving.port": 8080}),
    (
        "kserve",
        "kserve/hf",
        {"model.served_names": ["small"], "runtime.max_model_len": 8192, "serving.port": 8080},
    ),
    ("bentoml", "bentoml/1.4", {"runtime.dtype": "float16", "runtime.max_model_len": 2048, "serving.port": 3000}),
    (
        "torchserve",
        "torchserve/0.12",
        {
            "runtime.engine.version": "0.12.0",
            "hardware.gpu.count": 2,
            "runtime.instances": 2,
            "serving.max_body.bytes": 1000000,
            "serving.port": 8085,
            "serving.listen_host": "0.0.0.0",
            "model.served_names": ["doubler"],
        },
    ),
)
SMALL = pytest.mark.parametrize(("engine", "name", "expected"), CASES, ids=[case[0] for case in CASES])


def log_of(engine: str) -> Log:
    found = import_module(f"askew.engines.{engine.replace('-', '_').replace('.', '_')}.log").LOG
    assert isinstance(found, Log)
    return found


@SMALL
def test_what_is_stated(engine: str, name: str, expected: dict[str, Value]) -> None:
    text = excerpt(name)
    found = facts(log_of(engine), text)
    assert {key: found.get(key) for key in expected} == expected
    assert found["runtime.engine.name"] == engine
    assert not any("canary" in repr(one) for one in observed(log_of(engine), text))


@SMALL
def test_laws(engine: str, name: str, expected: dict[str, Value]) -> None:
    obeys_the_laws(log_of(engine), excerpt(name))


def test_every_log_is_of_one_engine() -> None:
    here = Path(__file__).parent
    for path in sorted(here.glob("*/logs/*.log")):
        text = told(path.read_text(encoding="utf-8"))
        speaking = [engine for engine in LOGS if log_of(engine).speaks(text)]
        folder = path.parent.parent.name
        first = speaking[0].replace("-", "_").replace(".", "_") if speaking else ""
        assert first == folder, f"{path.name} of {folder} is taken for {speaking}"


def test_recorded_logs_are_of_one_engine(shared: Path) -> None:
    for path in sorted((shared / "recordings").rglob("startup.log")):
        text = told(path.read_text(encoding="utf-8", errors="replace"))
        speaking = [engine for engine in LOGS if log_of(engine).speaks(text)]
        assert len(speaking) == 1, f"{path} is taken for {speaking}"
        for one in log_of(speaking[0]).read(text):
            assert one.basis == "seen" and one.locations
