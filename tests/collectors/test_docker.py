"""Containers asked for through the daemon's socket, or through the programs."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from askew.app.load import load
from askew.collectors import tools
from askew.collectors.docker import collect, engine
from askew.collectors.interface import Evidence, Request
from askew.evidence.redaction import Redactor
from tests.platforms.docker import inspected

CANARY = "canary-7a8b9c0d1e2f"
Answer = Callable[[str], tuple[int, bytes]]


class _Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    asked: list[str]
    posted: list[dict[str, object]]

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked hung up: that is what some of these tests are about."""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], _Daemon]]:
    servers: list[_Daemon] = []

    def start(answer: Answer) -> _Daemon:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                status, body = answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.do_GET()

            def address_string(self) -> str:
                return "socket"

            def log_message(self, format: str, *args: object) -> None:
                pass

        path = tmp_path / "d.sock"
        server = _Daemon(str(path), Handler)
        server.asked, server.posted = [], []
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        monkeypatch.setenv("PATH", str(tmp_path))  # no docker, no podman
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def evidence(target: str) -> Evidence:
    return collect.COLLECTOR.collect(Request(uri=f"docker:{target}", scheme="docker", target=target), Redactor(b"key"))


def real(path: str) -> tuple[int, bytes]:
    if path == "/containers/json":
        return 200, json.dumps([{"Id": "stack-llm-1", "Names": ["/stack-llm-1"]}]).encode()
    if path == "/containers/stack-llm-1/json":
        return 200, json.dumps(inspected.container()).encode()
    if path.startswith("/images/sha256%3A"):
        return 200, json.dumps(inspected.IMAGE).encode()
    return 404, b'{"message": "No such container"}'


@pytest.mark.parametrize("target", ["stack-llm-1", ""])
def test_a_container_is_asked_for_with_get_alone(daemon: Callable[[Answer], _Daemon], target: str):
    server = daemon(real)
    side = load(f"docker:{target}", "target", Redactor(b"key"))
    (snapshot,) = side.snapshots
    assert snapshot.engine is not None and snapshot.engine.name == "vllm"
    assert snapshot.facts["runtime.image.digest"].value == inspected.DIGEST
    place = snapshot.facts["runtime.tensor_parallel_size"].locations[0]
    assert place.source == "docker:stack-llm-1" and "Args[" in place.path
    lines = json.dumps([inspected.container()], indent=4).splitlines()
    assert [line.strip(" ,") for line in lines[place.line - 2 : place.line]] == ['"--tensor-parallel-size"', '"2"']
    assert set(server.asked) <= {"/containers/json", "/containers/stack-llm-1/json",
                                 f"/images/{inspected.IMAGE_ID.replace(':', '%3A')}/json"}  # fmt: skip


def framed(*parts: tuple[int, bytes]) -> bytes:
    return b"".join(bytes([stream, 0, 0, 0]) + len(part).to_bytes(4, "big") + part for stream, part in parts)


def test_its_log_and_what_commands_print_in_it_where_that_is_allowed(daemon: Callable[[Answer], _Daemon]):
    log = b"INFO 03-02 09:00:00 [api_server.py:1] vLLM API server version 0.8.5\n"
    made = inspected.container()

    def answer(path: str) -> tuple[int, bytes]:
        if path.endswith("/logs?stdout=1&stderr=1"):
            return 200, framed((2, log), (1, f"HF_TOKEN={CANARY}\n".encode()))
        if path.endswith("/exec"):
            ran.append(server.posted[-1]["Cmd"])
            return 201, b'{"Id": "e1"}'
        if path == "/exec/e1/start":
            shm = b"tmpfs 33554432 0 33554432 0% /dev/shm\n"
            return 200, framed((1, shm)) if ran[-1] == ["df", "-kP", "/dev/shm"] else b""
        return (200, json.dumps(made).encode()) if "containers" in path else (404, b"{}")

    ran: list[object] = []
    server = daemon(answer)
    request = Request(uri="docker:x", scheme="docker", target="x", options=(("logs", "on"), ("exec", "on")))
    found = collect.COLLECTOR.collect(request, Redactor(b"key"))
    texts = {text.source: text.text for text in found.texts}
    assert texts["docker:stack-llm-1/log"].startswith("INFO 03-02") and CANARY not in repr(found)
    assert ["nvidia-smi", "-q", "-x"] in ran and not any("rocm-smi" in str(one) for one in ran)
    side = load("docker:x?logs=on&exec=on", "target", Redactor(b"key"))
    facts = side.snapshots[0].facts
    assert facts["orchestration.shm.bytes"].value == 32 * 2**30 and facts["orchestration.shm.bytes"].basis == "seen"
    assert side.snapshots[0].workload.told[0].kind == "log"
    server.asked.clear()
    load("docker:x", "target", Redactor(b"key"))
    assert not any("exec" in path or "logs" in path for path in server.asked)


def test_streams_that_are_none_are_taken_as_they_are():
    assert engine._unframed(b"plain text of a terminal") == b"plain text of a terminal"
    assert engine._unframed(framed((1, b"a"), (2, b"b"))) == b"ab"
    assert engine._unframed(framed((1, b"abcdef"))[:-2]) == b"abcd"
    assert engine._unframed(b"") == b""


def test_a_container_that_is_not_there(daemon: Callable[[Answer], _Daemon]):
    daemon(real)
    found = evidence("other")
    assert found.status == "failed" and "no container other" in found.errors[0].message


@pytest.mark.parametrize("name", ["../images/x", "a?all=1", "--help", "a b", "é"])
def test_a_name_is_only_a_name(daemon: Callable[[Answer], _Daemon], name: str):
    server = daemon(real)
    assert evidence(name).status == "failed"
    assert all(path.count("/") == 3 and "?" not in path for path in server.asked)


@pytest.mark.parametrize("answer", [
    (500, b"{}"), (200, b"<html>"), (200, b"[" * 100_000), (200, b"null"), (200, b'"text"'), (200, b"{}"),
    (200, b'{"Config": {}, "HostConfig": {}, "Id": "x", "Image": "y"}'),
])  # fmt: skip
def test_hostile_answers(daemon: Callable[[Answer], _Daemon], answer: tuple[int, bytes]):
    daemon(lambda path: answer)
    for target in ("x", ""):
        side = load(f"docker:{target}", "target", Redactor(b"key"))
        assert side.errors or side.snapshots


def test_an_answer_without_end_is_cut_off(daemon: Callable[[Answer], _Daemon], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "LARGEST", 1000)
    daemon(lambda path: (200, b" " * 5000))
    assert "more than 1,000 bytes" in evidence("x").errors[0].message


def test_a_daemon_that_never_answers_is_left(daemon: Callable[[Answer], _Daemon], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "SECONDS", 0.3)

    def slow(path: str) -> tuple[int, bytes]:
        time.sleep(2)
        return 200, b"{}"

    daemon(slow)
    begin = time.monotonic()
    assert evidence("x").status == "failed" and time.monotonic() - begin < 1.5


def test_a_log_that_is_cut_off_ends_with_a_whole_line(daemon: Callable[[Answer], _Daemon]):
    log = framed((1, b"INFO one\n"), (2, b"INFO two\n"), (1, b"hf_abcdefghijklmnop1234\n"))
    server = daemon(lambda path: (200, log))
    asked = engine._Socket(str(server.server_address))
    assert asked.log("x", len(log) - 5) == b"INFO one\nINFO two\n"
    assert asked.log("x", len(log) + 1).count(b"\n") == 3


def test_a_daemon_that_drips_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each byte comes in time, the whole never does: what came of a log counts, and no answer is waited for."""
    monkeypatch.setattr(engine, "SECONDS", 0.4)
    done = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not done.wait(0.02):
                self.request.sendall(b"x")

    with _Daemon(str(tmp_path / "drip.sock"), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        asked = engine._Socket(str(tmp_path / "drip.sock"))
        begin = time.monotonic()
        with pytest.raises(engine.AskError, match="time"):
            asked.ask("container", "x")
        assert asked.log("x", 1000).strip(b"x") == b""
        assert time.monotonic() - begin < 3
        done.set()
        server.shutdown()


def test_no_secret_comes_through(daemon: Callable[[Answer], _Daemon]):
    made = inspected.container(
        Args=[*inspected.CONTAINER["Args"], "--api-key", CANARY],
        config={"Env": [f"HF_TOKEN={CANARY}"], "Cmd": ["--api-key", CANARY]},
    )
    daemon(lambda path: (200, json.dumps(made).encode()) if "containers" in path else (404, b"{}"))
    found = evidence("x")
    assert found.documents and CANARY not in "\n".join(line for one in found.documents for line in one.lines)
    assert CANARY not in repr(load("docker:x", "target", Redactor(b"key")).snapshots)


def test_the_program_is_asked_where_there_is_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "container.json").write_text(json.dumps([inspected.container()]))
    (tmp_path / "image.json").write_text(json.dumps([inspected.IMAGE]))
    podman = tmp_path / "podman"
    podman.write_text(
        '#!/bin/sh\n[ "$2" = inspect ] || exit 9\n'
        '[ "$3" = none ] && echo "Error: no such container none" >&2 && exit 1\n'
        f"exec cat {tmp_path}/$1.json\n"
    )
    podman.chmod(0o755)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(engine, "DEFAULT_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setattr(tools, "find", lambda *names: str(podman) if "podman" in names else None)
    assert evidence("stack-llm-1").status == "complete"
    assert "no container none" in evidence("none").errors[0].message


def test_neither_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = evidence("llm")
    assert found.status == "failed" and "no socket" in found.errors[0].message and found.errors[0].hint
