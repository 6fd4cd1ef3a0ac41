from __future__ import annotations

import copy
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.evidence.document import Document
from askew.evidence.yaml import read as read_yaml
from askew.platforms.kubernetes.observe import scalar
from askew.platforms.kubernetes.read import read
from tests.platforms.kubernetes.apiserver import as_live, canonical_quantity
from tests.platforms.kubernetes.manifests import DEPLOYMENT, reading, view

BESIDE = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cfg, namespace: prod}
data: {LEN: "4096", serve.yaml: "model: m"}
"""


def live(text: str) -> str:
    return dump(read_yaml(text, "a.yaml").documents)


def dump(documents: Sequence[Document]) -> str:
    """What ``kubectl get -o json`` prints for these objects."""
    values = [scalar(document.root.value) for document in documents]
    items = [as_live(value) for value in values if isinstance(value, dict)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


# A live object equals its manifest

QUANTITIES = st.sampled_from(["1", 2, "500m", 0.5, "1000m", "1024Mi", "1Gi", "1.5Gi", "1e9", "2G", "0.25"])
SMALL = st.integers(0, 700)


def some(**fields):
    """A mapping with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


PROBES = st.builds(
    lambda handler, timings: {**handler, **timings},
    st.sampled_from(
        [
            {"httpGet": {"port": 8000}},
            {"httpGet": {"port": "http", "path": "/health", "scheme": "HTTPS"}},
            {"tcpSocket": {"port": 8000}},
            {"grpc": {"port": 9000}},
            {"exec": {"command": ["true"]}},
        ]
    ),
    some(initialDelaySeconds=SMALL, periodSeconds=SMALL, timeoutSeconds=SMALL, failureThreshold=SMALL),
)
ENV = st.lists(
    st.sampled_from(
        [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)-$(LEN)"},
            {"name": "EMPTY", "value": ""},
            {"name": "LEN", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "LEN"}}},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}},
            {"name": "NS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ]
    ),
    unique_by=str,
)
VOLUMES = [
    {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1024Mi"}},
    {"name": "scratch"},
    {"name": "cfg", "configMap": {"name": "cfg"}},
    {"name": "host", "hostPath": {"path": "/models"}},
    {"name": "pvc", "persistentVolumeClaim": {"claimName": "w"}},
]
MOUNTS = st.lists(
    st.sampled_from(
        [
            {"name": "shm", "mountPath": "/dev/shm"},
            {"name": "scratch", "mountPath": "/tmp"},
            {"name": "cfg", "mountPath": "/etc/cfg", "readOnly": False},
            {"name": "cfg", "mountPath": "/one.yaml", "subPath": "serve.yaml", "readOnly": True},
            {"name": "host", "mountPath": "/models"},
            {"name": "pvc", "mountPath": "/pvc"},
        ]
    ),
    unique_by=str,
)
CONTAINERS = st.builds(
    lambda image, rest: {"name": "engine", "image": image, **rest},
    st.sampled_from(["vllm/vllm-openai", "vllm/vllm-openai:v0.8.5", "r:5000/a/b:latest", "a@sha256:" + "0" * 64]),
    some(
        command=st.just(["vllm", "serve", "m"]),
        args=st.lists(st.sampled_from(["--max-model-len=$(LEN)", "--dtype", "half", "$$HOME", "$(NOPE)"])),
        env=ENV,
        envFrom=st.just([{"configMapRef": {"name": "cfg"}}]),
        ports=st.just([{"name": "http", "containerPort": 8000}]),
        resources=some(
            limits=some(cpu=QUANTITIES, memory=QUANTITIES, **{"nvidia.com/gpu": st.integers(0, 16)}),
            requests=some(cpu=QUANTITIES, memory=QUANTITIES),
        ),
        livenessProbe=PROBES,
        readinessProbe=PROBES,
        volumeMounts=MOUNTS,
        imagePullPolicy=st.sampled_from(["Always", "IfNotPresent"]),
        lifecycle=st.just({"preStop": {"exec": {"command": ["sleep", "10"]}}}),
    ),
)
PODS = st.builds(
    lambda container, rest: {"containers": [container], "volumes": VOLUMES, **rest},
    CONTAINERS,
    some(
        nodeSelector=st.sampled_from([{}, {"cloud.google.com/gke-accelerator": "nvidia-l4", "pool": "a"}]),
        tolerations=st.sampled_from([[], [{"key": "spot", "operator": "Exists"}]]),
        affinity=st.sampled_from([{}, {"nodeAffinity": {}}]),
        terminationGracePeriodSeconds=SMALL,
        hostIPC=st.booleans(),
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    spec=PODS,
    kind=st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "Pod", "Job"]),
    replicas=st.none() | st.integers(0, 9),
    strategy=st.sampled_from([{}, {"type": "RollingUpdate"}, {"rollingUpdate": {"maxSurge": 1}}]),
)
def test_a_live_object_reads_as_its_manifest_does(spec, kind, replicas, strategy):
    doc: dict[str, Any] = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "llm", "namespace": "prod"}}
    if kind == "Pod":
        doc |= {"apiVersion": "v1", "spec": spec}
    else:
        doc["apiVersion"] = "batch/v1" if kind == "Job" else "apps/v1"
        doc["spec"] = {"template": {"metadata": {"labels": {"app": "llm"}}, "spec": spec}}
        if kind in ("Deployment", "StatefulSet"):
            doc["spec"]["replicas"] = replicas
            doc["spec"]["strategy" if kind == "Deployment" else "updateStrategy"] = strategy
    text = yaml.safe_dump(doc) + BESIDE
    before, after = view(reading(text)), view(reading(live(text)))
    assert list(before) == [f"prod/{kind}/llm"]
    assert before == after


def test_a_live_object_reads_as_its_manifest_does_over_the_corpus(shared: Path):
    checked = 0
    for path in sorted((shared / "corpus" / "files").rglob("*.y*ml")):
        text = path.read_bytes()
        if b"containers:" not in text:
            continue
        documents = read_yaml(text, "a.yaml").documents
        before = read(documents)
        if not before.workloads:
            continue
        assert view(before) == view(read(read_yaml(dump(documents), "a.yaml").documents)), path
        checked += 1
    assert checked > 100


@pytest.mark.parametrize(
    ("written", "canonical"),
    [("1000m", "1"), (0.5, "500m"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("0", "0"), (16, "16"), ("1500m", "1500m")],
)
def test_quantities_of_the_fake_server(written, canonical):
    assert canonical_quantity(written) == canonical


# Nothing that a user may write raises

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, "x", "", 0, -1, 1.5, True, [], {}, [None], ["x"], [{}], {"x": "y"}, {"name": []}, "9" * 400]
)


def _paths(value, at=()):
    yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _paths(child, (*at, key))


WHOLE: Any = yaml.safe_load(DEPLOYMENT)
WHOLE["spec"]["template"]["spec"]["affinity"] = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4"]}]}
            ]
        }
    }
}
WHOLE["spec"]["template"]["spec"]["tolerations"] = [{"key": "a", "operator": "Exists", "tolerationSeconds": 300}]
WHOLE["spec"]["template"]["spec"]["containers"][0] |= {
    "command": ["sh", "-c", "exec vllm serve $MODEL"],
    "envFrom": [{"configMapRef": {"name": "cfg"}, "prefix": "P_"}, {"secretRef": {"name": "s"}}],
    "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
    "startupProbe": {"grpc": {"port": 1}, "failureThreshold": 3},
}
WHOLE["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
PATHS = [path for path in _paths(WHOLE) if path]


def _set(doc: Any, path: tuple[Any, ...], value: object) -> None:
    """Put ``value`` at ``path`` where an earlier change left the way there."""
    try:
        target = doc
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = copy.deepcopy(value)
    except (TypeError, KeyError, IndexError):
        return


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(st.tuples(st.sampled_from(PATHS), JUNK), min_size=1, max_size=4),
    kind=st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "Rollout"]),
)
def test_no_malformed_manifest_raises(changes, kind):
    doc = json.loads(json.dumps(WHOLE))
    doc["kind"] = kind
    if kind == "Rollout":
        doc["apiVersion"] = "argoproj.io/v1alpha1"
    for path, value in changes:
        _set(doc, path, value)
    found = reading(json.dumps(doc) + "\n" + json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": 5}))
    assert len(found.workloads) + len(found.refused) <= 2
    for workload in found.workloads:
        for observation in workload.observations:
            assert observation.locations or observation.origin == "platform-default"


@pytest.mark.parametrize(
    ("spec", "message", "line"),
    [
        ("{containers: [{name: c, image: i, args: [--port, 8000]}]}", "quote it", 5),
        ("{containers: [{name: c, image: i, args: --port 8000}]}", "args is not a list", 5),
        ("{containers: [{name: c, image: i, env: {A: b}}]}", "env is not a list", 5),
        ("{containers: [{name: c, image: i, resources: {limits: {nvidia.com/gpu: 1.5}}}]}", "whole number", 5),
    ],
)
def test_what_the_server_would_refuse_is_a_problem_with_its_line(spec, message, line):
    found = reading(f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec: {spec}\n")
    assert [problem.kind for problem in found.problems] == ["malformed"]
    assert message in found.problems[0].message and found.problems[0].locations[0].line == line
    assert len(found.workloads) == 1


@pytest.mark.parametrize("spec", ["{containers: text}", "{replicas: 3}", "{containers: {name: c}}"])
def test_a_template_that_runs_nothing_is_refused_with_its_reason(spec):
    found = reading(
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec: {{template: {{spec: {spec}}}}}\n"
    )
    assert found.workloads == () and "Deployment d" in found.refused[0].reason


def test_a_normal_source_has_no_problems():
    found = reading(DEPLOYMENT + BESIDE)
    assert found.problems == () and found.refused == () and len(found.objects) == 2


def test_thousands_of_manifests_take_seconds():
    documents = read_yaml("---\n".join(DEPLOYMENT.replace("name: llm\n", f"name: llm-{n}\n") for n in range(1000)), "a")
    loaded = documents.documents
    begun = time.process_time()
    assert len(read(loaded).workloads) == 1000
    assert time.process_time() - begun < 5
