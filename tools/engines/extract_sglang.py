"""Read arguments, variables, metrics, requests and defaults of one SGLang release from its package, as text.

Nothing is imported or run: the source is parsed with ``ast``. ``tools.engines.releases`` calls this for every release;
for one alone::

    python -m tools.engines.extract_sglang --source sglang-0.5.23

Three structures of arguments: ``ServerArgs`` with ``add_argument`` calls (to 0.5.13), fields annotated
``A[type, Arg(…)]`` (from 0.5.14), and those fields in ``arg_groups/fields`` (from 0.5.20). The default of an
argument is that of the command line; ``field`` is that of ``ServerArgs``, which ``sglang.Engine`` takes, where it is
another.
Variables are the ``EnvField``s of ``environ.py`` (from 0.5.3) and what is read from the environment elsewhere.
"""

from __future__ import annotations

import argparse
import ast
import json
import pathlib
import re
import sys
from collections.abc import Iterator

from tools.engines.literals import digest
from tools.engines.reader import Package, Reader, Things

SERVER_ARGS = "sglang/srt/server_args.py"
UNKNOWN = object()
SENTINELS: tuple[object, ...] = (None, "auto", -1)

OWN = ("SGLANG_", "SGL_")
ELSEWHERE = (
    "sglang/multimodal_gen/",
    "sglang/lang/",
    "sglang/eval/",
    "sglang/bench",
    "sglang/profiler",
    "sglang/check",
)
# A variable read elsewhere: by a function, as an entry of os.environ, or by asking whether it is there.
READ = re.compile(
    r"""(?P<function>getenv|environ\.get|environ\.pop|get_\w*env\w*|_\w*env\w*)\(\s*["'](?P<called>(?:SGLANG|SGL)_[A-Z0-9_]+)["']"""
    r"""(?:\s*,\s*(?:\w+\s*=\s*)?(?P<default>"[^"\n]*"|'[^'\n]*'|[\w.+-]+)\s*[,)])?"""
    r"""|environ\[["'](?P<indexed>(?:SGLANG|SGL)_[A-Z0-9_]+)["']\](?!\s*=[^=])"""
    r"""|["'](?P<asked>(?:SGLANG|SGL)_[A-Z0-9_]+)["']\s+(?:not\s+)?in\s+os\.environ"""
)
# Read without the prefix's second half by releases before 0.5.4; later ones rename them at start.
LEGACY = (
    *("CHUNKED_PREFIX_CACHE_THRESHOLD", "CPU_QUANTIZATION", "DG_CACHE_DIR", "DISABLE_TP_MEMORY_INBALANCE_CHECK"),
    *("ENABLE_JIT_DEEPGEMM", "FORCE_SHUTDOWN", "IN_DEEPGEMM_PRECOMPILE_STAGE", "IS_FIRST_RANK_ON_NODE"),
    *("JIT_DEEPGEMM_COMPILE_WORKERS", "JIT_DEEPGEMM_PRECOMPILE", "USE_DEEPGEMM_BMM"),
)
TESTED = re.compile(r"_CI(?:_|$)|_TEST(?:S|_|$)")  # of the project's own tests
FIELD = re.compile(r"(?:Env|Deprecated)\w*")
METRIC = re.compile(r"sglang:[a-z0-9_]*[a-z0-9]")
METRICS = re.compile(r"(Counter|Gauge|Histogram|Summary)$")
# Renamed, with the same meaning: from the source of the first release without the old name.
HEIRS = {
    "sglang:time_per_output_token_seconds": "sglang:inter_token_latency_seconds",
    "sglang:avg_request_queue_latency": "sglang:queue_time_seconds",
    "sglang:queue_time_s": "sglang:queue_time_seconds",
    "sglang:num_prefill_infight_queue_reqs": "sglang:num_prefill_inflight_queue_reqs",
    "sglang:num_prefill_prealloc_queue_reqs": "sglang:num_prefill_bootstrap_queue_reqs",
    "sglang:total_retracted_reqs": "sglang:num_retracted_reqs",
    "sglang:gpu_execution_seconds_total": "sglang:forward_execution_seconds_total",
    "sglang:dp_cooperation_gpu_execution_seconds_total": "sglang:dp_cooperation_forward_execution_seconds_total",
}

REQUESTS = (
    ("/v1/chat/completions", "ChatCompletionRequest"),
    ("/v1/completions", "CompletionRequest"),
    ("/v1/embeddings", "EmbeddingRequest"),
    ("/v1/responses", "ResponsesRequest"),
)
# Fields that SGLang's own processes fill.
INTERNAL = re.compile(
    r"_time|_ipc$|^need_wait|^is_single|^num_items|^label|^validation|^external_trace|^log_metrics|^no_logs|_mooncake|"
    r"^decode_tp_size|^encoder_urls|^disagg_|_strs$|^stop_\w*_max_len|^token_indices|^lora_id"
)
PROTOCOLS = ("sglang/srt/entrypoints/openai/protocol.py", "sglang/srt/openai_api/protocol.py")
NATIVE = "sglang/srt/managers/io_struct.py"
SAMPLING = "sglang/srt/sampling/sampling_params.py"
ALL_TOKENS = 1 << 30  # how later releases write "no top-k"; earlier ones write -1

# Functions that compute defaults: a digest of each says in which release a rule may have changed.
RULES = re.compile(
    r"__post_init__|_?handle_(?:gpu_memory_settings|missing_default_values|attention_backend_compatibility|"
    r"attention_backend\w*|kv4?_cache\w*|kv_cache\w*|page_size|grammar_backend|sampling_backend|data_parallelism|dp_attention|"
    r"speculative_decoding|cache_compatibility|moe_kernel_config|a2a_moe|load_balance_method|deterministic_inference|"
    r"model_specific_adjustments|cpu_backends|hpu_backends|npu_backends|xpu_backends|mamba\w*|piecewise_cuda_graph|"
    r"pd_disaggregation|hicache|overlap_schedule\w*|context_parallelism|environment_variables|deprecated_args|lora\w*)|"
    r"_generate_cuda_graph_batch_sizes|generate_\w*cuda_graph_batch_sizes|reserve_for_\w+|adjust_mem_fraction_for_vlm|"
    r"_?get_default_attn_backend|_get_default_attention_backend|model_specific_adjustment|auto_choose_speculative_params|"
    r"check_lora_server_args|check_server_args|_get_and_verify_dtype|_parse_quant_hf_config|_verify_quantization"
)
RULED_IN = (SERVER_ARGS, "sglang/srt/arg_groups/", "sglang/srt/model_executor/model_runner.py", "sglang/srt/configs/")

# Packages that decide what a release computes with.
PACKAGES = re.compile(
    r"torch|transformers|flashinfer(?:[_-]python)?|sgl-kernel|sglang-kernel|sgl-flash-mla|sgl-deep-gemm|xgrammar|outlines|"
    r"llguidance|torchao|compressed-tensors|vllm|triton|cuda-python|nvidia-cutlass-dsl"
)
REQUIREMENT = re.compile(r"Requires-Dist: ([\w.-]+)(?:\[[^\]]*\])?\s*\(?([^;()]*)\)?\s*(?:;\s*(.*))?")


class Argument:
    """One argument: its names, what it takes, the value of its default, and where it stands."""

    def __init__(self, names: list[str], takes: str, value: object, at: str, field: str) -> None:
        self.names = names
        self.takes = takes
        self.value = value
        self.at = at
        self.field = field


class Source:
    """One unpacked release."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.texts: dict[str, str] = {}
        for file in sorted((root / "sglang").rglob("*.py")):
            name = file.relative_to(root).as_posix()
            if not name.startswith(ELSEWHERE):
                self.texts[name] = file.read_text(encoding="utf-8", errors="replace")
        if SERVER_ARGS not in self.texts:
            raise SystemExit(f"{root}: no {SERVER_ARGS}. Hint: unpack the package there")
        self.parsed: dict[str, ast.Module] = {}
        self.constants: dict[str, ast.expr] = {}
        self.fields: dict[str, ast.expr | None] = {}
        self.arguments: dict[str, Argument] = {}
        paths = [SERVER_ARGS, *(name for name in self.texts if name.startswith("sglang/srt/arg_groups/"))]
        for path in paths:
            tree = self.tree(path)
            for node in tree.body if tree else ():
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self.constants.setdefault(node.targets[0].id, node.value)
            for cls in ast.walk(tree) if tree else ():
                if isinstance(cls, ast.ClassDef) and (cls.name == "ServerArgs" or "/fields/" in path):
                    self.record(path, cls)
        # What a retired argument does: some releases end with an error, others warn and go on.
        together = "\n".join(self.texts[path] for path in paths)
        retired = re.search(r"class DeprecatedAction\(.*?(?=\n\S|\Z)", together, re.DOTALL)
        self.refuses = retired is not None and "raise ValueError" in retired[0]
        for path in paths:
            tree = self.tree(path)
            for function in ast.walk(tree) if tree else ():
                if isinstance(function, ast.FunctionDef) and function.name == "add_cli_args":
                    self.calls(path, function)

    def tree(self, path: str) -> ast.Module | None:
        """The parsed file, or None where there is none or Python cannot read it."""
        if path not in self.parsed and path in self.texts:
            try:
                self.parsed[path] = ast.parse(self.texts[path])
            except SyntaxError:
                return None
        return self.parsed.get(path)

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
            first = self.value(keywords["cli_name"]) if "cli_name" in keywords else "--" + name.replace("_", "-")
            aliases = self.value(keywords["aliases"]) if "aliases" in keywords else []
            names = [str(first), *(str(one) for one in (aliases if isinstance(aliases, list) else ()))]
            if "fallback" in keywords:
                value = self.value(keywords["fallback"])
            else:
                value = UNKNOWN if node.value is None else self.value(node.value)
            kind = annotated(note.slice.elts[0], keywords)
            self.arguments.setdefault(names[0], Argument(names, kind, value, f"{path}:{node.lineno}", name))

    def calls(self, path: str, function: ast.FunctionDef) -> None:
        """The ``add_argument`` calls of a function."""
        for node in ast.walk(function):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"
            ):
                continue
            names = [name for argument in node.args if isinstance(name := self.value(argument), str)]
            if not names or not any(name.startswith("-") for name in names):
                continue
            keywords = {word.arg: word.value for word in node.keywords if word.arg}
            action = ast.unparse(keywords["action"]) if "action" in keywords else ""
            if action.endswith("DeprecatedAction") and (self.refuses or "error_message" in keywords):
                continue  # it ends with an error that says what to write in its place
            if "default" in keywords:
                value = self.value(keywords["default"])
            else:
                value = (
                    False if re.search("store_true|StoreTrue", action) else UNKNOWN if "required" in keywords else None
                )
            names.sort(key=lambda one: not one.startswith("--"))
            field = self.value(keywords["dest"]) if "dest" in keywords else names[0].lstrip("-").replace("-", "_")
            kind = called(action, keywords)
            self.arguments.setdefault(names[0], Argument(names, kind, value, f"{path}:{node.lineno}", str(field)))

    def value(self, node: ast.expr, depth: int = 0) -> object:
        """The value of an expression made of literals, constants and defaults of fields; else ``UNKNOWN``."""
        if depth > 8:
            return UNKNOWN
        try:
            found = ast.literal_eval(node)
        except (ValueError, TypeError, MemoryError, SyntaxError):
            pass
        else:
            return sorted(found) if isinstance(found, set) else list(found) if isinstance(found, tuple) else found
        if isinstance(node, ast.BinOp):
            left, right = self.value(node.left, depth + 1), self.value(node.right, depth + 1)
            if isinstance(left, int) and isinstance(right, int):
                if isinstance(node.op, ast.LShift) and 0 <= right < 64:
                    return left << right
                if isinstance(node.op, ast.Pow) and 0 <= right < 64:
                    return left**right
                return {ast.Mult: left * right, ast.Add: left + right}.get(type(node.op), UNKNOWN)
            return UNKNOWN
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ServerArgs" and node.attr in self.fields:
            field = self.fields[node.attr]
            return UNKNOWN if field is None else self.value(field, depth + 1)
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.value(self.constants[node.id], depth + 1)
        if isinstance(node, ast.Subscript):
            items, index = self.value(node.value, depth + 1), self.value(node.slice, depth + 1)
            return items[index] if isinstance(items, list) and isinstance(index, int) and items else UNKNOWN
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name == "_declared_default" and node.args:
                field = self.fields.get(str(self.value(node.args[0])))
                return UNKNOWN if field is None else self.value(field, depth + 1)
            if name.split(".")[-1] in ("field", "Field"):
                for word in node.keywords:
                    if word.arg == "default_factory":
                        made: dict[str, object] = {"list": [], "dict": {}, "set": []}
                        body = word.value.body if isinstance(word.value, ast.Lambda) else None
                        return self.value(body, depth + 1) if body else made.get(ast.unparse(word.value), UNKNOWN)
                    if word.arg == "default":
                        return self.value(word.value, depth + 1)
                return self.value(node.args[0], depth + 1) if node.args else UNKNOWN
        return UNKNOWN


def _function(call: ast.Call) -> str:
    """The last name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def annotated(annotation: ast.expr, keywords: dict[str, ast.expr]) -> str:
    """What an argument made from an annotated field takes, by ``add_cli_args_from_dataclass``."""
    action = ast.unparse(keywords["action"]) if "action" in keywords else ""
    if action:
        return called(action, keywords)
    text = ast.unparse(annotation)
    inner = re.sub(r"^(?:typing\.)?Optional\[(.*)\]$", r"\1", text)
    inner = re.sub(r"^(.*?) \| None$|^None \| (.*)$", lambda found: found[1] or found[2], inner)
    if "type_parser" in keywords:
        return "json" if "json" in ast.unparse(keywords["type_parser"]) else called("", keywords)
    if re.match(r"(?:typing\.)?[Ll]ist\b", inner):
        return "list"
    return "switch" if inner == "bool" else called("", keywords)


def called(action: str, keywords: dict[str, ast.expr]) -> str:
    """What an argument takes, by the words of ``add_argument``."""
    if "BooleanOptional" in action:
        return "toggle"
    if "StoreConst" in action and "nargs" in keywords:
        return "value"
    if action.endswith("DeprecatedAction") and "nargs" not in keywords:
        return "switch"
    if "LoRAPath" in action:
        return "list"
    if re.search(r"store_(?:true|false|const)|StoreTrue|StoreConst|HelpAction|version", action):
        return "switch"
    if "nargs" in keywords:
        return {"'?'": "optional", "0": "switch"}.get(ast.unparse(keywords["nargs"]), "list")
    return "json" if "type" in keywords and "json" in ast.unparse(keywords["type"]) else "value"


def ruled(source: Source) -> frozenset[str]:
    """Fields that start-up sets itself: a default of None, auto or -1 of such a field is a rule's placeholder."""
    names: set[str] = set()
    for path, text in source.texts.items():
        if path == SERVER_ARGS:
            names.update(re.findall(r"\bself\.(\w+) (?:=|\*=|/=|\+=) ", text))
        if "server_args." in text:
            names.update(re.findall(r"\bserver_args\.(\w+) = ", text))
        if path.startswith("sglang/srt/arg_groups/") and "/fields/" not in path:
            names.update(re.findall(r"[\"'](\w+)[\"'](?:: |\] = )", text))  # what a pass over the settings returns
            tree = source.tree(path)
            for node in ast.walk(tree) if tree else ():
                if isinstance(node, ast.Call) and "declare" in _function(node):
                    names.update(word.arg for word in node.keywords if word.arg)
    return frozenset(names)


def arguments(source: Source) -> Things:
    """Every argument of the server."""
    rules = ruled(source)
    found: Things = {}
    for name, argument in source.arguments.items():
        value = None if argument.value == "none" else argument.value  # before 0.5.1 the word was not written
        entry: dict[str, object] = {"at": argument.at}
        if value is not UNKNOWN and value is not None:
            entry["value"] = value
        if value is UNKNOWN or (value in SENTINELS and argument.field in rules):
            entry["kind"] = "rule"
        if len(argument.names) > 1:
            entry["names"] = argument.names[1:]
        if argument.takes != "value":
            entry["takes"] = argument.takes
        node = source.fields.get(argument.field)
        held = source.value(node) if node is not None else UNKNOWN
        if held is not UNKNOWN and value is not UNKNOWN and _told(held) != _told(value):
            entry["field"] = held
        found[name] = entry
    return found


def _told(value: object) -> str:
    return "null" if value is None or value is False or value in ("", [], {}) else json.dumps(value)


def variables(source: Source) -> Things:
    """SGLang's own variables: those that ``environ.py`` declares, and those that other files read."""
    found: Things = {}
    environ = "sglang/srt/environ.py"
    tree = source.tree(environ)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            name, called_as = node.targets[0].id, _function(node.value)
            if name.isupper() and FIELD.fullmatch(called_as):
                words = {word.arg: word.value for word in node.value.keywords}
                given = words.get("default") or (node.value.args[0] if node.value.args else None)
                value = source.value(given) if given is not None else UNKNOWN
                found[name] = _variable(value, f"{environ}:{node.lineno}")
                old = source.value(words["deprecated_name"]) if "deprecated_name" in words else None
                if isinstance(old, str):
                    found[old] = _variable(value, f"{environ}:{node.lineno}")
    # A registry of names that still work, with a warning (_DEPRECATED_ENVS and calls that print it).
    gone = set(_without_heir(tree)) if tree else set()
    for node in ast.walk(tree) if tree else ():
        for child in ast.iter_child_nodes(node):
            name = str(child.value) if isinstance(child, ast.Constant) else ""
            if name not in gone and re.fullmatch(r"(?:SGLANG|SGL)_[A-Z0-9_]+", name):
                found.setdefault(name, {"at": f"{environ}:{getattr(child, 'lineno', 0)}"})
    for path, text in source.texts.items():
        if path == environ or not any(start in text for start in OWN):
            continue
        for match in READ.finditer(text):
            name = match["called"] or match["indexed"] or match["asked"]
            unset: object = False if match["function"] and "bool" in match["function"] else None
            if match["default"]:
                unset = _literal(match["default"])
            found.setdefault(name, _variable(unset, f"{path}:{text.count(chr(10), 0, match.start()) + 1}"))
    if 'startswith("SGL_")' in source.texts.get(environ, ""):
        for name in LEGACY:
            if "SGLANG_" + name in found:
                found.setdefault("SGL_" + name, found["SGLANG_" + name])
    return {name: entry for name, entry in found.items() if name.startswith(OWN) and not TESTED.search(name)}


def _without_heir(tree: ast.Module) -> Iterator[str]:
    """Names in the registry of deprecated variables that lead nowhere: a warning is all that they do."""
    for node in ast.walk(tree):
        for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
            bare = isinstance(value, ast.Call) and not value.args and {word.arg for word in value.keywords} <= {"note"}
            if bare and isinstance(key, ast.Constant):
                yield str(key.value)


def _literal(text: str) -> object:
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return UNKNOWN
    return value


def _variable(value: object, at: str) -> dict[str, object]:
    if value is UNKNOWN:
        return {"at": at, "kind": "rule"}
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    elif isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(?:\.\d{1,9})?", value):
        value = float(value) if "." in value else int(value)  # the same, whether a release writes text or a number
    return {"at": at} if value is None or value == "" else {"at": at, "value": value}


def metrics(source: Source) -> Things:
    """The metrics that a release may emit, by the name under which the Prometheus client shows them."""
    found: Things = {}
    for path, text in source.texts.items():
        if "sglang:" not in text or not re.search(r"Counter|Gauge|Histogram|Summary", text):
            continue
        tree = source.tree(path)
        for node in ast.walk(tree) if tree else ():
            kind = METRICS.search(_function(node)) if isinstance(node, ast.Call) else None
            if kind is None or not isinstance(node, ast.Call):
                continue
            for given in (*node.args[:1], *(word.value for word in node.keywords if word.arg == "name")):
                if isinstance(given, ast.Constant) and isinstance(given.value, str) and METRIC.fullmatch(given.value):
                    name = given.value
                    if kind[1] == "Counter":
                        name = name.removesuffix("_total") + "_total"
                    entry: dict[str, object] = {"at": f"{path}:{node.lineno}"}
                    if name in HEIRS:
                        entry["heir"] = HEIRS[name]
                    found.setdefault(name, entry)
    return found


def requests(source: Source) -> Things:
    """Fields of requests, and what each is when a client leaves it out."""
    found: Things = {}
    path = next((path for path in PROTOCOLS if path in source.texts), "")
    tree = source.tree(path)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)} if tree else {}
    for route, name in REQUESTS:
        if name in classes:
            sampled = _sampled(source, classes[name])
            for field, line, value in _fields(source, classes, name):
                at = f"{path}:{line}"
                if field in sampled and value is None:
                    # The model's generation_config.json first, then this.
                    found[f"{route} {field}"] = {"at": at, "kind": "rule", "value": sampled[field]}
                else:
                    found[f"{route} {field}"] = _request(value, at)
    for path, name, prefix in ((NATIVE, "GenerateReqInput", ""), (SAMPLING, "SamplingParams", "sampling_params.")):
        tree = source.tree(path)
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)} if tree else {}
        if name in classes:
            for field, line, value in _fields(source, classes, name):
                if INTERNAL.search(field):
                    continue
                if isinstance(value, int) and value >= ALL_TOKENS and field == "top_k":
                    value = -1
                found[f"/generate {prefix}{field}"] = _request(value, f"{path}:{line}")
    return found


def _request(value: object, at: str) -> dict[str, object]:
    if value is UNKNOWN:
        return {"at": at, "kind": "rule"}
    return {"at": at} if value is None else {"at": at, "value": value}


def _sampled(source: Source, cls: ast.ClassDef) -> dict[str, object]:
    """``_DEFAULT_SAMPLING_PARAMS`` of a class of requests."""
    for node in cls.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_DEFAULT_SAMPLING_PARAMS":
            held = source.value(node.value)
            return held if isinstance(held, dict) else {}
    return {}


def _fields(source: Source, classes: dict[str, ast.ClassDef], name: str) -> Iterator[tuple[str, int, object]]:
    """Name, line and default of every field of a class, with those of the classes of the same file below it."""
    cls = classes[name]
    for base in cls.bases:
        if isinstance(base, ast.Name) and base.id in classes and base.id != name:
            yield from _fields(source, classes, base.id)
    constants = dict(source.constants)
    module = {**constants}
    for node in cls.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
            yield node.target.id, node.lineno, _default(source, node.value, module)
        elif isinstance(node, ast.FunctionDef) and node.name == "__init__":
            given = [one for one in (*node.args.args, *node.args.kwonlyargs) if one.arg != "self"]
            held = [*node.args.defaults, *node.args.kw_defaults]
            for one, default in zip(reversed(given), reversed(held), strict=False):
                yield one.arg, one.lineno, _default(source, default, module)


def _default(source: Source, node: ast.expr | None, constants: dict[str, ast.expr]) -> object:
    if isinstance(node, ast.Name) and node.id == "TOP_K_ALL":
        return -1
    return UNKNOWN if node is None else source.value(node)


def rules(source: Source) -> Things:
    """A digest of each function that computes defaults, without comments and layout."""
    found: Things = {}
    for path, text in source.texts.items():
        if not path.startswith(RULED_IN):
            continue
        tree = source.tree(path)
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)] if tree else []
        inside = {id(node): cls.name for cls in classes for node in cls.body}
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.FunctionDef) and RULES.fullmatch(node.name):
                if node.name == "__post_init__" and inside.get(id(node)) != "ServerArgs":
                    continue
                segment = ast.get_source_segment(text, node, padded=True) or ""
                name = node.name if node.name.startswith("__") else node.name.lstrip("_")
                found.setdefault(name, {"at": f"{path}:{node.lineno}", "digest": digest(segment)})
    return found


def packages(source: Source) -> Things:
    """What a release requires: a version alone where it is pinned, else as the package writes it."""
    found: Things = {}
    for file in sorted([*source.root.glob("*.dist-info/METADATA"), *source.root.glob("PKG-INFO")])[:1]:
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").split("\n"), 1):
            match = REQUIREMENT.match(line)
            if match is None or not PACKAGES.fullmatch(match[1]) or not _plain(match[3] or ""):
                continue
            name = match[1].replace("_", "-").lower()
            wanted = match[2].strip()
            pinned = re.fullmatch(r"==\s*([\w.+]+)", wanted)
            entry: dict[str, object] = {"at": f"METADATA:{number}"}
            if wanted:
                entry["value"] = pinned[1] if pinned else wanted
            found.setdefault(name, entry)
    return found


def _plain(marker: str) -> bool:
    """Whether a requirement is one of the package itself, or of the build for NVIDIA that the images have."""
    extra = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
    return extra is None or extra[1] in ("srt", "runtime-common", "runtime_common")


def release(root: pathlib.Path) -> dict[str, Things]:
    """What one release has, by kind, each by name in sorted order."""
    source = Source(root)
    readers = (arguments, variables, metrics, requests, packages, rules)
    return {read.__name__: dict(sorted(read(source).items())) for read in readers}


READER = Reader(
    engine="sglang",
    source=Package(
        name="sglang", oldest="0.3.0", also=r"(^|/)(PKG-INFO|METADATA)$|sglang/srt/configs/model_config\.py$"
    ),
    read=release,
)


def main(argv: list[str] | None = None) -> int:
    """Print what one release has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="folder of the unpacked package")
    options = parser.parse_args(argv)
    sys.stdout.write(json.dumps(release(pathlib.Path(options.source)), ensure_ascii=False, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
