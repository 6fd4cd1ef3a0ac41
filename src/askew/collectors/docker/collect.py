"""``docker:NAME``: what Docker or Podman runs under this name; ``docker:`` every container that runs.

The daemon is asked through its socket, with GET alone (docs.docker.com/reference/api/engine/; Podman answers the same
questions). Where there is no socket, ``docker inspect`` or ``podman inspect`` is run.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from askew.collectors import tools
from askew.collectors.interface import Capability, Evidence, Request
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

if TYPE_CHECKING:
    import socket

_SECONDS = 15.0
_LARGEST = 8 * 2**20  # one answer; what inspect says of a container has some tens of kB
_MOST = 200
_HINT = "name a container as `docker ps` does: docker:llm; or save what docker inspect NAME prints, and name the file"
_DEFAULT_SOCKET = "/var/run/docker.sock"

# A question to an engine: the kind of object and its name give the object as JSON; None for one that is not there.
Ask = Callable[[str, str], object]


class DockerCollector:
    """Containers of this machine, or of the daemon that DOCKER_HOST names."""

    name = "docker"
    schemes: tuple[str, ...] = ("docker",)
    capabilities: tuple[Capability, ...] = ("network", "exec")

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Ask for the container and its image. Never raises for what is answered."""
        reader = Reader(redactor)
        shown = f"docker:{request.target}"
        faults: list[str] = []
        for ask in _engines(faults):
            try:
                found = _containers(ask, request.target)
            except _AskError as error:
                faults.append(str(error))
                continue
            for container in found:
                _add(reader, ask, shown, container)
            if found:
                break
            faults.append(f"there is no container {request.target}" if request.target else "no container runs")
        if not reader.documents and not reader.errors:
            reader.fail(shown, "; ".join(dict.fromkeys(faults)) or "neither Docker nor Podman is here", _HINT)
        return reader.evidence(request.uri, "", "", platform="docker")


class _AskError(Exception):
    """Why an engine gives no answer."""


def _engines(faults: list[str]) -> Iterator[Ask]:
    """The engines to ask, the first that answers decides: that of DOCKER_HOST, the usual sockets, the programs."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        faults.append("DOCKER_HOST is no socket of this machine")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usual = (_DEFAULT_SOCKET, f"{runtime}/podman/podman.sock" if runtime else "", "/run/podman/podman.sock")
    sockets = (host.removeprefix("unix://"),) if host.startswith("unix://") else () if host else usual
    for path in sockets:
        if path and os.path.exists(path):
            yield lambda kind, name, path=path: _socket(path, kind, name)  # type: ignore[misc]
        elif path and host:
            faults.append(f"there is no socket {path}")
    for program in ("docker", "podman"):
        found = tools.find(program)
        if found is not None:
            yield lambda kind, name, found=found: _program(found, kind, name)  # type: ignore[misc]


def _containers(ask: Ask, name: str) -> list[dict[str, object]]:
    """The container of this name, or all that run. Raises _AskError."""
    if name:
        found = ask("container", name)
        return [found] if isinstance(found, dict) else []
    listed = ask("list", "")
    names = [one for one in listed if isinstance(one, str)][:_MOST] if isinstance(listed, list) else []
    objects = [ask("container", one) for one in names]
    return [one for one in objects if isinstance(one, dict)]


def _add(reader: Reader, ask: Ask, shown: str, container: dict[str, object]) -> None:
    """A container and its image as ``inspect`` prints them, so that lines are those of ``docker inspect NAME``."""
    reader.files += 1
    name = str(container.get("Name") or "").lstrip("/")
    source = f"docker:{name}" if name and name.isprintable() else shown
    reader.add_manifest(source, _printed(container), named=True)
    image = container.get("Image")
    if not isinstance(image, str) or not image:
        return
    try:
        found = ask("image", image)
    except _AskError as error:
        reader.notes.append(f"the image of {source} is not shown: {error}")
        return
    if isinstance(found, dict):
        reader.add_manifest(f"{source} image", _printed(found), named=True)


def _printed(found: object) -> bytes:
    return json.dumps([found], indent=4, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _decoded(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise _AskError("its answer is no JSON") from None


def _socket(path: str, kind: str, name: str) -> object:
    """Ask through a socket: one connection, one question, bounded in time and size."""
    import http.client
    import socket
    import threading

    paths = {
        "list": "/containers/json",
        "container": f"/containers/{quote(name, safe='')}/json",
        "image": f"/images/{quote(name, safe='')}/json",
    }
    connection = http.client.HTTPConnection("localhost", timeout=_SECONDS)
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    timer = threading.Timer(_SECONDS, _hang_up, (stream,))
    timer.start()
    try:
        stream.settimeout(_SECONDS)
        stream.connect(path)
        connection.sock = stream
        connection.request("GET", paths[kind], headers={"Accept": "application/json"})
        answer = connection.getresponse()
        parts: list[bytes] = []
        size = 0
        while part := answer.read1(65536):
            size += len(part)
            parts.append(part)
            if size > _LARGEST:
                raise _AskError(f"{path} answers with more than {_LARGEST:,} bytes")
        status = answer.status
    except (OSError, http.client.HTTPException, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise _AskError(f"{path} gives no answer: {said}") from None
    finally:
        timer.cancel()
        connection.close()
        stream.close()
    if status == 404:
        return None
    if status != 200:
        raise _AskError(f"{path} answers with status {status}")
    found = _decoded(b"".join(parts))
    if kind == "list":
        entries = found if isinstance(found, list) else []
        return [one.get("Id") for one in entries if isinstance(one, dict)]
    return found


def _hang_up(stream: socket.socket) -> None:
    """End a connection on which an answer comes byte by byte, for ever."""
    with contextlib.suppress(OSError):
        stream.shutdown(2)


def _program(path: str, kind: str, name: str) -> object:
    """Ask through the command line program, which knows contexts, remote daemons and containers without a daemon."""
    if name.startswith("-"):
        raise _AskError("a name does not begin with a hyphen")
    commands = {
        "list": ("ps", "--quiet", "--no-trunc"),
        "container": ("container", "inspect", name),
        "image": ("image", "inspect", name),
    }
    ended = tools.run((path, *commands[kind]), seconds=_SECONDS, limit=_LARGEST)
    tool = os.path.basename(path)
    if ended.fault:
        raise _AskError(ended.fault)
    if ended.status:
        said = ended.complaint.strip().splitlines()
        why = said[-1][:300] if said else f"{tool} ended with status {ended.status}"
        if "no such" in why.lower():
            return None
        raise _AskError(f"{tool}: {why}")
    if kind == "list":
        return ended.output.decode("utf-8", "replace").split()
    found = _decoded(ended.output)
    return found[0] if isinstance(found, list) and found else found


COLLECTOR = DockerCollector()
