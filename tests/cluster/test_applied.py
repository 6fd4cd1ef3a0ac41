"""What was applied and what is live are the same: defaults, quantities and what admission adds are no finding."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from tests.cluster.conftest import Ask
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster
from tests.cluster.shapes import SHAPES

# Applied on the server some are other objects: it keeps who owns what, and no copy of the manifest.
CASES = [*((name, "client") for name in SHAPES), *((name, "server") for name in ("chart", "quantities", "scaled"))]


@pytest.mark.parametrize(("name", "how"), CASES, ids=["-".join(case) for case in CASES])
def test_a_live_object_is_its_manifest(
    cluster: Cluster,
    namespace: str,
    fleet: Fleet,
    askew: Ask,
    tmp_path: Path,
    name: str,
    how: Literal["client", "server"],
) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(SHAPES[name])
    apply(cluster.admin, SHAPES[name], namespace, how)
    fleet.settle(namespace)
    got = askew("diff", "manifest.yaml", f"k8s:{namespace}")
    assert got.findings == []
    assert (got.code, got.report["verdict"]) == (0, "aligned"), got.err
    assert [one["presence"] for one in got.report["workloads"]] == ["both"]
    assert got.report["workloads"][0]["coverage"]["verified"] > 20
    back = askew("diff", f"k8s:{namespace}", "manifest.yaml")
    assert back.findings == []
