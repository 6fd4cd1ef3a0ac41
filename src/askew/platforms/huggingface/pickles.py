"""What a pickled model says of the libraries that wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation, Unknown


class _Scan(msgspec.Struct, frozen=True):
    kind: str
    releases: dict[str, list[str]]


def of_pickles(texts: Sequence[SourceText]) -> Iterator[Observation]:
    """The releases that saved the model, and whether it is code of TorchScript."""
    for text in texts:
        try:
            scan = msgspec.json.decode(text.text, type=_Scan)
        except msgspec.DecodeError:
            continue
        place = Location(text.source.rpartition("#")[0])
        because = ("stated in the pickle",)
        for library, releases in sorted(scan.releases.items()):
            value: Value | Unknown = releases[0]
            if len(releases) > 1:
                value = Unknown(f"parts of the model were saved by {' and '.join(releases)}")
            yield observed(
                "model.training.packages", value, place, origin="model", basis="seen", key=library, because=because
            )
        if scan.kind == "torchscript":
            yield observed("model.weights.format", "torchscript", place, origin="model", basis="seen")
