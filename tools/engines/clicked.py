"""Options of commands written with click, read from their decorators as text. https://click.palletsprojects.com"""

from __future__ import annotations

import ast
from collections.abc import Collection

from tools.engines.literals import Constants, literal
from tools.engines.reader import Things

_DECORATORS = ("option", "deprecated_option")


def options(text: str, path: str, functions: Collection[str]) -> tuple[Things, Things]:
    """The options of the commands that these functions are, and the variables that set them.

    An option that is a name for a decorator of the module (``HOST = click.option(…)``, ``@cli_args.HOST``) is found by
    the name where the module has it.
    """
    tree = ast.parse(text)
    constants = Constants(tree)
    found: Things = {}
    variables: Things = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            for decorator in node.decorator_list:
                call = constants.get(decorator.id) if isinstance(decorator, ast.Name) else decorator
                if isinstance(call, ast.Call) and _named(call.func) in _DECORATORS:
                    add(call, constants, path, found, variables)
    return found, variables


def add(call: ast.Call, constants: Constants, path: str, found: Things, variables: Things) -> None:
    """Add the option that a call of ``click.option`` declares."""
    spelled = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    names = [part for one in spelled for part in one.split("/") if part.startswith("-")]
    long = sorted(names, key=lambda one: (not one.startswith("--"), one.startswith("--no-")))
    if not long:
        return
    keywords = {one.arg: one.value for one in call.keywords if one.arg}
    state: dict[str, object] = {"at": f"{path}:{call.lineno}"}
    if len(long) > 1:
        state["names"] = long[1:]
    if _is_true(keywords.get("is_flag")) or any("/" in one for one in spelled):
        state["takes"] = "switch"
    elif _is_true(keywords.get("multiple")):
        state["takes"] = "append"
    known, value = literal(keywords.get("default"), constants)
    if not known:
        state["kind"] = "rule"
    elif value is not None:
        state["value"] = value
    found.setdefault(long[0], state)
    known, variable = literal(keywords.get("envvar"), constants)
    if known and isinstance(variable, str):
        variables.setdefault(variable, {"at": state["at"]})


def _named(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
