"""What NVIDIA NIM logs when it starts: its release, its model and profile, and what the engine inside it says.

Sources: logs in issue 60 of https://github.com/NVIDIA/nim-deploy and issue 1077 of
https://github.com/canonical/bundle-kubeflow; what is inside logs as vLLM, SGLang or TensorRT-LLM does.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from askew.engines.live import Log
from askew.engines.logged import STATED, Says, State, inner, last_start, lines, named, reported, stated, strong
from askew.engines.nim.variables import OTHER, profile
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("== NVIDIA Inference Microservice ", "NVIDIA Inference Microservice LLM NIM Version ")
_INSIDE = ("vllm", "sglang", "tensorrt_llm")

_TABLE = (
    Says(
        mark=" NIM Version ",
        pattern=r"^\s*NVIDIA Inference Microservice (?:[\w ]+ )?NIM Version (\d[\w.+-]*)\s*$",
        states=(State(fact="runtime.engine.version"),),
    ),
    Says(
        mark="Model: ",
        pattern=r"^\s*Model: (?:nim/)?([\w.-]+/[\w.-]+)\s*$",
        states=(State(fact="model.id"),),
    ),
)


def _speaks(told: Told) -> bool:
    return "NVIDIA Inference Microservice" in told.text or "ngc_injector.py" in told.text


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    found = list(stated(told, _TABLE, since))
    found.extend(_profile(told, since))
    for name in _INSIDE:
        log: Log = import_module(f"askew.engines.{name}.log").LOG
        if log.speaks(told):
            found.extend(one for one in inner(log.read(told)) if one.fact != "model.id")
            break
    return named("nim", found)


def _profile(told: Told, since: int) -> Iterator[Observation]:
    """What the readable name of the chosen profile states, by the table of the variables."""
    for line in lines(told, "Selected profile: ", since):
        start, end = line.text.rfind("("), line.text.rfind(")")
        if 0 <= start < end:
            for fact, key, value in profile((line.text[start + 1 : end],)):
                if fact != OTHER:
                    place, order = (line.at(start + 1),), strong(STATED, line)
                    yield from reported(fact, value, place, key=key, order=order)


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
