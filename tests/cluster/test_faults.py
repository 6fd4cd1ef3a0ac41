"""Servers that fail: bounded time, an honest status that names what is missing, and nothing lost that was read."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.cluster.conftest import Answer, Ask
from tests.cluster.faults import Fault, front
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster, token
from tests.cluster.test_incidents import LLM, SETTINGS

PODS, SETS = r"/pods\?", r"/replicasets\?"


@pytest.fixture
def llm(cluster: Cluster, namespace: str, fleet: Fleet) -> str:
    """The namespace of a deployment that runs well."""
    apply(cluster.admin, SETTINGS + "---\n" + LLM, namespace)
    fleet.settle(namespace)
    return namespace


def status(got: Answer) -> tuple[str, str]:
    """How the source ended, and why."""
    source = got.report["sources"][0]
    return source["status"], source["reason"] or ""


def shown(got: Answer) -> list[str]:
    """The workloads that were read all the same."""
    return [one["id"] for one in got.report["workloads"]]


@pytest.mark.parametrize("code", [429, 503])
def test_what_passes_is_asked_again(cluster: Cluster, llm: str, askew: Ask, code: int) -> None:
    fault = Fault(path=PODS, code=code, headers={"Retry-After": "1"}, times=2)
    with front(cluster, fault) as before:
        got = askew("facts", f"k8s:{llm}", config=cluster.kubeconfig(url=before.url))
    asked = [when for when, path in before.asked if "/pods?" in path]
    assert len(asked) == 3
    assert asked[1] - asked[0] > 0.9, "it waits as long as it was told to"
    assert status(got) == ("complete", "")
    assert got.code == 0, got.err


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(path=PODS, code=500), "made to fail: InternalError (500)"),
        (Fault(path=PODS, body=b"<html>Sign in</html>"), "the answer is no list"),
        (Fault(path=PODS, body=b'{"items": 5}'), "the answer is no list"),
        (Fault(path=PODS, body=b"[" * 200_000), "the answer is no list"),
        (Fault(path=PODS, body=b"\xff\xfe{}"), "the answer is no list"),
        (Fault(path=PODS, body=b'{"items": [{"metadata": 5}, null, "x", [1]]}'), "an object is not as expected"),
        (Fault(path=PODS, cut=100), "cut off"),
        (Fault(path=PODS, code=302, headers={"Location": "http://127.0.0.1:1/"}), "(302)"),
        (Fault(path=PODS, wait=60), "time"),
        (Fault(path=PODS, drip=0.05), "time"),
        (Fault(path=PODS, body=b" " * 1_000_000, endless=True), "larger than"),
    ],
    ids=["500", "html", "no-list", "nested", "no-utf-8", "no-objects", "cut", "redirect", "hangs", "drips", "endless"],
)
def test_one_kind_fails(cluster: Cluster, llm: str, askew: Ask, fault: Fault, said: str) -> None:
    began = time.monotonic()
    with front(cluster, fault) as before:
        got = askew("facts", f"k8s:{llm}?timeout=8", config=cluster.kubeconfig(url=before.url))
    assert time.monotonic() - began < 20
    how, reason = status(got)
    assert how == "partial"
    assert "pods" in reason and said in reason, reason
    assert shown(got) == [f"{llm}/Deployment/llm"]
    assert got.report["workloads"][0]["facts"]["runtime.max_model_len"]["value"] == 32768


def test_everything_fails(cluster: Cluster, llm: str, askew: Ask) -> None:
    began = time.monotonic()
    with front(cluster, Fault(path="", code=503)) as before:
        got = askew("facts", f"k8s:{llm}?timeout=5", config=cluster.kubeconfig(url=before.url))
    assert time.monotonic() - began < 10
    assert (got.code, status(got)[0]) == (2, "failed")
    assert "503" in got.report["errors"][0]["message"]


def test_nobody_is_there(cluster: Cluster, askew: Ask) -> None:
    got = askew("facts", "k8s:default?timeout=5", config=cluster.kubeconfig(url="https://127.0.0.1:1"))
    assert (got.code, status(got)[0]) == (2, "failed")
    assert "127.0.0.1:1 refuses connections" in got.report["errors"][0]["message"]


def test_a_token_that_expires_meanwhile(cluster: Cluster, llm: str, askew: Ask) -> None:
    with front(cluster, Fault(path="/pods|/replicasets", code=401)) as before:
        got = askew("facts", f"k8s:{llm}", config=cluster.kubeconfig(url=before.url))
    assert shown(got) == [f"{llm}/Deployment/llm"], "what was read before is kept"
    assert status(got)[0] == "partial"
    assert "log in again" in json.dumps(got.report)


@pytest.mark.parametrize("how", ["token", "certificate"])
def test_credentials_that_count_no_more(cluster: Cluster, askew: Ask, tmp_path: Path, how: str) -> None:
    config = cluster.config("admin", how=how)
    if how == "token":
        config["users"][0]["user"]["token"] = "revoked-canary-4711"
    else:
        files = {"client-certificate": "expired.crt", "client-key": "expired.key"}
        config["users"][0]["user"] = {key: str(cluster.folder / name) for key, name in files.items()}
    (tmp_path / "config").write_text(json.dumps(config))
    got = askew("facts", "k8s:default", config=tmp_path / "config")
    assert (got.code, status(got)[0]) == (2, "failed")
    error = got.report["errors"][0]
    assert "credentials" in error["message"] and "(401)" in error["message"]
    assert "log in again" in error["hint"]
    assert "canary" not in got.out + got.err


def test_a_server_of_another_authority(cluster: Cluster, askew: Ask, tmp_path: Path) -> None:
    config = cluster.config()
    config["clusters"][0]["cluster"].pop("certificate-authority-data")
    (tmp_path / "config").write_text(json.dumps(config))
    got = askew("facts", "k8s:default", config=tmp_path / "config")
    assert (got.code, status(got)[0]) == (2, "failed")
    assert "certificate" in got.report["errors"][0]["message"]
    assert token("admin") not in got.out + got.err


@pytest.mark.parametrize("how", ["token", "certificate", "inline"])
def test_ways_to_log_in(cluster: Cluster, llm: str, askew: Ask, how: str) -> None:
    got = askew("facts", f"k8s:{llm}/deployment/llm", config=cluster.kubeconfig(how=how))
    assert (got.code, shown(got)) == (0, [f"{llm}/Deployment/llm"])


def test_the_namespace_of_the_context(cluster: Cluster, llm: str, askew: Ask) -> None:
    assert shown(askew("facts", "k8s:", config=cluster.kubeconfig(namespace=llm))) == [f"{llm}/Deployment/llm"]


def test_pages_that_are_gone(cluster: Cluster, llm: str, askew: Ask) -> None:
    """The history is compacted between two pages: the list is finished from what there is now."""
    service = cluster.admin.post(
        f"/api/v1/namespaces/{llm}/services", {"metadata": {"name": "other"}, "spec": {"ports": [{"port": 80}]}}
    )
    many = {}
    for number in range(600):
        meta = {**service["metadata"], "name": f"s{number:04}", "uid": f"{number:08}-0000-4000-8000-000000000000"}
        del meta["resourceVersion"]
        many[f"/registry/services/specs/{llm}/{meta['name']}"] = {**service, "metadata": meta}
    cluster.store(many.items())

    def forget() -> None:
        cluster.admin.post(f"/api/v1/namespaces/{llm}/configmaps", {"metadata": {"generateName": "later-"}})
        cluster.compact()

    gone = Fault(path=r"/services\?.*continue=", first=forget, times=1)
    with front(cluster, gone) as before, cluster.requests("admin") as calls:
        got = askew("facts", f"k8s:{llm}", config=cluster.kubeconfig(url=before.url))
    asked = [one.code for one in calls if "/services?" in one.uri and one.verb == "list"]
    assert asked == [200, 410, 200]
    assert status(got) == ("complete", "")
