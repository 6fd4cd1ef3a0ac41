"""Literal defaults of a release, as observations: what its source writes where nobody writes anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from askew.engines import versions
from askew.engines.flags import Flag
from askew.engines.versions import VersionsError
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown


def literals(
    engine: str, title: str, version: str | None, flags: Iterable[Flag], *, leave: Collection[str] = ()
) -> tuple[Observation, ...]:
    """The default of each flag that states one fact, from the release's data: of a release that this build does not
    have from the nearest one, as *likely* and said; where the release is not known, what never changed.

    ``leave`` are facts whose default is decided at start, whatever the source writes. A flag whose default is computed
    or none says nothing here. Raises VersionsError for data that the fact's type does not read.
    """
    near = versions.nearest(engine, version)
    stable = versions.stable(engine) if near is None else None
    found: list[Observation] = []
    for flag in flags:
        if not flag.fact or flag.fact in leave:
            continue
        name = next((one for one in flag.names if stable is not None and one in stable.defaults), flag.names[0])
        confidence: Confidence = "certain"
        because: tuple[str, ...] = ()
        if near is not None:
            release, exact = near
            # Which of its names a release puts first changes.
            named = (release.arguments.get(one) or release.variables.get(one) for one in (*flag.names, flag.env))
            entry = next((one for one in named if one is not None), None)
            if (
                entry is None
                or entry.kind == "rule"
                or not versions.has(flag.since, flag.until, release.version, (release.version,))
            ):
                continue
            value, where = entry.value, release.where(entry)
            if not exact:
                confidence = "likely"
                because = (f"{title} {version} is not in this build; {release.version}, the nearest, does so",)
        elif stable is not None and name in stable.defaults and not flag.since and not flag.until:
            value, where = stable.defaults[name], stable.where
        else:
            continue
        if value is not None:
            found.append(_observation(flag, value, where, confidence, because))
    return tuple(found)


def engine_default(
    fact: str,
    key: str,
    value: Value | Unknown,
    where: Location,
    confidence: Confidence = "certain",
    because: tuple[str, ...] = (),
) -> Observation:
    """What a release does where nothing is set, with the place in its source."""
    return Observation(
        fact=fact, key=key, value=value, origin="engine-default", locations=(where,), confidence=confidence,
        because=because,
    )  # fmt: skip


def _observation(
    flag: Flag, value: Value, where: Location, confidence: Confidence, because: tuple[str, ...]
) -> Observation:
    return Observation(
        fact=flag.fact, key=flag.key, value=_canonical(flag, value), origin="engine-default", locations=(where,),
        confidence=confidence, because=because,
    )  # fmt: skip


def _canonical(flag: Flag, value: Value) -> Value:
    from askew.facts.catalogue import fact

    if value is None:
        return None
    if flag.takes in ("switch", "toggle", "optional") and isinstance(value, bool):
        raw: Value = flag.implies if value else (not flag.implies if isinstance(flag.implies, bool) else None)
    elif flag.read is not None:
        raw = flag.read((str(value),) if not isinstance(value, list) else tuple(str(one) for one in value))
    else:
        raw = value
    if raw is None:
        return None
    try:
        parsed = fact(flag.fact).type.parse({flag.key: raw} if flag.key else raw)
    except ValueError as error:
        raise VersionsError(f"the default {value!r} of {flag.names[0]} is no {flag.fact}: {error}") from error
    return parsed[flag.key] if flag.key and isinstance(parsed, dict) else parsed
