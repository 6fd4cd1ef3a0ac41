"""Read the arguments of the vLLM production stack's router from its releases, as text.

Nothing is imported or run: the source is parsed with ``ast``. Arguments are the ``add_argument`` calls of the router
and of its semantic cache; ``request timeout`` is how long the router waits for an engine's answer, which no argument
sets: the ``timeout`` that it gives the HTTP client of a request.
"""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

from tools.engines.reader import Content, Reader, Repository, Things

_ROOT = "src/vllm_router"
# The parser moved from router.py to parsers/parser.py, and the request from router.py to request_service/request.py.
_PARSERS = ("router.py", "parsers/parser.py", "parser.py", "experimental/semantic_cache_integration.py")
_REQUESTS = ("services/request_service/request.py", "router.py")
_SENDER = "process_request"


def read(root: pathlib.Path) -> Content:
    """What one release has: its arguments, and the time it gives an engine."""
    arguments: Things = {}
    for path in _PARSERS:
        for call in _calls(root / _ROOT / path, "add_argument"):
            name, entry = _argument(call, f"{_ROOT}/{path}:{call.lineno}")
            if name:
                arguments.setdefault(name, entry)
    for path in _REQUESTS:
        found = _timeout(root / _ROOT / path)
        if found is not None:
            value, line = found
            arguments["request timeout"] = {"value": value, "at": f"{_ROOT}/{path}:{line}"}
            break
    return {"arguments": arguments}


def _tree(path: pathlib.Path) -> ast.Module | None:
    return ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else None


def _calls(path: pathlib.Path, name: str) -> Iterator[ast.Call]:
    tree = _tree(path)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name:
            yield node


def _argument(call: ast.Call, at: str) -> tuple[str, dict[str, object]]:
    names = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    given = {word.arg: word.value for word in call.keywords if word.arg}
    action = _literal(given.get("action"))
    if not names or action == "version":
        return "", {}
    entry: dict[str, object] = {"at": at}
    if action == "store_true":
        entry |= {"takes": "switch", "value": False}
    else:
        entry["value"] = _literal(given.get("default"))
    return names[0], entry


def _literal(node: ast.expr | None) -> object:
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _timeout(path: pathlib.Path) -> tuple[object, int] | None:
    """The ``timeout`` of the request to an engine: None is no limit, whether of httpx or of aiohttp's total."""
    tree = _tree(path)
    for function in ast.walk(tree) if tree is not None else ():
        if not isinstance(function, ast.AsyncFunctionDef) or function.name != _SENDER:
            continue
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            for word in node.keywords:
                if word.arg == "timeout":
                    value = word.value
                    if isinstance(value, ast.Call):  # aiohttp.ClientTimeout(total=…)
                        value = next((one.value for one in value.keywords if one.arg == "total"), value)
                    seconds = _literal(value)
                    return ("unlimited" if seconds is None else seconds), word.value.lineno
    return None


READER = Reader(
    engine="production-stack-router",
    source=Repository(
        slug="vllm-project/production-stack",
        oldest="0.0.2",
        tags=r"vllm-stack-(\d+\.\d+\.\d+)",
        paths=(_ROOT,),
    ),
    read=read,
)
