"""What a fact is, and the types its values can have.

A value is plain JSON data in canonical form (dtype names, bytes, seconds, tokens, GPU ids), so that equal meaning is
equal data and other tools can compare it. ``None`` means "known to be absent": no cap, no parser, no probe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

Scalar: TypeAlias = bool | int | float | str | None
Value: TypeAlias = Scalar | list["Value"] | dict[str, "Value"]

Category: TypeAlias = Literal["model", "runtime", "hardware", "serving", "orchestration", "performance", "governance"]
Severity: TypeAlias = Literal["critical", "high", "medium", "low", "info"]
Stability: TypeAlias = Literal["stable", "experimental", "deprecated"]
Combine: TypeAlias = Literal["precedence", "smallest", "all"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")


class ValueType(msgspec.Struct, frozen=True):
    """How the values of a fact are read, compared and shown.

    ``parse`` accepts any spelling the field uses and returns the canonical value, or raises ``ValueError`` saying
    what was expected. It is idempotent. ``same`` compares two canonical values between peers;
    ``satisfies(declared, target)`` asks whether a target value meets a declared one and answers None where that
    cannot be told (two GPU sets that overlap); where a type has none, ``same`` decides.
    ``comparable`` is false of two values that say nothing about each other (digests of two algorithms, the columns of
    a table and the one tensor they go into). ``entry(key)``
    is the type of one entry of a map.
    """

    name: str
    parse: Callable[[Value], Value]
    same: Callable[[Value, Value], bool]
    show: Callable[[Value], str]
    schema: dict[str, Value]
    satisfies: Callable[[Value, Value], bool | None] | None = None
    comparable: Callable[[Value, Value], bool] | None = None
    keyed: bool = False  # a map: resolved and compared key by key
    entry: Callable[[str], ValueType] | None = None
    record: bool = False  # a map whose keys belong together (a probe): wholly absent on one side is one finding
    difference: Callable[[Value, Value], str] | None = None  # in what two values differ, in words, where both are long

    def of(self, key: str) -> ValueType:
        """The type of the entry of a map under ``key``; this type for no key, and where entries have no type."""
        return self.entry(key) if key and self.entry is not None else self


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One named, typed property of a deployed model.

    ``combine`` says how several sources of one value make the effective one: the highest precedence wins; the
    smallest over all hops wins (timeouts); or all of them together (sets).
    ``settled_by`` names a fact that, when known and equal on both sides, makes this one equal too (equal image
    digests make tags irrelevant). ``follows`` names a fact that this one is taken from by default: where neither side
    states this one and the followed fact differs, there is one difference, not two. A fact that is not ``compared``
    is evidence for checks only: it differs where other facts already say so, or where nothing is wrong.
    ``under`` names the fact that holds the load under which this one is measured: under different loads two values of
    it say nothing about each other.
    ``why`` is what goes wrong when two sides differ. ``observe_with`` tells how to see it when no source shows it.
    """

    key: str
    type: ValueType
    brief: str
    why: str
    severity: Severity
    examples: tuple[Value, ...]
    observe_with: str = ""
    combine: Combine = "precedence"
    stability: Stability = "stable"
    milestone: int = 1
    playbook: str = ""
    settled_by: str = ""
    follows: str = ""
    compared: bool = True
    under: str = ""

    @property
    def category(self) -> Category:
        return self.key.split(".", 1)[0]  # type: ignore[return-value]  # keys begin with their category (tested)
