"""Read BentoML's configuration, arguments, variables and metrics from its published releases, as text.

Nothing is imported or run. Settings are the leaves of ``default_configuration.yaml``: of version 1 (``api_server.…``,
``runners.…``) and, since 1.2, of version 2 (``services.…``). Arguments are the options of ``bentoml serve`` and
``bentoml start-…``, variables those options' and every ``BENTOML_…`` that the package names.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import re

import yaml

from tools.engines.clicked import options
from tools.engines.reader import Content, Package, Reader, Things

_CONFIG = "bentoml/_internal/configuration/{}/default_configuration.yaml"
# Before 1.0.11 the file had no version, and these names, which later releases still take.
_FIRST = "bentoml/_internal/configuration/default_configuration.yaml"
_RENAMED = (("api_server.host", "api_server.http.host"), ("api_server.port", "api_server.http.port"),
            ("api_server.cors.", "api_server.http.cors."))  # fmt: skip
# Later names of the same settings: what `migrate` of each release still takes under the old one
# (configuration/v1/__init__.py at 1.0.21, where timeouts became part of traffic).
_LATER = {
    "api_server.timeout": "api_server.traffic.timeout",
    "runners.timeout": "runners.traffic.timeout",
    "api_server.http.cors.access_control_allow_origin": "api_server.http.cors.access_control_allow_origins",
    "tracing.type": "tracing.exporter_type",
    "tracing.zipkin.url": "tracing.zipkin.endpoint",
    "tracing.otlp.url": "tracing.otlp.endpoint",
    "tracing.jaeger.address": "tracing.jaeger.thrift.agent_host_name",
    "tracing.jaeger.port": "tracing.jaeger.thrift.agent_port",
}
_COMMANDS = {
    "bentoml_cli/serve.py": ("serve", "serve_grpc"),
    "bentoml_cli/start.py": ("start_http_server",),
    "bentoml_cli/_internal/start.py": ("start_http_server",),
    "bentoml/_internal/cli/serve.py": ("serve",),
    "bentoml/_internal/cli/bento_server.py": ("serve",),
}
_INSTRUMENTS = ("bentoml/_internal/server/http/instruments.py", "bentoml/_internal/server/instruments.py")
_APP = "_bentoml_impl/server/app.py"
_VARIABLE = re.compile(r"[\"'](BENTOML_[A-Z][A-Z_]*[A-Z])[\"']")
_NAME = re.compile(r"\bname=(?:\"(\w+)\"|f\"\{\w+\}_(\w+)\")")
_RULES = {
    "bentoml/_internal/configuration/containers.py": ("api_server_workers",),
    "_bentoml_impl/server/allocator.py": ("get_worker_env",),
}
# Which of the two kinds of metrics a class of the instruments makes, by a word in its name.
_NAMESPACES = (("Runner", ("runners.metrics.namespace",)),
               ("HTTP", ("api_server.metrics.namespace", "services.metrics.namespace")))  # fmt: skip


def leaves(text: str, path: str) -> Things:
    """Each leaf of a YAML map by its path, with its line; null is no value."""
    found: Things = {}
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    loader = yaml.SafeLoader("")

    def walk(node: yaml.Node, above: str) -> None:
        if isinstance(node, yaml.MappingNode) and node.value:
            for key, child in node.value:
                walk(child, f"{above}.{key.value}" if above else key.value)
        elif above != "version":
            state: dict[str, object] = {"at": f"{path}:{node.start_mark.line + 1}"}
            value = loader.construct_object(node, deep=True)
            if value is not None:
                state["value"] = value
            found[above] = state

    if root is not None:
        walk(root, "")
    return found


def metrics(files: dict[str, str], arguments: Things) -> Things:
    """The names of metrics with the default namespaces before them."""
    found: Things = {}
    for path, text in sorted(files.items()):
        where, below, named = "", "", ""
        for number, line in enumerate(text.split("\n"), 1):
            if line.startswith("class "):
                where = line
            if "metrics_client." in line or "= Histogram(" in line:
                below, named = where if "Middleware" in where else "service", ""
            space = re.search(r'namespace="(\w+)"', line) if below else None
            named = space[1] if space is not None else named
            match = _NAME.search(line) if below else None
            if match is None:
                continue
            keys = next((keys for word, keys in _NAMESPACES if word in below), ())
            spaces = [arguments.get(key, {}).get("value") for key in keys] if keys else [named]
            for one in spaces:
                if one:
                    found.setdefault(f"{one}_{match[1] or match[2]}", {"at": f"{path}:{number}"})
            below = ""
    return found


def read(folder: pathlib.Path) -> Content:
    """One release."""
    top = folder / "src" if (folder / "src").is_dir() else folder
    base = "src/" if top != folder else ""

    def text(name: str) -> str:
        path = top / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    arguments: Things = {}
    for version in ("v1", "v2"):
        name = _CONFIG.format(version)
        arguments.update(leaves(text(name), f"{base}{name}"))
    for name, state in leaves(text(_FIRST), f"{base}{_FIRST}").items():
        now = next((name.replace(old, new) for old, new in _RENAMED if name.startswith(old)), name)
        arguments.setdefault(now, state)
    for old, later in _LATER.items():
        if later in arguments:
            arguments[later]["names"] = [later, old]
    variables: Things = {}
    for name, functions in _COMMANDS.items():
        found, named = options(text(name), f"{base}{name}", functions)
        for key, state in found.items():
            arguments.setdefault(key, state)
        for key, state in named.items():
            variables.setdefault(key, state)
    for path in sorted(top.rglob("*.py")):
        source = path.read_text(encoding="utf-8", errors="replace")
        if "BENTOML_" in source:
            for match in _VARIABLE.finditer(source):
                line = source.count("\n", 0, match.start()) + 1
                variables.setdefault(match[1], {"at": f"{base}{path.relative_to(top)}:{line}"})
    rules: Things = {}
    for name, functions in _RULES.items():
        rules.update(_digests(text(name), f"{base}{name}", functions))
    return {
        "arguments": arguments,
        "variables": variables,
        "metrics": metrics({f"{base}{name}": text(name) for name in (*_INSTRUMENTS, _APP)}, arguments),
        "rules": rules,
    }


def _digests(text: str, path: str, names: tuple[str, ...]) -> Things:
    found: Things = {}
    for node in ast.walk(ast.parse(text)):
        named = ""
        if isinstance(node, ast.FunctionDef):
            named = node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named = node.targets[0].id
        if named in names and isinstance(node, (ast.FunctionDef, ast.Assign)):
            digest = hashlib.sha256(ast.unparse(node).encode()).hexdigest()[:12]
            found[named] = {"at": f"{path}:{node.lineno}", "digest": digest}
    return found


READER = Reader(
    engine="bentoml",
    source=Package(name="bentoml", oldest="1.0.0", also=r"(^|/)default_configuration\.yaml$"),
    read=read,
)
