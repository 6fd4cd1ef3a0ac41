"""A real API server for the tests of this folder, one for the whole run; without its binaries they are skipped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from askew.cli.run import run
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


class Answer(msgspec.Struct, frozen=True):
    """What a command left behind: its exit code, its report, what it said on stderr, and all it printed."""

    code: int
    report: dict[str, Any]
    err: str
    out: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        return [one for workload in self.report["workloads"] for one in workload["findings"]]

    @property
    def facts(self) -> list[str]:
        """The facts of all findings, in the order of the report."""
        return [one["fact"] for one in self.findings]


Ask = Callable[..., Answer]


@pytest.fixture
def askew(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Run a command line in this process, as JSON, in an empty folder, as a user of the cluster (``user=``), or with
    another kubeconfig (``config=``)."""
    monkeypatch.chdir(tmp_path)

    def ask(*words: str, user: str = "admin", config: Path | None = None) -> Answer:
        monkeypatch.setenv("KUBECONFIG", str(config or cluster.kubeconfig(user)))
        capsys.readouterr()
        try:
            code = run([*words, "--format", "json"])
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        report = json.loads(captured.out) if captured.out else {}
        return Answer(code, report, captured.err, captured.out)

    return ask
