"""Releases as Helm stores them: which revision, with real lines, bounded, and without secrets."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from askew.app import sources
from askew.app.pipeline import Options, diff
from askew.collectors.helm_release import COLLECTOR
from askew.collectors.interface import Evidence
from askew.evidence.redaction import Redactor
from tests.collectors.k8s.scripted import Cluster, kubeconfig, rollout

CANARY = "canary-Hm77-release-1x"
MANIFEST = """\
---
# Source: llm/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm
spec:
  template:
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.8.5
          args:
            - --model=org/model
            - --max-model-len=%d
          env: [{name: HF_TOKEN, value: %s}]
"""
Ask = Callable[[Cluster, str], Evidence]


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [*os.environ]:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    def collect(cluster: Cluster, uri: str) -> Evidence:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", cluster.url)))
        (request,) = sources.parse(uri)
        return COLLECTOR.collect(request, Redactor(b"key"))

    return collect


def packed(release: object) -> str:
    return base64.b64encode(gzip.compress(json.dumps(release).encode(), mtime=0)).decode()


def stored(
    revision: int,
    status: str,
    *,
    name: str = "llm",
    driver: str = "Secret",
    length: int = 4096,
    data: str | None = None,
) -> dict[str, Any]:
    release = {
        "name": name, "version": revision, "namespace": "prod", "info": {"status": status, "notes": CANARY},
        "chart": {"values": {"apiKey": CANARY}}, "config": {"hfToken": CANARY}, "manifest": MANIFEST % (length, CANARY),
    }  # fmt: skip
    held = packed(release) if data is None else data
    if driver == "Secret":
        held = base64.b64encode(held.encode()).decode()
    labels = {"owner": "helm", "name": name, "status": status, "version": str(revision)}
    metadata = {"name": f"sh.helm.release.v1.{name}.v{revision}", "namespace": "prod", "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": driver,
        "metadata": metadata,
        "type": "helm.sh/release.v1",
        "data": {"release": held},
    }


def length(found: Evidence) -> object:
    (document,) = found.documents
    return document.root.get("spec", "template", "spec", "containers", 0, "args", 1).value


@pytest.mark.parametrize("driver", ["Secret", "ConfigMap"])
def test_the_revision_that_is_deployed(ask: Ask, driver: str) -> None:
    objects = (
        stored(1, "superseded", driver=driver, length=1),
        stored(2, "deployed", driver=driver, length=2),
        stored(3, "failed", driver=driver, length=3),
        stored(9, "deployed", driver=driver, name="other", length=9),
    )
    with Cluster(*objects) as cluster:
        found, first = ask(cluster, "helm-release:prod/llm"), ask(cluster, "helm-release:llm@1")
        third = ask(cluster, "helm-release://test/prod/llm@3?timeout=9")
    assert [one.status for one in (found, first, third)] == ["complete"] * 3
    assert [length(one) for one in (found, first, third)] == [
        "--max-model-len=2",
        "--max-model-len=1",
        "--max-model-len=3",
    ]
    place = found.documents[0].root.get("spec", "template", "spec", "containers", 0, "args", 1).location
    assert str(place) == "helm-release:prod/llm@2:15:15"
    assert found.platform == ""


def test_only_names_are_listed(ask: Ask) -> None:
    with Cluster(stored(2, "deployed")) as cluster:
        ask(cluster, "helm-release:prod/llm")
        (listed,) = (number for number, one in enumerate(cluster.asked) if "limit=" in one)
        assert "labelSelector=owner=helm,name=llm" in cluster.asked[listed]
        assert "PartialObjectMetadataList" in cluster.headers[listed]["accept"]


def test_secrets_stay_where_they_are(ask: Ask) -> None:
    with Cluster(stored(2, "deployed")) as cluster:
        found = ask(cluster, "helm-release:prod/llm")
    everything = repr([one.root.value for one in found.documents]) + repr([list(one.lines) for one in found.documents])
    assert CANARY not in everything + repr(found)


@pytest.mark.parametrize(
    ("uri", "said", "hint"),
    [
        ("helm-release:prod/llm@7", "the release 'llm' in the namespace 'prod' has no revision 7", "Helm keeps 1, 2"),
        ("helm-release:prod/x", "there is no release 'x'", "Helm keeps there: llm"),
        ("helm-release:empty/x", "there is no release 'x' in the namespace 'empty'", "helm list -A"),
        ("helm-release:", "'' names no release", "NAMESPACE/NAME"),
        ("helm-release:prod/llm@last", "names no release", "@REVISION"),
        ("helm-release:a/b/c", "names no release", "NAMESPACE/NAME"),
        ("helm-release:prod/llm?values=x", "'values' is no option", "context"),
        ("helm-release://nowhere/prod/llm", "no context is called 'nowhere'", "get-contexts"),
    ],
)
def test_what_is_not_there(ask: Ask, uri: str, said: str, hint: str) -> None:
    with Cluster(stored(1, "superseded"), stored(2, "deployed")) as cluster:
        found = ask(cluster, uri)
    assert found.status == "failed"
    assert said in found.errors[0].message
    assert hint in found.errors[0].hint


def test_what_may_not_be_read(ask: Ask) -> None:
    with Cluster(stored(2, "deployed")) as cluster:
        cluster.denied = {"get secrets", "list secrets"}
        found = ask(cluster, "helm-release:prod/llm")
        cluster.denied = {"list secrets", "list configmaps"}
        named = ask(cluster, "helm-release:prod/llm@2")
    assert (found.status, "secrets" in found.errors[0].message) == ("failed", True)
    assert "get and list on secrets" in found.errors[0].hint
    assert named.status == "complete", "one revision by its name needs no list"


@pytest.mark.parametrize(
    "data",
    ["", "!!!", "AAAA", packed([]), packed({"manifest": 5}), base64.b64encode(b"{").decode(),
     base64.b64encode(b"\x1f\x8bbroken").decode(), base64.b64encode(gzip.compress(b"[" * 500_000, mtime=0)).decode()],
)  # fmt: skip
def test_objects_that_hold_no_release(ask: Ask, data: str) -> None:
    with Cluster(stored(2, "deployed", data=data)) as cluster:
        found = ask(cluster, "helm-release:prod/llm")
    assert found.status == "failed"
    assert "sh.helm.release.v1.llm.v2 holds no release" in found.errors[0].message


def test_a_release_that_unpacks_without_end(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = base64.b64encode(gzip.compress(b" " * (65 * 2**20), 1)).decode()
    with Cluster(stored(2, "deployed", data=bomb)) as cluster:
        found = ask(cluster, "helm-release:prod/llm")
    assert "larger than 67,108,864 bytes" in found.errors[0].message


def test_a_manifest_that_is_broken_or_empty(ask: Ask) -> None:
    broken = stored(2, "deployed", data=packed({"manifest": "a: [\n"}))
    with Cluster(broken) as cluster:
        found = ask(cluster, "helm-release:prod/llm")
        assert (found.status, found.errors[0].source) == ("failed", "helm-release:prod/llm@2")
    with Cluster(stored(2, "deployed", data=packed({"manifest": ""}))) as cluster:
        assert "the release installs nothing" in ask(cluster, "helm-release:prod/llm").errors[0].message


def test_an_upgrade_is_compared_with_what_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = rollout("--max-model-len=8192", now=("--max-model-len=4096",))
    with Cluster(stored(1, "superseded", length=8192), stored(2, "deployed", length=4096), *live) as cluster:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", cluster.url)))
        report = diff("helm-release:prod/llm@1", "helm-release:prod/llm", Options())
        against = diff("helm-release:prod/llm", "k8s:prod/deployment/llm", Options())
    assert [one.rule for workload in report.workloads for one in workload.findings] == ["runtime.max_model_len"]
    assert "runtime.max_model_len" not in [one.rule for workload in against.workloads for one in workload.findings]
