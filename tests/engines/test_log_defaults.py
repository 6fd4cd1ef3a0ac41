"""A log that prints all arguments of a start in which nobody set any says what the bare command means.

The printed line is made of each release's own table of arguments, so that no default is taken for a setting of the
operator's, and none is read otherwise than where it is written as a flag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from askew.engines import versions
from askew.engines.interface import Engine
from askew.engines.live import Log
from askew.engines.sglang.engine import ENGINE as SGLANG
from askew.engines.sglang.log import LOG as SGLANG_LOG
from askew.engines.versions import Release
from askew.engines.vllm.engine import ENGINE as VLLM
from askew.engines.vllm.log import LOG as VLLM_LOG
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.resolve.resolve import resolve
from tests.engines.logs import told

_AT = Location("deploy", line=1)


def _printed(release: Release, model: str) -> str:
    return ", ".join(
        f"{name[2:].replace('-', '_')}={'org/m' if name == model else entry.value!r}"
        for name, entry in release.arguments.items()
        if name.startswith("--")
    )


def _vllm(release: Release, version: str) -> str:
    lines = (f"vLLM API server version {version}", f"args: Namespace({_printed(release, '--model')})")
    return "".join(f"INFO 01-02 03:04:05 api_server.py:{at}] {line}\n" for at, line in enumerate(lines, 500))


def _sglang(release: Release, version: str) -> str:
    return f"[2025-05-06 07:08:09] server_args=ServerArgs({_printed(release, '--model-path')})\n"


def _cases() -> Iterator[object]:
    # vLLM prints everything until 0.8.5, SGLang in every release.
    since, until = versions.release_key("0.4.0"), versions.release_key("0.9.0")
    for version in versions.releases("vllm"):
        if since <= versions.release_key(version) < until:
            words = ("vllm", "serve", "org/m")
            yield pytest.param(VLLM, VLLM_LOG, _vllm, words, "vllm/vllm-openai", version, id=f"vllm-{version}")
    for version in versions.releases("sglang")[::8]:
        launch = ("python", "-m", "sglang.launch_server", "--model-path", "org/m")
        yield pytest.param(SGLANG, SGLANG_LOG, _sglang, launch, "lmsysorg/sglang", version, id=f"sglang-{version}")


@pytest.mark.parametrize(("engine", "log", "printed", "words", "image", "version"), list(_cases()))
def test_defaults_that_are_printed(
    engine: Engine, log: Log, printed: Callable[[Release, str], str], words: tuple[str, ...], image: str, version: str
) -> None:
    release = versions.load(engine.name, version)
    assert release is not None
    said = resolve(log.read(told(printed(release, version))))
    argv = tuple(Token(word, _AT) for word in words)
    reading = engine.read(Launch(argv=argv, location=_AT, image=Token(f"{image}:v{version}", _AT)))
    meant = resolve(reading.observations, reading.rules)
    assert "model.id" in said
    for key, one in said.items():
        other = meant.get(key)
        for part, value in one.entries.items() if one.entries else [("", one)]:
            against = other.entries.get(part) if other is not None and one.entries else other
            if against is None or against.state == "unknown":
                assert key != "runtime.arguments.unmapped", part
                continue
            same = value.value == against.value if part else FACTS[key].type.same(value.value, against.value)
            assert same, f"{key}[{part}]: {value.value!r}, but {against.value!r}"
