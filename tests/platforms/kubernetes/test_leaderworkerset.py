from __future__ import annotations

import pytest

from askew.platforms.kubernetes.objects import Objects
from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import facts, observation, one, reading

LWS = """\
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {name: big}
spec:
  replicas: 2
  leaderWorkerTemplate:
    size: 3
    leaderTemplate:
      metadata: {labels: {role: leader}}
      spec:
        containers:
        - name: leader
          image: lmsysorg/sglang:v0.4.9
          command:
          - sh
          - -c
          - "python3 -m sglang.launch_server --model-path /m --tp 24 \\
            --dist-init-addr $(LWS_LEADER_ADDRESS):20000 --nnodes $(LWS_GROUP_SIZE) --node-rank $(LWS_WORKER_INDEX)"
          resources: {limits: {nvidia.com/gpu: 8}}
    workerTemplate:
      spec:
        containers:
        - {name: worker, image: 'lmsysorg/sglang:v0.4.9', resources: {limits: {nvidia.com/gpu: 8}}}
"""


def words(workload, process=0):
    return [token.text for token in workload.containers[0].processes[process].argv]


def test_the_leader_is_the_workload_and_the_gpus_of_all_pods_count():
    read = one(LWS)
    assert read.id == "default/LeaderWorkerSet/big"
    assert [(m.role, m.pods) for m in read.members] == [("worker", 2)]
    found = facts(read)
    assert (found["hardware.gpu.count"], found["orchestration.hosts"], found["orchestration.replicas.min"]) == (
        24,
        3,
        2,
    )
    assert observation(read, "orchestration.replicas.max").origin == "derived"


def test_the_kubelet_expands_the_groups_variables_before_the_shell_and_a_yaml_escape_joins_lines():
    argv = one(LWS).containers[0].processes[0].argv
    text = [token.text for token in argv]
    assert text[text.index("--nnodes") + 1] == "3" and text[text.index("--node-rank") + 1] == "0"
    assert "\\" not in "".join(text)
    address = argv[text.index("--dist-init-addr") + 1]
    assert address.unknown is not None


def test_two_programs_in_one_script_keep_their_own_flags():
    script = "bash /w/multi-node-serving.sh leader --ray_cluster_size=$(LWS_GROUP_SIZE); "
    script += "python3 -m vllm.entrypoints.openai.api_server --tensor-parallel-size 8 --pipeline-parallel-size 2"
    read = one(
        "apiVersion: leaderworkerset.x-k8s.io/v1\nkind: LeaderWorkerSet\nmetadata: {name: w}\nspec:\n"
        "  leaderWorkerTemplate:\n    size: 2\n    workerTemplate:\n      spec:\n        containers:\n"
        "        - name: c\n          image: vllm/vllm-openai:v0.8.5\n          command: [sh, -c]\n"
        f"          args: ['{script}']\n          resources: {{limits: {{nvidia.com/gpu: 8}}}}\n"
    )
    engine = [
        p for p in read.containers[0].processes if "vllm.entrypoints.openai.api_server" in [t.text for t in p.argv]
    ]
    assert len(engine) == 1
    text = [token.text for token in engine[0].argv]
    assert "--pipeline-parallel-size" in text and not any("ray_cluster_size" in word for word in text)
    assert facts(read)["hardware.gpu.count"] == 16  # without a leader template the workers' serves both


@pytest.mark.parametrize("size", ["0", "many", "-1", "[1]", "99999999999"])
def test_a_size_that_is_none_makes_the_count_unknown(size):
    read = one(LWS.replace("size: 3", f"size: {size}"))
    assert isinstance(facts(read)["hardware.gpu.count"], Unknown)
    assert isinstance(facts(read)["orchestration.hosts"], Unknown)


def test_a_group_of_one_has_no_members():
    read = one(LWS.replace("    size: 3\n", ""))
    assert read.members == () and facts(read)["hardware.gpu.count"] == 8


@pytest.mark.parametrize("spec", ["", "null", "[]", "{leaderWorkerTemplate: 3}", "{leaderWorkerTemplate: {size: 2}}"])
def test_broken_sets_are_refused(spec):
    found = reading(
        f"apiVersion: leaderworkerset.x-k8s.io/v1\nkind: LeaderWorkerSet\nmetadata: {{name: w}}\nspec: {spec}\n"
    )
    assert found.workloads == () and found.refused and isinstance(found.objects, Objects)


def test_a_set_that_a_service_among_the_sources_made_is_not_read_twice():
    owner = (
        "{name: big, ownerReferences: [{apiVersion: serving.kserve.io/v1alpha1, kind: LLMInferenceService, name: s}]}"
    )
    service = (
        "---\napiVersion: serving.kserve.io/v1alpha1\nkind: LLMInferenceService\nmetadata: {name: s}\n"
        "spec: {template: {containers: [{name: main, image: i, command: [vllm, serve, m]}]}}\n"
    )
    made = LWS.replace("{name: big}", owner)
    assert [read.id for read in reading(made + service).workloads] == ["default/LLMInferenceService/s"]
    assert one(made).id == "default/LeaderWorkerSet/big"


def test_the_pods_of_a_group_stand_where_their_number_does():
    assert [place.line for place in observation(one(LWS), "orchestration.hosts").locations] == [7]
