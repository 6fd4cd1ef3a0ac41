"""What was applied and what is live are the same: defaults, quantities and what admission adds are no finding."""

from __future__ import annotations

import pytest

from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster
from tests.cluster.shapes import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_applies(cluster: Cluster, namespace: str, fleet: Fleet, name: str) -> None:
    apply(cluster.admin, SHAPES[name], namespace)
    fleet.settle(namespace)
