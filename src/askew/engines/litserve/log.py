"""What LitServe logs when it starts: ``litserve/server.py`` @ 0.2.2 and 0.2.19, https://pypi.org/project/litserve/#history."""

from __future__ import annotations

from askew.engines.live import Log
from askew.engines.logged import Says, State, named, stated, whole
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_TABLE = (
    Says(
        mark="Swagger UI is available at ",
        pattern=r"Swagger UI is available at https?://(?:[\w.-]+|\[[\da-f:]*\]):(\d+)/docs",
        states=(State(fact="serving.port", read=whole),),
    ),
)


def _speaks(told: Told) -> bool:
    return "Swagger UI is available at " in told.text and ("litserve" in told.text or "LitServe" in told.text)


def _read(told: Told) -> tuple[Observation, ...]:
    return named("litserve", stated(told, _TABLE))


LOG = Log(speaks=_speaks, read=_read)
