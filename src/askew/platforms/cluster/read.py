"""Live objects to workloads: those that somebody made, not the ones that a controller made for them."""

from __future__ import annotations

from collections.abc import Sequence

from askew.evidence.document import Document
from askew.platforms.interface import PlatformReading, SourceText
from askew.platforms.kubernetes.read import read as read_objects


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """The workloads among live objects. Pure, and never raises for what the objects hold."""
    known = {_identity(document) for document in documents}
    own = [document for document in documents if not _made_by(document) & known]
    return PlatformReading(workloads=read_objects(own).workloads)


def _identity(document: Document) -> tuple[str, str, str]:
    root = document.root
    metadata = root["metadata"]
    return str(root["kind"].value), str(metadata["namespace"].value), str(metadata["name"].value)


def _made_by(document: Document) -> set[tuple[str, str, str]]:
    metadata = document.root["metadata"]
    namespace = str(metadata["namespace"].value)
    return {
        (str(owner["kind"].value), namespace, str(owner["name"].value))
        for owner in metadata["ownerReferences"].each()
        if owner["controller"].value is True
    }
