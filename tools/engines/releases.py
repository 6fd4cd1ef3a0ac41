"""The history of an engine's releases: what each has, and when it changed.

``make refresh-engines`` downloads every release that the index has and the cache lacks, reads it as text and writes
``versions/history.json`` and ``versions/stable.json`` of the engine anew. The same releases give the same bytes. A
release that cannot be downloaded is left out, and said::

    python -m tools.engines.releases --engine vllm --cache .cache/releases
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence

import msgspec

from askew.engines.versions import release_key
from tools.engines import extract_vllm, stable_vllm
from tools.engines.published import UnpublishedError, fetch, published

Things = dict[str, dict[str, object]]  # name → state
Content = Mapping[str, Things]  # arguments, variables, metrics, rules → things
KINDS = ("arguments", "variables", "metrics", "rules")
ENGINES_FOLDER = pathlib.Path(__file__).resolve().parents[2] / "src/askew/engines"


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """How the releases of one engine are read: the package, the oldest release, and what reads the unpacked text."""

    package: str
    oldest: str
    read: Callable[[pathlib.Path], Content]


READERS: dict[str, Reader] = {
    "vllm": Reader(package="vllm", oldest="0.2.7", read=extract_vllm.release),
}


def changes(contents: Sequence[Things]) -> dict[str, list[list[object]]]:
    """When each thing changed: ``name → [[index of the release, state, or None where it is gone], …]``.

    A state that only moved in the source is no change: ``at`` is where it stood when it began.
    """
    found: dict[str, list[list[object]]] = {}
    for name in sorted({name for things in contents for name in things}):
        steps: list[list[object]] = []
        for index, things in enumerate(contents):
            state = things.get(name)
            if _told(state) != _told(steps[-1][1] if steps else None):
                steps.append([index, state])
        found[name] = steps
    return found


def _told(state: object) -> object:
    return {key: value for key, value in state.items() if key != "at"} if isinstance(state, dict) else None


def text(engine: str, package: str, names: Sequence[str], contents: Sequence[Content]) -> str:
    """``history.json``: one line for each thing, so that a new release is a small difference."""
    lines = [f'"engine": {json.dumps(engine)}', f'"source": "https://pypi.org/project/{package}/#history"']
    lines.append(f'"releases": {json.dumps(list(names))}')
    for kind in KINDS:
        steps = changes([content[kind] for content in contents])
        rows = ",\n".join(f" {json.dumps(name)}: {_compact(one)}" for name, one in steps.items())
        lines.append(f'"{kind}": {{\n{rows}\n}}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _read(engine: str, folder: pathlib.Path) -> Content:
    return READERS[engine].read(folder)


def main(argv: list[str] | None = None) -> int:
    """Bring the history of one engine up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=sorted(READERS), default="vllm")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder for the text of the releases")
    parser.add_argument("--offline", action="store_true", help="only the releases that the cache has")
    options = parser.parse_args(argv)
    reader = READERS[options.engine]
    cache = options.cache.resolve()
    if options.offline:
        listed: tuple[str, ...] = tuple(sorted((p.name for p in (cache / reader.package).iterdir()), key=release_key))
    else:
        listed = published(reader.package)
    wanted = [one for one in listed if release_key(one) >= release_key(reader.oldest)]
    names, folders, missing = [], [], []
    for name in wanted:
        try:
            folders.append(fetch(reader.package, name, cache))
            names.append(name)
        except UnpublishedError as error:
            missing.append(name)
            print(f"left out {name}: {error}", file=sys.stderr)
    with concurrent.futures.ProcessPoolExecutor() as pool:
        contents = list(pool.map(_read, [options.engine] * len(folders), folders))
    target = ENGINES_FOLDER / options.engine / "versions"
    (target / "history.json").write_text(text(options.engine, reader.package, names, contents), encoding="utf-8")
    stable = stable_vllm.record(names, contents)
    (target / "stable.json").write_text(json.dumps(stable, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    left = ", ".join(missing) or "none"
    print(f"{options.engine}: {len(names)} releases, {names[0]} to {names[-1]}; left out: {left}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
