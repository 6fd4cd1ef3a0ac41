"""One value for a fact, with its origin and its place."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value

Origin: TypeAlias = Literal[
    "measured",
    "reported",
    "explicit",
    "env",
    "config-file",
    "declared",
    "contract",
    "lock",
    "assumed",
    "model",
    "derived",
    "catalogue",
    "engine-default",
    "platform-default",
]
Confidence: TypeAlias = Literal["certain", "likely", "possible"]
Basis: TypeAlias = Literal["asked", "seen"]

# Highest first. What was seen beats what was asked for; what someone wrote beats what somebody assumed; anything
# beats a default. Engines whose own order differs (an environment variable over a flag) set Observation.rank.
PRECEDENCE: tuple[Origin, ...] = get_args(Origin)


class Unknown(msgspec.Struct, frozen=True):
    """Why a value is not known.

    ``text`` is the unexpanded expression, where there is one (``$(nproc)``). ``missing`` is true when the kind of
    source cannot show the fact at all (a bare command line and the GPUs of its host): then nobody left anything open,
    and the other side's value is merely unverified, never a difference.
    """

    reason: str
    observe_with: str = ""
    text: str = ""
    missing: bool = False


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One value for a fact.

    ``value`` is canonical (made by the fact's type); None means known to be absent. ``key`` addresses one entry of a
    map fact. ``order`` is the place in the argument vector or list: within one origin, the last one wins.
    ``rank`` overrides the origin's precedence (lower wins). ``hop`` names the hop for facts that combine over hops.
    """

    fact: str
    value: Value | Unknown
    origin: Origin
    locations: tuple[Location, ...] = ()
    key: str = ""
    confidence: Confidence = "certain"
    basis: Basis = "asked"
    order: int = 0
    rank: int | None = None
    hop: str = ""
    because: tuple[str, ...] = ()
    raw: str = ""
