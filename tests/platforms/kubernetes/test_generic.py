from __future__ import annotations

import pytest

from tests.platforms.kubernetes.manifests import facts, observation, one, reading

GROUP = """\
apiVersion: workloads.x-k8s.io/v1alpha2
kind: RoleBasedGroup
metadata: {name: pd}
spec:
  roleTemplates:
  - name: base
    template:
      metadata: {labels: {app: x}}
      spec:
        containers:
        - {name: vllm, image: 'vllm/vllm-openai:latest', env: [{name: A, value: '1'}]}
  roles:
  - name: prefill
    replicas: 2
    standalonePattern:
      templateRef:
        name: base
        patch:
          spec:
            containers:
            - name: vllm
              command: [vllm, serve, m, --max-num-seqs=16]
              resources: {limits: {nvidia.com/gpu: 1}}
  - name: decode
    replicas: 3
    standalonePattern:
      templateRef:
        name: base
        patch: {spec: {containers: [{name: vllm, command: [vllm, serve, m, --max-num-seqs=64]}]}}
"""


def words(workload):
    return [token.text for token in workload.containers[0].processes[0].argv]


def test_the_image_is_the_templates_and_the_command_the_patchs():
    prefill, decode = reading(GROUP).workloads
    assert (prefill.id, decode.id) == ("default/RoleBasedGroup/pd#prefill", "default/RoleBasedGroup/pd#decode")
    assert facts(prefill)["runtime.image.tag"] == facts(decode)["runtime.image.tag"] == "latest"
    assert (words(prefill)[-1], words(decode)[-1]) == ("--max-num-seqs=16", "--max-num-seqs=64")
    assert (facts(prefill)["hardware.gpu.count"], facts(decode)["hardware.gpu.count"]) == (1, 0)


def test_the_replicas_are_the_roles():
    prefill, decode = reading(GROUP).workloads
    found = observation(prefill, "orchestration.replicas.min")
    assert (found.value, found.locations[0].line) == (2, 14)
    assert facts(decode)["orchestration.replicas.min"] == 3


@pytest.mark.parametrize(("pattern", "prefix"), [("leaderWorkerPattern", "RBG_LWP"), ("leaderWorkerSet", "LWS")])
def test_a_role_of_several_pods(pattern, prefix):
    inside = pattern == "leaderWorkerPattern"
    template = (
        "template: {spec: {containers: [{name: e, image: 'lmsysorg/sglang:v0.5', args: [--nnodes, "
        f"'$({prefix}_GROUP_SIZE)', --node-rank, '$({prefix}_WORKER_INDEX)'], "
        "resources: {limits: {nvidia.com/gpu: 4}}}]}}"
    )
    read = one(
        "apiVersion: workloads.x-k8s.io/v1alpha1\nkind: RoleBasedGroup\nmetadata: {name: g}\nspec:\n  roles:\n"
        f"  - name: backend\n    {pattern}:\n      size: 2\n"
        + (f"      {template}\n" if inside else f"    {template}\n")
    )
    assert read.id == "default/RoleBasedGroup/g"
    assert words(read) == ["--nnodes", "2", "--node-rank", "0"]
    assert (facts(read)["hardware.gpu.count"], facts(read)["orchestration.hosts"]) == (8, 2)


def test_patches_of_leader_and_worker_differ():
    read = one(
        "apiVersion: workloads.x-k8s.io/v1alpha1\nkind: RoleBasedGroup\nmetadata: {name: g}\nspec:\n  roles:\n"
        "  - name: b\n    template: {spec: {containers: [{name: e, image: 'i:1'}]}}\n"
        "    leaderWorkerSet:\n      size: 3\n"
        "      patchLeaderTemplate: {spec: {containers: [{name: e, command: [lead]}]}}\n"
        "      patchWorkerTemplate: {spec: {containers: [{name: e, command: [work]}]}}\n"
    )
    assert words(read) == ["lead"]
    assert [token.text for token in read.members[0].launches[0].argv] == ["work"]
    assert read.members[0].pods == 2


def test_a_template_that_is_not_there_is_said():
    found = reading(GROUP.replace("  - name: base\n", "  - name: other\n"))
    assert len(found.workloads) == 2
    for workload in found.workloads:
        assert any("has no roleTemplate base" in problem for problem in workload.containers[0].problems)
    bare = "spec: {roles: [{name: a, templateRef: {name: base}}]}"
    found = reading(f"apiVersion: workloads.x-k8s.io/v1alpha2\nkind: RoleBasedGroup\nmetadata: {{name: g}}\n{bare}\n")
    assert found.workloads == () and "has no roleTemplate base" in found.refused[0].reason


LLMKUBE = """\
apiVersion: inference.llmkube.dev/v1alpha1
kind: Model
metadata: {name: qwen}
spec: {source: 'hf://Qwen/Q-GGUF'}
---
apiVersion: inference.llmkube.dev/v1alpha1
kind: InferenceService
metadata: {name: qwen}
spec:
  modelRef: qwen
  runtime: llamacpp
  image: ghcr.io/ggml-org/llama.cpp:server@sha256:%s
  replicas: 1
  extraArgs: [--alias, qwen]
  resources: {cpu: 100m, memory: 2Gi}
""" % ("7" * 64)


def test_kinds_that_share_a_name_are_told_apart_by_their_group():
    read = one(LLMKUBE)
    found = facts(read)
    assert (read.group, read.engine) == ("inference.llmkube.dev", "llamacpp")
    assert found["model.source"] == "hf://Qwen/Q-GGUF"
    assert (found["runtime.image.digest"], found["runtime.image.tag"]) == ("sha256:" + "7" * 64, "server")
    assert words(read) == ["--alias", "qwen"]
    assert found["orchestration.resources.memory.bytes/request"] == 2 * 2**30


def test_an_object_that_does_not_say_what_it_runs_is_refused_with_the_reason():
    ome = "apiVersion: ome.io/v1beta1\nkind: InferenceService\nmetadata: {name: s}\n"
    ome += "spec: {model: {name: m}, engine: {}}\n"
    found = reading(ome)
    assert found.workloads == () and "OME chooses the runtime" in found.refused[0].reason
    runner = ome.replace(
        "engine: {}", "engine: {minReplicas: 2, runner: {image: 'lmsysorg/sglang:v0.5', args: [--tp, '2']}}"
    )
    read = one(runner)
    assert (read.id, words(read)) == ("default/InferenceService/s", ["--tp", "2"])


def test_a_runtime_of_ome_alone_is_what_it_would_start():
    read = one(
        "apiVersion: ome.io/v1beta1\nkind: ClusterServingRuntime\nmetadata: {name: r}\nspec:\n"
        "  engineConfig: {runner: {image: 'lmsysorg/sglang:v0.5', command: [python3, -m, sglang.launch_server]}}\n"
    )
    assert words(read)[-1] == "sglang.launch_server" and "orchestration.replicas.min" not in facts(read)


def test_an_engine_of_ome_over_several_pods():
    runner = "runner: {image: 'i:1', command: [serve], resources: {limits: {nvidia.com/gpu: 8}}}"
    read = one(
        "apiVersion: ome.io/v1beta1\nkind: ClusterServingRuntime\nmetadata: {name: r}\nspec:\n"
        f"  engineConfig:\n    leader: {{{runner}}}\n    worker: {{size: 3, {runner}}}\n"
    )
    assert (facts(read)["hardware.gpu.count"], facts(read)["orchestration.hosts"]) == (32, 4)


@pytest.mark.parametrize("junk", ["null", "[]", "x", "{}", "[null]", "[{}]", "[{name: [], template: 3}]", "-1"])
def test_malformed_groups_never_raise(junk):
    head = "apiVersion: workloads.x-k8s.io/v1alpha2\nkind: RoleBasedGroup\nmetadata: {name: g}\nspec: "
    for spec in (
        junk,
        f"{{roles: {junk}}}",
        f"{{roles: [{{name: a, leaderWorkerPattern: {junk}}}]}}",
        f"{{roleTemplates: {junk}}}",
    ):
        assert all(refused.reason for refused in reading(f"{head}{spec}\n").refused)


def test_llmkubes_fields_are_arguments_before_the_users_own():
    fields = "  contextSize: 32768\n  parallelSlots: 2\n  uBatchSize: 512\n"
    read = one(LLMKUBE.replace("  replicas: 1\n", fields + "  replicas: 1\n"))
    assert words(read) == ["--ctx-size", "32768", "--parallel", "2", "--ubatch-size", "512", "--alias", "qwen"]
    own = LLMKUBE.replace("  replicas: 1\n", fields + "  replicas: 1\n").replace("[--alias, qwen]", "[-np, '4']")
    assert words(one(own)) == ["--ctx-size", "32768", "--ubatch-size", "512", "-np", "4"]


def test_llmkubes_fields_are_no_arguments_of_another_runtime():
    text = LLMKUBE.replace("runtime: llamacpp\n", "runtime: generic\n  contextSize: 32768\n")
    assert words(one(text)) == ["--alias", "qwen"]
