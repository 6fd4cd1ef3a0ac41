"""The pods of one workload: what all of them run, where that is not what its template says, and in what they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from askew.app import registry
from askew.compare.compare import STATED
from askew.evidence.launch import Launch
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.resolve.images import read_image
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.workload import Container, MemberValue, Replica, Resolved, Workload

_Setting: TypeAlias = tuple[str, str]
"""A fact and its key."""

_Said: TypeAlias = Mapping[_Setting, Observation]

# What a container says of itself beside its launch and is the same in every pod of one template. Left out are volumes,
# of which admission mounts some into every pod, and when to pull, which AlwaysPullImages sets in all of them:
# https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#alwayspullimages
_OF_CONTAINER = (
    *("runtime.image", "runtime.image.tag", "orchestration.resources.", "orchestration.probe."),
    *("orchestration.prestop", "hardware.gpu.request"),
)
_IMAGE, _TAG, _DIGEST = "runtime.image", "runtime.image.tag", "runtime.image.digest"
# What is each pod's own: counters, loads, and what moves while it runs.
_OWN = (
    *("orchestration.restarts", "orchestration.last_termination", "performance."),
    *("hardware.gpu.clocks", "hardware.gpu.throttle_reasons", "hardware.gpu.xid_events", "hardware.gpu.power_limit"),
)
# Settings that differ from pod to pod by what they are; a seed that nobody set is drawn anew by each.
_OWN_KEYS = ("port", "host", "addr", "address", "rank", "seed", "ip", "url", "node-id", "instance-id", "uuid")
# Engines measure how much memory is left for the cache: pods of one kind come out a little apart.
_MEASURED = frozenset(("runtime.kv_cache.tokens", "runtime.kv_cache.bytes", "hardware.gpu.memory.bytes"))
_NEAR = 0.1
_MOST_PLACES = 8
_SHORT = 19  # characters of a digest: its algorithm and twelve digits
_WEAKER: Mapping[Confidence, int] = {"certain": 0, "likely": 1, "possible": 2}


def as_running(workload: Workload) -> tuple[Workload, Mapping[str, tuple[Resolved, ...]]]:
    """The workload with what all of its pods run in place of what its template says; and by container in what those two
    differ, the value that the template states on each."""
    if not workload.templated:
        return workload, {}
    main = [replica for replica in workload.replicas if not replica.part]
    named = _Named()
    containers: list[Container] = []
    changed: dict[str, tuple[Resolved, ...]] = {}
    for container in workload.containers:
        variants = [named.of(replica, container) for replica in main]
        others = [one for one in variants if one is not None]
        if not others or len(others) != len(variants):
            containers.append(container)
            continue
        asked, run = said(container), [said(one) for one in _distinct(others)]
        if not all(_alike(run[0], other) for other in run[1:]) or _alike(asked, run[0]):
            containers.append(container)
            continue
        first = others[0]
        changed[container.name] = tuple(_overruled(asked, run[0], container, main))
        better = {one.fact for one in first.observations if _of_container(one.fact)}
        containers.append(
            msgspec.structs.replace(
                container,
                launch=first.launch,
                processes=first.processes,
                observations=(
                    *(one for one in container.observations if one.fact not in better),
                    *(one for one in first.observations if one.fact in better),
                ),
            )
        )
    return msgspec.structs.replace(workload, containers=tuple(containers)), changed


def apart(workload: Workload, container: Container | None) -> tuple[Resolved, ...]:
    """The facts in which the pods of a workload differ from one another, each with the value of every pod."""
    found: list[Resolved] = []
    for part in sorted({replica.part for replica in workload.replicas}):
        group = [replica for replica in workload.replicas if replica.part == part]
        if len(group) > 1:
            found.extend(_apart(group, container if not part else None))
    return tuple(found)


def differing(values: Sequence[tuple[str, Observation]]) -> Resolved | None:
    """One setting as several pods have it: None where they agree, or where it is each pod's own."""
    first = values[0][1]
    if _own(first) or all(_same(first.fact, first.key, first.value, one.value) for _, one in values[1:]):
        return None
    return _resolved(first.fact, first.key, [(name, one, None) for name, one in values])


def said(container: Container) -> _Said:
    """What somebody wrote for one container: its engine's settings; and its image, its resources and probes, which the
    API server fills with defaults in one place and in another not."""
    found: dict[_Setting, Observation] = {}
    for process in container.processes or (container.launch,):
        for one in sorted(_read(process), key=lambda one: one.order):
            if one.origin in STATED and not _own(one):
                found[one.fact, one.key] = one
    for one in container.observations:
        if _of_container(one.fact) and one.basis == "asked":
            found[one.fact, one.key] = one
    return found


def _read(process: Launch) -> tuple[Observation, ...]:
    name = registry.recognise(process)
    if name is not None:
        return registry.engine(name).read(process).observations
    from askew.engines.unrecognised import read

    return read(process).observations


def _apart(group: Sequence[Replica], container: Container | None) -> Iterator[Resolved]:
    rows: list[tuple[Replica, _Said]] = []
    template: _Said | None = None
    named = _Named()
    variants = {replica.name: named.of(replica, container) for replica in group} if container is not None else {}
    several = len({id(one) for one in variants.values()}) > 1
    read: dict[int, _Said] = {}
    for replica in group:
        row: dict[_Setting, Observation] = {}
        variant = variants.get(replica.name)
        if several and container is not None:
            if variant is None:
                template = template if template is not None else said(container)
                row.update(template)
            else:
                if id(variant) not in read:
                    read[id(variant)] = said(variant)
                row.update(read[id(variant)])
        for one in (
            *replica.seen.get("", ()),
            *(replica.seen.get(container.name, ()) if container is not None else ()),
        ):
            row[one.fact, one.key] = one
        rows.append((replica, row))
    whole = _records([row for _, row in rows])
    rows = [(replica, row) for (replica, _), row in zip(rows, whole, strict=True)]
    for setting in sorted({setting for _, row in rows for setting in row}):
        yield from _setting(setting, rows)


def _records(rows: Sequence[_Said]) -> list[_Said]:
    """The same with one value for each record (a probe, requests and limits) that not all of them have: that it is not
    there is one difference, and not one for each of its fields."""
    lacking = {
        fact
        for fact in {fact for row in rows for fact, key in row if key and FACTS[fact].type.record}
        if not all(any(name == fact and key for name, key in row) for row in rows)
    }
    if not lacking:
        return list(rows)
    found: list[_Said] = []
    for row in rows:
        whole = {setting: one for setting, one in row.items() if setting[0] not in lacking or not setting[1]}
        for fact in sorted(lacking):
            fields = {key: one for (name, key), one in row.items() if name == fact and key}
            if fields:
                value = {key: one.value for key, one in fields.items() if not isinstance(one.value, Unknown)}
                first = next(iter(fields.values()))
                whole[fact, ""] = msgspec.structs.replace(first, key="", value=value)
        found.append(whole)
    return found


def _setting(setting: _Setting, rows: Sequence[tuple[Replica, _Said]]) -> Iterator[Resolved]:
    """One fact over all pods. What is only seen, and in some of them only, is not a difference: the others may not show
    it."""
    given = [(replica, row.get(setting)) for replica, row in rows]
    known = [one for _, one in given if one is not None]
    if any(_own(one) for one in known):
        return
    if any(one.basis == "seen" for one in known):
        given = [(replica, one) for replica, one in given if one is not None and not isinstance(one.value, Unknown)]
    fact, key = setting
    if len(given) < 2 or all(_same(fact, key, _value(given[0][1]), _value(one)) for _, one in given[1:]):
        return
    yield _resolved(fact, key, [(replica.name, one, replica.location) for replica, one in given])


def _resolved(fact: str, key: str, rows: Sequence[tuple[str, Observation | None, Location | None]]) -> Resolved:
    counted: dict[str, list[str]] = {}
    places: dict[str, Location] = {}
    shows = FACTS[fact].type.of(key)
    for name, one, at in rows:
        value = _value(one)
        word = value.reason if isinstance(value, Unknown) else "not set" if value is None else shows.show(value)
        word = f"{word[:_SHORT]}…" if shows.name == "digest" else word
        counted.setdefault(word, []).append(name)
        place = _place(one, at)
        if place is not None:
            places.setdefault(word, place)
    order = sorted(counted, key=lambda word: (-len(counted[word]), word))
    reason = "its pods differ: " + "; ".join(
        f"{word} in {counted[word][0] if len(counted[word]) == 1 else f'{len(counted[word])} pods'}" for word in order
    )
    known = [one for _, one, _ in rows if one is not None]
    return Resolved(
        fact=fact,
        key=key,
        state="unknown",
        origin=known[0].origin,
        basis=known[0].basis,
        confidence=max((one.confidence for one in known), key=_WEAKER.__getitem__),
        locations=tuple(places[word] for word in order if word in places)[:_MOST_PLACES],
        reason=reason,
        observe_with=FACTS[fact].observe_with,
        values=tuple(
            MemberValue(
                member=name,
                value=None if isinstance(value := _value(one), Unknown) else value,
                location=_place(one, at),
            )
            for name, one, at in rows
        ),
    )


def _overruled(asked: _Said, run: _Said, template: Container, replicas: Sequence[Replica]) -> Iterator[Resolved]:
    """What the template says of each setting that its pods run otherwise, and where; ``values`` has both."""
    asked, run = _records((asked, run))
    for fact, key in sorted(asked.keys() | run.keys()):
        ours, theirs = asked.get((fact, key)), run.get((fact, key))
        if _same(fact, key, _value(ours), _value(theirs)):
            continue
        pods = "the pod" if len(replicas) == 1 else f"all {len(replicas)} pods"
        place = (ours.locations if ours is not None else ()) or (template.launch.location,)
        one = _resolved(fact, key, [("the template", ours, place[0]), (pods, theirs, replicas[0].location)])
        value = _value(ours)
        yield msgspec.structs.replace(
            one,
            locations=place,
            state="unknown" if isinstance(value, Unknown) else "absent" if value is None else "known",
            value=None if isinstance(value, Unknown) else value,
            reason=value.reason if isinstance(value, Unknown) else "",
        )


class _Named:
    """Containers of pods under the image's name that their template has. Pods of one template share theirs, which is
    renamed once: what is one object stays one."""

    def __init__(self) -> None:
        self._known: dict[int, Container] = {}

    def of(self, replica: Replica, template: Container) -> Container | None:
        """The container of a pod that runs otherwise than the template says."""
        own = next((one for one in replica.containers if one.name == template.name), None)
        if own is None:
            return None
        if id(own) not in self._known:
            self._known[id(own)] = _renamed(own, template)
        return self._known[id(own)]


def _renamed(own: Container, template: Container) -> Container:
    """A container under its template's image, where admission only put a digest or a mirror of the registry in the
    place of the name: the tag tells the release."""
    asked, run = read_image(template.launch.image), read_image(own.launch.image)
    if asked is None or run is None or asked.name.rpartition("/")[2] != run.name.rpartition("/")[2]:
        return own
    pinned = run.tag is None and run.digest is not None
    if not pinned and run.tag != asked.tag:
        return own
    image = template.launch.image
    named = [one for one in template.observations if one.fact in (_IMAGE, _TAG) and one.basis == "asked"]
    return msgspec.structs.replace(
        own,
        launch=msgspec.structs.replace(own.launch, image=image),
        processes=tuple(msgspec.structs.replace(one, image=image) for one in own.processes),
        observations=(*named, *(one for one in own.observations if one.fact not in (_IMAGE, _TAG))),
    )


def _distinct(containers: Iterable[Container]) -> list[Container]:
    return list({id(one): one for one in containers}.values())


def _alike(one: _Said, other: _Said) -> bool:
    return all(
        _same(*setting, _value(one.get(setting)), _value(other.get(setting))) for setting in one.keys() | other.keys()
    )


def _of_container(fact: str) -> bool:
    return fact.startswith(_OF_CONTAINER) and fact != _DIGEST


def _own(one: Observation) -> bool:
    """Whether a setting is each pod's own."""
    if one.fact.startswith(_OWN):
        return True
    if one.fact == "runtime.seed":
        return one.origin == "reported"
    words = one.key.lower().lstrip("-").replace("_", "-").rsplit("-", 1)
    return bool(one.key) and one.origin == "reported" and words[-1] in _OWN_KEYS


def _value(one: Observation | None) -> Value | Unknown:
    return None if one is None else one.value


def _same(fact: str, key: str, a: Value | Unknown, b: Value | Unknown) -> bool:
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return isinstance(a, Unknown) and isinstance(b, Unknown) and (a.text or a.reason) == (b.text or b.reason)
    if fact in _MEASURED and isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= _NEAR * max(abs(a), abs(b))
    return a == b or FACTS[fact].type.of(key).same(a, b)


def _place(one: Observation | None, at: Location | None) -> Location | None:
    """Where a value is proved. What pods of one template share was read in the first of them: for the others the pod
    itself is the place."""
    mine = one.locations[0] if one is not None and one.locations else None
    if mine is None or one is None or at is None or one.basis == "seen":
        return mine or at
    return at if " Pod " in f" {mine.object} " and mine.object != at.object else mine
