"""What LMDeploy logs when it starts: the settings of its engine, as they came out.

Read in ``lmdeploy/serve/async_engine.py`` @ 0.6.2, ``lmdeploy/serve/core/async_engine.py`` @ 0.18.0 and
``lmdeploy/turbomind/turbomind.py`` @ 0.13.0, https://pypi.org/project/lmdeploy/#history; ``--log-level INFO`` shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.engines.live import Log
from askew.engines.lmdeploy.engine import table_of
from askew.engines.logged import (
    ARGUMENTS,
    CONFIGURED,
    EFFECTIVE,
    STATED,
    UVICORN,
    Line,
    Says,
    State,
    arguments,
    last_start,
    lines,
    named,
    stated,
    whole,
)
from askew.engines.reprs import fields
from askew.engines.settings import OTHER
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("input backend=",)
_CONFIGURATION = re.compile(r"(?:updated )?backend_config=(?=\w+EngineConfig\()")
# Of the settings, those that an argument of the server has by another name.
_RENAMED = {"max_context_token_num": "", "model_format": "--model-format", "dtype": "--dtype", "tp": "--tp"}


_TABLE = (
    Says(
        mark="input backend=",
        pattern=r"input backend=(turbomind|pytorch), backend_config=",
        states=(State(fact="runtime.engine.backend", read=str.lower),),
    ),
    Says(
        mark="session_len",
        pattern=r"^\s*\"session_len\": (\d+),\s*$",
        states=(State(fact="runtime.max_model_len", read=whole),),
        strength=EFFECTIVE,
    ),
    UVICORN,
)


def _speaks(told: Told) -> bool:
    return "lmdeploy" in told.text and any(
        mark in told.text for mark in (*_STARTS, "turbomind model config", "backend_config=")
    )


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    found = list(stated(told, _TABLE, since))
    for line in lines(told, "backend_config=", since):
        found.extend(_settings(line))
    return named("lmdeploy", found)


def _settings(line: Line) -> Iterator[Observation]:
    match = _CONFIGURATION.search(line.text)
    if match is None:
        return
    updated = match[0].startswith("updated")
    said = arguments(
        line,
        [one for one in fields(line.text, match.end()) if one.value not in (0, -1)],
        table_of(None),
        strength=STATED if updated else ARGUMENTS,
        deferred={"--dtype": ("auto",)},
        names=lambda name: _RENAMED.get(name, "--" + name.replace("_", "-")),
        because=() if updated else CONFIGURED,
    )
    yield from (one for one in said if one.fact != OTHER)


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
