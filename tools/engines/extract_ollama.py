r"""Read the variables and defaults of Ollama's server from its source, as text.

Nothing is compiled or run. From a clone with its tags, ``versions/history.json`` and ``versions/stable.json``::

    python -m tools.engines.extract_ollama --repository ollama --out src/askew/engines/ollama/versions

Variables are those of ``envconfig/config.go``; what a request gets that names nothing is ``DefaultOptions`` of
``api/types.go``; ``Dockerfile`` sets the address that the image listens on.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

from tools.engines.extract_llama_cpp import history

REPOSITORY = "https://github.com/ollama/ollama"
CONFIG, TYPES, DOCKERFILE = "envconfig/config.go", "api/types.go", "Dockerfile"

_CALL = re.compile(r'(Uint64|Uint|BoolWithDefault|Bool|String)\("((?:OLLAMA|LLAMA)_[A-Z_]+)"(?:,\s*([\w.]+))?\)')
_NAME = re.compile(r'"((?:OLLAMA|LLAMA)_[A-Z_]+)"')
_OPTIONS = re.compile(r"func DefaultOptions\(\) Options \{\n(.*?)\n\}\n", re.DOTALL)
_OPTION = re.compile(r"^\s*(\w+):\s*(-?[\d.]+|true|false),", re.MULTILINE)
_FIELD = re.compile(r'^\s*(\w+)\s+\*?[\w\[\]]+\s+`json:"(\w+)', re.MULTILINE)
_HOST = re.compile(r"^ENV OLLAMA_HOST[= ]([\w.:]+)\s*$", re.MULTILINE)


def variables(text: str) -> dict[str, dict[str, Any]]:
    """Every variable that the server reads: its default where it is a literal, and its line."""
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for kind, name, default in _CALL.findall(line):
            entry: dict[str, Any] = {"at": f"{CONFIG}:{number}"}
            if kind in ("Uint", "Uint64") and default.isdecimal():
                entry["value"] = int(default)
            elif kind == "Bool":
                entry["value"] = False
            elif kind == "BoolWithDefault":
                entry["kind"] = "rule"
            if name not in found or "value" not in found[name]:
                found[name] = entry
    for number, line in enumerate(text.split("\n"), 1):
        for name in _NAME.findall(line):
            found.setdefault(name, {"at": f"{CONFIG}:{number}", "kind": "rule"})
    return found


def options(text: str) -> dict[str, dict[str, Any]]:
    """What a request gets that names nothing, by the name of the API."""
    body = _OPTIONS.search(text)
    if body is None:
        return {}
    names: dict[str, str] = dict(_FIELD.findall(text))
    above = text[: body.start(1)].count("\n") + 1
    found: dict[str, dict[str, Any]] = {}
    for match in _OPTION.finditer(body[1]):
        raw = match[2]
        value: Any = {"true": True, "false": False}.get(raw, raw)
        if isinstance(value, str):
            value = float(raw) if "." in raw else int(raw)
        line = above + body[1][: match.start(1)].count("\n")
        found[names.get(str(match[1]), str(match[1]))] = {"at": f"{TYPES}:{line}", "value": value}
    return found


def main() -> int:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=pathlib.Path, required=True, help="clone of the repository, with tags")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    given = parser.parse_args()

    def git(*words: str) -> str:
        ran = subprocess.run(["git", "-C", str(given.repository), *words], capture_output=True, check=False)
        return ran.stdout.decode("utf-8", "replace")

    tags = sorted((t for t in git("tag").split() if re.fullmatch(r"v\d+\.\d+\.\d+", t)), key=_key)
    read: dict[str, dict[str, Any]] = {}
    for tag in tags:
        config = git("show", f"{tag}:{CONFIG}")
        types = options(git("show", f"{tag}:{TYPES}"))
        if not config or not types:
            continue  # before 0.1.33 the variables were read all over the source
        found = variables(config)
        docker = git("show", f"{tag}:{DOCKERFILE}")
        host = list(_HOST.finditer(docker))
        if host:
            line = docker[: host[-1].start()].count("\n") + 1
            types["image OLLAMA_HOST"] = {"at": f"{DOCKERFILE}:{line}", "value": host[-1][1]}
        version = tag.removeprefix("v")
        read[version] = {"arguments": types, "variables": found}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "history.json").write_text(history("ollama", f"{REPOSITORY}/tags", read), encoding="utf-8")
    every = list(read.values())
    equal = {
        name: entry["value"]
        for name, entry in {**every[-1]["arguments"], **every[-1]["variables"]}.items()
        if "value" in entry
        and all({**one["arguments"], **one["variables"]}.get(name, {}).get("value") == entry["value"] for one in every)
    }
    stable = {
        "engine": "ollama",
        "source": f"{REPOSITORY}/tags",
        "releases": list(read),
        "defaults": equal,
        "variables": sorted({name for one in every for name in one["variables"]}),
    }
    (given.out / "stable.json").write_text(json.dumps(stable, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{given.out}: {len(read)} releases, {len(equal)} defaults the same in all", file=sys.stderr)
    return 0


def _key(tag: str) -> tuple[int, ...]:
    return tuple(map(int, tag.removeprefix("v").split(".")))


if __name__ == "__main__":
    raise SystemExit(main())
