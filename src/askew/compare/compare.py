"""Two resolved snapshots in, differences out. Knows facts and their types, never an engine or a platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from askew.evidence.redaction import shown, tell_of_each_other
from askew.facts.catalogue import FACTS
from askew.facts.types import Fact
from askew.resolve.observation import Confidence, Origin
from askew.resolve.resolve import unseen
from askew.resolve.workload import Resolved, Snapshot

# peers: two deployments, symmetric. contract: the reference is a set of constraints and only what it declares counts.
Mode: TypeAlias = Literal["peers", "contract"]
Outcome: TypeAlias = Literal["same", "different", "possible", "unknown", "unstated"]

# Somebody wrote it or something showed it; the opposite of a default.
STATED: frozenset[Origin] = frozenset(
    ("measured", "reported", "explicit", "env", "config-file", "declared", "contract", "lock", "assumed")
)
# What a launch says, and of what: its arguments, variables and configuration file. Its image is another's to say.
_LAUNCHED: frozenset[Origin] = frozenset(("explicit", "env", "config-file"))
_BY_LAUNCH = ("model.", "runtime.", "serving.port", "serving.listen_host")
_BY_IMAGE = ("runtime.image", "runtime.engine")
_AUTOSCALER = "orchestration.autoscaler.kind"
_REPLICAS = ("orchestration.replicas.min", "orchestration.replicas.max")
_OTHER_ARGUMENTS = "runtime.arguments.unmapped"
_WEAKER: dict[Confidence, int] = {"certain": 0, "likely": 1, "possible": 2}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A fact (or one key of a map fact) whose two resolved values do not agree."""

    fact: Fact
    key: str
    reference: Resolved
    target: Resolved
    confidence: Confidence


class Unverified(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that the reference states and the target does not show."""

    fact: Fact
    key: str
    side: Literal["reference", "target"]
    resolved: Resolved


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What agrees, what does not, what cannot be told. ``declared`` counts what the reference states or knows."""

    differences: tuple[Difference, ...]
    unverified: tuple[Unverified, ...]
    declared: int
    verified: int
    unknown: int


def is_stated(resolved: Resolved) -> bool:
    """Whether someone wrote the value, or something showed it; false for every default."""
    return resolved.origin in STATED


def compare(reference: Snapshot, target: Snapshot, mode: Mode = "peers") -> Comparison:
    """Compare two snapshots fact by fact.

    Between peers the result is symmetric, and a snapshot compared with itself has no differences. Against a contract
    only what it declares is compared, maps by their declared keys.
    """
    differences: list[Difference] = []
    unverified: list[Unverified] = []
    verified = unknown = declared = 0
    keys = reference.facts.keys() if mode == "contract" else reference.facts.keys() | target.facts.keys()
    for key in sorted(keys):
        fact = FACTS[key]
        if not fact.compared:
            continue
        left = reference.facts.get(key) or _unseen(fact, reference, target.facts.get(key))
        right = target.facts.get(key) or _unseen(fact, target, reference.facts.get(key))
        # Two files of one path that were both read say more than that their paths are the same.
        read = left.origin == right.origin == "config-file"
        settled = (
            bool(fact.settled_by)
            and not read
            and _agree(reference.facts.get(fact.settled_by), target.facts.get(fact.settled_by))
        )
        for part, a, other in _parts(fact, left, right, mode):
            b = _comparable(fact, part, a, other)
            outcome: Outcome = "same" if settled else _outcome(fact, a, b, mode)
            if outcome == "different" and fact.category == "performance":
                from askew.compare.measured import silence

                silent = silence(fact, a, b, reference.facts, target.facts, mode == "contract")
                if silent is not None:
                    outcome, b = ("unknown" if silent.told else "unstated"), _untold(fact, part, b, silent.reason)
            counts = a.state not in ("unknown", "unsupported")
            declared += counts
            if outcome in ("different", "possible"):
                verified += counts and b.state != "unknown"
                unknown += counts and b.state == "unknown"
                weakest = max((a.confidence, b.confidence), key=_WEAKER.__getitem__)
                confidence: Confidence = "possible" if outcome == "possible" else weakest
                differences.append(Difference(fact=fact, key=part, reference=a, target=b, confidence=confidence))
            elif outcome == "same":
                verified += counts
            elif counts:
                unknown += 1
                if outcome == "unknown":
                    unverified.append(Unverified(fact=fact, key=part, side="target", resolved=b))
    return Comparison(
        differences=tuple(_without_consequences(differences, _scaled_within(reference, target))),
        unverified=tuple(unverified),
        declared=declared,
        verified=verified,
        unknown=unknown,
    )


def _comparable(fact: Fact, part: str, a: Resolved, b: Resolved) -> Resolved:
    """The second value, or that it is not known in the terms of the first."""
    kind = fact.type.of(part)
    if a.value is None or b.value is None:
        return b
    reason = "the two sides state it in terms that say nothing about each other"
    if not tell_of_each_other(a.value, b.value):
        reason = "secrets were hidden under two keys, so whether they are equal cannot be told"
    elif kind.comparable is None or kind.comparable(a.value, b.value):
        return b
    return _untold(fact, part, b, reason)


def _untold(fact: Fact, part: str, b: Resolved, reason: str) -> Resolved:
    """A value that is there, and from which nothing follows for the other side's."""
    return Resolved(
        fact=fact.key, key=part, state="unknown", locations=b.locations, reason=reason, missing=True,
        observe_with=fact.observe_with,
    )  # fmt: skip


def _unseen(fact: Fact, here: Snapshot, there: Resolved | None) -> Resolved:
    """A fact that only the other side has. Where its launch sets it and a launch of an engine is shown here, then it
    is not set here: what that means is the default's to say, which is not known."""
    by_launch = fact.key.startswith(_BY_LAUNCH) and not fact.key.startswith(_BY_IMAGE)
    if here.engine is None or here.launch is None or there is None or there.origin not in _LAUNCHED or not by_launch:
        return unseen(fact)
    unread = not here.launch.argv and any(problem.kind == "unreadable" for problem in here.problems)
    return Resolved(
        fact=fact.key,
        state="unknown",
        locations=(here.launch.location,),
        reason="the file that sets it could not be read" if unread else "not set, and the default is not known",
        observe_with=fact.observe_with,
    )


def _agree(a: Resolved | None, b: Resolved | None) -> bool:
    return a is not None and b is not None and a.state == b.state == "known" and a.value == b.value


def _parts(fact: Fact, a: Resolved, b: Resolved, mode: Mode) -> Iterator[tuple[str, Resolved, Resolved]]:
    """The pairs to compare: one for a plain fact, one per key where both sides are maps."""
    if not fact.type.keyed or not (a.entries or b.entries):
        yield "", a, b
        return
    if "unknown" in (a.state, b.state) or (fact.type.record and "absent" in (a.state, b.state)):
        # A map that is not known, or a probe that is not there: one statement about the whole says it.
        yield "", a, b
        return
    # A contract that declares the map to be empty declares that each key is one too many.
    keys = a.entries.keys() if mode == "contract" and a.entries else a.entries.keys() | b.entries.keys()
    for key in sorted(keys):
        if mode == "contract" and key not in a.entries and not is_stated(b.entries[key]):
            continue  # what the engine does by default is no key that somebody added
        if _only_a_default(a, b, key) or _only_a_default(b, a, key):
            continue
        if _nobody_asked(a, b, key) or _nobody_asked(b, a, key):
            continue
        if a.basis != b.basis and not (b if key in a.entries else a).whole:
            # What was asked for says nothing of what start-up adds, and what was seen need not show all of it.
            yield key, a.entries.get(key) or _not_shown(a, key), b.entries.get(key) or _not_shown(b, key)
            continue
        yield key, _entry(a, key), _entry(b, key)


def _only_a_default(here: Resolved, there: Resolved, key: str) -> bool:
    """The default of one release or engine, of which the other side, whose release may not be known, says nothing."""
    found = here.entries.get(key)
    return found is not None and found.origin == "engine-default" and key not in there.entries


def _nobody_asked(here: Resolved, there: Resolved, key: str) -> bool:
    """What an engine reports of itself, of which the other side, that only says what was asked for, says nothing: a
    default that it does not know."""
    found = here.entries.get(key)
    if found is None or found.origin != "reported" or key in there.entries or there.whole:
        return False
    return all(one.basis == "asked" for one in there.entries.values())


def _not_shown(resolved: Resolved, key: str) -> Resolved:
    return Resolved(
        fact=resolved.fact,
        key=key,
        state="unknown",
        basis=resolved.basis,
        locations=resolved.locations[:1],
        reason="no source shows it",
        missing=True,
    )


def _entry(resolved: Resolved, key: str) -> Resolved:
    found = resolved.entries.get(key)
    if found is not None:
        return found
    if resolved.reason:  # the map is known only in part
        return Resolved(
            fact=resolved.fact,
            key=key,
            state="unknown",
            origin=resolved.origin,
            locations=resolved.locations[:1],
            reason=resolved.reason,
            observe_with=resolved.observe_with,
            missing=resolved.missing,
        )
    return Resolved(
        fact=resolved.fact, key=key, state="absent", origin=resolved.origin, locations=resolved.locations[:1]
    )


def _outcome(fact: Fact, a: Resolved, b: Resolved, mode: Mode) -> Outcome:
    """same | different | possible (one side cannot be resolved) | unknown | unstated (unknown, and nobody asked)."""
    if a.state == "unknown" and b.state == "unknown":
        if not tell_of_each_other(a.text, b.text) and shown(a.text or "") == shown(b.text or ""):
            return "unstated"
        if mode == "peers" and (a.text or b.text) and not _same_text(a, b):
            return "possible"
        return "same" if a.text and _same_text(a, b) else "unstated"
    if fact.combine == "smallest" and a.basis != b.basis and a.hops and b.hops:
        return _by_hop(fact, a, b)
    if "unknown" in (a.state, b.state) and a.basis != b.basis:
        # What one side left to start-up, and what the other shows that came of it: nothing contradicts the other.
        return "unstated" if a.state == "unknown" or not _demands(a) else "unknown"
    if a.state == "unknown":
        # Two peers are symmetric; a contract with an unknown value declares nothing.
        return "possible" if mode == "peers" and _insists(b, a) and _demands(b) else "unstated"
    if b.state == "unknown":
        if not _demands(a):
            return "unstated"
        return "possible" if _insists(a, b) else "unknown"
    if "unsupported" in (a.state, b.state):
        if a.state == b.state or not (_demands(a) if b.state == "unsupported" else _demands(b)):
            return "same"
        return "different"
    if "redacted" in (a.state, b.state) and (a.value is None or b.value is None):
        # A lock keeps that there is a secret, and neither its value nor a hash of it.
        return "same" if a.state == b.state else "different"
    if fact.type.keyed and not a.key and not (a.value or b.value):
        return "same"  # an empty map and none at all
    if a.value is None or b.value is None:
        return "same" if fact.type.same(a.value, b.value) else "different"  # none is a word of some enumerations
    constrained = mode == "contract" or (a.basis == "asked" and b.basis == "seen")
    if constrained and fact.type.satisfies is not None:
        met = fact.type.satisfies(a.value, b.value)
        if met is None:
            return "unknown"
        return "same" if met else "different"
    return "same" if fact.type.same(a.value, b.value) else "different"


def _by_hop(fact: Fact, a: Resolved, b: Resolved) -> Outcome:
    """What an engine says of itself holds at its own hop; of the others between it and its clients it knows nothing."""
    there = {hop.name: hop.value for hop in b.hops}
    both = [(hop.value, there[hop.name]) for hop in a.hops if hop.name in there]
    if not both:
        return "unknown" if _demands(a) else "unstated"
    return "same" if all(fact.type.same(one, two) for one, two in both) else "different"


def _same_text(a: Resolved, b: Resolved) -> bool:
    """Whether two unexpanded expressions are equal; a lock keeps them without the secrets that stand in them."""
    return a.text == b.text or ("<redacted>" in a.text + b.text and shown(a.text) == shown(b.text))


def _demands(resolved: Resolved) -> bool:
    """Whether the side insists on its value: somebody stated it, and it is not merely that nothing was set."""
    return is_stated(resolved) and resolved.state != "absent"


def _insists(known: Resolved, unknown: Resolved) -> bool:
    """Whether a value may contradict one that could not be resolved. What was only seen at work (the digest behind a
    tag, the dtype that an engine reports) is what came of a request that says nothing of it."""
    return _unresolved(unknown) and not (known.basis == "seen" and unknown.basis == "asked")


def _unresolved(resolved: Resolved) -> bool:
    """Unknown although the source was seen: a default that depends, an expansion at run time, a moving name."""
    return not resolved.missing


def _scaled_within(reference: Snapshot, target: Snapshot) -> bool:
    """Whether an autoscaler that only one side shows moves the replicas within bounds that the other's count is in: the
    count is then where it starts, and the autoscaler the one difference."""
    for scaled, fixed in ((reference, target), (target, reference)):
        there, here = scaled.facts.get(_AUTOSCALER), fixed.facts.get(_AUTOSCALER)
        low, high = (scaled.facts.get(key) for key in _REPLICAS)
        count = fixed.facts.get(_REPLICAS[0])
        if there is None or here is None or low is None or high is None or count is None:
            continue
        if not is_stated(there) or there.value in (None, "none") or is_stated(here) or here.value not in (None, "none"):
            continue
        if not isinstance(count.value, int) or not isinstance(low.value, int):
            continue
        if low.value <= count.value and (
            high.value is None or (isinstance(high.value, int) and count.value <= high.value)
        ):
            return True
    return False


def _without_consequences(differences: list[Difference], scaled: bool) -> Iterator[Difference]:
    changed: Mapping[str, Difference] = {d.fact.key: d for d in differences}
    for difference in differences:
        if scaled and difference.fact.key in _REPLICAS:
            continue
        followed = difference.fact.follows
        # A contract written from a deployment states what followed there by default, and it follows in the target.
        reference = difference.reference
        by_default = (not is_stated(reference) or reference.origin == "contract") and not is_stated(difference.target)
        if followed in changed and by_default:
            continue
        # An option without a fact of its own that nobody set: in the same release its default can only have moved with
        # a setting that is told by itself (one API server for each data parallel rank).
        if by_default and difference.fact.key == _OTHER_ARGUMENTS and "runtime.engine.version" not in changed:
            continue
        yield difference
