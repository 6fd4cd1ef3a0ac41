"""The digests of the weights, where they were asked for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation, Unknown


class _Weights(msgspec.Struct, frozen=True):
    digest: str
    files: dict[str, str]
    broken: dict[str, str]
    parts: dict[str, str] = {}


def of_weights(text: SourceText) -> Iterator[Observation]:
    """The digest of all weights and those of the files. Where one file could not be read there is no digest of all."""
    try:
        weights = msgspec.json.decode(text.text, type=_Weights)
    except msgspec.DecodeError:
        return
    folder = text.source.rpartition("#")[0]
    place = Location(folder)
    because = ("the contents of the tensors, read and hashed",)
    whole: Value | Unknown = weights.digest
    if weights.broken:
        name, reason = next(iter(sorted(weights.broken.items())))
        whole = Unknown(f"{name}: {reason}")
    parts = tuple(f"{name} → {digest}" for name, digest in sorted(weights.parts.items()))
    yield observed("model.weights.digest", whole, place, origin="measured", basis="seen", because=(*because, *parts))
    for name, digest in sorted((weights.files | weights.broken).items()):
        value: Value | Unknown = Unknown(digest) if name in weights.broken else digest
        at = Location(folder + name)
        yield observed("model.weights.files", value, at, origin="measured", basis="seen", key=name, because=because)
