"""What the URIs mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.collectors.k8s.target import Target, TargetError, common, parse

ARN = "arn:aws:eks:eu-west-1:1:cluster/ml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Target()),
        ("prod", Target(namespace="prod")),
        ("*", Target(everywhere=True, seconds=600)),
        ("prod/deployment/llm", Target(namespace="prod", kind="deployment", name="llm")),
        ("prod/isvc/llm", Target(namespace="prod", kind="isvc", name="llm")),
        ("prod/models.kubeai.org/m.x", Target(namespace="prod", kind="models.kubeai.org", name="m.x")),
        ("prod/deploy/llm@previous", Target(namespace="prod", kind="deploy", name="llm", revision="previous")),
        ("prod/sts/llm@revision=7", Target(namespace="prod", kind="sts", name="llm", revision="number", number=7)),
        ("prod/deploy/llm@applied", Target(namespace="prod", kind="deploy", name="llm", revision="applied")),
        ("prod@applied", Target(namespace="prod", revision="applied")),
        ("//eu/prod", Target(contexts=("eu",), namespace="prod")),
        ("//eu", Target(contexts=("eu",))),
        ("//a@k/prod/deploy/b", Target(contexts=("a@k",), namespace="prod", kind="deploy", name="b")),
        ("//eu,us/prod", Target(contexts=("eu", "us"), namespace="prod")),
        ("//arn:aws:eks:eu-west-1:1:cluster%2Fml/*", Target(contexts=(ARN,), everywhere=True, seconds=600)),
    ],
)  # fmt: skip
def test_forms(text: str, expected: Target) -> None:
    assert parse(text, ()) == expected


def test_options() -> None:
    options = (("logs", "on"), ("selector", "app%3Dllm"), ("as", "jane"), ("as-group", "a"), ("as-group", "b"))
    found = parse("prod", (*options, ("timeout", "9"), ("events", "off"), ("secrets", "off"), ("context", "eu")))
    assert (found.logs, found.selector, found.user, found.groups) == (True, "app=llm", "jane", ("a", "b"))
    assert (found.seconds, found.events, found.secrets, found.contexts) == (9, False, False, ("eu",))


@pytest.mark.parametrize(
    ("text", "options", "seconds"),
    [
        ("prod", (), 120),
        ("*", (), 600),
        ("prod", (("all", "on"),), 600),
        ("*", (("timeout", "7"),), 7),
        ("*", (("timeout", "120"),), 120),
    ],
)
def test_a_whole_cluster_has_more_time(text: str, options: tuple[tuple[str, str], ...], seconds: float) -> None:
    assert parse(text, options).seconds == seconds


def test_the_source_decides_over_the_command_line() -> None:
    found = parse("//us/prod", (("context", "eu"), ("logs", "on"), ("logs", "off")))
    assert found.contexts == ("us",)
    assert not found.logs


def test_a_release_takes_what_every_cluster_takes() -> None:
    found = common((("context", "eu"), ("timeout", "5")))
    assert (found.context, found.seconds) == ("eu", 5)
    with pytest.raises(TargetError, match="'logs' is no option"):
        common((("logs", "on"),))


@pytest.mark.parametrize(
    ("text", "options", "said", "hint"),
    [
        ("prod/deployment", (), "'deployment' has no name behind it", "prod/KIND/NAME"),
        ("prod/chat", (), "'chat' has no name behind it", "deployment/chat; k8s:prod shows all"),
        ("prod/deployment/llm/x", (), "'x' is too much", "k8s:"),
        ("Prod", (), "'Prod' is no name of a namespace", "k8s:"),
        ("prod/-/x", (), "'-' is no kind", "model.kubeai.org"),
        ("prod/deployment/LLM", (), "'LLM' is no name of an object", "k8s:"),
        ("prod/deployment/llm@last", (), "'@last' is no revision", "@previous"),
        ("prod/deployment/llm@revision=0", (), "'@revision=0' is no revision", "@revision=7"),
        ("prod/deployment/llm@revision=x", (), "is no revision", "@revision=7"),
        ("prod@previous", (), "a revision is that of one workload", "NAME@previous"),
        ("*/deployment/llm", (), "one workload is in one namespace", "k8s:NAMESPACE/deployment/llm"),
        ("///prod", (), "names no context", "k8s://CONTEXT/NAMESPACE"),
        ("prod", (("log", "on"),), "'log' is no option of a cluster", "logs"),
        ("prod", (("logs", "yes"),), "'logs=yes' is neither on nor off", "logs=on"),
        ("prod", (("selector", ""),), "'selector' has no value", "kubectl -l"),
        ("prod", (("timeout", "soon"),), "no number of seconds", "timeout=120"),
        ("prod", (("timeout", "nan"),), "no number of seconds", "timeout=120"),
        ("prod", (("as-group", "g"),), "only together with a user", "?as=USER"),
    ],
)
def test_what_is_none(text: str, options: tuple[tuple[str, str], ...], said: str, hint: str) -> None:
    with pytest.raises(TargetError) as error:
        parse(text, options)
    assert said in error.value.message
    assert hint in error.value.hint


@given(st.text(max_size=60), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3))
def test_any_text_is_a_target_or_is_said_to_be_none(text: str, options: list[tuple[str, str]]) -> None:
    try:
        found = parse(text, tuple(options))
    except TargetError as error:
        assert error.message and error.hint
    else:
        assert not found.name or (found.kind and found.namespace)
