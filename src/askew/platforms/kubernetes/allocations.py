"""The devices that running pods were given through dynamic resource allocation.

Sources: ResourceClaimStatus and ResourceSlice of https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/,
and the attributes of https://github.com/kubernetes-sigs/dra-driver-nvidia-gpu.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.owners import running_pods
from askew.platforms.kubernetes.resourceclaims import GROUP
from askew.resolve.observation import Observation, Unknown

# Drivers whose devices are accelerators; others give network cards or channels.
_DRIVERS = frozenset({"gpu.nvidia.com", "gpu.amd.com", "gpu.intel.com", "gaudi.intel.com"})
_MOST_PLACES = 8

_Device = tuple[str, str, str]
"""Driver, pool and name."""


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of one pod, each with the place of its allocation; None where a claim of it was not seen."""

    devices: tuple[tuple[_Device, Location], ...]


def allocated(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """How many devices each pod was given, and of which model. Nothing where a claim is not among the sources."""
    pods = [pod for pod in running_pods(draft, objects) if pod.node["spec"]["resourceClaims"]]
    given = [_given(pod, objects) for pod in pods]
    if not pods or draft.groups or draft.pods_per_replica != 1 or any(one is None for one in given):
        return ()
    known = [one.devices for one in given if one is not None]
    return (*_count(known), *_models(known, objects))


def _given(pod: Object, objects: Objects) -> _Given | None:
    names = {
        text_of(status["name"]): text_of(status["resourceClaimName"])
        for status in pod.node["status"]["resourceClaimStatuses"].each()
    }
    found: list[tuple[_Device, Location]] = []
    for claim in pod.node["spec"]["resourceClaims"].each():
        name = text_of(claim["resourceClaimName"]) or names.get(text_of(claim["name"]), "")
        one = objects.near(pod, GROUP, "ResourceClaim", name) if name else None
        results = one.node["status"]["allocation"]["devices"]["results"] if one is not None else None
        if results is None or not results.is_sequence:
            return None
        for result in results.each():
            device = (text_of(result["driver"]), text_of(result["pool"]), text_of(result["device"]))
            if device[0] in _DRIVERS and not result["adminAccess"].boolean():
                found.append((device, result.location))
    return _Given(devices=tuple(found))


def _count(given: Sequence[tuple[tuple[_Device, Location], ...]]) -> Iterator[Observation]:
    numbers = sorted({len(devices) for devices in given})
    places = tuple(dict.fromkeys(at for devices in given for _, at in devices))[:_MOST_PLACES]
    if not places:
        return
    value: Value | Unknown = numbers[0]
    if len(numbers) > 1:
        value = Unknown(f"the pods were given different numbers of devices ({', '.join(map(str, numbers))})")
    yield observed("hardware.gpu.count", value, *places, origin="reported", basis="seen")


def _models(given: Sequence[tuple[tuple[_Device, Location], ...]], objects: Objects) -> Iterator[Observation]:
    """The set over all devices; nothing where one of them is not published, or is one that nobody knows."""
    from askew.knowledge.gpus import parse_gpu_label

    published = objects.once("published devices", _published)
    models: dict[str, Location] = {}
    for device in dict.fromkeys(device for devices in given for device, _ in devices):
        node = published.get(device)
        text = text_of(node) if node is not None else ""
        try:
            ids = parse_gpu_label(text).ids if text else frozenset()
        except ValueError:
            ids = frozenset()
        if not ids or node is None:
            return
        models.update((one, node.location) for one in ids)
    if models:
        places = tuple(dict.fromkeys(models.values()))[:_MOST_PLACES]
        yield observed("hardware.gpu.model", [*sorted(models)], *places, origin="reported", basis="seen")


def _published(objects: Objects) -> Mapping[_Device, Node]:
    """The product names of the devices that drivers publish; before v1 the attributes lie under ``basic``."""
    found: dict[_Device, Node] = {}
    for one in objects.of(GROUP, "ResourceSlice"):
        spec = one.node["spec"]
        driver, pool = text_of(spec["driver"]), text_of(spec["pool"]["name"])
        for device in spec["devices"].each():
            holder = device["basic"] if device["basic"].is_mapping else device
            name = holder["attributes"]["productName"]["string"]
            if text_of(name):
                found[driver, pool, text_of(device["name"])] = name
    return found


JOINS: tuple[Join, ...] = (allocated,)
