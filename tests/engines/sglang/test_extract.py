"""The extractor reads SGLang's arguments, variables, metrics and requests out of source text."""

from __future__ import annotations

from pathlib import Path

from tools.engines.extract_sglang import READER, release

SERVER_ARGS = """
import dataclasses
CHOICES = ["auto", "fast"]
@dataclasses.dataclass
class ServerArgs:
    model_path: str
    tokenizer_mode: str = "auto"
    trust_remote_code: bool = True
    mem_fraction_static: float = None
    size: int = 4 * 1024
    def __post_init__(self):
        # a comment
        self.mem_fraction_static = 0.88
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--model-path", "--model", type=str, required=True)
        parser.add_argument("--tokenizer-mode", type=str, default=ServerArgs.tokenizer_mode)
        parser.add_argument("--trust-remote-code", action="store_true", help="x")
        parser.add_argument("--mem-fraction-static", type=float, default=ServerArgs.mem_fraction_static)
        parser.add_argument("--size", type=int, default=ServerArgs.size)
        parser.add_argument("--lora-paths", type=str, nargs="*", default=None)
        parser.add_argument("--extra", type=json.loads, default=None)
        parser.add_argument("--old", action=DeprecatedAction, help="use --new")
        parser.add_argument("--older", action=DeprecatedStoreTrueAction, new_flag="--new")
class DeprecatedAction(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        raise ValueError(self.help)

def after():
    pass
"""
FIELDS = """
class Serving(msgspec.Struct):
    host: A[str, "The host."] = "127.0.0.1"
    stream: A[bool, "Stream."] = False
    page_size: A[Optional[int], Arg(help="x", resolvable=True)] = None
    ratio: A[Optional[float], Arg(help="x", fallback=0.8)] = None
    tp_size: A[int, Arg(help="x", cli_name="--tensor-parallel-size", aliases=["--tp"])] = 1
    sizes: A[Optional[List[int]], "Sizes."] = None
    hidden: A[str, Arg(no_cli=True)] = "x"
"""
ENVIRON = """
class Envs:
    SGLANG_FAST = EnvBool(True)
    SGLANG_LIMIT = EnvInt(2 * 8)
    SGLANG_DG_CACHE_DIR = EnvStr("/c")
    SGLANG_NEW = EnvBoolWithAlias(False, deprecated_name="SGLANG_OLD")
    SGLANG_RUN_IN_CI = EnvBool(False)
_DEPRECATED = {"SGLANG_GONE": _DeprecatedEnv(note="x"), "SGLANG_MOVED": _DeprecatedEnv("SGLANG_NEW")}
for key in os.environ:
    if key.startswith("SGL_"):
        pass
"""
COLLECTOR = """
a = Counter(name="sglang:num_requests", documentation="x")
b = Gauge("sglang:token_usage", "x")
c = other("sglang:not_a_metric")
"""
PROTOCOL = """
class ChatCompletionRequest(BaseModel):
    messages: List[Message]
    temperature: Optional[float] = None
    n: int = 1
    max_tokens: Optional[int] = Field(default=None, description="x")
    _DEFAULT_SAMPLING_PARAMS = {"temperature": 1.0}
"""
SAMPLING = """
TOP_K_ALL = 1 << 30
class SamplingParams:
    def __init__(self, max_new_tokens: int = 128, top_k: int = -1):
        pass
"""


def unpacked(home: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return home


def test_arguments_of_calls(tmp_path: Path) -> None:
    found = release(unpacked(tmp_path, {"sglang/srt/server_args.py": SERVER_ARGS}))["arguments"]
    place = "sglang/srt/server_args.py:"
    assert {name: {key: value for key, value in entry.items() if key != "at"} for name, entry in found.items()} == {
        "--model-path": {"kind": "rule", "names": ["--model"]},
        "--tokenizer-mode": {"value": "auto"},
        "--trust-remote-code": {"value": False, "takes": "switch", "field": True},
        "--mem-fraction-static": {"kind": "rule"},
        "--size": {"value": 4096},
        "--lora-paths": {"takes": "list"},
        "--extra": {"takes": "json"},
        "--older": {"value": False, "takes": "switch"},
    }
    assert found["--size"]["at"] == place + "20"


def test_a_retired_argument_that_only_warns_is_still_taken(tmp_path: Path) -> None:
    text = SERVER_ARGS.replace("raise ValueError(self.help)", "print(self.help)")
    assert "--old" in release(unpacked(tmp_path, {"sglang/srt/server_args.py": text}))["arguments"]


def test_arguments_of_annotated_fields(tmp_path: Path) -> None:
    files = {"sglang/srt/server_args.py": "class ServerArgs: pass", "sglang/srt/arg_groups/fields/serving.py": FIELDS}
    files["sglang/srt/arg_groups/hook.py"] = 'def handle(a):\n    return {"page_size": 1}\n'
    found = release(unpacked(tmp_path, files))["arguments"]
    assert {name: {key: value for key, value in entry.items() if key != "at"} for name, entry in found.items()} == {
        "--host": {"value": "127.0.0.1"},
        "--stream": {"value": False, "takes": "switch"},
        "--page-size": {"kind": "rule"},
        "--ratio": {"value": 0.8, "field": None},
        "--tensor-parallel-size": {"value": 1, "names": ["--tp"]},
        "--sizes": {"takes": "list"},
    }


def test_variables(tmp_path: Path) -> None:
    reads = """
a = os.getenv("SGLANG_A", "1")
b = get_bool_env_var("SGLANG_B")
c = os.environ["SGLANG_C"]
os.environ["SGLANG_SET"] = "1"
d = "SGLANG_D" in os.environ
e = os.environ.get(
    "SGLANG_E", str(x)
)
f = os.getenv("OTHER", "1")
"""
    found = release(
        unpacked(
            tmp_path,
            {"sglang/srt/server_args.py": "", "sglang/srt/environ.py": ENVIRON, "sglang/srt/utils.py": reads},
        )
    )["variables"]
    assert {name: entry.get("value", entry.get("kind")) for name, entry in found.items()} == {
        "SGLANG_FAST": True,
        "SGLANG_LIMIT": 16,
        "SGLANG_DG_CACHE_DIR": "/c",
        "SGL_DG_CACHE_DIR": "/c",
        "SGLANG_NEW": False,
        "SGLANG_OLD": False,
        "SGLANG_MOVED": None,
        "SGLANG_A": 1,
        "SGLANG_B": False,
        "SGLANG_C": None,
        "SGLANG_D": None,
        "SGLANG_E": None,
    }
    assert found["SGLANG_E"]["at"] == "sglang/srt/utils.py:7"


def test_metrics_requests_packages_and_rules(tmp_path: Path) -> None:
    files = {
        "sglang/srt/server_args.py": SERVER_ARGS,
        "sglang/srt/metrics/collector.py": COLLECTOR,
        "sglang/srt/entrypoints/openai/protocol.py": PROTOCOL,
        "sglang/srt/sampling/sampling_params.py": SAMPLING,
        "sglang-1.dist-info/METADATA": "Name: sglang\nRequires-Dist: torch==2.9.1\n"
        "Requires-Dist: flashinfer_python[cu13]==0.6\n"
        'Requires-Dist: sgl-kernel (>=0.1) ; extra == "srt"\nRequires-Dist: torchao==1; extra == "diffusion"\n',
    }
    found = release(unpacked(tmp_path, files))
    assert list(found["metrics"]) == ["sglang:num_requests_total", "sglang:token_usage"]
    assert {name: entry.get("value") for name, entry in found["requests"].items()} == {
        "/generate sampling_params.max_new_tokens": 128,
        "/generate sampling_params.top_k": -1,
        "/v1/chat/completions max_tokens": None,
        "/v1/chat/completions messages": None,
        "/v1/chat/completions n": 1,
        "/v1/chat/completions temperature": 1.0,
    }
    assert found["requests"]["/v1/chat/completions temperature"]["kind"] == "rule"
    assert {name: entry.get("value") for name, entry in found["packages"].items()} == {
        "flashinfer-python": "0.6",
        "sgl-kernel": ">=0.1",
        "torch": "2.9.1",
    }
    before = found["rules"]["__post_init__"]["digest"]
    unpacked(tmp_path, {"sglang/srt/server_args.py": SERVER_ARGS.replace("# a comment", "# another")})
    assert release(tmp_path)["rules"]["__post_init__"]["digest"] == before
    unpacked(tmp_path, {"sglang/srt/server_args.py": SERVER_ARGS.replace("0.88", "0.87")})
    assert release(tmp_path)["rules"]["__post_init__"]["digest"] != before


def test_the_reader_names_its_source() -> None:
    assert (READER.engine, READER.source.address) == ("sglang", "https://pypi.org/project/sglang/#history")
