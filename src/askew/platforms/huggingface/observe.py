"""Observations of a model's own files."""

from __future__ import annotations

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Confidence, Observation


def seen(
    fact: str, value: Value, place: Location, because: tuple[str, ...] = (), confidence: Confidence = "certain"
) -> Observation:
    """What the files show, and nobody wrote down as a setting."""
    return observed(fact, value, place, origin="model", basis="seen", because=because, confidence=confidence)
