"""Read the arguments, metrics, request fields and pins of LMDeploy releases from their wheels, as text.

Nothing is imported or run: the source is parsed with ``ast``. ``SubCliServe`` of ``lmdeploy/cli/serve.py`` declares the
arguments of ``lmdeploy serve api_server``, itself or by methods of ``ArgumentHelper`` in ``lmdeploy/cli/utils.py``.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import re
from collections.abc import Iterator, Mapping

from tools.engines.reader import Content, Package, Reader, Things

SERVE = "lmdeploy/cli/serve.py"
HELPER = "lmdeploy/cli/utils.py"
METRICS = "lmdeploy/metrics/loggers.py"
SUPPORTED = "lmdeploy/turbomind/supported_models.py"
PROTOCOL = "lmdeploy/serve/openai/protocol.py"

# Decided at start from the model or the device: these whatever stands there, those where nothing does.
_DECIDED = frozenset(("--backend", "--dtype"))
_OPEN = frozenset(("--session-len", "--max-batch-size", "--model-format", "--chat-template", "--model-name"))
# Functions that compute what nobody wrote, by the files that had them.
_RULES = {
    "lmdeploy/utils.py": ("get_max_batch_size",),
    "lmdeploy/archs.py": ("autoget_backend",),
    "lmdeploy/turbomind/supported_models.py": ("is_supported",),
    "lmdeploy/pytorch/engine/engine.py": ("_update_engine_config",),
    "lmdeploy/serve/utils/server_utils.py": ("validate_json_request",),
}
# What changes what an engine computes; the rest of the pins is of servers and tools.
_PINNED = frozenset(("torch", "torchvision", "transformers", "triton", "accelerate", "peft", "xgrammar", "tokenizers"))
_REQUIRES = re.compile(r"^Requires-Dist: ([A-Za-z0-9_.-]+) ?\(?([^;()\n]*)\)?(;.*)?$", re.MULTILINE)
_UNREAD = object()


def module(root: pathlib.Path, path: str) -> ast.Module | None:
    """A file of a release, parsed; None where the release has none."""
    file = root / path
    return ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else None


def functions(tree: ast.AST) -> dict[str, ast.FunctionDef]:
    """The functions and methods below a node, by name."""
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def value(node: ast.expr | None, known: Mapping[str, ast.expr]) -> object:
    """What an expression of literals and parameters is; ``_UNREAD`` for any other."""
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError):
        pass
    if isinstance(node, ast.Name) and node.id in known:
        return value(known[node.id], {})
    return _UNREAD


def helper_calls(function: ast.FunctionDef) -> Iterator[tuple[ast.Call, str]]:
    """The calls that declare arguments, in order: of a parser's ``add_argument`` (``""``), of a helper (its name)."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "add_argument":
                yield node, ""
            elif isinstance(node.func.value, ast.Name) and node.func.value.id == "ArgumentHelper":
                yield node, node.func.attr


def parameters(helper: ast.FunctionDef, call: ast.Call) -> dict[str, ast.expr]:
    """What the parameters of a helper are in one call."""
    names = [argument.arg for argument in helper.args.args]
    known = dict(zip(reversed(names), reversed(helper.args.defaults), strict=False))
    known.update(zip(names, call.args, strict=False))
    known.update({word.arg: word.value for word in call.keywords if word.arg})
    return known


def arguments(root: pathlib.Path) -> Things:
    """The arguments of ``lmdeploy serve api_server``."""
    serve, helpers = module(root, SERVE), module(root, HELPER)
    declared = functions(serve).get("add_parser_api_server") if serve else None
    if declared is None:
        return {}
    helper = functions(helpers) if helpers else {}
    found: Things = {}
    for call, name in helper_calls(declared):
        if not name:
            put(found, call, {}, f"{SERVE}:{call.lineno}")
        elif name in helper:
            known = parameters(helper[name], call)
            for below, inner in helper_calls(helper[name]):
                if not inner:
                    put(found, below, known, f"{HELPER}:{below.lineno}")
    return found


def put(found: Things, call: ast.Call, known: Mapping[str, ast.expr], at: str) -> None:
    """Enter one ``add_argument`` call; positionals are left out, and of two with one name the first stands."""
    names = [value(argument, known) for argument in call.args]
    words = {word.arg: word.value for word in call.keywords if word.arg}
    spelled = [name for name in names if isinstance(name, str) and name.startswith("-")]
    spelled.sort(key=lambda name: not name.startswith("--"))
    if not spelled or spelled[0] in found:
        return
    action, count = value(words.get("action"), known), value(words.get("nargs"), known)
    default = value(words.get("default"), known)
    state: dict[str, object] = {"at": at}
    if action in ("store_true", "store_false"):
        state["takes"] = "switch"
        default = action == "store_false" if "default" not in words else default
    elif count in ("*", "+"):
        state["takes"] = "list"
    elif count == "?":
        state["takes"] = "optional"
    if default is not _UNREAD and default is not None:
        state["value"] = default
    if default is _UNREAD or spelled[0] in _DECIDED or (default is None and spelled[0] in _OPEN):
        state["kind"] = "rule"
    if spelled[1:]:
        state["names"] = spelled[1:]
    found[spelled[0]] = state


def architectures(root: pathlib.Path) -> Things:
    """Models that TurboMind computes, as ``turbomind ARCHITECTURE``: with any other one LMDeploy takes PyTorch."""
    tree = module(root, SUPPORTED)
    found: Things = {}
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.Assign) or ast.unparse(node.targets[0]) != "SUPPORTED_ARCHS":
            continue
        named: list[tuple[object, int]] = []
        if isinstance(node.value, ast.Call):
            named = [(word.arg, word.value.lineno) for word in node.value.keywords]
        elif isinstance(node.value, ast.Dict):
            named = [(value(key, {}), key.lineno) for key in node.value.keys if key is not None]
        elif isinstance(node.value, (ast.List, ast.Tuple, ast.Set)):
            named = [(value(one, {}), one.lineno) for one in node.value.elts]
        for name, line in named:
            if isinstance(name, str):
                found[f"turbomind {name}"] = {"at": f"{SUPPORTED}:{line}", "value": True}
    return found


def metrics(root: pathlib.Path) -> Things:
    """The metrics, named as they are scraped: a counter's name ends in ``_total``, whatever the source says."""
    tree = module(root, METRICS)
    found: Things = {}
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        kind = node.func.attr
        named = next((word.value for word in node.keywords if word.arg == "name"), node.args[0] if node.args else None)
        name = value(named, {})
        if kind not in ("Gauge", "Counter", "Histogram", "Info") or not isinstance(name, str):
            continue
        at = f"{METRICS}:{node.lineno}"
        ends = {"Counter": ("_total",), "Info": ("_info",), "Histogram": ("_bucket", "_sum", "_count"), "Gauge": ("",)}
        for end in ends[kind]:
            found[name if end and name.endswith(end) else name + end] = {"at": at}
    return found


def requests(root: pathlib.Path) -> Things:
    """Fields of chat completions that change an answer, with what they are when a client leaves them out."""
    tree = module(root, PROTOCOL)
    found: Things = {}
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.ClassDef) or node.name not in ("ChatCompletionRequest", "ChatCompletionRequestQos"):
            continue
        for field in node.body:
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            default = field.value
            if isinstance(default, ast.Call) and ast.unparse(default.func) == "Field":
                words = {word.arg: word.value for word in default.keywords if word.arg}
                default = words.get("default", default.args[0] if default.args else None)
            elif default is None:
                continue
            said = value(default, {})
            state: dict[str, object] = {"at": f"{PROTOCOL}:{field.lineno}"}
            if said is _UNREAD or said is Ellipsis:
                continue
            if said is not None:
                state["value"] = said
            if node.name == "ChatCompletionRequest":
                found[field.target.id] = state
    return found


def packages(root: pathlib.Path) -> Things:
    """What the wheel requires of the libraries that compute."""
    found: Things = {}
    for file in sorted(root.glob("*.dist-info/METADATA")):
        text = file.read_text(encoding="utf-8", errors="replace")
        for match in _REQUIRES.finditer(text):
            name, wanted, marker = match[1].lower(), match[2].strip(), match[3] or ""
            if name in _PINNED and wanted and "extra" not in marker and name not in found:
                parts = ",".join(sorted(part.strip() for part in wanted.split(",")))
                found[name] = {"at": f"METADATA:{text[: match.start()].count(chr(10)) + 1}", "value": parts}
    return found


def rules(root: pathlib.Path) -> Things:
    """The functions that compute defaults, each with a digest of its words."""
    found: Things = {}
    for path, names in _RULES.items():
        tree = module(root, path)
        for name in names:
            function = functions(tree).get(name) if tree else None
            if function is not None:
                text = ast.unparse(function)
                digest = hashlib.sha256(text.encode()).hexdigest()[:12]
                found[f"{path}:{name}"] = {"at": f"{path}:{function.lineno}", "digest": digest}
    return found


def release(root: pathlib.Path) -> Content:
    """One release, from the folder with its text."""
    return {
        "arguments": {**arguments(root), **architectures(root)},
        "metrics": metrics(root),
        "requests": requests(root),
        "packages": packages(root),
        "rules": rules(root),
        "variables": variables(root),
    }


def variables(root: pathlib.Path) -> Things:
    """The package's own variables: names of literals that begin as they do."""
    found: Things = {}
    for file in sorted((root / "lmdeploy").rglob("*.py")):
        path = file.relative_to(root).as_posix()
        text = file.read_text(encoding="utf-8", errors="replace")
        if "LMDEPLOY_" not in text and "TM_" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            name = node.value
            if re.fullmatch(r"(?:LMDEPLOY|TM)_[A-Z][A-Z0-9_]+", name):
                found.setdefault(name, {"at": f"{path}:{node.lineno}", "kind": "rule"})
    return found


READER = Reader(
    engine="lmdeploy",
    source=Package(name="lmdeploy", oldest="0.1.0", also=r"dist-info/METADATA$"),
    read=release,
)
