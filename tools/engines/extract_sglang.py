"""Read the arguments and defaults of SGLang releases from their unpacked source, as text.

Nothing is imported or run: the source is parsed with ``ast``. Get it with the ordinary pip client and unpack only
``sglang/srt/server_args.py`` and ``sglang/srt/arg_groups``::

    pip download --no-deps --only-binary :all: --python-version 3.12 --platform manylinux_2_34_x86_64 sglang==0.5.23

One release, for ``versions/<release>.json``::

    python tools/engines/extract_sglang.py --source sglang-0.5.23 --version 0.5.23 \
        --out src/askew/engines/sglang/versions/0.5.23.json

What was the same in every release, for ``versions/stable.json``, from a folder that holds one folder per release::

    python tools/engines/extract_sglang.py --releases unpacked --out src/askew/engines/sglang/versions/stable.json

Three structures: ``ServerArgs`` with ``add_argument`` calls (to 0.5.13), fields annotated ``A[type, Arg(…)]`` (from
0.5.14), and those fields in ``arg_groups/fields`` (from 0.5.20).
"""

from __future__ import annotations

import argparse
import ast
import json
import pathlib
import re
import sys
from typing import Any

SOURCE = "https://pypi.org/project/sglang/{}/"
UNKNOWN = object()


class Argument:
    """One argument: its names, its default expression's value, and where it stands."""

    def __init__(self, names: list[str], value: Any, at: str, *, rule: bool) -> None:
        self.names = names
        self.value = value
        self.at = at
        self.rule = rule


class Reader:
    """One unpacked release."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        paths = [root / "sglang/srt/server_args.py", *sorted((root / "sglang/srt/arg_groups").rglob("*.py"))]
        self.trees = {
            str(path.relative_to(root)): ast.parse(path.read_text(encoding="utf-8")) for path in paths if path.is_file()
        }
        if "sglang/srt/server_args.py" not in self.trees:
            raise SystemExit(f"{root}: no sglang/srt/server_args.py. Hint: unpack the package there")
        self.constants: dict[str, ast.expr] = {}
        self.fields: dict[str, ast.expr | None] = {}
        self.arguments: dict[str, Argument] = {}
        for path, tree in self.trees.items():
            for node in tree.body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self.constants.setdefault(node.targets[0].id, node.value)
            for cls in ast.walk(tree):
                if isinstance(cls, ast.ClassDef) and (cls.name == "ServerArgs" or "/fields/" in path):
                    self.record(path, cls)
        for path, tree in self.trees.items():
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef) and function.name == "add_cli_args":
                    self.calls(path, function)

    def record(self, path: str, cls: ast.ClassDef) -> None:
        """The fields of a class; those annotated with Arg are arguments."""
        for node in cls.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            name = node.target.id
            self.fields[name] = node.value
            note = node.annotation
            if not (isinstance(note, ast.Subscript) and isinstance(note.slice, ast.Tuple)):
                continue
            if ast.unparse(note.value) not in ("A", "Annotated", "typing.Annotated"):
                continue
            keywords: dict[str, ast.expr] = {}
            for element in note.slice.elts[1:]:
                if isinstance(element, ast.Call) and ast.unparse(element.func).split(".")[-1] == "Arg":
                    keywords = {word.arg: word.value for word in element.keywords if word.arg}
                elif isinstance(element, ast.Constant) and isinstance(element.value, str):
                    keywords.setdefault("help", element)
            if not keywords or "no_cli" in keywords:
                continue
            names = [self.value(keywords["cli_name"]) if "cli_name" in keywords else "--" + name.replace("_", "-")]
            names += self.value(keywords["aliases"]) if "aliases" in keywords else []
            fallback = keywords.get("fallback")
            value = (
                self.value(fallback)
                if fallback is not None
                else UNKNOWN
                if node.value is None
                else self.value(node.value)
            )
            rule = "resolvable" in keywords and value in (None, "auto", -1)
            self.arguments.setdefault(names[0], Argument(names, value, f"{path}:{node.lineno}", rule=rule))

    def calls(self, path: str, function: ast.FunctionDef) -> None:
        """The ``add_argument`` calls of a function."""
        for node in ast.walk(function):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"
            ):
                continue
            names = [self.value(argument) for argument in node.args]
            if not names or not all(isinstance(name, str) for name in names):
                continue
            keywords = {word.arg: word.value for word in node.keywords if word.arg}
            action = ast.unparse(keywords["action"]) if "action" in keywords else ""
            if "Deprecated" in action and "default" not in keywords:
                continue
            if "default" in keywords:
                value = self.value(keywords["default"])
            else:
                value = False if "store_true" in action else UNKNOWN if "required" in keywords else None
            self.arguments.setdefault(
                names[0], Argument(names, value, f"{path}:{node.lineno}", rule=value in (None, "auto", -1))
            )

    def value(self, node: ast.expr, depth: int = 0) -> Any:
        """The value of an expression made of literals, constants and defaults of fields; else ``UNKNOWN``."""
        if depth > 8:
            return UNKNOWN
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, MemoryError):
            pass
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            left, right = self.value(node.left, depth + 1), self.value(node.right, depth + 1)
            return left * right if isinstance(left, int) and isinstance(right, int) else UNKNOWN
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ServerArgs" and node.attr in self.fields:
            field = self.fields[node.attr]
            return UNKNOWN if field is None else self.value(field, depth + 1)
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.value(self.constants[node.id], depth + 1)
        if isinstance(node, ast.Subscript):
            items, index = self.value(node.value, depth + 1), self.value(node.slice, depth + 1)
            return items[index] if isinstance(items, list) and isinstance(index, int) and items else UNKNOWN
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "_declared_default" and node.args:
                field = self.fields.get(str(self.value(node.args[0])))
                return UNKNOWN if field is None else self.value(field, depth + 1)
            if called.split(".")[-1] == "field":
                for word in node.keywords:
                    if word.arg == "default_factory" and isinstance(word.value, ast.Name):
                        return {"list": [], "dict": {}}.get(word.value.id, UNKNOWN)
                    if word.arg == "default":
                        return self.value(word.value, depth + 1)
        return UNKNOWN


def release(root: pathlib.Path, version: str) -> dict[str, Any]:
    """One release in the form of ``askew.engines.versions.Release``."""
    found: dict[str, Any] = {}
    for name, argument in sorted(Reader(root).arguments.items()):
        entry: dict[str, Any] = {"at": argument.at}
        if argument.value is not UNKNOWN and argument.value is not None:
            entry["value"] = argument.value
        if argument.rule or argument.value is UNKNOWN:
            entry["kind"] = "rule"
        if len(argument.names) > 1:
            entry["names"] = argument.names[1:]
        found[name] = entry
    return {"engine": "sglang", "version": version, "source": SOURCE.format(version), "arguments": found}


def stable(folder: pathlib.Path) -> dict[str, Any]:
    """What every release below ``folder`` has the same, in the form of ``askew.engines.versions.Stable``."""
    versions = sorted((path.name for path in folder.iterdir() if (path / "sglang").is_dir()), key=_key)
    values: dict[str, list[tuple[Any, bool]]] = {}
    for version in versions:
        for argument in Reader(folder / version).arguments.values():
            for one in argument.names:
                values.setdefault(one, []).append((argument.value, argument.rule))
    # The newest release tells which None is a rule's placeholder; the older ones do not mark it.
    rules = {name for name, found in values.items() if any(value is UNKNOWN for value, _ in found) or found[-1][1]}
    equal = {
        name: found[0][0]
        for name, found in sorted(values.items())
        if name not in rules and all(value == found[0][0] and type(value) is type(found[0][0]) for value, _ in found)
    }
    return {
        "engine": "sglang",
        "source": "https://pypi.org/project/sglang/#history",
        "releases": versions,
        "defaults": {name: value for name, value in equal.items() if value not in ([], {})},
    }


def _key(version: str) -> tuple[Any, ...]:
    numbers, stage = re.match(r"([\d.]*\d)(.*)", version).groups()  # type: ignore[union-attr]  # folders are releases
    return (*map(int, numbers.split(".")), not stage.startswith(("a", "b", "rc", ".dev")), stage)


def main() -> int:
    """Write the file that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--source", type=pathlib.Path, help="folder of one unpacked release")
    what.add_argument("--releases", type=pathlib.Path, help="folder with one folder per unpacked release")
    parser.add_argument("--version", help="the release, with --source")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    given = parser.parse_args()
    if given.source and not given.version:
        parser.error("--source needs --version")
    data = release(given.source, given.version) if given.source else stable(given.releases)
    given.out.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    count = len(data["arguments"] if given.source else data["defaults"])
    print(f"{given.out}: {count} arguments", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
