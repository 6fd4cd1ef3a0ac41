"""What Ollama logs: its variables and GPUs when it starts, its runner and what that logs when it loads a model.

Read in ``server/routes.go``, ``discover/types.go`` (before: ``gpu/types.go``), ``llm/server.go`` and
``llm/llama_server.go`` at the tags v0.1.33 to v0.32.15 of https://github.com/ollama/ollama.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from askew.engines.arguments import parse
from askew.engines.ggml_lines import loaded
from askew.engines.live import Log
from askew.engines.llama_cpp.engine import native_table
from askew.engines.logged import (
    ARGUMENTS,
    CONFIGURED,
    STATED,
    Line,
    Says,
    State,
    gpu_models,
    last_start,
    lines,
    named,
    reported,
    stated,
    strong,
    whole,
)
from askew.engines.observe import read_arguments
from askew.engines.ollama.engine import ENGINE
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.redaction import is_redacted
from askew.evidence.told import Told
from askew.resolve.observation import Observation, Unknown

_STARTS = ('msg="server config" env="map[',)
_RUNNER = re.compile(r'msg="starting (?:llama[ -]server|runner)" cmd="((?:[^"\\]|\\.)+)"')
_ENTRY = re.compile(r"(?:^| )([A-Za-z_][A-Za-z0-9_]*):")
_DEVICE = re.compile(r'library=(?!cpu)\w+ .{0,400}?\b(?:description|name)="([^"]+)"')
# Printed also where nobody set them; then these words say only that the server decides.
_UNDECIDED = frozenset(("", "0", "false", "[]", "[0]"))
# Facts that a variable states in the same words whether somebody set it or not.
_FACTS = ("runtime.max_num_seqs", "runtime.max_model_len", "runtime.attention_backend", "runtime.kv_cache.")


_TABLE = (
    Says(
        mark="Listening on ",
        pattern=r"Listening on (?:[\w.]+|\[[\da-f:]*\]):(\d+) \(version (\d[\w.+-]*)\)",
        states=(
            State(fact="serving.port", read=whole),
            State(fact="runtime.engine.version", group=2),
        ),
    ),
    Says(
        mark='msg="inference compute"',
        pattern=r"library=(?i:cuda) .{0,40}?\bcompute=(\d+\.\d+)\b.{0,200}?\bdriver=(\d+\.\d+)\b",
        states=(
            State(fact="hardware.gpu.compute_capability"),
            State(fact="hardware.cuda.version", group=2),
        ),
    ),
)


def _speaks(told: Told) -> bool:
    text = told.text
    return any(mark in text for mark in _STARTS) or ("source=" in text and "ollama" in text and "level=" in text)


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    found = list(stated(told, _TABLE, since))
    for line in lines(told, 'msg="server config"', since):
        found.extend(_variables(line))
    found.extend(_gpus(told, since))
    runners = [(line, match) for line in lines(told, 'msg="starting ', since) if (match := _RUNNER.search(line.text))]
    models = {_model(match[1]) for _, match in runners}
    if len(models) == 1:  # of several models that were loaded in turn none is the one that is served
        for line, match in runners:
            found.extend(_runner(line, match))
        found.extend(one for one in loaded(told, since) if one.fact not in ("model.id", "hardware.gpu.count"))
    return named("ollama", found)


def _model(command: str) -> str:
    words = command.split()
    return next((after for word, after in pairwise(words) if word in ("--model", "-m")), "")


def _variables(line: Line) -> Iterator[Observation]:
    """The variables as the server read them, by the engine's own table."""
    start = line.text.find('env="map[') + len('env="map[')
    end = line.text.rfind(']"')
    if start < len('env="map[') or end < start:
        return
    text = line.text[start:end]
    names = list(_ENTRY.finditer(text))
    variables: dict[str, Variable] = {}
    for match, following in zip(names, [*names[1:], None], strict=False):
        value = text[match.end() : following.start() if following else len(text)].strip()
        if value not in _UNDECIDED and not is_redacted(value):
            variables[match[1]] = Variable(match[1], value, line.at(start + match.end()))
    launch = Launch(argv=(Token("ollama", line.at()), Token("serve", line.at())), location=line.at(), env=variables)
    for one in ENGINE.read(launch).observations:
        if one.origin == "env" and not isinstance(one.value, Unknown) and one.fact.startswith(_FACTS):
            yield from reported(
                one.fact, one.value, one.locations, key=one.key, order=strong(ARGUMENTS, line), because=CONFIGURED
            )


def _runner(line: Line, match: re.Match[str]) -> Iterator[Observation]:
    """The arguments with which the runner starts, by llama.cpp's own table: its names are among them."""
    start = match.start(1)
    words = [Token(word[0], line.at(start + word.start())) for word in re.finditer(r"\S+", match[1])]
    first = next((at for at, word in enumerate(words) if word.text.startswith("-")), len(words))
    noted = read_arguments(parse(words[first:], native_table()), engine="Ollama", origin="reported")
    held: dict[str, Observation] = {}
    for one in noted.observations:
        if not isinstance(one.value, Unknown) and one.fact.startswith("runtime.") and "unmapped" not in one.fact:
            held[one.fact] = one
    tokens, slots = held.get("runtime.kv_cache.tokens"), held.get("runtime.max_num_seqs")
    yield from (msgspec.structs.replace(one, basis="seen", order=strong(ARGUMENTS, line)) for one in held.values())
    if tokens is None or slots is None or not isinstance(tokens.value, int) or not isinstance(slots.value, int):
        return
    if slots.value > 0:
        places = (*tokens.locations, *slots.locations)
        because = ("the context of the runner divided by its slots",)
        yield from reported(
            "runtime.max_model_len", tokens.value // slots.value, places, order=strong(STATED, line), because=because
        )


def _gpus(told: Told, since: int) -> Iterator[Observation]:
    found = [line for line in lines(told, 'msg="inference compute"', since) if "library=cpu" not in line.text]
    if found:
        yield from reported("hardware.gpu.count", len(found), tuple(line.at() for line in found))
        yield from gpu_models(told, since, 'msg="inference compute"', _DEVICE)


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
