"""Devices that come through dynamic resource allocation: the claims a container uses, and what they ask for.

Sources: https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/ and, for the attributes
of its devices, https://github.com/kubernetes-sigs/dra-driver-nvidia-gpu.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.platforms.kubernetes.accelerators import Devices
from askew.platforms.kubernetes.draft import Layers, pick
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of, truth_of
from askew.resolve.observation import Observation, Unknown

GROUP = "resource.k8s.io"
# Device classes of whole devices or slices of one, by vendor. Another class may hold anything.
_CLASSES: Mapping[str, str] = {
    "gpu.nvidia.com": "nvidia",
    "mig.nvidia.com": "nvidia",
    "gpu.amd.com": "amd",
    "gpu.intel.com": "intel",
    "gaudi.intel.com": "intel",
}
# Classes of NVIDIA's driver that are no devices to compute on: channels of a multi-node NVLink domain.
_CHANNELS = frozenset({"compute-domain-default-channel.nvidia.com", "compute-domain-daemon.nvidia.com"})
# Kinds whose replica is one pod; elsewhere a claim by name is one for several pods, and each would count it.
_ONE_POD = frozenset({"", "apps", "batch"})
_MOST = 10_000
_EQUALS = re.compile(
    r"""\(?\s*device\.attributes\[(?:"[^"]{1,80}"|'[^']{1,80}')\]\.(productName|profile)"""
    r"""\s*==\s*(?:"([^"]{1,120})"|'([^']{1,120})')\s*\)?"""
)


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a claim: ``number`` of devices, or why that cannot be told."""

    number: int = 0
    unknown: str = ""
    vendor: str = ""
    place: Location
    selectors: tuple[Node, ...] = ()


def claimed(own: Devices, container: Layers, pods: Layers, origin: Object, objects: Objects) -> Devices:
    """``own`` with the number of devices that the container's claims ask for, where ``own`` leaves it open.

    Unchanged when the container has no claims, asks for an extended resource, or a claim is not among the sources.
    """
    if own.number is not None or not pick(container, "resources", "claims"):
        return own
    requests = _requests(container, pods, origin, objects)
    if requests is None:
        return own
    unknown = next((one for one in requests if one.unknown), None)
    places = tuple(dict.fromkeys((*(one.place for one in requests), *own.locations)))
    if unknown is not None:
        return msgspec.structs.replace(own, unknown=unknown.unknown, locations=places)
    vendor = next((one.vendor for one in requests if one.vendor), "")
    profiles = {profile for one in requests for profile, _ in _stated(one, "profile")}
    return Devices(
        number=sum(one.number for one in requests),
        vendor=vendor,
        mig_profile=profiles.pop() if len(profiles) == 1 else "",
        locations=places,
    )


def models(container: Layers, pods: Layers, origin: Object, objects: Objects) -> Iterator[Observation]:
    """The accelerators that the claims' selectors admit, where these name a product; unknown where they say it in
    another way."""
    if not pick(container, "resources", "claims"):
        return
    from askew.knowledge.gpus import parse_gpu_label

    admitted: frozenset[str] = frozenset()
    places: list[Location] = []
    requests = [one for one in _requests(container, pods, origin, objects) or () if one.vendor]
    if not all(one.selectors for one in requests):
        return  # one of them admits every device of its class: nobody narrowed it
    for request in requests:
        stated = list(_stated(request, "productName"))
        if not stated:
            first = request.selectors[0]
            # What a node selector says beside it is known, and stays.
            reason = "the claim's selector decides which devices fit; it names no product"
            unknown = Unknown(reason, text=" && ".join(text_of(node) for node in request.selectors))
            yield observed("hardware.gpu.model", unknown, first.location, origin="platform-default")
            return
        for text, place in stated:
            try:
                admitted |= parse_gpu_label(text).ids
            except ValueError as error:
                yield observed("hardware.gpu.model", Unknown(str(error), text=text), place)
                return
            places.append(place)
    if admitted:
        yield observed("hardware.gpu.model", [*sorted(admitted)], *places)


def _requests(container: Layers, pods: Layers, origin: Object, objects: Objects) -> list[_Request] | None:
    """The requests of all claims of a container; None where one of the claims is not among the sources."""
    found: list[_Request] = []
    for use in pick(container, "resources", "claims").each():
        devices = _claim(text_of(use["name"]), pods, origin, objects)
        if devices is None:
            return None
        wanted = text_of(use["request"])
        for request in devices["requests"].each():
            if not wanted or text_of(request["name"]) == wanted:
                found.append(_request(request))
    return found or None


def _claim(name: str, pods: Layers, origin: Object, objects: Objects) -> Node | None:
    """``devices`` of the claim, or of the template it is made from, that the pod calls ``name``."""
    entries = (entry for layer in reversed(pods) for entry in layer["resourceClaims"].each())
    entry = next((entry for entry in entries if text_of(entry["name"]) == name), None)
    if entry is None:
        return None
    template, by_name = text_of(entry["resourceClaimTemplateName"]), text_of(entry["resourceClaimName"])
    if template:
        one = objects.near(origin, GROUP, "ResourceClaimTemplate", template)
        return one.node["spec"]["spec"]["devices"] if one is not None else None
    one = objects.near(origin, GROUP, "ResourceClaim", by_name) if origin.group in _ONE_POD else None
    return one.node["spec"]["devices"] if one is not None else None


def _request(node: Node) -> _Request:
    """One request: under ``exactly``, or, before v1beta2, in the request itself."""
    exact = node["exactly"] if node["exactly"].is_mapping else node
    name, at = text_of(exact["deviceClassName"]), exact.location
    selectors = tuple(one["cel"]["expression"] for one in exact["selectors"].each() if one["cel"]["expression"])
    if node["firstAvailable"]:
        return _Request(unknown="the claim lists alternatives; the scheduler takes the first that is free", place=at)
    if name in _CHANNELS:
        return _Request(place=at)
    if name not in _CLASSES:
        return _Request(
            unknown=f"the claim asks for the device class {name or '(none)'}, which may be anything", place=at
        )
    if text_of(exact["allocationMode"]) not in ("", "ExactCount"):
        return _Request(unknown="the claim asks for all devices that fit", place=exact["allocationMode"].location)
    if truth_of(exact["adminAccess"]):
        return _Request(unknown="the claim is for administration: its devices belong to other pods", place=at)
    count = exact["count"]
    number = count.integer() if count else 1
    if number is None or not 0 < number <= _MOST:
        return _Request(unknown="the count of the claim is no whole number above zero", place=count.location)
    place = count.location if count else at
    return _Request(number=number, vendor=_CLASSES[name], place=place, selectors=selectors)


def _stated(request: _Request, attribute: str) -> Iterator[tuple[str, Location]]:
    """Values that an attribute must equal. Selectors, and the terms of one joined by ``&&``, must all hold."""
    for node in request.selectors:
        text = text_of(node)
        if "||" in text or "?" in text or "!(" in text:
            continue
        for term in text.split("&&"):
            match = _EQUALS.fullmatch(term.strip())
            if match is not None and match[1] == attribute:
                yield match[2] or match[3], node.location
