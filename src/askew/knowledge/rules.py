"""Facts that follow from other facts by what the world knows, whatever the engine."""

from __future__ import annotations

from collections.abc import Mapping

from askew.facts.types import Value
from askew.resolve.observation import Unknown
from askew.resolve.rule import Rule


def _memory(facts: Mapping[str, Value]) -> Value | Unknown:
    from askew.knowledge.gpus import info

    models = facts["hardware.gpu.model"]
    if not isinstance(models, list) or not models:
        return Unknown("no GPU model is known")
    found = info(str(models[0]))
    return (
        found.memory_bytes if found.memory_bytes else Unknown(f"the memory of {models[0]} is not in the GPU catalogue")
    )


def _vendor(facts: Mapping[str, Value]) -> Value | Unknown:
    from askew.knowledge.gpus import info

    models = facts["hardware.gpu.model"]
    if not isinstance(models, list) or not models:
        return Unknown("no GPU model is known")
    return info(str(models[0])).vendor


RULES: tuple[Rule, ...] = (
    Rule(
        fact="hardware.gpu.memory.bytes",
        needs=("hardware.gpu.model",),
        compute=_memory,
        because="from the GPU catalogue",
        origin="catalogue",
    ),
    Rule(
        fact="hardware.gpu.vendor",
        needs=("hardware.gpu.model",),
        compute=_vendor,
        because="from the GPU catalogue",
        origin="catalogue",
    ),
)
