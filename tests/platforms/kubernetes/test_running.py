"""Pods as they run: folded into their workload, whatever stands between, with what only they show."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.pipeline import Options, diff
from askew.resolve.observation import Unknown
from askew.resolve.workload import Workload
from tests.platforms.kubernetes import live
from tests.platforms.kubernetes.manifests import facts, observation, one, reading, view


def workload(*objects: live.Object) -> Workload:
    return one(live.dump(*objects))


# Which pods are whose


def test_three_pods_of_a_deployment_are_its_replicas_and_no_workloads() -> None:
    found = workload(live.deployment(), live.replica_set(), *(live.pod(f"llm-aaa-{n}") for n in range(3)))
    assert found.id == "prod/Deployment/llm"
    assert [replica.name for replica in found.replicas] == ["llm-aaa-0", "llm-aaa-1", "llm-aaa-2"]
    assert {replica.revision for replica in found.replicas} == {"aaa"}
    assert all(replica.containers == () for replica in found.replicas), "they run what the template says"
    assert found.replicas[0].location.object == "v1 Pod prod/llm-aaa-0"


def test_a_dump_without_replica_sets_still_tells_whose_the_pods_are() -> None:
    assert len(workload(live.deployment(), live.pod("llm-aaa-0")).replicas) == 1


def test_pods_that_ended_or_are_ending_are_no_replicas() -> None:
    ended = live.pod("llm-aaa-1", status={"phase": "Failed", "reason": "Evicted"})
    ending = live.pod("llm-aaa-2")
    ending["metadata"]["deletionTimestamp"] = "2026-01-02T10:00:00Z"
    found = workload(live.deployment(), live.pod("llm-aaa-0"), ended, ending)
    assert [replica.name for replica in found.replicas] == ["llm-aaa-0"]


def chain(*owners: tuple[str, str, str]) -> list[live.Object]:
    """Objects of which each owns the next; the last one owns nothing."""
    made: list[live.Object] = []
    for version, kind, name in owners:
        metadata: live.Object = {"name": name, "namespace": "prod", "uid": name}
        if made:
            before = made[-1]
            metadata["ownerReferences"] = [live.owner(before["apiVersion"], before["kind"], before["metadata"]["name"])]
        made.append({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {}})
    return made


def test_the_pods_behind_a_kserve_service_are_its_own() -> None:
    service, deployed = chain(
        ("serving.kserve.io/v1beta1", "InferenceService", "llm"), ("apps/v1", "Deployment", "llm-predictor")
    )
    own = live.container(name="kserve-container")
    service["spec"] = {"predictor": {"model": {"modelFormat": {"name": "huggingface"}, "args": ["--dtype=half"]}}}
    deployed["spec"] = {"template": {"spec": {"containers": [own]}}}
    labels = {"component": "predictor", "serving.kserve.io/inferenceservice": "llm"}
    pods = [
        live.pod(
            f"llm-predictor-aaa-{n}",
            labels=labels,
            owned=live.owner("apps/v1", "ReplicaSet", "llm-predictor-aaa"),
            name="kserve-container",
            args=["--model_name=llm", "--dtype=half"],
        )
        for n in range(2)
    ]
    found = workload(service, deployed, *pods)
    assert found.id == "prod/InferenceService/llm" and len(found.replicas) == 2


def test_the_workers_of_a_group_are_told_from_its_leader() -> None:
    group, leaders = chain(("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "llm"), ("apps/v1", "StatefulSet", "llm"))
    template = {"spec": {"containers": [live.container()]}}
    group["spec"] = {"replicas": 1, "leaderWorkerTemplate": {"size": 2, "workerTemplate": template}}
    # As https://github.com/kubernetes-sigs/lws/blob/main/api/leaderworkerset/v1/leaderworkerset_types.go names them.
    index, revision = "leaderworkerset.sigs.k8s.io/worker-index", "leaderworkerset.sigs.k8s.io/template-revision-hash"
    of_leader = {index: "0", revision: "5bbd7574c4", "controller-revision-hash": "llm-99c4ff976"}
    of_worker = {index: "1", revision: "5bbd7574c4", "controller-revision-hash": "llm-0-6d5c7b9f8"}
    leader = live.pod("llm-0", owned=live.owner("apps/v1", "StatefulSet", "llm"), labels=of_leader)
    workers = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": "llm-0", "namespace": "prod", "uid": "w", "ownerReferences": [live.owner("v1", "Pod", "llm-0")],
        },
        "spec": {"template": template},
    }  # fmt: skip
    worker = live.pod("llm-0-1", owned=live.owner("apps/v1", "StatefulSet", "llm-0"), labels=of_worker)
    found = workload(group, leaders, leader, workers, worker)
    assert found.id == "prod/LeaderWorkerSet/llm"
    assert [(replica.name, replica.part) for replica in found.replicas] == [("llm-0", ""), ("llm-0-1", "worker")]
    assert {replica.revision for replica in found.replicas} == {"5bbd7574c4"}


def test_the_head_and_the_workers_of_a_ray_cluster() -> None:
    (cluster,) = chain(("ray.io/v1", "RayCluster", "ray"))
    template = {"spec": {"containers": [live.container()]}}
    cluster["spec"] = {
        "headGroupSpec": {"template": template},
        "workerGroupSpecs": [{"groupName": "gpu", "replicas": 1, "template": template}],
    }
    own = live.owner("ray.io/v1", "RayCluster", "ray")
    head = live.pod("ray-head", owned=own, labels={"ray.io/node-type": "head"})
    worker = live.pod("ray-gpu-1", owned=own, labels={"ray.io/node-type": "worker", "ray.io/group": "gpu"})
    found = workload(cluster, head, worker)
    assert [(replica.name, replica.part) for replica in found.replicas] == [("ray-gpu-1", "gpu"), ("ray-head", "")]


def test_owners_that_own_each_other_end_the_search() -> None:
    one_, other = chain(("apps/v1", "ReplicaSet", "a"), ("apps/v1", "ReplicaSet", "b"))
    one_["metadata"]["ownerReferences"] = [live.owner("apps/v1", "ReplicaSet", "b")]
    reading(live.dump(one_, other, live.pod("p", owned=live.owner("apps/v1", "ReplicaSet", "a"))))


def test_pods_without_their_deployment_are_one_workload_called_as_it() -> None:
    found = workload(live.pod("llm-aaa-0"), live.pod("llm-aaa-1"), live.pod("llm-bbb-0", "bbb", length=4096))
    assert (found.group, found.id) == ("apps", "prod/Deployment/llm")
    assert [len(replica.containers) for replica in found.replicas] == [0, 0, 1]
    assert isinstance(facts(found).get("orchestration.replicas.min", Unknown("not said")), Unknown)


def test_one_pod_without_its_owner_is_a_pod() -> None:
    assert workload(live.pod("llm-aaa-0")).id == "prod/Pod/llm-aaa-0"


# What they show


def test_the_digest_behind_the_tag_is_that_of_all_pods() -> None:
    found = workload(live.deployment(), live.pod("llm-aaa-0"), live.pod("llm-aaa-1"))
    digest = observation(found, "runtime.image.digest")
    digests = [o for o in found.containers[0].observations if o.fact == "runtime.image.digest"]
    assert isinstance(digest.value, Unknown), "the template pins none"
    seen = digests[-1]
    assert (seen.value, seen.origin, seen.basis) == (f"sha256:{'ab' * 32}", "reported", "seen")
    assert [at.object for at in seen.locations] == ["v1 Pod prod/llm-aaa-0", "v1 Pod prod/llm-aaa-1"]


def test_pods_of_several_digests_have_none_in_common() -> None:
    found = workload(live.deployment(), live.pod("llm-aaa-0"), live.pod("llm-aaa-1", digest="cd" * 32))
    value = facts(found)["runtime.image.digest"]
    assert isinstance(value, Unknown)
    assert "sha256:abababababab… in llm-aaa-0" in value.reason and "in llm-aaa-1" in value.reason


def test_an_image_that_is_pinned_needs_no_second_witness() -> None:
    image = f"vllm/vllm-openai@sha256:{'ef' * 32}"
    found = workload(live.deployment(image=image), live.pod("llm-aaa-0", image=image))
    assert facts(found)["runtime.image.digest"] == f"sha256:{'ef' * 32}"
    assert all(one_.fact != "runtime.image.digest" for one_ in found.replicas[0].seen["engine"])


def test_restarts_and_the_last_end() -> None:
    last = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-01-02T09:59:00Z"}}
    found = workload(
        live.deployment(), live.pod("llm-aaa-0"), live.pod("llm-aaa-1", reported={"restartCount": 4, "lastState": last})
    )
    known = facts(found)
    assert known["orchestration.restarts"] == 4
    assert known["orchestration.last_termination/reason"] == "OOMKilled"
    assert known["orchestration.last_termination/pod"] == "llm-aaa-1"
    assert observation(found, "orchestration.restarts").because == ("llm-aaa-1: 4", "llm-aaa-0: 0")


def test_what_a_pods_node_reports_is_seen_of_that_pod() -> None:
    found = workload(
        live.deployment(),
        live.pod("llm-aaa-0"),
        live.pod("llm-aaa-1", node="n2"),
        live.node("n1", **{"nvidia.com__gpu.memory": "81559"}),
        live.node("n2", "NVIDIA-L4", **{"nvidia.com__gpu.memory": "23034"}),
    )
    assert facts(found)["hardware.gpu.model"] == ["h100-80gb-sxm", "l4"]
    assert isinstance(facts(found)["hardware.gpu.memory.bytes"], Unknown)
    seen = {replica.name: {o.fact: o.value for o in replica.seen[""]} for replica in found.replicas}
    assert seen["llm-aaa-0"]["hardware.gpu.model"] == ["h100-80gb-sxm"]
    assert seen["llm-aaa-1"]["hardware.gpu.memory.bytes"] == 23034 * 2**20


def test_a_container_that_was_admitted_otherwise_comes_with_its_pod() -> None:
    found = workload(live.deployment(), live.pod("llm-aaa-0"), live.pod("llm-bbb-0", "bbb", length=4096))
    assert [len(replica.containers) for replica in found.replicas] == [0, 1]
    (container,) = found.replicas[1].containers
    assert container.launch.argv[-1].text == "--max-model-len=4096"
    assert container.launch.argv[-1].location.object == "v1 Pod prod/llm-bbb-0"


def test_pods_of_one_template_are_read_once() -> None:
    found = workload(live.deployment(), *(live.pod(f"llm-bbb-{n}", "bbb", length=4096) for n in range(3)))
    first, *rest = (replica.containers[0] for replica in found.replicas)
    assert all(other is first for other in rest)


# Rollouts


def rollout(*objects: live.Object) -> dict[str, object]:
    known = facts(workload(*objects))
    name = "orchestration.rollout/"
    return {key.removeprefix(name): value for key, value in known.items() if key.startswith(name)}


def test_one_version_runs() -> None:
    assert rollout(live.deployment(), live.pod("llm-aaa-0"), live.pod("llm-aaa-1")) == {
        "complete": True, "replicas": 2, "updated": 2, "ready": 2, "versions": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "complete"),
    [
        ({"replicas": 2, "updatedReplicas": 2, "observedGeneration": 1}, True),
        ({"replicas": 3, "updatedReplicas": 2, "observedGeneration": 1}, False),
        ({"replicas": 2, "updatedReplicas": 1, "observedGeneration": 1}, False),
        ({"replicas": 2, "observedGeneration": 1}, False),
        ({"replicas": 2, "updatedReplicas": 2, "observedGeneration": 0}, False),
    ],
)
def test_what_counts_as_complete(status: live.Object, complete: bool) -> None:
    assert rollout(live.deployment(status=status))["complete"] is complete


def test_a_stateful_set_says_its_revisions() -> None:
    made = live.deployment()
    made |= {"kind": "StatefulSet"}
    made["status"] = {"replicas": 2, "currentRevision": "llm-a", "updateRevision": "llm-b", "updatedReplicas": 1}
    assert rollout(made)["complete"] is False
    made["status"] = {"replicas": 2, "currentRevision": "llm-a", "updateRevision": "llm-a", "currentReplicas": 2}
    assert rollout(made)["complete"] is True


def test_a_pod_that_is_not_scheduled_says_why_and_the_events_with_it() -> None:
    waiting = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pending = live.pod("llm-bbb-0", "bbb", node="", status={"phase": "Pending", "conditions": [waiting]})
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "prod", "uid": "e"},
        "involvedObject": {"kind": "Pod", "name": "llm-bbb-0", "namespace": "prod"},
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        "count": 12,
    }
    found = workload(live.deployment(), live.pod("llm-aaa-0"), pending, event)
    said = observation(found, "orchestration.rollout", "waiting")
    assert said.value == "Unschedulable" and said.locations[0].object == "v1 Pod prod/llm-bbb-0"
    assert said.because == ("FailedScheduling: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu. (12 times)",)
    assert facts(found)["orchestration.rollout/versions"] == 2


# The order of objects means nothing

OBJECTS = (
    live.deployment(),
    live.replica_set(),
    live.pod("llm-aaa-0"),
    live.pod("llm-aaa-1", reported={"restartCount": 2}),
    live.pod("llm-bbb-0", "bbb", length=4096, digest="cd" * 32, node="n2"),
    live.pod("llm-bbb-1", "bbb", length=4096, node="n2"),
    live.node("n1"),
    live.node("n2", "NVIDIA-L4"),
)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(OBJECTS))
def test_the_order_of_the_objects_decides_nothing(order: list[live.Object]) -> None:
    expected, found = reading(live.dump(*OBJECTS)), reading(live.dump(*order))
    assert view(found) == view(expected)
    assert [r.name for r in found.workloads[0].replicas] == [r.name for r in expected.workloads[0].replicas]


def test_what_a_controller_makes_of_a_service_is_no_difference_from_it() -> None:
    (service,) = chain(("serving.kserve.io/v1beta1", "InferenceService", "llm"))
    service["spec"] = {"predictor": {"model": {"modelFormat": {"name": "huggingface"}, "args": ["--dtype=half"]}}}
    own = live.owner("serving.kserve.io/v1beta1", "InferenceService", "llm")
    labels = {"component": "predictor"}

    def pod(name: str, dtype: str) -> live.Object:
        return live.pod(name, owned=own, labels=labels, name="kserve-container", args=[f"--dtype={dtype}"])

    alike = workload(service, pod("a", "half"), pod("b", "half"))
    assert [replica.containers for replica in alike.replicas] == [(), ()]
    apart = workload(service, pod("a", "half"), pod("b", "bfloat16"))
    assert [len(replica.containers) for replica in apart.replicas] == [1, 1]


def test_a_service_and_what_runs_of_it_do_not_differ(tmp_path: Path) -> None:
    """The manifest leaves its runtime to the cluster, and names no replica count, image or arguments of it."""
    (service,) = chain(("serving.kserve.io/v1beta1", "InferenceService", "llm"))
    resources = {"limits": {"nvidia.com/gpu": "1", "memory": "24Gi"}}
    model = {"modelFormat": {"name": "huggingface"}, "args": ["--dtype=half"], "storageUri": "hf://org/model"}
    service["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "RawDeployment"}
    service["spec"] = {"predictor": {"minReplicas": 1, "model": {**model, "resources": resources}}}
    manifest = copy.deepcopy(service)
    del manifest["metadata"]["uid"]
    image = "kserve/huggingfaceserver:v0.15.0-gpu"
    container: live.Object = {"name": "kserve-container", "image": image, "args": ["--model_name={{.Name}}"]}
    runtime = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": "kserve-huggingfaceserver", "uid": "rt"},
        "spec": {"supportedModelFormats": [{"name": "huggingface", "autoSelect": True}], "containers": [container]},
    }
    (deployed,) = chain(("apps/v1", "Deployment", "llm-predictor"))
    deployed["metadata"]["ownerReferences"] = [live.owner("serving.kserve.io/v1beta1", "InferenceService", "llm")]
    deployed["spec"] = {"template": {"metadata": {"labels": {"component": "predictor"}}, "spec": {"containers": []}}}
    args = ["--model_name=llm", "--model_dir=/mnt/models", "--dtype=half"]
    pods = [
        live.pod(
            f"llm-predictor-aaa-{n}",
            owned=live.owner("apps/v1", "ReplicaSet", "llm-predictor-aaa"),
            labels={"component": "predictor"},
            **{**container, "args": args, "resources": resources},
        )
        for n in range(2)
    ]
    (tmp_path / "a.yaml").write_text(live.dump(manifest))
    (tmp_path / "b.yaml").write_text(live.dump(service, runtime, deployed, *pods, live.node()))
    for left, right in (("a.yaml", "b.yaml"), ("b.yaml", "a.yaml")):
        report = diff(str(tmp_path / left), str(tmp_path / right), Options())
        assert [f.summary for w in report.workloads for f in w.findings] == []


def test_what_a_service_leaves_to_a_runtime_that_nobody_may_read_is_as_its_pods_run() -> None:
    (service,) = chain(("serving.kserve.io/v1beta1", "InferenceService", "llm"))
    service["spec"] = {"predictor": {"model": {"modelFormat": {"name": "huggingface"}, "args": ["--dtype=half"]}}}
    own = live.owner("serving.kserve.io/v1beta1", "InferenceService", "llm")
    image = "kserve/huggingfaceserver:v0.15.0-gpu"
    args = ["--model_name=llm", "--dtype=half", "--max_model_len=4096"]
    pods = [
        live.pod(name, owned=own, labels={"component": "predictor"}, name="kserve-container", image=image, args=args)
        for name in ("a", "b")
    ]
    found = workload(service, *pods)
    assert [token.text for token in found.containers[0].launch.argv] == args
    known = facts(found)
    assert known["runtime.image.tag"] == "v0.15.0-gpu" and known["hardware.gpu.count"] == 1
    assert known["runtime.image.digest"] == f"sha256:{'ab' * 32}"
    assert facts(workload(service)).get("runtime.image.tag") != "v0.15.0-gpu"
