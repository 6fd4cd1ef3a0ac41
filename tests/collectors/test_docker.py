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
from askew.collectors.docker import collect
from askew.collectors.interface import Evidence, Request
from askew.evidence.redaction import Redactor
from tests.platforms.docker import inspected

CANARY = "canary-7a8b9c0d1e2f"
Answer = Callable[[str], tuple[int, bytes]]


class _Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    asked: list[str]


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

            def address_string(self) -> str:
                return "socket"

            def log_message(self, format: str, *args: object) -> None:
                pass

        path = tmp_path / "d.sock"
        server = _Daemon(str(path), Handler)
        server.asked = []
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
    monkeypatch.setattr(collect, "_LARGEST", 1000)
    daemon(lambda path: (200, b" " * 5000))
    assert "more than 1,000 bytes" in evidence("x").errors[0].message


def test_a_daemon_that_never_answers_is_left(daemon: Callable[[Answer], _Daemon], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collect, "_SECONDS", 0.3)

    def slow(path: str) -> tuple[int, bytes]:
        time.sleep(2)
        return 200, b"{}"

    daemon(slow)
    begin = time.monotonic()
    assert evidence("x").status == "failed" and time.monotonic() - begin < 1.5


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
    monkeypatch.setattr(collect, "_DEFAULT_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setattr(tools, "find", lambda *names: str(podman) if "podman" in names else None)
    assert evidence("stack-llm-1").status == "complete"
    assert "no container none" in evidence("none").errors[0].message


def test_neither_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = evidence("llm")
    assert found.status == "failed" and "no socket" in found.errors[0].message and found.errors[0].hint
