"""What a scan asks of the API server: lists and their pages, and nothing for each pod."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.simulated import Size, fill
from tests.cluster import build
from tests.cluster.conftest import Ask
from tests.cluster.server import Call, Cluster, running

PAGE = 500
# Kinds that this API server has and that belong to a workload, and one question for which kinds there are.
KINDS = 21
ONE_WORKLOAD = 24


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server of its own, for it holds 1,250 pods on 120 nodes, of 130 deployments and 5 daemonsets."""
    folder = build.assets()
    if absent := build.missing(folder):
        pytest.skip(f"needs a real API server ({', '.join(absent)} in {folder}): run `make test-cluster`")
    with running(folder, tmp_path_factory.mktemp("large"), controllers=False) as server:
        fill(server, Size(nodes=120, deployments=130))
        yield server


def asked(calls: list[Call]) -> Counter[str]:
    """How often each path was asked for. Only reads, and lists in pages of bounded size, are there at all."""
    for call in calls:
        assert call.verb in ("get", "list"), call
        if call.verb == "list":
            assert int(parse_qs(urlsplit(call.uri).query)["limit"][0]) <= PAGE, call
    return Counter(urlsplit(call.uri).path for call in calls)


def test_a_whole_cluster(cluster: Cluster, askew: Ask) -> None:
    with cluster.requests("admin") as calls:
        got = askew("check", "k8s:*")
    assert got.report["sources"][0]["status"] == "complete"
    assert len(got.report["workloads"]) >= 135
    paths = asked(calls)
    assert not [path for path in paths if re.search(r"/(pods|nodes|configmaps|secrets|services|replicasets)/", path)]
    pods, sets = math.ceil(1252 / PAGE), math.ceil(261 / PAGE)
    assert (paths["/api/v1/pods"], paths["/apis/apps/v1/replicasets"]) == (pods, sets)
    assert set(paths.values()) <= {1, pods}
    assert len(paths) <= KINDS


def test_one_workload_of_a_large_cluster(cluster: Cluster, askew: Ask) -> None:
    with cluster.requests("admin") as calls:
        got = askew("check", "k8s:team-3/deployment/llm-3")
    assert got.report["sources"][0]["status"] == "complete"
    paths = asked(calls)
    assert sum(paths.values()) <= ONE_WORKLOAD, paths
    assert [path for path in paths if path.endswith("/pods")] == ["/api/v1/namespaces/team-3/pods"]
    assert not [path for path in paths if "/pods/" in path]
    listed = next(call.uri for call in calls if "/pods?" in call.uri)
    assert parse_qs(urlsplit(listed).query)["labelSelector"] == ["app=llm-3"]


def test_with_and_without_what_it_was(cluster: Cluster, askew: Ask) -> None:
    """A comparison with the revision before costs two readings of one workload."""
    with cluster.requests("admin") as calls:
        askew("diff", "k8s:team-3/deployment/llm-3@previous", "k8s:team-3/deployment/llm-3")
    assert sum(asked(calls).values()) <= 2 * ONE_WORKLOAD
