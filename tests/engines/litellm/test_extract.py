"""Reading the source of LiteLLM's releases."""

from __future__ import annotations

from pathlib import Path

from tools.engines.extract_litellm import read


def write(root: Path, path: str, text: str) -> None:
    target = root / "litellm" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def test_options_settings_and_variables(tmp_path: Path) -> None:
    write(
        tmp_path,
        "constants.py",
        "DEFAULT_WORKERS = int(os.getenv('DEFAULT_WORKERS', 4))\n"
        "DEFAULT_MAX_RETRIES = 2\n"
        "request_timeout: float = float(os.getenv('REQUEST_TIMEOUT', 6000))\n",
    )
    write(tmp_path, "__init__.py", "drop_params: bool = False\nallowed_fails: int = 3\n_hidden = 1\n")
    write(
        tmp_path,
        "proxy/proxy_cli.py",
        "@click.command()\n"
        "@click.option('--port', default=4000, envvar='PORT')\n"
        "@click.option('--num_workers', default=DEFAULT_WORKERS)\n"
        "@click.option('--model', '-m', default=None)\n"
        "@click.option('--debug', is_flag=True, default=False)\n"
        "def run_server(port):\n    pass\n",
    )
    write(
        tmp_path,
        "router.py",
        "class Router:\n"
        "    def __init__(self, model_list=None, num_retries=None, cooldown_time=None, "
        "routing_strategy='simple-shuffle'):\n"
        "        pass\n"
        "    def _get_stream_timeout(self):\n        return 1\n",
    )
    write(tmp_path, "router_utils/cooldown_handlers.py", "DEFAULT_COOLDOWN_TIME_SECONDS = 5\n")
    write(tmp_path, "proxy/_types.py", "class ConfigGeneralSettings:\n    master_key: str | None = Field(None)\n")
    found = read(tmp_path)
    arguments = found["arguments"]
    assert arguments["--port"] == {"value": 4000, "at": "litellm/proxy/proxy_cli.py:2"}
    assert arguments["--num_workers"]["value"] == 4
    assert arguments["--model"]["names"] == ["-m"]
    assert arguments["--debug"]["takes"] == "switch"
    assert arguments["router_settings.routing_strategy"] == {"value": "simple-shuffle", "at": "litellm/router.py:2"}
    assert arguments["litellm_settings.request_timeout"] == {"value": 6000, "at": "litellm/constants.py:3"}
    assert arguments["litellm_settings.drop_params"] == {"value": False, "at": "litellm/__init__.py:1"}
    assert "litellm_settings._hidden" not in arguments
    assert arguments["general_settings.master_key"]["value"] is None
    assert arguments["router num_retries"] == {"value": 2, "at": "litellm/constants.py:2"}
    assert arguments["router cooldown_time"]["value"] == 5
    assert {"PORT", "REQUEST_TIMEOUT", "DEFAULT_WORKERS"} <= found["variables"].keys()
    assert found["rules"]["_get_stream_timeout"]["at"] == "litellm/router.py:4"
