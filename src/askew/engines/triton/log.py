"""What Triton logs when it starts: its options, the models that are ready, where it listens.

Read in ``src/tritonserver.cc``, ``src/server.cc`` and ``src/metrics.cc`` @ 73aad7c of
https://github.com/triton-inference-server/core (``metrics.cc`` also @ r22.04), and compared with a log of 2.51.0 and
those in https://github.com/triton-inference-server/tutorials.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.engines.live import Log
from askew.engines.logged import (
    Line,
    Says,
    State,
    gpu_models,
    last_start,
    lines,
    named,
    reported,
    stated,
    whole,
)
from askew.engines.tensorrt_llm.log import RUNTIME
from askew.evidence.told import Told
from askew.resolve.observation import Observation

# The table of backends comes first; below it those of the models and of the options.
_STARTS = ("| Repository Agent |",)
_SPOKEN = ("tritonserver.cc:", "Started GRPCInferenceService at", "Started HTTPService at", "model_lifecycle.cc:")
_READY = re.compile(r"^\s*\| (\S+)\s+\| (\d+)\s+\| READY\s*\|\s*$")
_GPU = re.compile(r"Collecting metrics for GPU \d+: ([^\"]+)")

_TABLE = (
    Says(
        mark="| server_version ",
        pattern=r"\| server_version\s+\| (\d[\w.+-]*)\s*\|",
        states=(State(fact="runtime.engine.version"),),
    ),
    Says(
        mark="Started HTTPService at ",
        pattern=r"Started HTTPService at (?:[\w.-]+|\[[\da-f:]*\]|ipv6:\[[\da-f:]*\]):(\d+)\"?\s*$",
        states=(State(fact="serving.port", read=whole),),
    ),
)


def _speaks(told: Told) -> bool:
    return any(mark in told.text for mark in _SPOKEN)


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    found = list(stated(told, (*_TABLE, *RUNTIME), since))
    found.extend(_ready(told, since))
    found.extend(_gpus(told, since))
    return named("triton", found)


def _ready(told: Told, since: int) -> Iterator[Observation]:
    """The models of the table that Triton prints once it has loaded what it loads at start."""
    rows: list[tuple[Line, re.Match[str]]] = []
    for line in lines(told, "| READY ", since):
        match = _READY.match(line.text)
        if match is not None:
            rows.append((line, match))
    if rows and "\n\n" in told.text[rows[-1][0].start :]:  # the table is whole
        places = tuple(line.at(match.start(1)) for line, match in rows)
        yield from reported("model.served_names", sorted({match[1] for _, match in rows}), places)


def _gpus(told: Told, since: int) -> Iterator[Observation]:
    found = [line for line in lines(told, "Collecting metrics for GPU ", since) if _GPU.search(line.text)]
    if found:
        yield from reported("hardware.gpu.count", len(found), tuple(line.at() for line in found))
        yield from gpu_models(told, since, "Collecting metrics for GPU ", _GPU)


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
