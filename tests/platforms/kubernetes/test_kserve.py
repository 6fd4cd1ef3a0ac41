from __future__ import annotations

import copy

import pytest
import yaml as plain
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.facts.catalogue import fact
from askew.platforms.kubernetes.gotemplate import NotKnown, fill
from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import facts, observation, one, reading

RUNTIME = """\
apiVersion: serving.kserve.io/v1alpha1
kind: ClusterServingRuntime
metadata: {name: my-vllm}
spec:
  supportedModelFormats:
  - {name: vLLM, autoSelect: true, priority: 1}
  nodeSelector: {pool: gpu}
  containers:
  - name: kserve-container
    image: vllm/vllm-openai:v0.8.5
    command: [python3, -m, vllm.entrypoints.openai.api_server]
    args: [--port=8080, --model=/mnt/models, "--served-model-name={{.Name}}", --max-model-len=4096]
    env: [{name: A, value: base}, {name: B, value: base}]
    resources: {limits: {nvidia.com/gpu: 1, memory: 8Gi}}
    volumeMounts: [{name: shm, mountPath: /dev/shm}]
  volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 2Gi}}]
"""

SERVICE = """\
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: llama, namespace: prod, annotations: {serving.kserve.io/deploymentMode: RawDeployment}}
spec:
  predictor:
    minReplicas: 2
    model:
      modelFormat: {name: vLLM}
      runtime: my-vllm
      storageUri: s3://models/llama
      args: [--max-model-len=8192]
      env: [{name: B, value: own}]
      resources: {limits: {nvidia.com/gpu: 2}}
"""


def words(workload, process=0):
    return [token.text for token in workload.containers[0].processes[process].argv]


def test_the_service_is_laid_over_its_runtime():
    read = one(RUNTIME + SERVICE)
    assert read.id == "prod/InferenceService/llama"
    assert words(read)[3:] == [
        "--port=8080",
        "--model=/mnt/models",
        "--served-model-name=llama",
        "--max-model-len=4096",
        "--max-model-len=8192",
    ]
    env = read.containers[0].processes[0].env
    assert (env["A"].value, env["B"].value) == ("base", "own")
    found = facts(read)
    assert (found["hardware.gpu.count"], found["runtime.image.tag"]) == (2, "v0.8.5")
    assert found["orchestration.resources.memory.bytes/limit"] == 8 * 2**30
    assert found["orchestration.shm.bytes"] == 2 * 2**30
    assert found["orchestration.node_selector/pool"] == "gpu"
    assert found["model.source"] == "s3://models/llama"


def test_values_keep_the_place_they_were_written_at():
    read = one(RUNTIME + SERVICE)
    argv = read.containers[0].processes[0].argv
    lines = (RUNTIME + SERVICE).splitlines()
    assert "--max-model-len=8192" in lines[argv[-1].location.line - 1]
    assert "{{.Name}}" in lines[argv[5].location.line - 1]
    assert "storageUri" in lines[observation(read, "model.source").locations[0].line - 1]


def test_the_directory_of_the_weights_does_not_beat_where_they_come_from():
    assert observation(one(RUNTIME + SERVICE), "model.source").rank == 0
    elsewhere = SERVICE.replace("[--max-model-len=8192]", "[--model, org/other]")
    assert observation(one(RUNTIME + elsewhere), "model.source").rank is None


def test_a_runtime_of_the_services_own_namespace_comes_first():
    own = RUNTIME.replace("ClusterServingRuntime", "ServingRuntime").replace("v0.8.5", "v0.9.0")
    own = own.replace("name: my-vllm", "name: my-vllm, namespace: prod")
    assert facts(one(RUNTIME + "---\n" + own + SERVICE))["runtime.image.tag"] == "v0.9.0"
    other = own.replace("namespace: prod", "namespace: other")
    assert facts(one(RUNTIME + "---\n" + other + SERVICE))["runtime.image.tag"] == "v0.8.5"


def test_a_runtime_that_is_not_there_leaves_unknowns_with_the_reason():
    read = one(SERVICE)
    found = facts(read)
    for name in ("runtime.image", "runtime.image.tag", "orchestration.shm.bytes"):
        assert found[name].reason == "ClusterServingRuntime my-vllm is not in the sources given"
        assert "my-vllm" in found[name].observe_with
    assert found["hardware.gpu.count"] == 2
    without = SERVICE.replace("      resources: {limits: {nvidia.com/gpu: 2}}\n", "")
    assert isinstance(facts(one(without))["hardware.gpu.count"], Unknown)


def test_the_runtime_that_fits_the_format_is_selected_only_when_one_does():
    service = SERVICE.replace("      runtime: my-vllm\n", "")
    assert facts(one(RUNTIME + service))["runtime.image.tag"] == "v0.8.5"
    twin = RUNTIME.replace("name: my-vllm", "name: twin")
    assert "several runtimes fit" in facts(one(RUNTIME + "---\n" + twin + service))["runtime.image"].reason
    better = twin.replace("priority: 1", "priority: 2").replace("v0.8.5", "v0.9.0")
    assert facts(one(RUNTIME + "---\n" + better + service))["runtime.image.tag"] == "v0.9.0"
    shy = RUNTIME.replace("autoSelect: true", "autoSelect: false")
    assert isinstance(facts(one(shy + service))["runtime.image"], Unknown)


@pytest.mark.parametrize("field", ["pytorch", "triton", "huggingface"])
def test_the_older_fields_are_a_format(field):
    text = (
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: s}\n"
        f"spec: {{predictor: {{{field}: {{storageUri: 'gs://b/m', resources: {{limits: {{nvidia.com/gpu: 1}}}}}}}}}}\n"
    )
    found = facts(one(text))
    assert (found["model.source"], found["hardware.gpu.count"]) == ("gs://b/m", 1)
    assert f"model format {field}" in found["runtime.image"].reason


def test_devices_that_come_by_claim_are_unknown_and_underscores_stay():
    text = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: qwen}
spec:
  predictor:
    resourceClaims: [{name: gpu, resourceClaimTemplateName: t}]
    model:
      modelFormat: {name: huggingface}
      image: kserve/huggingfaceserver:v0.18.0-gpu
      storageUri: hf://Qwen/Qwen2.5-0.5B-Instruct
      args: [--model_name=qwen, --max_model_len=4096]
      resources: {claims: [{name: gpu}]}
"""
    read = one(text)
    found = facts(read)
    assert words(read) == ["--model_name=qwen", "--max_model_len=4096"] and read.engine == ""
    assert "dynamic resource allocation" in found["hardware.gpu.count"].reason
    assert (found["runtime.image.tag"], found["model.source"]) == ("v0.18.0-gpu", "hf://Qwen/Qwen2.5-0.5B-Instruct")


def test_a_container_of_ones_own_needs_no_runtime_and_roles_are_apart():
    text = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: s}
spec:
  predictor:
    timeout: 600
    containers: [{name: kserve-container, image: 'vllm/vllm-openai:v0.8.5', args: [--model, m]}]
  transformer:
    containers: [{name: kserve-container, image: 'my/transformer:1'}]
"""
    read = reading(text).workloads
    assert [workload.id for workload in read] == [
        "default/InferenceService/s",
        "default/InferenceService/s#transformer",
    ]
    assert words(read[0]) == ["--model", "m"] and read[0].containers[0].problems == ()
    timeout = observation(read[0], "serving.request_timeout")
    assert (timeout.value, timeout.locations[0].line) == (600, 6)
    assert isinstance(facts(read[0])["orchestration.autoscaler.kind"], Unknown)


def test_scaling_by_deployment_mode():
    found = facts(one(RUNTIME + SERVICE))
    assert (found["orchestration.autoscaler.kind"], found["orchestration.replicas.min"]) == ("hpa", 2)
    read = one(RUNTIME + SERVICE)
    assert observation(read, "orchestration.replicas.max").origin == "derived"
    serverless = SERVICE.replace("RawDeployment", "Serverless").replace("minReplicas: 2", "scaleTarget: 5")
    found = facts(one(RUNTIME + serverless))
    assert (found["orchestration.autoscaler.kind"], found["orchestration.replicas.min"]) == ("kpa", 1)
    assert found["orchestration.autoscaler.metrics"][0]["target"] == 5
    assert found["serving.request_timeout"] == 300


def test_pipeline_stages_are_worker_pods():
    runtime = RUNTIME + "  workerSpec:\n    pipelineParallelSize: 2\n    containers:\n"
    runtime += "    - {name: worker, image: 'vllm/vllm-openai:v0.8.5', resources: {limits: {nvidia.com/gpu: 2}}}\n"
    read = one(runtime + SERVICE + "    workerSpec: {pipelineParallelSize: 3, tensorParallelSize: 2}\n")
    assert [(member.role, member.pods) for member in read.members] == [("worker", 2)]
    assert facts(read)["hardware.gpu.count"] == 6
    assert read.containers[0].processes[0].env["PIPELINE_PARALLEL_SIZE"].value == "3"


PRESET = """\
apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceServiceConfig
metadata: {name: kserve-config-llm-template, namespace: kserve}
spec:
  template:
    containers:
    - name: main
      image: ghcr.io/llm-d/llm-d-cuda:v0.6.0
      env: [{name: HOME, value: /home}]
      command:
      - /bin/bash
      - -c
      - |-
        if [ "$X" = "1" ]; then echo hello; fi
        eval "vllm serve /mnt/models \\
          --served-model-name "{{ .Spec.Model.Name }}" \\
          {{- if .Spec.Parallelism.Tensor }} --tensor-parallel-size {{ .Spec.Parallelism.Tensor }}{{- end }} \\
          {{ if .GlobalConfig.EnableTLS }}--ssl-certfile /tls.crt{{- end }} \\
          --max-num-seqs 64 \\
          ${VLLM_ADDITIONAL_ARGS} \\
          $@"
      - --
"""

LLM = """\
---
apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceService
metadata: {name: chat}
spec:
  model: {uri: 'hf://org/m', name: org/m}
  parallelism: {tensor: 4}
  replicas: 2
  template:
    containers:
    - name: main
      args: [--max-num-seqs, "32"]
      env:
      - name: VLLM_ADDITIONAL_ARGS
        value: >-
          --max-num-seqs 48
          --kv-transfer-config '{"kv_connector":"NixlConnector", "kv_role":"kv_both"}'
      resources: {limits: {nvidia.com/gpu: 4}}
"""


def engine(workload):
    return next(p.argv for p in workload.containers[0].processes if p.argv[:1] and p.argv[0].text == "vllm")


def test_a_presets_script_ends_in_the_engine_and_arguments_come_in_its_order():
    read = one(PRESET + LLM)
    argv = [token.text for token in engine(read)]
    assert argv[:5] == ["vllm", "serve", "/mnt/models", "--served-model-name", "org/m"]
    assert [argv[n + 1] for n, word in enumerate(argv) if word == "--max-num-seqs"] == ["64", "48", "32"]
    assert argv[argv.index("--tensor-parallel-size") + 1] == "4"
    assert not any("{{" in word or word == "--" or word.startswith("--ssl") for word in argv)
    assert argv[argv.index("--kv-transfer-config") + 1] == '{"kv_connector":"NixlConnector", "kv_role":"kv_both"}'
    assert any("EnableTLS" in problem for problem in read.containers[0].problems)
    found = facts(read)
    assert (found["runtime.image.tag"], found["hardware.gpu.count"], found["model.source"]) == (
        "v0.6.0",
        4,
        "hf://org/m",
    )


def test_without_the_preset_the_additional_arguments_are_the_engines():
    read = one(LLM)
    argv = [token.text for token in engine(read)]
    assert argv[argv.index("--max-num-seqs") + 1] == "48" and argv[-2:] == ["--max-num-seqs", "32"]
    assert observation(read, "hardware.gpu.count").confidence == "likely"
    assert isinstance(facts(read)["runtime.image"], Unknown)
    assert any("kserve-config-llm-template" in problem for problem in read.containers[0].problems)
    place = next(token for token in engine(read) if token.text == "48").location
    assert "--max-num-seqs 48" in LLM.splitlines()[place.line - 1]


def test_prefill_and_decode_are_two_workloads():
    prefill = (
        "  prefill:\n    replicas: 3\n    template:\n      containers:\n"
        "      - {name: main, image: 'i:2', command: [vllm, serve, m, --max-num-seqs=8]}\n"
    )
    text = LLM.replace("    - name: main\n", "    - name: main\n      image: i:1\n      command: [vllm, serve, m]\n")
    decode, other = reading(text + prefill).workloads
    assert (decode.id, other.id) == (
        "default/LLMInferenceService/chat#decode",
        "default/LLMInferenceService/chat#prefill",
    )
    assert (facts(decode)["orchestration.replicas.min"], facts(other)["orchestration.replicas.min"]) == (2, 3)
    assert [t.text for t in engine(other)][-1] == "--max-num-seqs=8"


def test_base_references_are_laid_below_the_service():
    base = (
        "---\napiVersion: serving.kserve.io/v1alpha1\nkind: LLMInferenceServiceConfig\nmetadata: {name: mine}\n"
        "spec: {template: {containers: [{name: main, image: 'base:1', command: [vllm, serve, m]}]}}\n"
    )
    text = LLM.replace("  replicas: 2\n", "  replicas: 2\n  baseRefs: [{name: mine}, {name: gone}]\n")
    read = one(base + text)
    assert facts(read)["runtime.image.tag"] == "1"
    assert any("gone is not in the sources" in problem for problem in read.containers[0].problems)


def test_runtimes_and_presets_are_read_alone_but_not_beside_services():
    assert (one(RUNTIME).kind, one(RUNTIME).name) == ("ClusterServingRuntime", "my-vllm")
    assert words(one(RUNTIME))[-1] == "--max-model-len=4096" and facts(one(RUNTIME))["hardware.gpu.count"] == 1
    assert [token.text for token in engine(one(PRESET))][:2] == ["vllm", "serve"]
    assert [w.kind for w in reading(RUNTIME + SERVICE + "---\n" + PRESET + LLM).workloads] == [
        "InferenceService",
        "LLMInferenceService",
    ]


def test_data_parallel_groups_are_several_pods():
    worker = "  worker:\n    containers: [{name: main, image: 'i:1', resources: {limits: {nvidia.com/gpu: 8}}}]\n"
    text = LLM.replace("{tensor: 4}", "{data: 16, dataLocal: 8}").replace("gpu: 4", "gpu: 8")
    read = one(text + worker)
    assert [(member.role, member.pods) for member in read.members] == [("worker", 1)]
    assert facts(read)["hardware.gpu.count"] == 16


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {{.Name}} b", "a llm b"),
        ("{{ or .Spec.None 1 }}", "1"),
        ("{{ if .Name }}x{{ else }}y{{ end }}", "x"),
        ("{{ if not .Name }}x{{ else }}y{{ end }}", "y"),
        ("a  {{- if .Secret }}x{{- end }} b", "a b"),
        ("{{ .Secret }}", "{{ .Secret }}"),
        ("{{ ChildName .Name `-svc` }}", "llm-svc"),
        ('{{ if eq .Name "llm" }}x{{ end }}', "x"),
        ("{{ if .Name }}{{ if .Spec.None }}x{{ else }}z{{ end }}{{ end }}", "z"),
        ("{{ end }} {{ if", "{{ end }} {{ if"),
    ],
)
def test_the_words_of_go_templates(text, expected):
    known = {("Name",): "llm", ("Spec", "None"): None}
    noted: list[str] = []
    found = fill(text, lambda path: known.get(tuple(path), NotKnown(".".join(path))), noted)
    assert found == expected


@given(st.text(alphabet='{}.-ifelsend aN`"', max_size=60))
def test_no_template_breaks_the_filling(text):
    assert isinstance(fill(text, lambda path: None, []), str)


JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, [], {}, "", "x", 3, -1, True, [None], [[]], {"a": None}, "{{", 10**30, 1.5]
)
ALL = list(plain.safe_load_all(RUNTIME + SERVICE + "---\n" + PRESET + LLM))


def paths(value, prefix=()):
    yield prefix
    if isinstance(value, dict):
        for key, child in value.items():
            yield from paths(child, (*prefix, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from paths(child, (*prefix, index))


PLACES = [path for path in paths(ALL) if len(path) > 2]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=3))
def test_malformed_objects_never_raise(changes):
    documents = copy.deepcopy(ALL)
    for path, junk in changes:
        target = documents
        try:
            for step in path[:-1]:
                target = target[step]
            target[path[-1]] = junk
        except (KeyError, IndexError, TypeError):
            continue
    found = reading("---\n".join(plain.safe_dump(document) for document in documents))
    assert all(refused.reason for refused in found.refused)


def test_the_corpus_is_read_with_canonical_facts_and_reasons(shared):
    from askew.evidence import yaml
    from askew.platforms.kubernetes.read import read

    groups = ("serving.kserve.io", "ray.io/", "leaderworkerset", "kubeai.org", "apps.nvidia.com", "workloads.x-k8s.io")
    seen = 0
    for path in sorted((shared / "corpus" / "files").rglob("*.y*ml")):
        text = path.read_text(errors="replace")
        if "{{ .Values" in text or not any(f"apiVersion: {group}" in text for group in groups):
            continue
        found = read(yaml.read(text, path.name).documents)
        assert all(refused.reason for refused in found.refused), path
        for workload in found.workloads:
            seen += 1
            assert workload.containers, path
            for container in workload.containers:
                for seen_fact in (*workload.observations, *container.observations):
                    value = seen_fact.value
                    if isinstance(value, Unknown):
                        assert value.reason, (path, seen_fact)
                    elif value is not None:
                        kind = fact(seen_fact.fact).type
                        kind = kind.entry(seen_fact.key) if seen_fact.key and kind.entry else kind
                        assert kind.parse(value) == value, (path, seen_fact)
    assert seen > 150


def test_a_preset_that_is_not_there_may_mount_memory_and_one_that_is_there_says():
    assert "may mount memory at /dev/shm" in facts(one(LLM))["orchestration.shm.bytes"].reason
    assert facts(one(PRESET + LLM))["orchestration.shm.bytes"] == 64 * 2**20


HUB = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: chat}
spec:
  predictor:
    model:
      modelFormat: {name: huggingface}
      args: [%s]
      storageUri: %s
"""


@pytest.mark.parametrize("text", [HUB % ("--model_dir=/mnt/models", "%s"), LLM.replace("'hf://org/m'", "%s")])
def test_the_commit_behind_an_address_of_the_hub_is_the_revision(text):
    read = one(text % '"hf://org/model:0123abcd"')
    assert facts(read)["model.source"] == "hf://org/model"
    revision = observation(read, "model.revision")
    assert (revision.value, revision.origin, revision.rank) == ("0123abcd", "explicit", 0)
    assert revision.locations == observation(read, "model.source").locations
    assert facts(one(text % '"hf://org/model:main"'))["model.revision"].text == "main"
    unpinned = observation(one(text % "hf://org/model"), "model.revision")
    assert isinstance(unpinned.value, Unknown)
    assert unpinned.origin == "platform-default"
    assert "model.revision" not in facts(one(text % "s3://bucket/model:1"))


def test_the_address_says_no_revision_of_a_model_that_the_arguments_name():
    found = facts(one(HUB % ("--model=other/model", '"hf://org/model:0123abcd"')))
    assert found["model.source"] == "hf://org/model"
    assert "model.revision" not in found


def test_another_runtime_that_is_not_there_is_no_equal_image():
    assert facts(one(SERVICE))["runtime.image"].text == "my-vllm"
