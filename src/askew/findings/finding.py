"""What Askew tells its users: findings, each with its two sides and the place that proves it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from askew.evidence.location import Location
from askew.facts.types import SEVERITIES, Category, Severity
from askew.resolve.observation import Confidence, Origin
from askew.resolve.workload import Hop, Resolved, Shadowed

Kind: TypeAlias = Literal["difference", "check", "pattern"]
Baseline: TypeAlias = Literal["new", "existing"]


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """A reversible step that removes a finding.

    ``action`` is one imperative sentence naming the exact flag, field or value; ``text`` is what to write there
    (``--max-model-len 8192``), empty where the action is not a text edit. ``safe`` is true when taking the step
    cannot itself change what the service answers beyond restoring the stated intent.
    """

    action: str
    verify: str
    undo: str
    text: str = ""
    location: Location | None = None
    safe: bool = True


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody accepted a finding, with a reason. ``expires`` is an ISO date, or empty."""

    reason: str
    location: Location
    owner: str = ""
    expires: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One difference, failed check or matched pattern. Built only by ``make``, which insists on proof.

    ``rule`` is the fact key for a difference, the rule's name otherwise. ``facts`` begins with the fact it is about.
    """

    kind: Kind
    rule: str
    facts: tuple[str, ...]
    category: Category
    severity: Severity
    confidence: Confidence
    summary: str
    workload: str
    impact: str = ""
    key: str = ""
    reference: Resolved | None = None
    target: Resolved | None = None
    remedies: tuple[Remedy, ...] = ()
    playbook: str = ""
    waiver: Waiver | None = None
    baseline: Baseline | None = None

    @property
    def locations(self) -> tuple[Location, ...]:
        """Where the finding is shown: the target's places first, then the reference's."""
        return tuple(at for side in (self.target, self.reference) if side is not None for at in side.locations)


class NoProof(Exception):  # noqa: N818  # says what is missing
    """A finding without a location was about to be made: a mistake in the rule that made it."""


def make(finding: Finding) -> Finding:
    """Return the finding if some side of it can be pointed at; raise NoProof otherwise."""
    if not finding.locations:
        raise NoProof(f"{finding.rule}: a finding needs a location on one of its sides. Give its Resolved a Location.")
    return finding


def fingerprint(finding: Finding) -> str:
    """A name for the finding that survives edits around it: rule, fact, key and workload, no values, no lines."""
    from hashlib import sha256

    parts = (finding.kind, finding.rule, finding.facts[0] if finding.facts else "", finding.key, finding.workload)
    return sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def counts(finding: Finding, fail_on: Severity) -> bool:
    """Whether a finding decides the verdict: not waived, not known before, at or above the threshold."""
    if finding.waiver is not None or finding.baseline == "existing":
        return False
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(fail_on)


# Values of these origins may come with the public source of the default instead of a place in what the user gave.
_CITING: frozenset[Origin] = frozenset(("engine-default", "platform-default", "catalogue"))


def places(known: Resolved | Shadowed | Hop) -> tuple[Location, ...]:
    """The places in what the user gave. A default may come with its public source instead, which is no place."""
    return tuple(at for at in known.locations if known.origin not in _CITING or at.object or at.column)
