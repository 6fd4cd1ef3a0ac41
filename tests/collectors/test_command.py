"""``cmd:`` keeps the command as it was typed, without its secrets."""

from __future__ import annotations

from askew.collectors.command import COLLECTOR
from askew.collectors.interface import Evidence, Request
from askew.evidence.redaction import Redactor


def collect(command: str) -> Evidence:
    return COLLECTOR.collect(Request(uri=f"cmd:{command}", scheme="cmd", target=command), Redactor())


def test_the_command_is_the_evidence() -> None:
    evidence = collect("vllm serve org/m --dtype half")
    assert evidence.status == "complete"
    assert [(t.source, t.text) for t in evidence.texts] == [("cmd:", "vllm serve org/m --dtype half")]


def test_no_secret_stays_in_it() -> None:
    evidence = collect("HF_TOKEN='planted one' vllm serve m --api-key 'planted two' --dtype half")
    assert "planted" not in evidence.texts[0].text + evidence.uri
    assert evidence.texts[0].text.endswith(" --dtype half")


def test_no_command() -> None:
    for command in ("", "  ", "a\0b"):
        evidence = collect(command)
        assert evidence.status == "failed" and evidence.errors[0].hint
