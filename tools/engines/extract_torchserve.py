"""Read TorchServe's settings, arguments, variables and metrics from its source, as text.

Nothing is compiled or run. Settings are the constants of ``ConfigManager.java`` and the defaults that its getters hand
to ``getProperty``; of the same class ``setSystemVars`` makes each constant ``TS_X`` a variable. Arguments are those of
``ts/arg_parser.py``. ``docker/config.properties`` is what the published image starts with.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
from collections.abc import Mapping

from tools.engines.reader import Content, Reader, Repository, Things

_JAVA = "frontend/server/src/main/java/org/pytorch/serve"
CONFIG, PARSER, IMAGE = f"{_JAVA}/util/ConfigManager.java", "ts/arg_parser.py", "docker/config.properties"
_ARCHIVE = "frontend/archive/src/main/java/org/pytorch/serve/archive/model/ModelConfig.java"
_METRICS = "ts/configs/metrics.yaml"
_TORCH = "requirements/torch_linux.txt"
_ENTRY = "docker/dockerd-entrypoint.sh"

_CONSTANT = re.compile(r'static final String (\w+)\s*=\s*"([^"]*)";')
_GETTER = re.compile(
    r"\b(getProperty|getIntProperty|getLongProperty|getBooleanProperty)\(\s*(\w+)\s*,\s*"
    r'("(?:[^"\\]|\\.)*"|[\w.]+)\s*\)'
)
_OWN = ("models", "version")  # what setModelConfig reads, and what the server itself sets
_FIELD = re.compile(r"case \"(\w+)\":")
_RULE = re.compile(r"\n    (?:public|private)(?: static)? [\w<>.]+ (getDefaultWorkers|getAvailableGpu)\(\)")
_ARGUMENT = re.compile(r"add_argument\(\s*((?:[\"']-[^\"']*[\"'],?\s*)+)")
_METRIC = re.compile(r"^\s+- name: [\"']?([\w:]+)", re.MULTILINE)
_OLD_METRIC = re.compile(r'\.name\("(ts_\w+)"\)')
_REQUIREMENT = re.compile(r"^(torch|torchvision|torchaudio|torchtext)==([\w.+]+)", re.MULTILINE)
_PROPERTY = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)


def settings(text: str) -> tuple[Things, Things]:
    """The settings of ``config.properties`` with their defaults, and the variables that override them."""
    constants: dict[str, tuple[str, int]] = {}
    for match in _CONSTANT.finditer(text):
        constants[match[1]] = (match[2], _line(text, match.start()))
    arguments: Things = {}
    variables: Things = {}
    for name, (value, line) in constants.items():
        used = re.search(rf"[(\s]{name}[,)\s]", text[text.find("private Pattern blacklistPattern") :])
        if name.startswith(("DEFAULT_", "MODEL_")) and name not in ("MODEL_SNAPSHOT", "MODEL_CONFIG"):
            continue
        if used is None or name in ("VERSION", "METRIC_FORMAT_PROMETHEUS") or not re.fullmatch(r"[a-z_]+", value):
            continue
        if value in _OWN[1:]:
            continue
        arguments[value] = {"at": f"{CONFIG}:{line}"}
        if name.startswith("TS_"):
            variables[name] = {"at": f"{CONFIG}:{line}"}
    for match in _GETTER.finditer(text):
        name, raw = match[2], match[3]
        key = constants.get(name, ("", 0))[0]
        literal = constants[raw][0] if raw in constants else raw.strip('"')
        if key in arguments and "value" not in arguments[key]:
            default = _typed(literal, is_text=raw.startswith('"') and match[1] == "getProperty")
            if default is not None:
                arguments[key] = {"at": f"{CONFIG}:{_line(text, match.start())}", "value": default}
    for name in ("LOG_LOCATION", "METRICS_LOCATION", "TS_CONFIG_FILE"):
        found = re.search(rf'getenv\("{name}"\)', text)
        if found is not None:
            variables[name] = {"at": f"{CONFIG}:{_line(text, found.start())}"}
    return arguments, variables


def _typed(literal: str, *, is_text: bool) -> object:
    if literal in ("true", "false"):
        return literal == "true"
    if re.fullmatch(r"-?\d{1,18}", literal):
        return int(literal)
    if literal in ("null", "", "N/A", "Integer.MAX_VALUE", "Long.MAX_VALUE"):
        return None
    return literal if is_text or not re.fullmatch(r"[A-Z_]+", literal) else None


def arguments(text: str) -> Things:
    """The arguments of the ``torchserve`` command; those of its workers, further down, are the server's own."""
    found: Things = {}
    end = text.find("def model_service_worker_args")
    for match in _ARGUMENT.finditer(text[: end if end >= 0 else len(text)]):
        names = [name for name in re.findall(r"[\"'](-[^\"']*)[\"']", match[1]) if name != "-v"]
        rest = text[match.start() : text.find("parser.add_argument", match.end())]
        state: dict[str, object] = {"at": f"{PARSER}:{_line(text, match.start(1))}"}
        if len(names) > 1:
            state["names"] = names[1:]
        if "store_true" in rest:
            state.update(takes="switch", value=False)
        elif re.search(r"nargs=[\"']\+", rest):
            state["takes"] = "list"
        found[names[0]] = state
    return found


def metrics(files: Mapping[str, str]) -> Things:
    """Metrics that the release may emit: those of ``metrics.yaml``, and of the server where it names them itself."""
    found: Things = {}
    for path, text in sorted(files.items()):
        pattern = _METRIC if path.endswith(".yaml") else _OLD_METRIC
        for match in pattern.finditer(text):
            if "Example" not in match[1]:
                found.setdefault(match[1], {"at": f"{path}:{_line(text, match.start(1))}"})
    return found


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _rules(text: str) -> Things:
    found: Things = {}
    for match in _RULE.finditer(text):
        body = text[match.start() : text.find("\n    }\n", match.end())]
        digest = hashlib.sha256(re.sub(r"\s+", " ", body).encode()).hexdigest()[:12]
        found[match[1]] = {"at": f"{CONFIG}:{_line(text, match.start()) + 1}", "digest": digest}
    return found


def read(folder: pathlib.Path) -> Content:
    """One release."""

    def text(name: str) -> str:
        path = folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    config = text(CONFIG)
    found, variables = settings(config)
    found.update(arguments(text(PARSER)))
    image = text(IMAGE)
    for match in _PROPERTY.finditer(image):
        raw = match[2].strip()
        found[f"image {match[1]}"] = {
            "at": f"{IMAGE}:{_line(image, match.start())}",
            "value": int(raw) if raw.isdecimal() else raw,
        }
    entry = text(_ENTRY)
    if "--disable-token-auth" in entry:
        line = _line(entry, entry.find("--disable-token-auth"))
        found["image --disable-token-auth"] = {"at": f"{_ENTRY}:{line}", "value": True}
    archive = text(_ARCHIVE)
    for match in _FIELD.finditer(archive.partition("class TorchRun")[0]):
        found[f"model-config {match[1]}"] = {"at": f"{_ARCHIVE}:{_line(archive, match.start())}"}
    emitted = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted((folder / _JAVA / "metrics").rglob("*.java"))
    }
    emitted[_METRICS] = text(_METRICS)
    packages = text(_TORCH)
    return {
        "arguments": found,
        "variables": variables,
        "metrics": metrics(emitted),
        "packages": {
            match[1]: {"at": f"{_TORCH}:{_line(packages, match.start())}", "value": match[2]}
            for match in _REQUIREMENT.finditer(packages)
        },
        "rules": _rules(config),
    }


READER = Reader(
    engine="torchserve",
    source=Repository(
        slug="pytorch/serve",
        oldest="0.5.0",
        tags=r"v(\d+\.\d+\.\d+)",
        paths=(CONFIG, PARSER, IMAGE, _ENTRY, _ARCHIVE, _METRICS, _TORCH, f"{_JAVA}/metrics"),
    ),
    read=read,
)
