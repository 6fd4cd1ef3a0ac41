from __future__ import annotations

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import facts, observation, one, reading

NIM = """\
apiVersion: apps.nvidia.com/v1alpha1
kind: NIMService
metadata: {name: llama, namespace: nim}
spec:
  image:
    repository: nvcr.io/nim/meta/llama3-8b-instruct
    tag: 1.0.3
    pullPolicy: IfNotPresent
  env: [{name: NIM_MAX_MODEL_LEN, value: "8192"}]
  storage: {nimCache: {name: cache}}
  replicas: 2
  resources: {limits: {nvidia.com/gpu: 4}}
  nodeSelector: {pool: gpu}
"""


def test_image_devices_environment_and_cache():
    read = one(NIM)
    found = facts(read)
    assert (read.id, read.engine) == ("nim/NIMService/llama", "nim")
    assert (found["runtime.image"], found["runtime.image.tag"]) == ("nvcr.io/nim/meta/llama3-8b-instruct", "1.0.3")
    assert observation(read, "runtime.image.tag").locations[0].line == 7
    assert (found["hardware.gpu.count"], found["model.source"]) == (4, "nimcache://cache")
    assert found["orchestration.node_selector/pool"] == "gpu"
    assert read.containers[0].launch.env["NIM_MAX_MODEL_LEN"].value == "8192"
    assert (found["orchestration.replicas.min"], found["orchestration.replicas.max"]) == (2, 2)


def test_a_digest_stands_behind_an_at():
    digest = "sha256:" + "a" * 64
    assert facts(one(NIM.replace("1.0.3", digest)))["runtime.image.digest"] == digest


def test_the_operators_autoscaler():
    scale = """\
  scale:
    enabled: true
    hpa:
      maxReplicas: 5
      metrics:
      - type: Resource
        resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
"""
    found = facts(one(NIM + scale))
    assert (found["orchestration.autoscaler.kind"], found["orchestration.replicas.max"]) == ("hpa", 5)
    assert found["orchestration.autoscaler.metrics"] == [
        {"name": "cpu", "source": "resource", "target": 70, "target_type": "utilization"}
    ]
    assert isinstance(facts(one(NIM + scale.replace("5", "lots")))["orchestration.replicas.max"], Unknown)


def test_pipeline_stages_are_pods():
    read = one(NIM + "  multiNode: {parallelism: {pipeline: 2, tensor: 4}}\n")
    assert (facts(read)["hardware.gpu.count"], facts(read)["orchestration.hosts"]) == (8, 2)


def test_a_pipeline_is_its_services():
    text = (
        "apiVersion: apps.nvidia.com/v1alpha1\nkind: NIMPipeline\nmetadata: {name: p}\nspec:\n  services:\n"
        "  - {name: a, enabled: true, spec: {image: {repository: nvcr.io/a, tag: '1'}}}\n"
        "  - {name: b, enabled: false, spec: {image: {repository: nvcr.io/b, tag: '1'}}}\n"
        "  - {name: c, spec: {image: {repository: nvcr.io/c}}}\n"
    )
    assert [w.id for w in reading(text).workloads] == ["default/NIMPipeline/p#a", "default/NIMPipeline/p#c"]


def test_a_cache_runs_nothing():
    assert reading("apiVersion: apps.nvidia.com/v1alpha1\nkind: NIMCache\nmetadata: {name: c}\n").workloads == ()


def test_memory_that_the_controller_may_mount_is_not_the_runtimes_default():
    assert "NIM operator may mount memory" in facts(one(NIM))["orchestration.shm.bytes"].reason
