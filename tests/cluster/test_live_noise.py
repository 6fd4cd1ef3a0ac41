"""What the API server, its controllers and its admission make of a manifest is no finding, in neither direction."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.pipeline import Options, check, diff
from askew.report.model import Report
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster
from tests.cluster.shapes import SHAPES

# What a check says of running pods only: without an incident it says nothing.
OF_RUNNING = frozenset(
    {
        *("replicas-differ", "pods-differ-from-template", "rollout-incomplete", "config-changed-after-start"),
        *("autoscaler-not-scaling", "engine-restarts"),
    }
)


def findings(report: Report) -> list[str]:
    assert not report.errors, report.errors
    return [f"{w.id}: {f.rule} {f.key} {f.summary}" for w in report.workloads for f in w.findings]


@pytest.fixture
def seen(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of the test's namespace."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig("admin", namespace=namespace)))
    return f"k8s:{namespace}"


@pytest.mark.parametrize("name", SHAPES)
def test_what_was_applied_is_what_is_live(
    cluster: Cluster, namespace: str, fleet: Fleet, seen: str, name: str, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(SHAPES[name])
    apply(cluster.admin, SHAPES[name], namespace)
    fleet.settle(namespace)
    assert findings(diff(str(manifest), seen, Options())) == []
    assert findings(diff(seen, str(manifest), Options())) == []
    found = [f for w in check(seen, None, Options()).workloads for f in w.findings if f.rule in OF_RUNNING]
    if name == "daemonset":  # it runs on every node, and these are of two kinds: nobody asked for one of them
        found = [f for f in found if not f.facts[0].startswith("hardware.")]
    assert [f"{f.rule}: {f.summary}" for f in found] == []
