"""``generation_config.json``: how the model's author samples, and where an answer ends.

Source: ``GenerationConfig`` of transformers, https://huggingface.co/docs/transformers/main_classes/text_generation
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.evidence.document import Node
from askew.facts.types import Value
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, scalar
from askew.resolve.observation import Observation

# What engines take as defaults of a request: the parameters of sampling, and the longest answer.
SAMPLING = (
    "temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "max_new_tokens",
)  # fmt: skip


def of_generation(root: Node) -> Iterator[Observation]:
    """The facts that the file states."""
    entries = {
        name: Entry(scalar(root[name].value), root[name].location)
        for name in SAMPLING
        if root[name].exists and root[name].value is not None
    }
    fact = "model.generation.sampling_defaults"
    if entries:
        yield from observed_map(fact, entries, root.location, origin="model")
    else:
        yield observed(fact, {}, root.location, origin="model")
    end = root["eos_token_id"]
    ids: list[Value] = [
        one.integer() for one in (end.each() if end.is_sequence else (end,)) if one.integer() is not None
    ]
    if ids:
        yield observed("model.generation.eos_token_ids", ids, end.location, origin="model")
