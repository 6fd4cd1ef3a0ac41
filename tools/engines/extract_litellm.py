"""Read the settings and defaults of LiteLLM's proxy from its releases, as text.

Nothing is imported or run: the source is parsed with ``ast``. Arguments are the options of the command; a setting of
the configuration file is ``section.name``: ``router_settings`` are the parameters of the router, ``litellm_settings``
the settings of the package, ``general_settings`` the fields of the proxy's own, ``litellm_params`` the fields of a
deployment. Every minor release is read once, at its last patch: the package has several hundred releases, most of
them a few days apart.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import re
from collections.abc import Iterator

from tools.engines.reader import Content, Package, Reader, Things

_ROOT = "litellm"
_UNKNOWN = object()
_READERS = frozenset(("get_env_int", "get_env_float", "get_env_bool", "get_env_int_or_none", "get_env_float_or_none"))
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{2,}")
# Functions that decide which of several settings holds.
_RULES = {
    "router.py": ("_get_non_stream_timeout", "_get_stream_timeout"),
    "router_python_core.py": ("_get_non_stream_timeout", "_get_stream_timeout"),
    "router_rust/invoke/shaping.py": ("non_stream_timeout", "stream_timeout"),
    "utils.py": ("calculate_max_parallel_requests",),
}
# The files whose variables change what the proxy does; those of the integrations are theirs.
_WITH_VARIABLES = ("__init__.py", "constants.py", "router.py", "proxy/proxy_cli.py", "proxy/proxy_server.py")
_REQUEST_FIELDS = (
    *("all_litellm_params", "OPENAI_CHAT_COMPLETION_PARAMS", "DEFAULT_CHAT_COMPLETION_PARAM_VALUES"),
    *("openai_params", "default_params"),
)
# What the package knows of providers and their models: no settings.
_CATALOGUES = ("_models", "_model_list", "_model_cost", "_endpoints", "_providers")
_WITH_CONSTANTS = ("constants.py", "__init__.py", "router_utils/cooldown_handlers.py")
# Tables of models and providers that the package fills itself, and what a request costs: no settings of the proxy.
_TABLE = re.compile(r"\w+_(?:models|providers|endpoints)|models|provider_list|model_cost\w*")
_PRICE = re.compile(r"\w*_cost(?:_\w+)?|tiered_pricing|ocr_cost\w*")
_SCALARS = (bool, int, float, str, type(None))


def read(root: pathlib.Path) -> Content:
    """What one release has."""
    home = root / _ROOT
    constants = _constants(home)
    arguments: Things = {}
    for name, entry in (*_options(home, constants), *_router(home, constants), *_package(home, constants)):
        arguments.setdefault(name, entry)
    for path, kind, section in (
        ("proxy/_types.py", "ConfigGeneralSettings", "general_settings"),
        ("types/router.py", "LiteLLM_Params", "litellm_params"),
        ("types/router.py", "LiteLLMParamsTypedDict", "litellm_params"),
    ):
        for name, entry in _fields(home, path, kind, section):
            arguments.setdefault(name, entry)
    for name, at in (*_request_fields(home), *_looked_up(home)):
        arguments.setdefault(name, {"at": at, "kind": "rule"})
    return {"arguments": arguments, "variables": dict(sorted(_variables(home).items())), "rules": _rules(home)}


def _tree(path: pathlib.Path) -> ast.Module | None:
    return ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else None


def _body(path: pathlib.Path) -> list[ast.stmt]:
    tree = _tree(path)
    return tree.body if tree is not None else []


def _assigned(node: ast.stmt) -> tuple[str, ast.expr] | None:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return node.target.id, node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    return None


def _constants(home: pathlib.Path) -> dict[str, object]:
    """Values of module-level names, as far as they are literals or the default of a variable."""
    found: dict[str, object] = {"openai.DEFAULT_MAX_RETRIES": 2}
    for path in _WITH_CONSTANTS:
        for node in _body(home / path):
            assigned = _assigned(node)
            if assigned is not None:
                value = _value(assigned[1], found)
                if value is not _UNKNOWN and assigned[0] not in found:
                    found[assigned[0]] = value
    return found


def _value(node: ast.expr | None, constants: dict[str, object], depth: int = 0) -> object:
    """The value of an expression where nothing is set: literals, constants, and the default of a variable."""
    if node is None or depth > 8:
        return _UNKNOWN
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError):
        pass
    if isinstance(node, (ast.Name, ast.Attribute)):
        text = ast.unparse(node)
        return constants.get(text, constants.get(text.removeprefix("litellm."), _UNKNOWN))
    if isinstance(node, ast.IfExp):  # a constant where the variable is not set
        return _value(node.body, constants, depth + 1)
    if not isinstance(node, ast.Call):
        return _UNKNOWN
    called = ast.unparse(node.func)
    if called in ("int", "float", "str", "bool") and len(node.args) == 1:
        inner = _value(node.args[0], constants, depth + 1)
        if inner is _UNKNOWN or inner is None:
            return _UNKNOWN
        try:
            return {"int": int, "float": float, "str": str, "bool": bool}[called](inner)
        except (ValueError, TypeError):
            return _UNKNOWN
    if called in ("os.getenv", "os.environ.get", *_READERS):
        return _value(node.args[1], constants, depth + 1) if len(node.args) > 1 else None
    if called == "Field":
        given = next((word.value for word in node.keywords if word.arg == "default"), None)
        return _value(node.args[0] if node.args else given, constants, depth + 1)
    return _UNKNOWN


def _entry(value: object, at: str) -> dict[str, object]:
    if value is _UNKNOWN or (not isinstance(value, _SCALARS) and value not in ([], {})):
        return {"at": at, "kind": "rule"}
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return {"at": at, "value": value}


def _options(home: pathlib.Path, constants: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """The options of the command: click's decorators."""
    path = "proxy/proxy_cli.py"
    tree = _tree(home / path)
    for function in ast.walk(tree) if tree is not None else ():
        if not isinstance(function, ast.FunctionDef) or function.name != "run_server":
            continue
        for call in function.decorator_list:
            if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith("option"):
                continue
            # `--x/--no-x` is one option with a name for each of its values.
            names = [part for one in call.args if isinstance(one, ast.Constant) for part in str(one.value).split("/")]
            given = {word.arg: word.value for word in call.keywords if word.arg}
            switch = _value(given.get("is_flag"), constants) is True or "flag_value" in given
            default = _value(given["default"], constants) if "default" in given else (False if switch else None)
            entry = _entry(default, f"{_ROOT}/{path}:{call.lineno}")
            if switch:
                entry["takes"] = "switch"
            if len(names) > 1:
                entry["names"] = names[1:]
            yield names[0], entry


def _router(home: pathlib.Path, constants: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """The parameters of the router, which ``router_settings`` are handed to."""
    for path in ("router.py", "router_python_core.py"):
        found = dict(_parameters(home, path, constants))
        if found:
            yield from found.items()
            break
    decided = {
        "num_retries": ("DEFAULT_MAX_RETRIES", "openai.DEFAULT_MAX_RETRIES"),
        "cooldown_time": ("DEFAULT_COOLDOWN_TIME_SECONDS",),
        "allowed_fails": ("allowed_fails",),
    }
    for name, sources in decided.items():
        # What the router takes where neither section says anything.
        known = next((one for one in sources if one in constants), "")
        yield f"router {name}", _entry(constants.get(known, _UNKNOWN), _line_of(home, known))


def _line_of(home: pathlib.Path, name: str) -> str:
    """Where a constant is given its value; one of another package where the router uses it."""
    for path in _WITH_CONSTANTS:
        for node in _body(home / path):
            assigned = _assigned(node)
            if assigned is not None and assigned[0] == name:
                return f"{_ROOT}/{path}:{node.lineno}"
    file = home / "router.py"
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n") if file.is_file() else (), 1):
        if name and name in line:
            return f"{_ROOT}/router.py:{number}"
    return f"{_ROOT}/router.py:1"


def _parameters(home: pathlib.Path, path: str, constants: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    tree = _tree(home / path)
    for function in ast.walk(tree) if tree is not None else ():
        if not isinstance(function, ast.FunctionDef):
            continue
        arguments = [*function.args.posonlyargs, *function.args.args]
        names = {one.arg for one in (*arguments, *function.args.kwonlyargs)}
        if not {"routing_strategy", "num_retries", "cooldown_time"} <= names:
            continue
        defaults = [None] * (len(arguments) - len(function.args.defaults)) + [*function.args.defaults]
        pairs = list(zip(arguments, defaults, strict=True))
        pairs.extend(zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True))
        for argument, default in pairs:
            if argument.arg not in ("self", "model_list"):
                value = _value(default, constants)
                yield f"router_settings.{argument.arg}", _entry(value, f"{_ROOT}/{path}:{argument.lineno}")
        return


def _package(home: pathlib.Path, constants: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """The settings of the package, which ``litellm_settings`` are set on."""
    for path in ("__init__.py", "constants.py"):
        for node in _body(home / path):
            assigned = _assigned(node)
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is None:
                if path == "__init__.py" and node.target.id.islower() and not _TABLE.fullmatch(node.target.id):
                    yield f"litellm_settings.{node.target.id}", {"at": f"{_ROOT}/{path}:{node.lineno}", "kind": "rule"}
                continue
            if assigned is None or not assigned[0].islower() or assigned[0].startswith("_"):
                continue
            if assigned[0].endswith(_CATALOGUES) or _TABLE.fullmatch(assigned[0]):
                continue
            if path == "constants.py" and assigned[0] not in ("request_timeout",):
                continue
            value = _value(assigned[1], constants)
            if value is _UNKNOWN and "environ" in ast.unparse(assigned[1]):  # by a variable; otherwise as ever
                yield f"litellm_settings.{assigned[0]}", {"at": f"{_ROOT}/{path}:{node.lineno}"}
            elif isinstance(node, ast.AnnAssign) or isinstance(value, _SCALARS):
                yield f"litellm_settings.{assigned[0]}", _entry(value, f"{_ROOT}/{path}:{node.lineno}")


def _fields(home: pathlib.Path, path: str, kind: str, section: str) -> Iterator[tuple[str, dict[str, object]]]:
    """The fields of a model, with those of the bases that stand in the same file."""
    tree = _tree(home / path)
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)} if tree is not None else {}
    wanted, seen = [kind], set[str]()
    while wanted:
        name = wanted.pop()
        if name in seen or name not in classes:
            continue
        seen.add(name)
        wanted.extend(ast.unparse(base) for base in classes[name].bases)
        for node in classes[name].body:
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and node.target.id != "model_config"
                and not _PRICE.fullmatch(node.target.id)
            ):
                value = _value(node.value, {}) if node.value is not None else None
                yield f"{section}.{node.target.id}", _entry(value, f"{_ROOT}/{path}:{node.lineno}")


def _request_fields(home: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Parameters of a request that a deployment may set: what the package takes besides, and those of the API."""
    for path in ("types/utils.py", "constants.py", "utils.py"):
        for node in _body(home / path):
            assigned = _assigned(node)
            if assigned is not None and assigned[0] in _REQUEST_FIELDS:
                for one in ast.walk(assigned[1]):
                    if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.isidentifier():
                        yield f"litellm_params.{one.value}", f"{_ROOT}/{path}:{one.lineno}"


def _looked_up(home: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Settings that no model declares and that the proxy looks up by name."""
    for path in ("proxy/proxy_server.py", "proxy/utils.py", "proxy/litellm_pre_call_utils.py"):
        tree = _tree(home / path)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
                section = ast.unparse(node.func.value).rpartition(".")[2]
                if section in ("general_settings", "litellm_settings") and node.args and _text(node.args[0]):
                    yield f"{section}.{_text(node.args[0])}", f"{_ROOT}/{path}:{node.lineno}"
            elif isinstance(node, ast.Compare) and ast.unparse(node.left) == "key" and path == "proxy/proxy_server.py":
                name = _text(node.comparators[0])  # of the loop over litellm_settings
                if name.isidentifier():
                    yield f"litellm_settings.{name}", f"{_ROOT}/{path}:{node.lineno}"
            elif isinstance(node, ast.Constant) and node.value == "cache_params" and path == "proxy/proxy_server.py":
                yield "litellm_settings.cache_params", f"{_ROOT}/{path}:{node.lineno}"


def _variables(home: pathlib.Path) -> Things:
    """Every variable that the proxy reads, with the value that stands in its place."""
    found: Things = {}
    for path in _WITH_VARIABLES:
        tree = _tree(home / path)
        for node in ast.walk(tree) if tree is not None else ():
            name, default = _variable(node)
            if name and _VARIABLE.fullmatch(name):
                entry = _entry(_value(default, {}) if default is not None else None, f"{_ROOT}/{path}:{node.lineno}")  # type: ignore[attr-defined]  # an expression
                found.setdefault(name, entry)
    return found


def _variable(node: ast.AST) -> tuple[str, ast.expr | None]:
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
        return _text(node.slice), None
    if isinstance(node, ast.Call) and node.args:
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in ("getenv", "get_secret", "get_secret_str", "get_secret_bool", *_READERS) or (
            called == "get" and "environ" in ast.unparse(node.func)
        ):
            return _text(node.args[0]), node.args[1] if len(node.args) > 1 else None
        if called == "option":
            given = next((word.value for word in node.keywords if word.arg == "envvar"), None)
            return _text(given), None
    return "", None


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _rules(home: pathlib.Path) -> Things:
    found: Things = {}
    for path, names in _RULES.items():
        tree = _tree(home / path)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.FunctionDef) and node.name in names:
                words = ast.unparse(ast.Module(body=node.body, type_ignores=[]))
                digest = hashlib.sha256(words.encode()).hexdigest()[:12]
                found.setdefault(node.name, {"digest": digest, "at": f"{_ROOT}/{path}:{node.lineno}"})
    return found


READER = Reader(
    engine="litellm",
    source=Package(name="litellm", oldest="1.53.0", minors=True),
    read=read,
    elsewhere="litellm/**/*.py",
)
