"""A cluster as fleets have them, on a real API server: an object of each kind is made through it, then copied in etcd.

So every object is what a real server answers, defaults and managed fields included: a pod is about 9 KB. Half of the
pods are agents of nodes, a tenth serve models, the others are services of all kinds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from benchmarks.manifests import ENGINES
from tests.cluster.fleet import H100, Fleet, add_node
from tests.cluster.server import Cluster

Object = dict[str, Any]
AGENTS = ("node-exporter", "dcgm-exporter", "fluent-bit", "cilium", "device-plugin")
REPLICAS = 5
NAMESPACES = 40
_STORED = {
    "nodes": "/registry/minions",
    "namespaces": "/registry/namespaces",
    "services": "/registry/services/specs",
}
_UID = "00000000-0000-4000-8000-{:012x}"


class Size(msgspec.Struct, frozen=True):
    """How large: nodes, a quarter of them with GPUs, and deployments of five pods, a fifth of them serving a model."""

    nodes: int
    deployments: int

    @property
    def pods(self) -> int:
        return self.nodes * len(AGENTS) + self.deployments * REPLICAS

    @property
    def serving(self) -> int:
        return self.deployments // 5


def fill(cluster: Cluster, size: Size) -> dict[str, int]:
    """Write the cluster; how many objects of each kind it has now."""
    templates = _templates(cluster)
    counts: dict[str, int] = {}
    numbers = iter(range(1, 10_000_000))

    def written() -> Iterator[tuple[str, Object]]:
        for kind, item in _objects(templates, size):
            meta = item["metadata"]
            meta.setdefault("uid", _UID.format(next(numbers)))
            meta.pop("resourceVersion", None)
            counts[kind] = counts.get(kind, 0) + 1
            folder = _STORED.get(kind, f"/registry/{kind}")
            yield "/".join(filter(None, (folder, meta.get("namespace", ""), meta["name"]))), item

    cluster.store(written())
    return counts


def _templates(cluster: Cluster) -> Mapping[str, Object]:
    """One object of each kind, as the server stores it, all in one namespace that stays."""
    api, home = cluster.admin, "/namespaces/template"
    api.post("/api/v1/namespaces", {"metadata": {"name": "template"}})
    api.post(f"/api/v1{home}/serviceaccounts", {"metadata": {"name": "default"}})
    add_node(api, "template", {**H100, **{f"feature.node.kubernetes.io/cpu-{n}": "true" for n in range(40)}})
    add_node(api, "template-cpu", {"node.kubernetes.io/instance-type": "m7i.12xlarge"}, gpus=0)
    made: dict[str, Object] = {
        "nodes": api.get("/api/v1/nodes/template"),
        "cpu": api.get("/api/v1/nodes/template-cpu"),
        "namespaces": api.get("/api/v1/namespaces/template"),
        "services": api.post(f"/api/v1{home}/services", _service()),
        "configmaps": api.post(f"/api/v1{home}/configmaps", _settings()),
        "horizontalpodautoscalers": api.post(f"/apis/autoscaling/v2{home}/horizontalpodautoscalers", _autoscaler()),
        "deployments": api.post(f"/apis/apps/v1{home}/deployments", _deployment()),
        "daemonsets": api.post(f"/apis/apps/v1{home}/daemonsets", _daemonset()),
        "replicasets": api.post(f"/apis/apps/v1{home}/replicasets", _replicaset()),
        "pods": _running(cluster, _pod("llm", "ReplicaSet", _template())),
        "agents": _running(cluster, _pod("agent", "DaemonSet", _agent())),
    }
    for kind, group in (("deployments", "apps/v1"), ("replicasets", "apps/v1"), ("daemonsets", "apps/v1")):
        status = {"observedGeneration": 1, "replicas": REPLICAS, "readyReplicas": REPLICAS}
        if kind == "daemonsets":
            status = {"observedGeneration": 1, "currentNumberScheduled": 1, "desiredNumberScheduled": 1}
            status |= {"numberMisscheduled": 0, "numberReady": 1}
        if kind == "deployments":
            status |= {"updatedReplicas": REPLICAS, "availableReplicas": REPLICAS}
        name = made[kind]["metadata"]["name"]
        made[kind] = api.patch(f"/apis/{group}{home}/{kind}/{name}/status", {"status": status}, "merge-patch+json")
    return made


def _running(cluster: Cluster, pod: Object) -> Object:
    api, path = cluster.admin, "/api/v1/namespaces/template/pods"
    made = api.post(path, pod)
    name = made["metadata"]["name"]
    api.post(f"{path}/{name}/binding", {"metadata": {"name": name}, "target": {"kind": "Node", "name": "template"}})
    return api.patch(f"{path}/{name}/status", {"status": Fleet(api, ()).status(made)})


def _objects(templates: Mapping[str, Object], size: Size) -> Iterator[tuple[str, Object]]:
    def copied(kind: str, name: str, namespace: str = "", change: Callable[[Object], None] | None = None) -> Object:
        item = copy.deepcopy(templates[kind])
        item["metadata"]["name"] = name
        item["metadata"].pop("uid", None)
        if namespace:
            item["metadata"]["namespace"] = namespace
        if change is not None:
            change(item)
        return item

    for number in range(NAMESPACES):
        yield "namespaces", copied("namespaces", f"team-{number}", "", lambda item: item["metadata"].pop("labels"))
    for number in range(size.nodes):
        name = f"node-{number:05}"
        node = copied("nodes" if number % 4 == 0 else "cpu", name)
        node["metadata"]["labels"]["kubernetes.io/hostname"] = name
        yield "nodes", node
    for place, agent in enumerate(AGENTS):
        daemonset = copied("daemonsets", agent, "team-0")
        daemonset["metadata"]["uid"] = _UID.format(0xA0000000 + place)
        yield "daemonsets", daemonset
        for number in range(size.nodes):
            pod = copied("agents", f"{agent}-{number:05}", "team-0")
            _owned(pod, agent, daemonset["metadata"]["uid"])
            pod["spec"]["nodeName"] = f"node-{number:05}"
            yield "pods", pod
    for number in range(size.deployments):
        yield from _service_of(number, size, copied)


def _service_of(number: int, size: Size, copied: Callable[..., Object]) -> Iterator[tuple[str, Object]]:
    """A deployment of two revisions, its pods, its service and its settings; an autoscaler where it serves a model."""
    serves = number < size.serving
    name, namespace = f"{'llm' if serves else 'app'}-{number}", f"team-{number % NAMESPACES}"
    image = ENGINES[number % 2][0] if serves else f"registry.example.com/team/app-{number}:1.{number % 9}"
    uids = {role: _UID.format(base + number) for role, base in (("d", 1 << 33), ("old", 1 << 34), ("new", 1 << 35))}

    def dressed(item: Object, uid: str, spec: Object, labels: Mapping[str, str], *, old: bool = False) -> Object:
        item["metadata"]["uid"] = uid
        item["metadata"]["labels"] = dict(labels)
        container = spec["containers"][0]
        container["image"] = image.replace(":", ":old-") if old else image
        if not serves:
            for key in ("command", "args", "resources"):
                container.pop(key, None)
        elif number % 2:
            container["command"] = ["python3", "-m", "sglang.launch_server"]
            container["args"] = ["--model-path", "Qwen/Qwen2.5-32B-Instruct", "--tp", "4"]
        return item

    deployment = copied("deployments", name, namespace)
    labels = {"app": name, "tier": "gpu" if serves else "web"}
    dressed(deployment, uids["d"], deployment["spec"]["template"]["spec"], labels)
    deployment["spec"]["selector"]["matchLabels"] = {"app": name}
    deployment["spec"]["template"]["metadata"]["labels"] = labels
    deployment["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    yield "deployments", deployment
    for revision, role in (("1", "old"), ("2", "new")):
        template_hash = f"{role}{number:05}"
        owned = {**labels, "pod-template-hash": template_hash}
        replicaset = copied("replicasets", f"{name}-{template_hash}", namespace)
        dressed(replicaset, uids[role], replicaset["spec"]["template"]["spec"], owned, old=role == "old")
        _owned(replicaset, name, uids["d"], "Deployment")
        replicaset["spec"]["replicas"] = REPLICAS if role == "new" else 0
        replicaset["spec"]["selector"]["matchLabels"] = {"app": name, "pod-template-hash": template_hash}
        replicaset["spec"]["template"]["metadata"]["labels"] = owned
        replicaset["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": revision}
        if role == "old":
            replicaset["status"] = {"observedGeneration": 1, "replicas": 0}
        yield "replicasets", replicaset
    for replica in range(REPLICAS):
        pod = copied("pods", f"{name}-new{number:05}-{replica:05}", namespace)
        dressed(pod, _UID.format((1 << 36) + number * REPLICAS + replica), pod["spec"], owned)
        _owned(pod, f"{name}-new{number:05}", uids["new"], "ReplicaSet")
        pod["spec"]["nodeName"] = f"node-{(number * REPLICAS + replica) * 4 % size.nodes:05}"
        pod["status"]["containerStatuses"][0]["image"] = image
        yield "pods", pod
    # Without an address: the server warns in an event of each that shares one.
    headless = {"selector": {"app": name}, "clusterIP": "None", "clusterIPs": ["None"]}
    yield "services", copied("services", name, namespace, lambda item: item["spec"].update(headless))
    if number % 2:
        yield "events", _warning(pod)
    yield "configmaps", copied("configmaps", name, namespace)
    if serves:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        yield (
            "horizontalpodautoscalers",
            copied(
                "horizontalpodautoscalers", name, namespace, lambda item: item["spec"].update(scaleTargetRef=target)
            ),
        )


def _warning(pod: Object) -> Object:
    """What a kubelet says of a pod whose probe failed."""
    meta = pod["metadata"]
    about = {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.1", "namespace": meta["namespace"]},
        "involvedObject": about,
        "type": "Warning",
        "reason": "Unhealthy",
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "source": {"component": "kubelet"},
        "count": 3,
    }


def _owned(item: Object, name: str, uid: str, kind: str = "DaemonSet") -> None:
    api = {"apiVersion": "apps/v1", "blockOwnerDeletion": True, "controller": True}
    item["metadata"]["ownerReferences"] = [{**api, "kind": kind, "name": name, "uid": uid}]


def _template() -> Object:
    """A pod that serves a model, as charts write it."""
    variables = {"HF_HOME": "/models", "VLLM_LOGGING_LEVEL": "INFO", "NCCL_DEBUG": "WARN", "OMP_NUM_THREADS": "8"}
    env: list[Object] = [{"name": name, "value": value} for name, value in variables.items()]
    env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}})
    env.append({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
    probe = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 60}
    container = {
        "name": "server",
        "image": ENGINES[0][0],
        "args": ["--model", "Qwen/Qwen2.5-32B-Instruct", "--tensor-parallel-size", "4", "--max-model-len", "32768"],
        "env": env,
        "envFrom": [{"configMapRef": {"name": "settings", "optional": True}}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "resources": {"requests": {"cpu": "8", "memory": "64Gi"}, "limits": {"nvidia.com/gpu": "4", "memory": "64Gi"}},
        "readinessProbe": probe,
        "livenessProbe": probe,
        "startupProbe": probe,
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}, {"name": "models", "mountPath": "/models"}],
    }
    sidecar = {
        "name": "metrics",
        "image": "registry.example.com/sidecar:2.1",
        "args": ["--listen=:9100", "--upstream=http://127.0.0.1:8000/metrics"],
        "ports": [{"name": "metrics", "containerPort": 9100}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
    }
    return {
        "terminationGracePeriodSeconds": 120,
        "initContainers": [{**sidecar, "name": "fetch", "args": ["fetch"], "ports": []}],
        "containers": [container, sidecar],
        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "volumes": [
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}},
            {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
        ],
    }


def _agent() -> Object:
    spec = copy.deepcopy(_template())
    for key in ("nodeSelector", "initContainers"):
        del spec[key]
    spec["containers"] = [{**spec["containers"][1], "name": "agent", "env": spec["containers"][0]["env"]}]
    spec["hostNetwork"] = True
    spec["volumes"] = [{"name": f"host-{n}", "hostPath": {"path": f"/var/lib/{n}"}} for n in range(4)]
    return spec


def _pod(name: str, owner: str, spec: Object) -> Object:
    annotations = {"kubernetes.io/config.seen": "2026-01-02T03:04:05Z", "checksum/config": "0" * 64}
    pod: Object = {"metadata": {"name": name, "labels": {"app": name}, "annotations": annotations}, "spec": spec}
    _owned(pod, name, _UID.format(1), owner)
    return pod


def _workload(name: str, spec: Object, **more: Any) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels, "annotations": {"checksum/config": "0" * 64}}, "spec": spec}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template, **more}}


def _deployment() -> Object:
    return _workload("llm", _template(), replicas=REPLICAS)


def _replicaset() -> Object:
    return _workload("llm-1", _template(), replicas=REPLICAS)


def _daemonset() -> Object:
    return _workload("agent", _agent())


def _service() -> Object:
    return {"metadata": {"name": "llm"}, "spec": {"selector": {"app": "llm"}, "ports": [{"name": "http", "port": 80}]}}


def _settings() -> Object:
    return {"metadata": {"name": "settings"}, "data": {f"KEY_{n}": "value" * 8 for n in range(12)}}


def _autoscaler() -> Object:
    target = {"type": "AverageValue", "averageValue": "10"}
    metric = {"type": "Pods", "pods": {"metric": {"name": "vllm_num_requests_waiting"}, "target": target}}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llm"}
    spec = {"minReplicas": 1, "maxReplicas": 9, "metrics": [metric], "scaleTargetRef": reference}
    return {"metadata": {"name": "llm"}, "spec": spec}
