"""The extractor of LMDeploy reads declarations as text."""

from __future__ import annotations

from pathlib import Path

from tools.engines.extract_lmdeploy import READER, release

SERVE = """
class SubCliServe:
    @staticmethod
    def add_parser_api_server():
        parser.add_argument('model_path', type=str)
        parser.add_argument('--server-port', type=int, default=23333)
        parser.add_argument('--ssl', action='store_true')
        ArgumentHelper.tp(parser)
        ArgumentHelper.session_len(parser, default=4096)
        ArgumentHelper.dtype(parser)
        ArgumentHelper.spec(parser)
        ArgumentHelper.lost(parser)

    @staticmethod
    def add_parser_proxy():
        parser.add_argument('--strategy', default='x')
"""
HELPERS = """
class ArgumentHelper:
    @staticmethod
    def tp(parser):
        return parser.add_argument('--tp', type=int, default=1)

    @staticmethod
    def session_len(parser, default: int = None):
        return parser.add_argument('--session-len', default=default)

    @staticmethod
    def dtype(parser, default: str = 'auto'):
        return parser.add_argument('--dtype', default=default, choices=['auto'])

    @staticmethod
    def spec(parser):
        group = parser.add_argument_group('s')
        group.add_argument('--draft', default=None)
        group.add_argument('-k', '--keys', nargs='*', default=compute())
"""


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_arguments_are_followed_into_helpers(tmp_path: Path) -> None:
    write(tmp_path, "lmdeploy/cli/serve.py", SERVE)
    write(tmp_path, "lmdeploy/cli/utils.py", HELPERS)
    found = release(tmp_path)["arguments"]
    assert set(found) == {"--server-port", "--ssl", "--tp", "--session-len", "--dtype", "--draft", "--keys"}
    assert found["--server-port"] == {"at": "lmdeploy/cli/serve.py:6", "value": 23333}
    assert found["--ssl"] == {"at": "lmdeploy/cli/serve.py:7", "takes": "switch", "value": False}
    assert found["--tp"]["value"] == 1
    assert found["--session-len"]["value"] == 4096, "what the call passes is the default"
    assert found["--dtype"] == {"at": "lmdeploy/cli/utils.py:13", "value": "auto", "kind": "rule"}
    assert found["--keys"] == {
        "at": "lmdeploy/cli/utils.py:19", "takes": "list", "kind": "rule", "names": ["-k"],
    }  # fmt: skip


def test_metrics_requests_pins_and_variables(tmp_path: Path) -> None:
    write(
        tmp_path,
        "lmdeploy/metrics/loggers.py",
        "import prometheus_client as p\n"
        "a = p.Counter(name='lmdeploy:tokens')\nb = p.Gauge(name='lmdeploy:running')\n"
        "c = p.Histogram(name='lmdeploy:ttft')\nd = p.Counter(name='lmdeploy:done_total')\n",
    )
    write(
        tmp_path,
        "lmdeploy/serve/openai/protocol.py",
        "class ChatCompletionRequest(BaseModel):\n    model: str\n    temperature: Optional[float] = 0.7\n"
        "    top_k: Optional[int] = Field(default=None)\n    other: int = made()\n",
    )
    write(
        tmp_path,
        "lmdeploy-1.dist-info/METADATA",
        "Name: lmdeploy\nRequires-Dist: accelerate>=0.29\nRequires-Dist: torch<=2.8.0,>=2.0.0\n"
        "Requires-Dist: peft (<=0.14.0)\nRequires-Dist: fastapi\nRequires-Dist: triton==3; extra == 'all'\n",
    )
    write(tmp_path, "lmdeploy/envs.py", "x = os.getenv('LMDEPLOY_SKIP_WARMUP', '0')\n")
    found = release(tmp_path)
    assert set(found["metrics"]) == {
        *("lmdeploy:tokens_total", "lmdeploy:running", "lmdeploy:done_total"),
        *("lmdeploy:ttft_bucket", "lmdeploy:ttft_sum", "lmdeploy:ttft_count"),
    }
    assert found["requests"]["temperature"]["value"] == 0.7
    assert "value" not in found["requests"]["top_k"]
    assert "other" not in found["requests"]
    pins = {name: state["value"] for name, state in found["packages"].items()}
    assert pins == {"accelerate": ">=0.29", "torch": "<=2.8.0,>=2.0.0", "peft": "<=0.14.0"}
    assert set(found["variables"]) == {"LMDEPLOY_SKIP_WARMUP"}


def test_architectures_of_turbomind(tmp_path: Path) -> None:
    write(
        tmp_path,
        "lmdeploy/turbomind/supported_models.py",
        "SUPPORTED_ARCHS = dict(\n    LlamaForCausalLM='llama',\n    Qwen2ForCausalLM='qwen2')\nOTHER = dict(x=1)\n",
    )
    assert release(tmp_path)["arguments"] == {
        "turbomind LlamaForCausalLM": {"at": "lmdeploy/turbomind/supported_models.py:2", "value": True},
        "turbomind Qwen2ForCausalLM": {"at": "lmdeploy/turbomind/supported_models.py:3", "value": True},
    }


def test_rules_have_a_digest_of_their_words(tmp_path: Path) -> None:
    write(tmp_path, "lmdeploy/utils.py", "def get_max_batch_size(d):\n    return 128  # plain\n")
    first = release(tmp_path)["rules"]["lmdeploy/utils.py:get_max_batch_size"]["digest"]
    write(tmp_path, "lmdeploy/utils.py", "\ndef get_max_batch_size(d):\n    return 128\n")
    assert release(tmp_path)["rules"]["lmdeploy/utils.py:get_max_batch_size"]["digest"] == first
    write(tmp_path, "lmdeploy/utils.py", "def get_max_batch_size(d):\n    return 256\n")
    assert release(tmp_path)["rules"]["lmdeploy/utils.py:get_max_batch_size"]["digest"] != first


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "lmdeploy").mkdir()
    assert all(not things for things in release(tmp_path).values())
    assert READER.engine == "lmdeploy"
