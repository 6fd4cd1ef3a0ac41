"""What commands printed in pods: of each pod, and of the workload what all of them show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from askew.app.snapshots import snapshots
from askew.collectors.interface import Text
from askew.evidence.yaml import read as read_yaml
from askew.platforms.cluster.read import read
from askew.resolve.workload import Snapshot
from tests.platforms.smi import outputs

FOLDER = "/usr/local/lib/python3.12/dist-packages"


def objects(**container: Any) -> list[dict[str, Any]]:
    """A Deployment as it lives in a cluster: its ReplicaSet, and two pods of it."""
    spec = {"containers": [{"name": "engine", "image": "registry.local/llm:prod", **container,
                            "resources": {"limits": {"nvidia.com/gpu": "2"}}}]}  # fmt: skip
    labels = {"app": "llm"}
    template = {"metadata": {"labels": labels}, "spec": spec}

    revision = {"deployment.kubernetes.io/revision": "1"}

    def owned(kind: str, name: str) -> dict[str, Any]:
        owner = {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": True}
        return {"namespace": "prod", "labels": labels, "ownerReferences": [owner]}

    found: list[dict[str, Any]] = [
        {"apiVersion": "apps/v1", "kind": "Deployment",
         "metadata": {"name": "llm", "namespace": "prod", "uid": "llm", "annotations": revision},
         "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet",
         "metadata": {"name": "llm-1", "uid": "llm-1", "annotations": revision, **owned("Deployment", "llm")},
         "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}},
    ]  # fmt: skip
    for name in ("llm-1-a", "llm-1-b"):
        found.append(
            {"apiVersion": "v1", "kind": "Pod",
             "metadata": {"name": name, "uid": name, **owned("ReplicaSet", "llm-1")},
             "spec": spec, "status": {"phase": "Running", "containerStatuses": [{"name": "engine", "ready": True}]}}
        )  # fmt: skip
    return found


def text(pod: str, probe: str, content: str) -> Text:
    return Text(source=f"k8s://context/prod/pods/{pod}/engine/exec/{probe}", text=content)


def seen(texts: list[Text], **container: Any) -> Snapshot:
    documents = [
        document
        for one in objects(**container)
        for document in read_yaml(json.dumps(one), f"k8s://context/{one['kind']}/{one['metadata']['name']}")
    ]
    reading = read(documents, texts)
    (workload,) = reading.workloads
    (snapshot,) = snapshots(workload)
    return snapshot


ARGS = ["vllm", "serve", "org/m", "--tensor-parallel-size=2"]


def test_what_all_pods_show_is_of_the_workload():
    pods = ("llm-1-a", "llm-1-b")
    one = seen(
        [*(text(pod, "nvidia-smi", outputs.XML) for pod in pods),
         *(text(pod, "packages", f"{FOLDER}/vllm-0.9.1.dist-info\n{FOLDER}/torch-2.7.0.dist-info\n") for pod in pods)],
        command=ARGS,
    )  # fmt: skip
    facts = one.facts
    assert facts["hardware.gpu.model"].value == ["a100-40gb-sxm"] and facts["hardware.gpu.model"].basis == "seen"
    assert {at.source.split("/")[5] for at in facts["hardware.gpu.model"].locations} == set(pods)
    assert facts["runtime.engine.version"].value == "0.9.1" and one.engine is not None
    assert one.engine.version == "0.9.1"
    assert facts["runtime.packages"].entries["torch"].value == "2.7.0"
    assert not one.apart


def test_pods_that_show_different_devices_or_packages_are_told_apart():
    other = outputs.XML.replace("A100-SXM4-40GB", "A100-SXM4-80GB").replace("40960 MiB", "81920 MiB")
    one = seen(
        [text("llm-1-a", "nvidia-smi", outputs.XML), text("llm-1-b", "nvidia-smi", other),
         text("llm-1-a", "files", "ab" * 32 + "  /etc/c.yaml\n"),
         text("llm-1-b", "files", "cd" * 32 + "  /etc/c.yaml\n")],
        command=ARGS,
    )  # fmt: skip
    apart = {one.fact for one in one.apart}
    assert {"hardware.gpu.model", "orchestration.config.files"} <= apart
    assert one.facts["hardware.driver.version"].value == "550.90.7" or one.facts["hardware.driver.version"].value


@pytest.mark.parametrize("container", [{}, {"command": ["/start.sh"]}, {"command": ["bash", "/start.sh"]}])
def test_the_process_that_runs_is_taken_where_the_template_hides_it(container: dict[str, Any]):
    processes = (
        '1\t["bash", "/start.sh"]\n'
        '7\t["/usr/bin/python3", "/usr/local/bin/vllm", "serve", "org/m", "--max-model-len=4096"]\n'
        '90\t["/usr/bin/python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()"]\n'
    )
    one = seen([text("llm-1-a", "processes", processes)], **container)
    assert one.engine is not None and one.engine.name == "vllm"
    assert one.facts["runtime.max_model_len"].value == 4096
    assert one.facts["runtime.max_model_len"].locations[0].source.endswith("/llm-1-a/engine/exec/processes")


def test_of_several_processes_none_is_guessed():
    others = '7\t["/usr/bin/one", "--a"]\n8\t["/usr/bin/two", "--b"]\n'
    one = seen([text("llm-1-a", "processes", others)], command=["/start.sh"])
    assert "/usr/bin/one" not in repr(one.facts)
    served = others + '9\t["python3", "-m", "sglang.launch_server", "--model-path", "org/m"]\n'
    one = seen([text("llm-1-a", "processes", served)], command=["/start.sh"])
    assert one.engine is not None and one.engine.name == "sglang"


def test_a_template_that_says_what_runs_is_believed():
    processes = '1\t["vllm", "serve", "org/other"]\n'
    one = seen([text("llm-1-a", "processes", processes)], command=ARGS)
    assert one.facts["model.source"].value == "hf://org/m" and not one.apart


def test_a_pod_that_shows_nothing_changes_nothing():
    plain, probed = seen([], command=ARGS), seen([text("llm-1-a", "shm", "df: not found\n")], command=ARGS)
    assert {key: one.value for key, one in plain.facts.items()} == {key: one.value for key, one in probed.facts.items()}
