"""Read the model server of MLflow, and its gateway, from the published releases, as text.

Nothing is imported or run. Arguments are the options of ``mlflow models serve`` (``mlflow/models/cli.py``, which takes
them from ``mlflow/utils/cli_args.py``) and, behind ``gateway ``, of ``mlflow gateway start``; variables those of
``mlflow/environment_variables.py``. ``scoring server`` is the program that ``get_cmd`` starts.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import re

from tools.engines.clicked import add
from tools.engines.literals import Constants, literal
from tools.engines.reader import Content, Package, Reader, Things

_CLI, _ARGS, _VARIABLES = "mlflow/models/cli.py", "mlflow/utils/cli_args.py", "mlflow/environment_variables.py"
_SERVER, _CONTAINER = "mlflow/pyfunc/scoring_server/__init__.py", "mlflow/models/container/__init__.py"
_GATEWAYS = (("mlflow/gateway/cli.py", "start"), ("mlflow/deployments/cli.py", "start_server"))
_MAKERS = ("_EnvironmentVariable", "_BooleanEnvironmentVariable")
_SERVING = re.compile(
    "SCORING_SERVER|MODELS_WORKERS|GATEWAY|DEPLOYMENT|HUGGINGFACE|OPENAI|PREDICTION|PICKLE|CODE_EXECUTION|DISABLE_ENV"
)
# A variable that is read where it is used, and not declared.
_READ = re.compile(r"(?:getenv|environ\.get)\(\s*[\"'](MLFLOW_[A-Z_]+)[\"']")
_PROGRAM = re.compile(r"f\"(gunicorn|uvicorn) ")
_DIGESTS = ((_SERVER, "get_cmd"), (_CONTAINER, "_serve_pyfunc"))


def arguments(cli: str, shared: str, function: str, path: str) -> tuple[Things, Things]:
    """The options of one command, and their variables: those declared in place, and those of the shared module."""
    found: Things = {}
    variables: Things = {}
    tree, common = ast.parse(cli), Constants(ast.parse(shared))
    here = Constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or node.name != function:
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Attribute) and isinstance(common.get(decorator.attr), ast.Call):
                call = common[decorator.attr]
                assert isinstance(call, ast.Call)
                if isinstance(call.func, ast.Name):  # ENV_MANAGER = _create_env_manager_option(default=…)
                    found["--env-manager"] = _state(call, common, _ARGS)
                else:
                    add(call, common, _ARGS, found, variables)
            elif isinstance(decorator, ast.Call) and getattr(decorator.func, "attr", "") == "option":
                add(decorator, here, path, found, variables)
    return found, variables


def _state(call: ast.Call, constants: Constants, path: str) -> dict[str, object]:
    state: dict[str, object] = {"at": f"{path}:{call.lineno}"}
    node = next((one.value for one in call.keywords if one.arg == "default"), None)
    known, value = literal(node, constants)
    if known and value is not None:
        state["value"] = value
    elif isinstance(node, ast.Attribute):  # _EnvManager.VIRTUALENV, whose value is its name
        state["value"] = node.attr.lower()
    return state


def variables(text: str) -> Things:
    """Every variable that MLflow declares; of those of its servers also the default, where it is a literal."""
    found: Things = {}
    tree = ast.parse(text)
    constants = Constants(tree)
    for node in tree.body:
        call = node.value if isinstance(node, ast.Assign) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in _MAKERS:
            continue
        known, name = literal(call.args[0] if call.args else None, constants)
        if not known or not isinstance(name, str):
            continue
        state: dict[str, object] = {"at": f"{_VARIABLES}:{node.lineno}"}
        known, value = literal(call.args[-1] if len(call.args) > 1 else None, constants)
        if known and value is not None and _SERVING.search(name):
            state["value"] = value
        found[name] = state
    return found


def read(folder: pathlib.Path) -> Content:
    """One release."""

    def text(name: str) -> str:
        path = folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    shared = text(_ARGS)
    found, named = arguments(text(_CLI), shared, "serve", _CLI)
    for path, function in _GATEWAYS:
        of_gateway, _ = arguments(text(path), shared, function, path)
        for name, state in of_gateway.items():
            found.setdefault(f"gateway {name}", state)
    server = text(_SERVER)
    program = _PROGRAM.search(server)
    if program is not None:
        found["scoring server"] = {"at": f"{_SERVER}:{_line(server, program.start())}", "value": program[1]}
    container = text(_CONTAINER)
    for match in re.finditer(r"^(DEFAULT_\w+_PORT) = (\d+)", container, re.MULTILINE):
        at = f"{_CONTAINER}:{_line(container, match.start())}"
        found[f"container {match[1]}"] = {"at": at, "value": int(match[2])}
    declared = variables(text(_VARIABLES))
    for name, state in named.items():
        declared.setdefault(name, state)
    for name in ("GUNICORN_CMD_ARGS",):
        if name in server:
            declared[name] = {"at": f"{_SERVER}:{_line(server, server.find(name))}"}
    for file in sorted((folder / "mlflow").rglob("*.py")):
        source = file.read_text(encoding="utf-8", errors="replace")
        for match in _READ.finditer(source) if "MLFLOW_" in source else ():
            at = f"{file.relative_to(folder)}:{_line(source, match.start())}"
            declared.setdefault(match[1], {"at": at})
    if "DISABLE_NGINX" in container:
        declared["DISABLE_NGINX"] = {"at": f"{_CONTAINER}:{_line(container, container.find('DISABLE_NGINX'))}"}
    rules: Things = {}
    for name, function in _DIGESTS:
        for node in ast.parse(text(name)).body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                digest = hashlib.sha256(ast.unparse(node).encode()).hexdigest()[:12]
                rules[function] = {"at": f"{name}:{node.lineno}", "digest": digest}
    return {"arguments": found, "variables": declared, "rules": rules}


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


READER = Reader(engine="mlflow", source=Package(name="mlflow", oldest="2.0.0"), read=read)
