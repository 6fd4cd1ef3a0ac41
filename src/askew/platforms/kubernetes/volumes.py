"""What is mounted into a container: model storage, configuration, shared memory."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.quantity import bytes_
from askew.platforms.kubernetes.citations import EMPTY_DIR, SHM_DEFAULT
from askew.platforms.kubernetes.config import keyed
from askew.platforms.kubernetes.draft import Layers, pick
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, scalar, text_of, truth_of
from askew.resolve.observation import Observation, Unknown

_SHM = "/dev/shm"
_SHM_DEFAULT = 64 * 2**20

# Mounts that admission, cloud webhooks and sidecar injectors add.
_INJECTED_PATHS = (
    "/var/run/secrets/kubernetes.io/",
    "/var/run/secrets/eks.amazonaws.com/",
    "/var/run/secrets/azure/tokens",
    "/var/run/secrets/tokens",
    "/var/run/secrets/workload-spiffe-",
)
_INJECTED_VOLUMES = (
    "kube-api-access-",
    "aws-iam-token",
    "azure-identity-token",
    "azure-iam-token",
    "istio-",
    "istiod-",
    "workload-socket",
    "workload-certs",
    "credential-socket",
    "linkerd-",
    "home-init",
    "home-sidecar",
    "vault-secrets",
    "gke-gcsfuse-",
)
# kustomize puts a hash of the content behind the name of a generated ConfigMap or Secret (api/hasher/hasher.go); the
# content itself is compared where it is used.
_HASH_LENGTH = 10
_HASH_LETTERS = frozenset("bcdfghkmt2456789")


def stable_name(name: str) -> str:
    """The name of a ConfigMap or Secret without kustomize's content hash."""
    stem, _, tail = name.rpartition("-")
    return stem if stem and len(tail) == _HASH_LENGTH and _HASH_LETTERS.issuperset(tail) else name


def is_injected(volume: str, path: str) -> bool:
    """Whether a mount is one that admission or an injector adds."""
    if path.startswith(_INJECTED_PATHS) or f"{path}/" in _INJECTED_PATHS:
        return True
    return volume == "kube-api-access" or volume.startswith(_INJECTED_VOLUMES)


def volume_observations(
    containers: Layers, volumes: Mapping[str, Node], templates: Mapping[str, Node]
) -> list[Observation]:
    """Mounts of one container by path. ``templates`` are a StatefulSet's volume claim templates by name."""
    entries: dict[str, Entry] = {}
    declared: dict[str, Location] = {}
    for mount in keyed(containers, "volumeMounts", "mountPath"):
        path, name = text_of(mount["mountPath"]), text_of(mount["name"])
        normal = path.rstrip("/") or path
        if not path or normal == _SHM or is_injected(name, normal):
            continue
        volume = volumes.get(name)
        if volume is not None:
            entry = _volume(volume)
        elif name in templates:
            entry = {"type": "volumeClaimTemplate", "source": text_of(templates[name]["spec"]["storageClassName"])}
            entry["size"] = text_of(templates[name]["spec"]["resources"]["requests"]["storage"])
        else:
            entries[normal] = Entry(Unknown(f"the pod has no volume called {name}"), mount.location)
            continue
        if text_of(mount["subPath"]):
            entry["sub_path"] = text_of(mount["subPath"])
        if text_of(mount["subPathExpr"]):
            entry["sub_path"] = text_of(mount["subPathExpr"])
        if truth_of(mount["readOnly"]):
            entry["read_only"] = True
        entries[normal] = Entry({key: value for key, value in entry.items() if value not in (None, "")}, mount.location)
        declared[normal] = templates[name].location if volume is None else _declared_at(volume)
    if not entries:
        return [observed("orchestration.volumes", None, EMPTY_DIR, origin="platform-default")]
    return [
        msgspec.structs.replace(one, locations=(*one.locations, declared[one.key])) if one.key in declared else one
        for one in observed_map("orchestration.volumes", entries)
    ]


def _declared_at(volume: Node) -> Location:
    """Where a volume names what it holds, or begins."""
    for kind, child in volume.items():
        if (field := _SOURCES.get(kind)) is not None and child[field].exists:
            return child[field].location
    return volume.location


def _volume(volume: Node) -> dict[str, Value]:
    for kind, child in volume.items():
        if kind == "name" or child.value is None:
            continue
        entry: dict[str, Value] = {"type": kind}
        field = _SOURCES.get(kind)
        if field is not None:
            source = text_of(child[field])
            entry["source"] = stable_name(source) if kind in ("configMap", "secret") else source
        if kind == "nfs":
            entry["path"] = text_of(child["path"])
        elif kind == "emptyDir":
            entry["medium"] = text_of(child["medium"])
            size = child["sizeLimit"]
            entry["size"] = text_of(size) if size and text_of(size) != "0" else None
        elif kind == "projected":
            entry["source"] = ",".join(_projected(child))
        elif kind == "ephemeral":
            spec = child["volumeClaimTemplate"]["spec"]
            entry |= {
                "source": text_of(spec["storageClassName"]),
                "size": text_of(spec["resources"]["requests"]["storage"]),
            }
        elif kind == "csi" and isinstance(child["volumeAttributes"].value, dict):
            entry["attributes"] = scalar(child["volumeAttributes"].value)
        if truth_of(child["readOnly"]):
            entry["read_only"] = True
        return entry
    return {"type": "emptyDir"}  # the API server's default for a volume without a source


# Volume source → the field that says what it is.
_SOURCES: Mapping[str, str] = {
    "persistentVolumeClaim": "claimName",
    "configMap": "name",
    "secret": "secretName",
    "hostPath": "path",
    "nfs": "server",
    "csi": "driver",
    "image": "reference",
    "gcePersistentDisk": "pdName",
    "awsElasticBlockStore": "volumeID",
    "azureFile": "shareName",
    "azureDisk": "diskURI",
    "cephfs": "path",
}


def _projected(node: Node) -> list[str]:
    found = set()
    for source in node["sources"].each():
        for field in ("configMap", "secret"):
            name = text_of(source[field]["name"])
            if name:
                found.add(stable_name(name))
    return sorted(found)


def shared_memory(containers: Layers, pods: Layers, volumes: Mapping[str, Node]) -> Observation:
    """The size of ``/dev/shm`` in one container."""
    fact = "orchestration.shm.bytes"
    for mount in keyed(containers, "volumeMounts", "mountPath"):
        if text_of(mount["mountPath"]).rstrip("/") != _SHM:
            continue
        volume = volumes.get(text_of(mount["name"]))
        if volume is None:
            return observed(fact, Unknown(f"the pod has no volume called {text_of(mount['name'])}"), mount.location)
        return _shm_volume(fact, volume, containers)
    host = pick(pods, "hostIPC")
    if truth_of(host):
        return observed(fact, Unknown("hostIPC: the container uses the node's own /dev/shm"), host.location)
    return observed(
        fact, _SHM_DEFAULT, SHM_DEFAULT, origin="platform-default", because=("no volume is mounted at /dev/shm",)
    )


def _shm_volume(fact: str, volume: Node, containers: Layers) -> Observation:
    empty = volume["emptyDir"]
    if not empty.exists:
        kind = next((key for key, _ in volume.items() if key != "name"), "no source")
        return observed(
            fact, Unknown(f"/dev/shm is a volume of kind {kind}, whose size no manifest shows"), volume.location
        )
    size = empty["sizeLimit"]
    if size and text_of(size) != "0":
        return observed(fact, _bytes(text_of(size)), size.location, raw=text_of(size))
    if text_of(empty["medium"]) != "Memory":
        return observed(fact, Unknown("/dev/shm is an emptyDir on disk without sizeLimit"), empty.location)
    limit = pick(containers, "resources", "limits", "memory")
    if limit:
        because = ("an emptyDir in memory without sizeLimit is bounded by the container's memory limit",)
        return observed(
            fact,
            _bytes(text_of(limit)),
            empty.location,
            limit.location,
            EMPTY_DIR,
            confidence="likely",
            because=because,
        )
    reason = "/dev/shm is an emptyDir in memory without sizeLimit: the node's memory bounds it"
    return observed(fact, Unknown(reason, "df -h /dev/shm in the container"), empty.location)


def _bytes(text: str) -> Value | Unknown:
    try:
        return bytes_(text)
    except ValueError as error:
        return Unknown(str(error), text=text)
