"""Live objects to workloads: those that somebody made, not the ones that a controller made for them."""

from __future__ import annotations

from collections.abc import Sequence

from askew.evidence.document import Document
from askew.platforms.interface import PlatformReading, SourceText
from askew.platforms.kubernetes.read import read as read_objects


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """The workloads among live objects. Pure, and never raises for what the objects hold."""
    return PlatformReading(workloads=read_objects(documents).workloads)
