"""What TensorFlow Serving logs when it starts: its models and where it listens.

Read in ``model_servers/main.cc`` @ 1.8.0, ``model_servers/server.cc`` @ 2.20.0 and ``core/loader_harness.cc`` of
https://github.com/tensorflow/serving.
"""

from __future__ import annotations

from askew.engines.live import Log
from askew.engines.logged import Says, State, gathered, last_start, named, stated, whole
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("Adding/updating models.", "Building single TensorFlow model file config")
_SPOKEN = ("tensorflow_serving/", "Running gRPC ModelServer at ", "Exporting HTTP/REST API at:")

_TABLE = (
    Says(
        mark="Running gRPC ModelServer at ",
        pattern=r"Running gRPC ModelServer at (?:[\w.-]+|\[[\da-f:]*\]):(\d+) \.\.\.",
        states=(State(fact="serving.port", read=whole),),
    ),
)


def _speaks(told: Told) -> bool:
    return any(mark in told.text for mark in _SPOKEN)


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    loaded = gathered(
        told,
        "Successfully loaded servable version ",
        r"Successfully loaded servable version \{name: ([^\s}]+) version: \d+\}",
        since=since,
    )
    return named("tf-serving", (*stated(told, _TABLE, since), *loaded))


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
