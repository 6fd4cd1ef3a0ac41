from __future__ import annotations

import pytest

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import facts, observation, one

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: prod}
spec:
  nodeSelector: {%(selector)s}
  resourceClaims: [{name: gpus, %(claim)s}]
  containers:
  - {name: engine, image: "vllm/vllm-openai:v0.10.1", resources: {claims: [{name: gpus%(request)s}]}}
"""
TEMPLATE = """\
---
apiVersion: resource.k8s.io/%(version)s
kind: ResourceClaimTemplate
metadata: {name: t, namespace: prod}
spec: {spec: {devices: {requests: [%(requests)s]}}}
"""
CLAIM = """\
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: c, namespace: prod}
spec: {devices: {requests: [%s]}}
"""
GPU = "{name: gpu, exactly: {deviceClassName: gpu.nvidia.com, count: 4%s}}"


def by_template(requests, *, version="v1", request="", selector=""):
    pod = POD % {"claim": "resourceClaimTemplateName: t", "request": request, "selector": selector}
    return pod + TEMPLATE % {"version": version, "requests": requests}


def count(text):
    return facts(one(text))["hardware.gpu.count"]


@pytest.mark.parametrize(
    ("requests", "number"),
    [
        (GPU % "", 4),
        (GPU % ", allocationMode: ExactCount", 4),
        ("{name: gpu, exactly: {deviceClassName: gpu.nvidia.com}}", 1),
        ("{name: gpu, deviceClassName: gpu.nvidia.com, count: 2}", 2),  # as before v1beta2
        (f"{GPU % ''}, {{name: more, exactly: {{deviceClassName: gaudi.intel.com, count: 2}}}}", 6),
        (f"{GPU % ''}, {{name: imex, exactly: {{deviceClassName: compute-domain-default-channel.nvidia.com}}}}", 4),
    ],
)
def test_the_count_of_a_claim_is_read(requests, number):
    text = by_template(requests)
    assert count(text) == number
    assert one(text).containers[0].gpus == number


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        (GPU % ", allocationMode: All", "all devices that fit"),
        ("{name: gpu, firstAvailable: [{name: a, deviceClassName: gpu.nvidia.com}]}", "alternatives"),
        ("{name: gpu, exactly: {deviceClassName: ours.example.com, count: 4}}", "ours.example.com"),
        ("{name: gpu, exactly: {deviceClassName: gpu.nvidia.com, count: many}}", "no whole number"),
        ("{name: gpu, exactly: {deviceClassName: gpu.nvidia.com, adminAccess: true}}", "administration"),
    ],
)
def test_a_claim_that_leaves_the_count_open_says_why(requests, reason):
    value = count(by_template(requests))
    assert isinstance(value, Unknown)
    assert reason in value.reason


def test_a_container_may_use_one_request_of_a_claim():
    requests = f"{GPU % ''}, {{name: other, exactly: {{deviceClassName: gpu.nvidia.com, count: 2}}}}"
    assert count(by_template(requests, request=", request: other")) == 2


def test_a_claim_by_name_and_one_that_is_not_there():
    pod = POD % {"claim": "resourceClaimName: c", "request": "", "selector": ""}
    assert count(pod + CLAIM % (GPU % "")) == 4
    assert "dynamic resource allocation" in count(pod).reason


def test_the_place_is_the_count():
    text = by_template(GPU % "")
    places = observation(one(text), "hardware.gpu.count").locations
    assert "count: 4" in text.splitlines()[places[0].line - 1]
    assert places[0].object == "resource.k8s.io/v1 ResourceClaimTemplate prod/t"


def test_a_claim_is_no_extended_resource():
    found = facts(one(by_template(GPU % "")))
    assert found["hardware.gpu.vendor"] == "nvidia"
    assert not {"hardware.gpu.resource", "hardware.gpu.request/limit"} & set(found)
    assert "hardware.gpu.model" not in found


ATTRIBUTE = "device.attributes['gpu.nvidia.com']"


def selecting(expression):
    return GPU % f', selectors: [{{cel: {{expression: "{expression}"}}}}]'


@pytest.mark.parametrize(
    "expression",
    [
        f"{ATTRIBUTE}.productName == 'NVIDIA H100 80GB HBM3'",
        f"{ATTRIBUTE}.productName=='NVIDIA H100 80GB HBM3' && {ATTRIBUTE}.type == 'gpu'",
    ],
)
def test_a_product_that_must_be_equal_is_the_model(expression):
    assert facts(one(by_template(selecting(expression))))["hardware.gpu.model"] == ["h100-80gb-sxm"]


@pytest.mark.parametrize(
    "expression",
    [
        f"{ATTRIBUTE}.productName.lowerAscii().matches('^.*h100.*$')",
        f"{ATTRIBUTE}.productName == 'NVIDIA H100 80GB HBM3' || {ATTRIBUTE}.productName == 'NVIDIA L4'",
        f"!({ATTRIBUTE}.productName == 'NVIDIA L4')",
        "device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('40Gi')) >= 0",
    ],
)
def test_any_other_selector_leaves_the_model_open(expression):
    found = observation(one(by_template(selecting(expression))), "hardware.gpu.model")
    assert isinstance(found.value, Unknown)
    assert found.value.text == expression
    assert found.origin == "platform-default"  # a node selector beside it is known, and wins


def test_a_slice_is_named_by_its_profile():
    request = '{name: gpu, exactly: {deviceClassName: mig.nvidia.com, selectors: [{cel: {expression: "%s"}}]}}'
    found = facts(one(by_template(request % f"{ATTRIBUTE}.profile == '1g.10gb'")))
    assert (found["hardware.gpu.count"], found["hardware.gpu.mig_profile"]) == (1, "1g.10gb")
