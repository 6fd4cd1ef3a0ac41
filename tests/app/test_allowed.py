"""What the command line allows reaches the sources that can do it, and no other."""

from __future__ import annotations

import pytest

from askew.app import load, registry
from askew.app.sources import parse
from askew.collectors.interface import Evidence
from askew.evidence.redaction import Redactor

ALLOWED = (("context", "eu"), ("logs", "on"), ("endpoints", "on"), ("exec", "on"))


@pytest.mark.parametrize(
    ("uri", "given"),
    [
        ("k8s:prod?logs=off", {"context": "eu", "logs": "off", "endpoints": "on", "exec": "on"}),
        ("helm-release:prod/llm", {"context": "eu"}),
        ("docker:llm", {"logs": "on", "exec": "on"}),
        ("hf:models/llm?digest=full", {"digest": "full"}),
        ("deploy.yaml", {}),
        ("http://llm:8000", {}),
    ],
)
def test_options_go_where_they_are_taken(uri, given, monkeypatch):
    seen = {}

    def collect(request, redactor):
        seen.update(request.options)
        return Evidence(uri=request.uri)

    (request,) = parse(uri)
    monkeypatch.setattr(registry.collector(request.scheme), "collect", collect)
    list(load.collected([request], Redactor(), allowed=ALLOWED))
    assert seen == given
