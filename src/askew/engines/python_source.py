"""Calls in Python source that a source shows, with the arguments that are written there. Nothing is ever run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from askew.evidence.launch import Content
from askew.evidence.location import Location
from askew.facts.types import Value

_LARGEST = 256 * 1024  # characters; programs that serve a model have a few hundred lines
_MOST = 200  # calls
_DEEPEST = 4  # levels of a literal


class Argument(msgspec.Struct, frozen=True):
    """One argument: its value where it is written as a literal, else the expression as ``text``."""

    value: Value
    literal: bool
    text: str
    at: Location


class Call(msgspec.Struct, frozen=True):
    """One call: the last part of the name that is called, and its arguments. ``spread``: some came by ``**``."""

    name: str
    at: Location
    keywords: Mapping[str, Argument]
    positional: tuple[Argument, ...]
    spread: bool = False


def calls(content: Content, names: Collection[str]) -> tuple[Call, ...]:
    """The calls of these functions (``LitServer`` for ``ls.LitServer(…)``), in the order of the text.

    A source that is no Python, or too large, has none.
    """
    if len(content.text) > _LARGEST or not any(name in content.text for name in names):
        return ()
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found: list[ast.Call] = []
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call) and _name(node) in names:
            found.append(node)
        stack.extend(ast.iter_child_nodes(node))
    found.sort(key=lambda one: (one.lineno, one.col_offset))
    return tuple(_call(one, content) for one in found[:_MOST])


def _name(node: object) -> str:
    import ast

    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _call(node: object, content: Content) -> Call:
    import ast

    assert isinstance(node, ast.Call)
    keywords: dict[str, Argument] = {}
    spread = any(isinstance(one, ast.Starred) for one in node.args)
    for keyword in node.keywords:
        if keyword.arg is None:
            spread = True
        else:
            _add(keyword.arg, keyword.value, content, keywords, 0)
    positional = tuple(_argument(one, content) for one in node.args)
    return Call(_name(node), _place(node, content), keywords, positional, spread)


def _add(name: str, node: object, content: Content, into: dict[str, Argument], depth: int) -> None:
    """An argument; of a map that is written there each entry, as ``name.key``."""
    import ast

    if isinstance(node, ast.Dict) and node.keys and depth < _DEEPEST:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                _add(f"{name}.{key.value}", value, content, into, depth + 1)
            else:
                into[name] = _argument(node, content)
    else:
        into[name] = _argument(node, content)


def _argument(node: object, content: Content) -> Argument:
    import ast

    assert isinstance(node, ast.expr)
    at = _place(node, content)
    try:
        text = ast.unparse(node)
    except (RecursionError, ValueError):
        text = ""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Argument(None, False, text[:200], at)
    if value is None or isinstance(value, (bool, int, float, str)):
        return Argument(value, True, text[:200], at)
    if isinstance(value, (list, tuple)) and all(isinstance(one, (bool, int, float, str)) for one in value):
        return Argument(list(value), True, text[:200], at)
    return Argument(None, False, text[:200], at)


def _place(node: object, content: Content) -> Location:
    import ast

    assert isinstance(node, ast.expr)
    return content.place(node.lineno - 1, node.col_offset)
