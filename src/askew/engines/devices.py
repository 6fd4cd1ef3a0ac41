"""What the GPU of a workload can do, for rules of engines that decide by it."""

from __future__ import annotations

from collections.abc import Mapping

from askew.facts.types import Value

CAPABILITY, MODEL = "hardware.gpu.compute_capability", "hardware.gpu.model"
# What a rule must name in ``uses`` to ask for the capability.
USES = (CAPABILITY, MODEL)


def capability(known: Mapping[str, Value]) -> float | None:
    """The CUDA compute capability: seen, else that of the GPU's model; None where neither is known.

    A rule is evaluated for each GPU that the workload may land on, so that one model is asked for here.
    """
    found = known.get(CAPABILITY)
    models = known.get(MODEL)
    if found is None and isinstance(models, list) and len(models) == 1 and isinstance(models[0], str):
        from askew.knowledge.gpus import info

        found = info(models[0]).compute_capability
    try:
        return float(str(found)) if found is not None else None
    except ValueError:
        return None
