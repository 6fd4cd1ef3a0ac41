"""What a contract or a lock is, once read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from askew.evidence.location import Location
from askew.resolve.workload import Snapshot


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What was intended for one workload.

    A ``modelspec`` is a set of constraints (only what it declares counts); a ``lock`` is a peer: the complete
    resolved snapshot of a known-good deployment. ``recorded`` is what it says that no setting stands for: the model's
    logical id, family and task, labels.
    """

    kind: Literal["modelspec", "lock"]
    snapshot: Snapshot
    source: str
    recorded: Mapping[str, str] = {}


class Invalid(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a contract or lock that cannot be right: where, what was expected, what to do."""

    location: Location
    message: str
    hint: str
