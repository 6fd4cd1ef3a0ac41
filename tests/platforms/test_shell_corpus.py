"""Every command line in the public manifests that were collected: read without an exception, and not missed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.platforms.shell import kubernetes_env, kubernetes_expand, processes

ENGINE = re.compile(r"vllm serve|vllm\.entrypoints\S*|sglang\.launch_server|trtllm-serve|lmdeploy serve|tritonserver")


def containers(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        if any(isinstance(value.get(key), (list, str)) for key in ("command", "args", "entrypoint")):
            yield value
        for inner in value.values():
            yield from containers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from containers(inner)


def words(value: object) -> list[str]:
    if isinstance(value, str):
        try:
            return shlex.split(value.replace("$$", "$"))
        except ValueError:
            return []
    return [str(word) for word in value] if isinstance(value, list) else []


def launches(shared: Path) -> Iterator[Launch]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for line in (shared / "corpus" / "index.jsonl").read_text().splitlines():
        record = json.loads(line)
        if not record["file"] or record["kind"] not in ("k8s-manifest", "compose", "live-dump"):
            continue
        path = shared / "corpus" / record["file"]
        try:
            documents = list(yaml.load_all(path.read_text(), Loader=loader))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        for container in containers(documents):
            place = Location(record["file"], line=1)
            own = words(container.get("command")) if "args" in container else words(container.get("entrypoint"))
            rest = words(container.get("args")) if "args" in container else words(container.get("command"))
            listed = container.get("env")
            env = kubernetes_env(
                [
                    Variable(str(one["name"]), str(one["value"]) if "value" in one else None, place)
                    for one in (listed if isinstance(listed, list) else [])
                    if isinstance(one, dict) and "name" in one
                ]
            )
            argv = tuple(kubernetes_expand(Token(word, place), env) for word in own + rest)
            if argv:
                yield Launch(argv, place, env=env)


def test_every_command_line_is_read(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scripts = 0
    problems: list[str] = []
    missed: list[str] = []
    for one in launches(shared):
        ran = processes(one)
        assert ran
        if len(one.argv) < 3 or one.argv[0].text.rsplit("/", 1)[-1] not in ("sh", "bash"):
            continue
        scripts += 1
        problems += [f"{one.location.source}: {problem}" for problem in ran[0].problems[:1]]
        text = " ".join(token.text for token in one.argv)
        found = " ".join(token.text for process in ran for token in process.argv)
        if ENGINE.search(text) and not ENGINE.search(found):
            missed.append(one.location.source)
    with capsys.disabled():
        print(f"\n{scripts} shell scripts, {len(problems)} with problems, {len(missed)} engines missed")
    assert scripts > 200
    assert not missed
    assert len(problems) < scripts * 0.05, problems
