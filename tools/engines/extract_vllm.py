"""Read arguments, variables, metrics and defaults of one vLLM release from its unpacked source, as text.

Nothing is imported or run: the source is parsed with ``ast``. ``tools.engines.releases`` calls this for every release;
for one alone::

    python -m tools.engines.extract_vllm --source vllm-0.33.0

Reads every structure since 0.2.7: ``EngineArgs.add_cli_args`` names defaults of its own class or, since 0.8.4, fields
of config classes (``get_kwargs``); the front end has a parser of its own and, since 0.10, ``FrontendArgs``; variables
are in the dict of ``envs.py`` since 0.4.2; metrics are the names given to the Prometheus client.
"""

from __future__ import annotations

import argparse
import ast
import json
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from tools.engines.literals import digest
from tools.engines.reader import Package, Reader

MISSING = object()
FRONT_ENDS = (
    "vllm/entrypoints/common/cli_args.py",
    "vllm/entrypoints/launchers/cli_args.py",
    "vllm/entrypoints/openai/cli_args.py",
    "vllm/entrypoints/openai/api_server.py",
)
COMMANDS = ("vllm/entrypoints/cli/serve.py", "vllm/scripts.py")  # where `vllm serve` has arguments of its own
PARSERS = ("make_arg_parser", "parse_args")
# Requests by the last parts of their address; the class, and where releases keep it.
REQUESTS = {
    "chat/completions": ("ChatCompletionRequest", "vllm/entrypoints/openai/chat_completion/protocol.py"),
    "completions": ("CompletionRequest", "vllm/entrypoints/openai/completion/protocol.py"),
}
PROTOCOL = "vllm/entrypoints/openai/protocol.py"  # all of them, in older releases
# What the server is installed with and what an answer or its speed depends on.
REQUIREMENTS = (
    *("requirements/cuda.txt", "requirements/common.txt", "requirements-cuda.txt", "requirements-common.txt"),
    "requirements.txt",
)
PACKAGES = frozenset(
    (
        *("torch", "transformers", "tokenizers", "triton", "xformers", "flashinfer-python", "vllm-flash-attn", "ray"),
        *("xgrammar", "outlines", "outlines-core", "lm-format-enforcer", "llguidance", "compressed-tensors", "gguf"),
        *("mistral-common", "openai-harmony", "numpy"),
    )
)
# Functions that compute defaults: a digest of each says in which release a rule may have changed.
RULES = {
    "vllm/engine/arg_utils.py": (
        "create_engine_config",
        "create_scheduler_config",
        "get_batch_defaults",
        "_set_default_args",
        "_set_default_args_v0",
        "_set_default_args_v1",
        "_set_default_chunked_prefill_and_prefix_caching_args",
        "_set_default_max_num_seqs_and_batched_tokens_args",
        "_is_v1_supported_oracle",
    ),
}
GETENV = (
    *("os.getenv", "os.environ.get", "env_with_choices", "env_list_with_choices", "env_set_with_choices"),
    *("maybe_convert_bool", "maybe_convert_int", "env_bool", "env_int", "get_env_or_set_default"),
)
# A metric that went with another of the same meaning in its place: https://docs.vllm.ai/en/latest/usage/metrics.html
HEIRS = {
    "vllm:gpu_cache_usage_perc": "vllm:kv_cache_usage_perc",
    "vllm:gpu_prefix_cache_queries_total": "vllm:prefix_cache_queries_total",
    "vllm:gpu_prefix_cache_hits_total": "vllm:prefix_cache_hits_total",
    "vllm:time_per_output_token_seconds": "vllm:inter_token_latency_seconds",
}
METRIC = re.compile(r"vllm:[a-z0-9_]*[a-z0-9]")
OFF: tuple[object, ...] = (None, False, 0, "", "0", "false")
SENTINELS: tuple[object, ...] = (None, "auto", -1)


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, also those that hold on some platforms only."""
    for node in body:
        if isinstance(node, ast.If):
            yield from top_level(node.body)
            yield from top_level(node.orelse)
        elif isinstance(node, ast.Try):
            yield from top_level(node.body)
        else:
            yield node


class Module:
    """One source file: its classes, constants and imports."""

    def __init__(self, root: pathlib.Path, path: str) -> None:
        self.path = path
        self.text = (root / path).read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.classes: dict[str, ast.ClassDef] = {}
        self.constants: dict[str, ast.expr] = {}
        self.imports: dict[str, tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = path.removesuffix(".py").split("/")
                dotted = ".".join([*parts[: len(parts) - node.level], node.module]) if node.level else node.module
                for alias in node.names:
                    self.imports.setdefault(alias.asname or alias.name, (dotted, alias.name))
        for node in top_level(self.tree.body):
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
        if isinstance(node, ast.Attribute) and node.attr == "value" and isinstance(node.value, ast.Attribute):
            return self.value(module, node.value, depth + 1)  # of a member of an enumeration
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "envs":
                return variables(self).get(node.attr, {}).get("value", MISSING)
            field = self.fields(module, node.value.id).get(node.attr)
            return self.value(field.module, field.value, depth + 1) if field else self.member(module, node, depth)
        if isinstance(node, ast.Call):
            return self.called(module, node, depth)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.value(module, node.operand, depth + 1)
            return inner if inner is MISSING else not inner
        if isinstance(node, ast.IfExp) and ast.unparse(node.test).startswith("envs."):
            on = self.value(module, node.test, depth + 1)
            return MISSING if on is MISSING else self.value(module, node.orelse if on in OFF else node.body, depth + 1)
        if isinstance(node, (ast.List, ast.Tuple)):
            parts = [self.value(module, part, depth + 1) for part in node.elts]
            return MISSING if any(part is MISSING for part in parts) else parts
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
                empties: dict[str, object] = {"list": [], "dict": {}, "set": []}
                made = empties.get(ast.unparse(factory))
                owner = self.find(module, ast.unparse(factory)) if made is None else None
                return {} if owner and isinstance(owner[1], ast.ClassDef) else MISSING if made is None else made
            return self.value(module, node.args[0], depth + 1) if node.args else MISSING
        if name == "get_field" and len(node.args) == 2:
            field = self.fields(module, ast.unparse(node.args[0])).get(str(self.value(module, node.args[1])))
            return self.value(field.module, field.value, depth + 1) if field else MISSING
        if name == "cast" and len(node.args) == 2:
            return self.value(module, node.args[1], depth + 1)
        if name == "str" and len(node.args) == 1:
            inner = self.value(module, node.args[0], depth + 1)
            return str(inner) if isinstance(inner, (int, float, str)) else MISSING
        if name in ("int", "float", "bool") and len(node.args) == 1:
            inner = self.value(module, node.args[0], depth + 1)
            return inner if isinstance(inner, (int, float)) else MISSING
        found = self.find(module, name)
        empty = not node.args and not node.keywords and not name.startswith("_")
        return {} if empty and found and isinstance(found[1], ast.ClassDef) else MISSING


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
        entry: dict[str, object] = {"at": f"{module.path}:{key.lineno}"}
        default = getenv_default(source, module, value)
        if default is MISSING:
            entry["kind"] = "rule"
        elif default is not None:
            entry["value"] = default
        found[key.value] = entry
    return found


def getenv_default(source: Source, module: Module, reader: ast.expr) -> object:
    """What a variable is taken for where it is not set; None where the reader makes nothing of it."""
    body = reader.body if isinstance(reader, ast.Lambda) else reader
    if isinstance(body, ast.IfExp) and isinstance(body.test, ast.Compare) and "environ" in ast.unparse(body.test):
        unset = body.body if isinstance(body.test.ops[0], ast.NotIn) else body.orelse
        return source.value(module, unset)
    for call in ast.walk(body):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in GETENV and call.args:
            given = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "default")]
            default = source.value(module, given[0]) if given else None
            otherwise = body.values[-1] if isinstance(body, ast.BoolOp) and isinstance(body.op, ast.Or) else None
            if default in (None, "") and isinstance(otherwise, ast.Constant):
                return otherwise.value
            return default
    return MISSING


def metrics(source: Source) -> dict[str, dict[str, object]]:
    """The metrics that a release may emit.

    ``hidden``: only with ``--show-hidden-metrics-for-version``. ``core``: only by that generation of the engine, in
    releases that have both.
    """
    found: dict[str, dict[str, object]] = {}
    cores: dict[str, set[str]] = {}
    old, new = ((source.root / path).exists() for path in ("vllm/core/scheduler.py", "vllm/v1/metrics/loggers.py"))
    for file in sorted((source.root / "vllm").rglob("*.py")):
        text = file.read_bytes()
        path = file.relative_to(source.root).as_posix()
        first = path.startswith("vllm/engine/")
        if b"vllm:" not in text or b"prom" not in text.lower() or (first and not old):
            continue  # after the old engine went, its metrics stayed in the source for a release
        module = source.module(path)
        for name, line, hidden in named_metrics(module.tree, False) if module else ():
            cores.setdefault(name, set()).add("v0" if first else "v1" if path.startswith("vllm/v1/") else "")
            before = found.get(name)
            if before is None or (before.get("hidden") and not hidden):
                found[name] = {"at": f"{path}:{line}"}
                if hidden:
                    found[name]["hidden"] = True
    for name, among in cores.items():
        if old and new and len(among) == 1 and "" not in among:
            found[name]["core"] = next(iter(among))
        if name in HEIRS:
            found[name]["heir"] = HEIRS[name]
    return found


def named_metrics(node: ast.AST, hidden: bool, suffix: str = "") -> Iterator[tuple[str, int, bool]]:
    """Names of metrics below ``node`` with their line, and whether a switch must be on for them.

    Counters have the name under which the Prometheus client shows them, with ``_total``.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and METRIC.fullmatch(node.value):
        yield node.value.removesuffix(suffix) + suffix, node.lineno, hidden
    if isinstance(node, ast.If) and re.search(r"(?<!not )(?:self\.)?show_hidden_metrics$", ast.unparse(node.test)):
        for child in node.body:
            yield from named_metrics(child, True, suffix)
        for child in node.orelse:
            yield from named_metrics(child, hidden, suffix)
        return
    if isinstance(node, ast.Compare):
        return  # asks for a name that something else gives
    if isinstance(node, ast.Assign) and "counter" in ast.unparse(node.targets[0]).lower():
        suffix = "_total"
    elif isinstance(node, ast.Call):
        suffix = "_total" if re.search(r"counter(?:_cls)?$", ast.unparse(node.func).lower()) else ""
    for below in ast.iter_child_nodes(node):
        yield from named_metrics(below, hidden, suffix)


def requests(source: Source) -> dict[str, dict[str, object]]:
    """The fields of a request, ``chat/completions.temperature``, with what they are for a client that leaves them out.

    Fields that are None take what ``_DEFAULT_SAMPLING_PARAMS`` of the class says, where the release has it.
    """
    found: dict[str, dict[str, object]] = {}
    for title, (name, path) in REQUESTS.items():
        module = source.module(path) or source.module(PROTOCOL)
        if module is None or name not in module.classes:
            continue
        fields = source.fields(module, name)
        table = fields.get("_DEFAULT_SAMPLING_PARAMS")
        sampling = source.value(table.module, table.value) if table is not None else {}
        for field, one in fields.items():
            if field.startswith("_") or "ClassVar" in ast.unparse(one.annotation):
                continue
            value = source.value(one.module, one.value) if one.value is not None else None
            entry: dict[str, object] = {"at": f"{one.module.path}:{one.line}"}
            if value is None and isinstance(sampling, dict):
                value = sampling.get(field)
            if value is MISSING:
                entry["kind"] = "rule"
            elif value is not None:
                entry["value"] = 0 if field == "top_k" and value == -1 else value  # both keep all tokens
            found[f"{title}.{field}"] = entry
    return found


def packages(source: Source) -> dict[str, dict[str, object]]:
    """What a release is installed with: the version of an exact pin, else the bounds; and the CUDA of its image."""
    found: dict[str, dict[str, object]] = {}
    for path in REQUIREMENTS:
        for number, line in enumerate(lines(source, path), 1):
            stated = re.match(r"([\w.-]+)(?:\[[^\]]*\])?\s*([<>=!~][^;#]*)", line)
            name = stated[1].lower().replace("_", "-") if stated else ""
            if stated is not None and name in PACKAGES and name not in found:
                bounds = ",".join(sorted(re.sub(r"\s+", "", stated[2]).split(","), reverse=True))
                found[name] = {"at": f"{path}:{number}", "value": bounds.removeprefix("==").partition("+")[0]}
    for path in ("docker/Dockerfile", "Dockerfile"):
        for number, line in enumerate(lines(source, path), 1):
            # The oldest images name their base alone.
            stated = re.match(r"ARG CUDA_VERSION=(\d[\d.]*)\s*$|FROM nvidia/cuda:(\d[\d.]*)-", line)
            if stated is not None and "cuda" not in found:
                found["cuda"] = {"at": f"{path}:{number}", "value": stated[1] or stated[2]}
    return found


def lines(source: Source, path: str) -> list[str]:
    """The lines of a file that need not be there."""
    file = source.root / path
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def rules(source: Source) -> dict[str, dict[str, object]]:
    """A digest of each function that computes defaults, without comments and layout."""
    found: dict[str, dict[str, object]] = {}
    for path, names in RULES.items():
        module = source.module(path)
        for node in ast.walk(module.tree) if module else ():
            if isinstance(node, ast.FunctionDef) and node.name in names and module is not None:
                segment = ast.get_source_segment(module.text, node, padded=True) or ""
                found[node.name] = {"at": f"{path}:{node.lineno}", "digest": digest(segment)}
    return found


def ruled(source: Source) -> set[str]:
    """Fields that the start-up code sets itself: a sentinel default of such a field is a rule, not a value."""
    names: set[str] = set()
    paths = ["vllm/engine/arg_utils.py", "vllm/config.py"]
    paths += [*(f"vllm/config/{p.name}" for p in sorted((source.root / "vllm/config").glob("*.py")))]
    for path in paths:
        module = source.module(path)
        for node in ast.walk(module.tree) if module else ():
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
                continue  # a constructor that keeps what it was given
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
            if isinstance(function, ast.FunctionDef) and function.name.startswith("add_cli_args"):
                declared(source, engine, function, rules, found)
    front = next((module for path in FRONT_ENDS if (module := source.module(path)) and parses(module)), None)
    if front is None:
        raise SystemExit(
            f"{source.root}: no front end in {' or '.join(FRONT_ENDS)}. Hint: add the new place to FRONT_ENDS"
        )
    for item in front.tree.body:
        if isinstance(item, ast.FunctionDef) and item.name in PARSERS:
            declared(source, front, item, rules, found)
    for path in COMMANDS:
        command = source.module(path)
        for part in ast.walk(command.tree) if command else ():
            if isinstance(part, ast.FunctionDef) and command is not None:
                declared(source, command, part, rules, found, of="serve_parser")
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
    entrypoint = image_entrypoint(source)
    if entrypoint:
        found["image ENTRYPOINT"] = entrypoint
    return found


def image_entrypoint(source: Source) -> dict[str, object]:
    """What the image for serving starts, where the release has its Dockerfile."""
    for path in ("docker/Dockerfile", "Dockerfile"):
        for number, line in enumerate(lines(source, path), 1):
            stated = re.match(r"ENTRYPOINT (\[\"(?:vllm|python3)\".*\])\s*$", line)
            if stated is not None:
                return {"at": f"{path}:{number}", "value": " ".join(json.loads(stated[1]))}
    return {}


def parses(module: Module) -> bool:
    """Whether a file declares arguments of the front end."""
    functions = any(isinstance(item, ast.FunctionDef) and item.name in PARSERS for item in module.tree.body)
    return functions or "FrontendArgs" in module.classes


def declared(
    source: Source,
    module: Module,
    function: ast.FunctionDef,
    rules: set[str],
    found: dict[str, dict[str, object]],
    of: str = "",
) -> None:
    """Collect the ``add_argument`` calls of one function; with ``of`` those on the parser of that name."""
    classes: dict[str, str] = {}
    shorthands: dict[str, ast.expr] = {}
    looped: dict[str, list[str]] = {}
    overrides: dict[tuple[str, str], ast.expr] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.For):
            constants = [one.value for one in ast.walk(node.iter) if isinstance(one, ast.Constant)]
            several = [one for one in constants if isinstance(one, str) and one.startswith("--")]
            looped.update((one.id, several) for one in ast.walk(node.target) if isinstance(one, ast.Name))
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
        ) or (of and ast.unparse(node.func.value) != of):
            continue
        names = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if not names and node.args and isinstance(node.args[0], ast.Name):
            for one in looped.get(node.args[0].id, ()):
                put(found, [one], "value", None, f"{module.path}:{node.lineno}", False)
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
            kind, known = "switch", known if "default" in keywords else action == "store_false"
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


def release(root: pathlib.Path) -> dict[str, dict[str, dict[str, object]]]:
    """What one release has, by kind, each by name in sorted order."""
    source = Source(root)
    kinds = {"arguments": arguments, "variables": variables, "metrics": metrics, "requests": requests}
    kinds |= {"packages": packages, "rules": rules}
    return {kind: dict(sorted(read(source).items())) for kind, read in kinds.items()}


# What a release is built with stands beside its code: requirements, the build system, the versions of its image.
BESIDE = r"^(requirements[^/]*\.txt|requirements/[^/]*\.txt|pyproject\.toml|docker/versions\.json)$"

READER = Reader(engine="vllm", source=Package(name="vllm", oldest="0.2.7", also=BESIDE), read=release)


def main(argv: list[str] | None = None) -> int:
    """Print what one release has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="folder of the unpacked source")
    options = parser.parse_args(argv)
    sys.stdout.write(json.dumps(release(pathlib.Path(options.source)), ensure_ascii=False, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
