"""What the components between client and engine, and around it, do when nobody writes anything.

`platform_defaults.json` beside this module holds one line for each state of a default, with the public source it was
read in and how. Only what was read in a source or in documentation stands there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value

# msgspec cannot decode into a recursive alias; what it decodes as object is JSON data, which Value describes.
if TYPE_CHECKING:
    JsonData: TypeAlias = Value
else:
    JsonData = object


class PlatformDefault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One default: ``component`` (``ingress-nginx``), its ``setting``, and the value in the units of ``fact``.

    ``fact`` and ``key`` are what it states, where the vocabulary has it; ``written`` is how the component spells the
    value, where that differs. ``since`` and ``until`` are the first release that was read with it and the first
    without; empty where the component has no releases, or where it was always so. ``where`` is the field, annotation or
    argument that sets it, ``condition`` what the value depends on. ``source`` is a public URL, ``read`` how it was
    read.
    """

    id: str
    component: str
    setting: str
    value: JsonData
    source: str
    read: str
    fact: str = ""
    key: str = ""
    written: str = ""
    since: str = ""
    until: str = ""
    where: str = ""
    condition: str = ""

    @property
    def citation(self) -> Location:
        """The public source as the place of an observation."""
        return Location(self.source)


@lru_cache(maxsize=1)
def catalogue() -> tuple[PlatformDefault, ...]:
    """Every known default, the newest state of one setting last."""
    with open(os.path.join(os.path.dirname(__file__), "platform_defaults.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=tuple[PlatformDefault, ...])


@lru_cache(maxsize=1)
def _by_setting() -> dict[tuple[str, str], tuple[PlatformDefault, ...]]:
    found: dict[tuple[str, str], tuple[PlatformDefault, ...]] = {}
    for one in catalogue():
        found[one.component, one.setting] = (*found.get((one.component, one.setting), ()), one)
    return found


def states_of(component: str, setting: str) -> tuple[PlatformDefault, ...]:
    """What a default was, oldest first. Raises KeyError for one that nobody has read: guessing is worse than not
    knowing."""
    return _by_setting()[component, setting]


def default_of(component: str, setting: str, version: str | None = None) -> PlatformDefault:
    """The default of one setting in a release; where the release is not known, the newest. Raises KeyError."""
    states = states_of(component, setting)
    if version is not None:
        return next((one for one in states if _has(one, version)), states[-1])
    return states[-1]


def changed(component: str, setting: str) -> str:
    """What to say of a default whose release is not known and that was another before; else nothing."""
    states = states_of(component, setting)
    if len(states) < 2:
        return ""
    before = ", ".join(dict.fromkeys(_shown(one.value) for one in states[:-1]))
    return f"{before} before {states[-1].since}, and which release runs is not known"


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _has(one: PlatformDefault, version: str) -> bool:
    key = numbers(version)
    return (not one.since or numbers(one.since) <= key) and (not one.until or key < numbers(one.until))


def numbers(version: str) -> tuple[int, ...]:
    """``1.27.0`` and ``v1.27`` as numbers that sort."""
    parts = version.removeprefix("v").split(".")[:4]
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else 0 for part in parts)


def by_component(rows: Iterable[PlatformDefault]) -> Iterator[tuple[str, list[PlatformDefault]]]:
    """The defaults of each component, in the order of its name."""
    grouped: dict[str, list[PlatformDefault]] = {}
    for one in rows:
        grouped.setdefault(one.component, []).append(one)
    yield from sorted(grouped.items())
