"""An API server on loopback that serves objects as Kubernetes does, and misbehaves where a test says so."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from askew.collectors.k8s.resources import RESOURCES

Answer = tuple[int, dict[str, str], bytes]
Misbehave = Callable[[BaseHTTPRequestHandler], object]


def status(code: int, reason: str, message: str, **metadata: str) -> Answer:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure", "reason": reason}
    return code, {"Content-Type": "application/json"}, json.dumps({**body, "message": message, "code": code}).encode()


class Cluster:
    """Serves objects; ``answer`` may be set to answer a request itself. ``asked`` has every path and query,
    ``sent`` the body of every POST; ``admit`` may change what is made of it."""

    def __init__(self, *objects: dict[str, Any], installed: tuple[str, ...] = ("apps", "batch", "autoscaling")) -> None:
        self.objects = list(objects)
        self.installed = set(installed)
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.denied: set[str] = set()
        self.sent: list[dict[str, Any]] = []
        self.version = {"major": "1", "minor": "34+"}
        self.admit: Callable[[dict[str, Any]], object] = lambda made: None
        self.page = 500
        self.token = ""
        self.aggregated = True
        self.answer: Callable[[str, dict[str, str]], Answer | Misbehave | None] = lambda path, query: None
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *words: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                cluster.sent.append(json.loads(body))
                self.do_GET()

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
                cluster.asked.append(unquote(self.path))
                cluster.headers.append({name.lower(): value for name, value in self.headers.items()})
                if cluster.token and self.headers.get("Authorization") != f"Bearer {cluster.token}":
                    given = status(401, "Unauthorized", "Unauthorized")
                else:
                    serve = cluster.create if self.command == "POST" else cluster.serve
                    told = cluster.answer(parts.path, query) or serve(parts.path, query)
                    if callable(told):
                        self.close_connection = True
                        with suppress(OSError):
                            told(self)
                        return
                    given = told
                code, headers, body = given
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.secure = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def speak_tls(self, context: ssl.SSLContext) -> None:
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.secure = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http{'s' if self.secure else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Cluster:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- as Kubernetes answers ------------------------------------------------------------------------------

    def create(self, path: str, query: dict[str, str]) -> Answer:
        """What is made of what was sent last; it stays, unless that is a dry run."""
        made: dict[str, Any] = json.loads(json.dumps(self.sent[-1]))
        plural = path.rpartition("/")[2]
        group = made["apiVersion"].rpartition("/")[0]
        title = f"{plural}.{group}" if group else plural
        if f"create {title}" in self.denied:
            message = f'{title} is forbidden: User "u" cannot create resource "{plural}" in API group "{group}"'
            return status(403, "Forbidden", message)
        metadata = made["metadata"]
        metadata["name"] = metadata["generateName"][:58] + "x7abc"
        metadata |= {"uid": "u-1", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "a"}]}
        self.admit(made)
        if query.get("dryRun") != "All":
            self.objects.append(made)
        return 201, *self._json(made)[1:]

    def serve(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/apis":
            return self._discovery()
        if path == "/version":
            return self._json(self.version)
        words = path.strip("/").split("/")
        group, words = ("", words[2:]) if words[0] == "api" else (words[1], words[3:])
        namespace = ""
        if words[:1] == ["namespaces"] and len(words) > 2:
            namespace, words = words[1], words[2:]
        plural, name = words[0], words[1] if len(words) > 1 else ""
        if plural == "namespaces":
            known = {one["metadata"].get("namespace") for one in self.objects}
            return self._json({"kind": "Namespace"}) if name in known else status(404, "NotFound", "not found")
        row = next((each for each in RESOURCES if each.group == group and each.name == plural), None)
        if row is None or (group and group not in self.installed):
            return status(404, "NotFound", "the server could not find the requested resource")
        verb = "get" if name else "list"
        if f"{verb} {row.title}" in self.denied:
            where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
            message = (
                f'{row.title} is forbidden: User "u" cannot {verb} resource "{plural}" in API group "{group}"{where}'
            )
            return status(403, "Forbidden", message)
        found = [one for one in self.objects if self._is(one, row.group, row.kind) and self._in(one, namespace)]
        if name:
            one = next((each for each in found if each["metadata"]["name"] == name), None)
            return self._json(one) if one else status(404, "NotFound", f'{row.title} "{name}" not found')
        found = [one for one in found if self._selected(one, query)]
        begin = int(query.get("continue", "0"))
        size = min(int(query.get("limit", "0")) or len(found), self.page)
        items = [
            {k: v for k, v in one.items() if k not in ("apiVersion", "kind")} for one in found[begin : begin + size]
        ]
        more = {"continue": str(begin + size)} if begin + size < len(found) else {}
        metadata: dict[str, str] = {"resourceVersion": "9", **more}
        return self._json({"kind": f"{row.kind}List", "metadata": metadata, "items": items})

    def _discovery(self) -> Answer:
        groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for row in RESOURCES:
            if row.group and row.group in self.installed:
                listed = {
                    "resource": row.name,
                    "responseKind": {"group": row.group, "version": row.versions[0], "kind": row.kind},
                    "scope": "Namespaced" if row.namespaced else "Cluster",
                    "singularResource": row.kind.lower(),
                    "verbs": ["get", "list", "watch"],
                    "shortNames": list(row.short),
                }
                groups.setdefault(row.group, {}).setdefault(row.versions[0], []).append(listed)
        if not self.aggregated:
            named = [{"name": name, "versions": [{"version": v} for v in by]} for name, by in groups.items()]
            return self._json({"kind": "APIGroupList", "groups": named})
        items = [
            {"metadata": {"name": name}, "versions": [{"version": v, "resources": r} for v, r in by.items()]}
            for name, by in groups.items()
        ]
        return self._json({"kind": "APIGroupDiscoveryList", "items": items})

    @staticmethod
    def _is(one: dict[str, Any], group: str, kind: str) -> bool:
        return bool(one["kind"] == kind and one["apiVersion"].rpartition("/")[0] == group)

    @staticmethod
    def _in(one: dict[str, Any], namespace: str) -> bool:
        return not namespace or one["metadata"].get("namespace") == namespace

    @staticmethod
    def _selected(one: dict[str, Any], query: dict[str, str]) -> bool:
        labels = one["metadata"].get("labels", {})
        wanted = [part.split("=") for part in query.get("labelSelector", "").split(",") if part]
        if any(labels.get(key) != value for key, value in wanted):
            return False
        if query.get("fieldSelector") == "status.phase!=Succeeded":
            return bool(one.get("status", {}).get("phase") != "Succeeded")
        if query.get("fieldSelector") == "type=Warning":
            return bool(one.get("type") == "Warning")
        return True

    @staticmethod
    def _json(value: object) -> Answer:
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def kubeconfig(
    path: Path,
    server: str,
    *,
    user: dict[str, Any] | None = None,
    cluster: dict[str, Any] | None = None,
    context: str = "test",
    namespace: str = "prod",
) -> Path:
    """A kubeconfig with one context."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
    }
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


# -- objects as they are ------------------------------------------------------------------------------------


def container(*args: str, image: str = "vllm/vllm-openai:v0.8.5", **more: Any) -> dict[str, Any]:
    return {
        "name": "vllm",
        "image": image,
        "args": ["--model=org/model", *args],
        "resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        **more,
    }


def template(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"creationTimestamp": None, "labels": {"app": "llm"}},
        "spec": {
            "containers": list(containers),
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            **spec,
        },
    }


def deployment(pod: dict[str, Any], *, name: str = "llm", namespace: str = "prod", revision: int = 2) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "generation": revision,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}}],
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "llm"}},
            "template": pod,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {"replicas": 1, "readyReplicas": 1},
    }


def replica_set(
    pod: dict[str, Any], suffix: str, revision: int, *, owner: str = "llm", namespace: str = "prod", replicas: int = 1
) -> dict[str, Any]:
    labels = {"app": "llm", "pod-template-hash": suffix}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{owner}-{suffix}",
            "namespace": namespace,
            "uid": f"uid-{namespace}-{owner}-{suffix}",
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [owned_by("apps/v1", "Deployment", owner, namespace)],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {**pod, "metadata": {**pod["metadata"], "labels": labels}},
        },
        "status": {"replicas": replicas},
    }


def owned_by(api_version: str, kind: str, name: str, namespace: str) -> dict[str, Any]:
    uid = f"uid-{namespace}-{name}"
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}


def pod_of(owner: dict[str, Any], number: int, *, node: str = "gpu-0", phase: str = "Running") -> dict[str, Any]:
    metadata, pod = owner["metadata"], owner["spec"]["template"]
    name = f"{metadata['name']}-{number:05d}"
    volume = {"name": f"kube-api-access-{number:05d}"[:21]}
    mounted = [{**volume, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "uid": f"uid-{name}",
            "labels": pod["metadata"]["labels"],
            "ownerReferences": [owned_by("apps/v1", owner["kind"], metadata["name"], metadata["namespace"])],
            "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {}}}],
        },
        "spec": {
            **pod["spec"],
            "nodeName": node,
            "containers": [{**one, "volumeMounts": mounted} for one in pod["spec"]["containers"]],
            "volumes": [{**volume, "projected": {"sources": []}}],
        },
        "status": {
            "phase": phase,
            "containerStatuses": [
                {
                    "name": one["name"],
                    "ready": True,
                    "restartCount": 0,
                    "image": one["image"],
                    "imageID": "docker.io/vllm/vllm-openai@sha256:" + "a" * 64,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                }
                for one in pod["spec"]["containers"]
            ],
        },
    }


def node(name: str = "gpu-0", product: str = "NVIDIA-H100-80GB-HBM3") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"nvidia.com/gpu.product": product}},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
        "status": {
            "capacity": {"nvidia.com/gpu": "8"},
            "allocatable": {"nvidia.com/gpu": "8"},
            "images": [{"names": ["x" * 200], "sizeBytes": 1}] * 50,
            "nodeInfo": {"kernelVersion": "6.1"},
        },
    }


def rollout(*before: str, now: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """A Deployment with two revisions, ReplicaSets, a pod and its node."""
    old, new = template(container(*before)), template(container(*now))
    last = replica_set(new, "bbbb", 2)
    return [deployment(new), replica_set(old, "aaaa", 1, replicas=0), last, pod_of(last, 1), node()]
