"""Find the defaults that are equal in every vLLM release that was read.

Takes a history table, ``{release: {argument: {"default": …, "kind": …}}}``, and the table of variables,
``{release: {variable: …}}``, both made with ``extract_vllm.py`` or its likes from the published packages::

    python tools/engines/stable_vllm.py --arguments history.json --variables variables.json \
        --out src/askew/engines/vllm/versions/stable.json
"""

from __future__ import annotations

import argparse
import json
import pathlib

# A default of None that start-up replaces says nothing; these spellings of "off" are one.
OFF = ("null", '""', "false", "{}", "[]")


def stable(history: dict[str, dict[str, dict[str, object]]]) -> dict[str, object]:
    """The defaults that do not differ between the releases that have the argument; the last release must have it."""
    releases = list(history)
    found: dict[str, object] = {}
    for name in history[releases[-1]]:
        entries = [history[release][name] for release in releases if name in history[release]]
        values = [entry["default"] for entry in entries]
        if all(json.dumps(value) in OFF for value in values):
            if any(entry["kind"] == "computed" for entry in entries):
                continue
            found[name] = next((value for value in values if value is False), None)
        elif all(json.dumps(value) == json.dumps(values[0]) for value in values) and values[0] not in ("auto", -1):
            found[name] = values[0]
        elif values[0] == "auto" and all(value == "auto" for value in values):
            found[name] = "auto"
    return dict(sorted(found.items()))


def main(argv: list[str] | None = None) -> int:
    """Write ``stable.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arguments", required=True, help="history of the arguments, JSON")
    parser.add_argument("--variables", required=True, help="history of the variables, JSON")
    parser.add_argument("--out", required=True, help="file to write")
    options = parser.parse_args(argv)
    history = json.loads(pathlib.Path(options.arguments).read_text(encoding="utf-8"))
    variables = json.loads(pathlib.Path(options.variables).read_text(encoding="utf-8"))
    record = {
        "engine": "vllm",
        "source": "https://pypi.org/project/vllm/#history",
        "releases": list(history),
        "defaults": stable(history),
        "variables": sorted({name for release in variables.values() for name in release}),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    pathlib.Path(options.out).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
