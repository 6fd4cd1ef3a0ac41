"""A manifest as the API server gives it back: defaults filled in, status added, fields reordered, quantities canonical.

After pkg/apis/{core,apps,batch,autoscaling}/*/defaults.go of kubernetes/kubernetes and what admission adds to pods.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

Doc = dict[str, Any]

_TEMPLATES = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}
_CLUSTER_SCOPED = frozenset(
    ("Node", "Namespace", "PersistentVolume", "StorageClass", "ClusterServingRuntime", "ClusterRole", "IngressClass")
)
_PROBE = (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3))
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?)\Z")
# What is no image reference (a placeholder not yet filled in) never reaches a server.
_IMAGE = re.compile(r"(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9._/-]+(?::[\w.-]+)?(?:@sha256:[0-9a-f]+)?\Z")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def as_live(doc: Doc) -> Doc:
    """``doc`` as ``kubectl get -o json`` shows it after ``kubectl apply``. The argument is left as it is."""
    live: Doc = copy.deepcopy(doc)
    if "apiVersion" not in live or "kind" not in live:
        return live
    if live["kind"] == "List":
        return {**live, "items": [as_live(item) for item in live.get("items") or []]}
    group = str(live["apiVersion"]).rpartition("/")[0]
    kind = str(live["kind"])
    spec = live.get("spec")
    if path := _TEMPLATES.get((group, kind)):
        template: Any = live
        for step in path:
            template = template.get(step) if isinstance(template, dict) else None
        if isinstance(template, dict) and isinstance(template.get("spec"), dict):
            if not isinstance(template.get("metadata"), dict):
                template["metadata"] = {}
            template["metadata"].setdefault("creationTimestamp", None)
            _pod_spec(template["spec"], admitted=False)
        if isinstance(spec, dict):
            _workload(kind, spec)
    elif (group, kind) == ("", "Pod") and isinstance(spec, dict):
        _pod_spec(spec, admitted=True)
    elif (group, kind) == ("", "Service") and isinstance(spec, dict):
        _service(spec)
    elif group == "autoscaling" and kind == "HorizontalPodAutoscaler" and isinstance(spec, dict):
        spec.setdefault("minReplicas", 1)
    _metadata(live, doc)
    if not isinstance(live.get("status"), dict):
        live["status"] = {"observedGeneration": 2, "conditions": [{"type": "Available", "status": "True"}]}
    if (group, kind) == ("", "Secret") and "stringData" in live:
        import base64

        data = live.setdefault("data", {}) or {}
        for key, value in live.pop("stringData").items():
            data[key] = base64.b64encode(str(value).encode()).decode()
        live["data"] = data
    return _sorted(_pruned(live))


def _metadata(live: Doc, doc: Doc) -> None:
    metadata = live.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        return
    if live["kind"] not in _CLUSTER_SCOPED:
        metadata.setdefault("namespace", "default")
    metadata.update(
        uid="0b6f6f0e-7d0b-4a55-9a52-3f3c40f4a0cd",
        resourceVersion="123456",
        generation=2,
        creationTimestamp="2026-01-02T03:04:05Z",
        managedFields=[{"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {"f:spec": {}}}],
    )
    annotations = metadata.get("annotations")
    metadata["annotations"] = {
        **(annotations if isinstance(annotations, dict) else {}),
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(doc, default=str),
        "deployment.kubernetes.io/revision": "3",
    }


def _workload(kind: str, spec: Doc) -> None:
    if kind in ("Deployment", "StatefulSet", "ReplicaSet") and spec.get("replicas") is None:
        spec["replicas"] = 1
    if kind == "Deployment":
        strategy = spec.get("strategy") or {}
        spec["strategy"] = strategy
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.get("rollingUpdate") or {}
            strategy["rollingUpdate"] = {"maxSurge": "25%", "maxUnavailable": "25%", **rolling}
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
    elif kind == "StatefulSet":
        spec.setdefault("podManagementPolicy", "OrderedReady")
        update = spec.get("updateStrategy") or {}
        spec["updateStrategy"] = update
        update.setdefault("type", "RollingUpdate")
        if update["type"] == "RollingUpdate":
            update["rollingUpdate"] = {"partition": 0, **(update.get("rollingUpdate") or {})}
        spec.setdefault("revisionHistoryLimit", 10)
    elif kind == "DaemonSet":
        update = spec.get("updateStrategy") or {}
        spec["updateStrategy"] = update
        update.setdefault("type", "RollingUpdate")
        if update["type"] == "RollingUpdate":
            update["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": 1, **(update.get("rollingUpdate") or {})}
    elif kind == "Job":
        for field, value in (("backoffLimit", 6), ("completions", 1), ("parallelism", 1), ("suspend", False)):
            spec.setdefault(field, value)


def _service(spec: Doc) -> None:
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("clusterIP", "10.96.12.34")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    for port in spec.get("ports") or []:
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))


def _pod_spec(spec: Doc, *, admitted: bool) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    if not spec.get("securityContext"):
        spec["securityContext"] = {}
    if "serviceAccountName" in spec:
        spec["serviceAccount"] = spec["serviceAccountName"]
    containers = [one for field in ("containers", "initContainers") for one in _dicts(spec.get(field))]
    for container in containers:
        _container(container)
    for volume in _dicts(spec.get("volumes")):
        _volume(volume)
    if admitted:
        _admitted(spec, containers)


def _admitted(spec: Doc, containers: list[Doc]) -> None:
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.update(nodeName="gpu-node-7", priority=0, preemptionPolicy="PreemptLowerPriority")
    spec["volumes"] = [
        *(spec.get("volumes") or []),
        {"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420, "sources": []}},
    ]
    tolerations = list(spec.get("tolerations") or [])
    extended = set()
    for container in containers:
        mount = {"name": "kube-api-access-x7k2p", "readOnly": True}
        mount["mountPath"] = "/var/run/secrets/kubernetes.io/serviceaccount"
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount]
        resources = container["resources"]
        if isinstance(resources, dict) and isinstance(resources.get("limits"), dict):
            requests = resources.get("requests") or {}
            resources["requests"] = {**resources["limits"], **requests}
            extended |= {name for name in resources["limits"] if "/" in name}
    for name in sorted(extended):
        tolerations.append({"key": name, "operator": "Exists", "effect": "NoSchedule"})
    for name in ("not-ready", "unreachable"):
        taint = {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute"}
        tolerations.append({**taint, "tolerationSeconds": 300})
    spec["tolerations"] = tolerations


def _container(container: Doc) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = container.get("image")
    if isinstance(image, str) and _IMAGE.match(image) and not container.get("imagePullPolicy"):
        tail = image.rpartition("/")[2]
        tag = "" if "@" in tail else tail.partition(":")[2] or "latest"
        container["imagePullPolicy"] = "Always" if tag == "latest" else "IfNotPresent"
    if not isinstance(container.get("resources"), dict):
        container["resources"] = {}
    for amounts in container["resources"].values():
        if isinstance(amounts, dict):
            amounts.update({name: canonical_quantity(amount) for name, amount in amounts.items()})
    for port in _dicts(container.get("ports")):
        port.setdefault("protocol", "TCP")
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(field), dict):
            _probe(container[field])
    for variable in _dicts(container.get("env")):
        if variable.get("value") == "":
            del variable["value"]
        source = variable.get("valueFrom")
        if isinstance(source, dict) and isinstance(source.get("fieldRef"), dict):
            source["fieldRef"].setdefault("apiVersion", "v1")
        if isinstance(source, dict) and isinstance(source.get("resourceFieldRef"), dict):
            source["resourceFieldRef"].setdefault("divisor", "0")
    for mount in _dicts(container.get("volumeMounts")):
        if mount.get("readOnly") is False:
            del mount["readOnly"]


def _probe(probe: Doc) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    if not probe.get("initialDelaySeconds"):
        probe.pop("initialDelaySeconds", None)
    if isinstance(probe.get("httpGet"), dict):
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")
    if isinstance(probe.get("grpc"), dict):
        probe["grpc"].setdefault("service", "")


def _volume(volume: Doc) -> None:
    for field in ("configMap", "secret", "downwardAPI", "projected"):
        if isinstance(volume.get(field), dict):
            volume[field].setdefault("defaultMode", 420)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")
    if isinstance(volume.get("emptyDir"), dict) and "sizeLimit" in volume["emptyDir"]:
        volume["emptyDir"]["sizeLimit"] = canonical_quantity(volume["emptyDir"]["sizeLimit"])
    if len([key for key in volume if volume[key] is not None]) == 1:
        volume["emptyDir"] = {}


def canonical_quantity(amount: Any) -> Any:
    """A quantity as resource.Quantity prints it: the largest suffix of its own kind that leaves a whole number."""
    match = _QUANTITY.match(str(amount)) if not isinstance(amount, bool) else None
    if match is None:
        return amount
    number, suffix = match.groups()
    whole, _, fraction = number.partition(".")
    if suffix in _BINARY[1:]:
        scaled, rest = divmod(int(whole + fraction) * 1024 ** _BINARY.index(suffix), 10 ** len(fraction))
        if rest:
            return f"{(scaled * 1000 * 10 ** len(fraction) + rest * 1000) // 10 ** len(fraction)}m"
        power = 0
        while scaled and scaled % 1024 == 0 and power < 6:
            scaled, power = scaled // 1024, power + 1
        return f"{scaled}{_BINARY[power]}"
    exponent = _DECIMAL[suffix] - len(fraction)
    digits = int(whole + fraction)
    if not digits:
        return "0"
    while digits % 10 == 0:
        digits, exponent = digits // 10, exponent + 1
    lower = exponent - exponent % 3
    names = {power: name for name, power in _DECIMAL.items()}
    return f"{digits * 10 ** (exponent - lower)}{names[lower]}" if lower in names else amount


def _dicts(value: Any) -> list[Doc]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _pruned(value: Any) -> Any:
    """Without nulls and empty lists, which the server's encoder leaves out."""
    if isinstance(value, dict):
        return {key: _pruned(part) for key, part in value.items() if part is not None and part != []}
    if isinstance(value, list):
        return [_pruned(part) for part in value]
    return value


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [_sorted(part) for part in value]
    return value
