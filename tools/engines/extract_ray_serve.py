r"""Read the options, variables, metrics and pinned packages of Ray Serve and Ray Serve LLM from Ray's wheels, as text.

Nothing is imported or run::

    make refresh-engines ENGINES=ray-serve

Options of a deployment are the fields of ``DeploymentConfig`` and of the classes of ``ray/serve/config.py``; those of a
configuration file are of ``ray/serve/schema.py``. What Ray Serve LLM sets in their stead begins with ``llm.``.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import re
from collections.abc import Iterator, Mapping

from tools.engines.reader import Content, Package, Reader, Things

# Class → (file, what stands before the names of its fields).
_CLASSES: Mapping[str, tuple[str, str]] = {
    "DeploymentConfig": ("ray/serve/_private/config.py", ""),
    "AutoscalingConfig": ("ray/serve/config.py", "autoscaling_config."),
    "RequestRouterConfig": ("ray/serve/config.py", "request_router_config."),
    "HTTPOptionsSchema": ("ray/serve/schema.py", "http_options."),
    "gRPCOptionsSchema": ("ray/serve/schema.py", "grpc_options."),
}
# What a configuration file may have under a name that the deployment's own options no longer have.
_OLD_NAMES = ("max_concurrent_queries",)
_OF_MODELS = tuple(
    f"autoscaling_config.{name}"
    for name in ("initial_replicas", "max_replicas", "min_replicas", "target_ongoing_requests")
)
_INTERNAL = frozenset(
    ("is_cross_language", "deployment_language", "version", "user_configured_option_names", "class_name")
)
_LLM = "ray/llm/_internal/serve"
_ENVIRONMENT = re.compile(r"(?:os\.)?(?:environ\.get|getenv)|get_env_(?:int|float|bool|str)\w*")
_REQUIRES = re.compile(
    r"^Requires-Dist: vllm(?:\[\w+\])?\s*\(?([=>]=)\s*([\d.]+\w*)\)?\s*; extra == ['\"]llm['\"]", re.MULTILINE
)
_RULES = ("get_initialization_kwargs", "get_deployment_options", "get_serve_options", "_normalize_vllm_engine_kwargs")


class _UnknownError(Exception):
    """An expression whose value the text does not tell."""


def read(folder: pathlib.Path) -> Content:
    """One release."""
    modules = dict(_modules(folder))
    known = _known(modules)
    return {
        "arguments": _options(modules, known),
        "variables": _variables(modules, known),
        "metrics": _metrics(modules),
        "packages": _packages(folder),
        "rules": _rules(modules),
    }


def _modules(folder: pathlib.Path) -> Iterator[tuple[str, ast.Module]]:
    for start in ("ray/serve", "ray/llm/_internal"):
        for file in sorted((folder / start).rglob("*.py")):
            name = str(file.relative_to(folder))
            if "/test" in name or "/generated/" in name or "/batch/" in name:
                continue
            try:
                yield name, ast.parse(file.read_text(encoding="utf-8", errors="replace"))
            except SyntaxError:
                continue


def _known(modules: Mapping[str, ast.Module]) -> dict[str, object]:
    """The constants of Ray Serve and of Ray Serve LLM; the latter under ``llm.``, since both have some."""
    found: dict[str, object] = {}
    for name, module in modules.items():
        if name.endswith(("serve/_private/constants.py", "serve/config.py", "_internal/serve/constants.py")) or (
            name.endswith("/constants.py") and name.startswith(_LLM)
        ):
            mine: dict[str, object] = {}
            for node in module.body:
                target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
                value = getattr(node, "value", None)
                if isinstance(target, ast.Name) and isinstance(value, ast.expr):
                    try:
                        mine[target.id] = _value(value, {**found, **mine})
                    except _UnknownError:
                        continue
            before = "llm." if name.startswith(_LLM) else ""
            found.update({before + key: value for key, value in mine.items()})
    return found


def _value(node: ast.expr, known: Mapping[str, object]) -> object:
    """The value of an expression as far as it is written: a variable of the environment is not set."""
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        values = [_value(one, known) for one in node.values]
        return next((one for one in values if one), values[-1])
    if isinstance(node, ast.Dict):
        return {str(_value(k, known)): _value(v, known) for k, v in zip(node.keys, node.values, strict=True) if k}
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name in ("int", "float", "str") and len(node.args) == 1:
            held = _value(node.args[0], known)
            if name == "str":
                return str(held)
            try:
                number = float(str(held))
            except ValueError as error:
                raise _UnknownError from error
            return int(number) if name == "int" else number
        if _ENVIRONMENT.fullmatch(name):
            if len(node.args) < 2:
                return None
            held = _value(node.args[1], known)
            if "bool" in name:
                return held == "1"
            return int(str(held)) if "int" in name and held is not None else held
    try:
        held = ast.literal_eval(node)
    except ValueError as error:
        raise _UnknownError from error
    return list(held) if isinstance(held, (list, tuple)) else held


def _options(modules: Mapping[str, ast.Module], known: Mapping[str, object]) -> Things:
    found: Things = {}
    for title, (path, before) in _CLASSES.items():
        for node in ast.walk(modules.get(path, ast.Module(body=[], type_ignores=[]))):
            if isinstance(node, ast.ClassDef) and node.name == title:
                for name, state in _fields(node, known, path):
                    found[before + name] = state
                if title == "AutoscalingConfig":
                    found.update(_automatic(node, known, path))
    path = "ray/serve/schema.py"
    for node in ast.walk(modules.get(path, ast.Module(body=[], type_ignores=[]))):
        if isinstance(node, ast.ClassDef) and node.name == "DeploymentSchema":
            for name, state in _fields(node, known, path):
                if name in _OLD_NAMES:
                    found.setdefault(name, {"at": state["at"]})
    found.update(_of_models(modules, known))
    # Ray Serve LLM once set these itself; where it does not, a model has what every deployment has.
    if any(name.startswith("llm.") for name in found):
        for name in _OF_MODELS:
            if name in found:
                found.setdefault(f"llm.{name}", found[name])
    return found


def _fields(node: ast.ClassDef, known: Mapping[str, object], path: str) -> Iterator[tuple[str, dict[str, object]]]:
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        name = field.target.id
        if name.startswith("_") or name in _INTERNAL or field.value is None:
            continue
        value: ast.expr | None = field.value
        state: dict[str, object] = {"at": f"{path}:{field.lineno}"}
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "Field":
            given = {one.arg: one.value for one in value.keywords}
            value = given.get("default", value.args[0] if value.args else None)
            if "default_factory" in given:
                state["kind"] = "rule"
        try:
            held = _value(value, known) if value is not None else None
            if isinstance(held, (bool, int, float, str, list, dict)):
                state["value"] = held
        except _UnknownError:
            state["kind"] = "rule"
        yield name, state


def _automatic(node: ast.ClassDef, known: Mapping[str, object], path: str) -> Things:
    """What ``num_replicas: auto`` stands for."""
    found: Things = {}
    for method in node.body:
        if not isinstance(method, ast.FunctionDef) or method.name != "default":
            continue
        for call in ast.walk(method):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("cls", "AutoscalingConfig"):
                for one in call.keywords:
                    try:
                        value = _value(one.value, known)
                    except _UnknownError:
                        continue
                    found[f"num_replicas=auto.{one.arg}"] = {"at": f"{path}:{call.lineno}", "value": value}
    return found


def _of_models(modules: Mapping[str, ast.Module], known: Mapping[str, object]) -> Things:
    """What Ray Serve LLM sets for the deployment of a model: a dictionary, or the decorator of its class."""
    own = {**known, **{key.removeprefix("llm."): value for key, value in known.items() if key.startswith("llm.")}}
    found: Things = {}
    for path, module in modules.items():
        if not path.startswith(_LLM):
            continue
        for node in ast.walk(module):
            parts: list[tuple[str, ast.expr]] = []
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULT_DEPLOYMENT_OPTIONS":
                if isinstance(node.value, ast.Dict):
                    pairs = zip(node.value.keys, node.value.values, strict=True)
                    parts = [(str(ast.literal_eval(k)), v) for k, v in pairs if k is not None]
            elif isinstance(node, ast.ClassDef) and node.name in ("LLMDeployment", "VLLMDeployment"):
                for call in node.decorator_list:
                    if isinstance(call, ast.Call):
                        parts = [(one.arg, one.value) for one in call.keywords if one.arg]
            for name, value in parts:
                inner = zip(value.keys, value.values, strict=True) if isinstance(value, ast.Dict) else ()
                rows = [(f"{name}.{ast.literal_eval(k)}", v) for k, v in inner if k is not None] or [(name, value)]
                for key, expression in rows:
                    state: dict[str, object] = {"at": f"{path}:{expression.lineno}"}
                    try:
                        state["value"] = _value(expression, own)
                    except _UnknownError:
                        state["kind"] = "rule"
                    found[f"llm.{key}"] = state
    return found


def _variables(modules: Mapping[str, ast.Module], known: Mapping[str, object]) -> Things:
    found: Things = {}
    for path, module in modules.items():
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not _ENVIRONMENT.fullmatch(ast.unparse(node.func)) or not node.args:
                continue
            first = node.args[0]
            name = first.value if isinstance(first, ast.Constant) else None
            if not isinstance(name, str) or not name.startswith(("RAY_SERVE_", "RAYLLM_", "SERVE_")) or name in found:
                continue
            state: dict[str, object] = {"at": f"{path}:{node.lineno}"}
            try:
                value = _value(node.args[1], known) if len(node.args) > 1 else None
                if value is not None:
                    state["value"] = value
            except _UnknownError:
                state["kind"] = "rule"
            found[name] = state
    return found


def _metrics(modules: Mapping[str, ast.Module]) -> Things:
    """Metrics by the name under which Ray exports them: with ``ray_`` before it."""
    found: Things = {}
    for path, module in modules.items():
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in (
                "Counter", "Gauge", "Histogram",
            ):  # fmt: skip
                continue
            first = next((one.value for one in node.keywords if one.arg == "name"), node.args[0] if node.args else None)
            for name in _names(first):
                if name.startswith(("serve_", "ray_serve", "rayllm", "ray_llm")):
                    state: dict[str, object] = {"at": f"{path}:{node.lineno}"}
                    if name.startswith("rayllm_"):  # 2.47 renamed them
                        state["heir"] = "ray_serve_llm_" + name.removeprefix("rayllm_")
                    found.setdefault(name if name.startswith("ray_") else f"ray_{name}", state)
    return found


def _names(node: ast.expr | None) -> tuple[str, ...]:
    """The name of a metric; the proxies have each once for HTTP and once for gRPC."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if not isinstance(node, ast.JoinedStr):
        return ()
    found = []
    for protocol in ("http", "grpc"):
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            elif isinstance(part, ast.FormattedValue) and "protocol" in ast.unparse(part.value).lower():
                parts.append(protocol)
            else:
                return ()
        found.append("".join(parts))
    return tuple(found)


def _packages(folder: pathlib.Path) -> Things:
    """The vLLM that ``ray[llm]`` asks for: a release, or the least with ``>=``."""
    for file in sorted(folder.glob("ray-*.dist-info/METADATA")):
        text = file.read_text(encoding="utf-8", errors="replace")
        match = _REQUIRES.search(text)
        if match is not None:
            value = match[2] if match[1] == "==" else f">={match[2]}"
            line = text[: match.start()].count("\n") + 1
            return {"vllm": {"at": f"{file.relative_to(folder)}:{line}", "value": value}}
    return {}


def _rules(modules: Mapping[str, ast.Module]) -> Things:
    found: Things = {}
    for path, module in modules.items():
        if path.startswith(_LLM):
            for node in ast.walk(module):
                if isinstance(node, ast.FunctionDef) and node.name in _RULES:
                    digest = hashlib.sha256(ast.unparse(node).encode()).hexdigest()[:12]
                    found.setdefault(node.name, {"digest": digest, "at": f"{path}:{node.lineno}"})
    return found


READER = Reader(
    engine="ray-serve",
    source=Package(
        name="ray",
        oldest="2.9.0",
        also=r"^ray-[\d.]+\.dist-info/METADATA$|^ray/llm/_internal/serve/(\w+/)*configs/[\w/]+\.py$",
    ),
    read=read,
)
