"""How much a difference matters, and why: as its fact says, but of a package by what is known of the library."""

from __future__ import annotations

from collections.abc import Iterator

from askew.app import registry
from askew.checks.interface import Needs, Subject
from askew.compare.compare import Difference
from askew.facts.types import Severity
from askew.findings.finding import Finding
from askew.resolve.workload import Snapshot

_TRAINING, _FORMAT = "model.training.packages", "model.weights.format"
_PACKAGES = frozenset((_TRAINING, "runtime.packages"))
_SKEW = "training-serving-package-skew"


def weight(difference: Difference, reference: Snapshot, target: Snapshot) -> tuple[Severity, str]:
    """The severity of a difference between two snapshots, and what goes wrong."""
    fact = difference.fact
    before, after = difference.reference.value, difference.target.value
    if fact.key not in _PACKAGES or not isinstance(before, str) or not isinstance(after, str):
        return fact.severity, fact.why
    from askew.knowledge.packages import concern

    # A format that is not known is none: what depends on it is then not claimed.
    formats = (side.facts[_FORMAT].value for side in (target, reference) if _FORMAT in side.facts)
    weights = next((str(value) for value in formats if value), "")
    trained = {
        name for side in (target, reference) if _TRAINING in side.facts for name in side.facts[_TRAINING].entries
    }
    risk = concern(difference.key, before, after, weights, trained)
    if risk is None:
        return fact.severity, fact.why
    return risk.severity, risk.impact


def skew_of_records(reference: Snapshot, target: Snapshot) -> Iterator[Finding]:
    """What a record of training on one side says of the packages of a deployment on the other: two facts, so no
    difference of one."""
    if reference.launch is not None or _TRAINING not in reference.facts or _TRAINING in target.facts:
        return
    for outcome in registry.check(_SKEW).run(Subject(snapshot=target, contract=reference)):
        if not isinstance(outcome, Needs):
            yield outcome
