"""How much a difference matters, and why: as its fact says, but of an entry of a map by what is known to matter."""

from __future__ import annotations

from collections.abc import Iterator

from askew.app import registry
from askew.checks.interface import Needs, Subject
from askew.compare.compare import Difference
from askew.engines.versions import effects
from askew.facts.types import SEVERITIES, Severity
from askew.findings.finding import Finding
from askew.resolve.workload import Snapshot

_TRAINING, _FORMAT = "model.training.packages", "model.weights.format"
_PACKAGES = frozenset((_TRAINING, "runtime.packages"))
_SKEW = "training-serving-package-skew"


def weight(difference: Difference, reference: Snapshot, target: Snapshot) -> tuple[Severity, str]:
    """The severity of a difference between two snapshots, and what goes wrong: of a setting without a fact of its own
    as the engine's maintainers know it, of a package as its releases are known."""
    fact, engine = difference.fact, target.engine
    if fact.key in ("runtime.env", "runtime.arguments.unmapped") and engine is not None:
        known = effects(engine.name).get(difference.key)
        return (min(fact.severity, known.severity, key=SEVERITIES.index) if known else fact.severity), fact.why
    if fact.key == "runtime.packages" and difference.key in set(registry.engine_names()) - {"triton"}:
        return "medium", fact.why  # an engine inside another brings its own defaults; triton is a language there
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
