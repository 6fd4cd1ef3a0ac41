"""Replicas that differ are told apart, those that do not are silent, and what all of them run is what runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from askew.app.pipeline import Options, check, diff, facts
from askew.findings.finding import Finding
from askew.report import wire
from askew.resolve.observation import Unknown
from askew.resolve.workload import Snapshot
from tests.platforms.kubernetes import live

SAME = {"args": ["--model=org/model", "--max-model-len=8192"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(folder: Path, *objects: live.Object) -> Snapshot:
    (folder / "live.yaml").write_text(live.dump(*objects))
    (one,) = facts("live.yaml", Options()).side.snapshots
    return one


def apart(folder: Path, *objects: live.Object) -> dict[str, dict[str, Any]]:
    one = snapshot(folder, *objects)
    return {f"{f.fact} {f.key}".strip(): {value.member: value.value for value in f.values} for f in one.apart}


def findings(folder: Path, rule: str, *objects: live.Object) -> list[Finding]:
    (folder / "live.yaml").write_text(live.dump(*objects))
    report = check("live.yaml", None, Options())
    return [f for w in report.workloads for f in w.findings if f.rule == rule]


# Between replicas


def test_one_of_three_is_of_an_older_template(folder: Path) -> None:
    pods = (live.pod("llm-aaa-0"), live.pod("llm-aaa-1"), live.pod("llm-bbb-0", "bbb", length=4096))
    assert apart(folder, live.deployment(3, status={}), *pods) == {
        "runtime.max_model_len": {"llm-aaa-0": 8192, "llm-aaa-1": 8192, "llm-bbb-0": 4096}
    }


def test_a_setting_that_one_of_them_lost_is_not_set_there(folder: Path) -> None:
    lost = live.pod("llm-aaa-1", args=["--model=org/model"])
    known = apart(folder, live.deployment(), live.pod("llm-aaa-0"), lost)
    assert known == {"runtime.max_model_len": {"llm-aaa-0": 8192, "llm-aaa-1": None}}


def test_each_value_is_proved_by_a_pod_of_its_own(folder: Path) -> None:
    pods = (
        live.pod("llm-bbb-0", "bbb", length=4096),
        live.pod("llm-bbb-1", "bbb", length=4096),
        live.pod("llm-ccc-0", "ccc", length=2048),
    )
    (one,) = snapshot(folder, live.deployment(3, status={}), *pods).apart
    assert [value.location.object for value in one.values if value.location] == [
        f"v1 Pod prod/{name}" for name in ("llm-bbb-0", "llm-bbb-1", "llm-ccc-0")
    ]
    assert one.reason == "its pods differ: 4096 in 2 pods; 2048 in llm-ccc-0"


def test_what_injectors_and_identities_add_is_no_difference(folder: Path) -> None:
    env = [{"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::1:role/a"}, {"name": "POD_NAME", "value": "x"}]
    injected = live.pod("llm-aaa-1", env=env)
    injected["spec"]["containers"].append({"name": "istio-proxy", "image": "istio/proxyv2:1.24.0"})
    assert apart(folder, live.deployment(), live.pod("llm-aaa-0"), injected) == {}


def test_another_image_on_one_node(folder: Path) -> None:
    pods = (live.pod("llm-aaa-0"), live.pod("llm-aaa-1", digest="cd" * 32))
    (finding,) = findings(folder, "replicas-differ", live.deployment(), *pods)
    assert finding.facts[0] == "runtime.image.digest" and finding.target is not None
    side = wire._side(finding.target)
    assert side is not None
    assert [(value.member, value.value) for value in side.values] == [
        ("llm-aaa-0", f"sha256:{'ab' * 32}"), ("llm-aaa-1", f"sha256:{'cd' * 32}"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "severity"),
    [
        ({}, "medium"),
        ({"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}, "high"),
    ],
)
def test_replicas_on_several_gpus(folder: Path, selector: live.Object, severity: str) -> None:
    deployed = live.deployment()
    deployed["spec"]["template"]["spec"]["nodeSelector"] = selector
    pods = (live.pod("llm-aaa-0"), live.pod("llm-aaa-1", node="n2"))
    nodes = (live.node("n1"), live.node("n2", "NVIDIA-L4"))
    (finding,) = findings(folder, "replicas-differ", deployed, *pods, *nodes)
    assert (finding.facts[0], finding.severity) == ("hardware.gpu.model", severity)


def test_several_gpus_that_were_asked_for(folder: Path) -> None:
    deployed = live.deployment()
    values = ["NVIDIA-H100-80GB-HBM3", "NVIDIA-L4"]
    term = {"matchExpressions": [{"key": "nvidia.com/gpu.product", "operator": "In", "values": values}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    deployed["spec"]["template"]["spec"]["affinity"] = {"nodeAffinity": required}
    pods = (live.pod("llm-aaa-0"), live.pod("llm-aaa-1", node="n2"))
    nodes = (live.node("n1"), live.node("n2", "NVIDIA-L4"))
    (finding,) = findings(folder, "replicas-differ", deployed, *pods, *nodes)
    assert finding.severity == "info"


def test_drivers_that_differ_a_little_in_memory_do_not_differ(folder: Path) -> None:
    pods = (live.pod("llm-aaa-0"), live.pod("llm-aaa-1", node="n2"))
    nodes = (
        live.node("n1", **{"nvidia.com__gpu.memory": "81559"}),
        live.node("n2", **{"nvidia.com__gpu.memory": "81251"}),
    )
    assert apart(folder, live.deployment(), *pods, *nodes) == {}


# Between the template and all replicas


def test_what_all_pods_run_is_what_runs(folder: Path) -> None:
    pods = (live.pod("llm-aaa-0", length=4096), live.pod("llm-aaa-1", length=4096))
    one = snapshot(folder, live.deployment(), *pods)
    length = one.facts["runtime.max_model_len"]
    assert length.value == 4096 and length.locations[0].object == "v1 Pod prod/llm-aaa-0"
    assert one.apart == ()
    (asked,) = one.overruled
    assert (asked.fact, asked.value) == ("runtime.max_model_len", 8192)
    (finding,) = findings(folder, "pods-differ-from-template", live.deployment(), *pods)
    assert finding.summary == "runtime.max_model_len: 8192 in the template, 4096 in all 2 pods"
    assert finding.reference is not None and finding.reference.value == 8192
    assert finding.target is not None and finding.target.value == 4096
    proved = [side.locations[0].object for side in (finding.reference, finding.target)]
    assert proved == ["apps/v1 Deployment prod/llm", "v1 Pod prod/llm-aaa-0"]


def test_a_digest_or_a_mirror_in_the_place_of_the_image_is_no_difference(folder: Path) -> None:
    for image in (f"vllm/vllm-openai@sha256:{'ab' * 32}", "mirror.example/docker.io/vllm/vllm-openai:v0.8.5"):
        one = snapshot(folder, live.deployment(), live.pod("llm-aaa-0", image=image))
        assert one.overruled == () and one.apart == ()
        assert one.facts["runtime.image.tag"].value == "v0.8.5"
        assert one.engine is not None and one.engine.version == "0.8.5"


def test_a_probe_that_one_of_them_lacks_is_one_difference(folder: Path) -> None:
    probed = live.pod("llm-aaa-1")
    probed["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"path": "/health", "port": 8000}}
    known = apart(folder, live.deployment(), live.pod("llm-aaa-0"), probed)
    assert set(known) == {"orchestration.probe.readiness"}
    assert known["orchestration.probe.readiness"]["llm-aaa-0"] is None
    (found,) = findings(folder, "replicas-differ", live.deployment(), live.pod("llm-aaa-0"), probed)
    assert "not set in llm-aaa-0" in found.summary and "path=/health" in found.summary


def test_a_policy_that_pulls_every_image_is_no_difference(folder: Path) -> None:
    pods = [live.pod("llm-aaa-0"), live.pod("llm-aaa-1")]
    for pod in pods:
        pod["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    one = snapshot(folder, live.deployment(), *pods)
    assert one.overruled == () and one.apart == ()
    assert apart(folder, live.deployment(), live.pod("llm-aaa-0"), pods[1]) == {}


def test_another_release_in_all_pods_is_a_difference(folder: Path) -> None:
    one = snapshot(folder, live.deployment(), live.pod("llm-aaa-0", image="vllm/vllm-openai:v0.9.0"))
    assert one.engine is not None and one.engine.version == "0.9.0"
    assert {asked.fact for asked in one.overruled} >= {"runtime.image.tag"}


def test_resources_that_a_limit_range_raised(folder: Path) -> None:
    raised = {"limits": {"nvidia.com/gpu": 1, "memory": "64Gi", "cpu": "2"}, "requests": {"cpu": "2"}}
    one = snapshot(folder, live.deployment(), live.pod("llm-aaa-0", resources=raised))
    assert {asked.fact for asked in one.overruled} == {"orchestration.resources.cpu"}


# What engines say of themselves


def test_reports_that_differ_are_not_the_last_one_s() -> None:
    from askew.app.heard import heard
    from askew.evidence.told import Told

    log = (Path(__file__).parents[1] / "engines" / "vllm" / "logs" / "0.11.0.log").read_text(encoding="utf-8")
    (length,) = set(re.findall(r"max_seq_len=(\d+)", log))

    def said(pod: str, other: str) -> Told:
        text = log.replace(f"max_seq_len={length}", f"max_seq_len={other}")
        return Told(kind="log", name="log", source=f"k8s://c/prod/pods/{pod}/engine/log", text=text, replica=pod)

    found = heard((said("a", "8192"), said("b", "8192"), said("c", "4096")), "vllm")
    assert found is not None
    (one,) = (fact for fact in found.apart if fact.fact == "runtime.max_model_len")
    assert {value.member: value.value for value in one.values} == {"a": 8192, "b": 8192, "c": 4096}
    (length_,) = (one.value for one in found.observations if one.fact == "runtime.max_model_len")
    assert isinstance(length_, Unknown)
    agreed = heard((said("a", "8192"), said("b", "8192")), "vllm")
    assert agreed is not None and agreed.apart == ()


# Laws


OBJECTS = (
    live.deployment(3, status={"replicas": 3, "updatedReplicas": 2, "observedGeneration": 1}),
    live.replica_set(),
    live.pod("llm-aaa-0"),
    live.pod("llm-aaa-1", length=2048, reported={"restartCount": 3}),
    live.pod("llm-bbb-0", "bbb", length=4096, digest="cd" * 32, node="n2"),
    live.node("n1"),
    live.node("n2", "NVIDIA-L4"),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(OBJECTS))
def test_the_order_of_the_objects_decides_nothing(folder: Path, order: list[live.Object]) -> None:
    def seen(objects: Any) -> Any:
        one = snapshot(folder, *objects)
        facts_ = {key: (known.state, known.value, known.reason) for key, known in one.facts.items()}
        return facts_, [(f.fact, f.key, f.reason, [(v.member, v.value) for v in f.values]) for f in one.apart]

    assert seen(order) == seen(OBJECTS)
    (folder / "other.yaml").write_text(live.dump(*OBJECTS))
    assert diff("live.yaml", "other.yaml", Options()).workloads[0].findings == ()
