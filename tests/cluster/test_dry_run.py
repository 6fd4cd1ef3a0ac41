"""What the API server and its admission make of a manifest, asked without a trace."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import server
from tests.cluster.conftest import Ask
from tests.cluster.fleet import Fleet
from tests.cluster.kubectl import apply
from tests.cluster.server import Cluster
from tests.cluster.shapes import SHAPES
from tests.cluster.test_rights import allow

CANARY = "Canary7f3e9a1b5c"
LLM = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.9.0
        args:
        - --model=Qwen/Qwen2.5-7B-Instruct
        - --max-model-len=8192
        env:
        - {{name: VLLM_ATTENTION_BACKEND, value: FLASHINFER}}
        - {{name: DB_PASSWORD, value: {CANARY}}}
        resources: {{limits: {{nvidia.com/gpu: 1}}}}
"""
LIMITS = {"type": "Container", "default": {"memory": "16Gi", "cpu": "4"}, "defaultRequest": {"memory": "8Gi"}}
KINDS = ("apps/v1 deployments", "apps/v1 replicasets", "apps/v1 statefulsets", "v1 pods", "batch/v1 jobs")


def held(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Every object of a namespace, with its version."""
    found: dict[str, str] = {}
    for each in KINDS:
        version, _, plural = each.partition(" ")
        root = "/apis/" if "/" in version else "/api/"
        for one in cluster.admin.items(f"{root}{version}/namespaces/{namespace}/{plural}"):
            found[f"{plural} {one['metadata']['name']}"] = one["metadata"]["resourceVersion"]
    return found


def limit(cluster: Cluster, namespace: str) -> None:
    """A LimitRange, in force."""
    path = f"/api/v1/namespaces/{namespace}"
    cluster.admin.post(f"{path}/limitranges", {"metadata": {"name": "defaults"}, "spec": {"limits": [LIMITS]}})
    pod = {"metadata": {"name": "try"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}

    def works() -> bool:
        made = cluster.admin.post(f"{path}/pods?dryRun=All", pod)
        return "limits" in made["spec"]["containers"][0]["resources"]

    server.wait(works)


def test_what_admission_fills_in_is_intended(
    cluster: Cluster, namespace: str, fleet: Fleet, askew: Ask, tmp_path: Path
) -> None:
    limit(cluster, namespace)
    (tmp_path / "deploy.yaml").write_text(LLM)
    apply(cluster.admin, LLM, namespace)
    fleet.settle(namespace)
    got = askew("diff", "deploy.yaml", f"k8s:{namespace}")
    assert set(got.facts) == {"orchestration.resources.cpu", "orchestration.resources.memory.bytes"}
    before = held(cluster, namespace)
    with cluster.requests("admin") as calls:
        got = askew("diff", f"dry-run:deploy.yaml?namespace={namespace}", f"k8s:{namespace}")
    assert (got.code, got.findings) == (0, []), got.out + got.err
    assert got.report["sources"][0]["status"] == "complete"
    assert held(cluster, namespace) == before
    made = [one.uri for one in calls if one.verb not in ("get", "list")]
    assert len(made) == 2 and all("dryRun=All" in uri for uri in made)
    assert CANARY not in got.out + got.err
    facts = askew("facts", f"dry-run:deploy.yaml?namespace={namespace}").report["workloads"][0]["facts"]
    place = facts["orchestration.resources.memory.bytes"]["location"]
    assert (place["source"], place["object"]) == ("k8s://test#dry-run", f"v1 Pod {namespace}/llm")
    assert place["path"] == "spec.containers[0].resources.limits.memory"
    place = facts["runtime.max_model_len"]["location"]
    assert (place["source"], place["line"]) == ("deploy.yaml", 14)
    # What the server only spells otherwise stands where it is written.
    assert facts["hardware.gpu.count"]["location"]["line"] == 18
    # What Kubernetes fills in by itself nobody wrote, as in the file.
    assert facts["orchestration.strategy"]["origin"] == "platform-default"
    assert facts["orchestration.termination_grace"]["origin"] == "platform-default"


def test_an_edit_by_hand_is_found(cluster: Cluster, namespace: str, fleet: Fleet, askew: Ask, tmp_path: Path) -> None:
    """Of what the file says, and of what only the server says."""
    text = LLM.replace("{name: llm}\nspec", f"{{name: llm, namespace: {namespace}}}\nspec", 1)
    (tmp_path / "deploy.yaml").write_text(text)
    apply(cluster.admin, text, namespace)
    spec = {"containers": [{"name": "vllm", "args": ["--model=Qwen/Qwen2.5-7B-Instruct", "--max-model-len=4096"]}]}
    patch = {"spec": {"template": {"spec": {**spec, "terminationGracePeriodSeconds": 5}}}}
    cluster.admin.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/llm", patch)
    fleet.settle(namespace)
    got = askew("diff", "dry-run:deploy.yaml", f"k8s:{namespace}/deployment/llm")
    found = {one["fact"]: one["reference"]["location"] for one in got.findings}
    assert set(found) == {"runtime.max_model_len", "orchestration.termination_grace"}
    assert (found["runtime.max_model_len"]["source"], found["runtime.max_model_len"]["line"]) == ("deploy.yaml", 14)
    (grace,) = (one for one in got.findings if one["fact"] == "orchestration.termination_grace")
    assert grace["reference"]["origin"] == "platform-default"


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_silent(
    cluster: Cluster, namespace: str, fleet: Fleet, askew: Ask, name: str, tmp_path: Path
) -> None:
    (tmp_path / "manifest.yaml").write_text(SHAPES[name])
    apply(cluster.admin, SHAPES[name], namespace)
    fleet.settle(namespace)
    got = askew("diff", f"dry-run:manifest.yaml?namespace={namespace}", f"k8s:{namespace}")
    assert got.findings == [], got.out
    assert got.report["errors"] == []
    assert got.report["sources"][0]["status"] == "complete", got.report["sources"]
    got = askew("diff", "manifest.yaml", f"dry-run:manifest.yaml?namespace={namespace}")
    assert got.findings == [], got.out
    plain, asked = (
        [(one["rule"], one["summary"], one["severity"], one["target"]) for one in got.findings]
        for got in (askew("check", "manifest.yaml"), askew("check", f"dry-run:manifest.yaml?namespace={namespace}"))
    )
    assert asked == plain, "what the server fills in is nobody's fault"


def test_rights_that_are_missing_are_named(cluster: Cluster, namespace: str, askew: Ask, tmp_path: Path) -> None:
    (tmp_path / "deploy.yaml").write_text(LLM)
    uri = f"dry-run:deploy.yaml?namespace={namespace}"
    got = askew("facts", uri, user="nobody")
    source = got.report["sources"][0]
    assert source["status"] == "partial"
    assert source["reason"] == (
        f"not everything could be asked: a dry run needs create on deployments.apps in {namespace}"
    )
    assert got.report["workloads"][0]["facts"]["runtime.max_model_len"]["value"] == 8192
    allow(cluster, namespace, "limited", [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]}])
    got = askew("facts", uri, user="limited")
    assert got.report["sources"][0]["reason"].endswith(f"a dry run needs create on pods in {namespace}")
    assert held(cluster, namespace) == {}
    got = askew("facts", f"{uri}&as=somebody&as-group=limited")
    assert got.report["sources"][0]["reason"].endswith(f"create on pods in {namespace}")


def test_a_manifest_that_would_be_refused(cluster: Cluster, namespace: str, askew: Ask, tmp_path: Path) -> None:
    (tmp_path / "deploy.yaml").write_text(LLM.replace("name: vllm\n", "name: V_LLM\n"))
    got = askew("facts", f"dry-run:deploy.yaml?namespace={namespace}")
    (error,) = got.report["errors"]
    assert (error["source"], error["line"]) == ("deploy.yaml", 10)
    assert error["message"].startswith('the API server would refuse Deployment llm: Deployment.apps "llm" is invalid')
    assert got.report["sources"][0]["status"] == "partial"
    assert got.report["workloads"][0]["facts"]["runtime.max_model_len"]["value"] == 8192
    (tmp_path / "deploy.yaml").write_text(LLM)
    got = askew("facts", "dry-run:deploy.yaml?namespace=absent")
    assert 'namespaces "absent" not found' in got.report["sources"][0]["reason"]
    assert got.report["errors"] == []


def test_a_kind_that_is_not_installed(cluster: Cluster, namespace: str, askew: Ask, tmp_path: Path) -> None:
    text = LLM.replace("apps/v1", "argoproj.io/v1alpha1").replace("Deployment", "Rollout") + "---\n" + LLM
    (tmp_path / "both.yaml").write_text(text)
    got = askew("facts", f"dry-run:both.yaml?namespace={namespace}")
    source = got.report["sources"][0]
    assert source["status"] == "partial"
    assert source["reason"].startswith("Rollout llm is shown as written: the API server knows no rollouts.argoproj.io")
    assert len(got.report["workloads"]) == 2


def test_lists_and_directories(cluster: Cluster, namespace: str, askew: Ask, tmp_path: Path) -> None:
    limit(cluster, namespace)
    items = [yaml.safe_load(LLM), yaml.safe_load(LLM.replace("name: llm}", "name: other}"))]
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "list.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    (tmp_path / "all" / "service.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: llm}\nspec: {}\n")
    got = askew("facts", f"dry-run://test/all?namespace={namespace}")
    assert got.report["sources"][0]["status"] == "complete"
    assert len(got.report["workloads"]) == 2
    for workload in got.report["workloads"]:
        memory = workload["facts"]["orchestration.resources.memory.bytes"]
        assert memory["location"]["source"] == "k8s://test#dry-run"
        assert workload["facts"]["runtime.max_model_len"]["location"]["source"] == "all/list.json"


@contextmanager
def mutating(cluster: Cluster, namespace: str, plural: str, patch: list[dict[str, Any]]) -> Iterator[None]:
    """A webhook that patches what is made of one kind in one namespace."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told = base64.b64encode(json.dumps(patch).encode()).decode()
            answer = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch", "patch": told}
            body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cluster.folder / "server.crt", cluster.folder / "server.key")
    hook = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.daemon_threads = True
    hook.socket = context.wrap_socket(hook.socket, server_side=True)
    thread = threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    authority = base64.b64encode((cluster.folder / "ca.crt").read_bytes()).decode()
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": [plural], "operations": ["CREATE"]}
    webhook = {
        "name": "inject.askew.dev",
        "clientConfig": {"url": f"https://127.0.0.1:{hook.server_address[1]}/", "caBundle": authority},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    cluster.admin.post(path, {"metadata": {"name": f"inject-{namespace}"}, "webhooks": [webhook]})
    try:
        yield
    finally:
        cluster.admin.delete(f"{path}/inject-{namespace}")
        hook.shutdown()
        hook.server_close()


def test_what_webhooks_inject_is_intended(
    cluster: Cluster, namespace: str, fleet: Fleet, askew: Ask, tmp_path: Path
) -> None:
    """A container in front of those of the file, a variable among its own, an argument, another image."""
    top = "/spec/template/spec/containers"
    patch: list[dict[str, Any]] = [
        {"op": "add", "path": f"{top}/0/env/0", "value": {"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}},
        {"op": "add", "path": f"{top}/0/env/-", "value": {"name": "HF_TOKEN", "value": CANARY + "webhook"}},
        {"op": "add", "path": f"{top}/0/args/1", "value": "--max-num-seqs=64"},
        {"op": "replace", "path": f"{top}/0/image", "value": "mirror.example/vllm/vllm-openai:v0.9.0"},
        {"op": "add", "path": f"{top}/0", "value": {"name": "proxy", "image": "proxy:1"}},
    ]
    (tmp_path / "deploy.yaml").write_text(LLM)
    uri = f"dry-run:deploy.yaml?namespace={namespace}"
    with mutating(cluster, namespace, "deployments", patch):
        deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        body = yaml.safe_load(LLM)
        server.wait(
            lambda: (
                len(cluster.admin.post(f"{deployments}?dryRun=All", body)["spec"]["template"]["spec"]["containers"])
                == 2
            )
        )
        apply(cluster.admin, LLM, namespace)
        fleet.settle(namespace)
        got = askew("diff", "deploy.yaml", f"k8s:{namespace}")
        assert "runtime.max_num_seqs" in got.facts
        got = askew("diff", uri, f"k8s:{namespace}")
        assert (got.findings, got.report["sources"][0]["status"]) == ([], "complete"), got.out
        assert CANARY not in got.out + got.err
        facts = askew("facts", uri).report["workloads"][0]["facts"]
    assert facts["runtime.max_model_len"]["location"]["line"] == 14
    place = facts["runtime.max_num_seqs"]["location"]
    assert (place["source"], place["path"]) == ("k8s://test#dry-run", "spec.template.spec.containers[1].args[1]")
    assert facts["runtime.attention_backend"]["location"]["line"] == 16


def test_what_webhooks_give_to_pods_is_intended(
    cluster: Cluster, namespace: str, fleet: Fleet, askew: Ask, tmp_path: Path
) -> None:
    patch: list[dict[str, Any]] = [
        {"op": "add", "path": "/spec/containers/0/args/-", "value": "--max-num-seqs=64"},
        {"op": "add", "path": "/spec/containers/-", "value": {"name": "proxy", "image": "proxy:1"}},
    ]
    (tmp_path / "deploy.yaml").write_text(LLM)
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
    pod = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a", "args": ["a"]}]}}
    with mutating(cluster, namespace, "pods", patch):
        server.wait(lambda: len(cluster.admin.post(path, pod)["spec"]["containers"]) == 2)
        apply(cluster.admin, LLM, namespace)
        fleet.settle(namespace)
        assert "runtime.max_num_seqs" in askew("diff", "deploy.yaml", f"k8s:{namespace}").facts
        got = askew("diff", f"dry-run:deploy.yaml?namespace={namespace}", f"k8s:{namespace}")
    assert (got.findings, got.report["sources"][0]["status"]) == ([], "complete"), got.out


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_long_names(cluster: Cluster, namespace: str, askew: Ask, tmp_path: Path, kind: str) -> None:
    text = SHAPES["short"].replace("name: llm}", f"name: {'l' * 63}}}").replace("Deployment", kind)
    if kind == "Job":
        text = text.replace("apps/v1", "batch/v1").replace("  selector: {matchLabels: {app: llm}}\n", "")
        text = text.replace("      containers:", "      restartPolicy: Never\n      containers:")
    (tmp_path / "deploy.yaml").write_text(text)
    got = askew("facts", f"dry-run:deploy.yaml?namespace={namespace}")
    assert got.report["errors"] == []
    assert got.report["sources"][0]["status"] == "complete", got.report["sources"]
