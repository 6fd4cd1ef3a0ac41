"""Reading LitServe's source as text."""

from __future__ import annotations

from tools.engines.extract_litserve import signatures

SOURCE = """\
class LitServer:
    def __init__(
        self,
        lit_api,
        devices="auto",
        timeout=30,
        *,
        spec=None,
        own=make(),
    ):
        pass

    def run(self, port=8000, **kwargs):
        pass

    def other(self, not_read=1):
        pass
"""


def test_signatures_have_defaults_and_lines() -> None:
    assert signatures(SOURCE, "s.py") == {
        "LitServer.devices": {"at": "s.py:5", "value": "auto"},
        "LitServer.timeout": {"at": "s.py:6", "value": 30},
        "LitServer.spec": {"at": "s.py:8"},
        "LitServer.own": {"at": "s.py:9", "kind": "rule"},
        "run.port": {"at": "s.py:13", "value": 8000},
    }
