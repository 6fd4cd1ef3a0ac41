"""Objects as a cluster shows them while they run: pods with their owners and statuses, nodes, events."""

from __future__ import annotations

from typing import Any

import yaml

Object = dict[str, Any]


def container(length: int = 8192, **fields: Any) -> Object:
    return {
        "name": "engine",
        "image": "vllm/vllm-openai:v0.8.5",
        "args": ["--model=org/model", f"--max-model-len={length}"],
        "resources": {"limits": {"nvidia.com/gpu": 1, "memory": "64Gi"}},
        **fields,
    }


def deployment(replicas: int = 2, *, status: Object | None = None, **fields: Any) -> Object:
    template = {"metadata": {"labels": {"app": "llm"}}, "spec": {"containers": [container(**fields)]}}
    counts = {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "observedGeneration": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "llm", "namespace": "prod", "uid": "d", "generation": 1},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "llm"}}, "template": template},
        "status": counts if status is None else status,
    }


def replica_set(revision: str = "aaa") -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"llm-{revision}",
            "namespace": "prod",
            "uid": f"r-{revision}",
            "ownerReferences": [owner("apps/v1", "Deployment", "llm")],
        },
        "spec": {"replicas": 2, "template": {"spec": {"containers": [container()]}}},
    }


def owner(version: str, kind: str, name: str) -> Object:
    return {"apiVersion": version, "kind": kind, "name": name, "uid": name, "controller": True}


def pod(
    name: str,
    revision: str = "aaa",
    /,
    *,
    node: str = "n1",
    digest: str = "ab" * 32,
    owned: Object | None = None,
    labels: Object | None = None,
    status: Object | None = None,
    reported: Object | None = None,
    spec: Object | None = None,
    **fields: Any,
) -> Object:
    """A pod as admission leaves it: with the token of its service account, and requests as its limits."""
    own = container(**fields)
    limits = own.get("resources", {}).get("limits", {})
    own["resources"] = {"limits": limits, "requests": {**limits, **own.get("resources", {}).get("requests", {})}}
    token = {"name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    own["volumeMounts"] = [*own.get("volumeMounts", []), {**token, "readOnly": True}]
    own |= {"terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent"}
    repository = own["image"].partition(":")[0]
    state = {
        "name": own["name"],
        "imageID": f"docker.io/{repository}@sha256:{digest}",
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-02T10:00:00Z"}},
        **(reported or {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "prod",
            "uid": name,
            "labels": {"app": "llm", "pod-template-hash": revision, **(labels or {})},
            "ownerReferences": [owned or owner("apps/v1", "ReplicaSet", f"llm-{revision}")],
        },
        "spec": {
            "nodeName": node,
            "containers": [own],
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "volumes": [{"name": "kube-api-access-x7k2p", "projected": {"sources": []}}],
            **(spec or {}),
        },
        "status": status or {"phase": "Running", "containerStatuses": [state]},
    }


def node(name: str = "n1", product: str = "NVIDIA-H100-80GB-HBM3", **labels: str) -> Object:
    given = {"nvidia.com/gpu.product": product, **{key.replace("__", "/"): value for key, value in labels.items()}}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": name, "labels": given},
        "status": {"allocatable": {"nvidia.com/gpu": "8"}},
    }


def dump(*objects: Object) -> str:
    """What ``kubectl get -o yaml`` prints."""
    return yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": list(objects)}, sort_keys=False)
