"""The Open Inference Protocol, which several servers speak: who they are, what models they have, what these take.

Source: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md and, of the
index of models, https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from askew.engines.live import Answers, Ask
from askew.engines.reported import MOST_MODELS, path, reported, root, texts
from askew.evidence.document import Node
from askew.facts.types import Value
from askew.facts.values.signature import protocol_type
from askew.resolve.observation import Observation

SERVER = "/v2"
INDEX = Ask("/v2/repository/index", "{}", "which models it serves stays unknown")
_MOST_TENSORS = 1_000


def server(answers: Answers) -> str:
    """What the server calls itself; empty where it does not speak the protocol."""
    said = root(answers, SERVER)
    name = said["name"].value
    return name if isinstance(name, str) and said["extensions"].is_sequence else ""


def ready(answers: Answers) -> list[str]:
    """The models of the index that are loaded: it names all of the repository, others without a state."""
    found = root(answers, INDEX.name).each()
    return texts(one["name"] for one in found if one["state"].value == "READY" and path(str(one["name"].value)))


def model(name: str) -> str:
    """The path of a model's metadata."""
    return path("v2", "models", name)


def models(names: Sequence[str]) -> tuple[Ask, ...]:
    """The questions for the metadata of models."""
    return tuple(Ask(model(name)) for name in names[:MOST_MODELS])


def described(answers: Answers, names: Sequence[str]) -> Iterator[Observation]:
    """Names of models and, where there is one alone, what it takes and gives."""
    if len(names) != 1:
        return
    top = root(answers, model(names[0]))
    sides: dict[str, Value] = {side: _tensors(top[side]) for side in ("inputs", "outputs")}
    if any(sides.values()):  # servers that do not know say two empty lists
        yield from reported("model.signature", top["inputs"], sides)


def _tensors(node: Node) -> Value:
    return [
        {
            "name": one["name"].text() or "",
            "shape": [size.integer() for size in list(one["shape"].each())[:100]],
            "type": protocol_type(one["datatype"].text() or ""),
        }
        for one in list(node.each())[:_MOST_TENSORS]
    ]
