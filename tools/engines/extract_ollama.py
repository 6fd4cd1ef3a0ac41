r"""Read the variables and defaults of Ollama's server from its source, as text.

Nothing is compiled or run; ``tools.engines.releases`` calls this for every tag. Variables are those of
``envconfig/config.go``, before 0.1.34 those that the server's own files ask for; what a request gets that names nothing
is ``DefaultOptions`` of ``api/types.go``; ``Dockerfile`` sets the address that the image listens on.
"""

from __future__ import annotations

import pathlib
import re
from typing import Any

from tools.engines.reader import Content, Reader, Repository

CONFIGS, TYPES, DOCKERFILE = ("envconfig/config.go", "server/envconfig/config.go"), "api/types.go", "Dockerfile"
# Where the server asked for its variables before they had a file.
ASKING = (
    *("api/client.go", "cmd/cmd.go", "server/images.go", "server/modelpath.go", "server/routes.go", "server/sched.go"),
    *("gpu/assets.go", "gpu/gpu.go", "llm/llm.go", "llm/memory.go", "llm/server.go"),
)

_CALL = re.compile(r'(Uint64|Uint|BoolWithDefault|Bool|String)\("((?:OLLAMA|LLAMA)_[A-Z_]+)"(?:,\s*([\w.]+))?\)')
_NAME = re.compile(r'"((?:OLLAMA|LLAMA)_[A-Z_]+)"')
_OPTIONS = re.compile(r"func DefaultOptions\(\) Options \{\n(.*?)\n\}\n", re.DOTALL)
_OPTION = re.compile(r"^\s*(\w+):\s*([^,\n{]+),", re.MULTILINE)
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?|true|false")
_STRUCT = re.compile(r"^type (?:Options|Runner) struct \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r'^\s*(\w+)\s+\*?[\w\[\]]+\s+`json:"(\w+)', re.MULTILINE)
_ASKED = re.compile(r'os\.Getenv\("((?:OLLAMA|LLAMA)_[A-Z_]+)"')
# 0.1.33 asks for it in two places, each with this before it.
_SLOTS = re.compile(r"^(?:var |\t)numParallel :?= (\d+)", re.MULTILINE)
# Until 0.3.0 an initialiser sets these before the variables are looked at.
_INITIAL = re.compile(r"^\t(NumParallel|MaxRunners|MaxQueuedRequests) = (\d+)", re.MULTILINE)
_INITIALS = {
    "NumParallel": "OLLAMA_NUM_PARALLEL",
    "MaxRunners": "OLLAMA_MAX_LOADED_MODELS",
    "MaxQueuedRequests": "OLLAMA_MAX_QUEUE",
}
_HOST = re.compile(r"^ENV OLLAMA_HOST[= ]([\w.:]+)\s*$", re.MULTILINE)


def variables(text: str, path: str = CONFIGS[0]) -> dict[str, dict[str, Any]]:
    """Every variable that the server reads: its default where it is a literal, and its line."""
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for kind, name, default in _CALL.findall(line):
            entry: dict[str, Any] = {"at": f"{path}:{number}"}
            if kind in ("Uint", "Uint64") and default.isdecimal():
                entry["value"] = int(default)
            elif kind == "Bool":
                entry["value"] = False
            elif kind == "BoolWithDefault":
                entry["kind"] = "rule"
            if name not in found or "value" not in found[name]:
                found[name] = entry
    for number, line in enumerate(text.split("\n"), 1):
        for name in _NAME.findall(line):
            found.setdefault(name, {"at": f"{path}:{number}", "kind": "rule"})
    for match in _INITIAL.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        found[_INITIALS[match[1]]] = {"at": f"{path}:{number}", "value": int(match[2])}
    return found


def asked(root: pathlib.Path) -> dict[str, dict[str, Any]]:
    """The variables of releases that have no file for them; what they are where they are not set stands elsewhere."""
    found: dict[str, dict[str, Any]] = {}
    for path in ASKING:
        for number, line in enumerate(_text(root, path).split("\n"), 1):
            for name in _ASKED.findall(line):
                found.setdefault(name, {"at": f"{path}:{number}", "kind": "rule"})
        if (slots := _SLOTS.search(_text(root, path))) is not None and "OLLAMA_NUM_PARALLEL" in found:
            above = _text(root, path).count("\n", 0, slots.start())
            found["OLLAMA_NUM_PARALLEL"] = {"at": f"{path}:{above + 1}", "value": int(slots[1])}
    return found


def _text(root: pathlib.Path, path: str) -> str:
    file = root / path
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def options(text: str) -> dict[str, dict[str, Any]]:
    """What a request gets that names nothing, by the name of the API."""
    body = _OPTIONS.search(text)
    if body is None:
        return {}
    fields = {
        field[1]: (field[2], _place(text, struct.start(1) + field.start(1)))
        for struct in _STRUCT.finditer(text)
        for field in _FIELD.finditer(struct[1])
    }
    # A field that nothing sets is decided where it is used.
    found: dict[str, dict[str, Any]] = {name: {"at": at, "kind": "rule"} for name, at in fields.values()}
    for match in _OPTION.finditer(body[1]):
        if match[1] not in fields:
            continue
        entry: dict[str, Any] = {"at": _place(text, body.start(1) + match.start(1))}
        raw = match[2].strip()
        if _LITERAL.fullmatch(raw) is None:
            entry["kind"] = "rule"
        elif raw in ("true", "false"):
            entry["value"] = raw == "true"
        else:
            entry["value"] = float(raw) if "." in raw else int(raw)
        found[fields[match[1]][0]] = entry
    return found


def _place(text: str, offset: int) -> str:
    return f"{TYPES}:{text.count(chr(10), 0, offset) + 1}"


def release(root: pathlib.Path) -> Content:
    """What one release has."""
    path = next((one for one in CONFIGS if (root / one).is_file()), "")
    types = options(_text(root, TYPES))
    docker = _text(root, DOCKERFILE)
    host = list(_HOST.finditer(docker))
    if host:
        line = docker[: host[-1].start()].count("\n") + 1
        # envconfig gives an address without a port this one.
        address = host[-1][1] if ":" in host[-1][1] else f"{host[-1][1]}:11434"
        types["image OLLAMA_HOST"] = {"at": f"{DOCKERFILE}:{line}", "value": address}
    # The file for them held not all of them before it moved to its present place.
    found = asked(root) if path != CONFIGS[0] else {}
    return {"arguments": types, "variables": found | (variables(_text(root, path), path) if path else {})}


READER = Reader(
    engine="ollama",
    source=Repository(
        slug="ollama/ollama",
        oldest="0.1.0",
        tags=r"v(\d+\.\d+\.\d+)",
        paths=(*CONFIGS, TYPES, DOCKERFILE, *ASKING),
    ),
    read=release,
)
