"""What a check is: a rule over one snapshot that needs no reference.

One file per check in ``checks/rules/``. Its docstring is its docs page, with the sections *What it finds*,
*Why it matters*,
*Example*, *Remedy*, *When it is fine*. ``CHECK`` declares it; ``CHECK.cases`` are its tests. A check reads facts and
launches, never a source format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Category, Severity
from askew.findings.finding import Finding, Remedy, make
from askew.resolve.observation import Confidence
from askew.resolve.workload import Resolved, Snapshot


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a check looks at: a resolved workload, and the contract that covers it where there is one."""

    snapshot: Snapshot
    contract: Snapshot | None = None

    def known(self, fact: str) -> Resolved | None:
        """The fact's resolved value when it is known (possibly known to be absent), else None."""
        resolved = self.snapshot.facts.get(fact)
        return resolved if resolved is not None and resolved.state in ("known", "absent") else None


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """The check could not decide: this fact is not known. Listed in the report, never silently passed."""

    fact: str
    reason: str = ""


Outcome: TypeAlias = Finding | Needs


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An input with its verdict. ``source`` is Kubernetes YAML, a compose file, or ``cmd:…``, written as users
    write it. ``needs`` is an optional library without which the case cannot be decided.

    ``line`` is where the finding must point (1-based, in ``source`` or a joined file), 0 when the case is clean.
    ``file`` is the path of the source's file where its name matters; ``joined`` are sources that are joined to it: the
    URI, the path of a file, and its content.
    """

    name: str
    source: str
    fires: bool
    line: int = 0
    contract: str = ""
    file: str = ""
    joined: tuple[tuple[str, str, str], ...] = ()
    needs: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check. ``facts`` are those it reads, the one it is about first. ``whatever``: it may be about any other fact
    as well, since it looks at how a workload's parts agree and not at values."""

    id: str
    title: str
    category: Category
    severity: Severity
    confidence: Confidence
    facts: tuple[str, ...]
    run: Callable[[Subject], Iterator[Outcome]]
    cases: tuple[Case, ...]
    playbook: str = ""
    whatever: bool = False


def found(
    check: Check,
    subject: Subject,
    *,
    summary: str,
    impact: str,
    fact: str = "",
    key: str = "",
    target: Resolved | None = None,
    reference: Resolved | None = None,
    at: tuple[Location, ...] = (),
    facts: tuple[str, ...] = (),
    severity: Severity | None = None,
    confidence: Confidence | None = None,
    remedies: tuple[Remedy, ...] = (),
) -> Finding:
    """Build the finding of a check.

    ``target`` defaults to the resolved value of ``fact`` (default: the check's first). ``at`` replaces its locations
    when a better place proves the claim. A default that nobody wrote is shown at the launch it belongs to.
    """
    about = fact or check.facts[0]
    side = (
        target
        or subject.snapshot.facts.get(about)
        or Resolved(fact=about, state="unknown", reason="no source shows it")
    )
    places = at or side.locations
    if not any(place.line or place.object for place in places):
        launch = subject.snapshot.launch
        places = (launch.location if launch is not None else subject.snapshot.workload.location,)
    return make(
        Finding(
            kind="check",
            rule=check.id,
            facts=tuple(dict.fromkeys((about, *facts))),
            key=key,
            category=check.category,
            severity=severity or check.severity,
            confidence=confidence or check.confidence,
            summary=summary,
            impact=impact,
            workload=subject.snapshot.id,
            reference=reference,
            target=msgspec.structs.replace(side, locations=places),
            remedies=remedies,
            playbook=check.playbook,
        )
    )
