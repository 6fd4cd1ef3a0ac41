"""Which differences between the packages of training and of serving are known to matter, and why.

``packages.json`` beside this module holds one line for each, with the public source that says so. A difference that no
line names is no concern: most of an image's packages never touch a model.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec

from askew.facts.types import SEVERITIES, Severity
from askew.facts.values.version import compare

Change: TypeAlias = Literal["major", "minor", "older-major", "older-minor", "crosses", "crosses-down"]


class Concern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of difference that matters.

    ``change``: another major or minor release; ``older-``: only where the serving side has the older one; ``crosses``:
    one side has a release before ``at``, the other has it or a later one; ``crosses-down``: only where serving has the
    earlier one. ``formats``: only for weights of these formats; ``usual`` says that models of this package mostly have
    one of them. ``beside``: only where training had this package, too.
    """

    package: str
    change: Change
    severity: Severity
    why: str
    source: str
    at: str = ""
    formats: tuple[str, ...] = ()
    usual: bool = False
    beside: str = ""

    @property
    def impact(self) -> str:
        """What goes wrong, as a sentence with its source; a name that begins it keeps its spelling."""
        named = self.why.startswith(self.package)
        return f"{self.why if named else self.why[:1].upper() + self.why[1:]}. See {self.source}"


@lru_cache(maxsize=1)
def catalogue() -> tuple[Concern, ...]:
    """Every difference that is known to matter."""
    with open(os.path.join(os.path.dirname(__file__), "packages.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=tuple[Concern, ...])


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The packages of which some difference matters."""
    return frozenset(concern.package for concern in catalogue())


def applying(package: str, weights: str | None, beside: Collection[str]) -> tuple[Concern, ...]:
    """The concerns about a package, weightiest first, for a model whose weights have this format; with None, as it is
    not known, also those of the package's usual formats."""
    found = [
        one
        for one in catalogue()
        if one.package == package
        and (not one.formats or (one.usual if weights is None else weights in one.formats))
        and (not one.beside or one.beside in beside)
    ]
    return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))


def concern(
    package: str, training: str, serving: str, weights: str | None = None, beside: Collection[str] = ()
) -> Concern | None:
    """The weightiest concern that two versions of a package raise; None where there is none, and where one of them is
    no version."""
    try:
        newer = compare(training, serving)
    except ValueError:
        return None
    if newer == 0:
        return None
    for one in applying(package, weights, beside):
        if _applies(one, training, serving, newer):
            return one
    return None


class _Opsets(msgspec.Struct, frozen=True):
    source: str
    largest: tuple[tuple[str, int], ...]
    until: str


def largest_opset(onnxruntime: str) -> int | None:
    """The newest operator set of ONNX that a release of ONNX Runtime loads; None for a release that was not tried.
    ``onnx_opsets.json`` says how it was found."""
    try:
        with open(os.path.join(os.path.dirname(__file__), "onnx_opsets.json"), "rb") as file:
            known = msgspec.json.decode(file.read(), type=_Opsets)
        if compare(onnxruntime, known.until) >= 0:
            return None
        return next((opset for since, opset in reversed(known.largest) if compare(onnxruntime, since) >= 0), None)
    except ValueError:
        return None


def _applies(one: Concern, training: str, serving: str, newer: int) -> bool:
    if one.change.startswith("crosses"):
        before, after = compare(training, one.at) < 0, compare(serving, one.at) < 0
        return before != after and (one.change == "crosses" or after)
    parts = 1 if one.change.endswith("major") else 2
    return _series(training, parts) != _series(serving, parts) and (not one.change.startswith("older") or newer > 0)


def _series(version: str, parts: int) -> tuple[int, ...]:
    numbers = version.partition("+")[0].rpartition("!")[2].split(".")
    found = [int(part) if part.isdecimal() else 0 for part in numbers[:parts]]
    return (*found, *(0 for _ in range(parts - len(found))))
