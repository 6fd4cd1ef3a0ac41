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


@pytest.mark.parametrize("how", ["client", "server"])
@pytest.mark.parametrize("name", SHAPES)
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
    assert got.code == 0, got.err
    back = askew("diff", f"k8s:{namespace}", "manifest.yaml")
    assert back.findings == []
