"""What a model takes and gives, and the libraries that wrote it, as files of graphs and of trees state them."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation, Unknown


class _Port(msgspec.Struct, frozen=True):
    name: str
    type: str = ""
    shape: list[int] | None = None

    def value(self) -> dict[str, Value]:
        """As the signature has it; what the file does not state is left out."""
        found: dict[str, Value] = {"name": self.name}
        if self.type:
            found["type"] = self.type
        if self.shape is not None:
            found["shape"] = [*self.shape]
        return found


class _Graph(msgspec.Struct, frozen=True):
    format: str
    inputs: list[_Port]
    outputs: list[_Port]
    packages: dict[str, str]


def of_graphs(texts: Sequence[SourceText]) -> Iterator[Observation]:
    """Signature, packages and format. Where several files of one directory disagree it is for the engine to choose
    between them, and unknown here."""
    found: dict[tuple[str, str], dict[str, Value]] = {}
    for text in texts:
        try:
            graph = msgspec.json.decode(text.text, type=_Graph)
        except msgspec.DecodeError:
            continue
        file = text.source.rpartition("#")[0]
        signature: dict[str, Value] = {
            side: [port.value() for port in ports]
            for side, ports in (("inputs", graph.inputs), ("outputs", graph.outputs))
            if ports
        }
        if signature:
            found.setdefault(("model.signature", ""), {})[file] = signature
        for name, release in sorted(graph.packages.items()):
            found.setdefault(("model.training.packages", name), {})[file] = release
        if graph.format:
            found.setdefault(("model.weights.format", ""), {})[file] = graph.format
    for (fact, key), values in found.items():
        first, *others = values.values()
        value: Value | Unknown = first
        if any(other != first for other in others):
            names = ", ".join(sorted(os.path.basename(file) for file in values)[:4])
            value = Unknown(f"several graphs lie here and disagree: {names}", "point at the file that is served")
        places = (Location(file) for file in sorted(values))
        because = ("stated in the file",)
        yield observed(fact, value, *places, origin="model", basis="seen", key=key, because=because)
