"""Precedence: observations and rules in, one effective value per fact out, with what it shadowed.

The result does not depend on the order in which evidence arrives: what decides is each observation's origin, its
place in the argument vector, and, between equals, its location.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from askew.evidence.redaction import is_redacted
from askew.facts.catalogue import FACTS
from askew.facts.types import Fact, Value
from askew.resolve.errors import ResolveError
from askew.resolve.observation import PRECEDENCE, Confidence, Observation, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Hop, Resolved, Shadowed

GPU_MODEL = "hardware.gpu.model"
_RANK = {origin: index * 10 for index, origin in enumerate(PRECEDENCE)}
_MOST_GPUS = 16  # a vendor's whole range says nothing
_CONFIDENCE: dict[Confidence, int] = {"certain": 0, "likely": 1, "possible": 2}


def resolve(observations: Iterable[Observation], rules: Iterable[Rule] = ()) -> dict[str, Resolved]:
    """The effective value of every fact that has an observation or a rule, by fact key in sorted order.

    Where the pod may land on one of several GPUs, what follows for all of them alike is known.

    Raises ResolveError when rules need each other in a circle.
    """
    observations, rules = tuple(observations), tuple(rules)
    done = _resolve(observations, rules)
    models = done.get(GPU_MODEL)
    if models is None or not isinstance(models.value, list) or not 1 < len(models.value) <= _MOST_GPUS:
        return done
    open_facts = [key for key in {rule.fact for rule in rules} if done[key].state == "unknown"]
    if open_facts:
        others = tuple(one for one in observations if one.fact != GPU_MODEL)
        landed = Observation(
            fact=GPU_MODEL, value=None, origin=models.origin, locations=models.locations, confidence=models.confidence
        )
        sides = {
            str(gpu): _resolve((*others, msgspec.structs.replace(landed, value=[gpu])), rules) for gpu in models.value
        }
        for key in open_facts:
            done[key] = _wherever(done[key], {gpu: side[key] for gpu, side in sides.items()})
    return done


def _wherever(unknown: Resolved, sides: Mapping[str, Resolved]) -> Resolved:
    """One fact on every GPU that the pod may land on: what all have in common, or on what it depends."""
    first = next(iter(sides.values()))
    if all((one.state, one.value, one.entries) == (first.state, first.value, first.entries) for one in sides.values()):
        return first if first.state in ("known", "absent") else unknown
    if unknown.entries or not any(one.state == "known" for one in sides.values()):
        return unknown
    shown = ", ".join(f"{gpu}: {one.reason if one.state == 'unknown' else one.value}" for gpu, one in sides.items())
    reason = f"depends on which GPU the pod lands on ({shown})"
    return msgspec.structs.replace(unknown, reason=reason, observe_with=FACTS[GPU_MODEL].observe_with, missing=False)


def _resolve(observations: tuple[Observation, ...], rules: tuple[Rule, ...]) -> dict[str, Resolved]:
    grouped: dict[str, list[Observation]] = {}
    for observation in observations:
        grouped.setdefault(observation.fact, []).append(observation)
    ruled: dict[str, list[Rule]] = {}
    for rule in rules:
        ruled.setdefault(rule.fact, []).append(rule)
    done: dict[str, Resolved] = {}
    for key in _evaluation_order(grouped, ruled):
        found = grouped.get(key, [])
        for rule in sorted(ruled.get(key, ()), key=lambda r: (r.rank, r.because)):
            if all(_rank(o) > _RANK[rule.origin] for o in found if o.key == rule.key):
                found = [*found, _apply(rule, done)]
        done[key] = _combine(FACTS[key], found)
    return dict(sorted(done.items()))


def unseen(fact: Fact) -> Resolved:
    """The resolved value of a fact that no source shows."""
    return Resolved(
        fact=fact.key, state="unknown", reason="no source shows it", observe_with=fact.observe_with, missing=True
    )


def _evaluation_order(grouped: Mapping[str, object], ruled: Mapping[str, list[Rule]]) -> list[str]:
    order: list[str] = []
    state: dict[str, int] = {}

    def visit(key: str, chain: tuple[str, ...]) -> None:
        if state.get(key) == 2:
            return
        if state.get(key) == 1:
            raise ResolveError(
                f"rules need each other in a circle: {' → '.join((*chain, key))}. Remove one of these needs."
            )
        state[key] = 1
        for rule in ruled.get(key, ()):
            for need in (*rule.needs, *rule.uses):
                if need in ruled or need in grouped:
                    visit(need, (*chain, key))
        state[key] = 2
        order.append(key)

    for key in sorted({*grouped, *ruled}):
        visit(key, ())
    return order


def _apply(rule: Rule, done: Mapping[str, Resolved]) -> Observation:
    """Evaluate one rule over what is resolved so far; a missing need becomes an honest unknown."""
    values: dict[str, Value] = {}
    missing: list[str] = []
    confidence: Confidence = rule.confidence
    for need in (*rule.needs, *rule.uses):
        resolved = done.get(need)
        if resolved is not None and resolved.state in ("known", "absent"):
            values[need] = resolved.value
            confidence = max(confidence, resolved.confidence, key=_CONFIDENCE.__getitem__)
        elif need in rule.needs:
            missing.append(need)
    missing = list(dict.fromkeys(missing))
    outcome: Value | Unknown
    if missing:
        first = FACTS[missing[0]]
        reason = f"depends on {' and '.join(missing)}, which no source shows"
        # What only the catalogue could tell nobody left open; a default that depends was left to the engine.
        outcome = Unknown(reason, first.observe_with, missing=rule.origin == "catalogue")
    else:
        outcome = _per_gpu(rule.compute, values)
    locations = (rule.location,) if rule.location else ()
    return Observation(
        fact=rule.fact,
        key=rule.key,
        value=outcome,
        origin=rule.origin,
        confidence=confidence,
        locations=locations,
        because=(rule.because,),
    )


def _per_gpu(compute: Callable[[Mapping[str, Value]], Value | Unknown], values: dict[str, Value]) -> Value | Unknown:
    """Evaluate for every GPU that the workload may land on; agree, or say on which the answer depends."""
    gpus = values.get(GPU_MODEL)
    if not isinstance(gpus, list) or len(gpus) < 2:
        return compute(values)
    outcomes = [(gpu, compute({**values, GPU_MODEL: [gpu]})) for gpu in gpus]
    first = outcomes[0][1]
    if all(outcome == first for _, outcome in outcomes):
        return first
    shown = ", ".join(
        f"{gpu}: {outcome.reason if isinstance(outcome, Unknown) else outcome}" for gpu, outcome in outcomes
    )
    return Unknown(f"depends on which GPU the pod lands on ({shown})", FACTS[GPU_MODEL].observe_with)


def _rank(observation: Observation) -> int:
    return _RANK[observation.origin] if observation.rank is None else observation.rank


def _precedence(observation: Observation) -> tuple[int, int, tuple[tuple[str, str, int, int], ...], str, str]:
    places = tuple((at.source, at.path, -at.line, -at.column) for at in observation.locations)
    return (_rank(observation), -observation.order, places, repr(observation.value), observation.hop)


def _combine(fact: Fact, observations: list[Observation]) -> Resolved:
    if fact.type.keyed:
        return _combine_keyed(fact, observations)
    if fact.combine == "smallest":
        return _combine_hops(fact, observations)
    if fact.combine == "all":
        return _combine_all(fact, observations)
    return _winner(fact, observations)


def _winner(fact: Fact, observations: list[Observation], key: str = "") -> Resolved:
    # Most facts have one observation: nothing to sort, and places are hashed only where some may be the same.
    ordered = sorted(observations, key=_precedence) if len(observations) > 1 else observations
    best = ordered[0]
    if isinstance(best.value, Unknown):
        # What the user assumes fills what nobody could see; it never overrules what was seen.
        best = next((o for o in ordered if o.origin == "assumed" and not isinstance(o.value, Unknown)), best)
    agreeing = [o for o in ordered if o is not best and _rank(o) == _rank(best) and o.value == best.value]
    locations = best.locations
    if agreeing or len(locations) > 1:
        locations = tuple(dict.fromkeys(at for o in (best, *agreeing) for at in o.locations))
    shadowed = tuple(
        Shadowed(value=o.value, origin=o.origin, locations=o.locations)
        for o in ordered
        if o is not best and not isinstance(o.value, Unknown) and o not in agreeing
    )
    if isinstance(best.value, Unknown):
        return Resolved(
            fact=fact.key,
            key=key,
            state="unknown",
            origin=best.origin,
            confidence=best.confidence,
            basis=best.basis,
            locations=locations,
            shadowed=shadowed,
            because=best.because,
            reason=best.value.reason,
            observe_with=best.value.observe_with or fact.observe_with,
            text=best.value.text,
            missing=best.value.missing,
        )
    state = "absent" if best.value is None else "redacted" if is_redacted(best.value) else "known"
    hop = Hop(name=best.hop, value=best.value, origin=best.origin, locations=best.locations)
    return Resolved(
        fact=fact.key,
        key=key,
        state=state,  # type: ignore[arg-type]  # narrowed by the expression above
        value=best.value,
        origin=best.origin,
        confidence=best.confidence,
        basis=best.basis,
        locations=locations,
        shadowed=shadowed,
        hops=(hop,) if best.hop and not key else (),
        because=best.because,
    )


def _combine_keyed(fact: Fact, observations: list[Observation]) -> Resolved:
    """Resolve a map key by key. A whole map states each of its keys; None states that there is none."""
    by_key: dict[str, list[Observation]] = {}
    whole: list[Observation] = []
    for observation in observations:
        if observation.key:
            by_key.setdefault(observation.key, []).append(observation)
            continue
        whole.append(observation)
        if isinstance(observation.value, dict):
            for key, value in observation.value.items():
                part = Observation(
                    fact=observation.fact,
                    key=key,
                    value=value,
                    origin=observation.origin,
                    locations=observation.locations,
                    confidence=observation.confidence,
                    basis=observation.basis,
                    order=observation.order,
                    rank=observation.rank,
                    hop=observation.hop,
                    because=observation.because,
                )
                by_key.setdefault(key, []).append(part)
    entries = {key: _winner(fact, found, key) for key, found in sorted(by_key.items())}
    best = _winner(fact, whole) if whole else None
    known: dict[str, Value] = {
        key: entry.value for key, entry in entries.items() if entry.state in ("known", "redacted")
    }
    if best is not None and not entries:
        return best
    if best is not None and best.state == "unknown":
        reason, observe_with, missing = best.reason, best.observe_with, best.missing
    else:
        reason, observe_with, missing = "", "", False
    locations = tuple(dict.fromkeys(at for entry in entries.values() for at in entry.locations))
    first = min(entries.values(), key=lambda entry: _RANK[entry.origin]) if entries else None
    return Resolved(
        fact=fact.key,
        state="known",
        value=known,
        origin=first.origin if first else "explicit",
        basis=first.basis if first else "asked",
        locations=locations,
        entries=entries,
        whole=best is not None and best.state != "unknown",
        reason=reason,
        observe_with=observe_with,
        missing=missing,
    )


def _combine_hops(fact: Fact, observations: list[Observation]) -> Resolved:
    """The smallest value over the hops between client and engine; each hop first resolves by precedence."""
    by_hop: dict[str, list[Observation]] = {}
    for observation in observations:
        by_hop.setdefault(observation.hop, []).append(observation)
    per_hop = {hop: _winner(fact, found) for hop, found in sorted(by_hop.items())}
    limits = [(hop, r) for hop, r in per_hop.items() if r.state == "known"]
    unknown = [(hop, r) for hop, r in per_hop.items() if r.state == "unknown"]
    hops = tuple(
        Hop(name=hop, value=r.value, origin=r.origin, locations=r.locations)
        for hop, r in per_hop.items()
        if hop and r.state != "unknown"
    )
    if not limits:
        base = unknown[0][1] if unknown else next(iter(per_hop.values()))
        return _with_hops(base, hops, base.confidence, base.because)
    hop, smallest = min(limits, key=lambda pair: (_magnitude(pair[1].value), pair[0]))
    because = smallest.because + ((f"smallest of {len(limits)} hops: {hop}",) if hop and len(limits) > 1 else ())
    confidence = smallest.confidence
    if unknown:
        confidence = max(confidence, "likely", key=_CONFIDENCE.__getitem__)
        because += tuple(
            f"at most this: the value at {name or 'another hop'} is not known ({r.reason})" for name, r in unknown
        )
    return _with_hops(smallest, hops, confidence, because)


def _with_hops(base: Resolved, hops: tuple[Hop, ...], confidence: Confidence, because: tuple[str, ...]) -> Resolved:
    return msgspec.structs.replace(base, hops=hops, confidence=confidence, because=because)


def _magnitude(value: Value) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("inf")


def _combine_all(fact: Fact, observations: list[Observation]) -> Resolved:
    """The union of what every source of the best origin states."""
    best = _winner(fact, observations)
    if best.state != "known" or not isinstance(best.value, list):
        return best
    top = min(_rank(o) for o in observations)
    together = [o for o in sorted(observations, key=_precedence) if _rank(o) == top and isinstance(o.value, list)]
    merged: list[Value] = []
    for observation in together:
        assert isinstance(observation.value, list)
        merged.extend(item for item in observation.value if item not in merged)
    locations = tuple(dict.fromkeys(at for o in together for at in o.locations))
    return msgspec.structs.replace(best, value=fact.type.parse(merged), locations=locations)
