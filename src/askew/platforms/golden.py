"""Files of ``askew golden``: what a model gave for fixed inputs, as a fact."""

from __future__ import annotations

from collections.abc import Sequence

from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.interface import PlatformReading
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Unknown
from askew.resolve.workload import Workload

KIND = "GoldenOutputs"


def read(documents: Sequence[Document]) -> PlatformReading:
    """One description of a model for each file."""
    return PlatformReading(workloads=tuple(_workload(document) for document in documents))


def _workload(document: Document) -> Workload:
    root = document.root
    digest = root["digest"]
    value: Value | Unknown = digest.text() or Unknown("not every input had a result when it was verified")
    count = len(root["cases"].value) if isinstance(root["cases"].value, list) else 0
    told = f"{count} inputs to {root['url'].text()}" if count else f"verified at {root['url'].text()}"
    left = root["reason"].text()
    because = (told, left) if left else (told,)
    return Workload(
        namespace="files",
        kind=KIND,
        name=root["model"].text() or "model",
        source=document.source,
        location=Location(document.source, line=1, column=1),
        observations=(
            observed("model.golden_outputs", value, digest.location, origin="measured", basis="seen", because=because),
        ),
    )
