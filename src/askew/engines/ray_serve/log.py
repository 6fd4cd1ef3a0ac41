"""What Ray Serve logs when it starts, and what vLLM logs in the replicas of Ray Serve LLM.

Read in ``ray/serve/_private/client.py`` @ 2.60.0, https://pypi.org/project/ray/#history.
"""

from __future__ import annotations

from askew.engines.live import Log
from askew.engines.logged import Says, State, inner, named, stated, whole
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_TABLE = (
    Says(
        mark="' is ready",
        pattern=r"Application '[^']*' is ready at https?://(?:[\w.-]+|\[[\da-f:]*\]):(\d+)/",
        states=(State(fact="serving.port", read=whole),),
    ),
)
_SPOKEN = ("(ServeController pid=", "(ServeReplica:", "(ProxyActor pid=", "ServeReplica:")


def _speaks(told: Told) -> bool:
    return any(mark in told.text for mark in _SPOKEN)


def _read(told: Told) -> tuple[Observation, ...]:
    from askew.engines.vllm.log import LOG as VLLM  # most applications start none

    inside = inner(VLLM.read(told)) if VLLM.speaks(told) else ()
    return named("ray-serve", (*stated(told, _TABLE), *(one for one in inside if one.fact != "serving.port")))


LOG = Log(speaks=_speaks, read=_read)
