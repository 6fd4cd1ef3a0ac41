"""What an API server would make of a manifest: merged item by item, with the place of each, and without a trace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import sources
from askew.collectors.dry_run import COLLECTOR
from askew.collectors.dry_run.merge import DEFAULTS, mapping, same
from askew.collectors.interface import Evidence
from askew.evidence.document import Document, Node, wrap
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import read
from tests.collectors.k8s.scripted import Cluster, kubeconfig, status

CANARY = "Canary7f3e9a1b5c"
LLM = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm, namespace: prod, labels: {{tier: gpu}}}}
spec:
  replicas: 2
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.9.0
        args: [--model=m, --api-key, {CANARY}, --max-model-len=8192]
        env:
        - {{name: MODE, value: fast}}
        - {{name: HF_TOKEN, value: {CANARY}}}
        resources: {{limits: {{nvidia.com/gpu: 1, memory: 16384Mi}}}}
"""
Ask = Callable[..., Evidence]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def collect(cluster: Cluster | None, uri: str = "dry-run:deploy.yaml", text: str = LLM, **more: Any) -> Evidence:
        if cluster is not None:
            monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", cluster.url)))
        (tmp_path / "deploy.yaml").write_text(text)
        (request,) = sources.parse(uri)
        return COLLECTOR.collect(msgspec.structs.replace(request, **more), Redactor(b"key"))

    return collect


def root(found: Evidence) -> Node:
    (document,) = found.documents
    return document.root.with_object("apps/v1 Deployment prod/llm")


def test_what_the_server_adds_has_its_place_and_the_rest_that_of_the_file(ask: Ask) -> None:
    def admit(made: dict[str, Any]) -> None:
        made["status"] = {"replicas": 0}
        if made["kind"] == "Pod":
            container = made["spec"]["containers"][1]
            container["resources"]["requests"] = {"memory": "8Gi"}
            container["volumeMounts"] = [{"name": "kube-api-access-abcde", "mountPath": "/var/run"}]
            made["spec"]["tolerations"] = [{"key": "node.kubernetes.io/not-ready"}]
            return
        made["metadata"]["labels"]["team"] = "ml"
        made["spec"]["selector"] = {"matchLabels": {"uid": made["metadata"]["uid"], "name": made["metadata"]["name"]}}
        pod = made["spec"]["template"]["spec"]
        pod["dnsPolicy"] = "ClusterFirst"
        (container,) = pod["containers"]
        container["env"].insert(0, {"name": "FIRST", "value": "1"})
        container["args"].insert(1, "--seed=1")
        container["resources"]["limits"] = {"memory": "16Gi", "nvidia.com/gpu": "1"}
        pod["containers"] = [{"name": "proxy", "image": "proxy:1"}, container]

    with Cluster() as cluster:
        cluster.admit = admit
        found = ask(cluster)
        assert not cluster.objects
        posts = [one for one in cluster.asked if "dryRun" in one]
    assert (found.status, found.reason, found.errors) == ("complete", "", ())
    assert posts == [
        "/apis/apps/v1/namespaces/prod/deployments?dryRun=All&fieldValidation=Ignore",
        "/api/v1/namespaces/prod/pods?dryRun=All&fieldValidation=Ignore",
    ]
    sent = cluster.sent[0]["metadata"]
    assert sent == {"generateName": "llm-", "namespace": "prod", "labels": {"tier": "gpu"}}
    top = root(found)
    assert top["metadata"].value == {"name": "llm", "namespace": "prod", "labels": {"tier": "gpu", "team": "ml"}}
    assert not top["status"].exists
    assert top.get("spec", "selector").value == {"matchLabels": {"name": "llm"}}
    assert top.get("spec", "replicas").location.line == 5
    pod = top.get("spec", "template", "spec")
    assert str(pod["dnsPolicy"].location) == "k8s://test#dry-run Deployment prod/llm spec.template.spec.dnsPolicy"
    assert not pod["tolerations"].exists
    container = pod["containers"][1]
    assert not container["volumeMounts"].exists
    assert [(one["name"].value, one["value"].location.line) for one in container["env"]] == [
        ("FIRST", 0), ("MODE", 14), ("HF_TOKEN", 15),
    ]  # fmt: skip
    assert [one.location.line for one in container["args"]] == [12, 0, 12, 12, 12]
    assert container["args"][1].location.path == "spec.template.spec.containers[1].args[1]"
    resources = container["resources"]
    assert (resources["limits"]["memory"].value, resources["limits"]["memory"].location.line) == ("16384Mi", 16)
    assert (resources["limits"]["nvidia.com/gpu"].value, resources["limits"]["nvidia.com/gpu"].location.line) == (1, 16)
    place = resources["requests"]["memory"].location
    assert (place.object, place.path) == ("v1 Pod prod/llm", "spec.containers[1].resources.requests.memory")


def test_no_secret_is_sent_or_told(ask: Ask) -> None:
    def admit(made: dict[str, Any]) -> None:
        made["metadata"].setdefault("annotations", {})["acme/password"] = CANARY

    with Cluster() as cluster:
        cluster.admit = admit
        found = ask(cluster)
        assert CANARY not in json.dumps(cluster.sent)
    assert CANARY not in repr(found) + repr(root(found).value)
    container = root(found).get("spec", "template", "spec", "containers", 0)
    assert container["env"][1]["value"].location.line == 15, "its marker came back, so that it is the file's"
    assert container["args"][2].location.line == 12


@pytest.mark.parametrize("minor", ["17", "10+", "", "x"])
def test_nothing_is_sent_to_a_server_that_may_not_know_dry_runs(ask: Ask, minor: str) -> None:
    with Cluster() as cluster:
        cluster.version = {"major": "1", "minor": minor}
        found = ask(cluster)
        assert not cluster.sent
    assert found.status == "partial"
    assert "may not know dry runs" in found.reason
    assert root(found).get("spec", "replicas").value == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(500, "InternalError", "etcd is gone"), "Deployment llm is shown as written: etcd is gone (500)"),
        (status(409, "AlreadyExists", "it is there"), "Deployment llm is shown as written: it is there (409)"),
        (
            status(400, "BadRequest", 'admission webhook "a.b" does not support dry run'),
            'Deployment llm is shown as written: admission webhook "a.b" does not support dry run (400)',
        ),
        (
            status(403, "Forbidden", 'deployments "llm-x7abc" is forbidden: exceeded quota: q'),
            'Deployment llm is shown as written: deployments "llm" is forbidden: exceeded quota: q (403)',
        ),
        (status(404, "NotFound", "nothing"), "the API server knows no deployments.apps of this version"),
        ((201, {}, b"[1]"), "Deployment llm is shown as written: expected an object"),
        ((201, {}, b"{}"), "Deployment llm is shown as written: the API server did not answer with a Deployment"),
        ((201, {}, b'{"kind": "Deployment", "spec": []}'), "did not answer with a Deployment"),
        ((200, {}, b"{}"), "Deployment llm is shown as written: "),
        ((201, {}, b"{"), "Deployment llm is shown as written: "),
        ((201, {}, b"\xff"), "Deployment llm is shown as written: "),
        ((201, {}, b'{"a":' * 5000), "Deployment llm is shown as written: "),
    ],
)
def test_whatever_fails_leaves_the_file(ask: Ask, answer: Any, said: str) -> None:
    with Cluster() as cluster:
        cluster.answer = lambda path, query: answer if "deployments" in path else None
        found = ask(cluster)
    assert (found.status, found.errors) == ("partial", ())
    assert said in found.reason
    assert root(found).get("spec", "replicas").location.line == 5


@pytest.mark.parametrize(
    "stored",
    [
        {"spec": {}},
        {"spec": {"template": []}},
        {"metadata": [1], "spec": {"template": {"metadata": 1, "spec": {"containers": [1, None, {"name": [2]}]}}}},
        {"metadata": {"name": 7, "uid": []}, "spec": {"template": {"spec": {"containers": {"name": "vllm"}}}}},
    ],
)
def test_nonsense_that_is_an_object_is_merged_without_a_fault(ask: Ask, stored: dict[str, Any]) -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        kind = "Pod" if path.endswith("/pods") else "Deployment"
        return (201, {}, json.dumps({"kind": kind, **stored}).encode()) if "/namespaces/" in path else None

    with Cluster() as cluster:
        cluster.answer = answer
        found = ask(cluster)
    assert found.documents[0].root["metadata"]["name"].value == "llm"
    assert found.documents[0].root["kind"].value == "Deployment"


def test_a_refusal_is_an_error_where_the_field_is_written(ask: Ask) -> None:
    cause = {"field": "spec.template.spec.containers[0].env[1].value", "message": "no"}
    body = {"kind": "Status", "message": 'Deployment.apps "llm-x7abc" is invalid: no', "details": {"causes": [cause]}}
    with Cluster() as cluster:
        cluster.answer = lambda path, query: (422, {}, json.dumps(body).encode()) if "deployments" in path else None
        found = ask(cluster)
    (error,) = found.errors
    assert (error.source, error.line) == ("deploy.yaml", 15)
    assert error.message == ('the API server would refuse Deployment llm: Deployment.apps "llm" is invalid: no (422)')
    assert found.status == "partial"


def test_a_marker_that_is_refused_is_no_error_of_the_file(ask: Ask) -> None:
    with Cluster() as cluster:
        answer = status(422, "Invalid", "a label is redacted:0123456789abcdef")
        cluster.answer = lambda path, query: answer if "deployments" in path else None
        found = ask(cluster)
    assert (found.status, found.errors) == ("partial", ())


def test_the_right_that_is_missing_is_named_once(ask: Ask) -> None:
    with Cluster() as cluster:
        cluster.denied = {"create deployments.apps"}
        found = ask(cluster, text=LLM + "---\n" + LLM.replace("name: llm,", "name: other,"))
    assert found.reason == "not everything could be asked: a dry run needs create on deployments.apps in prod"


def test_a_server_that_goes_away_or_refuses_the_user(ask: Ask) -> None:
    def broken(handler: Any) -> None:
        handler.connection.close()

    with Cluster() as cluster:
        cluster.answer = lambda path, query: broken if "deployments" in path else None
        found = ask(cluster, text=LLM + "---\n" + LLM)
        assert len(cluster.sent) <= 10, "it is not asked for each object"
    assert found.status == "partial"
    assert found.errors[0].message.startswith("the dry run ended early")
    with Cluster() as cluster:
        cluster.token = "another"
        found = ask(cluster)
    assert "(401)" in found.errors[0].message
    assert found.status == "partial"
    found = ask(None, "dry-run://nowhere/deploy.yaml")
    assert "no context is called 'nowhere'" in found.errors[0].message


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("dry-run:", "needs a manifest"),
        ("dry-run:///a", "names no context"),
        ("dry-run:deploy.yaml?logs=on", "'logs' is no option"),
        ("dry-run:absent.yaml", "no such file"),
        ("dry-run:deploy.yaml?namespace=..%2f..", "no server"),
    ],
)
def test_uris_that_mean_nothing(ask: Ask, uri: str, said: str) -> None:
    with Cluster() as cluster:
        found = ask(cluster, uri, LLM.replace(", namespace: prod", ""))
        assert not cluster.sent
    assert found.errors and (said in found.errors[0].message or said == "no server")


@pytest.mark.parametrize("namespace", ["../kube-system", "a/b", "a?b", "A"])
def test_no_name_in_a_file_leads_elsewhere(ask: Ask, namespace: str) -> None:
    with Cluster() as cluster:
        found = ask(cluster, text=LLM.replace("namespace: prod", f"namespace: '{namespace}'"))
        assert not cluster.sent
    assert (found.status, found.errors[0].line) == ("partial", 3)


def test_a_stopped_one_keeps_the_files(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with Cluster() as cluster:
        found = ask(cluster, progress=stop, keep=True)
        assert found.interrupted and root(found).get("spec", "replicas").value == 2
        with pytest.raises(KeyboardInterrupt):
            ask(cluster, progress=stop)


def test_other_kinds_are_not_asked_for(ask: Ask) -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\nengine: vllm\n---\nservices: {a: {image: b}}\n"
    with Cluster() as cluster:
        found = ask(cluster, text=text)
        assert not cluster.asked, "not even who is there"
    assert len(found.documents) == 3


def test_knative_names_its_revisions_after_the_service(ask: Ask) -> None:
    text = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: llm, namespace: prod}
spec: {template: {metadata: {name: llm-v1}, spec: {containers: [{image: a}]}}}
"""
    with Cluster() as cluster:
        found = ask(cluster, text=text)
        (sent,) = cluster.sent
    assert "name" not in sent["spec"]["template"]["metadata"]
    name = found.documents[0].root.get("spec", "template", "metadata", "name")
    assert (name.value, name.location.line, found.status) == ("llm-v1", 4, "complete")


# -- merging -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        (1, "1", True), ("1000m", 1, True), ("0.5", "500m", True), ("1024Mi", "1Gi", True), (1, 2, False),
        (True, "true", False), (True, 1, False), ("a", "b", False), (None, None, True), (None, 0, False),
        ("1x", "1y", False), (1.0, 1, True), ("", "", True), ("9" * 5000, "9" * 5000 + "0", False),
    ],
)  # fmt: skip
def test_scalars_as_the_server_spells_them(ours: object, theirs: object, equal: bool) -> None:
    assert same(ours, theirs) is equal


def merged(text: str, stored: dict[str, Any]) -> Node:
    (document,) = read(text.encode(), "f", dialect="kubectl").documents
    assert isinstance(document.root.value, dict)
    document.root.value = mapping(document.root.value, wrap(stored, "server"))
    return document.root


def lines(node: Node) -> list[int]:
    return [one.location.line for one in node]


def test_lists_by_their_merge_keys() -> None:
    text = "mounts:\n- {name: a, mountPath: /a}\n- {name: a, mountPath: /b}\n"
    stored = {
        "mounts": [
            {"name": "z", "mountPath": "/z"},
            {"name": "a", "mountPath": "/b", "ro": 1},
            {"name": "a", "mountPath": "/a"},
        ]
    }
    found = merged(text, stored)["mounts"]
    assert [one["mountPath"].location.line for one in found] == [0, 3, 2]
    assert found[1]["ro"].location.path == "mounts[1].ro"
    assert found.value == stored["mounts"]


def test_lists_without_keys_by_what_they_hold() -> None:
    text = "tolerations:\n- {key: gpu, operator: Exists}\n- {operator: Exists}\nargs:\n- a\n- b\n- a\n"
    gpu = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    stored = {"tolerations": [{"key": "x"}, {"operator": "Exists"}, gpu], "args": ["a", "x", "a", "b"]}
    found = merged(text, stored)
    assert found.value == stored
    assert lines(found["args"]) == [5, 0, 7, 6]
    assert [one["operator"].location.line for one in found["tolerations"]][1:] == [3, 2]


def test_what_says_nothing_stays_and_what_is_not_known_goes() -> None:
    found = merged(
        "env: []\nhostNetwork: false\nresource: {limits: 1}\nnothing:\n", {"nothing": {"a": 1}, "gone": None}
    )
    assert found.value == {"env": [], "hostNetwork": False, "nothing": {"a": 1}}
    assert found["hostNetwork"].location.line == 2
    assert found["nothing"]["a"].location.source == "server"


def test_what_kubernetes_fills_in_by_itself_is_left_out() -> None:
    text = "strategy: {type: RollingUpdate}\ncontainers:\n- {name: a, image: 'r:5/a:v1'}\n"
    text += "- {name: b, image: b}\n- {name: c, image: c@d}\n"
    surge = {"maxSurge": "25%", "maxUnavailable": "25%"}
    stored = {
        "replicas": 1, "terminationGracePeriodSeconds": 31,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": surge},
        "containers": [
            {"name": "a", "image": "r:5/a:v1", "imagePullPolicy": "IfNotPresent"},
            {"name": "b", "image": "b", "imagePullPolicy": "Always"},
            {"name": "c", "image": "c@d", "imagePullPolicy": "Always"},
        ],
    }  # fmt: skip
    (document,) = read(text.encode(), "f", dialect="kubectl").documents
    assert isinstance(document.root.value, dict)
    assert mapping(document.root.value, wrap(stored, "server"), defaults=DEFAULTS["apps", "Deployment"]) == {
        "terminationGracePeriodSeconds": 31,
        "strategy": {"type": "RollingUpdate"},
        "containers": [
            {"name": "a", "image": "r:5/a:v1"},
            {"name": "b", "image": "b"},
            {"name": "c", "image": "c@d", "imagePullPolicy": "Always"},
        ],
    }


def test_anchors_are_merged_apart() -> None:
    found = merged("a: &x {k: 1}\nb: *x\n", {"a": {"k": 1, "m": 2}, "b": {"k": 3}})
    assert found.value == {"a": {"k": 1, "m": 2}, "b": {"k": 3}}
    assert found["a"]["k"].location.line == 1
    assert found["b"]["k"].location.source == "server"


_SCALARS = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["a", "b", "1", "1Gi"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "port", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


_MAPPINGS = st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3)


@given(_MAPPINGS, _MAPPINGS)
def test_the_result_is_what_is_stored(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """But for spelling, and what says nothing."""

    def holds(node: object, stored: object) -> bool:
        if isinstance(stored, dict):
            return isinstance(node, dict) and all(holds(node.get(k), v) for k, v in stored.items() if v is not None)
        if isinstance(stored, list):
            return isinstance(node, list) and len(node) == len(stored) and all(map(holds, node, stored))
        return same(node, stored)

    (document,) = read(json.dumps(ours).encode(), "f", dialect="kubectl").documents or (_empty(),)
    assert isinstance(document.root.value, dict)
    document.root.value = mapping(document.root.value, wrap(theirs, "server"))
    assert holds(document.root.value, theirs)
    pending = [document.root]
    while pending:
        node = pending.pop()
        assert node.location.source in ("f", "server")
        pending.extend(node.each() if node.is_sequence else (child for _, child in node.items()))


def _empty() -> Document:
    (document,) = read(b"{}", "f", dialect="kubectl").documents
    return document
