"""Every fact of the first milestone: one setting of a small manifest changed, and `diff --format json` must show that
fact alone, with canonical values on both sides and the line on which each side says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from askew.app.pipeline import Options, diff
from askew.facts.catalogue import FACTS
from askew.report.render import render

POD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm
  namespace: prod
  annotations: {}
spec:
  replicas: 2
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 60
      nodeSelector:
        nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3
        pool: blue
      tolerations:
        - {key: gpu, operator: Exists, effect: NoSchedule}
      containers:
        - name: engine
          image: IMAGE
          imagePullPolicy: IfNotPresent
          command: COMMAND
          args:
ARGS
          ports: [{containerPort: PORT}]
          env:
            - name: NCCL_P2P_DISABLE
              value: "1"
          resources:
            requests: {cpu: "8", memory: 64Gi, ephemeral-storage: 100Gi}
            limits:
              nvidia.com/gpu: "2"
              memory: 64Gi
          startupProbe:
            httpGet: {path: /health, port: PORT}
            periodSeconds: 10
            failureThreshold: 60
          readinessProbe:
            httpGet: {path: /health, port: PORT}
            periodSeconds: 5
          livenessProbe:
            httpGet: {path: /health, port: PORT}
            periodSeconds: 20
          volumeMounts:
            - {name: shm, mountPath: /dev/shm}
            - {name: models, mountPath: /models}
      volumes:
        - name: shm
          emptyDir: {medium: Memory, sizeLimit: 8Gi}
        - name: models
          persistentVolumeClaim: {claimName: models-v1}
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: llm, namespace: prod}
spec:
  selector: {app: llm}
  ports: [{port: 80, targetPort: PORT}]
"""
INGRESS = """\
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: llm
  namespace: prod
  annotations:
NOTES
spec:
  ingressClassName: nginx
  rules:
    - host: llm.example.com
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: llm, port: {number: 80}}}}
"""
MESH = """\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: llm, namespace: prod}
spec:
  hosts: [llm.example.com]
  http:
    - route: [{destination: {host: llm.prod.svc.cluster.local, port: {number: 80}}}]
RULES
"""
DESTINATION = """\
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: llm, namespace: prod}
spec:
  host: llm.prod.svc.cluster.local
  trafficPolicy:
    connectionPool:
      http:
        idleTimeout: 600s
        maxRetries: 3
"""
HPA = """\
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm, namespace: prod}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  minReplicas: 2
  maxReplicas: 6
  metrics:
    - type: Pods
      pods:
        metric: {name: vllm:num_requests_waiting}
        target: {type: AverageValue, averageValue: "5"}
"""
SCALED = """\
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: llm, namespace: prod}
spec:
  scaleTargetRef: {name: llm}
  minReplicaCount: 2
  maxReplicaCount: 6
  triggers:
    - type: prometheus
      metadata: {serverAddress: "http://prometheus:9090", query: "sum(vllm:num_requests_waiting)", threshold: "5"}
"""
STREAMS = """\
apiVersion: piqc.ai/v1alpha1
kind: ModelSpec
metadata:
  name: llm
  annotations: {askew.dev/serving.streaming: "true"}
spec:
  identity: {model: {id: m, family: llama, task: text-generation, framework: vllm}}
  runtime: {accelerator: {vendor: nvidia, type: h100, count: 2}}
"""
KNATIVE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: llm, namespace: prod}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/metric: concurrency
    spec:
      timeoutSeconds: 600
      responseStartTimeoutSeconds: 300
      idleTimeoutSeconds: 120
      containerConcurrency: 32
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: ["--model=org/m", "--revision=0123456789012345678901234567890123456789"]
          ports: [{containerPort: 8000}]
          resources: {limits: {nvidia.com/gpu: "1"}}
"""

_SHA = "0123456789012345678901234567890123456789"
_OTHER = "abcdefabcdefabcdefabcdefabcdefabcdefabcd"
_DIGEST = "sha256:" + "a" * 64
_OTHER_DIGEST = "sha256:" + "b" * 64


def pod(image: str, command: list[str], args: tuple[str, ...], port: int) -> str:
    written = "\n".join(f"            - {json.dumps(arg)}" for arg in args)
    return (
        (POD + SERVICE)
        .replace("IMAGE", image)
        .replace("COMMAND", json.dumps(command))
        .replace("ARGS", written)
        .replace("PORT", str(port))
    )


def vllm(*args: str, image: str = "vllm/vllm-openai:v0.8.5") -> str:
    return pod(image, ["vllm", "serve", "org/m", f"--revision={_SHA}"], ("--tensor-parallel-size=2", *args), 8000)


def sglang(*args: str, image: str = "lmsysorg/sglang:v0.4.6.post1") -> str:
    command = ["python3", "-m", "sglang.launch_server", "--model-path=org/m", f"--revision={_SHA}"]
    return pod(image, command, ("--tp=2", *args), 30000)


def llama_cpp(*args: str) -> str:
    return pod("ghcr.io/ggml-org/llama.cpp:server-b5000", ["/app/llama-server", "-m", "/models/m.gguf"], args, 8080)


def tgi(*args: str) -> str:
    command = ["text-generation-launcher", "--model-id=org/m", f"--revision={_SHA}"]
    image = "ghcr.io/huggingface/text-generation-inference:3.2.1"
    return pod(image, command, ("--num-shard=2", "--port=8080", *args), 8080)


def ingress(*notes: str) -> str:
    written = "\n".join(f"    nginx.ingress.kubernetes.io/{note}" for note in notes)
    return vllm() + INGRESS.replace("NOTES", written)


def mesh(*rules: str) -> str:
    return vllm() + MESH.replace("RULES", "\n".join(f"      {rule}" for rule in rules))


AFFINE = vllm().replace(
    "      tolerations:\n",
    """\
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions:
                  - key: topology.kubernetes.io/zone
                    operator: In
                    values: [zone-a]
      tolerations:
""",
)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """``old`` in ``text`` becomes ``new``: ``fact`` (``key`` of it) must be found with these values, on the lines where
    ``old`` and ``new`` stand. ``above`` is how many lines before them the list begins that is one value. ``also`` are
    facts that have to change with it."""

    fact: str
    text: str
    old: str
    new: str
    reference: object
    target: object
    key: str | None = None
    also: tuple[str, ...] = ()
    above: int = 0


def case(
    fact: str,
    text: str,
    old: str,
    new: str,
    reference: object,
    target: object,
    *,
    key: str | None = None,
    also: tuple[str, ...] = (),
    above: int = 0,
) -> Case:
    return Case(
        fact=fact, text=text, old=old, new=new, reference=reference, target=target, key=key, also=also, above=above
    )


GIB = 1024**3
CASES = (
    # model
    case("model.id", vllm(), '"org/m"', '"org/n"', "org/m", "org/n", also=("model.source",)),
    case("model.served_names", vllm("--served-model-name=a"), "name=a", "name=b", ["a"], ["b"]),
    case(
        "model.source",
        vllm("--served-model-name=a"),
        '"org/m"',
        '"s3://b/m"',
        "hf://org/m",
        "s3://b/m",
        also=("model.id",),
    ),
    case("model.revision", vllm(), _SHA, _OTHER, _SHA, _OTHER, also=()),
    case(
        "model.trust_remote_code",
        vllm("--trust-remote-code"),
        "--trust-remote-code",
        "--no-trust-remote-code",
        True,
        False,
    ),
    case("model.tokenizer.source", vllm("--tokenizer=org/t"), "org/t", "org/u", "org/t", "org/u"),
    case(
        "model.tokenizer.revision",
        vllm(f"--tokenizer-revision={_SHA}"),
        "r-revision=0123",
        "r-revision=abcd",
        _SHA,
        "abcd" + _SHA[4:],
    ),
    case("model.tokenizer.mode", vllm("--tokenizer-mode=auto"), "mode=auto", "mode=slow", "auto", "slow"),
    case(
        "model.chat_template.source",
        vllm("--chat-template=/models/a.jinja"),
        "a.jinja",
        "b.jinja",
        "/models/a.jinja",
        "/models/b.jinja",
    ),
    case(
        "model.code_revision",
        vllm("--trust-remote-code", f"--code-revision={_SHA}"),
        "e-revision=0123",
        "e-revision=abcd",
        _SHA,
        "abcd" + _SHA[4:],
    ),
    # runtime
    case(
        "runtime.engine.version",
        vllm(),
        "openai:v0.8.5",
        "openai:v0.8.4",
        "0.8.5",
        "0.8.4",
        also=("runtime.image.tag",),
    ),
    case(
        "runtime.image",
        vllm(),
        "image: vllm/",
        "image: mirror.example.com/vllm/",
        "docker.io/vllm/vllm-openai",
        "mirror.example.com/vllm/vllm-openai",
    ),
    case(
        "runtime.image.tag",
        vllm(),
        "openai:v0.8.5",
        "openai:v0.8.5.post1",
        "v0.8.5",
        "v0.8.5.post1",
        also=("runtime.engine.version",),
    ),
    case(
        "runtime.image.digest",
        vllm(image=f"vllm/vllm-openai:v0.8.5@{_DIGEST}"),
        _DIGEST,
        _OTHER_DIGEST,
        _DIGEST,
        _OTHER_DIGEST,
    ),
    case("runtime.dtype", vllm("--dtype=bfloat16"), "--dtype=bfloat16", "--dtype=half", "bfloat16", "float16"),
    case("runtime.quantization", vllm("--quantization=awq"), "ion=awq", "ion=gptq", "awq", "gptq"),
    case(
        "runtime.kv_cache.dtype",
        vllm("--kv-cache-dtype=fp8_e5m2"),
        "fp8_e5m2",
        "fp8_e4m3",
        "float8_e5m2",
        "float8_e4m3",
    ),
    case("runtime.max_model_len", vllm("--max-model-len=32k"), "len=32k", "len=8192", 32000, 8192),
    case("runtime.max_num_seqs", vllm("--max-num-seqs=64"), "seqs=64", "seqs=128", 64, 128),
    case(
        "runtime.max_num_batched_tokens",
        vllm("--max-num-batched-tokens=8192"),
        "tokens=8192",
        "tokens=4096",
        8192,
        4096,
    ),
    case("runtime.gpu_memory_utilization", vllm("--gpu-memory-utilization=0.9"), "tion=0.9", "tion=0.95", 0.9, 0.95),
    case("runtime.tensor_parallel_size", vllm(), "--tensor-parallel-size=2", "--tensor-parallel-size=1", 2, 1),
    case(
        "runtime.pipeline_parallel_size",
        vllm("--pipeline-parallel-size=1"),
        "pipeline-parallel-size=1",
        "pipeline-parallel-size=2",
        1,
        2,
    ),
    case("runtime.data_parallel_size", sglang("--dp-size=1"), "dp-size=1", "dp-size=2", 1, 2),
    case(
        "runtime.chunked_prefill",
        vllm("--enable-chunked-prefill"),
        "--enable-chunked",
        "--no-enable-chunked",
        True,
        False,
    ),
    case(
        "runtime.prefix_caching", vllm("--enable-prefix-caching"), "--enable-prefix", "--no-enable-prefix", True, False
    ),
    case("runtime.enforce_eager", vllm("--no-enforce-eager"), "--no-enforce-eager", "--enforce-eager", False, True),
    case(
        "runtime.attention_backend", sglang("--attention-backend=fa3"), "backend=fa3", "backend=triton", "fa3", "triton"
    ),
    case(
        "runtime.speculative",
        vllm('--speculative-config={"method":"ngram","num_speculative_tokens":4}'),
        'tokens\\":4',
        'tokens\\":5',
        4,
        5,
        key="num_speculative_tokens",
    ),
    case("runtime.cpu_offload.bytes", vllm("--cpu-offload-gb=4"), "gb=4", "gb=8", 4 * GIB, 8 * GIB),
    case("runtime.swap.bytes", vllm("--swap-space=4"), "space=4", "space=8", 4 * GIB, 8 * GIB),
    case("runtime.generation_config", vllm("--generation-config=auto"), "config=auto", "config=vllm", "auto", "engine"),
    case(
        "runtime.sampling_defaults",
        vllm('--override-generation-config={"temperature":0.6}'),
        ":0.6",
        ":0.7",
        0.6,
        0.7,
        key="temperature",
    ),
    case(
        "runtime.reasoning_parser",
        vllm("--reasoning-parser=deepseek_r1"),
        "deepseek_r1",
        "granite",
        "deepseek_r1",
        "granite",
    ),
    case(
        "runtime.tool_call_parser",
        vllm("--enable-auto-tool-choice", "--tool-call-parser=hermes"),
        "hermes",
        "mistral",
        "hermes",
        "mistral",
    ),
    case("runtime.lora.enabled", vllm("--enable-lora"), "--enable-lora", "--no-enable-lora", True, False),
    case("runtime.lora.max_rank", vllm("--enable-lora", "--max-lora-rank=16"), "rank=16", "rank=32", 16, 32),
    case(
        "runtime.rope_override",
        vllm('--rope-scaling={"rope_type":"yarn","factor":2.0}'),
        ":2.0",
        ":4.0",
        2,
        4,
        key="factor",
    ),
    case("runtime.hf_overrides", vllm('--hf-overrides={"a":1}'), ":1}", ":2}", 1, 2, key="a"),
    case("runtime.seed", vllm("--seed=1"), "seed=1", "seed=2", 1, 2),
    case("runtime.load_format", vllm("--load-format=auto"), "format=auto", "format=safetensors", "auto", "safetensors"),
    case(
        "runtime.max_input_tokens",
        tgi("--max-input-tokens=4000", "--max-total-tokens=8000"),
        "tokens=4000",
        "tokens=3000",
        4000,
        3000,
    ),
    case("runtime.max_model_len", tgi("--max-total-tokens=8000"), "tokens=8000", "tokens=4000", 8000, 4000),
    case("runtime.default_output_tokens", llama_cpp("--predict", "512"), '"512"', '"256"', 512, 256),
    case(
        "runtime.max_output_tokens",
        vllm('--override-generation-config={"max_new_tokens":512}'),
        ":512",
        ":256",
        512,
        256,
    ),
    case("runtime.max_concurrent_requests", tgi("--max-concurrent-requests=64"), "requests=64", "requests=32", 64, 32),
    case("runtime.arguments.unmapped", vllm("--frobnicate=1"), "cate=1", "cate=2", "1", "2", key="--frobnicate"),
    case("runtime.env", vllm(), 'value: "1"', 'value: "0"', "1", "0", key="NCCL_P2P_DISABLE"),
    # hardware
    case(
        "hardware.gpu.model",
        vllm(),
        "NVIDIA-H100-80GB-HBM3",
        "NVIDIA-A100-SXM4-80GB",
        ["h100-80gb-sxm"],
        ["a100-80gb-sxm"],
        also=("orchestration.node_selector",),
    ),
    case("hardware.gpu.count", vllm(), 'gpu: "2"', 'gpu: "4"', 2, 4),
    case("hardware.gpu.vendor", vllm(), "nvidia.com/gpu: ", "amd.com/gpu: ", "nvidia", "amd"),
    case(
        "hardware.gpu.mig_profile",
        vllm().replace("com/gpu:", "com/mig-1g.10gb:"),
        "mig-1g.10gb",
        "mig-2g.20gb",
        "1g.10gb",
        "2g.20gb",
    ),
    # serving
    case("serving.port", vllm("--port=8000"), "--port=8000", "--port=8001", 8000, 8001),
    case("serving.listen_host", vllm("--host=0.0.0.0"), "--host=0.0.0.0", "--host=127.0.0.1", "0.0.0.0", "127.0.0.1"),
    case("serving.request_timeout", mesh("timeout: 600s"), "600s", "1m30s", 600, 90),
    case("serving.read_timeout", ingress('proxy-read-timeout: "600"'), '"600"', '"60"', 600, 60),
    case("serving.idle_timeout", vllm() + DESTINATION + MESH.replace("RULES\n", ""), "600s", "300s", 600, 300),
    case(
        "serving.first_byte_timeout",
        KNATIVE,
        "responseStartTimeoutSeconds: 300",
        "responseStartTimeoutSeconds: 100",
        300,
        100,
    ),
    case(
        "serving.retries",
        mesh("retries: {attempts: 2, perTryTimeout: 60s, retryOn: 5xx}"),
        "attempts: 2",
        "attempts: 5",
        None,
        None,
    ),
    case("serving.max_body.bytes", ingress("proxy-body-size: 8m"), "8m", "16m", 8 * 1024**2, 16 * 1024**2),
    case("serving.buffering", ingress('proxy-buffering: "off"'), '"off"', '"on"', False, True),
    case(
        "serving.max_concurrency",
        KNATIVE,
        "Concurrency: 32",
        "Concurrency: 16",
        32,
        16,
        also=("orchestration.autoscaler.metrics",),
    ),
    # orchestration
    case(
        "orchestration.kind",
        vllm(),
        "kind: Deployment",
        "kind: StatefulSet",
        "Deployment",
        "StatefulSet",
        also=("orchestration.strategy",),
    ),
    case("orchestration.replicas.min", vllm() + HPA, "minReplicas: 2", "minReplicas: 1", 2, 1),
    case("orchestration.replicas.max", vllm() + HPA, "maxReplicas: 6", "maxReplicas: 4", 6, 4),
    case("orchestration.replicas.min", vllm(), "replicas: 2", "replicas: 3", 2, 3),
    case(
        "orchestration.autoscaler.metrics", vllm() + HPA, 'averageValue: "5"', 'averageValue: "10"', None, None, above=3
    ),
    case("orchestration.resources.cpu", vllm(), 'cpu: "8"', "cpu: 500m", 8, 0.5, key="request"),
    case(
        "orchestration.resources.memory.bytes",
        vllm(),
        "  memory: 64Gi\n          startup",
        "  memory: 96Gi\n          startup",
        64 * GIB,
        96 * GIB,
        key="limit",
    ),
    case(
        "orchestration.resources.ephemeral_storage.bytes", vllm(), "100Gi", "50Gi", 100 * GIB, 50 * GIB, key="request"
    ),
    case("orchestration.shm.bytes", vllm(), "8Gi", "1Gi", 8 * GIB, GIB),
    case("orchestration.node_selector", vllm(), "pool: blue", "pool: green", "blue", "green", key="pool"),
    case("orchestration.affinity", AFFINE, "zone-a", "zone-b", None, None, above=6),
    case("orchestration.tolerations", vllm(), "key: gpu", "key: gpus", None, None),
    case("orchestration.probe.startup", vllm(), "failureThreshold: 60", "failureThreshold: 30", 600, 300, key="budget"),
    case("orchestration.probe.readiness", vllm(), "periodSeconds: 5", "periodSeconds: 15", 5, 15, key="period"),
    case("orchestration.probe.liveness", vllm(), "periodSeconds: 20", "periodSeconds: 40", 20, 40, key="period"),
    case("orchestration.termination_grace", vllm(), "Seconds: 60", "Seconds: 30", 60, 30),
    case("orchestration.strategy", vllm(), "maxSurge: 1", "maxSurge: 0", None, None),
    case("orchestration.image_pull_policy", vllm(), "Policy: IfNotPresent", "Policy: Always", "IfNotPresent", "Always"),
    case("orchestration.service_links", vllm(), "Links: false", "Links: true", False, True),
    case(
        "orchestration.volumes",
        vllm(),
        "models-v1",
        "models-v2",
        None,
        None,
        key="/models",
    ),
)


def _line(text: str, part: str) -> int:
    assert text.count(part) >= 1, part
    return text[: text.index(part)].count("\n") + 1


def compared(tmp_path: Path, reference: str, target: str) -> list[dict[str, Any]]:
    (tmp_path / "last-good.yaml").write_text(reference)
    (tmp_path / "current.yaml").write_text(target)
    report = diff(str(tmp_path / "last-good.yaml"), str(tmp_path / "current.yaml"), Options())
    (workload,) = json.loads(render(report, "json", color=False, width=100, verbose=False))["workloads"]
    findings: list[dict[str, Any]] = workload["findings"]
    return findings


@pytest.mark.parametrize("one", CASES, ids=lambda c: c.fact + (f"[{c.key}]" if c.key else ""))
def test_one_change_is_one_fact(one: Case, tmp_path: Path) -> None:
    changed = one.text.replace(one.old, one.new, 1)
    findings = compared(tmp_path, one.text, changed)
    (found,) = [f for f in findings if f["fact"] == one.fact and one.key in (None, f["key"])]
    assert {f["fact"] for f in findings} - {one.fact} == set(one.also)
    assert found["rule"] == one.fact and found["kind"] == "difference" and found["confidence"] == "certain"
    if one.reference is not None:
        assert (found["reference"]["value"], found["target"]["value"]) == (one.reference, one.target)
        assert type(found["target"]["value"]) is type(one.target)
    assert found["reference"]["value"] != found["target"]["value"]
    for side, text, part in (("reference", one.text, one.old), ("target", changed, one.new)):
        assert found[side]["location"] == found[side]["locations"][0]
        # A volume is shown at its mount first, then where it is declared.
        places = found[side]["locations"] if one.fact == "orchestration.volumes" else found[side]["locations"][:1]
        assert _line(text, part) - one.above in [place["line"] for place in places]


def test_another_engine(tmp_path: Path) -> None:
    found = {f["fact"]: f for f in compared(tmp_path, vllm(), sglang())}
    sides = found["runtime.engine.name"]
    assert (sides["reference"]["value"], sides["target"]["value"]) == ("vllm", "sglang")


def test_defaults_are_not_compared_with_those_of_a_release_that_nobody_knows(tmp_path: Path) -> None:
    found = compared(tmp_path, vllm(), vllm().replace(":v0.8.5", ""))
    assert {f["fact"] for f in found} == {"runtime.engine.version", "runtime.image.tag"}
    back = compared(tmp_path, vllm().replace(":v0.8.5", ""), vllm())
    assert {f["fact"] for f in back} == {"runtime.engine.version", "runtime.image.tag"}


def test_another_protocol(tmp_path: Path) -> None:
    image = "lmsysorg/sglang:v0.5.16"
    (found,) = compared(tmp_path, sglang("--smg-grpc-mode", image=image), sglang(image=image))
    assert found["fact"] == "serving.protocol"
    assert (found["reference"]["value"], found["target"]["value"]) == ("grpc", "http")
    assert found["target"]["origin"] == "engine-default"


def test_another_autoscaler(tmp_path: Path) -> None:
    findings = compared(tmp_path, vllm() + HPA, vllm() + SCALED)
    found = {f["fact"]: f for f in findings}
    sides = found.pop("orchestration.autoscaler.kind")
    assert (sides["reference"]["value"], sides["target"]["value"]) == ("hpa", "keda")
    # What only KEDA has by default (cooldown, polling interval) goes with it and is not told again.
    assert set(found) == {"orchestration.autoscaler.metrics"}


def test_what_only_a_contract_says_of_streaming_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "modelspec.yaml").write_text(STREAMS)
    (tmp_path / "deploy.yaml").write_text(vllm())
    report = diff(str(tmp_path / "modelspec.yaml"), str(tmp_path / "deploy.yaml"), Options())
    (workload,) = json.loads(render(report, "json", color=False, width=100, verbose=False))["workloads"]
    assert workload["verdict"] == "incomplete" and not workload["findings"]
    assert [(u["fact"], u["side"]) for u in workload["unknown"]] == [("serving.streaming", "target")]


def test_every_fact_of_the_first_milestone_has_a_case() -> None:
    others = {
        "runtime.engine.name",
        "serving.protocol",
        "orchestration.autoscaler.kind",
        "serving.streaming",
        "orchestration.hosts",  # not in the vocabulary's list; it changes with the count of GPUs
    }
    facts = {key for key, fact in FACTS.items() if fact.milestone == 1 and fact.compared}
    assert facts == {one.fact for one in CASES} | others
