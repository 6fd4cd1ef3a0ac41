"""In place of scheduler and kubelet: nodes with GPUs, pods bound to them, and the status that they would report."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.cluster.api import Api, ApiError
from tests.cluster.server import PATIENCE

Object = dict[str, Any]
STARTED = ""  # when containers say that they started; now, unless a test sets another time
# As GPU feature discovery labels a node of eight: https://github.com/NVIDIA/k8s-device-plugin.
H100 = {
    "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
    "nvidia.com/gpu.count": "8",
    "nvidia.com/gpu.memory": "81559",
    "nvidia.com/gpu.family": "hopper",
    "nvidia.com/gpu.compute.major": "9",
    "nvidia.com/gpu.compute.minor": "0",
    "nvidia.com/gpu.present": "true",
    "nvidia.com/mig.strategy": "single",
    "nvidia.com/mig.capable": "true",
    "nvidia.com/cuda.driver-version.full": "550.54.15",
    "nvidia.com/cuda.driver-version.major": "550",
    "nvidia.com/cuda.driver-version.minor": "54",
    "nvidia.com/cuda.driver-version.revision": "15",
    "nvidia.com/cuda.runtime-version.full": "12.4",
    "nvidia.com/cuda.runtime-version.major": "12",
    "nvidia.com/cuda.runtime-version.minor": "4",
    "node.kubernetes.io/instance-type": "p5.48xlarge",
}
L4 = {
    **H100,
    "nvidia.com/gpu.product": "NVIDIA-L4",
    "nvidia.com/gpu.memory": "23034",
    "nvidia.com/gpu.family": "ada-lovelace",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "9",
    "nvidia.com/mig.strategy": "none",
    "nvidia.com/mig.capable": "false",
    "node.kubernetes.io/instance-type": "g6.48xlarge",
}


def add_node(api: Api, name: str, labels: Mapping[str, str], *, gpus: int = 8) -> None:
    """A ready node that its kubelet and device plug-in have reported; nothing happens where it is there."""
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", **labels}
    try:
        api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
    except ApiError as error:
        if error.code != 409:
            raise
        return
    resources = {"cpu": "192", "memory": "2097152Mi", "pods": "250", "ephemeral-storage": "1Ti"}
    if gpus:
        resources["nvidia.com/gpu"] = str(gpus)
    status = {
        "capacity": resources,
        "allocatable": resources,
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        "addresses": [{"type": "Hostname", "address": name}],
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "kernelVersion": "6.8.0-1021-aws",
            "osImage": "Ubuntu 22.04.5 LTS", "containerRuntimeVersion": "containerd://1.7.24",
            "kubeletVersion": "v1.34.2", "kubeProxyVersion": "", "machineID": "", "systemUUID": "", "bootID": "",
        },
    }  # fmt: skip
    api.patch(f"/api/v1/nodes/{name}/status", {"status": status})
    api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": []}}, "merge-patch+json")  # admission says not-ready


class Fleet:
    """Scheduler and kubelet of some namespaces. Nothing runs by itself: `settle` acts until the controllers are done.

    ``digests`` says which digest a node pulled for an image; others follow from the image's name.
    """

    def __init__(self, api: Api, nodes: Sequence[str]) -> None:
        self._api = api
        self._nodes = nodes
        self.digests: dict[str, str] = {}

    def settle(self, namespace: str, held: Callable[[Object], bool] | None = None) -> list[Object]:
        """Bind and start pods, end those that are deleted, until every rollout of the namespace is complete; its pods.

        ``held`` names pods that never become ready: then it returns when nothing has moved for a while, for such a
        rollout does not complete.
        """
        until = time.monotonic() + PATIENCE
        seen: list[tuple[str, str]] = []
        quiet_since = time.monotonic()
        while True:
            pods = self._api.items(f"/api/v1/namespaces/{namespace}/pods")
            for pod in pods:
                self._play_kubelet(pod, held)
            owners = self._owners(namespace)
            now = [(one["metadata"]["uid"], one["metadata"]["resourceVersion"]) for one in (*pods, *owners)]
            if now != seen:
                seen, quiet_since = now, time.monotonic()
            elif (
                held is None and all(_complete(one) for one in owners) and not any(_transient(pod) for pod in pods)
            ) or (held is not None and time.monotonic() - quiet_since > 1.5 and all(_observed(one) for one in owners)):
                return pods
            if time.monotonic() > until:
                raise TimeoutError(f"{namespace} did not settle: {[one.get('status') for one in owners]}")
            time.sleep(0.1)

    def _owners(self, namespace: str) -> list[Object]:
        kinds = ("apps/v1", "deployments"), ("apps/v1", "statefulsets"), ("apps/v1", "daemonsets"), ("batch/v1", "jobs")
        paths = [f"/apis/{group}/namespaces/{namespace}/{kind}" for group, kind in kinds]
        return [one for path in paths for one in self._api.items(path)]

    def _play_kubelet(self, pod: Object, held: Callable[[Object], bool] | None) -> None:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        try:
            if "deletionTimestamp" in meta:
                self._api.delete(path, {"gracePeriodSeconds": 0})
                return
            if held is not None and held(pod):
                return
            if "nodeName" not in pod["spec"]:
                node = _wanted(pod) or self._nodes[sum(meta["name"].encode()) % len(self._nodes)]
                self._api.post(
                    f"{path}/binding", {"metadata": {"name": meta["name"]}, "target": {"kind": "Node", "name": node}}
                )
            if pod.get("status", {}).get("phase") != "Running":
                self._api.patch(f"{path}/status", {"status": self.status(pod)})
        except ApiError as error:
            if error.code not in (404, 409):  # gone or changed meanwhile
                raise

    def status(self, pod: Object) -> Object:
        """What the kubelet reports of a pod whose containers have all started just now, and are ready."""
        now = _now()
        return {
            "phase": "Running",
            "hostIP": "10.1.0.1",
            "podIP": "10.2.0.1",
            "podIPs": [{"ip": "10.2.0.1"}],
            "startTime": now,
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": now}
                for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
            "initContainerStatuses": [
                self.container(one, state={"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": now}})
                for one in pod["spec"].get("initContainers", [])
            ],
            "containerStatuses": [self.container(one) for one in pod["spec"]["containers"]],
        }

    def container(
        self, spec: Object, *, restarts: int = 0, state: Object | None = None, last: Object | None = None
    ) -> Object:
        """The status of one container: ``last`` is how it ended before, as ``lastState``."""
        image = spec["image"]
        digest = self.digests.get(image) or f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
        repository = image.rsplit("@", 1)[0]
        if ":" in repository.rsplit("/", 1)[-1]:
            repository = repository.rsplit(":", 1)[0]
        running = state is None
        return {
            "name": spec["name"],
            "image": image,
            "imageID": f"{repository}@{digest}",
            "containerID": f"containerd://{hashlib.sha256(spec['name'].encode()).hexdigest()}",
            "ready": True,
            "started": running,
            "restartCount": restarts,
            "state": state or {"running": {"startedAt": _now()}},
            "lastState": last or {},
        }

    def set_status(self, pod: Object, **container: Any) -> None:
        """Report the first container of a pod anew: ``restarts``, ``state`` and ``last`` as in `container`."""
        meta = pod["metadata"]
        first = self.container(pod["spec"]["containers"][0], **container)
        self._api.patch(
            f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status",
            {"status": {"containerStatuses": [first]}},
        )


def _now() -> str:
    return STARTED or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _wanted(pod: Object) -> str:
    """The node that the controller of a DaemonSet made a pod for; none for other pods."""
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    fields = [field for term in required.get("nodeSelectorTerms", []) for field in term.get("matchFields", [])]
    return fields[0]["values"][0] if fields else ""


def _observed(owner: Object) -> bool:
    if "completions" in owner["spec"]:
        return "active" in owner.get("status", {})  # a Job says no generation
    return owner.get("status", {}).get("observedGeneration") == owner["metadata"]["generation"]


def _complete(owner: Object) -> bool:
    status = owner.get("status", {})
    if "completions" in owner["spec"]:
        return _observed(owner)
    if "replicas" not in owner["spec"]:  # a DaemonSet
        return _observed(owner) and status["numberReady"] == status["desiredNumberScheduled"]
    wanted = owner["spec"]["replicas"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
    return _observed(owner) and counts == [wanted] * 3


def _transient(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"] or pod.get("status", {}).get("phase") != "Running"
