"""Read MLServer's settings, variables and metrics from its published releases, as text.

Nothing is imported or run. Settings are the annotated fields of the pydantic classes of ``mlserver/settings.py``:
``Settings`` of the server, ``ModelSettings`` of a model, ``ModelParameters`` below ``parameters``. Variables are their
names in capitals behind the prefixes of those classes.
"""

from __future__ import annotations

import ast
import pathlib

from tools.engines.literals import Constants, literal
from tools.engines.reader import Content, Package, Reader, Things

SETTINGS = "mlserver/settings.py"
_REST = "mlserver/rest/app.py"
# Class → what stands before its fields here, and before their variables.
CLASSES = {
    "Settings": ("", "MLSERVER_"),
    "ModelSettings": ("model ", "MLSERVER_MODEL_"),
    "ModelParameters": ("model parameters.", "MLSERVER_MODEL_"),
}
_METRICS = {"Counter": "_total", "Gauge": "", "Histogram": "", "Summary": ""}
# The names that starlette_exporter makes behind its prefix, which is a setting: those of the default.
_EXPORTED = ("rest_server_requests_total", "rest_server_request_duration_seconds", "rest_server_requests_in_progress")


def fields(text: str, path: str = SETTINGS) -> tuple[Things, Things]:
    """The settings of the three classes with their defaults, and the variables that set them."""
    tree = ast.parse(text)
    constants = Constants(tree)
    arguments: Things = {}
    variables: Things = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name not in CLASSES:
            continue
        before, prefix = CLASSES[node.name]
        for field in node.body:
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            name = field.target.id.removesuffix("_")
            if name.startswith("_"):
                continue
            state: dict[str, object] = {"at": f"{path}:{field.lineno}"}
            known, value = literal(_default(field.value), constants)
            if known and value is not None:
                state["value"] = value
            elif not known:
                state["kind"] = "rule"
            arguments[before + name] = state
            variables[prefix + name.upper()] = {"at": state["at"]}
    return arguments, variables


def _default(node: ast.expr | None) -> ast.expr | None:
    """The default in ``Field(default, …)``; of a field without one: none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Field":
        named = next((one.value for one in node.keywords if one.arg == "default"), None)
        return node.args[0] if node.args else named
    return node


def metrics(folder: pathlib.Path) -> Things:
    """The names of metrics that the package makes itself, as Prometheus shows them."""
    found: Things = {}
    for path in sorted((folder / "mlserver").rglob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if not any(f"{kind}(" in text for kind in _METRICS):
            continue
        tree = ast.parse(text)
        constants = Constants(tree)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in _METRICS
                and node.args
            ):
                known, name = literal(node.args[0], constants)
                if known and isinstance(name, str):
                    end = _METRICS[node.func.id]
                    shown = name if name.endswith(end) else name + end
                    found.setdefault(shown, {"at": f"{path.relative_to(folder)}:{node.lineno}"})
    rest = folder / _REST
    text = rest.read_text(encoding="utf-8", errors="replace") if rest.is_file() else ""
    if "rest_server" in text + (folder / SETTINGS).read_text(encoding="utf-8") and "PrometheusMiddleware," in text:
        line = text[: text.find("PrometheusMiddleware,")].count("\n") + 1
        found.update({name: {"at": f"{_REST}:{line}"} for name in _EXPORTED})
    return found


def read(folder: pathlib.Path) -> Content:
    """One release."""
    path = folder / SETTINGS
    arguments, variables = fields(path.read_text(encoding="utf-8", errors="replace"))
    return {"arguments": arguments, "variables": variables, "metrics": metrics(folder)}


READER = Reader(engine="mlserver", source=Package(name="mlserver", oldest="1.0.0"), read=read)
