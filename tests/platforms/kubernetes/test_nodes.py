from __future__ import annotations

import pytest

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import facts, observation, one, reading

NODE = """
---
apiVersion: v1
kind: Node
metadata:
  name: %(name)s
  labels: {%(labels)s}
spec: {taints: [%(taints)s]}
status: {allocatable: {cpu: "64", %(devices)s}}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      %(spec)s
      containers:
        - {name: engine, image: "vllm/vllm-openai:v0.8.5", resources: {limits: {%(devices)s}}}
"""
H100 = "nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3"
L4 = "nvidia.com/gpu.product: NVIDIA-L4"
GPUS = 'nvidia.com/gpu: "2"'


def node(name="n1", labels=H100, *, devices='nvidia.com/gpu: "8"', taints=""):
    return NODE % {"name": name, "labels": labels, "devices": devices, "taints": taints}


def deployment(spec="hostIPC: false", devices=GPUS):
    return DEPLOYMENT % {"spec": spec, "devices": devices}


def affinity(expression):
    terms = f"[{{matchExpressions: [{expression}]}}]"
    required = f"{{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: {terms}}}}}"
    return f"affinity: {{nodeAffinity: {required}}}"


def model(text):
    return facts(one(text)).get("hardware.gpu.model")


def test_a_node_that_fits_says_on_which_gpu_the_pods_run():
    text = deployment() + node()
    found = observation(one(text), "hardware.gpu.model")
    assert found.value == ["h100-80gb-sxm"]
    assert (found.origin, found.basis, found.confidence) == ("reported", "seen", "likely")
    assert "n1" in found.because[0]
    (place,) = found.locations
    assert text.splitlines()[place.line - 1].strip().startswith("labels: {nvidia.com/gpu.product")
    assert place.object == "v1 Node n1"


def test_the_set_is_over_all_nodes_that_fit():
    assert model(deployment() + node("a", L4) + node("b", H100)) == ["h100-80gb-sxm", "l4"]


def test_a_node_that_does_not_say_leaves_the_set_open():
    assert model(deployment() + node("a", L4) + node("b", "zone: z1")) is None


@pytest.mark.parametrize(
    "fits",
    [
        (deployment(), node(devices='nvidia.com/gpu: "1"')),
        (deployment(), node(devices='memory: "1"')),
        (deployment(devices='cpu: "2"'), node()),
        (deployment(devices='nvidia.com/mig-1g.10gb: "1"'), node()),
        (deployment("nodeSelector: {pool: gpu}"), node()),
        (deployment("nodeName: elsewhere"), node(taints="{key: team, value: x, effect: NoSchedule}")),
    ],
)
def test_no_node_that_fits_says_nothing(fits):
    assert model("".join(fits)) is None


@pytest.mark.parametrize(
    ("expression", "meets"),
    [
        ("{key: pool, operator: In, values: [a, b]}", True),
        ("{key: pool, operator: In, values: [b]}", False),
        ("{key: pool, operator: NotIn, values: [b]}", True),
        ("{key: other, operator: NotIn, values: [b]}", True),
        ("{key: pool, operator: Exists}", True),
        ("{key: pool, operator: DoesNotExist}", False),
        ("{key: gen, operator: Gt, values: ['4']}", True),
        ("{key: gen, operator: Gt, values: ['5']}", False),
        ("{key: gen, operator: Lt, values: ['10']}", True),
        ("{key: pool, operator: Lt, values: ['10']}", False),
        ("{key: pool, operator: Like, values: [a]}", False),
        ("", False),
    ],
)
def test_required_node_affinity_decides(expression, meets):
    text = deployment(affinity(expression)) + node(labels=f'{H100}, pool: a, gen: "5"')
    assert (model(text) is not None) is meets


@pytest.mark.parametrize(
    ("taint", "tolerations", "fits"),
    [
        ("{key: gpu, value: x, effect: NoSchedule}", "", False),
        ("{key: gpu, value: x, effect: PreferNoSchedule}", "", True),
        ("{key: gpu, value: x, effect: NoSchedule}", "{operator: Exists}", True),
        ("{key: gpu, value: x, effect: NoSchedule}", "{key: gpu, operator: Exists}", True),
        ("{key: gpu, value: x, effect: NoSchedule}", "{key: gpu, value: x}", True),
        ("{key: gpu, value: x, effect: NoSchedule}", "{key: gpu, value: y}", False),
        ("{key: gpu, value: x, effect: NoExecute}", "{key: gpu, value: x, effect: NoSchedule}", False),
        ("{key: node.kubernetes.io/unschedulable, effect: NoSchedule}", "", True),
        ("{key: nvidia.com/gpu, value: present, effect: NoSchedule}", "", False),
    ],
)
def test_taints_must_be_tolerated(taint, tolerations, fits):
    text = deployment(f"tolerations: [{tolerations}]") + node(taints=taint)
    assert (model(text) is not None) is fits


def test_gke_tolerates_the_taint_of_the_resource_that_is_asked_for():
    taint = "{key: nvidia.com/gpu, value: present, effect: NoSchedule}"
    labels = "cloud.google.com/gke-nodepool: p, cloud.google.com/gke-accelerator: nvidia-l4"
    assert model(deployment() + node(labels=labels, taints=taint)) == ["l4"]


def test_an_instance_type_names_the_gpu():
    text = deployment(devices='nvidia.com/gpu: "1"') + node(labels="node.kubernetes.io/instance-type: g6.xlarge")
    assert model(text) == ["l4"]


POD = """
---
apiVersion: v1
kind: Pod
metadata:
  name: llm-abc-%(n)s
  namespace: prod
  labels: {app: llm, pod-template-hash: abc}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: llm-abc}]
spec: {nodeName: %(node)s, containers: [{name: engine, image: "vllm/vllm-openai:v0.8.5"}]}
"""


def test_the_pods_tell_their_nodes_better_than_selectors():
    text = deployment() + POD % {"n": 1, "node": "a"} + node("a", H100) + node("b", L4)
    found = observation(one(text), "hardware.gpu.model")
    assert (found.value, found.confidence) == (["h100-80gb-sxm"], "certain")


def test_a_pod_on_a_node_that_is_not_among_the_sources_leaves_it_open():
    text = deployment() + POD % {"n": 1, "node": "a"} + POD % {"n": 2, "node": "gone"} + node("a", H100)
    assert model(text) is None


def test_a_pod_of_its_own_names_its_node():
    pod = f'spec: {{nodeName: b, containers: [{{name: e, image: "x:1", resources: {{limits: {{{GPUS}}}}}}}]}}\n'
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n" + pod + node("a", H100) + node("b", L4)
    assert model(text) == ["l4"]


DRIVER = 'nvidia.com/cuda.driver.major: "550", nvidia.com/cuda.driver.minor: "90", nvidia.com/cuda.driver.rev: "07"'
CUDA = 'nvidia.com/cuda.runtime.major: "12", nvidia.com/cuda.runtime.minor: "4"'


def test_driver_cuda_slices_and_sharing_are_read_from_labels():
    labels = (
        f"nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB-MIG-1g.5gb, nvidia.com/mig.strategy: single, {DRIVER}, {CUDA},"
        ' nvidia.com/gpu.replicas: "4"'
    )
    found = facts(one(deployment() + node(labels=labels)))
    assert found["hardware.driver.version"] == "550.90.07"
    assert found["hardware.cuda.version"] == "12.4"
    assert found["hardware.gpu.mig_profile"] == "1g.5gb"
    assert found["hardware.gpu.sharing"] == "time-slicing"


@pytest.mark.parametrize(("strategy", "memory"), [("single", 81559 * 2**20), ("none", 81559 * 2**20), ("mixed", None)])
def test_the_memory_of_a_whole_device_is_not_that_of_a_slice(strategy, memory):
    labels = f'{H100}, nvidia.com/gpu.memory: "81559", nvidia.com/mig.strategy: {strategy}'
    devices = "nvidia.com/mig-1g.10gb: 7" if strategy == "mixed" else "nvidia.com/gpu: 7"
    asked = devices.replace("7", "1")
    found = facts(one(deployment(devices=asked) + node(labels=labels, devices=devices)))
    assert found.get("hardware.gpu.memory.bytes") == memory


def test_gke_has_a_word_of_its_own_for_sharing():
    labels = "cloud.google.com/gke-accelerator: nvidia-l4, cloud.google.com/gke-gpu-sharing-strategy: time-sharing"
    assert facts(one(deployment() + node(labels=labels)))["hardware.gpu.sharing"] == "time-slicing"


def test_the_newer_labels_name_whole_versions():
    labels = f"{H100}, nvidia.com/cuda.driver-version.full: 570.86.15, {DRIVER}"
    assert facts(one(deployment() + node(labels=labels)))["hardware.driver.version"] == "570.86.15"


def test_nodes_that_differ_are_named():
    text = deployment() + node("a", f"{H100}, {DRIVER}") + node("b", H100)
    found = facts(one(text))["hardware.driver.version"]
    assert isinstance(found, Unknown)
    assert "a: 550.90.07" in found.reason
    assert "b: not said" in found.reason


def test_whole_gpus_that_nobody_shares_say_nothing_of_slices():
    found = facts(one(deployment() + node(labels=f'{H100}, nvidia.com/gpu.replicas: "1"')))
    assert "hardware.gpu.mig_profile" not in found
    assert "hardware.gpu.sharing" not in facts(one(deployment() + node(labels=H100)))


@pytest.mark.parametrize("label", ['nvidia.com/gpu.replicas: "1"', "nvidia.com/gpu.sharing-strategy: none"])
def test_that_nobody_shares_is_told_so_that_sharing_is_a_difference(label):
    assert facts(one(deployment() + node(labels=f"{H100}, {label}")))["hardware.gpu.sharing"] in (None, "none")


def test_what_was_asked_for_stays_beside_what_was_seen():
    pods = one(deployment("nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}") + node())
    origins = [found.origin for found in pods.observations if found.fact == "hardware.gpu.model"]
    assert origins == ["explicit", "reported"]


def test_a_node_alone_is_no_workload():
    found = reading(node().lstrip("\n-"))
    assert (found.workloads, found.refused) == ((), ())
