"""gunicorn, uvicorn and hypercorn around an application that no engine folder knows."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.engines.unrecognised import read
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)


def launch_of(command: str, env: Mapping[str, str] = {}) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        env={name: Variable(name, value, AT) for name, value in env.items()},
    )


def facts(command: str, env: Mapping[str, str] = {}) -> dict[str, Resolved]:
    reading = read(launch_of(command, env))
    return resolve(reading.observations, reading.rules)


@pytest.mark.parametrize(
    ("command", "fact", "value"),
    [
        ("gunicorn app:app", "serving.request_timeout", 30),
        ("gunicorn app:app --timeout 300", "serving.request_timeout", 300),
        ("/venv/bin/gunicorn -t 0 app:app", "serving.request_timeout", "unlimited"),
        ("python3 -m gunicorn --timeout=120 app:app", "serving.request_timeout", 120),
        ("gunicorn -w 4 --threads 1 app:app", "serving.request_timeout", 30),
        ("gunicorn -b 0.0.0.0:9000 app:app", "serving.port", 9000),
        ("gunicorn -b :9000 app:app", "serving.listen_host", "0.0.0.0"),
        ("gunicorn -k gevent --keep-alive 15 app:app", "serving.idle_timeout", 15),
        ("gunicorn -k uvicorn.workers.UvicornWorker app:app", "serving.idle_timeout", 2),
        ("uvicorn app:app", "serving.idle_timeout", 5),
        ("uvicorn app:app --timeout-keep-alive 75", "serving.idle_timeout", 75),
        ("uvicorn app:app --limit-concurrency 10", "serving.max_concurrency", 10),
        ("uvicorn app:app", "serving.max_concurrency", "unlimited"),
        ("python -m uvicorn app:app --port=8080", "serving.port", 8080),
        ("hypercorn app:app --bind 0.0.0.0:80", "serving.port", 80),
        ("hypercorn app:app", "serving.idle_timeout", 5),
    ],
)
def test_servers(command: str, fact: str, value: object) -> None:
    assert facts(command)[fact].value == value


@pytest.mark.parametrize("words", ["-k uvicorn.workers.UvicornWorker", "--worker-class=gevent", "--threads 4"])
def test_only_a_sync_worker_is_bound_to_a_request(words: str) -> None:
    assert "serving.request_timeout" not in facts(f"gunicorn {words} --timeout 30 app:app")


def test_variables_lose_to_the_command_line() -> None:
    env = {"GUNICORN_CMD_ARGS": "--timeout 60 --bind=0.0.0.0:7000"}
    found = facts("gunicorn app:app --timeout 90", env)
    assert (found["serving.request_timeout"].value, found["serving.port"].value) == (90, 7000)


def test_a_default_is_likely_and_cited_and_a_file_makes_it_unknown() -> None:
    found = facts("gunicorn app:app")["serving.request_timeout"]
    assert (found.origin, found.confidence) == ("platform-default", "likely")
    assert found.locations[-1].source.startswith("https://github.com/benoitc/gunicorn/")
    assert [hop.name for hop in found.hops] == ["gunicorn"]
    unseen = facts("gunicorn -c gunicorn.conf.py app:app")["serving.request_timeout"]
    assert unseen.state == "unknown"
    assert "gunicorn.conf.py" in unseen.reason


def test_what_is_said_by_a_fact_is_not_text_as_well() -> None:
    found = facts("gunicorn app:app --timeout 90 --preload")["runtime.arguments.unmapped"].value
    assert found == {"command": "gunicorn app:app", "--preload": ""}


def test_another_program_has_no_such_limits() -> None:
    assert not {"serving.request_timeout", "serving.idle_timeout"} & facts("python serve.py --timeout 5").keys()


@given(st.lists(st.text(max_size=12), max_size=6))
def test_no_words_make_reading_fail(words: list[str]) -> None:
    for program in ("gunicorn", "uvicorn", "hypercorn"):
        read(Launch(argv=tuple(Token(word, AT) for word in (program, *words)), location=AT))
