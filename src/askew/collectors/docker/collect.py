"""``docker:NAME``: what Docker or Podman runs under this name; ``docker:`` every container that runs.

The engine is only read: what it says of the container and of its image. Where the user allows it, what the container
logged (``--logs``, ``?logs=on``), and what commands that only read print in it (``--exec``, ``?exec=on``).
"""

from __future__ import annotations

import json

from askew.collectors.docker.engine import AskError, Engine, engines
from askew.collectors.interface import Capability, Evidence, Request, Text
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

_MOST = 200
_MOST_LOGGED = 2 * 2**20  # an engine says how it starts at the beginning of its log
_HINT = "name a container as `docker ps` does: docker:llm; or save what docker inspect NAME prints, and name the file"
# The maker of accelerators by what a container is given of them.
_VENDORS = {"nvidia": "nvidia", "gpu": "nvidia", "/dev/kfd": "amd", "amd.com": "amd", "habana": "intel"}


class DockerCollector:
    """Containers of this machine, or of the daemon that DOCKER_HOST names."""

    name = "docker"
    schemes: tuple[str, ...] = ("docker",)
    capabilities: tuple[Capability, ...] = ("network", "exec")
    takes = ("logs", "exec")

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Ask for the container and its image. Never raises for what is answered."""
        reader = Reader(redactor)
        shown = f"docker:{request.target}"
        for key, value in request.options:
            if key not in self.takes or value not in ("on", "off"):
                reader.fail(shown, f"'{key}={value}' is no option of docker:", "write docker:NAME?logs=on or ?exec=on")
                return reader.evidence(request.uri, "", "", platform="docker")
        faults: list[str] = []
        for engine in engines(faults):
            try:
                found = _containers(engine, request.target)
            except AskError as error:
                faults.append(str(error))
                continue
            for container in found:
                _add(reader, redactor, engine, shown, container, dict(request.options))
            if found:
                break
            faults.append(f"there is no container {request.target}" if request.target else "no container runs")
        if not reader.documents and not reader.errors:
            reader.fail(shown, "; ".join(dict.fromkeys(faults)) or "neither Docker nor Podman is here", _HINT)
        return reader.evidence(request.uri, "", "", platform="docker")


def _containers(engine: Engine, name: str) -> list[dict[str, object]]:
    """The container of this name, or all that run. Raises AskError."""
    if name:
        found = engine.ask("container", name)
        return [found] if isinstance(found, dict) else []
    listed = engine.ask("list")
    names = [one for one in listed if isinstance(one, str)][:_MOST] if isinstance(listed, list) else []
    objects = [engine.ask("container", one) for one in names]
    return [one for one in objects if isinstance(one, dict)]


def _add(
    reader: Reader,
    redactor: Redactor,
    engine: Engine,
    shown: str,
    container: dict[str, object],
    options: dict[str, str],
) -> None:
    """A container and its image as ``inspect`` prints them, so that lines are those of ``docker inspect NAME``; and
    what it says itself."""
    reader.files += 1
    name = str(container.get("Name") or "").lstrip("/")
    source = f"docker:{name}" if name and name.isprintable() else shown
    reader.add_manifest(source, _printed(container), named=True)
    image = container.get("Image")
    if isinstance(image, str) and image:
        try:
            found = engine.ask("image", image)
        except AskError as error:
            reader.notes.append(f"the image of {source} is not shown: {error}")
        else:
            if isinstance(found, dict):
                reader.add_manifest(f"{source} image", _printed(found), named=True)
    identifier = str(container.get("Id") or name)
    try:
        if options.get("logs") == "on":
            from askew.collectors.logs import clean_bytes

            log = engine.log(identifier, _MOST_LOGGED)
            if log.strip():
                text = clean_bytes(log, redactor, _MOST_LOGGED)
                reader.texts.append(Text(source=f"{source}/log", text=text))
        if options.get("exec") == "on" and _runs(container):
            _probe(reader, redactor, engine, identifier, source, container)
    except AskError as error:
        reader.notes.append(f"{source} did not say all: {error}")


def _probe(
    reader: Reader,
    redactor: Redactor,
    engine: Engine,
    identifier: str,
    source: str,
    container: dict[str, object],
) -> None:
    from askew.collectors.probes import PROBES, argv, text_of

    arguments = container.get("Args")
    launch = [word for word in arguments if isinstance(word, str)] if isinstance(arguments, list) else []
    given = json.dumps(container.get("HostConfig"))
    vendors = {vendor for mark, vendor in _VENDORS.items() if mark in given}
    for probe in PROBES:
        words = argv(probe, launch) if not probe.vendor or probe.vendor in vendors else ()
        output = engine.run(identifier, words, probe.seconds, probe.limit) if words else b""
        if output.strip():
            reader.texts.append(Text(source=f"{source}/exec/{probe.name}", text=text_of(probe, output, redactor)))


def _runs(container: dict[str, object]) -> bool:
    state = container.get("State")
    return isinstance(state, dict) and state.get("Running") is True


def _printed(found: object) -> bytes:
    return json.dumps([found], indent=4, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


COLLECTOR = DockerCollector()
