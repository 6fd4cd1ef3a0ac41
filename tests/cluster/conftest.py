"""A real API server for the tests of this folder, one for the whole run; without its binaries they are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.cluster import build, server
from tests.cluster.fleet import H100, L4, Fleet, add_node
from tests.cluster.server import Cluster

_NUMBERS = count(1)
NODES = ("gpu-a", "gpu-b")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process runs all that need the server (``--dist loadgroup``): a second one would only start its own."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("cluster"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The control plane, with three nodes: two of eight H100, one of L4."""
    folder = build.assets()
    if absent := build.missing(folder):
        pytest.skip(
            f"needs a real API server ({', '.join(absent)} in {folder}): run `make test-cluster`, which builds it"
        )
    with server.running(folder, tmp_path_factory.mktemp("cluster")) as running:
        for name in NODES:
            add_node(running.admin, name, H100)
        add_node(running.admin, "gpu-l4", L4)
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A namespace of this test's own, in which pods can be made."""
    name = f"test-{next(_NUMBERS)}"
    cluster.admin.post("/api/v1/namespaces", {"metadata": {"name": name}})
    server.wait(lambda: bool(cluster.admin.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")))
    return name


@pytest.fixture
def fleet(cluster: Cluster) -> Fleet:
    """Who binds and starts pods on the H100 nodes."""
    return Fleet(cluster.admin, NODES)
