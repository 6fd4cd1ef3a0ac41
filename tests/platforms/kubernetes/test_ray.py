from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.evidence.errors import EvidenceError
from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import facts, observation, one, reading

CLUSTER = """\
  rayClusterConfig:
    headGroupSpec:
      rayStartParams: {num-gpus: "0"}
      template: {spec: {containers: [{name: head, image: 'rayproject/ray-llm:2.52.0'}]}}
    workerGroupSpecs:
    - groupName: gpu
      replicas: 2
      minReplicas: 2
      maxReplicas: 2
      template:
        spec:
          containers:
          - name: worker
            image: rayproject/ray-llm:2.52.0
            env: [{name: HF_HOME, value: /data}]
            resources: {limits: {nvidia.com/gpu: 8}}
"""

LLM = (
    """\
apiVersion: ray.io/v1
kind: RayService
metadata: {name: r1}
spec:
  serveConfigV2: |
    http_options: {request_timeout_s: 120}
    applications:
    - name: llm
      import_path: ray.serve.llm:build_openai_app
      args:
        llm_configs:
        - model_loading_config: {model_id: r1, model_source: deepseek-ai/DeepSeek-R1}
          accelerator_type: H100
          deployment_config:
            autoscaling_config: {min_replicas: 1, max_replicas: 3, target_ongoing_requests: 64}
            max_ongoing_requests: 128
          runtime_env: {env_vars: {VLLM_USE_V1: "1"}}
          engine_kwargs:
            tensor_parallel_size: 8
            pipeline_parallel_size: 2
            dtype: auto
            max_model_len: 16384
            enable_prefix_caching: true
            enable_chunked_prefill: false
            disable_log_stats: false
            quantization: null
            hf_overrides: {rope_scaling: {factor: 2}}
"""
    + CLUSTER
)


def argv(workload):
    return workload.containers[0].processes[0].argv


def test_engine_kwargs_are_the_launch_they_amount_to():
    read = one(LLM)
    assert (read.id, read.engine) == ("default/RayService/r1", "ray-serve")
    assert [token.text for token in argv(read)] == [
        *("python", "-m", "ray.serve.llm", "--model", "deepseek-ai/DeepSeek-R1", "--served-model-name", "r1"),
        *("--tensor-parallel-size", "8", "--pipeline-parallel-size", "2", "--dtype", "auto"),
        *("--max-model-len", "16384", "--enable-prefix-caching", "--no-enable-chunked-prefill"),
        *("--hf-overrides", '{"rope_scaling":{"factor":2}}'),
    ]


def test_every_argument_stands_where_it_is_written_inside_the_string():
    lines = LLM.splitlines()
    tokens = argv(one(LLM))
    by_text = {token.text: token.location for token in tokens}
    for text in ("16384", "--max-model-len", "deepseek-ai/DeepSeek-R1", "--enable-prefix-caching"):
        place = by_text[text]
        written = text.removeprefix("--").replace("-", "_") if text.startswith("--") else text
        assert lines[place.line - 1][place.column - 1 :].startswith(written)
    assert by_text["16384"].path.endswith("engine_kwargs.max_model_len")


def test_devices_replicas_and_limits():
    read = one(LLM)
    found = facts(read)
    count = observation(read, "hardware.gpu.count")
    assert (count.value, count.origin, count.confidence) == (16, "derived", "likely")
    assert (found["orchestration.hosts"], found["orchestration.autoscaler.kind"]) == (3, "ray")
    assert (found["orchestration.replicas.min"], found["orchestration.replicas.max"]) == (1, 3)
    assert found["orchestration.autoscaler.metrics"][0]["target"] == 64
    assert (found["serving.max_concurrency"], found["serving.request_timeout"]) == (128, 120)
    assert all(name.startswith("h100") for name in found["hardware.gpu.model"])
    env = read.containers[0].processes[0].env
    assert (env["HF_HOME"].value, env["VLLM_USE_V1"].value) == ("/data", "1")
    assert found["runtime.image"].endswith("ray-llm")


def test_a_fixed_count_and_a_default_one():
    fixed = LLM.replace(
        "autoscaling_config: {min_replicas: 1, max_replicas: 3, target_ongoing_requests: 64}", "num_replicas: 4"
    )
    read = one(fixed)
    assert (facts(read)["orchestration.replicas.min"], facts(read)["orchestration.replicas.max"]) == (4, 4)
    assert observation(read, "orchestration.replicas.max").origin == "derived"
    silent = fixed.replace("            num_replicas: 4\n", "")
    assert isinstance(facts(one(silent))["orchestration.replicas.min"], Unknown)


def test_several_models_are_several_workloads():
    second = """\
        - model_loading_config: {model_id: small, model_source: {bucket_uri: s3://b/small}}
          engine_kwargs: {max_model_len: 2048}
"""
    text = LLM.replace("  rayClusterConfig:", second + "  rayClusterConfig:")
    first, other = reading(text).workloads
    assert (first.id, other.id) == ("default/RayService/r1#r1", "default/RayService/r1#small")
    assert facts(other)["model.source"] == "s3://b/small" and facts(other)["hardware.gpu.count"] == 1


CODE = (
    """\
apiVersion: ray.io/v1
kind: RayService
metadata: {name: own}
spec:
  serveConfigV2: |
    applications:
    - name: llm
      import_path: serve_chat:model
      runtime_env: {env_vars: {MODEL_ID: org/m, MAX_MODEL_LEN: "16384"}}
      deployments: [{name: D, num_replicas: 2}]
"""
    + CLUSTER
)


def test_an_application_in_python_is_read_as_far_as_it_is_written():
    read = one(CODE)
    assert read.engine == "ray-serve"
    assert "import_path: serve_chat:model" in read.containers[0].launch.files["/serveConfigV2"].text
    assert [token.text for token in argv(read)] == ["ray", "start", "--block"]
    assert read.containers[0].processes[0].env["MAX_MODEL_LEN"].value == "16384"
    assert observation(read, "runtime.image.tag").confidence == "possible"
    assert any("serve_chat:model serves is in its Python code" in problem for problem in read.containers[0].problems)
    assert (facts(read)["hardware.gpu.count"], facts(read)["orchestration.replicas.min"]) == (16, 2)


@pytest.mark.parametrize("text", ["{a: [", "- 1\n- 2", "just words", ""])
def test_a_broken_configuration_is_said_and_the_cluster_still_read(text):
    body = "".join(f"    {line}\n" for line in text.splitlines())
    read = one(
        f"apiVersion: ray.io/v1\nkind: RayService\nmetadata: {{name: r}}\nspec:\n  serveConfigV2: |\n{body}{CLUSTER}"
    )
    assert facts(read)["hardware.gpu.count"] == 16
    assert bool(read.containers[0].problems) == bool(text)


def test_a_cluster_alone_and_one_that_its_service_made():
    cluster = CLUSTER.replace("  rayClusterConfig:\n", "spec:\n").replace("\n    ", "\n  ")
    head = "apiVersion: ray.io/v1\nkind: RayCluster\nmetadata: {name: r1-x%s}\n"
    read = one(head % "" + cluster)
    assert read.id == "default/RayCluster/r1-x" and facts(read)["hardware.gpu.count"] == 16
    owner = ", ownerReferences: [{apiVersion: ray.io/v1, kind: RayService, name: r1}]"
    assert [w.id for w in reading(LLM + "---\n" + head % owner + cluster).workloads] == ["default/RayService/r1"]


def test_what_the_autoscaler_of_the_cluster_changes_is_unknown():
    cluster = CLUSTER.replace("  rayClusterConfig:\n", "spec:\n  enableInTreeAutoscaling: true\n")
    cluster = cluster.replace("\n    ", "\n  ").replace("maxReplicas: 2", "maxReplicas: 9")
    found = facts(one("apiVersion: ray.io/v1\nkind: RayCluster\nmetadata: {name: c}\n" + cluster))
    assert "autoscaler changes" in found["hardware.gpu.count"].reason
    assert isinstance(found["orchestration.hosts"], Unknown)


def test_a_job_runs_its_entrypoint():
    text = "apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {name: j}\nspec:\n  entrypoint: python batch.py --n 3\n"
    text += "  runtimeEnvYAML: |\n    env_vars: {A: b}\n" + CLUSTER.replace("rayClusterConfig", "rayClusterSpec")
    read = one(text)
    assert [token.text for token in argv(read)] == ["python", "batch.py", "--n", "3"]
    assert read.containers[0].processes[0].env["A"].value == "b"
    assert "orchestration.replicas.min" not in facts(read)


WORDS = ["engine_kwargs", "16384", "8", "llm_configs", "{", "}", "true", "null", "-", "applications", "H100", ":"]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(WORDS), st.sampled_from(["", "[]", "{}", "x", "-1", "1.5", "null", "9" * 30, "[{}]", "'"]))
def test_malformed_services_never_raise(word, other):
    for text in (LLM, CODE):
        at = text.find(word, text.find("serveConfigV2"))
        if at >= 0:
            reading_or_error(text[:at] + other + text[at + len(word) :])


def reading_or_error(text: str) -> None:
    # Where the file itself is no YAML any more, that is said where it is read.
    with suppress(EvidenceError):
        reading(text)


def test_memory_that_the_controller_may_mount_is_not_the_runtimes_default():
    assert "KubeRay may mount memory" in facts(one(LLM))["orchestration.shm.bytes"].reason
    mounted = CLUSTER.replace(
        "            image: rayproject/ray-llm:2.52.0\n            env",
        "            image: rayproject/ray-llm:2.52.0\n"
        "            volumeMounts: [{name: shm, mountPath: /dev/shm}]\n            env",
    ).replace(
        "          containers:\n          - name: worker",
        "          volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 8Gi}}]\n"
        "          containers:\n          - name: worker",
    )
    assert facts(one(LLM.replace(CLUSTER, mounted)))["orchestration.shm.bytes"] == 8 * 2**30


def test_variables_of_an_unseen_application_are_stated_with_doubt():
    found = observation(one(CODE), "runtime.env", key="MAX_MODEL_LEN")
    assert (found.value, found.origin, found.confidence) == ("16384", "env", "possible")
    assert found.locations[0].line == 9


def test_a_secret_of_an_unseen_application_stays_unseen():
    text = CODE.replace("MODEL_ID: org/m", "MODEL_ID: org/m, DB_PASSWORD: hunter2222")
    found = observation(one(text), "runtime.env", key="DB_PASSWORD").value
    assert isinstance(found, Unknown) and "hunter" not in str(found)
