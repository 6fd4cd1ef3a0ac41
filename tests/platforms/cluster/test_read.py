"""What only a cluster's API gives: logs, answers through the pod proxy, refusals. The rest is as from a dump."""

from __future__ import annotations

from askew.collectors.interface import Text
from askew.evidence import yaml
from askew.evidence.document import Document
from askew.platforms.cluster.read import read
from askew.platforms.kubernetes.read import read as read_dump
from askew.resolve.observation import Unknown
from askew.resolve.workload import Workload
from tests.platforms.kubernetes import live

SOURCE = "k8s://ctx"
OBJECTS = (live.deployment(), live.pod("llm-aaa-0"), live.pod("llm-aaa-1"))


def documents(*objects: live.Object) -> list[Document]:
    return [document for one in objects for document in yaml.read(live.dump(one), SOURCE).documents]


def one(texts: tuple[Text, ...] = (), more: tuple[Document, ...] = ()) -> Workload:
    (found,) = read((*documents(*OBJECTS), *more), texts).workloads
    return found


def test_what_the_api_says_is_what_a_dump_says() -> None:
    (dumped,) = read_dump(documents(*OBJECTS)).workloads
    live_ = one()
    assert (live_.containers, live_.observations, live_.replicas) == (
        dumped.containers, dumped.observations, dumped.replicas,
    )  # fmt: skip


def test_a_log_is_told_by_its_pod() -> None:
    source = f"{SOURCE}/prod/pods/llm-aaa-1/engine/log"
    (told,) = one((Text(source=source, text="INFO ready"),)).told
    assert (told.kind, told.replica, told.container, told.source) == ("log", "llm-aaa-1", "engine", source)


def test_the_log_of_a_run_before_speaks_where_there_is_none_since() -> None:
    base = f"{SOURCE}/prod/pods/llm-aaa-1/engine/log"
    before = Text(source=f"{base}?previous=true", text="INFO before")
    tail = Text(source=f"{base}?tail=200", text="INFO last")
    assert [told.text for told in one((before,)).told] == ["INFO before"]
    assert [told.text for told in one((Text(source=base, text="INFO now"), before, tail)).told] == [
        "INFO now", "INFO last",
    ]  # fmt: skip


def test_answers_through_the_proxy_are_told_by_their_pod() -> None:
    address = f"{SOURCE}/prod/pods/llm-aaa-0:8000/proxy"
    (answer,) = yaml.read('{"version": "0.10.0"}', f"{address}/version").documents
    metrics = Text(source=f"{address}/metrics", text="# TYPE vllm:num_requests_running gauge\n")
    told = one((metrics,), (answer,)).told
    assert [(t.kind, t.name, t.replica) for t in told] == [
        ("answer", "/version", "llm-aaa-0"), ("metrics", "/metrics", "llm-aaa-0"),
    ]  # fmt: skip
    assert told[0].document is answer


def test_what_pods_of_others_say_is_not_the_workload_s() -> None:
    texts = (
        Text(source=f"{SOURCE}/dev/pods/llm-aaa-0/engine/log", text="INFO"),
        Text(source=f"{SOURCE}/prod/pods/other/engine/log", text="INFO"),
        Text(source=f"{SOURCE}/prod/pods/llm-aaa-0/engine/exec/shm", text="shm"),
        Text(source="k8s://ctx#failed", text="list pods: 500\n"),
    )
    assert one(texts).told == ()


def test_lines_of_refusals_become_reasons() -> None:
    text = Text(source=f"{SOURCE}#denied", text="list nodes\nlist poddisruptionbudgets.policy prod\n\nlist\n")
    found = {o.fact: o.value for o in one((text,)).observations}
    value = found["orchestration.disruption"]
    assert isinstance(value, Unknown)
    assert value.reason == "poddisruptionbudgets could not be read: needs `list poddisruptionbudgets.policy` in prod"
