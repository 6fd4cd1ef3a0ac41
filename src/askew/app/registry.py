"""What is installed: engines, checks, collectors.

The index is generated (``make generate``), so that finding a plug-in imports none: an engine is loaded when a launch is
its, a check when checks run. Third parties come in by entry points (groups ``askew.engines``, ``askew.checks``,
``askew.collectors``), read only when ``askew.toml`` says ``plugins = true``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from typing import cast

from askew.app._index import CHECKS, COLLECTORS
from askew.app.config import load as configuration
from askew.app.errors import UsageError
from askew.checks.interface import Check
from askew.collectors.interface import Collector
from askew.engines._index import ENGINES
from askew.engines.interface import Engine, Entry, Recognition
from askew.evidence.launch import Launch


@cache
def engine(name: str) -> Engine:
    """The engine of this name, loaded. Raises KeyError for a name that is not installed."""
    return cast(Engine, _held(recognition(name).module, "ENGINE"))


def engine_names() -> tuple[str, ...]:
    """The names of all installed engines."""
    return tuple(_engines())


@cache
def recognition(name: str) -> Recognition:
    """How the engine of this name is told from a launch. Raises KeyError."""
    return cast(Recognition, _held(_engines()[name].module, "RECOGNITION"))


def recognise(launch: Launch) -> str | None:
    """The name of the engine that a launch starts, or None. The program decides; the image only where it names none."""
    if launch.argv and not (launch.implicit_entrypoint and launch.argv[0].text.startswith("-")):
        words = " ".join(token.text for token in launch.argv[:12])
        for name in _candidates(words):
            if any(pattern.match(words) for pattern in _programs(name)):
                return name
        if (name_of_source := _engine_of_program(launch)) is not None:
            return name_of_source
        if not launch.implicit_entrypoint or _names_a_program(launch.argv[0].text):
            return None
    if launch.image is None:
        return None
    return engine_of_image(launch.image.text)


def _engine_of_program(launch: Launch) -> str | None:
    """The engine that a Python program imports, where a source shows the program."""
    if not launch.files or not _names_a_program(launch.argv[0].text):
        return None
    path = next((token.text for token in launch.argv[1:12] if token.text.endswith(".py")), "")
    content = launch.file(path) if path else None
    if content is None:
        return None
    text = content.text[:_LARGEST_PROGRAM]
    for name in _candidates(text):
        for module in recognition(name).imports:
            if re.search(rf"(?m)^[ \t]*(?:import|from)[ \t]+{re.escape(module)}\b", text):
                return name
    return None


_LARGEST_PROGRAM = 256 * 1024  # characters; programs that serve a model have a few hundred lines


def _names_a_program(word: str) -> bool:
    """Whether the first argument of an image is an interpreter (``python3 -m sglang_router``), not a model."""
    return _INTERPRETER.fullmatch(word) is not None


_INTERPRETER = re.compile(r"(?:\S*/)?(?:python[0-9.]*|bash|sh)")


def engine_of_image(image: str) -> str | None:
    """The engine whose image this is, or None."""
    return next((name for name in _candidates(image) if any(p.search(image) for p in _images(name))), None)


def engine_of_file(path: str, keys: Collection[str] = (), text: str = "") -> str | None:
    """The engine that a file of this name configures, or one with these top-level keys; None where it tells none.

    A pattern with a slash is held against the whole path, others against the name. A name that other programs use too
    tells the engine only where its ``text`` has one of the engine's marks.
    """
    name = path.rpartition("/")[2]
    for engine_name, entry in _engines().items():
        if any(keys) and any(all(key in keys for key in shape) for shape in entry.shapes):
            return engine_name
        named = any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in entry.files)
        if named and (not entry.marks or any(mark in text for mark in entry.marks)):
            return engine_name
    return None


def checks() -> Iterator[Check]:
    """Every installed check, in the order of their names."""
    for module in _modules("checks").values():
        yield cast(Check, _held(module, "CHECK"))


def check(rule: str) -> Check:
    """The check of this name. Raises KeyError."""
    return cast(Check, _held(_modules("checks")[rule], "CHECK"))


def check_names() -> tuple[str, ...]:
    """The names of all installed checks."""
    return tuple(_modules("checks"))


@cache
def collector(scheme: str) -> Collector:
    """The collector that answers a URI scheme; the empty scheme is a plain path. Raises KeyError."""
    return cast(Collector, _held(_modules("collectors")[scheme], "COLLECTOR"))


def schemes() -> tuple[str, ...]:
    """Every URI scheme that some collector answers."""
    return tuple(scheme for scheme in _modules("collectors") if scheme)


_BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "engines": {name: entry.module for name, entry in ENGINES.items()},
    "checks": CHECKS,
    "collectors": COLLECTORS,
}


@cache
def _modules(group: str) -> Mapping[str, str]:
    """The module behind each name of a group: ours and, where ``askew.toml`` asks for them, those of entry points.

    Raises UsageError when two of one name are installed.
    """
    if not configuration(".").plugins:
        return _BUILT_IN[group]
    from importlib.metadata import entry_points

    modules = dict(_BUILT_IN[group])
    for point in sorted(entry_points(group=f"askew.{group}")):
        if modules.setdefault(point.name, point.value) != point.value:
            raise UsageError(
                f"two of askew.{group} are called '{point.name}': {modules[point.name]} and {point.value}",
                "uninstall one of the plug-ins, or rename its entry point",
            )
    return modules


def _held(module: str, name: str) -> object:
    """What a module holds under a name. Raises UsageError where a plug-in cannot be imported or lacks it."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        if module.startswith("askew."):
            raise
        raise UsageError(
            f"the plug-in {module} cannot be used: {error}", "repair or uninstall it, or set plugins = false"
        ) from error


@cache
def _engines() -> Mapping[str, Entry]:
    """The index of engines; of a plug-in, what its recognition says."""
    found = dict(ENGINES)
    for name, module in _modules("engines").items():
        if name not in found:
            known = cast(Recognition, _held(module, "RECOGNITION"))
            found[name] = Entry(
                module=module, hints=known.hints, files=known.files, shapes=known.shapes, marks=known.marks
            )
    return found


def _candidates(text: str) -> Iterator[str]:
    """The engines that a command line or an image may be of, by a cheap look."""
    return (name for name, entry in _engines().items() if any(hint in text for hint in entry.hints))


@cache
def _programs(name: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in recognition(name).programs)


@cache
def _images(name: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in recognition(name).images)
