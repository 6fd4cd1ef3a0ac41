"""Launches with files beside them, for tests of engines that are configured by files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from askew.app.load import load
from askew.engines.interface import Reading
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved


class Reads(Protocol):
    """An engine, as far as these need it."""

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        ...


AT = Location("deploy.yaml", line=10)


def launch(
    command: str = "",
    image: str = "",
    *,
    env: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> Launch:
    """A launch of these words, in this image, with these variables and files."""
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if image else None,
        implicit_entrypoint=bool(image),
        env={name: Variable(name, value, AT) for name, value in (env or {}).items()},
        files={path: Content(text, Location(path, line=1, column=1)) for path, text in (files or {}).items()},
    )


def resolved(reading: Reading) -> dict[str, Resolved]:
    """The facts of a reading alone."""
    return resolve(reading.observations, reading.rules)


def facts(engine: Reads, command: str = "", image: str = "", **more: Mapping[str, str]) -> dict[str, Resolved]:
    """The facts of such a launch."""
    return resolved(engine.read(launch(command, image, env=more.get("env"), files=more.get("files"))))


def entry(found: Mapping[str, Resolved], fact: str, key: str) -> object:
    """One entry of a map fact; a text that says so where it is not known."""
    one = found[fact].entries[key]
    return one.value if one.state in ("known", "absent") else f"<{one.state}>"


def flat(path: Path) -> dict[str, object]:
    """The facts of the one workload of a source, without which release it is, by fact and key."""
    (snapshot,) = load(str(path), "target", Redactor()).snapshots
    found: dict[str, object] = {}
    for fact, one in snapshot.facts.items():
        if fact in ("runtime.engine.version", "runtime.image.tag"):
            continue
        if one.entries:
            found.update({f"{fact}[{key}]": value.value for key, value in one.entries.items()})
        else:
            found[fact] = one.value
    return found


def differing(folder: Path, old: str, new: str) -> set[str]:
    """The facts in which two manifests differ."""
    (folder / "old.yaml").write_text(old)
    (folder / "new.yaml").write_text(new)
    before, after = flat(folder / "old.yaml"), flat(folder / "new.yaml")
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
