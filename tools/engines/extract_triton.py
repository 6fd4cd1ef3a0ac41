"""Read the options, metrics and pinned packages of one release of Triton Inference Server from its source, as text.

Nothing is compiled or run. Options are the entries ``{OPTION_X, "name", kind, "description"}`` of
``src/command_line_parser.cc`` (``src/main.cc`` and ``src/servers/main.cc`` in older releases); what one is when left
out is what the variable is declared with that its ``case OPTION_X`` assigns to. The container of a release, and
the versions of what is built into it, are ``TRITON_VERSION_MAP`` of ``build.py``. Metrics and the rules that complete
a model's configuration are in ``src/core`` (2.20), later in the repository ``core``, at the branch of the container.
"""

from __future__ import annotations

import pathlib
import re

from tools.engines import cpp
from tools.engines.reader import Beside, Content, Reader, Repository, Things, beside

SOURCES = (
    "src/command_line_parser.cc",
    "src/command_line_parser.h",
    "src/grpc/grpc_server.h",
    "src/grpc_server.h",
    "src/common.h",
    "src/main.cc",
    "src/servers/main.cc",
    "src/servers/grpc_server.h",
)
CORE = ("src/metrics.cc", "src/metric_model_reporter.h", "src/metric_model_reporter.cc")
# Looking up and inserting are one duration since 2.32 (docs/user_guide/metrics.md).
HEIRS = {
    "nv_cache_hit_lookup_duration_per_model": "nv_cache_hit_duration_per_model",
    "nv_cache_miss_lookup_duration_per_model": "nv_cache_miss_duration_per_model",
    "nv_cache_miss_insertion_duration_per_model": "nv_cache_miss_duration_per_model",
}
RULES = (
    *("NormalizeModelConfig", "NormalizeInstanceGroup", "SetDefaultInstanceCount", "AutoCompleteBackendFields"),
    "ValidateModelConfig",
)
_OPTION = re.compile(r'\{\s*(OPTION_\w+),\s*"([\w-]+)",\s*(Option::Arg\w+|"[^"]*")')
_CASE = re.compile(r"case (OPTION_\w+):(.*?)(?=\bcase (?:OPTION_\w+|'\?'):|\n\s*\}\s*catch|\Z)", re.DOTALL)
_ASSIGNS = re.compile(r"(?:^|[\s(])([A-Za-z_][\w.]*?)\s*(?<![=!<>])=(?!=)")
_METRIC = re.compile(r'"(nv_[a-z0-9_]+[a-z0-9])"')
_OLD_ENTRY = re.compile(r"^\s+(?:\(\()?['\"]([^'\"]+)['\"].*?#\s*(.+?)\s*$", re.MULTILINE)
_NEW_ENTRY = re.compile(r'^\s+"(\w+)": "([^"]+)",\s*$', re.MULTILINE)
_PACKAGES = {
    "triton container": "container", "triton_container_version": "container",
    "ORT": "onnxruntime", "ort_version": "onnxruntime",
    "Standalone OpenVINO": "openvino", "standalone_openvino_version": "openvino",
    "DCGM version": "dcgm", "dcgm_version": "dcgm",
    "vLLM version": "vllm", "vllm_version": "vllm",
}  # fmt: skip
# Names of the variables that are no default: what the case of an option works with on the way.
_NOT_THE_OPTION = frozenset(("ok", "format_str", "mode_str", "rate_limit_str", "parsed_level", "temp_input_size"))
_SEMANTIC = {
    "TRITONSERVER_MODEL_CONTROL_NONE": "none",
    "TRITONSERVER_RATE_LIMIT_OFF": "off",
    "GRPC_COMPRESS_LEVEL_NONE": "none",
    "INT_MAX": 2147483647,
    "TRITON_MIN_COMPUTE_CAPABILITY": None,  # of the build
    "triton::common::Logger::Format::kDEFAULT": "default",
}


def _sources(root: pathlib.Path) -> list[cpp.Source]:
    return [
        cpp.Source(name, (root / name).read_text(encoding="utf-8", errors="replace"))
        for name in SOURCES
        if (root / name).is_file()
    ]


def options(root: pathlib.Path) -> Things:
    """Every option, with its default where one is declared."""
    sources = _sources(root)
    assigned: dict[str, list[str]] = {}
    for source in sources:
        for case in _CASE.finditer(source.text):
            body = re.sub(r"\s*\.\s*(?=[a-z])", ".", case[2].partition("break;")[0])
            names = [
                name
                for name in _ASSIGNS.findall(body)
                if name not in _NOT_THE_OPTION and not name.endswith(("_present", "_range_set", "_range_set_"))
            ]
            assigned.setdefault(case[1], []).extend(names)
    found: Things = {}
    for source in sources:
        for match in _OPTION.finditer(source.text):
            identity, name, kind = match[1], match[2], match[3]
            entry: dict[str, object] = {"at": source.at(match.start())}
            if kind == "Option::ArgNone":
                entry["takes"] = "switch"
            default = None
            for variable in assigned.get(identity, ()):
                default = cpp.resolved(variable.rpartition(".")[2], sources)
                if default is not None:
                    break
            if name in _REPLACED:  # what it sets is off without it, as before
                default = None
                entry["value"] = _REPLACED[name]
            if kind == "Option::ArgNone":
                entry["value"] = False
            elif default is not None:
                literal, value, at = default
                if literal:
                    entry["value"], entry["at"] = value, at
                elif value in _SEMANTIC and _SEMANTIC[str(value)] is not None:
                    entry["value"], entry["at"] = _SEMANTIC[str(value)], at
                else:
                    entry["kind"], entry["at"] = "rule", at
            found.setdefault("--" + name, entry)
    return found


# Options that live on as another's alias: the parser has no default for them any more, and what they set stays off.
_REPLACED = {"response-cache-byte-size": 0}


def packages(root: pathlib.Path) -> Things:
    """The container of the release and the versions of what is built into it."""
    path = root / "build.py"
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    begin = re.search(r"^(?:DEFAULT_)?TRITON_VERSION_MAP = \{$", text, re.MULTILINE)
    if begin is None:
        return {}
    end = text.index("\n}", begin.end())
    body = text[begin.end() : end]
    found: Things = {}
    for pattern, name_first in ((_OLD_ENTRY, False), (_NEW_ENTRY, True)):
        for match in pattern.finditer(body):
            name, version = (match[1], match[2]) if name_first else (match[2], match[1])
            package = _PACKAGES.get(name.strip())
            line = text.count("\n", 0, begin.end() + match.start(1)) + 1
            if package == "container":
                version = version.removesuffix("dev")  # a tag that was set before the number was
            if package is not None and re.fullmatch(r"[\w.-]+", version):
                found.setdefault(package, {"value": version, "at": f"build.py:{line}"})
    return found


def _core(root: pathlib.Path) -> pathlib.Path:
    """The folder whose ``src`` holds the server's core: of another repository since 2.21."""
    return root / "src/core" if (root / "src/core/metrics.cc").is_file() else beside(root, _CORE)


def metrics(root: pathlib.Path) -> Things:
    """Every metric that the core makes."""
    core = _core(root)
    found: Things = {}
    for path in CORE:
        file = core / (path.removeprefix("src/") if core.name == "core" else path)
        if file.is_file():
            source = cpp.Source(path, file.read_text(encoding="utf-8", errors="replace"))
            for match in _METRIC.finditer(source.text):
                entry = found.setdefault(match[1], {"at": f"core {source.at(match.start())}"})
                if match[1] in HEIRS:
                    entry["heir"] = HEIRS[match[1]]
    return found


def rules(root: pathlib.Path) -> Things:
    """The functions that complete a model's configuration."""
    core = _core(root)
    file = core / ("model_config_utils.cc" if core.name == "core" else "src/model_config_utils.cc")
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8", errors="replace")
    return cpp.functions(cpp.Source("core src/model_config_utils.cc", text), RULES)


def branch(root: pathlib.Path) -> str:
    """The branch of the other repositories that a release is built with."""
    container = packages(root).get("container", {}).get("value")
    return f"r{container}" if container and not (root / "src/core").is_dir() else ""


_CORE = Beside(
    slug="triton-inference-server/core",
    paths=(*CORE, "src/model_config_utils.cc"),
    branch=branch,
)


def read(root: pathlib.Path) -> Content:
    """One release."""
    return {
        "arguments": options(root), "metrics": metrics(root), "packages": packages(root), "rules": rules(root),
    }  # fmt: skip


READER = Reader(
    engine="triton",
    source=Repository(
        slug="triton-inference-server/server",
        oldest="2.20.0",
        tags=r"v(\d+\.\d+\.\d+)",
        paths=("src", "build.py"),
        others=(_CORE,),
    ),
    read=read,
)
