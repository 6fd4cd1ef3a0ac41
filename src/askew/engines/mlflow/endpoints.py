"""What MLflow's scoring server answers: that it is there, and the release of MLflow.

Source: ``mlflow/pyfunc/scoring_server/__init__.py`` of https://github.com/mlflow/mlflow: ``/ping`` is a line end, and
``/version`` the bare number. Others could answer so, hence likely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.evidence.location import Location
from askew.resolve.observation import Observation

_PING, _VERSION = "/ping", "/version"
_NUMBER = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}(?:\.?(?:dev|rc)\d{1,3})?")


def _asks(answers: Answers) -> tuple[Ask, ...]:
    return (Ask(_VERSION), Ask(_PING))


def _speaks(answers: Answers) -> bool:
    version, ping = answers.get(_VERSION), answers.get(_PING)
    if version is None or ping is None or version.document is not None or ping.document is not None:
        return False
    return not ping.text.strip() and _NUMBER.fullmatch(version.text.strip()) is not None


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    version = answers.get(_VERSION)
    if version is None:
        return
    for fact, value in (("runtime.engine.name", "mlflow"), ("runtime.engine.version", version.text.strip())):
        yield Observation(
            fact=fact, value=value, origin="reported", basis="seen", locations=(Location(version.source),),
            confidence="likely", because=("it answers as MLflow's scoring server does",),
        )  # fmt: skip


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read, metrics="")
