"""What Infinity logs when it starts: each model with its engine, and where it listens.

Read in ``infinity_emb/inference/select_model.py`` and ``infinity_emb/infinity_server.py`` @ 0.0.32 and 0.0.78,
https://pypi.org/project/infinity-emb/#history.
"""

from __future__ import annotations

from askew.engines.live import Log
from askew.engines.logged import UVICORN, Says, State, last_start, lines, named, stated, whole
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("infinity_emb INFO: Creating ",)
_SELECTED = "` selected, using engine=`"

_MODEL = (
    Says(
        mark=_SELECTED,
        pattern=r"model=`([^`]+)` selected, using engine=`\w+`",
        states=(State(fact="model.id"),),
    ),
    Says(
        mark="embeddings/sec at batch_size=",
        pattern=r"embeddings/sec at batch_size=(\d+)\s*$",
        states=(State(fact="runtime.max_num_seqs", read=whole),),
    ),
)


def _speaks(told: Told) -> bool:
    return "infinity_emb" in told.text and (_SELECTED in told.text or "Creating " in told.text)


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    models = {line.text.split("model=`")[-1].split("`")[0] for line in lines(told, _SELECTED, since)}
    table = (UVICORN, *(_MODEL if len(models) == 1 else ()))  # of several models none is the one
    return named("infinity", stated(told, table, since))


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
