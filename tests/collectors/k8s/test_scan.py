"""What is read of a cluster, in how many calls, without secrets, and what is said of what may not be read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from askew.app.pipeline import Options, diff, facts
from askew.collectors.interface import Evidence
from askew.collectors.k8s.resources import RESOURCES
from askew.evidence.redaction import MARKER, Redactor
from tests.collectors.k8s.conftest import Ask
from tests.collectors.k8s.scripted import (
    Cluster,
    container,
    deployment,
    kubeconfig,
    node,
    owned_by,
    pod_of,
    replica_set,
    rollout,
    template,
)  # fmt: skip

CANARY = "canary-Zx81kq-77d1"


def held(found: Evidence, kind: str) -> list[dict[str, Any]]:
    return [one.root.value for one in found.documents if one.root["kind"].value == kind]  # type: ignore[misc]


def names(found: Evidence, kind: str) -> list[str]:
    return [one["metadata"]["name"] for one in held(found, kind)]


def made(kind: str, name: str, *, version: str = "v1", namespace: str = "prod", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


# -- one workload ------------------------------------------------------------------------------------------


def test_a_workload_with_what_belongs_to_it(ask: Ask) -> None:
    other = deployment(template(container()), name="other")
    with Cluster(
        *rollout(), other, node("gpu-9"), made("Service", "llm", spec={"selector": {"app": "llm"}})
    ) as cluster:
        found = ask(cluster, "k8s:prod/deployment/llm")
    assert (found.status, found.platform, found.reason) == ("complete", "cluster", "")
    assert names(found, "Deployment") == ["llm"]
    assert names(found, "Pod") == ["llm-bbbb-00001"]
    assert names(found, "ReplicaSet") == ["llm-aaaa", "llm-bbbb"]
    assert names(found, "Node") == ["gpu-0"]
    assert names(found, "Service") == ["llm"]
    first = found.documents[0].root
    assert first["apiVersion"].value == "apps/v1"
    assert first["spec"]["replicas"].location.source == "k8s://test"
    assert first["spec"]["replicas"].location.line == 0
    assert found.files == len(found.documents)


def test_what_no_reader_needs_is_left_out(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        found = ask(cluster, "k8s:prod/deployment/llm")
    assert "managedFields" not in repr([one.root.value for one in found.documents])
    assert "images" not in held(found, "Node")[0]["status"]
    volumes = held(found, "Pod")[0]["spec"]["volumes"]
    assert volumes[0]["name"] == "kube-api-access", "the same in all pods"


def test_equal_parts_of_pods_are_kept_once(ask: Ask) -> None:
    pod = template(container())
    owner = replica_set(pod, "aaaa", 2)
    with Cluster(deployment(pod), owner, *(pod_of(owner, number) for number in range(1200))) as cluster:
        found = ask(cluster, "k8s:prod/deployment/llm")
    pods = held(found, "Pod")
    assert len(pods) == 1200
    assert len({id(one["spec"]["containers"]) for one in pods}) == 1
    assert len([one for one in cluster.asked if "/pods?" in one]) == 3, "pages of 500"
    assert len({one["metadata"]["name"] for one in pods}) == 1200


def test_every_name_that_kubectl_takes(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        for kind in ("deployment", "deployments", "deploy", "Deployment", "deployments.apps", "deployment.apps"):
            assert names(ask(cluster, f"k8s:prod/{kind}/llm"), "Deployment") == ["llm"]


def test_a_kind_that_is_not_among_those_known(ask: Ask) -> None:
    """Its owner gave it names, and its pod template is read."""
    custom = made("Widget", "w", version="acme.dev/v1", spec={"template": template(container())})
    with Cluster(custom) as cluster:

        def answer(path: str, query: dict[str, str]) -> Any:
            if path == "/apis":
                resource = {"resource": "widgets", "responseKind": {"kind": "Widget"}, "scope": "Namespaced",
                            "singularResource": "widget", "verbs": ["get", "list"], "shortNames": ["wd"]}  # fmt: skip
                groups = [{"metadata": {"name": "acme.dev"}, "versions": [{"version": "v1", "resources": [resource]}]}]
                return 200, {}, json.dumps({"items": groups}).encode()
            return (200, {}, json.dumps(custom).encode()) if path.endswith("/prod/widgets/w") else None

        cluster.answer = answer
        for kind in ("wd", "widget", "widgets.acme.dev"):
            assert names(ask(cluster, f"k8s:prod/{kind}/w"), "Widget") == ["w"]


def test_what_owns_what_over_several_kinds(ask: Ask) -> None:
    """An InferenceService makes a Deployment, that a ReplicaSet, that pods; another's are not its own."""
    service = made("InferenceService", "llm", version="serving.kserve.io/v1beta1", spec={"predictor": {"model": {}}})
    pod = template(container())
    own = deployment(pod, name="llm-predictor")
    own["metadata"]["ownerReferences"] = [owned_by("serving.kserve.io/v1beta1", "InferenceService", "llm", "prod")]
    ours = replica_set(pod, "aaaa", 1, owner="llm-predictor")
    other = deployment(pod, name="other")
    theirs = replica_set(pod, "bbbb", 1, owner="other")
    objects = (service, own, ours, other, theirs, pod_of(ours, 1), pod_of(theirs, 2))
    with Cluster(*objects, installed=("apps", "serving.kserve.io")) as cluster:
        found = ask(cluster, "k8s:prod/isvc/llm")
        gone = ask(cluster, "k8s:prod/isvc/llm@previous")
    assert names(found, "Deployment") == ["llm-predictor"]
    assert names(found, "Pod") == ["llm-predictor-aaaa-00001"]
    assert gone.errors[0].message == "the cluster keeps no revisions of a InferenceService"
    assert "deployment/llm-predictor" in gone.errors[0].hint


@pytest.mark.parametrize(
    ("uri", "said", "hint"),
    [
        ("k8s:prod/deploy/x", "there is no Deployment 'x' in the namespace 'prod'", "there are: llm"),
        ("k8s:prod/sts/x", "there is no StatefulSet 'x'", "the namespace has no StatefulSet at all"),
        ("k8s:prod/gadget/x", "the cluster knows no kind 'gadget'", "kubectl api-resources"),
        ("k8s:none", "there is no namespace 'none'", "kubectl get namespaces"),
        ("k8s://other/prod", "no context is called 'other'; there are: test", "get-contexts"),
        ("k8s:prod/deployment", "has no name behind it", "KIND/NAME"),
    ],
)
def test_what_is_not_there(ask: Ask, uri: str, said: str, hint: str) -> None:
    with Cluster(*rollout()) as cluster:
        found = ask(cluster, uri)
    assert found.status == "failed"
    assert said in found.errors[0].message
    assert hint in found.errors[0].hint


# -- namespaces and clusters -------------------------------------------------------------------------------


def test_calls_are_as_many_as_kinds(ask: Ask) -> None:
    pods = [pod_of(replica_set(template(container()), f"rs{n}", 2, owner=f"d{n}"), 1) for n in range(50)]
    workloads = [deployment(template(container()), name=f"d{n}") for n in range(50)]
    with Cluster(*workloads, *pods, *(node(f"n{n}") for n in range(3))) as cluster:
        found = ask(cluster, "k8s:*")
    assert found.status == "complete"
    assert len(names(found, "Deployment")) == 50 and len(names(found, "Pod")) == 50
    assert len(cluster.asked) == len(set(cluster.asked))
    assert len(cluster.asked) <= 1 + len(
        [one for one in RESOURCES if one.group in ("", "apps", "batch", "autoscaling")]
    )
    assert not any("/namespaces/" in one for one in cluster.asked)


def test_former_replica_sets_are_of_no_interest_in_a_scan(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        assert names(ask(cluster, "k8s:prod"), "ReplicaSet") == ["llm-bbbb"]


def test_a_selector(ask: Ask) -> None:
    one, other = rollout(), deployment(template(container()), name="other")
    one[0]["metadata"]["labels"] = {"app": "llm"}
    with Cluster(*one, other) as cluster:
        found = ask(cluster, "k8s:prod?selector=app%3Dllm")
    assert names(found, "Deployment") == ["llm"]
    assert names(found, "Pod") == ["llm-bbbb-00001"]


def test_pods_without_owner_and_with_unknown_ones(ask: Ask) -> None:
    alone = pod_of(replica_set(template(container()), "x", 1), 1)
    strange = pod_of(replica_set(template(container()), "y", 1), 2)
    del alone["metadata"]["ownerReferences"]
    done = pod_of(replica_set(template(container()), "z", 1), 3, phase="Succeeded")
    with Cluster(alone, strange, done) as cluster:
        assert len(names(ask(cluster, "k8s:prod"), "Pod")) == 2


def test_several_contexts(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(*rollout()) as one, Cluster(*rollout()) as two:
        paths = [kubeconfig(tmp_path / n, c.url, context=n) for n, c in (("eu", one), ("us", two))]
        for path, name in zip(paths, ("eu", "us"), strict=True):  # names of clusters and users are of one file
            path.write_text(
                path.read_text().replace("name: c\n", f"name: c{name}\n").replace("cluster: c\n", f"cluster: c{name}\n")
            )
        monkeypatch.setenv("KUBECONFIG", ":".join(map(str, paths)))
        found = ask(None, "k8s://eu,us,asia/prod")
    assert {one.source for one in found.documents} == {"k8s://eu", "k8s://us"}
    assert found.status == "partial"
    assert [one.source for one in found.errors] == ["k8s://asia"]


def test_a_server_that_only_names_its_groups(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.aggregated = False
        found = ask(cluster, "k8s:prod")
    assert found.status == "complete"
    assert names(found, "Deployment") == ["llm"]


def test_what_was_read_before_somebody_stopped_it(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    from askew.collectors.k8s.server import Server

    pages = Server.pages

    def stopped(self: Server, path: str, *words: Any, **named: Any) -> Any:
        if path.endswith("/pods"):
            raise KeyboardInterrupt
        return pages(self, path, *words, **named)

    monkeypatch.setattr(Server, "pages", stopped)
    with Cluster(*rollout()) as cluster:
        found = ask(cluster, "k8s:prod", keep=True)
        with pytest.raises(KeyboardInterrupt):
            ask(cluster, "k8s:prod")
    assert found.interrupted
    assert names(found, "Deployment") == ["llm"]


# -- where the intended state is kept -----------------------------------------------------------------------


def test_where_the_intended_state_is_kept(ask: Ask) -> None:
    objects = rollout()
    metadata = objects[0]["metadata"]
    metadata["annotations"] |= {
        "argocd.argoproj.io/tracking-id": "llm-app:apps/Deployment:prod/llm",
        "meta.helm.sh/release-name": "llm",
        "meta.helm.sh/release-namespace": "prod",
    }
    metadata["labels"] = {
        "kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
    application = made(
        "Application", "llm-app", version="argoproj.io/v1alpha1", namespace="argocd", spec={"source": {"path": "x"}}
    )
    other = made("Application", "other", version="argoproj.io/v1alpha1", namespace="argocd")
    flux = made("Kustomization", "apps", version="kustomize.toolkit.fluxcd.io/v1", namespace="flux-system")
    installed = ("apps", "argoproj.io", "kustomize.toolkit.fluxcd.io")
    with Cluster(*objects, application, other, flux, installed=installed) as cluster:
        found = ask(cluster, "k8s:prod/deployment/llm")
    (text,) = (one for one in found.texts if one.source == "k8s://test#intended")
    assert text.text.splitlines() == [
        "Deployment prod/llm: Application llm-app",
        "Deployment prod/llm: Kustomization flux-system/apps",
        "Deployment prod/llm: helm-release prod/llm",
    ]
    assert names(found, "Application") == ["llm-app"]
    assert names(found, "Kustomization") == ["apps"]
    assert found.status == "complete"


def test_the_runtime_that_a_service_names(ask: Ask) -> None:
    version = "serving.kserve.io/v1alpha1"
    service = made("InferenceService", "llm", version="serving.kserve.io/v1beta1", spec={"predictor": {"model": {}}})
    runtimes = made("ServingRuntime", "r", version=version), made("ClusterServingRuntime", "c", version=version)
    with Cluster(service, *runtimes, installed=("serving.kserve.io",)) as cluster:
        for uri in ("k8s:prod/isvc/llm", "k8s:prod"):
            found = ask(cluster, uri)
            assert names(found, "ServingRuntime") == ["r"], uri
            assert names(found, "ClusterServingRuntime") == ["c"], uri


def test_jobs_of_a_cron_job_and_a_pod_alone(ask: Ask) -> None:
    cron = made("CronJob", "c", version="batch/v1", spec={"jobTemplate": {}})
    job = made("Job", "c-1", version="batch/v1", spec={"template": template(container()), "selector": {}})
    job["metadata"]["ownerReferences"] = [owned_by("batch/v1", "CronJob", "c", "prod")]
    owner = {"kind": "Job", "metadata": job["metadata"], "spec": {"template": template(container())}}
    pod = pod_of(owner, 1)
    with Cluster(cron, job, pod, node()) as cluster:
        found = ask(cluster, "k8s:prod/cj/c")
        assert (names(found, "Job"), names(found, "Pod"), names(found, "Node")) == (["c-1"], ["c-1-00001"], ["gpu-0"])
        cluster.asked.clear()
        alone = ask(cluster, "k8s:prod/pod/c-1-00001")
        assert not any("/pods?" in one for one in cluster.asked)
    assert (names(alone, "Pod"), names(alone, "Node")) == (["c-1-00001"], ["gpu-0"])


# -- what may not be read ----------------------------------------------------------------------------------


def test_what_is_denied_is_named_and_the_rest_is_kept(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.denied = {"get nodes", "list nodes", "list services", "list events"}
        found = ask(cluster, "k8s:prod/deployment/llm")
    assert (found.status, found.errors) == ("partial", ())
    assert found.reason == "not everything may be read: it needs list on services, events in prod; get on nodes"
    assert names(found, "Deployment") == ["llm"]
    (text,) = (one for one in found.texts if one.source == "k8s://test#denied")
    assert text.text.splitlines() == ["list services prod", "list events prod", "get nodes"]


def test_nothing_may_be_read(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.denied = {f"{verb} {one.title}" for one in RESOURCES for verb in ("get", "list")}
        all_of_it, one = ask(cluster, "k8s:prod"), ask(cluster, "k8s:prod/deployment/llm")
    assert all_of_it.status == one.status == "failed"
    assert "no workload of the namespace 'prod' may be listed: it needs list on deploy" in all_of_it.errors[0].message
    assert one.errors[0].message == "cannot get deployments.apps in prod: needs get on deployments.apps"


def test_denied_history_is_not_called_missing(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.denied = {"list replicasets.apps"}
        found = ask(cluster, "k8s:prod/deployment/llm@previous")
    assert "could not be read: cannot list replicasets.apps" in found.errors[0].message


# -- secrets -----------------------------------------------------------------------------------------------


def planted() -> list[dict[str, Any]]:
    """A canary in every place in which a secret can be."""
    encoded = base64.b64encode(CANARY.encode()).decode()
    env = [
        {"name": "HF_TOKEN", "value": CANARY},
        {"name": "MODE", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "mode"}}},
        {"name": "URL", "value": f"https://me:{CANARY}@host/x"},
    ]
    pod = template(
        container(f"--api-key={CANARY}", "--api-key", CANARY, env=env, envFrom=[{"configMapRef": {"name": "settings"}}])
    )
    pod["spec"]["volumes"] = [{"name": "s", "secret": {"secretName": "files"}}]
    live = deployment(pod)
    live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json.dumps(live)
    live["metadata"]["annotations"]["example.com/password"] = CANARY
    owner = replica_set(pod, "bbbb", 2)
    running = pod_of(owner, 1)
    running["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"message": f"password={CANARY}"}}
    return [
        live,
        owner,
        running,
        made("Secret", "keys", data={"mode": encoded, "note": base64.b64encode(b"$PLAIN").decode()}, type="Opaque"),
        made("Secret", "files", stringData={"a": CANARY}, data={"binary": "/w8="}),
        made("ConfigMap", "settings", data={"API_KEY": CANARY, "MODE": "fast"}, binaryData={"x": encoded}),
        made("Event", "e", type="Warning", message=f"token={CANARY}", involvedObject={"uid": "uid-prod-llm"}),
    ]


def test_no_secret_is_handed_out(ask: Ask) -> None:
    redactor = Redactor(b"key")
    with Cluster(*planted()) as cluster:
        for uri in ("k8s:prod/deployment/llm", "k8s:prod", "k8s:prod/deployment/llm@applied"):
            found = ask(cluster, uri, redactor)
            everything = repr([one.root.value for one in found.documents]) + repr(found)
            assert CANARY not in everything
            assert base64.b64encode(CANARY.encode()).decode() not in everything
            assert names(found, "Secret") == ["files", "keys"]
    keys = held(found, "Secret")[1]
    assert keys["data"]["mode"] == redactor.marker(CANARY), "the marker of the value, as in a manifest"
    assert all(MARKER.fullmatch(value) for one in held(found, "Secret") for value in one.get("data", {}).values())
    assert held(found, "ConfigMap")[0]["data"]["MODE"] == "fast"


def test_secrets_may_be_left_alone(ask: Ask) -> None:
    with Cluster(*planted()) as cluster:
        found = ask(cluster, "k8s:prod/deployment/llm?secrets=off&events=off")
        assert not any("secrets" in one or "events" in one for one in cluster.asked)
    assert found.status == "complete"


def test_who_may_read_no_secrets_reads_the_rest(ask: Ask) -> None:
    with Cluster(*planted()) as cluster:
        cluster.denied = {"get secrets", "list secrets"}
        found = ask(cluster, "k8s:prod/deployment/llm")
    assert (found.status, found.reason) == ("complete", "")
    assert [one.text for one in found.texts if one.source.endswith("#denied")] == ["get secrets prod\n"]


def test_only_the_secrets_in_use_are_read(ask: Ask) -> None:
    with Cluster(*planted(), made("Secret", "unrelated"), made("ConfigMap", "unrelated")) as cluster:
        found = ask(cluster, "k8s:prod")
    assert names(found, "Secret") == ["files", "keys"]
    assert names(found, "ConfigMap") == ["settings"]


# -- to the end --------------------------------------------------------------------------------------------


def test_what_a_rollout_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(*rollout("--max-model-len=8192", now=("--max-model-len=4096",))) as cluster:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", cluster.url)))
        report = diff("k8s:prod/deployment/llm@previous", "k8s:prod/deployment/llm", Options())
    ((finding,),) = (workload.findings for workload in report.workloads)
    assert finding.rule == "runtime.max_model_len"
    assert finding.reference is not None and finding.target is not None
    assert (finding.reference.value, finding.target.value) == (8192, 4096)
    places = [side.locations[0] for side in (finding.reference, finding.target)]
    assert [one.object for one in places] == ["apps/v1 ReplicaSet prod/llm-aaaa", "apps/v1 Deployment prod/llm"]
    assert {one.path for one in places} == {"spec.template.spec.containers[0].args[1]"}


def test_a_rollout_that_changed_nothing_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(*rollout("--max-model-len=8192", now=("--max-model-len=8192",))) as cluster:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", cluster.url)))
        report = diff("k8s:prod/deployment/llm@previous", "k8s:prod/deployment/llm", Options())
    assert [workload.findings for workload in report.workloads] == [()]


def test_the_node_tells_the_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(*rollout()) as cluster:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", cluster.url)))
        (snapshot,) = facts("k8s:", Options()).side.snapshots
    gpu = snapshot.facts["hardware.gpu.model"]
    assert gpu.state == "known" and gpu.value == ["h100-80gb-sxm"]
    assert gpu.locations[0].object == "v1 Node gpu-0"


def test_events_that_are_cut_make_nothing_partial(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be very many, and they tell of what is there besides."""
    monkeypatch.setattr("askew.collectors.k8s.scan._MOST_EVENTS", 1)
    about = {"uid": "uid-prod-llm"}
    events = [made("Event", f"e{number}", type="Warning", message="m", involvedObject=about) for number in range(5)]
    with Cluster(deployment(template(container())), *events) as cluster:
        cluster.page = 2
        found = ask(cluster, "k8s:prod")
    assert len(names(found, "Event")) == 1
    assert (found.status, found.reason) == ("complete", "of the events only the first 2 were read")
