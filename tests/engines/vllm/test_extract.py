"""The extractor reads arguments and defaults out of source text."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from askew.engines.versions import History
from askew.evidence.location import Location
from tools.engines import extract_vllm, literals, published, reader, releases, stable

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
    record = extract_vllm.release(tmp_path)
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


OLD = """
class EngineArgs:
    model: str = "org/m"
    swap_space: int = 4  # GiB
    enable_prefix_caching: Optional[bool] = None
    core: bool = False
    def __post_init__(self):
        if self.enable_prefix_caching is None:
            self.enable_prefix_caching = False
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--model", type=str, default=EngineArgs.model)
        parser.add_argument("--swap-space", type=int, default=EngineArgs.swap_space)
        parser.add_argument("--enable-prefix-caching", action="store_true", default=EngineArgs.enable_prefix_caching)
        parser.add_argument("--backend", default="new" if envs.VLLM_NEW else "old")
        parser.add_argument("--chunked", nargs="?", const="True", default=EngineArgs.core)
        parser.add_argument("--kept", action="store_true", default=True)
        for name, kind in [("--gone-one", str), ("--gone-two", bool)]:
            parser.add_argument(name, type=kind, deprecated=True)
class AsyncEngineArgs(EngineArgs):
    pass
"""
SERVER = """
def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--origins", type=json.loads, default=["*"])
    return parser.parse_args()
"""
METRICS = """
from prometheus_client import Gauge
class Loggers:
    def __init__(self):
        Gauge(name="vllm:num_requests_running")
        self._counter_cls(name="vllm:prompt_tokens")
        if self.show_hidden_metrics:
            Gauge(name="vllm:gpu_cache_usage_perc")
        else:
            Gauge(name="vllm:kv_cache_usage_perc")
"""
SERVE = """
class Serve:
    def subparser_init(self):
        serve_parser.add_argument("--headless", action="store_true")
        bench_parser.add_argument("--rate", type=int)
"""


def tree(root: Path, texts: dict[str, str]) -> Path:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_structures_of_old_releases(tmp_path: Path) -> None:
    source = tree(
        tmp_path,
        {
            "vllm/engine/arg_utils.py": OLD,
            "vllm/entrypoints/openai/api_server.py": SERVER,
            "vllm/entrypoints/cli/serve.py": SERVE,
            "vllm/v1/metrics/loggers.py": METRICS,
            "vllm/envs.py": 'environment_variables = {"VLLM_NEW": lambda: bool(int(os.getenv("VLLM_NEW", "1"))),\n'
            '"VLLM_OLD": old_env("VLLM_OLD", "v0.23", lambda: os.environ.get("VLLM_OLD", "2")),\n'
            '"VLLM_SET": lambda: bool(os.environ["VLLM_SET"]) if "VLLM_SET" in os.environ else True,\n'
            '"VLLM_MADE": lambda: make()}',
        },
    )
    record = extract_vllm.release(source)
    arguments = record["arguments"]
    assert {name: (one["takes"], one.get("value"), one.get("kind", "literal")) for name, one in arguments.items()} == {
        "--backend": ("value", "new", "literal"),
        "--chunked": ("optional", False, "literal"),
        "--enable-prefix-caching": ("switch", None, "rule"),
        "--gone-one": ("value", None, "literal"),
        "--gone-two": ("value", None, "literal"),
        "--headless": ("switch", False, "literal"),
        "--kept": ("switch", True, "literal"),
        "--model": ("value", "org/m", "literal"),
        "--origins": ("json", ["*"], "literal"),
        "--port": ("value", 8000, "literal"),
        "--swap-space": ("value", 4, "literal"),
    }  # fmt: skip
    assert {name: (one.get("value"), one.get("kind", "")) for name, one in record["variables"].items()} == {
        "VLLM_MADE": (None, "rule"),
        "VLLM_NEW": ("1", ""),
        "VLLM_OLD": ("2", ""),
        "VLLM_SET": (True, ""),
    }
    assert {name: one.get("hidden", False) for name, one in record["metrics"].items()} == {
        "vllm:gpu_cache_usage_perc": True,
        "vllm:kv_cache_usage_perc": False,
        "vllm:num_requests_running": False,
        "vllm:prompt_tokens_total": False,
    }


def test_a_source_that_is_no_release_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no vllm/engine/arg_utils\.py. Hint: give the unpacked sdist"):
        extract_vllm.release(tmp_path)


def test_a_digest_ignores_comments_and_layout() -> None:
    digest = literals.digest("def f(x):\n    return x + 1\n")
    assert digest == literals.digest("def f( x ):\n    # why\n    return x+1\n")
    assert digest != literals.digest("def f(x):\n    return x + 2\n")


def content(arguments: dict[str, dict[str, object]]) -> reader.Content:
    return {"arguments": arguments, "variables": {}, "metrics": {}, "rules": {}}


def test_only_changes_are_kept_and_where_they_began() -> None:
    contents = [
        content({"--a": {"at": "x.py:1", "value": 1}, "--b": {"at": "x.py:2"}}),
        content({"--a": {"at": "x.py:9", "value": 1}}),
        content({"--a": {"at": "x.py:9", "value": 2}, "--b": {"at": "x.py:3"}}),
    ]
    text = releases.text("vllm", "vllm", ["1.0", "1.1", "2.0"], contents)
    assert text == releases.text("vllm", "vllm", ["1.0", "1.1", "2.0"], contents)
    history = msgspec.json.decode(text, type=History)
    assert [(index, state and (state.value, state.at)) for index, state in history.arguments["--a"]] == [
        (0, (1, "x.py:1")),
        (2, (2, "x.py:9")),
    ]
    assert [index for index, state in history.arguments["--b"] if state is None] == [1]
    assert history.spans("--b") == (("", "1.1"), ("2.0", ""))
    assert history.at(1).arguments.keys() == {"--a"}
    assert history.at(1).where(history.at(1).arguments["--a"]) == Location("vllm 1.0 x.py", line=1)


def test_what_never_differed_is_stable() -> None:
    contents = [
        content({"--a": {"value": 1}, "--b": {"value": False}, "--c": {"kind": "rule"}, "--d": {"value": 1}}),
        content({"--a": {"value": 1}, "--b": {}, "--c": {}, "--d": {"value": 2}, "--e": {"value": "x"}}),
    ]
    assert stable.record("vllm", "https://example.org", ["1", "2"], contents)["defaults"] == {
        "--a": 1,
        "--b": False,
        "--e": "x",
    }


def test_an_archive_writes_text_of_the_package_and_nothing_else(tmp_path: Path) -> None:
    archive = tmp_path / "p.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("p-1/p/a.py", "p-1/../../escape.py", "p-1/p/tests/b.py", "p-1/p/c.so", "p-1/docker/Dockerfile"):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"#"))
    into = tmp_path / "text"
    into.mkdir()
    published.unpack(archive, into)
    assert sorted(str(path.relative_to(into)) for path in into.rglob("*") if path.is_file()) == [
        "docker/Dockerfile",
        "p/a.py",
    ]
    assert not list(tmp_path.parent.glob("escape.py"))


def test_a_release_in_the_cache_is_not_downloaded_again(tmp_path: Path) -> None:
    (tmp_path / "p" / "1.0").mkdir(parents=True)
    assert published.fetch("p", "1.0", tmp_path) == tmp_path / "p" / "1.0"


def write(root: Path, files: dict[str, str]) -> extract_vllm.Source:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return extract_vllm.Source(root)


def test_what_a_request_gets_that_leaves_a_field_out(tmp_path: Path) -> None:
    text = """
class OpenAIBaseModel(BaseModel):
    model_config = ConfigDict(extra="allow")
class ChatCompletionRequest(OpenAIBaseModel):
    messages: list[str]
    temperature: float | None = None
    top_k: int | None = -1
    stop: list[str] | None = Field(default_factory=list)
    request_id: str = Field(default_factory=lambda: f"{random_uuid()}")
    _DEFAULT_SAMPLING_PARAMS: ClassVar[dict] = {"temperature": 1.0, "top_p": 1.0}
class CompletionRequest(OpenAIBaseModel):
    max_tokens: int | None = 16
"""
    path = "vllm/entrypoints/openai/protocol.py"
    found = extract_vllm.requests(write(tmp_path, {path: text}))
    assert found == {
        "chat/completions.messages": {"at": f"{path}:5"},
        "chat/completions.temperature": {"at": f"{path}:6", "value": 1.0},
        "chat/completions.top_k": {"at": f"{path}:7", "value": 0},
        "chat/completions.stop": {"at": f"{path}:8", "value": []},
        "chat/completions.request_id": {"at": f"{path}:9", "kind": "rule"},
        "completions.max_tokens": {"at": f"{path}:12", "value": 16},
    }


def test_what_a_release_is_installed_with(tmp_path: Path) -> None:
    files = {
        "requirements/cuda.txt": "-r common.txt\ntorch==2.9.1\nflashinfer-python[x] == 0.5.2 # why\n",
        "requirements/common.txt": "transformers < 5, >= 4.56.0\npillow\nxgrammar == 0.1.27; sys_platform\n",
        "docker/Dockerfile": 'ARG CUDA_VERSION=12.9.1\nENTRYPOINT ["./other.sh"]\nENTRYPOINT ["vllm", "serve"]\n',
    }
    source = write(tmp_path, files)
    assert extract_vllm.packages(source) == {
        "torch": {"at": "requirements/cuda.txt:2", "value": "2.9.1"},
        "flashinfer-python": {"at": "requirements/cuda.txt:3", "value": "0.5.2"},
        "transformers": {"at": "requirements/common.txt:1", "value": ">=4.56.0,<5"},
        "xgrammar": {"at": "requirements/common.txt:3", "value": "0.1.27"},
        "cuda": {"at": "docker/Dockerfile:1", "value": "12.9.1"},
    }
    assert extract_vllm.image_entrypoint(source) == {"at": "docker/Dockerfile:3", "value": "vllm serve"}
    assert extract_vllm.image_entrypoint(write(tmp_path / "wheel", {"vllm/x.py": ""})) == {}


def test_a_metric_names_its_heir(tmp_path: Path) -> None:
    text = 'import prometheus_client\ng = Gauge(name="vllm:gpu_cache_usage_perc")\nh = Gauge(name="vllm:other")\n'
    found = extract_vllm.metrics(write(tmp_path, {"vllm/v1/metrics/loggers.py": text}))
    assert found["vllm:gpu_cache_usage_perc"]["heir"] == "vllm:kv_cache_usage_perc"
    assert "heir" not in found["vllm:other"]
