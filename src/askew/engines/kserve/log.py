"""What KServe's own servers log when they start, and what vLLM logs where the Hugging Face server runs it.

Read in ``python/kserve/kserve/model_server.py`` @ aaac4e2 of https://github.com/kserve/kserve, and compared with a log
of 0.21.0.
"""

from __future__ import annotations

from askew.engines.live import Log
from askew.engines.logged import UVICORN, gathered, inner, last_start, named, stated
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("Registering model: ",)


def _speaks(told: Told) -> bool:
    return " kserve " in told.text or "INFO:kserve:" in told.text or "[model_server.py:register_model" in told.text


def _read(told: Told) -> tuple[Observation, ...]:
    from askew.engines.vllm.log import LOG as VLLM  # most servers start none

    since = last_start(told, _STARTS)
    registered = gathered(told, _STARTS[0], r"Registering model: (\S+)\s*$")
    inside = inner(VLLM.read(told)) if VLLM.speaks(told) else ()
    return named("kserve", (*stated(told, (UVICORN,), since), *registered, *inside))


LOG = Log(starts=(), speaks=_speaks, read=_read)
