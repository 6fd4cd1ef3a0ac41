r"""Read the arguments and defaults of the TGI launcher from its source, as text.

Nothing is compiled or run. One release, for ``versions/<release>.json``, from ``launcher/src/main.rs`` at its tag::

    python tools/engines/extract_tgi.py --source main.rs --version 3.3.7 --out src/askew/engines/tgi/versions/3.3.7.json

What was the same in every release, for ``versions/stable.json``, from a clone of the repository with its tags::

    python tools/engines/extract_tgi.py --repository text-generation-inference \
        --out src/askew/engines/tgi/versions/stable.json

The arguments are the fields of ``struct Args``, each with a ``#[clap(…)]`` attribute. Defaults are clap's: the text
that the field's type parses.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

REPOSITORY = "https://github.com/huggingface/text-generation-inference"
PATH = "launcher/src/main.rs"

_STRUCT = re.compile(r"\nstruct Args \{\n(.*?)\n\}\n", re.DOTALL)
_FIELD = re.compile(
    r"#\[(?:clap|arg)\(((?:[^\[\]]|\[[^\]]*\])*?)\)\]\s*(?:#\[[^\n]*\]\s*)*(?:pub )?(\w+):\s*([^\n]+?),[ \t]*(?=\n|$)"
)
_DEFAULT = re.compile(r'default_value(?:_t)?\s*=\s*("(?:[^"\\]|\\.)*"|[\w:.]+)')


def fields(text: str) -> dict[str, dict[str, Any]]:
    """Every argument: its default (typed), whether a rule of ``main`` decides, its variable and its line."""
    found = _STRUCT.search(text)
    if found is None:
        return {}
    above = text[: found.start(1)].count("\n") + 1
    out: dict[str, dict[str, Any]] = {}
    for match in _FIELD.finditer(found[1]):
        attributes, name, kind = match.groups()
        default = _DEFAULT.search(attributes)
        value: Any = None
        if default is not None:
            raw = default[1].strip('"')
            value = {"true": True, "false": False}.get(raw, raw)
            if re.fullmatch(r"\d+(\.\d+)?", raw):
                value = float(raw) if "." in raw else int(raw)
        elif kind == "bool":
            value = False
        out["--" + name.replace("_", "-")] = {
            "value": value,
            "rule": value is None and name in _DECIDED,
            "variable": name.upper()
            if re.search(r"\benv\b", attributes.replace(str(default and default[0]), ""))
            else "",
            "line": above + found[1][: match.start(2)].count("\n"),
        }
    return out


# Left out by the user, these are decided by `main` or by the server at warm-up; the others are simply absent.
_DECIDED = (
    "num_shard", "quantize", "dtype", "kv_cache_dtype", "max_input_tokens", "max_input_length", "max_total_tokens",
    "max_batch_prefill_tokens", "max_batch_total_tokens", "cuda_graphs", "sharded",
)  # fmt: skip


def release(text: str, version: str) -> dict[str, Any]:
    """One release in the form of ``askew.engines.versions.Release``."""
    arguments: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    for name, field in sorted(fields(text).items()):
        entry: dict[str, Any] = {"at": f"{PATH}:{field['line']}"}
        if field["value"] is not None:
            entry["value"] = field["value"]
        if field["rule"]:
            entry["kind"] = "rule"
        arguments[name] = entry
        if field["variable"]:
            variables[field["variable"]] = {"at": entry["at"]}
    if not arguments:
        raise SystemExit("no struct Args found. Hint: give launcher/src/main.rs of a release")
    source = f"{REPOSITORY}/blob/v{version}/{PATH}"
    return {"engine": "tgi", "version": version, "source": source, "arguments": arguments, "variables": variables}


def stable(repository: pathlib.Path) -> dict[str, Any]:
    """What every tagged release has the same, in the form of ``askew.engines.versions.Stable``."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(repository), *words], capture_output=True, text=True, check=False
        ).stdout

    tags = sorted((t for t in git("tag").split() if re.fullmatch(r"v\d+\.\d+\.\d+", t)), key=_key)
    values: dict[str, list[tuple[Any, bool]]] = {}
    seen = []
    for tag in tags:
        found = fields(git("show", f"{tag}:{PATH}"))
        if not found:
            continue
        seen.append(tag.removeprefix("v"))
        for name, field in found.items():
            values.setdefault(name, []).append((field["value"], field["rule"]))
    equal = {
        name: found[0][0]
        for name, found in sorted(values.items())
        if not any(rule for _, rule in found) and all(value == found[0][0] for value, _ in found)
    }
    return {"engine": "tgi", "source": f"{REPOSITORY}/tags", "releases": seen, "defaults": equal}


def _key(tag: str) -> tuple[int, ...]:
    return tuple(map(int, tag.removeprefix("v").split(".")))


def main() -> int:
    """Write the file that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--source", type=pathlib.Path, help="launcher/src/main.rs of one release")
    what.add_argument("--repository", type=pathlib.Path, help="clone of the repository, with tags")
    parser.add_argument("--version", help="the release, with --source")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    given = parser.parse_args()
    if given.source and not given.version:
        parser.error("--source needs --version")
    data = (
        release(given.source.read_text(encoding="utf-8"), given.version) if given.source else stable(given.repository)
    )
    given.out.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{given.out}: {len(data['arguments'] if given.source else data['defaults'])} arguments", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
