"""What kubectl does to a cluster, as far as the tests do it: apply, restart, scale, roll back."""

from __future__ import annotations

import json
from typing import Any, Literal

import yaml

from tests.cluster.api import Api, ApiError

Object = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_PLURAL = {"Ingress": "ingresses"}


def path_of(item: Object, namespace: str) -> str:
    """Where objects of this kind are made in a namespace."""
    version = item["apiVersion"]
    root = "/apis/" if "/" in version else "/api/"
    plural = _PLURAL.get(item["kind"], item["kind"].lower() + "s")
    return f"{root}{version}/namespaces/{namespace}/{plural}"


def apply(api: Api, text: str, namespace: str, how: Literal["client", "server"] = "client") -> None:
    """Apply manifests, as ``kubectl apply`` does, or as ``kubectl apply --server-side`` does.

    Client-side it leaves its annotation, and patches what is there with what is given (nothing is removed here).
    """
    for item in yaml.safe_load_all(text):
        path = path_of(item, namespace)
        name = item["metadata"]["name"]
        item["metadata"]["namespace"] = namespace
        if how == "server":
            api.apply(f"{path}/{name}", item, manager="kubectl")
            continue
        said = json.dumps(item, separators=(",", ":"), sort_keys=True) + "\n"
        item["metadata"].setdefault("annotations", {})[LAST_APPLIED] = said
        manager = "?fieldManager=kubectl-client-side-apply"
        try:
            api.post(path + manager, item)
        except ApiError as error:
            if error.code != 409:
                raise
            api.patch(f"{path}/{name}{manager}", item)


def change(api: Api, namespace: str, name: str, container: Object) -> None:
    """Patch the container ``server`` of a Deployment, as ``kubectl patch`` and ``kubectl set`` do."""
    spec = {"template": {"spec": {"containers": [{"name": "server", **container}]}}}
    api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}?fieldManager=kubectl-patch", {"spec": spec})


def restart(api: Api, namespace: str, name: str) -> None:
    """``kubectl rollout restart``: the same, once more."""
    annotations = {"kubectl.kubernetes.io/restartedAt": "2026-01-03T00:00:00Z"}
    patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}?fieldManager=kubectl-rollout", patch)


def scale(api: Api, namespace: str, name: str, replicas: int) -> None:
    """Through the scale subresource, as ``kubectl scale`` and autoscalers do."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
    api.patch(path, {"spec": {"replicas": replicas}}, "merge-patch+json")
