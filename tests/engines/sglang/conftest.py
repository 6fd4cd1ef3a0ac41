"""A launch of SGLang from a command line."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

import pytest

from askew.engines.sglang.engine import ENGINE
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)


def launch_of(
    command: str,
    image: str = "lmsysorg/sglang:v0.5.23",
    env: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    implicit: bool = False,
) -> Launch:
    """A launch whose words stand one per line from line 10."""
    return Launch(
        argv=tuple(
            Token(word, Location("deploy.yaml", line=10 + place)) for place, word in enumerate(shlex.split(command))
        ),
        location=AT,
        image=Token(image, AT) if image else None,
        implicit_entrypoint=implicit,
        env={name: Variable(name, value, AT) for name, value in (env or {}).items()},
        files={path: Content(text, Location(path, line=1)) for path, text in (files or {}).items()},
    )


@pytest.fixture
def launch() -> Callable[..., Launch]:
    return launch_of


@pytest.fixture
def facts() -> Callable[..., dict[str, Resolved]]:
    def read(command: str, **rest: object) -> dict[str, Resolved]:
        reading = ENGINE.read(launch_of("python3 -m sglang.launch_server " + command, **rest))  # type: ignore[arg-type]
        return resolve(reading.observations, reading.rules)

    return read
