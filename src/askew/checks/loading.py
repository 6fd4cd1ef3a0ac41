"""How long an engine takes to load a model, counted from below, by what the sources tell of the weights."""

from __future__ import annotations

import re

from askew.checks.interface import Subject
from askew.checks.reading import number

_START, _FAST = 30, 2e9
_FIRST_START, _DOWNLOAD = 60, 250e6
# Volumes that outlive the container's node, or at least the container.
_KEPT = frozenset(("emptyDir", "configMap", "secret", "downwardAPI", "projected"))
_PARAMETERS = r"(?<![a-z0-9.])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,2})?)b(?![a-z])"
# Bytes per parameter by words in the model's name; 16 bits otherwise.
_WIDTHS = ((r"awq|gptq|int4|4bit|w4a16|bnb|nvfp4|mxfp4|fp4|q4", 0.6), (r"fp8|int8|8bit|w8a8|q8", 1.1))


def at_least(size: float) -> float:
    """Seconds until an engine answers: imports, profiling and graph capture, and the weights at 2 GB/s."""
    return _START + size / _FAST


def downloaded(size: float) -> float:
    """Seconds until an engine answers on a first start that fetches the weights at 250 MB/s."""
    return _FIRST_START + size / _DOWNLOAD


def weights(subject: Subject) -> tuple[float, bool]:
    """Bytes of the weights, and whether a source states them; by the parameters in the model's name otherwise."""
    stated = number(subject, "model.weights.bytes")
    if stated:
        return float(stated), True
    model = subject.known("model.id")
    return weights_of(str(model.value) if model is not None and model.value else ""), False


def weights_of(name: str) -> float:
    """Bytes of the weights by the parameters and the precision in a model's name; zero where it tells none."""
    lower = name.lower()
    match = re.search(_PARAMETERS, lower)
    if match is None:
        return 0.0
    width = next((width for words, width in _WIDTHS if re.search(words, lower)), 2.0)
    # The experts of a mixture share their attention layers: an 8x7B model has 47, not 56.
    experts = int(match[1]) * 0.8 if match[1] else 1
    return experts * float(match[2]) * 1e9 * width


def downloads(subject: Subject) -> bool:
    """Whether the weights come over the network into a place that a new pod does not have."""
    source, volumes = subject.known("model.source"), subject.known("orchestration.volumes")
    if source is None or not str(source.value).startswith("hf://") or volumes is None:
        return False
    mounted = volumes.value.values() if isinstance(volumes.value, dict) else ()
    return all(isinstance(volume, dict) and volume.get("type") in _KEPT for volume in mounted)
