"""The extractor reads arguments and defaults out of source text."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

TOOL = Path(__file__).resolve().parents[3] / "tools/engines/extract_vllm.py"

ARG_UTILS = """
from vllm.config import CacheConfig, ModelConfig, get_kwargs
class EngineArgs:
    def add_cli_args(parser):
        model_kwargs = get_kwargs(ModelConfig)
        model_kwargs["seed"]["default"] = 7
        group = parser.add_argument_group()
        group.add_argument("--dtype", **model_kwargs["dtype"])
        group.add_argument("--seed", **model_kwargs["seed"])
        group.add_argument("--max-model-len", **model_kwargs["max_model_len"])
        cache_kwargs = get_kwargs(CacheConfig)
        group.add_argument("-b", "--block-size", **cache_kwargs["block_size"])
        group.add_argument("--sizes", **cache_kwargs["sizes"])
        group.add_argument("--compile", **cache_kwargs["compile"])
    def other(self):
        self.max_model_len = 4096
class AsyncEngineArgs(EngineArgs):
    def add_cli_args(parser):
        parser.add_argument("--quiet", action="store_true")
"""
CONFIG = """
from dataclasses import field
from pydantic import Field
from typing import Literal
from .nested import Compile
BlockSize = Literal[8, 16]
class ModelConfig:
    dtype: str = "auto"
    seed: int | None = None
    max_model_len: int = Field(default=None)
class CacheConfig:
    block_size: BlockSize = 2 ** 4
    sizes: list[int] = field(default_factory=list)
    compile: Compile = field(default_factory=Compile)
"""
FRONT = """
import vllm.envs as envs
class BaseFrontendArgs:
    port: int = 8000
    api_key: list[str] | None = None
class FrontendArgs(BaseFrontendArgs):
    debug: bool = envs.VLLM_DEBUG
def make_arg_parser(parser):
    parser.add_argument("--headless", action="store_true")
    return parser
"""
ENVS = """
environment_variables = {
    "VLLM_DEBUG": lambda: os.getenv("VLLM_DEBUG", "0"),
    "VLLM_HOST_IP": lambda: os.getenv("VLLM_HOST_IP"),
}
"""


def test_a_small_source_tree(tmp_path: Path) -> None:
    texts = {
        "vllm/engine/arg_utils.py": ARG_UTILS,
        "vllm/config/__init__.py": CONFIG,
        "vllm/config/nested.py": "class Compile:\n    mode: int = 3\n",
        "vllm/entrypoints/common/cli_args.py": FRONT,
        "vllm/envs.py": ENVS,
    }
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    spec = importlib.util.spec_from_file_location("extract_vllm", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    out = tmp_path / "out.json"
    assert tool.main(["--source", str(tmp_path), "--version", "9.9.9", "--out", str(out)]) == 0
    record = json.loads(out.read_text())
    arguments = record["arguments"]
    assert {
        name: (entry["takes"], entry.get("value"), entry.get("kind", "literal")) for name, entry in arguments.items()
    } == {
        "--api-key": ("list", None, "literal"),
        "--block-size": ("value", 16, "literal"),
        "--compile": ("json", {}, "literal"),
        "--debug": ("toggle", "0", "literal"),
        "--dtype": ("value", "auto", "literal"),
        "--headless": ("switch", False, "literal"),
        "--max-model-len": ("value", None, "rule"),
        "--port": ("value", 8000, "literal"),
        "--quiet": ("switch", False, "literal"),
        "--seed": ("value", 7, "literal"),
        "--sizes": ("list", [], "literal"),
    }
    assert arguments["--block-size"]["names"] == ["--block-size", "-b"]
    assert arguments["--dtype"]["at"] == "vllm/config/__init__.py:8"
    assert record["variables"] == {
        "VLLM_DEBUG": {"at": "vllm/envs.py:3", "value": "0"},
        "VLLM_HOST_IP": {"at": "vllm/envs.py:4"},
    }
