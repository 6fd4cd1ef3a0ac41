"""One package with the version that a list gives it, under the one name that all of its spellings have."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Basis, Confidence, Observation, Origin, Unknown

LOOK = "pip freeze, run in the environment"
_SEPARATORS = re.compile(r"[-_.]+")
# conda-forge and Debian's names of what PyPI calls otherwise, for packages whose versions are compared.
_OTHER_NAMES = {"pytorch": "torch", "pytorch-cpu": "torch", "pytorch-gpu": "torch", "py-xgboost": "xgboost"}
_MOST = 20_000  # packages of one list; images hold some hundreds


class Pin(msgspec.Struct, frozen=True):
    """One entry of a list. ``version`` is unknown where it is no pin; ``doubt`` says on what it depends."""

    name: str
    version: str | Unknown
    location: Location
    doubt: str = ""


def canonical(name: str) -> str:
    """A name as all of its spellings have it: lower case, one hyphen (packaging.python.org, "Names and
    normalization")."""
    plain = _SEPARATORS.sub("-", name.strip()).lower()
    return _OTHER_NAMES.get(plain, plain)


def states(
    fact: str, pins: Iterable[Pin], *, origin: Origin, basis: Basis = "asked", confidence: Confidence = "certain"
) -> tuple[Observation, ...]:
    """One observation for each package. One that a list names with several versions is unknown, and says which."""
    grouped: dict[str, list[Pin]] = {}
    for pin in pins:
        if len(grouped) < _MOST or canonical(pin.name) in grouped:
            grouped.setdefault(canonical(pin.name), []).append(pin)
    out: list[Observation] = []
    for name, found in grouped.items():
        known = [pin for pin in found if isinstance(pin.version, str)]
        versions = sorted({str(pin.version).partition("+")[0] for pin in known})
        best = known[0] if known else found[0]
        value: Value | Unknown = best.version
        if len(versions) > 1:
            value = Unknown(f"named with several versions: {', '.join(versions[:5])}", LOOK)
        doubt = best.doubt
        out.append(
            observed(
                fact, value, best.location, origin=origin, basis=basis, key=name,
                confidence="likely" if doubt else confidence, because=(doubt,) if doubt else (),
            )
        )  # fmt: skip
    return tuple(out)
