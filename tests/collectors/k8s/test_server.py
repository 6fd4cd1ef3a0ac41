"""Servers that fail, lie, are slow or never end: bounded, told, and nothing lost that came before."""

from __future__ import annotations

import contextlib
import gzip
import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from askew.collectors.interface import Evidence
from askew.collectors.k8s import server as module
from askew.collectors.k8s.access import Access, User
from askew.collectors.k8s.access import Cluster as Place
from askew.collectors.k8s.server import RequestError, Server
from tests.collectors.k8s.conftest import Ask
from tests.collectors.k8s.scripted import Cluster, Misbehave, container, deployment, rollout, status, template


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def kinds(found: Evidence) -> set[str]:
    return {str(one.root["kind"].value) for one in found.documents}


def server(cluster: Cluster, seconds: float = 10) -> Server:
    access = Access(context="test", namespace="prod", cluster=Place(server=cluster.url), user=User())
    return Server(access, seconds=seconds)


def failing(path: str, *answers: Any) -> Any:
    """The first requests of a path get these answers, the last of them for good where it is repeated by ``...``."""
    left = list(answers)

    def answer(asked: str, query: dict[str, str]) -> Any:
        if not asked.endswith(path) or not left:
            return None
        return left[0] if left[1:] == [...] else left.pop(0)

    return answer


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_passes_is_asked_again(ask: Ask, code: int) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.answer = failing("/pods", status(code, "X", "later"), status(code, "X", "later"))
        found = ask(cluster, "k8s:prod")
    assert found.status == "complete"
    assert "Pod" in kinds(found)


def test_what_does_not_pass_is_told_and_the_rest_kept(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.answer = failing("/pods", status(500, "InternalError", "etcd leader changed"), ...)
        found = ask(cluster, "k8s:prod")
        asked = [one for one in cluster.asked if "/pods?" in one]
    assert found.status == "partial"
    assert found.reason == "list pods prod: etcd leader changed (500)"
    assert {"Deployment", "ReplicaSet"} <= kinds(found)
    assert len(asked) == 5
    assert [one.text for one in found.texts if one.source.endswith("#failed")]


def test_a_list_whose_token_is_too_old_goes_on_where_the_server_says(ask: Ask) -> None:
    many = [deployment(template(container()), name=f"d{n}") for n in range(5)]
    with Cluster(*many) as cluster:
        cluster.page = 2
        gone = False

        def answer(path: str, query: dict[str, str]) -> Any:
            nonlocal gone
            if query.get("continue") == "2" and not gone:
                gone = True
                return status(410, "Expired", "too old", **{"continue": "2"})
            return None

        cluster.answer = answer
        found = ask(cluster, "k8s:prod")
    assert sorted(str(one.root.get("metadata", "name").value) for one in found.documents) == [f"d{n}" for n in range(5)]
    assert found.status == "complete"


def test_a_list_that_has_to_begin_anew_counts_nothing_twice(ask: Ask) -> None:
    many = [deployment(template(container()), name=f"d{n}") for n in range(5)]
    with Cluster(*many) as cluster:
        cluster.page = 2
        gone = False

        def answer(path: str, query: dict[str, str]) -> Any:
            nonlocal gone
            if query.get("continue") == "4" and not gone:
                gone = True
                return status(410, "Expired", "too old")
            return None

        cluster.answer = answer
        found = ask(cluster, "k8s:prod")
    assert sorted(str(one.root.get("metadata", "name").value) for one in found.documents) == [f"d{n}" for n in range(5)]


def test_a_list_that_is_always_too_old(ask: Ask) -> None:
    many = [deployment(template(container()), name=f"d{n}") for n in range(5)]
    with Cluster(*many) as cluster:
        cluster.page = 2
        cluster.answer = lambda path, query: status(410, "Expired", "too old") if query.get("continue") else None
        found = ask(cluster, "k8s:prod")
    assert found.status == "partial"
    assert "too old (410)" in found.reason
    assert len(found.documents) == 2, "the first page is kept"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "the answer is no list"),
        (b'{"items": 5}', "the answer is no list"),
        (b"[" * 100_000, "the answer is no list"),
        (b'{"items": [' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"]}", "the answer is no list"),
        (b'{"items": [null, 1, "x", [], {"metadata": 5}]}', "an object is not as expected"),
        (b'{"items": [{"metadata": {"name": "p", "labels": {"a": 1}}}]}', "an object is not as expected"),
        (b"\xff\xfe", "the answer is no list"),
        (b"", "the answer is no list"),
    ],
)
def test_answers_that_are_none(ask: Ask, body: bytes, said: str) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.answer = failing("/pods", (200, {}, body), ...)
        found = ask(cluster, "k8s:prod")
    assert found.status == "partial"
    assert said in found.reason
    assert "Deployment" in kinds(found)


def test_an_answer_that_was_garbled_once(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.answer = failing("/pods", (200, {}, b"<html>proxy error</html>"))
        assert ask(cluster, "k8s:prod").status == "complete"


def test_packed_answers() -> None:
    with Cluster() as cluster:
        cluster.answer = lambda path, query: (200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"a":1}'))
        one = server(cluster)
        assert one.get("/x") == b'{"a":1}'
        assert cluster.headers[0]["accept-encoding"] == "gzip"
        cluster.answer = lambda path, query: (200, {"Content-Encoding": "gzip"}, b"not packed")
        with pytest.raises(RequestError, match="not valid gzip"):
            one.get("/x", attempts=1)
        cluster.answer = lambda path, query: (200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 10_000_000))
        with pytest.raises(RequestError, match="larger than 100,000 bytes"):
            one.get("/x", limit=100_000)
        assert len(one.get("/x", limit=100_000, cut=True)) == 100_000
        one.close()


def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER", 60_000)
    monkeypatch.setattr(Server.get, "__kwdefaults__", {**(Server.get.__kwdefaults__ or {}), "limit": 60_000})
    many = [deployment(template(container("x" * 400)), name=f"d{n:03}") for n in range(120)]
    with Cluster(*many) as cluster:
        found = ask(cluster, "k8s:prod")
    assert found.status == "complete"
    assert len(found.documents) == 120


def chunks(forever: Any) -> Any:
    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        until = time.monotonic() + 20
        while time.monotonic() < until:
            forever(handler)

    return serve


def always(misbehave: Misbehave) -> Any:
    return lambda path, query: misbehave


def flood(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")


def test_a_server_that_streams_forever() -> None:
    with Cluster() as cluster:
        cluster.answer = lambda path, query: chunks(flood)
        one = server(cluster)
        with pytest.raises(RequestError, match="larger than 5,000,000 bytes"):
            one.get("/x", limit=5_000_000)
        assert len(one.get("/x", limit=1_000_000, cut=True)) == 1_000_000
        one.close()


def test_servers_that_drip_or_hang() -> None:
    event = time.monotonic

    def drip(handler: BaseHTTPRequestHandler) -> None:
        until = event() + 30
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while event() < until:
            handler.wfile.write(b" ")
            select(0.02)

    def hang(handler: BaseHTTPRequestHandler) -> None:
        select(30)

    def headers(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        until = event() + 30
        while event() < until:
            handler.wfile.write(b"X-A: b\r\n")
            select(0.02)

    import threading

    select = threading.Event().wait
    with Cluster() as cluster:
        for misbehave in (drip, hang, headers):
            cluster.answer = always(misbehave)
            one = server(cluster)
            began = event()
            with pytest.raises(RequestError):
                one.get("/x", seconds=0.4, attempts=1)
            assert event() - began < 8
            one.close()


def test_a_proxy_that_drips_its_headers_is_given_up() -> None:
    import socket
    import threading

    done = threading.Event()

    def drip(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            while not done.wait(0.02):
                client.sendall(b"X")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        place = Place(server="https://api.test", proxy_url=url)
        one = Server(Access(context="test", namespace="prod", cluster=place, user=User()), seconds=60)
        began = time.monotonic()
        try:
            with pytest.raises(RequestError):
                one.get("/x", seconds=0.4, attempts=1)
            assert time.monotonic() - began < 5
        finally:
            done.set()
            one.close()
            thread.join()


def test_the_time_for_everything(ask: Ask) -> None:
    import threading

    wait = threading.Event().wait

    def slow(path: str, query: dict[str, str]) -> Any:
        if path.endswith("/pods"):
            return lambda handler: wait(30)
        return None

    with Cluster(*rollout()) as cluster:
        cluster.answer = slow
        began = time.monotonic()
        found = ask(cluster, "k8s:prod?timeout=1")
    assert time.monotonic() - began < 20
    assert found.status == "partial"
    assert "not everything could be read within 1 seconds" in found.reason
    assert "Deployment" in kinds(found)


def test_connections_that_break(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.answer = failing(
            "/pods", lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
        )
        assert ask(cluster, "k8s:prod").status == "complete"
        cluster.answer = failing("/apis", lambda handler: handler.wfile.write(b"garbage\r\n\r\n"), ...)
        found = ask(cluster, "k8s:prod")
    assert found.status == "failed"
    assert "cannot be asked" in found.errors[0].message


def test_nobody_listens(ask: Ask) -> None:
    with Cluster() as cluster:
        pass
    found = ask(cluster, "k8s:prod")
    assert "refuses connections" in found.errors[0].message


def test_a_redirect_is_not_followed(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        cluster.answer = failing("/pods", (302, {"Location": "http://127.0.0.1:1/evil"}, b""), ...)
        found = ask(cluster, "k8s:prod")
    assert "(302)" in found.reason


def test_hostile_discovery(ask: Ask) -> None:
    for body in (
        b"[]",
        b'{"items": 5}',
        b"[" * 100_000,
        json.dumps({"items": [{"versions": [{"version": "../x"}]}]}).encode(),
    ):
        with Cluster(*rollout()) as cluster:
            cluster.answer = failing("/apis", (200, {}, body), ...)
            found = ask(cluster, "k8s:prod/deploy/llm")
        assert found.status in ("complete", "failed")
        assert not any("/../" in one for one in cluster.asked)
