"""Values in Python source, as far as they are written there. Nothing is evaluated but literals and names of them."""

from __future__ import annotations

import ast
import hashlib
import re

_DEEPEST = 4


class Constants(dict[str, ast.expr]):
    """The names that a module, or a class in it, binds once to an expression."""

    def __init__(self, tree: ast.Module) -> None:
        super().__init__()
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                self[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                self[node.target.id] = node.value


def literal(node: ast.expr | None, constants: Constants, depth: int = 0) -> tuple[bool, object]:
    """Whether a value is written in the source, and the value. Of numbers also products and sums of literals."""
    if node is None:
        return True, None
    if isinstance(node, ast.Name) and node.id in constants and depth < _DEEPEST:
        return literal(constants[node.id], constants, depth + 1)
    if isinstance(node, ast.BinOp) and depth < _DEEPEST:
        left, right = literal(node.left, constants, depth + 1), literal(node.right, constants, depth + 1)
        if left[0] and right[0] and isinstance(left[1], (int, float)) and isinstance(right[1], (int, float)):
            if isinstance(node.op, ast.Mult):
                return True, left[1] * right[1]
            if isinstance(node.op, ast.Add):
                return True, left[1] + right[1]
        return False, None
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False, None
    if value is Ellipsis:
        return True, None
    if isinstance(value, (tuple, set)):
        return True, list(value)
    return (True, value) if value is None or isinstance(value, (bool, int, float, str, list, dict)) else (False, None)


def digest(text: str) -> str:
    """Twelve hex digits of the words of a function, without its lines of comment.

    The words are found by a pattern: what Python's own tokenizer takes for one differs between its releases.
    """
    code = re.sub(r"(?m)^\s*#.*$", "", text)
    return hashlib.sha256(" ".join(re.findall(r"\w+|[^\w\s]", code)).encode()).hexdigest()[:12]
