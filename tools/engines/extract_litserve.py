"""Read LitServe's settings from its published releases, as text.

Nothing is imported or run. Settings are the keyword arguments of ``LitServer(…)``, of ``LitAPI(…)`` and of
``LitServer.run(…)``, with the defaults of their signatures; variables are those that the package reads.
"""

from __future__ import annotations

import ast
import pathlib
import re

from tools.engines.literals import Constants, literal
from tools.engines.reader import Content, Package, Reader, Things

_FILES = ("server.py", "api.py")
_METHODS = {
    ("LitServer", "__init__"): "LitServer", ("LitAPI", "__init__"): "LitAPI", ("LitServer", "run"): "run",
}  # fmt: skip
_VARIABLE = re.compile(r"(?:environ(?:\.get\(|\[)|getenv\()\s*[\"'](LIT[A-Z_]+)[\"']")


def signatures(text: str, path: str) -> Things:
    """The keyword arguments of the three, as ``LitServer.timeout``, with their defaults and lines."""
    found: Things = {}
    tree = ast.parse(text)
    constants = Constants(tree)
    for node in tree.body:
        for method in node.body if isinstance(node, ast.ClassDef) else ():
            if not isinstance(method, ast.FunctionDef) or not isinstance(node, ast.ClassDef):
                continue
            name = _METHODS.get((node.name, method.name))
            if name is None:
                continue
            given = method.args
            positional = given.args[len(given.args) - len(given.defaults) :]
            pairs = [
                *zip(positional, given.defaults, strict=True),
                *zip(given.kwonlyargs, given.kw_defaults, strict=True),
            ]
            for argument, default in pairs:
                state: dict[str, object] = {"at": f"{path}:{argument.lineno}"}
                known, value = literal(default, constants)
                if not known:
                    state["kind"] = "rule"
                elif value is not None:
                    state["value"] = value
                found[f"{name}.{argument.arg}"] = state
    return found


def read(folder: pathlib.Path) -> Content:
    """One release."""
    arguments: Things = {}
    variables: Things = {}
    for path in sorted(folder.rglob("*.py")):
        name = str(path.relative_to(folder))
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.name in _FILES and path.parent.name == "litserve":
            arguments.update(signatures(text, name))
        for match in _VARIABLE.finditer(text):
            variables.setdefault(match[1], {"at": f"{name}:{text.count(chr(10), 0, match.start()) + 1}"})
    return {"arguments": arguments, "variables": variables}


READER = Reader(engine="litserve", source=Package(name="litserve", oldest="0.1.0"), read=read)
