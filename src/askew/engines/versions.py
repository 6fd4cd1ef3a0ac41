"""What is known of the releases of engines: their defaults, as data beside each engine.

``engines/<engine>/versions/history.json`` holds all releases of an engine as changes: for every argument, variable and
metric the releases in which its state began. Engines of which few releases were read have ``<release>.json`` instead,
one for each. Both are written by ``tools/engines`` from the published sources read as text. ``stable.json`` names
the releases that were looked at and the defaults that were the same in every one of them: those hold even where the
release is not known.
"""

from __future__ import annotations

import functools
import os.path
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Severity, Value

# literal: written in the source. rule: decided at start from other settings, the model or the device.
DefaultKind: TypeAlias = Literal["literal", "rule"]

# msgspec cannot decode into a recursive alias; what it decodes as object is JSON data, which Value describes.
if TYPE_CHECKING:
    JsonData: TypeAlias = Value
else:
    JsonData = object

_Form = TypeVar("_Form")

_HERE = os.path.dirname(os.path.abspath(__file__))
_NUMBERS = r"(?a)v?(\d{1,9}(?:\.\d{1,9}){0,5})(?:[.-]?(a|b|rc|dev|post)\.?(\d{0,9}))?"
_NAME = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-_")
_STAGE = {"dev": -4, "a": -3, "b": -2, "rc": -1, "post": 1}


class VersionsError(Exception):
    """A data file of this build is missing a part or cannot be read; a fault of the build, not of the user."""


class Default(msgspec.Struct, frozen=True, omit_defaults=True):
    """The default of one argument or variable: its value as the engine's source has it, and where that stands.

    ``at`` is ``path/in/the/source.py:line`` in the release ``since``, the first with this state (empty: the release
    that was asked for). ``value`` is None both for "none" and for a rule's placeholder; ``kind`` tells them apart.
    ``takes`` is what the argument takes, as ``Flag.takes`` has it.
    """

    value: JsonData = None
    kind: DefaultKind = "literal"
    at: str = ""
    names: tuple[str, ...] = ()
    takes: str = "value"
    since: str = ""


class Metric(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric that a release may emit.

    ``hidden`` when only a switch brings it back; ``core`` the generation of the engine that alone emits it, in releases
    that have two. ``at`` and ``since`` as for a default.
    """

    hidden: bool = False
    core: str = ""
    at: str = ""
    since: str = ""
    heir: str = ""


class Computed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function of the engine that computes defaults; its ``digest`` changes when its words do."""

    digest: str = ""
    at: str = ""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Everything this build knows of one release of one engine. ``source`` is the public address it was read from.

    ``requests`` are fields of a request with what they are when a client leaves them out; ``packages`` what the release
    is built with or pins, the version as its source writes it.
    """

    engine: str
    version: str
    source: str
    arguments: Mapping[str, Default]
    variables: Mapping[str, Default] = {}
    metrics: Mapping[str, Metric] = {}
    requests: Mapping[str, Default] = {}
    packages: Mapping[str, Default] = {}
    notes: str = ""

    def where(self, default: Default | Metric) -> Location:
        """The place of a default in the published source: of the first release that has it in this state."""
        path, _, line = default.at.rpartition(":")
        release = default.since or self.version
        return Location(f"{self.engine} {release} {path}", line=int(line) if line.isdigit() else 0)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All releases of one engine, oldest first, and when each thing changed.

    A name maps to ``(index of the first release with this state, state)``; the state is None from the release on that
    no longer has it. ``source`` is the public address of the releases.
    """

    engine: str
    source: str
    releases: tuple[str, ...]
    arguments: Mapping[str, tuple[tuple[int, Default | None], ...]]
    variables: Mapping[str, tuple[tuple[int, Default | None], ...]] = {}
    metrics: Mapping[str, tuple[tuple[int, Metric | None], ...]] = {}
    requests: Mapping[str, tuple[tuple[int, Default | None], ...]] = {}
    packages: Mapping[str, tuple[tuple[int, Default | None], ...]] = {}
    rules: Mapping[str, tuple[tuple[int, Computed | None], ...]] = {}

    def at(self, index: int) -> Release:
        """The release with this index, whole."""
        names = self.releases
        return Release(
            engine=self.engine,
            version=names[index],
            source=self.source,
            arguments=_standing(self.arguments, index, names),
            variables=_standing(self.variables, index, names),
            metrics=_standing(self.metrics, index, names),
            requests=_standing(self.requests, index, names),
            packages=_standing(self.packages, index, names),
        )

    def spans(self, argument: str) -> tuple[tuple[str, str], ...]:
        """When the releases had an argument: pairs of the first with it and the first without, empty at the ends."""
        found: list[tuple[str, str]] = []
        for index, state in self.arguments.get(argument, ()):
            if state is None:
                found[-1] = (found[-1][0], self.releases[index])
            elif not found or found[-1][1]:
                found.append((self.releases[index] if index else "", ""))
        return tuple(found)


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A public dashboard, rule or autoscaler that asks for metrics of an engine.

    ``what`` says what it is, ``address`` where it stands, at one commit or tag. ``metrics`` are names without the
    suffixes that Prometheus adds to a histogram.
    """

    what: str
    address: str
    metrics: tuple[str, ...]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a setting that no fact of its own describes acts on, and how much its change matters.

    ``always``: it is in force whatever else is set, so that its default concerns every deployment that leaves it out.
    """

    severity: Severity
    effects: tuple[str, ...]
    always: bool = False


_State = TypeVar("_State", Default, Metric)


def _standing(
    changes: Mapping[str, tuple[tuple[int, _State | None], ...]], index: int, names: Sequence[str]
) -> dict[str, _State]:
    """The states that hold in one release, each with the release in which it began."""
    found: dict[str, _State] = {}
    for name, steps in changes.items():
        began, state = -1, None
        for first, following in steps:
            if first > index:
                break
            began, state = first, following
        if state is not None:
            found[name] = msgspec.structs.replace(state, since=names[began])
    return found


class Stable(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults that are equal in every release that was looked at.

    ``releases`` are those releases, oldest first; ``defaults`` maps an argument to its value; ``source`` says where
    the releases were read.
    """

    engine: str
    source: str
    releases: tuple[str, ...]
    defaults: Mapping[str, JsonData]
    variables: tuple[str, ...] = ()

    @property
    def where(self) -> Location:
        """The citation: every release from the first to the last that was looked at."""
        return Location(f"{self.engine}, every release {self.releases[0]}–{self.releases[-1]}")


def _folder(engine: str) -> str:
    return os.path.join(_HERE, engine.replace(".", "_").replace("-", "_"), "versions")


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _decoded(path: str, form: type[_Form]) -> _Form | None:
    """A data file of this build, or None where there is none."""
    data = _read(path)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=form)
    except msgspec.DecodeError as error:
        raise VersionsError(f"{path}: {error}; expected the form that tools/engines writes. Hint: reinstall") from error


@functools.lru_cache(maxsize=8)
def history(engine: str) -> History | None:
    """All releases of ``engine`` with their changes, or None where this build has them one by one, or none."""
    return _decoded(os.path.join(_folder(engine), "history.json"), History)


@functools.lru_cache(maxsize=8)
def queries(engine: str) -> tuple[Query, ...]:
    """The public queries of metrics of ``engine`` that this build knows: ``engines/<engine>/queries.json``."""
    return _decoded(os.path.join(os.path.dirname(_folder(engine)), "queries.json"), tuple[Query, ...]) or ()


@functools.lru_cache(maxsize=8)
def effects(engine: str) -> Mapping[str, Effect]:
    """Arguments and variables of ``engine`` by what they act on, where no fact says it: ``effects.json`` beside it."""
    path = os.path.join(os.path.dirname(_folder(engine)), "effects.json")
    return _decoded(path, dict[str, Effect]) or {}


@functools.lru_cache(maxsize=32)
def load(engine: str, version: str | None) -> Release | None:
    """The data of exactly this release (``0.33.0``, with or without ``v``), or None when this build has none.

    Never the data of a neighbour: a default of another release is a guess. ``nearest`` says so where it gives one.
    """
    if not version or not version.removeprefix("v")[:1].isdigit() or not _NAME.issuperset(version):
        return None
    plain = version.removeprefix("v")
    past = history(engine)
    if past is not None:
        return past.at(past.releases.index(plain)) if plain in past.releases else None
    path = os.path.join(_folder(engine), plain + ".json")
    return _decoded(path, Release)


def nearest(engine: str, version: str | None) -> tuple[Release, bool] | None:
    """The release that tells most about ``version``, and whether it is that release.

    For a release that this build does not have (a nightly, a build with a patch, one that came later), the newest that
    is not newer, else the oldest. None where ``version`` is no release or nothing of the engine is known.
    """
    exact = load(engine, version)
    if exact is not None:
        return exact, True
    near = neighbours(version, releases(engine)) if version else ()
    found = load(engine, near[0]) if near else None
    return (found, False) if found is not None else None


def releases(engine: str) -> tuple[str, ...]:
    """The releases of ``engine`` whose defaults are in this build, oldest first."""
    past = history(engine)
    if past is not None:
        return past.releases
    try:
        names = os.listdir(_folder(engine))
    except FileNotFoundError:
        return ()
    found = [name.removesuffix(".json") for name in names if name.endswith(".json") and name != "stable.json"]
    return tuple(sorted(found, key=release_key))


@functools.lru_cache(maxsize=8)
def stable(engine: str) -> Stable | None:
    """The defaults that hold in every release looked at, or None where nobody looked."""
    return _decoded(os.path.join(_folder(engine), "stable.json"), Stable)


@functools.lru_cache(maxsize=512)
def release_key(version: str) -> tuple[int, ...]:
    """A key that sorts releases: ``0.9.2 < 0.10.0rc1 < 0.10.0 < 0.10.0.post1``. Empty for what is no release."""
    match = re.match(_NUMBERS, version.strip())
    if match is None:
        return ()
    numbers = [int(part) for part in match[1].split(".")][:4]
    numbers += [0] * (4 - len(numbers))
    return (*numbers, _STAGE.get(match[2] or "", 0), int(match[3] or 0))


def neighbours(version: str, known: Sequence[str]) -> tuple[str, ...]:
    """The releases of ``known`` (oldest first) that tell about ``version``.

    The release itself where it is known; else the one before and the one after, because what either has, the one in
    between may have. Beyond the ends the end stands for it. Empty for what is no release.
    """
    if version in known:
        return (version,)
    key = release_key(version)
    if not key or not known:
        return ()
    before = [one for one in known if release_key(one) <= key]
    after = [one for one in known if release_key(one) > key]
    return tuple(before[-1:] + after[:1])


def has(since: str, until: str, version: str | None, known: Sequence[str]) -> bool:
    """Whether something that came with ``since`` and left with ``until`` may be part of ``version``.

    True when the release is not known: nothing is said to be missing that could be there.
    """
    return version is None or lives(since, until, neighbours(version, known))


def lives(since: str, until: str, near: Sequence[str]) -> bool:
    """``has`` for releases that ``neighbours`` has already found: for asking about many things at once."""
    if not near or not (since or until):
        return True
    first, end = release_key(since) if since else (), release_key(until) if until else None
    return any(first <= release_key(one) and (end is None or release_key(one) < end) for one in near)
