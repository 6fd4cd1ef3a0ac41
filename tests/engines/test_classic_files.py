"""Whatever a file of the servers of any model holds, reading it ends, and ends the same way twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.resolve.resolve import resolve
from tests.engines.files import launch

FILES = {
    "torchserve": ("/c/config.properties", "/c/model-config.yaml"),
    "mlserver": ("/c/settings.json", "/c/model-settings.json"),
    "bentoml": ("/c/bentoml_configuration.yaml", "/c/bentofile.yaml", "/c/service.py"),
    "mlflow": ("/c/gateway.yaml",),
    "litserve": ("/c/server.py",),
}
COMMANDS = {
    "torchserve": "torchserve --ts-config /c/config.properties",
    "mlserver": "mlserver start /c",
    "bentoml": "bentoml serve .",
    "mlflow": "mlflow gateway start --config-path /c/gateway.yaml",
    "litserve": "python /c/server.py",
}
CASES = [(engine, path) for engine, paths in FILES.items() for path in paths]
WORDS = """
models model_snapshot= load_models=a=b.mar minWorkers: 1 maxWorkers: batchSize: 0x1F torchrun: handler:
vllm_engine_config: "name": "parameters": {"extra": {"a": 1}} http_port 1e400 api_server: services: traffic:
timeout: -1 workers: ~ null [1, { } ] ( ) endpoints: - , : = \\ \\u12 $$X$$ !!python/object &a *a <<:
import LitServer( LitServer(**x) service(traffic={"timeout": run(port=9) " ' # \t \x00 \ud800 redacted:0123456789abcdef
"""
PIECES = st.sampled_from(WORDS.split(" "))
TEXTS = st.one_of(st.lists(PIECES, max_size=14).map(" ".join), st.lists(PIECES, max_size=14).map("\n".join), st.text())


@pytest.mark.parametrize(("engine", "path"), CASES)
@given(text=TEXTS)
def test_any_text_is_read(engine: str, path: str, text: str) -> None:
    for command in (COMMANDS[engine], ""):
        given_launch = launch(command, files={path: text})
        first, again = (registry.engine(engine).read(given_launch) for _ in range(2))
        assert (first.observations, first.problems) == (again.observations, again.problems)
        resolve(first.observations, first.rules)
        assert all(problem.locations for problem in first.problems)


BOMBS = (
    "[" * 50_000,
    '{"a":' * 50_000,
    "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)),
    "models={" + '"a":{' * 20_000,
    "k=" + "\\\n" * 100_000 + "v",
    "x" * 2_000_000,
    "\n".join(f"k{n}: {n}" for n in range(50_000)),
    "LitServer(" * 3_000,
    "class A(LitAPI):\n" * 5_000,
)


@pytest.mark.parametrize(("engine", "path"), CASES)
@pytest.mark.parametrize("bomb", range(len(BOMBS)))
def test_a_file_made_to_cost_ends(engine: str, path: str, bomb: int) -> None:
    reading = registry.engine(engine).read(launch(COMMANDS[engine], files={path: BOMBS[bomb]}))
    assert len(reading.observations) < 12_000
