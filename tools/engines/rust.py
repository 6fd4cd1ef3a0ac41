"""What Rust servers with clap and serde say in their source, read as text: arguments, variables, metrics, requests.

Nothing is compiled or run. Used by the readers of TGI and TEI, whose Python servers read variables besides.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from tools.engines.reader import Things

_DEFAULT = re.compile(r'\bdefault_value(?:_t)?\s*=\s*("(?:[^"\\]|\\.)*"|[\w:.]+)')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_FIELD = re.compile(r"^\s*(?:pub(?:\([\w:]+\))?\s+)?(?:r#)?(\w+):\s*(.+?),?\s*(?://.*)?$")
_VARIABLE = re.compile(r'\bvar(?:_os)?\(\s*"([A-Z][A-Z0-9_]+)"\s*\)')
_FALLBACK = re.compile(
    r"\s*(?:\.ok\(\))?[\s\S]{0,80}?\.unwrap_or(?:_else)?\(\s*(?:\|\w*\|\s*)?"
    r"(\"[^\"]*\"(?:\.to_string\(\)|\.into\(\))?|[\d.]+)\s*\)"
)
# Between a `var(…)` and the default that belongs to it stands no end of a statement.
_END = re.compile(r";|\bvar(?:_os)?\(|\bmatch\b|\{")
_GETENV = re.compile(r"(?:os\.)?(?:getenv|environ\.get)$")


class Field:
    """One field of a struct: its attributes as one text, its name and type, and its line."""

    __slots__ = ("attributes", "kind", "line", "name")

    def __init__(self, attributes: str, name: str, kind: str, line: int) -> None:
        self.attributes, self.name, self.kind, self.line = attributes, name, kind, line


def fields(text: str, struct: str) -> list[Field]:
    """The fields of ``struct``, in order; none where the text does not have it."""
    found = re.search(rf"^[ \t]*(?:pub(?:\([\w:]+\))?\s+)?struct {struct}\b[^{{;]*\{{", text, re.MULTILINE)
    if found is None:
        return []
    out: list[Field] = []
    held: list[str] = []
    depth = 0
    for number, line in enumerate(text[found.end() :].split("\n"), text[: found.end()].count("\n") + 1):
        plain = line.strip()
        if depth == 0 and plain.startswith("}"):
            break
        if plain.startswith("//") or not plain:
            continue
        if depth or plain.startswith("#["):
            held.append(plain)
            bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", plain)
            depth += bare.count("[") - bare.count("]")
            continue
        match = _FIELD.match(line)
        if match is not None:
            out.append(Field(" ".join(held), match[1], match[2], number))
        held = []
    return out


def typed(raw: str, kind: str) -> object:
    """A default as its type reads it."""
    word = raw.strip('"')
    if word in ("true", "false"):
        return word == "true"
    if "String" not in kind and _NUMBER.fullmatch(word):
        return float(word) if "." in word else int(word)
    return word


def arguments(text: str, path: str, decided: Collection[str] = ()) -> Things:
    """The arguments of clap's ``struct Args``. Those in ``decided`` (names of fields) are computed where left out."""
    found: Things = {}
    for field in fields(text, "Args"):
        clap = field.attributes
        default = _DEFAULT.search(clap)
        bare = clap.replace(default[0], "") if default else clap
        if not re.search(r"\blong\b", bare):
            continue
        names = ["--" + field.name.replace("_", "-")]
        if re.search(r"\bshort\b", bare):
            names.append("-" + field.name[0])
        takes = "value"
        if "num_args" in bare and "0..=1" in bare:
            takes = "optional"
        elif field.kind == "bool":
            takes = "switch"
        elif "Vec<" in field.kind and "value_delimiter" not in bare:
            takes = "append"
        entry: dict[str, object] = {"at": f"{path}:{field.line}", "names": names, "takes": takes}
        if default is not None:
            entry["value"] = typed(default[1], field.kind)
        elif field.kind == "bool":
            entry["value"] = False
        elif field.name in decided:
            entry["kind"] = "rule"
        found[names[0]] = entry
    return found


def argument_variables(text: str, path: str) -> Things:
    """The variables that set an argument: its name in capitals, or the name that ``env`` gives."""
    found: Things = {}
    for field in fields(text, "Args"):
        clap = field.attributes
        default = _DEFAULT.search(clap)
        bare = clap.replace(default[0], "") if default else clap
        named = re.search(r'\benv\s*=\s*"(\w+)"', bare)
        if named or re.search(r"\benv\b", bare):
            found[named[1] if named else field.name.upper()] = {"at": f"{path}:{field.line}"}
    return found


def sources(root: pathlib.Path, folders: Iterable[str], suffix: str) -> Iterator[tuple[str, str]]:
    """Path and text of the files below some folders that the program is made of, in the order of their names."""
    for folder in folders:
        top = root / folder
        for file in sorted(top.rglob(f"*{suffix}")) if top.is_dir() else [top] if top.is_file() else []:
            path = file.relative_to(root).as_posix()
            if re.search(r"(^|/)(tests?|benches|examples|build\.rs)(/|$)", path):
                continue
            text = file.read_text(encoding="utf-8", errors="replace")
            if suffix == ".rs":
                text = re.split(r"(?m)^\s*#\[cfg\(test\)\]\s*\n\s*mod ", text)[0]
            yield path, text


def rust_variables(files: Iterable[tuple[str, str]]) -> Things:
    """Variables that Rust code reads, each with its default where that is a literal beside it."""
    found: Things = {}
    for path, text in files:
        for match in _VARIABLE.finditer(text):
            entry: dict[str, object] = {"at": f"{path}:{text[: match.start()].count(chr(10)) + 1}"}
            fallback = _FALLBACK.match(text, match.end())
            if fallback is not None and not _END.search(fallback[0]):
                entry["value"] = re.sub(r'^"|"(?:\.\w+\(\))?$', "", fallback[1])
            if match[1] not in found or ("value" in entry and "value" not in found[match[1]]):
                found[match[1]] = entry
    return found


def python_variables(files: Iterable[tuple[str, str]]) -> Things:
    """Variables that Python code reads, each with its default where that is a literal."""
    found: Things = {}
    for path, text in files:
        if "environ" not in text and "getenv" not in text:
            continue
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            name, default, line = _read(node)
            if not name:
                continue
            entry: dict[str, object] = {"at": f"{path}:{line}"}
            if default is not None:
                entry["value"] = default
            if name not in found or ("value" in entry and "value" not in found[name]):
                found[name] = entry
    return found


def _read(node: ast.AST) -> tuple[str, object, int]:
    if isinstance(node, ast.Call) and _GETENV.fullmatch(ast.unparse(node.func)) and node.args:
        first = node.args[0]
        rest = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "default")]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            default = rest[0].value if rest and isinstance(rest[0], ast.Constant) else None
            return first.value, default if isinstance(default, (str, int, float, bool)) else None, node.lineno
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and ast.unparse(node.value) == "os.environ":
        key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return key.value, None, node.lineno
    return "", None, 0


def metrics(files: Iterable[tuple[str, str]], prefix: str) -> Things:
    """Metrics that the code emits, by their whole names, at the place of the first."""
    found: Things = {}
    name = re.compile(rf'"({prefix}[a-z0-9_]+)"')
    for path, text in files:
        for number, line in enumerate(text.split("\n"), 1):
            if line.lstrip().startswith(("//", "#")) or not re.search(r"metric|counter|gauge|histogram|Matcher", line):
                near = text.split("\n")[max(number - 3, 0) : number - 1]
                if not any(re.search(r"counter!|gauge!|histogram!|Matcher", one) for one in near):
                    continue
            for match in name.finditer(line):
                found.setdefault(match[1], {"at": f"{path}:{number}"})
    return found


def requests(text: str, path: str, structs: Mapping[str, str]) -> Things:
    """Fields of requests with what serde gives them where a client leaves them out. ``structs``: name → endpoint."""
    found: Things = {}
    for struct, endpoint in structs.items():
        for field in fields(text, struct):
            if "skip" in field.attributes and "skip_serializing_if" not in field.attributes:
                continue
            entry: dict[str, object] = {"at": f"{path}:{field.line}"}
            named = re.search(r'serde\([^)]*\bdefault\s*=\s*"(\w+)"', field.attributes)
            body = re.search(rf"fn {named[1]}\(\)[^{{]*\{{([^}}]*)\}}", text) if named else None
            literal = re.fullmatch(r"\s*(?:Some\()?(-?[\d.]+|true|false|\"[^\"]*\")\)?\s*", body[1]) if body else None
            if literal is not None:
                entry["value"] = typed(literal[1], field.kind)
            elif field.kind == "bool" and "default" in field.attributes:
                entry["value"] = False
            found[f"{endpoint} {field.name}"] = entry
    return found


def digests(text: str, path: str, names: Collection[str]) -> Things:
    """A digest of each function that computes defaults, without comments and layout."""
    found: Things = {}
    for match in re.finditer(r"^[ \t]*(?:pub(?:\([\w:]+\))?\s+)?(?:async )?fn (\w+)\b", text, re.MULTILINE):
        if match[1] not in names:
            continue
        indent = re.match(r"[ \t]*", match[0])
        end = re.compile(rf"^{indent[0] if indent else ''}\}}", re.MULTILINE).search(text, match.end())
        segment = re.sub(r"(?m)^\s*//.*$", "", text[match.start() : end.end() if end else len(text)])
        words = " ".join(re.findall(r"\w+|[^\w\s]", segment))
        found[match[1]] = {
            "at": f"{path}:{text[: match.start()].count(chr(10)) + 1}",
            "digest": hashlib.sha256(words.encode()).hexdigest()[:12],
        }
    return found


def image(text: str, path: str, names: Mapping[str, str], prefix: str = "image") -> Things:
    """Variables that the last stage of a Dockerfile that names one sets: ``image NAME`` → value.

    ``names`` maps a variable to the name that it has today.
    """
    found: Things = {}
    for number, line in enumerate(text.split("\n"), 1):
        for variable, value in re.findall(r"(?:^\s*ENV\s+|^\s+)(\w+)[= ]\"?([^\s\"\\]+)", line):
            if variable in names:
                found[f"{prefix} {names[variable]}"] = {"at": f"{path}:{number}", "value": typed(value, "")}
    return found


def built(text: str, path: str) -> Things:
    """What a Dockerfile builds with: PyTorch and CUDA where arguments say, else the CUDA of its last NVIDIA image."""
    found: Things = {}
    for number, line in enumerate(text.split("\n"), 1):
        stated = re.match(r"ARG (PYTORCH|CUDA)_VERSION='?([\d.]+\d)", line)
        base = re.match(r"FROM nvidia/cuda:(\d+\.\d+(?:\.\d+)?)-", line)
        if stated:
            name = {"PYTORCH": "torch", "CUDA": "cuda"}[stated[1]]
            found[name] = {"at": f"{path}:{number}", "value": stated[2]}
        elif base and not re.search(r"(?m)^ARG CUDA_VERSION", text):
            found["cuda"] = {"at": f"{path}:{number}", "value": base[1]}
    return found


def pinned(text: str, path: str, names: Collection[str]) -> Things:
    """Packages that a list of requirements pins."""
    found: Things = {}
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r"([\w-]+)==([^\s;]+)", line)
        if match and match[1] in names:
            found[match[1]] = {"at": f"{path}:{number}", "value": match[2]}
    return found
