"""Logs, answers through the pod proxy, and commands: only where allowed, bounded, and without secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from askew.collectors.k8s import inside, websocket
from askew.collectors.k8s import server as server_module
from askew.collectors.probes import PROBES
from tests.collectors.k8s.conftest import Ask
from tests.collectors.k8s.scripted import (
    Cluster,
    container,
    deployment,
    pod_of,
    replica_set,
    rollout,
    status,
    template,
)  # fmt: skip

CANARY = "canary-Q7vv20xm9s"
POD = "/api/v1/namespaces/prod/pods/llm-bbbb-00001"
SOURCE = "k8s://test/prod/pods/llm-bbbb-00001"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def running(*more: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    objects = [*rollout(), *more]
    pod = next(one for one in objects if one["kind"] == "Pod")
    pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    pod["spec"]["containers"][0].update(fields)
    return objects


def text(code: int, body: str) -> Any:
    return code, {"Content-Type": "text/plain"}, body.encode()


# -- logs --------------------------------------------------------------------------------------------------


def test_logs_only_where_they_are_wanted(ask: Ask) -> None:
    with Cluster(*running()) as cluster:
        cluster.answer = lambda path, query: (
            text(200, f"INFO start\nHF_TOKEN={CANARY}\n") if path.endswith("/log") else None
        )
        without, found = ask(cluster, "k8s:prod/deploy/llm"), ask(cluster, "k8s:prod/deploy/llm?logs=on")
    assert not without.texts
    (log,) = found.texts
    assert log.source == f"{SOURCE}/vllm/log"
    assert log.text.startswith("INFO start\nHF_TOKEN=redacted:")
    assert CANARY not in repr(found)
    assert found.status == "complete"


def test_what_a_pod_said_before_a_fault_is_kept(ask: Ask) -> None:
    objects = running()
    next(one for one in objects if one["kind"] == "Pod")["status"]["containerStatuses"][0]["restartCount"] = 1
    with Cluster(*objects) as cluster:

        def answer(path: str, query: dict[str, str]) -> Any:
            if not path.endswith("/log"):
                return None
            return text(401, "Unauthorized") if query.get("previous") else text(200, "INFO start\n")

        cluster.answer = answer
        found = ask(cluster, "k8s:prod/deploy/llm?logs=on")
    assert [one.text for one in found.texts] == ["INFO start\n"]
    assert found.status == "partial" and "not all pods were asked" in found.reason


def test_the_log_of_the_run_before(ask: Ask) -> None:
    objects = running()
    state = next(one for one in objects if one["kind"] == "Pod")["status"]["containerStatuses"][0]
    state.update(
        restartCount=2, state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": {"exitCode": 1}}
    )
    with Cluster(*objects) as cluster:
        cluster.answer = lambda path, query: (
            text(200, f"previous={query.get('previous')}") if path.endswith("/log") else None
        )
        found = ask(cluster, "k8s:prod/deploy/llm?logs=on")
    assert [(one.source.partition("/vllm/")[2], one.text) for one in found.texts] == [
        ("log", "previous=None"), ("log?previous=true", "previous=true"),
    ]  # fmt: skip


def test_a_long_log_gives_its_beginning_and_its_end(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_LOG_HEAD", 1000)

    def answer(path: str, query: dict[str, str]) -> Any:
        if not path.endswith("/log"):
            return None
        return text(200, "the end\n" if "tailLines" in query else "a line\n" * 1_000_000)

    with Cluster(*running()) as cluster:
        cluster.answer = answer
        found = ask(cluster, "k8s:prod/deploy/llm?logs=on")
        asked = [one for one in cluster.asked if "/log?" in one]
    assert "limitBytes=1000" in asked[0] and "tailLines=400" in asked[1]
    head, tail = found.texts
    assert len(head.text) <= 1000
    assert tail.source == f"{SOURCE}/vllm/log?tail=400"


def test_a_right_that_is_missing_is_asked_for_once(ask: Ask) -> None:
    pod = template(container())
    owner = replica_set(pod, "bbbb", 2)
    with Cluster(deployment(pod), owner, *(pod_of(owner, number) for number in range(5))) as cluster:
        cluster.answer = lambda path, query: status(403, "Forbidden", "no") if path.endswith("/log") else None
        found = ask(cluster, "k8s:prod/deploy/llm?logs=on")
        assert len([one for one in cluster.asked if "/log?" in one]) == 1
    assert (found.status, found.errors) == ("partial", ())
    assert "cannot get pods/log prod" in found.reason
    assert any(one.text == "get pods/log prod\n" for one in found.texts)


def test_some_pods_of_many_are_asked(ask: Ask) -> None:
    pod = template(container())
    owner = replica_set(pod, "bbbb", 2)
    with Cluster(deployment(pod), owner, *(pod_of(owner, number) for number in range(30))) as cluster:
        cluster.answer = lambda path, query: text(200, "x") if path.endswith("/log") else None
        found = ask(cluster, "k8s:prod/deploy/llm?logs=on")
    assert len(found.texts) == inside.MOST_PODS
    assert "14 pods were not asked themselves" in found.reason


def test_sidecars_are_not_listened_to(ask: Ask) -> None:
    objects = running()
    pod = next(one for one in objects if one["kind"] == "Pod")
    pod["spec"]["containers"].append({"name": "istio-proxy", "image": "istio"})
    pod["status"]["containerStatuses"].append({"name": "istio-proxy", "state": {"running": {}}})
    with Cluster(*objects) as cluster:
        cluster.answer = lambda path, query: text(200, "x") if path.endswith("/log") else None
        assert len(ask(cluster, "k8s:prod/deploy/llm?logs=on").texts) == 1


# -- endpoints ---------------------------------------------------------------------------------------------

MODELS = {"object": "list", "data": [{"id": "org/model", "object": "model", "owned_by": "vllm", "root": "org/model",
          "max_model_len": 4096}]}  # fmt: skip


def engine(path: str, query: dict[str, str]) -> Any:
    """vLLM behind the pod proxy, on port 8000."""
    if "/proxy/" not in path:
        return None
    if f"{POD}:8000/proxy/" not in path:
        return status(503, "ServiceUnavailable", "error trying to reach service: dial tcp 10.0.0.1: connection refused")
    name = path.partition("/proxy")[2]
    if name == "/v1/models":
        return 200, {"Content-Type": "application/json"}, json.dumps(MODELS).encode()
    if name == "/version":
        return 200, {"Content-Type": "application/json"}, b'{"version": "0.8.5"}'
    return 404, {}, b'{"detail":"Not Found"}'


def test_engines_are_asked_through_the_api_server(ask: Ask) -> None:
    ports = {"ports": [{"name": "metrics", "containerPort": 9000}], "readinessProbe": {"httpGet": {"port": 8000}}}
    with Cluster(*running(**ports)) as cluster:
        cluster.answer = engine
        found = ask(cluster, "k8s:prod/deploy/llm?endpoints=on")
        asked = [one for one in cluster.asked if "/proxy/" in one]
    sources = {one.source for one in found.documents}
    assert f"{SOURCE}:8000/proxy/v1/models" in sources
    assert f"{SOURCE}:8000/proxy/version" in sources
    assert all(":8000/" in one for one in asked), "the port of the probe first, and no other once an engine is known"
    (asked_text,) = (one.text for one in found.texts if one.source == f"{SOURCE}:8000/proxy#asked")
    assert "GET /v1/models 200" in asked_text.splitlines()
    assert found.status == "complete"


def test_an_engine_that_wants_a_key_is_no_refusal_of_the_api_server(ask: Ask) -> None:
    with Cluster(*running(ports=[{"containerPort": 8000}])) as cluster:
        cluster.answer = lambda path, query: (401, {}, b'{"error":"Unauthorized"}') if "/proxy/" in path else None
        found = ask(cluster, "k8s:prod/deploy/llm?endpoints=on")
    assert (found.status, found.errors) == ("partial", ())
    assert "answers on no port (8000)" in found.reason


def test_the_proxy_may_be_forbidden(ask: Ask) -> None:
    message = 'pods "x" is forbidden: User "u" cannot get resource "pods/proxy" in API group "" in the namespace "prod"'
    with Cluster(*running(ports=[{"containerPort": 8000}, {"containerPort": 9000}])) as cluster:
        cluster.answer = lambda path, query: status(403, "Forbidden", message) if "/proxy/" in path else None
        found = ask(cluster, "k8s:prod/deploy/llm?endpoints=on")
        assert len([one for one in cluster.asked if "/proxy/" in one]) == 1
    assert "cannot get pods/proxy prod" in found.reason


def test_pods_that_are_not_ready_are_not_asked(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        ask(cluster, "k8s:prod/deploy/llm?endpoints=on")
        assert not any("/proxy" in one for one in cluster.asked)


# -- commands ----------------------------------------------------------------------------------------------


def frame(data: bytes, opcode: int = 2, *, last: bool = True) -> bytes:
    head = bytes(((0x80 if last else 0) | opcode,))
    size = len(data)
    if size < 126:
        return head + bytes((size,)) + data
    return head + (b"\x7e" + struct.pack(">H", size) if size < 65536 else b"\x7f" + struct.pack(">Q", size)) + data


SUCCESS = frame(b'\x03{"status":"Success"}')


def shell(*frames: bytes, accept: bool = True, ran: list[list[str]] | None = None) -> Any:
    """The exec endpoint: shakes hands, sends the frames, and waits for the client to go."""

    def answer(path: str, query: dict[str, str]) -> Any:
        if not path.endswith("/exec"):
            return None

        def serve(handler: BaseHTTPRequestHandler) -> None:
            if ran is not None:
                ran.append(parse_qs(urlsplit(handler.path).query)["command"])
            key = handler.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            assert handler.headers["Sec-WebSocket-Protocol"] == "v5.channel.k8s.io, v4.channel.k8s.io"
            lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                     f"Sec-WebSocket-Accept: {proof if accept else 'no'}")  # fmt: skip
            handler.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            for each in frames:
                handler.wfile.write(each)
            handler.connection.settimeout(3)
            handler.rfile.read(1)

        return serve

    return answer


def test_commands_only_where_they_are_allowed(ask: Ask) -> None:
    ran: list[list[str]] = []
    with Cluster(*running()) as cluster:
        cluster.answer = shell(
            frame(b"\x00"), frame(b"ping", 9), frame(b"\x02oh\n"), frame(b"\x01/dev/shm is here\n", last=False),
            frame(f"api_key={CANARY}\n".encode(), 0), SUCCESS, ran=ran,
        )  # fmt: skip
        without = ask(cluster, "k8s:prod/deploy/llm")
        assert not ran and not without.texts
        found = ask(cluster, "k8s:prod/deploy/llm?exec=on")
    assert found.status == "complete"
    named = {one.source.rpartition("/exec/")[2]: one.text for one in found.texts}
    assert named["shm"].startswith("/dev/shm is here\napi_key=redacted:")
    assert ["df", "-kP", "/dev/shm"] in ran
    assert ["nvidia-smi", "-q", "-x"] in ran, "the container has a GPU of NVIDIA"
    assert not any("rocm" in word for words in ran for word in words)
    known = {probe.argv for probe in PROBES}
    assert all(tuple(words) in known or words[0] in ("sha256sum", "ls") for words in ran)
    assert CANARY not in repr(found)


def test_exec_may_be_forbidden(ask: Ask) -> None:
    with Cluster(*running()) as cluster:
        cluster.answer = lambda path, query: status(403, "Forbidden", "no") if path.endswith("/exec") else None
        found = ask(cluster, "k8s:prod/deploy/llm?exec=on")
        assert len([one for one in cluster.asked if "/exec?" in one]) == 1
    assert "cannot create pods/exec prod" in found.reason


@pytest.mark.parametrize(
    ("frames", "output", "fault"),
    [
        ((frame(b"\x01one"), frame(b"\x01two"), SUCCESS), b"onetwo", ""),
        ((frame(b"\x01" + b"x" * 70_000), SUCCESS), b"x" * 5000, "only the first 5,000 bytes were read"),
        ((frame(b"\x01out"), frame(b'\x03{"status":"Failure","reason":"NonZeroExitCode"}')), b"out", ""),
        ((frame(b'\x03{"status":"Failure","reason":"InternalError","message":"no such file"}'),), b"", "no such file"),
        ((frame(b"\x03not json"),), b"", ""),
        ((frame(b"\x01out"), frame(b"", 8)), b"out", ""),
        ((frame(b"", 8),), b"", "it ended without a word"),
        ((b"\x82\x7f" + struct.pack(">Q", 2**62),), b"", "a message of"),
        ((b"\x82\x85abcdefghi",), b"", "speaks no WebSocket"),
        ((frame(b"\x01part"), b"\x82\x7e"), b"part", "did not end in time"),
        ((frame(b"\x09strange"), frame(b""), SUCCESS), b"", ""),
    ],
)  # fmt: skip
def test_what_a_container_may_send(frames: tuple[bytes, ...], output: bytes, fault: str) -> None:
    with Cluster() as cluster:
        cluster.answer = shell(*frames)
        one = reach(cluster)
        ran = websocket.run(one, POD, "vllm", ("true",), seconds=0.5, limit=5000)
    assert ran.output == output
    assert fault in ran.fault
    assert bool(ran.fault) is bool(fault)


def reach(cluster: Cluster) -> server_module.Server:
    from askew.collectors.k8s import access

    way = access.Access(
        context="c", namespace="prod", cluster=access.Cluster(server=cluster.url), user=access.User(token="t")
    )
    return server_module.Server(way, seconds=10)


def test_a_command_that_prints_without_end() -> None:
    with Cluster() as cluster:
        cluster.answer = shell(*([frame(b"\x01" + b"x" * 60_000)] * 400))
        ran = websocket.run(reach(cluster), POD, "vllm", ("yes",), seconds=5, limit=100_000)
    assert len(ran.output) == 100_000


def test_who_speaks_no_websocket() -> None:
    with Cluster() as cluster:
        cluster.answer = shell(SUCCESS, accept=False)
        with pytest.raises(server_module.RequestError, match="speaks no WebSocket"):
            websocket.run(reach(cluster), POD, "vllm", ("true",), seconds=2, limit=10)
        cluster.answer = lambda path, query: (200, {}, b"{}")
        with pytest.raises(server_module.RequestError, match="200"):
            websocket.run(reach(cluster), POD, "vllm", ("true",), seconds=2, limit=10)
        wait = threading.Event().wait
        cluster.answer = lambda path, query: lambda handler: wait(2)
        with pytest.raises(server_module.RequestError, match="in time"):
            websocket.run(reach(cluster), POD, "vllm", ("true",), seconds=0.3, limit=10)
