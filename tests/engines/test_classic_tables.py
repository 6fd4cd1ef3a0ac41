"""The tables of the servers of any model against the histories of their releases."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from askew.engines import versions
from askew.engines.bentoml import flags as bentoml
from askew.engines.flags import Flag
from askew.engines.litserve import flags as litserve
from askew.engines.mlflow import flags as mlflow
from askew.engines.mlserver import flags as mlserver
from askew.engines.torchserve import flags as torchserve

TABLES = {
    "torchserve": (torchserve.SETTINGS, torchserve.ARGUMENTS),
    "mlserver": (mlserver.SERVER, mlserver.OF_MODEL),
    "bentoml": (bentoml.CONFIG, bentoml.ARGUMENTS),
    "mlflow": (mlflow.SERVE,),
    "litserve": (litserve.SETTINGS,),
}
# Read under their old name by every release, or of one command before another had it.
OTHERWISE = {"runners.timeout", "api_server.timeout"}


def spans(flags: Sequence[Flag]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for flag in flags:
        found.setdefault(flag.names[0], []).append((flag.since, flag.until))
    return found


@pytest.mark.parametrize("engine", sorted(TABLES))
def test_releases_of_a_flag_are_those_that_have_it(engine: str) -> None:
    history = versions.history(engine)
    assert history is not None
    wrong = {}
    for name, stated in spans([flag for table in TABLES[engine] for flag in table]).items():
        real = history.spans(name)
        if not real or name in OTHERWISE or len(stated) > 1:
            continue
        if (stated[0][0], stated[0][1]) != (real[0][0], real[-1][1]):
            wrong[name] = (stated[0], real)
    assert not wrong


@pytest.mark.parametrize("engine", sorted(TABLES))
def test_flags_of_one_name_follow_each_other(engine: str) -> None:
    for name, stated in spans([flag for table in TABLES[engine] for flag in table]).items():
        if len(stated) > 1:
            assert all(before[1] == after[0] for before, after in pairwise(stated)), name


def test_the_variable_of_mlflows_workers_changed_its_name_when_the_tables_say() -> None:
    history = versions.history("mlflow")
    assert history is not None
    first = {name: history.releases[history.variables[name][0][0]] for name in ("MLFLOW_MODELS_WORKERS",)}
    gone = history.releases[history.variables["MLFLOW_WORKERS"][-1][0]]
    workers = [flag for flag in mlflow.SERVE if flag.names[0] == "--workers"]
    assert [(one.env, one.since, one.until) for one in workers] == [
        ("MLFLOW_WORKERS", "", gone), ("MLFLOW_MODELS_WORKERS", first["MLFLOW_MODELS_WORKERS"], ""),
    ]  # fmt: skip
