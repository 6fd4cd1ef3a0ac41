"""The history of an engine's releases: what each has, and when it changed.

``make refresh-engines`` reads every release that is published and that the cache lacks, as text, and writes
``versions/history.json`` and ``versions/stable.json`` of each engine anew. The same releases give the same bytes. A
release that cannot be had is left out, and said::

    python -m tools.engines.releases --engine vllm --cache .cache/releases

Clones of repositories are ``owner+name`` in the cache.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib
import json
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from askew.engines.versions import release_key
from tools.engines import stable, tagged
from tools.engines.published import UnpublishedError, fetch, published
from tools.engines.reader import KINDS, Content, Package, Reader, Repository, Things

ENGINES_FOLDER = pathlib.Path(__file__).resolve().parents[2] / "src/askew/engines"


def readers() -> dict[str, Reader]:
    """Every engine with an extractor, by name."""
    found: dict[str, Reader] = {}
    for file in sorted(pathlib.Path(__file__).parent.glob("extract_*.py")):
        reader = getattr(importlib.import_module(f"tools.engines.{file.stem}"), "READER", None)
        if isinstance(reader, Reader):
            found[reader.engine] = reader
    return found


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


def text(engine: str, source: str, names: Sequence[str], contents: Sequence[Content]) -> str:
    """``history.json``: one line for each thing, so that a new release is a small difference."""
    lines = [f'"engine": {json.dumps(engine)}', f'"source": {json.dumps(source)}']
    lines.append(f'"releases": {json.dumps(list(names))}')
    for kind in KINDS:
        steps = changes([content.get(kind, {}) for content in contents])
        if steps:
            rows = ",\n".join(f" {json.dumps(name)}: {_compact(one)}" for name, one in steps.items())
            lines.append(f'"{kind}": {{\n{rows}\n}}')
        elif kind == "arguments":
            lines.append('"arguments": {}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def folders(reader: Reader, cache: pathlib.Path, *, offline: bool) -> Iterator[tuple[str, pathlib.Path | str]]:
    """The releases of an engine, oldest first, each with the folder of its text, or with why there is none."""
    for source in (reader.source, *reader.further):
        yield from _folders(source, cache, offline=offline)


def _folders(
    source: Package | Repository, cache: pathlib.Path, *, offline: bool
) -> Iterator[tuple[str, pathlib.Path | str]]:
    if isinstance(source, Package):
        home = cache / source.name
        names = sorted((path.name for path in home.iterdir()), key=release_key) if offline else published(source.name)
        if source.minors:
            names = list({release_key(name)[:2]: name for name in names}.values())
        for name in names:
            release = re.fullmatch(source.release, name)
            if release is not None and release_key(name) >= release_key(source.oldest):
                try:
                    yield release[1], fetch(source.name, name, cache, source.also)
                except UnpublishedError as error:
                    yield release[1], str(error)
        return
    home = tagged.clone(source, cache, offline=offline)
    others = [(other, tagged.clone(other, cache, offline=offline)) for other in source.others]
    for name, tag in tagged.tagged(source, home).items():
        if release_key(name) >= release_key(source.oldest):
            folder: pathlib.Path | str = tagged.unpack(source, home, tag, cache)
            for other, clone in others:
                branch = other.branch(pathlib.Path(folder))
                try:
                    if branch:
                        tagged.unpack(other, clone, branch, cache)
                except UnpublishedError as error:
                    folder = f"{other.slug}: {error}"
                    break
            yield name, folder


def write(reader: Reader, names: Sequence[str], contents: Sequence[Content], home: pathlib.Path) -> None:
    """Write the history and the stable defaults of an engine below ``home``, the folder of all engines."""
    target = home / reader.engine.replace(".", "_").replace("-", "_") / "versions"
    target.mkdir(parents=True, exist_ok=True)
    address = reader.address
    (target / "history.json").write_text(text(reader.engine, address, names, contents), encoding="utf-8")
    record = stable.record(reader.engine, address, names, contents)
    if reader.stable is not None:
        record["defaults"] = reader.stable(names, contents)
    (target / "stable.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def refresh(reader: Reader, cache: pathlib.Path, *, offline: bool) -> None:
    """Bring the history of one engine up to date."""
    names: list[str] = []
    found: list[pathlib.Path] = []
    missing: list[str] = []
    for name, folder in folders(reader, cache, offline=offline):
        if isinstance(folder, str):
            missing.append(name)
            print(f"left out {name}: {folder}", file=sys.stderr)
        else:
            names.append(name)
            found.append(folder)
    if not names:
        raise UnpublishedError(f"{reader.engine}: no release could be had")
    with concurrent.futures.ProcessPoolExecutor() as pool:
        contents: list[Mapping[str, Things]] = list(pool.map(reader.read, found, chunksize=4))
    if reader.elsewhere:
        contents = list(with_moved(contents, found, reader.elsewhere))
    write(reader, names, contents, ENGINES_FOLDER)
    left = ", ".join(missing) or "none"
    print(f"{reader.engine}: {len(names)} releases, {names[0]} to {names[-1]}; left out: {left}")


def with_moved(
    contents: Sequence[Content], found: Sequence[pathlib.Path], files: str
) -> Iterator[Mapping[str, Things]]:
    """Each release with the variables of earlier ones that stand in another of its files, as a text of the code."""
    before: set[str] = set()
    for content, folder in zip(contents, found, strict=True):
        variables = dict(content.get("variables", {}))
        lost = before - variables.keys()
        before |= variables.keys()
        for name, at in _standing(folder, files, lost) if lost else ():
            variables.setdefault(name, {"at": at})
        yield {**content, "variables": dict(sorted(variables.items()))}


def _standing(folder: pathlib.Path, files: str, names: set[str]) -> Iterator[tuple[str, str]]:
    pattern = re.compile(rf"[\"']({'|'.join(sorted(map(re.escape, names)))})[\"']")
    for path in sorted(folder.rglob(files)):
        text = path.read_text(encoding="utf-8", errors="replace")
        for match in pattern.finditer(text):
            yield match[1], f"{path.relative_to(folder)}:{text.count(chr(10), 0, match.start()) + 1}"


def main(argv: list[str] | None = None) -> int:
    """Bring the histories of the named engines up to date, or of all."""
    known = readers()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=sorted(known), action="append", help="may be repeated; all when left out")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder for the text of the releases")
    parser.add_argument("--offline", action="store_true", help="only the releases that the cache has")
    options = parser.parse_args(argv)
    failed = 0
    for name in options.engine or sorted(known):
        try:
            refresh(known[name], options.cache.resolve(), offline=options.offline)
        except UnpublishedError as error:
            failed = 1
            print(f"{name}: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
