"""How long something has been so, by what the objects themselves tell of the time: reading them asks no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from askew.platforms.kubernetes.objects import Objects

# What objects of the API write themselves; what a user may have written tells nothing of now.
_OF_CONDITIONS = ("lastTransitionTime", "lastHeartbeatTime", "lastUpdateTime", "lastProbeTime")
_OF_EVENTS = ("lastTimestamp", "eventTime")


def is_recent(since: str, objects: Objects, within: timedelta) -> bool:
    """Whether no object shows a time that lies further behind ``since`` than this. False where ``since`` is no time."""
    began, now = _time(since), objects.once("latest time", _latest)
    return began is not None and now is not None and now - began < within


def _latest(objects: Objects) -> datetime | None:
    times = (_time(text) for one in objects for text in _shown(one.node.value))
    return max((at for at in times if at is not None), default=None)


def _shown(whole: object) -> Iterator[object]:
    one = _mapping(whole)
    metadata, status = _mapping(one.get("metadata")), _mapping(one.get("status"))
    yield metadata.get("creationTimestamp")
    yield from (_mapping(entry).get("time") for entry in _each(metadata.get("managedFields")))
    yield from (one.get(name) for name in _OF_EVENTS)
    for condition in _each(status.get("conditions")):
        yield from (_mapping(condition).get(name) for name in _OF_CONDITIONS)


def _time(text: object) -> datetime | None:
    """A time with its zone, as the API server writes it."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _each(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()
