"""Read a release of Infinity from the text of its package: nothing is imported or run.

Arguments are the parameters of the function that typer makes the command of: ``v2`` of ``cli.py`` (of
``infinity_server.py`` until 0.0.73), before 0.0.34 ``start_uvicorn``. Their defaults are those of ``env.py``, which
reads ``INFINITY_*``.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import re
from collections.abc import Iterator

from tools.engines.reader import Content, Package, Reader, Things

HOME = "infinity_emb"
COMMANDS = ("v2", "_start_uvicorn", "start_uvicorn")
OLD_NAME = "--model-name-or-path"
# Variables of the libraries beneath, which read them whether Infinity does or not.
BENEATH = frozenset(("SENTENCE_TRANSFORMERS_HOME", "HF_HOME", "HF_TOKEN"))
RULES = {
    "inference/loading_strategy.py": ("get_loading_strategy_torch", "get_loading_strategy"),
    "args.py": ("__post_init__",),
    "transformer/embedder/sentence_transformer.py": ("__init__",),
}
REQUESTS = {
    "_OpenAIEmbeddingInput": "/embeddings",
    "_OpenAIEmbeddingInput_Text": "/embeddings",
    "OpenAIEmbeddingInput": "/embeddings",
    "RerankInput": "/rerank",
    "ClassifyInput": "/classify",
}
_READERS = ("_optional_infinity_var", "_optional_infinity_var_multiple", "_typed_multiple")


class _Source:
    """The parsed files of one release."""

    def __init__(self, root: pathlib.Path) -> None:
        self.trees: dict[str, ast.Module] = {}
        for file in sorted((root / HOME).rglob("*.py")):
            try:
                tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
            except SyntaxError:
                continue
            self.trees[file.relative_to(root).as_posix()] = tree
        self.enums = dict(self._enums())
        self.variables = self._variables()

    def _enums(self) -> Iterator[tuple[str, object]]:
        """Class of an enumeration → its default value."""
        for tree in self.trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    for item in node.body:
                        if isinstance(item, ast.FunctionDef) and item.name == "default_value":
                            yield node.name, self._returned(item)

    @staticmethod
    def _returned(function: ast.FunctionDef) -> object:
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                if isinstance(node.value, ast.Constant):
                    return node.value.value
                match = re.fullmatch(r"\w+\.(\w+)(?:\.\w+)?", ast.unparse(node.value))
                if match:
                    return match[1]
        return None

    def _variables(self) -> Things:
        """Everything that ``env.py`` reads: variable → its default and place."""
        found: Things = {}
        path = f"{HOME}/env.py"
        for node in ast.walk(self.trees.get(path, ast.Module([], []))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            first = node.args[0]
            if node.func.attr not in _READERS or not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                continue
            keywords = {one.arg: one.value for one in node.keywords if one.arg}
            given = keywords.get("default") or keywords.get("cls") or (node.args[1] if len(node.args) > 1 else None)
            value = self.value(given) if given is not None else ""
            if isinstance(given, ast.Name):
                value = self.enums.get(given.id)
            entry: dict[str, object] = {"at": f"{path}:{node.lineno}"}
            if value not in (None, ""):
                entry["value"] = value
            found["INFINITY_" + first.value.upper()] = entry
        return found

    def value(self, node: ast.expr) -> object:
        """A default as plain data; of a list its only element. None where it is not a literal."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List):
            return self.value(node.elts[0]) if len(node.elts) == 1 else None
        text = ast.unparse(node)
        held = re.fullmatch(r"(\w+)\.default_value\(\)", text)
        if held:
            return self.enums.get(held[1])
        named = re.search(r"MANAGER\.(\w+)|_construct\('(\w+)'\)", text)
        if named:
            entry = self.variables.get("INFINITY_" + (named[1] or named[2]).upper())
            return entry.get("value") if entry else None
        member = re.fullmatch(r"[\w.]+(?:\.names_enum\(\))?\.(\w+)\.name", text)
        if member:
            return member[1]
        return False if isinstance(node, ast.Name) and "CACHE" in node.id else None


def release(root: pathlib.Path) -> Content:
    """What one release has."""
    source = _Source(root)
    kinds = {
        "arguments": _arguments(source, root),
        "variables": _read_variables(source),
        "metrics": {},
        "requests": _requests(source),
        "packages": {},
        "rules": _rules(source, root),
    }
    return {kind: dict(sorted(things.items())) for kind, things in kinds.items()}


def _arguments(source: _Source, root: pathlib.Path) -> Things:
    for name in COMMANDS:
        for path, tree in source.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    found = dict(_parameters(source, path, node))
                    if "--model-id" in found and _takes_old_name(tree):
                        found["--model-id"]["names"] = ["--model-id", OLD_NAME]
                    return found
    raise SystemExit(f"{root}: no function {' or '.join(COMMANDS)}. Hint: give the unpacked package")


def _takes_old_name(tree: ast.Module) -> bool:
    """Whether the command ``v1``, which a call without a command meant until 0.0.74, stands beside ``v2``."""
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == "v1"
        and any(one.arg == "model_name_or_path" for one in node.args.args)
        for node in ast.walk(tree)
    )


def _parameters(source: _Source, path: str, function: ast.FunctionDef) -> Iterator[tuple[str, dict[str, object]]]:
    parameters = [*function.args.args, *function.args.kwonlyargs]
    defaults = [*function.args.defaults, *function.args.kw_defaults]
    for parameter, default in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True):
        kind = ast.unparse(parameter.annotation) if parameter.annotation else ""
        name = "--" + parameter.arg.replace("_", "-")
        entry: dict[str, object] = {"at": f"{path}:{parameter.lineno}", "names": [name]}
        entry["takes"] = "toggle" if "bool" in kind else "append" if kind.startswith("list[") else "value"
        value = source.value(default) if default is not None else None
        if value not in (None, ""):
            entry["value"] = _typed(value, kind)
        yield name, entry


def _typed(value: object, kind: str) -> object:
    if not isinstance(value, str):
        return value
    if "bool" in kind:
        return value.lower() in ("true", "1", "t", "yes", "y")
    return int(value) if "int" in kind and value.isdecimal() else value


def _read_variables(source: _Source) -> Things:
    """``INFINITY_*`` of ``env.py``, and what other code reads by ``os.getenv`` or ``os.environ``."""
    found = dict(source.variables)
    for path, tree in source.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and re.search(r"getenv$|environ\.get$", ast.unparse(node.func)) and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value not in BENEATH:
                    found.setdefault(first.value, {"at": f"{path}:{node.lineno}"})
    return found


def _requests(source: _Source) -> Things:
    found: Things = {}
    for path, tree in source.trees.items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.ClassDef) and node.name in REQUESTS):
                continue
            for item in node.body:
                if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
                    continue
                entry: dict[str, object] = {"at": f"{path}:{item.lineno}"}
                if isinstance(item.value, ast.Constant) and item.value.value is not None:
                    entry["value"] = item.value.value
                elif isinstance(item.value, ast.Attribute):
                    entry["value"] = item.value.attr
                found.setdefault(f"{REQUESTS[node.name]} {item.target.id}", entry)
    return found


def _rules(source: _Source, root: pathlib.Path) -> Things:
    found: Things = {}
    for name, functions in RULES.items():
        path = f"{HOME}/{name}"
        for node in ast.walk(source.trees.get(path, ast.Module([], []))):
            if isinstance(node, ast.FunctionDef) and node.name in functions:
                lines = (root / path).read_text(encoding="utf-8").split("\n")[node.lineno - 1 : node.end_lineno]
                code = re.sub(r"(?m)^\s*#.*$", "", "\n".join(lines))
                words = " ".join(re.findall(r"\w+|[^\w\s]", code))
                place = node.name if not node.name.startswith("__") else f"{name.rpartition('/')[2]} {node.name}"
                found.setdefault(
                    place,
                    {"at": f"{path}:{node.lineno}", "digest": hashlib.sha256(words.encode()).hexdigest()[:12]},
                )
    return found


READER = Reader(engine="infinity", source=Package(name="infinity-emb", oldest="0.0.4"), read=release)
