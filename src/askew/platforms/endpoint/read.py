"""What an endpoint answered to a workload that tells it.

What the answers mean is for the engine to say that gave them (``engines/<name>/endpoints.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.evidence.told import Kind, Told
from askew.platforms.interface import PlatformReading, SourceText
from askew.resolve.workload import Workload

KIND = "Endpoint"
ASKED = "#asked"  # how the name of the list of questions ends; before it stands the endpoint
METRICS = "/metrics"


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """One workload for each endpoint, named as its host and port are."""
    addresses = [text.source.removesuffix(ASKED) for text in texts if text.source.endswith(ASKED)]
    return PlatformReading(workloads=tuple(_workload(one, documents, texts) for one in dict.fromkeys(addresses)))


def _workload(address: str, documents: Sequence[Document], texts: Sequence[SourceText]) -> Workload:
    told = [
        Told(kind="answer", name=document.source[len(address) :], source=document.source, document=document)
        for document in documents
        if document.source.startswith(f"{address}/")
    ]
    for text in texts:
        name = text.source[len(address) :]
        if text.source.startswith(f"{address}/"):
            kind: Kind = "metrics" if name.endswith(METRICS) else "answer"
            told.append(Told(kind=kind, name=name, source=text.source, text=text.text))
    scheme, _, rest = address.partition("://")
    return Workload(
        namespace=scheme,
        kind=KIND,
        name=rest,
        source=address,
        location=Location(address),
        told=tuple(told),
    )
