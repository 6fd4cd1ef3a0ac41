"""Lock files: ``uv.lock``, ``poetry.lock``, ``pdm.lock``, ``pylock.toml``, ``Pipfile.lock``, ``conda-lock.yml``.

Sources: https://packaging.python.org/en/latest/specifications/pylock-toml/,
https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile and
https://conda.github.io/conda-lock/output/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.platforms.packages.pin import LOOK, Pin
from askew.platforms.packages.requirements import of_requirement
from askew.resolve.observation import Unknown

_HEAD = re.compile(r"^[^\S\n]*\[\[\s*packages?\s*\]\]", re.MULTILINE)
_NAME = re.compile(r'^[^\S\n]*name\s*=\s*["\']([^"\']{1,200})["\']', re.MULTILINE)
_MOST = 50_000
_DEEPEST = 200  # brackets of a line; tomllib recurses once for each


class LockError(ValueError):
    """A lock file that cannot be read, with the line where it stops; 0 where that is not known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def is_toml(text: str) -> bool:
    """Whether a text has the shape of a lock in TOML."""
    return _HEAD.search(text) is not None


def of_toml(text: str, source: str) -> Iterator[Pin]:
    """The packages of a lock in TOML. Raises LockError for what is no TOML."""
    import tomllib

    if any(line.count("[") + line.count("{") > _DEEPEST for line in text.split("\n")):
        raise LockError("the file nests too deeply to be a lock")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d{1,9})", str(error))
        raise LockError(f"expected TOML: {error}", int(line[1]) if line else 0) from None
    except RecursionError:
        raise LockError("the file nests too deeply to be a lock") from None
    listed = content.get("packages") or content.get("package")
    places = _places(text, source)
    for entry in (listed if isinstance(listed, list) else ())[:_MOST]:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue
        place = next(places.get(entry["name"], iter(())), Location(source, line=1, column=1))
        version = entry.get("version")
        if isinstance(entry.get("source"), dict) and {"virtual", "editable"} & entry["source"].keys():
            continue  # the project that the lock is of
        doubt = f"where {entry['marker']}" if isinstance(entry.get("marker"), str) else ""
        known = version if isinstance(version, str) else Unknown("the lock gives no version", LOOK)
        yield Pin(entry["name"], known, place, doubt)


def _places(text: str, source: str) -> dict[str, Iterator[Location]]:
    """Where each package of a lock is named, in the order of the file."""
    found: dict[str, list[Location]] = {}
    heads = [match.end() for match in _HEAD.finditer(text)][:_MOST]
    line, before = 1, 0
    for head in heads:
        match = _NAME.search(text, head)
        if match is not None:
            line += text.count("\n", before, match.start(1))
            before = match.start(1)
            column = match.start(1) - text.rfind("\n", 0, match.start(1))
            found.setdefault(match[1], []).append(Location(source, line=line, column=column))
    return {name: iter(places) for name, places in found.items()}


def of_pipfile(root: Node) -> Iterator[Pin]:
    """``Pipfile.lock``: what is installed by default, without what is for development."""
    for name, entry in root["default"].items():
        text = entry["version"].text()
        if text is None:
            yield Pin(name, Unknown("the lock gives no version", LOOK), entry.location)
        elif (pin := of_requirement(name + text, entry["version"].location)) is not None:
            marker = entry["markers"].text()
            yield Pin(pin.name, pin.version, pin.location, f"where {marker}" if marker else "")


def of_conda_lock(root: Node) -> Iterator[Pin]:
    """``conda-lock.yml``: one entry for each package and platform; those of Linux, where there are any."""
    entries = list(root["package"].each())[:_MOST]
    platforms = {entry["platform"].text() or "" for entry in entries}
    chosen = next((one for one in ("linux-64", "linux-aarch64") if one in platforms), None)
    for entry in entries:
        if chosen is None or entry["platform"].text() == chosen:
            version = entry["version"].text()
            known = version if version else Unknown("the lock gives no version", LOOK)
            yield Pin(entry["name"].text() or "", known, entry["version"].location)
