"""What a model takes and gives, and the libraries that wrote it, as files of graphs and of trees state them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation


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
    """Signature, packages and format."""
    for text in texts:
        try:
            graph = msgspec.json.decode(text.text, type=_Graph)
        except msgspec.DecodeError:
            continue
        place = Location(text.source.rpartition("#")[0])
        because = ("stated in the file",)
        signature: dict[str, Value] = {
            side: [port.value() for port in ports]
            for side, ports in (("inputs", graph.inputs), ("outputs", graph.outputs))
            if ports
        }
        if signature:
            yield observed("model.signature", signature, place, origin="model", basis="seen", because=because)
        for name, release in sorted(graph.packages.items()):
            fact = "model.training.packages"
            yield observed(fact, release, place, origin="model", basis="seen", key=name, because=because)
        if graph.format:
            yield observed("model.weights.format", graph.format, place, origin="model", basis="seen", because=because)
