"""What BentoML logs when it starts, and what vLLM logs where a service runs it.

Read in ``bentoml/_internal/server/__init__.py`` @ 1.0.0 and ``_bentoml_impl/server/serving.py`` @ 1.4.40,
https://pypi.org/project/bentoml/#history, and compared with a log of 1.4.39.
"""

from __future__ import annotations

from askew.engines.live import Log
from askew.engines.logged import Says, State, inner, last_start, named, stated, whole
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = (" BentoServer from ",)

_TABLE = (
    Says(
        mark=_STARTS[0],
        pattern=r"Starting \w+ (?:HTTP|GRPC|gRPC)?\s?BentoServer from \"[^\"]*\" "
        r"(?:listening|running) on https?://(?:[\w.-]+|\[[\da-f:]*\]):(\d+)\b",
        states=(State(fact="serving.port", read=whole),),
    ),
)


def _speaks(told: Told) -> bool:
    return _STARTS[0] in told.text


def _read(told: Told) -> tuple[Observation, ...]:
    from askew.engines.vllm.log import LOG as VLLM  # most services start none

    found = stated(told, _TABLE, last_start(told, _STARTS))
    inside = inner(VLLM.read(told)) if VLLM.speaks(told) else ()
    return named("bentoml", (*found, *(one for one in inside if one.fact != "serving.port")))


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
