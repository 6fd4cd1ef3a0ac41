"""Reading the source of the router's releases."""

from __future__ import annotations

from pathlib import Path

from tools.engines.extract_production_stack_router import read


def write(root: Path, path: str, text: str) -> None:
    target = root / "src/vllm_router" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def test_arguments_and_the_time_of_a_request(tmp_path: Path) -> None:
    write(
        tmp_path,
        "parsers/parser.py",
        "parser.add_argument('--port', type=int, default=8001)\n"
        "parser.add_argument('--log-stats', action='store_true')\n"
        "parser.add_argument('--version', action='version')\n",
    )
    write(
        tmp_path,
        "services/request_service/request.py",
        "async def process_request():\n    client.request(timeout=aiohttp.ClientTimeout(total=None))\n",
    )
    arguments = read(tmp_path)["arguments"]
    assert arguments["--port"] == {"value": 8001, "at": "src/vllm_router/parsers/parser.py:1"}
    assert arguments["--log-stats"]["takes"] == "switch"
    assert "--version" not in arguments
    assert arguments["request timeout"] == {
        "value": "unlimited",
        "at": "src/vllm_router/services/request_service/request.py:2",
    }


def test_the_older_place_and_a_limit(tmp_path: Path) -> None:
    write(
        tmp_path,
        "router.py",
        "parser.add_argument('--k8s-port', default=8000)\n"
        "async def process_request():\n    client.stream('POST', url, timeout=300)\n",
    )
    arguments = read(tmp_path)["arguments"]
    assert arguments["--k8s-port"]["value"] == 8000
    assert arguments["request timeout"] == {"value": 300, "at": "src/vllm_router/router.py:3"}
