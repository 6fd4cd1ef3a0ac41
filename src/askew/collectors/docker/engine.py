"""Docker's or Podman's engine, asked through its socket or through its program.

Paths and streams of the socket: the Engine API, docs.docker.com/reference/api/engine/; Podman answers the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import quote

from askew.collectors import tools

SECONDS = 15.0
LARGEST = 8 * 2**20  # one answer; what inspect says of a container has some tens of kB
DEFAULT_SOCKET = "/var/run/docker.sock"
_FRAME = 8  # bytes before each part of a stream: which stream, three zeros, the length of the part


class AskError(Exception):
    """Why an engine gives no answer."""


class Engine(Protocol):
    """What can be asked. Everything raises AskError, and gives None or nothing for what is not there."""

    def ask(self, kind: str, name: str = "") -> object:
        """A ``container`` or an ``image`` as JSON, by its name; ``list``: the ids of all containers that run."""
        ...

    def log(self, name: str, limit: int) -> bytes:
        """The beginning of what a container wrote, up to a whole line where it wrote more."""
        ...

    def run(self, name: str, argv: Sequence[str], seconds: float, limit: int) -> bytes:
        """What a command prints inside a container."""
        ...


def engines(faults: list[str]) -> Iterator[Engine]:
    """The engines to ask, the first that answers decides: that of DOCKER_HOST, the usual sockets, the programs. What
    leads nowhere is added to ``faults``."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        faults.append("DOCKER_HOST is no socket of this machine")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usual = (DEFAULT_SOCKET, f"{runtime}/podman/podman.sock" if runtime else "", "/run/podman/podman.sock")
    sockets = (host.removeprefix("unix://"),) if host.startswith("unix://") else () if host else usual
    for path in sockets:
        if path and os.path.exists(path):
            yield _Socket(path)
        elif path and host:
            faults.append(f"there is no socket {path}")
    for program in ("docker", "podman"):
        found = tools.find(program)
        if found is not None:
            yield _Program(found)


class _Socket:
    """One connection and one question at a time, bounded in time and size."""

    def __init__(self, path: str) -> None:
        self._path = path

    def ask(self, kind: str, name: str = "") -> object:
        paths = {
            "list": "/containers/json",
            "container": f"/containers/{quote(name, safe='')}/json",
            "image": f"/images/{quote(name, safe='')}/json",
        }
        status, body = self._request("GET", paths[kind])
        if status == 404:
            return None
        if status != 200:
            raise AskError(f"{self._path} answers with status {status}")
        found = _decoded(body)
        if kind == "list":
            entries = found if isinstance(found, list) else []
            return [one.get("Id") for one in entries if isinstance(one, dict)]
        return found

    def log(self, name: str, limit: int) -> bytes:
        path = f"/containers/{quote(name, safe='')}/logs?stdout=1&stderr=1"
        status, body = self._request("GET", path, limit=limit, cut=True)
        log = _unframed(body) if status == 200 else b""
        return log if len(body) < limit else log[: log.rfind(b"\n") + 1]

    def run(self, name: str, argv: Sequence[str], seconds: float, limit: int) -> bytes:
        asked = {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": False, "Tty": False}
        status, body = self._request("POST", f"/containers/{quote(name, safe='')}/exec", asked)
        made = _decoded(body) if status in (200, 201) else None
        identifier = made.get("Id") if isinstance(made, dict) else None
        if not isinstance(identifier, str):
            raise AskError(f"{self._path} starts no command: status {status}")
        path = f"/exec/{quote(identifier, safe='')}/start"
        started = {"Detach": False, "Tty": False}
        status, body = self._request("POST", path, started, seconds=seconds, limit=limit, cut=True)
        return _unframed(body) if status == 200 else b""

    def _request(
        self,
        method: str,
        path: str,
        asked: object = None,
        *,
        seconds: float = 0.0,
        limit: int = 0,
        cut: bool = False,
    ) -> tuple[int, bytes]:
        """The status and the body of an answer; of one larger than ``limit`` the beginning, or of
        one that does not end in time, where it may be ``cut``."""
        import http.client
        import socket
        import time

        from askew.collectors.connections import timed

        seconds, limit = seconds or SECONDS, limit or LARGEST
        connection = http.client.HTTPConnection("localhost", timeout=seconds)
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        deadline = time.monotonic() + seconds
        timed(connection, lambda: deadline, seconds)
        try:
            stream.settimeout(seconds)
            stream.connect(self._path)
            connection.sock = stream
            headers = {"Accept": "application/json", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(asked) if asked is not None else None, headers)
            answer = connection.getresponse()
            parts: list[bytes] = []
            size = 0
            try:
                while size <= limit and (part := answer.read1(65536)):
                    size += len(part)
                    parts.append(part)
            except TimeoutError:
                if not cut:
                    raise
            if size > limit and not cut:
                raise AskError(f"{self._path} answers with more than {limit:,} bytes")
            return answer.status, b"".join(parts)[:limit]
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise AskError(f"{self._path} gives no answer: {said or type(error).__name__}") from None
        finally:
            connection.close()
            stream.close()


def _unframed(body: bytes) -> bytes:
    """A stream without the headers between its parts; a container with a terminal writes none."""
    parts: list[bytes] = []
    at = 0
    while at + _FRAME <= len(body):
        kind, zeros, length = body[at], body[at + 1 : at + 4], int.from_bytes(body[at + 4 : at + _FRAME], "big")
        if kind > 2 or zeros != b"\0\0\0":
            return body if not parts else b"".join(parts)
        parts.append(body[at + _FRAME : at + _FRAME + length])
        at += _FRAME + length
    return b"".join(parts) if parts else body


class _Program:
    """The command line program, which knows contexts, remote daemons and containers without a daemon."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tool = os.path.basename(path)

    def ask(self, kind: str, name: str = "") -> object:
        commands = {
            "list": ("ps", "--quiet", "--no-trunc"),
            "container": ("container", "inspect", name),
            "image": ("image", "inspect", name),
        }
        ended = self._ended(name, commands[kind])
        if ended.status:
            said = ended.complaint.strip().splitlines()
            why = said[-1][:300] if said else f"{self._tool} ended with status {ended.status}"
            if "no such" in why.lower():
                return None
            raise AskError(f"{self._tool}: {why}")
        if kind == "list":
            return ended.output.decode("utf-8", "replace").split()
        found = _decoded(ended.output)
        return found[0] if isinstance(found, list) and found else found

    def log(self, name: str, limit: int) -> bytes:
        # Both streams of the container in their order; the shell is told no word of anybody.
        script = 'exec "$0" logs "$1" 2>&1'
        ended = tools.run(("sh", "-c", script, self._path, name), seconds=SECONDS, limit=limit * 4)
        return ended.output[:limit] if not ended.status or ended.fault else b""

    def run(self, name: str, argv: Sequence[str], seconds: float, limit: int) -> bytes:
        return self._ended(name, ("exec", name, *argv), seconds, limit).output

    def _ended(self, name: str, words: Sequence[str], seconds: float = SECONDS, limit: int = LARGEST) -> tools.Ended:
        if name.startswith("-"):
            raise AskError("a name does not begin with a hyphen")
        ended = tools.run((self._path, *words), seconds=seconds, limit=limit)
        if ended.fault:
            raise AskError(ended.fault)
        return ended


def _decoded(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise AskError("its answer is no JSON") from None
