from __future__ import annotations

import pytest

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import DEPLOYMENT, facts, observation, one, pod

GIB = 2**30


def container(fields: str, spec: str = "") -> str:
    body = "".join(f"  {line}\n" for line in fields.splitlines())
    return f"containers:\n- name: c\n  image: vllm/vllm-openai:v1\n{body}{spec}"


def test_the_whole_of_an_ordinary_container():
    found = facts(one(DEPLOYMENT))
    assert found["runtime.image.tag"] == "v0.8.5"
    assert found["orchestration.resources.cpu/request"] == 0.5 and found["orchestration.resources.cpu/limit"] == 8
    assert found["orchestration.resources.memory.bytes/request"] == 64 * GIB  # not written: the limit
    assert found["orchestration.resources.ephemeral_storage.bytes"] is None
    assert found["hardware.gpu.count"] == 2 and found["hardware.gpu.vendor"] == "nvidia"
    assert found["hardware.gpu.request/request"] == 2 and found["hardware.gpu.request/limit"] == 2
    assert found["hardware.gpu.model"] == ["h100-80gb-sxm"]
    assert found["orchestration.shm.bytes"] == 16 * GIB
    assert found["orchestration.volumes//models"] == {
        "read_only": True,
        "source": "weights",
        "sub_path": "llama",
        "type": "persistentVolumeClaim",
    }
    assert "orchestration.volumes//dev/shm" not in found
    assert found["orchestration.image_pull_policy"] == "IfNotPresent"
    assert found["orchestration.probe.readiness/port"] == 8000
    assert found["orchestration.probe.readiness/period"] == 5
    assert found["orchestration.probe.readiness/budget"] == 15
    assert found["orchestration.probe.startup"] is None


def test_every_observation_has_its_place():
    workload = one(DEPLOYMENT)
    at = observation(workload, "orchestration.resources.memory.bytes", "limit").locations[0]
    assert (at.line, at.object) == (27, "apps/v1 Deployment prod/llm")
    assert at.path == "spec.template.spec.containers[0].resources.limits.memory"
    for found in (*workload.observations, *workload.containers[0].observations):
        assert found.locations, found.fact
        assert found.origin != "platform-default" or found.locations[0].source.startswith("https://"), found.fact


def test_command_and_args_make_one_launch():
    both = pod("containers:\n- {name: c, image: i:1, command: [vllm, serve], args: [m]}").containers[0].launch
    assert [token.text for token in both.argv] == ["vllm", "serve", "m"] and not both.implicit_entrypoint
    only = pod("containers:\n- {name: c, image: i:1, args: [--model, m]}").containers[0].launch
    assert [token.text for token in only.argv] == ["--model", "m"] and only.implicit_entrypoint
    none = pod("containers:\n- {name: c, image: i:1}").containers[0].launch
    assert none.argv == () and none.implicit_entrypoint


def test_a_shell_script_is_followed_and_its_words_stand_where_they_are_written():
    workload = pod(
        "containers:\n- name: c\n  image: i:1\n  command: [sh, -c]\n  args:\n  - |\n"
        "    export HF_HOME=/cache\n    exec vllm serve org/m \\\n      --max-model-len $(LEN)\n"
        "  env: [{name: LEN, value: '4096'}]"
    )
    process = workload.containers[0].processes[-1]
    assert [token.text for token in process.argv] == ["vllm", "serve", "org/m", "--max-model-len", "4096"]
    assert process.env["HF_HOME"].value == "/cache"
    assert process.argv[0].location.line == 12
    assert process.argv[3].location.line == 13


def test_init_containers_injected_and_native_sidecars_are_no_engines():
    workload = pod(
        "initContainers:\n- {name: istio-proxy, image: x, restartPolicy: Always}\n- {name: fetch, image: x}\n"
        "containers:\n- {name: istio-proxy, image: x}\n- {name: log, image: x}\n- {name: engine, image: y}"
    )
    assert [found.name for found in workload.containers] == ["log", "engine"]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("a/b", "Always"),
        ("a/b:latest", "Always"),
        ("a/b:v1", "IfNotPresent"),
        ("host:5000/a/b", "Always"),
        ("a/b@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image, policy):
    assert facts(pod(f"containers: [{{name: c, image: '{image}'}}]"))["orchestration.image_pull_policy"] == policy


def test_a_pull_policy_is_unknown_where_the_image_is():
    value = facts(pod("containers: [{name: c, image: '$IMAGE'}]"))["orchestration.image_pull_policy"]
    assert isinstance(value, Unknown)


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ("httpGet: {port: 80}", {"type": "http", "path": "/", "scheme": "http", "port": 80, "budget": 30}),
        ("tcpSocket: {port: web}", {"type": "tcp", "port": 8080}),
        ("grpc: {port: 9000}", {"type": "grpc", "port": 9000}),
        ("exec: {command: [curl, localhost]}", {"type": "exec", "command": "curl localhost"}),
        (
            "{httpGet: {port: '80'}, initialDelaySeconds: 60, periodSeconds: 0, failureThreshold: 5, "
            "timeoutSeconds: 3}",
            {"initial_delay": 60, "period": 10, "timeout": 3, "failure_threshold": 5, "budget": 110, "port": 80},
        ),
    ],
)
def test_probes_have_their_defaults_filled_in(probe, expected):
    inline = probe if probe.startswith("{") else f"{{{probe}}}"
    found = facts(pod(container(f"ports: [{{name: web, containerPort: 8080}}]\nlivenessProbe: {inline}")))
    for key, value in expected.items():
        assert found[f"orchestration.probe.liveness/{key}"] == value, key


def test_a_probe_of_a_port_nobody_named_is_unknown():
    found = facts(pod(container("livenessProbe: {httpGet: {port: web}}")))
    assert isinstance(found["orchestration.probe.liveness/port"], Unknown)


def test_probes_that_istio_moved_are_read_as_they_were():
    plain = facts(pod(container("readinessProbe: {httpGet: {path: /health, port: 8000}, timeoutSeconds: 5}")))
    probers = '{"/app-health/c/readyz":{"httpGet":{"path":"/health","port":8000,"scheme":"HTTP"},"timeoutSeconds":5}}'
    moved = facts(
        pod(
            container("readinessProbe: {httpGet: {path: /app-health/c/readyz, port: 15020}, timeoutSeconds: 5}")
            + f"- name: istio-proxy\n  image: x\n  env: [{{name: ISTIO_KUBE_APP_PROBERS, value: '{probers}'}}]"
        )
    )
    probe = {key: value for key, value in plain.items() if key.startswith("orchestration.probe.")}
    assert probe == {key: value for key, value in moved.items() if key.startswith("orchestration.probe.")}


@pytest.mark.parametrize(
    ("resources", "count", "vendor", "profile"),
    [
        ("limits: {nvidia.com/gpu: '4'}", 4, "nvidia", None),
        ("requests: {amd.com/gpu: 8}", 8, "amd", None),
        ("limits: {gpu.intel.com/i915: 1}", 1, "intel", None),
        ("limits: {aws.amazon.com/neuron: 2}", 2, "aws", None),
        ("limits: {google.com/tpu: 4}", 4, "google", None),
        ("limits: {nvidia.com/mig-1g.10gb: 2}", 2, "nvidia", "1g.10gb"),
        ("{requests: {nvidia.com/gpu: 1}, limits: {nvidia.com/gpu: 1000m}}", 1, "nvidia", None),
        ("limits: {nvidia.com/gpu: 0}", 0, None, None),
        ("limits: {cpu: 4}", 0, None, None),
    ],
)
def test_devices_of_every_vendor(resources, count, vendor, profile):
    inline = resources if resources.startswith("{") else f"{{{resources}}}"
    found = facts(pod(container(f"resources: {inline}")))
    assert found["hardware.gpu.count"] == count
    assert found.get("hardware.gpu.vendor") == vendor
    assert found.get("hardware.gpu.mig_profile") == profile


def test_a_request_without_a_limit_is_kept_apart():
    found = facts(pod(container("resources: {requests: {nvidia.com/gpu: 2}}")))
    assert found["hardware.gpu.request/request"] == 2 and found["hardware.gpu.request/limit"] is None


@pytest.mark.parametrize(
    ("fields", "spec"),
    [
        ("resources: {claims: [{name: gpu}]}", ""),
        ("securityContext: {privileged: true}", ""),
        ("env: [{name: NVIDIA_VISIBLE_DEVICES, value: all}]", ""),
        ("tty: true", "runtimeClassName: nvidia"),
        ("tty: true", "volumes: [{name: d, hostPath: {path: /dev/dri}}]"),
        ("resources: {limits: {nvidia.com/gpu: some}}", ""),
    ],
)
def test_devices_that_no_resource_counts_are_unknown_not_none(fields, spec):
    value = facts(pod(container(fields, spec)))["hardware.gpu.count"]
    assert isinstance(value, Unknown) and value.reason


@pytest.mark.parametrize(
    ("spec", "models"),
    [
        ("nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}", ["l4"]),
        ("nodeSelector: {node.kubernetes.io/instance-type: p5.48xlarge}", ["h100-80gb-sxm"]),
        ("nodeSelector: {node.kubernetes.io/instance-type: m5.large}", None),
        ("nodeSelector: {zone: a}", None),
    ],
)
def test_the_gpu_model_comes_from_node_labels(spec, models):
    assert facts(pod(container("tty: true", spec))).get("hardware.gpu.model") == models


def affinity(*terms: str) -> str:
    joined = ", ".join(f"{{matchExpressions: [{term}]}}" for term in terms)
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    return f"affinity: {{nodeAffinity: {{{required}: {{nodeSelectorTerms: [{joined}]}}}}}}"


def test_affinity_terms_are_alternatives_and_their_expressions_all_hold():
    product = "{key: nvidia.com/gpu.product, operator: In, values: [%s]}"
    two = affinity(product % "NVIDIA-L4", product % "NVIDIA-L40S")
    assert facts(pod(container("tty: true", two)))["hardware.gpu.model"] == ["l4", "l40s"]
    one_of_two = affinity(product % "NVIDIA-L4, NVIDIA-L40S") + "\nnodeSelector: {nvidia.com/gpu.product: NVIDIA-L4}"
    assert facts(pod(container("tty: true", one_of_two)))["hardware.gpu.model"] == ["l4"]
    open_ended = affinity(product % "NVIDIA-L4", "{key: zone, operator: In, values: [a]}")
    assert "hardware.gpu.model" not in facts(pod(container("tty: true", open_ended)))
    unknown = facts(pod(container("tty: true", "nodeSelector: {nvidia.com/gpu.product: NVIDIA-X9000}")))
    assert isinstance(unknown["hardware.gpu.model"], Unknown)


def test_a_slice_in_the_product_label_is_a_mig_profile():
    found = facts(
        pod(container("tty: true", "nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3-MIG-1g.10gb}"))
    )
    assert found["hardware.gpu.mig_profile"] == "1g.10gb"


@pytest.mark.parametrize(
    ("mount", "volume", "size"),
    [
        ("/dev/shm", "emptyDir: {medium: Memory, sizeLimit: 1Gi}", GIB),
        ("/dev/shm/", "emptyDir: {medium: Memory, sizeLimit: 1024Mi}", GIB),
        ("/dev/shm", "emptyDir: {medium: Memory}", None),
        ("/dev/shm", "emptyDir: {}", None),
        ("/dev/shm", "hostPath: {path: /dev/shm}", None),
        ("/cache", "emptyDir: {medium: Memory, sizeLimit: 1Gi}", 64 * 2**20),
    ],
)
def test_shared_memory(mount, volume, size):
    fields = f"volumeMounts: [{{name: v, mountPath: {mount}}}]"
    value = facts(pod(container(fields, f"volumes: [{{name: v, {volume}}}]")))["orchestration.shm.bytes"]
    assert isinstance(value, Unknown) if size is None else value == size


def test_memory_without_a_size_limit_is_bounded_by_the_containers_memory():
    fields = "resources: {limits: {memory: 8Gi}}\nvolumeMounts: [{name: v, mountPath: /dev/shm}]"
    workload = pod(container(fields, "volumes: [{name: v, emptyDir: {medium: Memory}}]"))
    found = observation(workload, "orchestration.shm.bytes")
    assert found.value == 8 * GIB and found.confidence == "likely" and found.because


def test_host_ipc_is_the_nodes_shared_memory():
    assert isinstance(facts(pod(container("tty: true", "hostIPC: true")))["orchestration.shm.bytes"], Unknown)


def test_volumes_keep_what_matters_and_drop_what_was_injected():
    fields = (
        "volumeMounts:\n"
        "- {name: kube-api-access-abcde, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}\n"
        "- {name: istio-data, mountPath: /var/lib/istio/data}\n"
        "- {name: cfg, mountPath: /etc/cfg/, subPath: a.yaml}\n"
        "- {name: scratch, mountPath: /tmp}\n"
        "- {name: nothing, mountPath: /n}\n"
        "- {name: gone, mountPath: /g}\n"
    )
    spec = (
        "volumes: [{name: cfg, configMap: {name: vllm-config-8mbdf7882g}}, "
        "{name: scratch, emptyDir: {sizeLimit: 10Gi}}, {name: nothing}]"
    )
    found = facts(pod(container(fields, spec)))
    volumes = {key.partition("/")[2]: value for key, value in found.items() if key.startswith("orchestration.volumes")}
    assert volumes.pop("/g").reason == "the pod has no volume called gone"
    assert volumes == {
        "/etc/cfg": {"type": "configMap", "source": "vllm-config", "sub_path": "a.yaml"},
        "/tmp": {"type": "emptyDir", "size": 10 * GIB},
        "/n": {"type": "emptyDir"},
    }


@pytest.mark.parametrize(
    ("hook", "value", "confidence"),
    [
        ("{sleep: {seconds: 20}}", 20, "certain"),
        ("{exec: {command: [sleep, '15']}}", 15, "certain"),
        ("{exec: {command: [/bin/sh, -c, sleep 2m]}}", 120, "certain"),
        ("{exec: {command: [sh, -c, 'nginx -s quit; sleep 10']}}", 10, "likely"),
        ("{exec: {command: [sh, -c, 'while true; do sleep 1; done']}}", None, "certain"),
        ("{httpGet: {path: /drain}}", None, "certain"),
    ],
)
def test_prestop(hook, value, confidence):
    found = observation(pod(container(f"lifecycle: {{preStop: {hook}}}")), "orchestration.prestop")
    assert isinstance(found.value, Unknown) if value is None else found.value == value
    assert found.confidence == confidence


def test_a_live_pod_shows_the_digest_behind_its_tag():
    digest = "sha256:" + "ab" * 32
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: 'a/b:v1'}]}\n"
        f"status: {{containerStatuses: [{{name: c, imageID: 'docker.io/a/b@{digest}'}}]}}\n"
    )
    seen = [o for o in one(text).containers[0].observations if o.fact == "runtime.image.digest" and o.basis == "seen"]
    assert [o.value for o in seen] == [digest] and seen[0].origin == "reported"
    pinned = text.replace("a/b:v1", "a/b@sha256:" + "0" * 64)
    assert not [o for o in one(pinned).containers[0].observations if o.basis == "seen"]


def test_a_budget_is_worked_out_of_what_is_written():
    found = observation(pod(container("livenessProbe: {periodSeconds: 20}")), "orchestration.probe.liveness", "budget")
    assert (found.value, found.origin) == (60, "derived") and found.because


def test_an_unseen_config_map_makes_the_environment_unknown():
    found = facts(pod(container("envFrom: [{configMapRef: {name: x}}]")))
    assert isinstance(found["runtime.env"], Unknown) and "ConfigMap x" in found["runtime.env"].reason
