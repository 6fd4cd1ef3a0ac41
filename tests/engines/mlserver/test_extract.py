"""Reading MLServer's source as text."""

from __future__ import annotations

from tools.engines.extract_mlserver import fields

SOURCE = """\
PORT = 8080
class Settings(BaseSettings):
    class Config:
        env_prefix = "MLSERVER_"

    debug: bool = True
    http_port: int = PORT
    where: str = os.getcwd()
    _private: int = 3


class ModelSettings(BaseSettings):
    implementation_: str = Field(alias="implementation")
    parallel_workers: Optional[int] = Field(4, deprecated=True)


class Other:
    not_read: int = 1
"""


def test_fields_have_their_defaults_lines_and_variables() -> None:
    arguments, variables = fields(SOURCE, "s.py")
    assert arguments == {
        "debug": {"at": "s.py:6", "value": True},
        "http_port": {"at": "s.py:7", "value": 8080},
        "where": {"at": "s.py:8", "kind": "rule"},
        "model implementation": {"at": "s.py:13"},
        "model parallel_workers": {"at": "s.py:14", "value": 4},
    }
    assert variables["MLSERVER_HTTP_PORT"] == {"at": "s.py:7"}
    assert set(variables) >= {"MLSERVER_MODEL_IMPLEMENTATION", "MLSERVER_MODEL_PARALLEL_WORKERS"}
