from __future__ import annotations

import pytest

from askew.evidence.launch import Token, Variable
from askew.evidence.location import Location
from askew.platforms.kubernetes.draft import Addition, Draft, PodGroup
from askew.platforms.kubernetes.objects import Objects
from askew.platforms.kubernetes.observe import observed
from askew.platforms.kubernetes.workloads import build, deployment
from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import DEPLOYMENT, facts, indexed, observation, one, reading

TEMPLATE = "template: {spec: {containers: [{name: c, image: 'i:1'}]}}"
HERE = Location("here")


def workload(kind: str, spec: str = "", group: str = "apps/v1"):
    return one(f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: w}}\nspec: {{{TEMPLATE}{spec and ', '}{spec}}}\n")


def test_identity_and_replicas():
    read = one(DEPLOYMENT)
    assert (read.id, read.group, read.source) == ("prod/Deployment/llm", "apps", "a.yaml")
    found = facts(read)
    assert found["orchestration.kind"] == "Deployment"
    assert found["orchestration.replicas.min"] == found["orchestration.replicas.max"] == 2
    assert observation(read, "orchestration.replicas.min").locations[0].line == 8


def test_absent_replicas_are_the_default_of_one():
    found = observation(workload("Deployment"), "orchestration.replicas.max")
    assert (found.value, found.origin) == (1, "platform-default")
    assert isinstance(facts(workload("Deployment", "replicas: many"))["orchestration.replicas.min"], Unknown)


@pytest.mark.parametrize("kind", ["DaemonSet", "Job"])
def test_replicas_mean_nothing_to_kinds_without_them(kind):
    group = "batch/v1" if kind == "Job" else "apps/v1"
    assert "orchestration.replicas.min" not in facts(workload(kind, group=group))


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("Deployment", "", {"type": "RollingUpdate", "max_surge": "25%", "max_unavailable": "25%"}),
        ("Deployment", "strategy: {type: Recreate}", {"type": "Recreate"}),
        (
            "Deployment",
            "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: '1'}}",
            {"type": "RollingUpdate", "max_surge": 0, "max_unavailable": 1},
        ),
        ("StatefulSet", "", {"type": "RollingUpdate", "partition": 0, "max_unavailable": 1}),
        ("StatefulSet", "updateStrategy: {type: OnDelete}", {"type": "OnDelete"}),
        ("DaemonSet", "", {"type": "RollingUpdate", "max_surge": 0, "max_unavailable": 1}),
        ("ReplicaSet", "", {}),
    ],
)
def test_strategies_have_their_defaults_filled_in(kind, spec, expected):
    found = facts(workload(kind, spec))
    prefix = "orchestration.strategy/"
    assert {key[len(prefix) :]: value for key, value in found.items() if key.startswith(prefix)} == expected


def test_a_cron_jobs_pod_is_its_jobs():
    read = one(
        f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: w}}\nspec: {{jobTemplate: {{spec: {{{TEMPLATE}}}}}}}\n"
    )
    assert read.id == "default/CronJob/w" and len(read.containers) == 1


def owned(
    kind: str, name: str, owner_kind: str, owner: str, group: str = "apps/v1", owner_group: str = "apps/v1"
) -> str:
    spec = "containers: [{name: c, image: 'i:1'}]" if kind == "Pod" else TEMPLATE
    return (
        f"---\napiVersion: {group}\nkind: {kind}\nmetadata:\n  name: {name}\n  ownerReferences:\n"
        f"  - {{apiVersion: {owner_group}, kind: {owner_kind}, name: {owner}}}\nspec: {{{spec}}}\n"
    )


def test_what_an_owner_among_the_sources_made_is_not_read_twice():
    deploy = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: llm}}\nspec: {{{TEMPLATE}}}\n"
    replica_set = owned("ReplicaSet", "llm-7d9f", "Deployment", "llm")
    pod = owned("Pod", "llm-7d9f-x", "ReplicaSet", "llm-7d9f", "v1")

    def ids(text: str) -> list[str]:
        return [read.id for read in reading(text).workloads]

    assert ids(deploy + replica_set + pod) == ["default/Deployment/llm"]
    assert ids(deploy + pod) == ["default/Deployment/llm"]
    assert ids(pod) == ["default/Pod/llm-7d9f-x"]
    assert ids(replica_set + pod) == ["default/ReplicaSet/llm-7d9f"]
    job = owned("Job", "j", "CronJob", "gone", "batch/v1", "batch/v1")
    assert ids(job) == ["default/Job/j"]


def test_owners_that_own_each_other_do_not_hang():
    text = owned("Deployment", "a", "Revision", "r", owner_group="serving.knative.dev/v1") + (
        "---\napiVersion: serving.knative.dev/v1\nkind: Revision\nmetadata:\n  name: r\n  ownerReferences:\n"
        "  - {apiVersion: serving.knative.dev/v1, kind: Revision, name: r}\n"
    )
    assert [read.id for read in reading(text).workloads] == ["default/Deployment/a"]


def test_tolerations_and_selectors_without_noise():
    read = one(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
        "  nodeSelector: {kubernetes.io/os: linux, pool: gpu}\n"
        "  affinity: {podAffinity: {}, nodeAffinity: null}\n"
        "  terminationGracePeriodSeconds: 120\n  enableServiceLinks: false\n"
        "  tolerations:\n"
        "  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}\n"
        "  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 30}\n"
        "  - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}\n"
        "  - {key: spot, value: 'true', effect: NoSchedule}\n"
        "  containers: [{name: c, image: 'i:1', resources: {limits: {nvidia.com/gpu: 1}}}]\n"
    )
    found = facts(read)
    assert found["orchestration.node_selector/pool"] == "gpu"
    assert "orchestration.node_selector/kubernetes.io/os" not in found
    assert found["orchestration.affinity"] is None
    kept = {entry["key"] for entry in found["orchestration.tolerations"]}
    assert kept == {"node.kubernetes.io/unreachable", "spot"}
    assert found["orchestration.termination_grace"] == 120
    assert found["orchestration.service_links"] is False


def test_a_templates_own_gpu_toleration_counts():
    read = one(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec:\n  template:\n    spec:\n"
        "      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]\n"
        "      containers: [{name: c, image: 'i:1', resources: {limits: {nvidia.com/gpu: 1}}}]\n"
    )
    assert [entry["key"] for entry in facts(read)["orchestration.tolerations"]] == ["nvidia.com/gpu"]


def test_ignored_rules_come_from_annotations():
    read = one(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n"
        "    askew.dev/ignore: 'floating-image-tag, idle-gpus: dev only; shm-default'\n"
        "spec: {containers: [{name: c, image: 'i:1'}]}\n"
    )
    assert read.ignores == {"floating-image-tag": "dev only", "idle-gpus": "dev only", "shm-default": ""}


# Kinds that nobody knows


def test_an_unknown_kind_with_a_pod_template_is_read_with_less_confidence():
    read = workload("Rollout", "replicas: 3", group="argoproj.io/v1alpha1")
    assert (read.id, read.group) == ("default/Rollout/w", "argoproj.io")
    found = observation(read, "orchestration.replicas.min")
    assert found.value == 3 and found.confidence == "likely"
    assert all(o.confidence != "certain" for o in read.containers[0].observations)


def test_role_templates_and_their_patches_are_merged_by_container_name():
    text = """\
apiVersion: workloads.x-k8s.io/v1alpha2
kind: RoleBasedGroup
metadata: {name: pd}
spec:
  roleTemplates:
    - name: base
      template:
        metadata: {labels: {app: pd}}
        spec:
          containers:
            - name: engine
              image: vllm/vllm-openai:v1
              env: [{name: A, value: base}, {name: B, value: base}]
              resources: {limits: {nvidia.com/gpu: 4}}
  roles:
    - name: prefill
      replicas: 2
      templateRef:
        name: base
        patch:
          spec:
            containers:
              - name: engine
                command: [vllm, serve, m, --max-model-len, "1024"]
                env: [{name: B, value: patch}]
    - name: decode
      replicas: 1
      templateRef:
        name: base
        patch: {spec: {containers: [{name: engine, command: [vllm, serve, m]}]}}
"""
    prefill, decode = reading(text).workloads
    assert (prefill.id, decode.id) == ("default/RoleBasedGroup/pd#prefill", "default/RoleBasedGroup/pd#decode")
    launch = prefill.containers[0].launch
    assert [token.text for token in launch.argv][-1] == "1024" and launch.argv[-1].location.line == 24
    assert launch.image is not None and launch.image.location.line == 12
    assert {name: variable.value for name, variable in launch.env.items()} == {"A": "base", "B": "patch"}
    assert facts(prefill)["hardware.gpu.count"] == 4 and facts(prefill)["orchestration.replicas.max"] == 2
    assert [token.text for token in decode.containers[0].launch.argv] == ["vllm", "serve", "m"]


RAY = """\
apiVersion: orchestration.aibrix.ai/v1alpha1
kind: RayClusterFleet
metadata: {name: fleet}
spec:
  replicas: 1
  template:
    spec:
      headGroupSpec:
        template: {spec: {containers: [{name: head, image: 'i:1', resources: {limits: {nvidia.com/gpu: 1}}}]}}
      workerGroupSpecs:
        - groupName: small
          replicas: 3
          template: {spec: {containers: [{name: worker, image: 'i:1', resources: {limits: {nvidia.com/gpu: 2}}}]}}
"""


def test_a_ray_cluster_inside_another_kind_is_one_workload():
    read = one(RAY)
    assert read.id == "default/RayClusterFleet/fleet" and [member.role for member in read.members] == ["small"]
    assert facts(read)["hardware.gpu.count"] == 7 and facts(read)["orchestration.hosts"] == 4
    unwritten = facts(one(RAY.replace("          replicas: 3\n", "")))
    assert isinstance(unwritten["hardware.gpu.count"], Unknown) and isinstance(
        unwritten["orchestration.hosts"], Unknown
    )


def test_templates_of_one_object_never_share_an_id():
    item = "{template: {spec: {containers: [{name: c, image: 'i:1'}]}}}"
    spec = f"{{roles: [{item}, {item}], routerSpec: {item}}}"
    text = f"apiVersion: x.io/v1\nkind: Set\nmetadata: {{name: s}}\nspec: {spec}\n"
    ids = [read.id for read in reading(text).workloads]
    assert len(set(ids)) == 3 and "default/Set/s#router" in ids


def test_other_kinds_without_pod_templates_are_no_workloads():
    assert reading("apiVersion: example.com/v1\nkind: Thing\nspec: {template: {spec: {size: 3}}}\n").workloads == ()


# What readers of further kinds build on


def draft(**fields) -> tuple[Draft, Objects]:
    objects = indexed(DEPLOYMENT)
    base = deployment(next(iter(objects)), objects)[0]
    return Draft(**{name: fields.get(name, getattr(base, name)) for name in Draft.__struct_fields__}), objects


def test_devices_are_counted_over_all_pods_of_a_replica():
    base, objects = draft()
    group = PodGroup(role="worker", pod=base.pod, pods=3)
    one_, objects = draft(groups=(group,))
    built = build(one_, objects)
    assert facts(built)["hardware.gpu.count"] == 8 and facts(built)["orchestration.hosts"] == 4
    assert built.containers[0].gpus == 2
    assert (built.members[0].role, built.members[0].pods) == ("worker", 3) and built.members[0].launches
    two, objects = draft(groups=(PodGroup(role="worker", pod=base.pod, pods=None, unknown="autoscaled"),))
    assert facts(build(two, objects))["hardware.gpu.count"] == Unknown("autoscaled")
    three, objects = draft(pods_per_replica=2)
    assert facts(build(three, objects))["hardware.gpu.count"] == 4


def test_additions_come_after_the_containers_own():
    addition = Addition(
        args=(Token("--model_name=$(MODEL)", HERE),),
        env=(Variable("MAX_LEN", "1", HERE), Variable("MODEL", "m", HERE)),
        observations=(observed("model.source", "s3://bucket/m", HERE),),
    )
    one_, objects = draft(additions=(addition,))
    built = build(one_, objects)
    assert [token.text for token in built.containers[0].launch.argv][-2:] == ["--max-model-len=1", "--model_name=m"]
    assert facts(built)["model.source"] == "s3://bucket/m"
    first, objects = draft(additions=(Addition(env=addition.env, env_first=True),))
    assert build(first, objects).containers[0].launch.env["MAX_LEN"].value == "8192"
    other, objects = draft(additions=(Addition(command=(Token("vllm", HERE),), image=Token("x:2", HERE)),))
    launch = build(other, objects).containers[0].launch
    assert [token.text for token in launch.argv] == ["vllm"] and not launch.implicit_entrypoint
    assert launch.image is not None and launch.image.text == "x:2"


def test_what_a_reader_or_a_join_says_replaces_the_plain_field():
    said = observed("orchestration.replicas.max", 7, HERE)
    one_, objects = draft(observations=(said,))
    joined = [observed("orchestration.replicas.min", 5, HERE), observed("orchestration.replicas.max", 9, HERE)]
    built = build(one_, objects, [lambda draft, objects: joined])
    replicas = {o.fact: o.value for o in built.observations if "replicas" in o.fact}
    assert replicas == {"orchestration.replicas.min": 5, "orchestration.replicas.max": 7}
    assert len([o for o in built.observations if o.fact == "orchestration.replicas.max"]) == 1


def test_container_observations_replace_what_the_pod_spec_says():
    better = {"engine": (observed("orchestration.shm.bytes", "32Gi", HERE),)}
    one_, objects = draft(container_observations=better)
    shm = [o for o in build(one_, objects).containers[0].observations if o.fact == "orchestration.shm.bytes"]
    assert [o.value for o in shm] == [32 * 2**30]
