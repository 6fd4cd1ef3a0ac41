"""Read the flags and metrics of one release of TensorFlow Serving's model server from its source, as text.

Nothing is compiled or run. Flags are the calls ``tensorflow::Flag("name", &variable, "description")`` of
``model_servers/main.cc``; what one is when left out is what that variable is declared with, a member of
``Server::Options`` in ``server.h`` and its constructor. The image's own arguments and variables are in its
``Dockerfile``.
"""

from __future__ import annotations

import pathlib
import re

from tools.engines import cpp
from tools.engines.reader import Content, Reader, Repository, Things

HOME = "tensorflow_serving/"
OPTIONS, MADE, MAIN = "model_servers/server.h", "model_servers/server.cc", "model_servers/main.cc"
SOURCES = (OPTIONS, MADE, MAIN)
MEASURED = (
    *("batching/batching_session.cc", "batching/batching_util.h", "batching/batching_util.cc"),
    *("batching/tfrt_saved_model_with_batching.cc", "core/request_logger.cc"),
    *("servables/tensorflow/machine_learning_metadata.cc", "servables/tensorflow/saved_model_warmup.cc"),
    *("servables/tensorflow/saved_model_warmup_util.cc", "servables/tensorflow/util.cc"),
)
DOCKERFILE = "tools/docker/Dockerfile"
# tensorflow/cc/saved_model/tag_constants.h
_CONSTANTS = {"tensorflow::kSavedModelTagServe": "serve"}
_FLAG = re.compile(r'tensorflow::Flag\(\s*"(\w+)",\s*&([\w.]+),')
_METRIC = re.compile(r'"(/tensorflow/serving/[a-z_/]+[a-z])"')
_TASK = re.compile(r'batching_task_name,\s*"(/[a-z_]+)"')
_SET = re.compile(r"^ENV (MODEL_NAME|MODEL_BASE_PATH)[= ](\S+)\s*$", re.MULTILINE)
_GIVEN = re.compile(r"(--(?:rest_api_)?port)=(\d+)")


def _source(root: pathlib.Path, path: str) -> cpp.Source | None:
    file = root / HOME / path
    return cpp.Source(HOME + path, file.read_text(encoding="utf-8", errors="replace")) if file.is_file() else None


def flags(root: pathlib.Path) -> Things:
    """Every flag, with its default where one is declared."""
    main, declared, made = (_source(root, path) for path in (MAIN, OPTIONS, MADE))
    found: Things = {}
    for match in _FLAG.finditer(main.text) if main is not None else ():
        entry: dict[str, object] = {"at": main.at(match.start()) if main is not None else ""}
        member = match[2].rpartition(".")
        default = cpp.resolved(member[2], [one for one in ((declared if member[1] else main),) if one is not None])
        if default is None and made is not None:
            default = _in_constructor(made, member[2])
        if default is not None:
            literal, value, at = default
            entry["at"] = at
            if literal or value in _CONSTANTS:
                entry["value"] = value if literal else _CONSTANTS[str(value)]
            else:
                entry["kind"] = "rule"
        if isinstance(entry.get("value"), bool):
            entry["takes"] = "toggle"
        found.setdefault("--" + match[1], entry)
    return found


def _in_constructor(source: cpp.Source, member: str) -> tuple[bool, object, str] | None:
    block = re.search(r"Options::Options\(\)([^{]*)\{", source.text)
    found = re.search(rf"\b{member}\(([^()]*)\)", block[1]) if block is not None else None
    if block is None or found is None:
        return None
    literal, value = cpp.value(found[1])
    return literal, value, source.at(block.start(1) + found.start())


def image(root: pathlib.Path) -> Things:
    """What the image sets: variables, and the arguments of its entrypoint."""
    source = root / HOME / DOCKERFILE
    if not source.is_file():
        return {}
    text = source.read_text(encoding="utf-8")
    found: Things = {}
    for pattern, prefix in ((_SET, "image "), (_GIVEN, "image ")):
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            value: object = int(match[2]) if match[2].isdecimal() else match[2]
            found.setdefault(prefix + match[1], {"value": value, "at": f"{HOME}{DOCKERFILE}:{line}"})
    return found


def metrics(root: pathlib.Path) -> Things:
    """Every metric that the server itself makes, as the exporter for Prometheus spells it."""
    second = (root / HOME / "batching/tfrt_saved_model_with_batching.cc").is_file()
    found: Things = {}
    for path in MEASURED:
        source = _source(root, path)
        for match in _METRIC.finditer(source.text) if source is not None else ():
            found.setdefault(match[1].replace("/", ":"), {"at": source.at(match.start()) if source else ""})
        for match in _TASK.finditer(source.text) if source is not None else ():
            for task in ("batching_session", *(("saved_model_with_batching",) if second else ())):
                name = f":tensorflow:serving:{task}{match[1].replace('/', ':')}"
                found.setdefault(name, {"at": source.at(match.start()) if source else ""})
    return found


def read(root: pathlib.Path) -> Content:
    """One release."""
    return {"arguments": {**flags(root), **image(root)}, "metrics": metrics(root)}


READER = Reader(
    engine="tf-serving",
    source=Repository(
        slug="tensorflow/serving",
        oldest="1.11.0",
        tags=r"(\d+\.\d+\.\d+)",
        paths=tuple(HOME + path for path in (*SOURCES, *MEASURED, DOCKERFILE)),
    ),
    read=read,
)
