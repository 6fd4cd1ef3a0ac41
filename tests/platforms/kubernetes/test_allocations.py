"""Devices that pods were given through dynamic resource allocation."""

from __future__ import annotations

from typing import Any

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes import live
from tests.platforms.kubernetes.manifests import facts, one

CLAIM: dict[str, Any] = {"resources": {"claims": [{"name": "gpus"}]}}
SPEC = {"resourceClaims": [{"name": "gpus", "resourceClaimTemplateName": "two"}]}


def claim(name: str, *devices: str, driver: str = "gpu.nvidia.com") -> live.Object:
    request = {"name": "r", "exactly": {"deviceClassName": driver, "allocationMode": "All"}}
    results = [{"request": "r", "driver": driver, "pool": "n1", "device": device} for device in devices]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": "prod", "uid": name},
        "spec": {"devices": {"requests": [request]}},
        "status": {"allocation": {"devices": {"results": results}}},
    }


def slices(**products: str) -> live.Object:
    devices = [{"name": name, "attributes": {"productName": {"string": text}}} for name, text in products.items()]
    spec = {"driver": "gpu.nvidia.com", "pool": {"name": "n1"}, "devices": devices}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "s"}, "spec": spec}


def given(*objects: live.Object, claims: tuple[str, ...] = ("c0", "c1")) -> dict[str, Any]:
    deployed = live.deployment(**CLAIM)
    deployed["spec"]["template"]["spec"] |= SPEC
    pods = []
    for number, name in enumerate(claims):
        pod = live.pod(f"llm-aaa-{number}", spec=SPEC, **CLAIM)
        pod["spec"]["containers"][0]["resources"] = CLAIM["resources"]
        pod["status"]["resourceClaimStatuses"] = [{"name": "gpus", "resourceClaimName": name}]
        pods.append(pod)
    found = one(live.dump(deployed, *pods, *objects))
    return {o.fact: o.value for o in found.observations if o.basis == "seen"}


def test_the_devices_that_the_pods_were_given() -> None:
    objects = (claim("c0", "gpu-0", "gpu-1"), claim("c1", "gpu-2", "gpu-3"))
    products = {f"gpu-{n}": "NVIDIA H100 80GB HBM3" for n in range(4)}
    known = given(*objects, slices(**products))
    assert known["hardware.gpu.count"] == 2 and known["hardware.gpu.model"] == ["h100-80gb-sxm"]


def test_pods_with_different_numbers_have_none_in_common() -> None:
    value = given(claim("c0", "gpu-0", "gpu-1"), claim("c1", "gpu-2"))["hardware.gpu.count"]
    assert isinstance(value, Unknown) and "1, 2" in value.reason


def test_a_claim_that_was_not_seen_leaves_it_open() -> None:
    assert "hardware.gpu.count" not in given(claim("c0", "gpu-0"))


def test_a_device_that_nobody_published_leaves_the_model_open() -> None:
    known = given(claim("c0", "gpu-0"), claim("c1", "gpu-9"), slices(**{"gpu-0": "NVIDIA L4"}))
    assert known["hardware.gpu.count"] == 1 and "hardware.gpu.model" not in known


def test_what_is_no_accelerator_does_not_count() -> None:
    nics = (claim("c0", "nic-0", driver="dra.net"), claim("c1", "nic-1", driver="dra.net"))
    assert "hardware.gpu.count" not in given(*nics)


def test_the_template_alone_says_nothing_of_what_was_given() -> None:
    deployed = live.deployment(**CLAIM)
    deployed["spec"]["template"]["spec"] |= SPEC
    assert "hardware.gpu.model" not in facts(one(live.dump(deployed)))
