"""What MLServer logs when it starts: its models and where it listens.

Read in ``mlserver/registry.py`` @ 1.0.0 and, with ``mlserver/rest/server.py``, @ 1.7.1,
https://pypi.org/project/mlserver/#history, and compared with a log of 1.7.1.
"""

from __future__ import annotations

from askew.engines.live import Log
from askew.engines.logged import Says, State, gathered, last_start, named, stated, whole
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("HTTP server running on http",)

_TABLE = (
    Says(
        mark=_STARTS[0],
        pattern=r"HTTP server running on https?://(?:[\w.-]+|\[[\da-f:]*\]):(\d+)\s*$",
        states=(State(fact="serving.port", read=whole),),
    ),
)


def _speaks(told: Told) -> bool:
    return "[mlserver" in told.text


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    loaded = gathered(told, "Loaded model '", r"Loaded model '([^']+)' succes{1,2}fully\.", since=since)
    return named("mlserver", (*stated(told, _TABLE, since), *loaded))


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
