r"""Read the arguments and defaults of llama.cpp's server, and of llama-cpp-python's, from published sources, as text.

Nothing is compiled, imported or run; ``tools.engines.releases`` calls this for every release.

Builds of llama.cpp are numbered, and its repository is not on a package index; the sdists of xllamacpp
(https://pypi.org/project/xllamacpp/) hold llama.cpp at the build that ends their version: 2026.10.11549 holds b11549.
Those of llama-cpp-python hold llama.cpp at some commit under ``vendor/``, and a server of their own.

An argument is a ``common_arg`` of ``common/arg.cpp``; its default is the initial value of the field of
``common_params`` that its handler sets.
"""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from tools.engines.reader import Content, Package, Reader, Things

_OPTION = re.compile(r"add_opt\((?:common_arg|llama_arg)\(")
_HEAD = re.compile(r"\s*\{([^{}]*)\}\s*,\s*")
_SET = re.compile(r"params\.([\w.]+)\s*=\s*([^;]+);")
_FIELD = re.compile(
    r"^\s*(?:(?:struct|enum|const|std::)\s*)*[\w:<>,\s*]+?[\s*](\w+)(?:\[\d+\])?\s*=\s*([^;]+);", re.MULTILINE
)
_MEMBER = re.compile(
    r"^\s*(?:struct\s+)?(common_params_\w+|common_\w+_params|gpt_\w+_params|cpu_params)\s+(\w+);", re.MULTILINE
)
# Values that stand for "decide at start": they say what the engine will not use.
_DECIDED = {
    "n_ctx": (0,), "n_parallel": (-1,), "n_gpu_layers": (-1, -2), "n_threads": (-1,), "n_threads_http": (-1,),
    "flash_attn_type": ("auto",), "rope_freq_base": (0.0,), "rope_freq_scale": (0.0,), "yarn_ext_factor": (-1.0,),
    "yarn_attn_factor": (-1.0,), "yarn_beta_fast": (-1.0,), "yarn_beta_slow": (-1.0,), "yarn_orig_ctx": (0,),
    "load_mode": ("auto",), "lazy_mode": ("auto",), "rope_scaling_type": ("unspecified",),
    "pooling_type": ("unspecified",),
    "image_min_tokens": (-1,), "image_max_tokens": (-1,), "enable_reasoning": (-1,),
}  # fmt: skip


def plain(text: str) -> str:
    """The text with comments blanked out, so that lines and columns stay."""
    out = re.sub(
        r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\'|//[^\n]*|/\*.*?\*/',
        lambda m: m[0] if m[0][0] in "\"'" else re.sub(r"[^\n]", " ", m[0]),
        text,
        flags=re.DOTALL,
    )
    return out


def _body(text: str, start: int) -> int:
    """Where the parenthesis or brace that was opened before ``start`` closes."""
    depth, at = 1, start
    for match in re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)+\'|[(){}]').finditer(text, start):
        if match[0] in "({":
            depth += 1
        elif match[0] in ")}":
            depth -= 1
        at = match.end()
        if depth == 0:
            break
    return at


def initial(header: str) -> dict[str, Any]:
    """Initial values of ``common_params`` by dotted field name."""
    text = plain(header)
    structs: dict[str, str] = {}
    for match in re.finditer(r"\nstruct (\w+)\s*\{", text):
        structs[match[1]] = text[match.end() : _body(text, match.end()) - 1]
    found: dict[str, Any] = {}

    def fill(name: str, prefix: str, depth: int) -> None:
        body = structs.get(name, "")
        for field in _FIELD.finditer(body):
            found[prefix + field[1]] = literal(field[2])
        for member in _MEMBER.finditer(body):
            if depth < 4:
                fill(member[1], f"{prefix}{member[2]}.", depth + 1)

    fill("common_params" if "common_params" in structs else "gpt_params", "", 0)
    return found


def literal(text: str) -> Any:
    """The value of a C++ initialiser; the text of an expression in angle brackets, for what has none."""
    word = text.strip()
    if word in ("true", "false"):
        return word == "true"
    if re.fullmatch(r"[+-]?\d+", word):
        return int(word)
    if re.fullmatch(r"[+-]?\d*\.\d*f?", word):
        return float(word.rstrip("f"))
    if re.fullmatch(r'"(?:[^"\\]|\\.)*"', word):
        return word[1:-1] or None
    if word == "nullptr":
        return None
    listed = re.fullmatch(r'\{\s*"([^"\\]*)"\s*\}', word)
    if listed:
        return listed[1]
    name = re.fullmatch(
        r"(?:GGML_TYPE|LLAMA_SPLIT_MODE|LLAMA_FLASH_ATTN_TYPE|LLAMA_LOAD_MODE|LLAMA_LAZY_MODE|LLAMA_POOLING_TYPE|"
        r"LLAMA_ROPE_SCALING_TYPE|GGML_NUMA_STRATEGY|COMMON_REASONING_FORMAT)_(\w+)",
        word,
    )
    return name[1].lower().replace("_", "-") if name else f"<{' '.join(word.split())}>"


def options(source: str) -> list[dict[str, Any]]:
    """Every argument of ``arg.cpp`` that the server takes: names, negations, variable, line, handler."""
    text = plain(source)
    found = []
    for match in _OPTION.finditer(text):
        end = _body(text, match.end())
        body, heads = text[match.end() : end - 1], []
        while (head := _HEAD.match(body)) is not None:
            heads.append(re.findall(r'"([^"]*)"', head[1]))
            body = body[head.end() :]
        if not heads:
            continue
        tail = text[end : text.index(";", end)]
        examples = re.search(r"set_examples\(\{([^}]*)\}", tail)
        if examples and not re.search(r"LLAMA_EXAMPLE_(SERVER|COMMON)\b", examples[1]):
            continue
        if "LLAMA_EXAMPLE_SERVER" in "".join(re.findall(r"set_excludes\(\{([^}]*)\}", tail)):
            continue
        variable = re.search(r'set_env\("([^"]+)"', tail)
        found.append(
            {
                "names": heads[0],
                "negations": heads[1] if len(heads) > 1 else [],
                "variable": variable[1] if variable else "",
                "line": text.count("\n", 0, match.start()) + 2,
                "handler": body,
                "value": re.search(r"(?:common|gpt)_params\s*&\s*\w*\s*,\s*(?:const\s+)?(bool|int|std::string)", body),
            }
        )
    return found


def _default(option: dict[str, Any], fields: dict[str, Any]) -> tuple[Any, bool]:
    """The default as the argument would be written, and whether it is decided at start."""
    if {"--threads", "--threads-batch"} & set(option["names"]):
        return None, True  # the number of cores, found at start
    if "--host" in option["names"]:
        return fields.get("hostnames", fields.get("hostname")), False
    assigned = _SET.search(option["handler"])
    kind = option["value"][1] if option["value"] else ""
    if assigned is None:
        return (False, False) if not kind else (None, False)
    field, value = assigned[1], assigned[2].strip()
    known = field in fields
    now = fields.get(field)
    if not known and (kind == "int" or "std::sto" in option["handler"]):
        return None, True  # the field was not found: nothing is claimed
    if isinstance(now, str) and now.startswith("<"):
        return None, True
    last = field.rpartition(".")[2]
    if now in _DECIDED.get(last, ()) and known:
        return None, True
    if kind in ("", "bool") and isinstance(now, bool):
        return (now if kind else now == literal(value)) is not value.startswith("!"), False
    if not kind:
        return False, False
    if kind == "std::string" and isinstance(now, bool) and "is_truthy" not in option["handler"]:
        return None, False  # the field is only a part of what the word says
    return now, False


def native(root: pathlib.Path, prefix: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments and variables of llama-server."""
    file = root / "common" / "arg.cpp"
    if not file.exists():
        return {}, {}
    source = file.read_text(encoding="utf-8")
    fields = initial((root / "common" / "common.h").read_text(encoding="utf-8"))
    for match in re.finditer(r"ex == LLAMA_EXAMPLE_SERVER\)\s*\{([^{}]*)\}", plain(source)):
        for name, value in _SET.findall(match[1]):
            fields[name] = literal(value)
    arguments: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    for option in options(source):
        longs = [name for name in option["names"] if name.startswith("--")]
        name = (longs or option["names"])[0]
        if "has been removed" in option["handler"]:
            continue
        at = f"{prefix}common/arg.cpp:{option['line']}"
        entry: dict[str, Any] = {"at": at}
        value, rule = _default(option, fields)
        if value is not None:
            entry["value"] = value
        if rule:
            entry["kind"] = "rule"
        others = [one for one in (*option["names"], *option["negations"]) if one != name]
        if others:
            entry["names"] = others
        arguments[name] = entry
        if option["variable"]:
            variables[option["variable"]] = {key: entry[key] for key in ("at", "value", "kind") if key in entry}
    return arguments, variables


def python_server(file: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments and variables of ``llama_cpp.server``: the fields of its pydantic settings."""
    arguments: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef) or node.name not in ("ModelSettings", "ServerSettings"):
            continue
        for field in node.body:
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if not isinstance(field.value, ast.Call):
                continue
            entry: dict[str, Any] = {"at": f"llama_cpp/server/settings.py:{field.lineno}"}
            default = next((one.value for one in field.value.keywords if one.arg == "default"), None)
            if default is not None:
                try:
                    value = ast.literal_eval(default)
                except ValueError:
                    entry["kind"] = "rule"
                    if ast.unparse(default) == "2 << 30":
                        entry = {"at": entry["at"], "value": 2 << 30}
                else:
                    if value is not None and value != "":
                        entry["value"] = value
            arguments[f"--{field.target.id}"] = entry
            variables[field.target.id.upper()] = entry
    return arguments, variables


def requests(text: str) -> dict[str, Any]:
    """What a request to ``llama_cpp.server`` gets that names nothing, as ``request temperature``."""
    found = {}
    for match in re.finditer(r"^(\w+)_field = Field\(\s*default=(-?\d[\d.]*),", text, re.MULTILINE):
        line = text.count("\n", 0, match.start()) + 1
        found[f"request {match[1]}"] = {"at": f"llama_cpp/server/types.py:{line}", "value": literal(match[2])}
    return found


def release(root: pathlib.Path) -> dict[str, dict[str, Any]]:
    """The arguments and variables of one unpacked sdist."""
    settings = root / "llama_cpp" / "server" / "settings.py"
    if not settings.exists():
        found = native(root / "thirdparty" / "llama.cpp")
        if not found[0]:
            raise SystemExit(
                f"no arguments found under {root}. Hint: unpack an sdist of xllamacpp or llama-cpp-python there"
            )
        return {"arguments": found[0], "variables": found[1]}
    arguments, variables = native(root / "vendor" / "llama.cpp", "vendor/llama.cpp/")
    own, own_variables = python_server(settings)
    own |= requests(settings.with_name("types.py").read_text(encoding="utf-8"))
    return {"arguments": {**arguments, **own}, "variables": {**variables, **own_variables}}


def stable(names: Sequence[str], contents: Sequence[Content]) -> dict[str, object]:
    """The defaults of llama-server that all builds have alike, and so has what llama-cpp-python bundles of it."""
    read: list[Things] = []
    for name, content in zip(names, contents, strict=True):
        held = content.get("arguments", {})
        if "." in name:  # llama-cpp-python, whose own server has other arguments
            held = {argument: one for argument, one in held.items() if str(one["at"]).startswith("vendor/")}
        if held:
            read.append(held)
    equal: dict[str, object] = {}
    for name, newest in read[-1].items():
        # A negation is another argument: `--no-slots` once stood alone.
        spelled = {name, *_positive(newest)}
        found = [next((one for key, one in each.items() if spelled & {key, *_positive(one)}), None) for each in read]
        if all(one is not None and one.get("kind") != "rule" for one in found):
            values = [one.get("value") for one in found if one is not None]
            if all(value == values[0] and type(value) is type(values[0]) for value in values):
                equal[name] = values[0]
    return dict(sorted(equal.items()))


def _positive(entry: dict[str, Any]) -> list[str]:
    return [name for name in entry.get("names", ()) if not re.match(r"--?no(-|[a-z])|-n[krd]", name)]


_HEADERS = r"(^|/)common/(arg\.cpp|common\.h)$"

READER = Reader(
    engine="llama.cpp",
    source=Package(name="llama-cpp-python", oldest="0.2.56", also=_HEADERS),
    # The last number of a version is the build of llama.cpp; another release of the same build follows after a dot.
    further=(Package(name="xllamacpp", oldest="2026.4.8672", also=_HEADERS, release=r"\d{4}\.\d+\.(\d+)"),),
    read=release,
    stable=stable,
)
