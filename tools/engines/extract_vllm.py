"""Read the arguments, variables and defaults of one vLLM release from its unpacked source, as text.

Nothing is imported or run: the source is parsed with ``ast``. Get the source with the ordinary pip client
(``pip download --no-deps --no-binary :all: vllm==X``), unpack it, then::

    python tools/engines/extract_vllm.py --source vllm-0.33.0 --version 0.33.0 \
        --out src/askew/engines/vllm/versions/0.33.0.json

Reads the structure of releases since 0.29: ``EngineArgs.add_cli_args`` takes its arguments from fields of config
classes (``get_kwargs``), the front end from ``FrontendArgs``, variables from the dict in ``envs.py``.
"""

from __future__ import annotations

import argparse
import ast
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

MISSING = object()
FRONT_ENDS = ("vllm/entrypoints/common/cli_args.py", "vllm/entrypoints/openai/cli_args.py")
SENTINELS: tuple[object, ...] = (None, "auto", -1)


class Module:
    """One source file: its classes, constants and imports."""

    def __init__(self, root: pathlib.Path, path: str) -> None:
        self.path = path
        self.tree = ast.parse((root / path).read_text(encoding="utf-8"))
        self.classes: dict[str, ast.ClassDef] = {}
        self.constants: dict[str, ast.expr] = {}
        self.imports: dict[str, tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = path.removesuffix(".py").split("/")
                dotted = ".".join([*parts[: len(parts) - node.level], node.module]) if node.level else node.module
                for alias in node.names:
                    self.imports.setdefault(alias.asname or alias.name, (dotted, alias.name))
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.constants[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                self.constants[node.target.id] = node.value


class Field:
    """One field of a config class: where it stands, its annotation and its default expression."""

    def __init__(self, module: Module, node: ast.AnnAssign) -> None:
        self.module = module
        self.line = node.lineno
        self.annotation = node.annotation
        self.value = node.value


class Source:
    """The unpacked release."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.modules: dict[str, Module | None] = {}

    def module(self, path: str) -> Module | None:
        if path not in self.modules:
            self.modules[path] = Module(self.root, path) if (self.root / path).is_file() else None
        return self.modules[path]

    def named(self, dotted: str) -> Module | None:
        path = dotted.replace(".", "/")
        return self.module(f"{path}.py") or self.module(f"{path}/__init__.py")

    def find(self, module: Module, name: str, depth: int = 0) -> tuple[Module, ast.ClassDef | ast.expr] | None:
        if name in module.classes:
            return module, module.classes[name]
        if name in module.constants:
            return module, module.constants[name]
        if name in module.imports and depth < 8:
            dotted, original = module.imports[name]
            other = self.named(dotted)
            return self.find(other, original, depth + 1) if other else None
        return None

    def fields(self, module: Module, name: str) -> dict[str, Field]:
        found = self.find(module, name)
        if found is None or not isinstance(found[1], ast.ClassDef):
            return {}
        owner, node = found[0], found[1]
        fields: dict[str, Field] = {}
        for base in node.bases:
            if isinstance(base, ast.Name):
                fields.update(self.fields(owner, base.id))
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                fields[item.target.id] = Field(owner, item)
        return fields

    def value(self, module: Module, node: ast.expr | None, depth: int = 0) -> object:
        """The value of an expression, as far as text tells it; MISSING where it does not."""
        if node is None or depth > 12:
            return MISSING
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError):
            pass
        if isinstance(node, ast.Name):
            found = self.find(module, node.id)
            return self.value(found[0], found[1], depth + 1) if found and isinstance(found[1], ast.expr) else MISSING
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "envs":
                return variables(self).get(node.attr, {}).get("value", MISSING)
            field = self.fields(module, node.value.id).get(node.attr)
            return self.value(field.module, field.value, depth + 1) if field else self.member(module, node, depth)
        if isinstance(node, ast.Call):
            return self.called(module, node, depth)
        if isinstance(node, ast.BinOp):
            left, right = self.value(module, node.left, depth + 1), self.value(module, node.right, depth + 1)
            if isinstance(left, int) and isinstance(right, int):
                operations = {ast.Mult: left * right, ast.Add: left + right}
                if isinstance(node.op, ast.Pow) and 0 <= right < 64:
                    return left**right
                if isinstance(node.op, ast.LShift) and 0 <= right < 64:
                    return left << right
                return operations.get(type(node.op), MISSING)
        return MISSING

    def member(self, module: Module, node: ast.Attribute, depth: int) -> object:
        """The value of ``Enum.MEMBER``."""
        found = self.find(module, ast.unparse(node.value))
        if found is None or not isinstance(found[1], ast.ClassDef):
            return 0 if ast.unparse(node) == "ssl.CERT_NONE" else MISSING
        for item in found[1].body:
            if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == node.attr:
                return self.value(found[0], item.value, depth + 1)
        return MISSING

    def called(self, module: Module, node: ast.Call, depth: int) -> object:
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in ("field", "Field"):
            if "default" in keywords:
                return self.value(module, keywords["default"], depth + 1)
            factory = keywords.get("default_factory")
            if isinstance(factory, ast.Lambda):
                return self.value(module, factory.body, depth + 1)
            if factory is not None:
                return {"list": [], "dict": {}, "set": []}.get(ast.unparse(factory), {})
            return self.value(module, node.args[0], depth + 1) if node.args else MISSING
        if name == "get_field" and len(node.args) == 2:
            field = self.fields(module, ast.unparse(node.args[0])).get(str(self.value(module, node.args[1])))
            return self.value(field.module, field.value, depth + 1) if field else MISSING
        if name in ("int", "float", "bool") and len(node.args) == 1:
            inner = self.value(module, node.args[0], depth + 1)
            return inner if isinstance(inner, (int, float)) else MISSING
        found = self.find(module, name)
        return {} if found and isinstance(found[1], ast.ClassDef) and not node.args and not node.keywords else MISSING


def takes(source: Source, module: Module, annotation: ast.expr) -> str:
    """What an argument made from a field of this type takes, by the rules of ``_compute_kwargs``."""
    names = set(type_names(source, module, annotation))
    plain = names - {"None"}
    if plain == {"bool", "str"}:
        return "optional"
    if "bool" in names:
        return "toggle"
    if "Literal" in names:
        return "value"
    if names & {"list", "tuple", "set"}:
        return "list"
    if names & {"int", "float", "enum"}:
        return "value"
    if "dict" in names or "dataclass" in names:
        return "json"
    return "value"


def type_names(source: Source, module: Module, node: ast.expr, depth: int = 0) -> Iterator[str]:
    """The names in an annotation: ``int``, ``list``, ``Literal``, ``None``, and kinds for classes of the source."""
    if isinstance(node, ast.BinOp):
        yield from type_names(source, module, node.left, depth)
        yield from type_names(source, module, node.right, depth)
    elif isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value)
        if outer in ("Annotated", "SkipValidation", "Optional", "InitVar"):
            inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
            yield from type_names(source, module, inner, depth)
        elif outer == "Union" and isinstance(node.slice, ast.Tuple):
            for part in node.slice.elts:
                yield from type_names(source, module, part, depth)
        else:
            yield {"List": "list", "Dict": "dict"}.get(outer, outer)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield from type_names(source, module, ast.parse(node.value, mode="eval").body, depth)
        else:
            yield "None"
    elif isinstance(node, ast.Name) and depth < 6:
        found = source.find(module, node.id)
        if found is None:
            yield node.id
        elif isinstance(found[1], ast.ClassDef):
            bases = [ast.unparse(base) for base in found[1].bases]
            enum = any(base.endswith("Enum") for base in bases)
            yield "enum" if enum else "dict" if any(base.startswith("dict") for base in bases) else "dataclass"
        else:
            yield from type_names(source, found[0], found[1], depth + 1)
    else:
        yield ast.unparse(node)


def variables(source: Source) -> dict[str, dict[str, object]]:
    """The environment variables in ``envs.py`` with the default that the getenv call states."""
    module = source.module("vllm/envs.py")
    table = module.constants.get("environment_variables") if module else None
    found: dict[str, dict[str, object]] = {}
    if module is None or not isinstance(table, ast.Dict):
        return found
    for key, value in zip(table.keys, table.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            continue
        default: object = MISSING
        for call in ast.walk(value):
            if isinstance(call, ast.Call) and len(call.args) > 1 and "env" in ast.unparse(call.func):
                try:
                    default = ast.literal_eval(call.args[1])
                except (ValueError, TypeError):
                    default = MISSING
                break
        entry: dict[str, object] = {"at": f"{module.path}:{key.lineno}"}
        if default is not MISSING and default is not None:
            entry["value"] = default
        found[key.value] = entry
    return found


def ruled(source: Source) -> set[str]:
    """Fields that the start-up code sets itself: a sentinel default of such a field is a rule, not a value."""
    names: set[str] = set()
    paths = ["vllm/engine/arg_utils.py", *(f"vllm/config/{p.name}" for p in (source.root / "vllm/config").glob("*.py"))]
    for path in paths:
        module = source.module(path)
        for node in ast.walk(module.tree) if module else ():
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            for target in targets:
                if (
                    isinstance(target, ast.Attribute)
                    and isinstance(target.value, ast.Name)
                    and target.value.id == "self"
                ):
                    names.add(target.attr)
    return names


def arguments(source: Source) -> dict[str, dict[str, object]]:
    """Every argument of ``vllm serve``: names, what it takes, default, place."""
    found: dict[str, dict[str, object]] = {}
    rules = ruled(source)
    engine = source.module("vllm/engine/arg_utils.py")
    if engine is None:
        raise SystemExit(f"{source.root}: no vllm/engine/arg_utils.py. Hint: give the unpacked sdist")
    for name in ("EngineArgs", "AsyncEngineArgs"):
        for function in engine.classes[name].body:
            if isinstance(function, ast.FunctionDef) and function.name == "add_cli_args":
                declared(source, engine, function, rules, found)
    front = next((module for path in FRONT_ENDS if (module := source.module(path))), None)
    if front is None:
        raise SystemExit(
            f"{source.root}: no front end in {' or '.join(FRONT_ENDS)}. Hint: add the new place to FRONT_ENDS"
        )
    for item in front.tree.body:
        if isinstance(item, ast.FunctionDef) and item.name == "make_arg_parser":
            declared(source, front, item, rules, found)
    special = {
        "middleware": "append",
        "allowed_origins": "value",
        "allowed_methods": "value",
        "allowed_headers": "value",
    }
    special |= {"disable_access_log_for_endpoints": "value"}
    for name, field in source.fields(front, "FrontendArgs").items():
        kind = special.get(name) or takes(source, field.module, field.annotation)
        value = source.value(field.module, field.value)
        put(found, [f"--{name.replace('_', '-')}"], kind, value, f"{field.module.path}:{field.line}", name in rules)
    return found


def declared(
    source: Source, module: Module, function: ast.FunctionDef, rules: set[str], found: dict[str, dict[str, object]]
) -> None:
    """Collect the ``add_argument`` calls of one function."""
    classes: dict[str, str] = {}
    shorthands: dict[str, ast.expr] = {}
    overrides: dict[tuple[str, str], ast.expr] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Name) and isinstance(value, ast.Call) and ast.unparse(value.func) == "get_kwargs":
                classes[target.id] = ast.unparse(value.args[0])
            elif isinstance(target, ast.Name) and isinstance(value, ast.Subscript):
                shorthands[target.id] = value
            elif (
                isinstance(target, ast.Subscript)
                and isinstance(target.value, ast.Subscript)
                and source.value(module, target.slice) == "default"
            ):
                overrides[ast.unparse(target.value.value), str(source.value(module, target.value.slice))] = value
    for node in ast.walk(function):
        if not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"
        ):
            continue
        names = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if not any(name.startswith("--") for name in names):
            continue
        keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        star = next((keyword.value for keyword in node.keywords if keyword.arg is None), None)
        if isinstance(star, ast.Dict):
            spread = [value for key, value in zip(star.keys, star.values, strict=True) if key is None]
            for key, value in zip(star.keys, star.values, strict=True):
                if isinstance(key, ast.Constant):
                    keywords.setdefault(str(key.value), value)
            star = spread[0] if spread else None
        if isinstance(star, ast.Name):
            star = shorthands.get(star.id, star)
        kind, at = "value", f"{module.path}:{node.lineno}"
        known: object = (
            source.value(module, keywords["default"]) if "default" in keywords else MISSING if star else None
        )
        name = names[0].lstrip("-").replace("-", "_")
        if isinstance(star, ast.Subscript):
            owner = star.value
            held = classes.get(ast.unparse(owner)) or (
                ast.unparse(owner.args[0]) if isinstance(owner, ast.Call) and owner.args else ""
            )
            name = str(source.value(module, star.slice))
            field = source.fields(module, held).get(name)
            if field is not None:
                kind = takes(source, field.module, field.annotation)
                override = overrides.get((ast.unparse(owner), name))
                if known is MISSING:
                    known = (
                        source.value(module, override)
                        if override is not None
                        else source.value(field.module, field.value)
                    )
                at = f"{field.module.path}:{field.line}"
        action = source.value(module, keywords["action"]) if "action" in keywords else ""
        if action in ("store_true", "store_false"):
            kind, known = "switch", action == "store_false"
        elif "action" in keywords and ast.unparse(keywords["action"]).endswith("BooleanOptionalAction"):
            kind = "toggle"
        elif "nargs" in keywords:
            kind = {"?": "optional", "*": "list", "+": "list"}.get(str(source.value(module, keywords["nargs"])), "list")
        if "type" in keywords and "json" in ast.unparse(keywords["type"]):
            kind = "json"
        put(found, sorted(names, key=lambda one: not one.startswith("--")), kind, known, at, name in rules)


def put(found: dict[str, dict[str, object]], names: list[str], kind: str, value: object, at: str, rule: bool) -> None:
    """Enter one argument; the first declaration of a name stands."""
    if names[0] in found:
        return
    known: Any = None if value is MISSING else value
    entry: dict[str, object] = {"names": names, "takes": kind, "at": at}
    if known is not None:
        entry["value"] = sorted(known) if isinstance(known, set) else known
    if value is MISSING or (rule and known in SENTINELS):
        entry["kind"] = "rule"
    found[names[0]] = entry


def main(argv: list[str] | None = None) -> int:
    """Write the data file of one release, or print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="folder of the unpacked source")
    parser.add_argument("--version", required=True, help="the release, as published")
    parser.add_argument("--out", help="file to write; standard output where it is not given")
    options = parser.parse_args(argv)
    source = Source(pathlib.Path(options.source))
    record = {
        "engine": "vllm",
        "version": options.version,
        "source": f"https://pypi.org/project/vllm/{options.version}/",
        "arguments": dict(sorted(arguments(source).items())),
        "variables": dict(sorted(variables(source).items())),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    if options.out:
        pathlib.Path(options.out).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
