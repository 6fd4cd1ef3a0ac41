"""What the user points at, parsed."""

from __future__ import annotations

import pytest

from askew.app.errors import UsageError
from askew.app.sources import parse


def parts(text: str) -> list[tuple[str, str]]:
    return [(request.scheme, request.target) for request in parse(text)]


def test_a_path_is_a_path():
    assert parts("deploy.yaml") == [("", "deploy.yaml")]
    assert parts("-") == [("", "-")]


def test_a_command_takes_the_rest():
    assert parts("cmd:vllm serve a+b:c") == [("cmd", "vllm serve a+b:c")]


def test_a_plus_splits_before_a_scheme_or_a_file_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "routes.yaml").write_text("kind: Ingress\n")
    assert parts("a+b.yaml") == [("", "a+b.yaml")]
    assert parts("deploy.yaml+routes.yaml+cmd:vllm serve m") == [
        ("", "deploy.yaml"),
        ("", "routes.yaml"),
        ("cmd", "vllm serve m"),
    ]


def test_a_git_revision_keeps_its_colons():
    assert parts("git:HEAD~3:deploy.yaml") == [("git", "HEAD~3:deploy.yaml")]


def test_options_of_a_chart():
    (request,) = parse("helm:chart/?values=prod.yaml&set=a=b")
    assert (request.scheme, request.target) == ("helm", "chart/")
    assert request.options == (("values", "prod.yaml"), ("set", "a=b"))


@pytest.mark.parametrize("text", ["", "bench:results.json", "nosuch:thing"])
def test_what_no_collector_answers_is_refused_with_a_hint(text):
    with pytest.raises(UsageError, match="hint:"):
        parse(text)


def test_a_file_whose_name_looks_like_a_scheme_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "git:x").write_text("")
    assert parts("git:x") == [("", "git:x")]
