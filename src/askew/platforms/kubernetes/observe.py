"""From what stands in an object to observations, without ever raising on it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.catalogue import fact as fact_of
from askew.facts.types import Value
from askew.resolve.observation import Basis, Confidence, Observation, Origin, Unknown


class Entry(msgspec.Struct, frozen=True):
    """One entry of a map fact before parsing: the value as written, and where; no location means a default.

    ``because`` says how a value that is worked out of others came about; its origin is then ``derived``.
    """

    value: Value | Unknown
    location: Location | None = None
    cite: Location | None = None
    because: str = ""


def observed(
    fact: str,
    value: Value | Unknown,
    *locations: Location,
    origin: Origin = "explicit",
    confidence: Confidence = "certain",
    basis: Basis = "asked",
    key: str = "",
    hop: str = "",
    order: int = 0,
    because: tuple[str, ...] = (),
    raw: str = "",
) -> Observation:
    """An observation of ``value``, made canonical by the fact's type.

    A value that the type refuses becomes unknown, with the refusal as its reason and the text as written.
    """
    if not isinstance(value, Unknown) and value is not None:
        written = value
        kind = fact_of(fact).type.of(key)
        try:
            value = kind.parse(written)
        except ValueError as error:
            value = Unknown(str(error), text=str(written))
    return Observation(
        fact=fact,
        value=value,
        origin=origin,
        locations=locations,
        confidence=confidence,
        basis=basis,
        key=key,
        hop=hop,
        order=order,
        because=because,
        raw=raw,
    )


def observed_map(
    fact: str,
    entries: Mapping[str, Entry],
    *locations: Location,
    origin: Origin = "explicit",
    confidence: Confidence = "certain",
    because: tuple[str, ...] = (),
) -> tuple[Observation, ...]:
    """The observations of a map fact: one for each key with its own place, where the fact is compared key by key;
    else one for the whole map, at ``locations`` and then the places of its entries.

    In the whole map an entry that is unknown makes the map unknown, with its reason.
    """
    if fact_of(fact).type.keyed and entries:
        return tuple(
            observed(
                fact,
                entry.value,
                *((entry.location,) if entry.location else (entry.cite,) if entry.cite else ()),
                origin="platform-default" if not entry.location else "derived" if entry.because else origin,
                confidence=confidence,
                key=key,
                because=(*because, entry.because) if entry.because else because,
            )
            for key, entry in entries.items()
        )
    places = tuple(dict.fromkeys((*locations, *(entry.location for entry in entries.values() if entry.location))))
    unknown = next((entry.value for entry in entries.values() if isinstance(entry.value, Unknown)), None)
    value: Value | Unknown = unknown or {
        key: entry.value for key, entry in entries.items() if not isinstance(entry.value, Unknown)
    }
    return (observed(fact, value, *places, origin=origin, confidence=confidence, because=because),)


def text_of(node: Node) -> str:
    """The text of a scalar as the source spells it; empty for null, a missing node and anything that is no scalar."""
    return node.text() or ""


def truth_of(node: Node, default: bool = False) -> bool:
    """A boolean field; anything that is none counts as the default."""
    value = node.value
    return value if isinstance(value, bool) else default


def whole_of(node: Node, default: int) -> tuple[int, Location | None]:
    """A whole-number field and its place; the default and no place when it is absent or no whole number."""
    value = node.integer()
    return (default, None) if value is None else (value, node.location)


def scalar(value: object) -> Value:
    """Plain JSON data out of a node's value (mappings and lists copied)."""
    if isinstance(value, Mapping):
        return {str(key): scalar(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [scalar(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
