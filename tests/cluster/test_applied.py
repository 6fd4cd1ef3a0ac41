"""What was applied on the server (``kubectl apply --server-side``) and what is live are the same, on the command line.

`test_live_noise.py` has the shapes as ``kubectl apply`` applies them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.conftest import Ask
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster
from tests.cluster.shapes import SHAPES


# The server keeps who owns what then, and no copy of the manifest.
@pytest.mark.parametrize("name", ["chart", "quantities", "scaled", "placed"])
def test_is_its_manifest(
    cluster: Cluster,
    namespace: str,
    fleet: Fleet,
    askew: Ask,
    tmp_path: Path,
    name: str,
) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(SHAPES[name])
    apply(cluster.admin, SHAPES[name], namespace, "server")
    fleet.settle(namespace)
    got = askew("diff", "manifest.yaml", f"k8s:{namespace}")
    assert got.findings == []
    assert (got.code, got.report["verdict"]) == (0, "aligned"), got.err
    assert [one["presence"] for one in got.report["workloads"]] == ["both"]
    assert got.report["workloads"][0]["coverage"]["verified"] > 20
    back = askew("diff", f"k8s:{namespace}", "manifest.yaml")
    assert back.findings == []
