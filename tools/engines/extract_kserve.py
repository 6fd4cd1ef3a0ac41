r"""Read the arguments, variables, metrics and pinned packages of KServe's model servers from their source, as text.

Nothing is imported or run::

    make refresh-engines ENGINES=kserve

Arguments are the ``add_argument`` calls of the SDK (``model_server.py``) and of each server's ``__main__.py``. Packages
are those of the servers' lock files; vLLM is what ``huggingface_server.Dockerfile`` installs after them.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import re
from collections.abc import Iterator, Mapping

from tools.engines.reader import Content, Reader, Repository, Things

SDK = "python/kserve/kserve"
FACE = "python/huggingfaceserver/huggingfaceserver"
SERVERS = (
    *("huggingfaceserver", "sklearnserver", "xgbserver", "lgbserver", "pmmlserver", "paddleserver", "predictiveserver"),
    "autogluonserver",
)
DOCKERFILE = "python/huggingface_server.Dockerfile"

# What an answer depends on, of each server's lock file. The servers run in images of their own.
_LOCKED: Mapping[str, tuple[str, ...]] = {
    "huggingfaceserver": ("transformers", "torch", "accelerate"),
    "sklearnserver": ("scikit-learn", "joblib"),
    "xgbserver": ("xgboost",),
    "lgbserver": ("lightgbm",),
    "pmmlserver": ("pypmml", "jpmml-evaluator"),
    "paddleserver": ("paddlepaddle",),
    "autogluonserver": ("autogluon-tabular", "autogluon-timeseries"),
}
_ENTRY = re.compile(r'^name = "([^"]+)"\nversion = "([^"]+)"', re.MULTILINE)
_ARG = re.compile(r"^ARG (VLLM|CUDA)_VERSION=(\d[\w.]*)\s*$", re.MULTILINE)
_OF_ANY_PROGRAM = ("HOME", "TMPDIR", "MPLCONFIGDIR")
# Functions that choose the back end and the dtype.
_RULES = ("is_vllm_backend_enabled", "load_model", "infer_vllm_supported_from_model_architecture", "start_engine")


def read(folder: pathlib.Path) -> Content:
    """One release."""
    return {
        "arguments": _arguments(folder),
        "variables": _variables(folder),
        "metrics": _metrics(folder),
        "packages": _packages(folder),
        "rules": _rules(folder),
    }


def _modules(folder: pathlib.Path, *below: str) -> Iterator[tuple[str, ast.Module]]:
    for start in below:
        home = folder / start
        files = [home] if home.is_file() else sorted(home.rglob("*.py"))
        for file in files:
            name = str(file.relative_to(folder))
            if "/test" in name or "/models/v1" in name or "/storage" in name:
                continue
            try:
                yield name, ast.parse(file.read_text(encoding="utf-8", errors="replace"))
            except SyntaxError:
                continue


def _constants(*modules: ast.Module) -> dict[str, object]:
    found: dict[str, object] = {}
    for module in modules:
        for node in module.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                try:
                    found[node.targets[0].id] = ast.literal_eval(node.value)
                except ValueError:
                    continue
    return found


def _arguments(folder: pathlib.Path) -> Things:
    shared = _constants(*(module for _, module in _modules(folder, f"{SDK}/constants/constants.py")))
    places = [f"{SDK}/model_server.py", *(f"python/{name}/{name}/__main__.py" for name in SERVERS)]
    found: Things = {}
    for path, module in _modules(folder, *places):
        known = {**shared, **_constants(module)}
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                names = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                if names and names[0].startswith("-") and names[0] not in found:
                    found[names[0]] = _argument(node, names, known, path)
    return found


def _argument(node: ast.Call, names: list[str], known: Mapping[str, object], path: str) -> dict[str, object]:
    given = {one.arg: one.value for one in node.keywords if one.arg}
    state: dict[str, object] = {"at": f"{path}:{node.lineno}"}
    if names[1:]:
        state["names"] = names[1:]
    action = given.get("action")
    if isinstance(action, ast.Constant) and action.value == "store_true":
        return {**state, "takes": "switch", "value": False}
    default = given.get("default")
    if isinstance(default, ast.Name):
        state["value"] = known.get(default.id)
        if default.id not in known:
            state["kind"] = "rule"
    elif default is not None:
        try:
            state["value"] = ast.literal_eval(default)
        except ValueError:
            state["kind"] = "rule"
    return {name: value for name, value in state.items() if value is not None}


def _variables(folder: pathlib.Path) -> Things:
    """Variables that a server reads by ``os.environ.get`` or ``os.getenv``, with their literal defaults."""
    found: Things = {}
    below = [SDK, *(f"python/{name}/{name}" for name in SERVERS)]
    for path, module in _modules(folder, *below):
        known = _constants(module)
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("os.environ.get", "os.getenv"):
                continue
            words: list[object] = []
            for one in node.args:
                try:
                    words.append(known.get(one.id) if isinstance(one, ast.Name) else ast.literal_eval(one))
                except ValueError:
                    words.append(None)
            if words and isinstance(words[0], str) and words[0] not in (*found, *_OF_ANY_PROGRAM):
                state: dict[str, object] = {"at": f"{path}:{node.lineno}"}
                if len(words) > 1 and words[1] is not None:
                    state["value"] = words[1]
                found[words[0]] = state
    return found


def _metrics(folder: pathlib.Path) -> Things:
    found: Things = {}
    for path, module in _modules(folder, SDK, *(f"python/{name}/{name}" for name in SERVERS)):
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            if node.func.id not in ("Histogram", "Counter", "Gauge", "Summary"):
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.setdefault(first.value, {"at": f"{path}:{node.lineno}"})
    return found


def _packages(folder: pathlib.Path) -> Things:
    found: Things = {}
    for server, wanted in _LOCKED.items():
        for name in ("uv.lock", "poetry.lock"):
            path = f"python/{server}/{name}"
            if not (folder / path).is_file():
                continue
            text = (folder / path).read_text(encoding="utf-8", errors="replace")
            seen = [(one[1], one[2], text[: one.start()].count("\n") + 2) for one in _ENTRY.finditer(text)]
            for package in wanted:
                pinned = [(version, line) for one, version, line in seen if one == package]
                if len(pinned) == 1:  # several are for several releases of Python
                    found.setdefault(package, {"value": pinned[0][0], "at": f"{path}:{pinned[0][1]}"})
            break
    docker = folder / DOCKERFILE
    if docker.is_file():
        text = docker.read_text(encoding="utf-8", errors="replace")
        for match in _ARG.finditer(text):
            line = text[: match.start()].count("\n") + 1
            found.setdefault(match[1].lower(), {"value": match[2], "at": f"{DOCKERFILE}:{line}"})
    return found


def _rules(folder: pathlib.Path) -> Things:
    found: Things = {}
    for path, module in _modules(folder, FACE):
        for node in ast.walk(module):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in _RULES:
                digest = hashlib.sha256(ast.unparse(node).encode()).hexdigest()[:12]
                found.setdefault(node.name, {"digest": digest, "at": f"{path}:{node.lineno}"})
    return found


READER = Reader(
    engine="kserve",
    source=Repository(
        slug="kserve/kserve",
        oldest="0.11.0",
        tags=r"v(\d+\.\d+\.\d+)",
        paths=(
            SDK,
            *(
                f"python/{name}/{part}"
                for name in SERVERS
                for part in (name, "poetry.lock", "uv.lock", "pyproject.toml")
            ),
            DOCKERFILE,
            "python/huggingface_server_cpu.Dockerfile",
        ),
    ),
    read=read,
)
