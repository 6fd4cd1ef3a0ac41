"""A list of packages to a workload: what is installed where the model is served.

What a list says of the training side comes by ``platforms.training``, which reads the same lists.
"""

from __future__ import annotations

import os.path
from collections.abc import Sequence

from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.platforms.packages import locks, requirements, sbom
from askew.platforms.packages.pin import Pin, states
from askew.resolve.observation import Basis, Origin
from askew.resolve.workload import Workload

KIND = "PackageList"
FACT = "runtime.packages"
EXPECTED = (
    "expected a list of packages: pip freeze, requirements.txt, uv.lock, poetry.lock, conda.yaml, SPDX or CycloneDX "
    "as JSON"
)


def form(document: Document) -> str:
    """Which list of packages a document is; empty for none."""
    root = document.root
    if (kind := sbom.form(root)) != "":
        return kind
    if root["kind"].exists or root["apiVersion"].exists:
        return ""
    if root["package"].is_sequence and root["metadata"].is_mapping and root["version"].exists:
        return "conda-lock"
    if root["_meta"].is_mapping and root["default"].is_mapping:
        return "pipfile"
    entries = list(root["dependencies"].each())[:2000]
    if entries and all(isinstance(one.value, str) or one["pip"].is_sequence for one in entries):
        return "conda" if root["channels"].is_sequence or isinstance(root["name"].value, str) else ""
    return ""


def shows_what_is_installed(document: Document) -> bool:
    """Whether a document tells by its shape alone what an image holds, and is no order of what to install."""
    return form(document) in ("cyclonedx", "spdx", "spdx3", "syft", "pip-inspect")


def pins(document: Document) -> tuple[Pin, ...]:
    """What a document lists; nothing where it is no list."""
    kind = form(document)
    if kind == "conda":
        return tuple(requirements.of_conda(document.root))
    if kind == "conda-lock":
        return tuple(locks.of_conda_lock(document.root))
    if kind == "pipfile":
        return tuple(locks.of_pipfile(document.root))
    return tuple(sbom.of_sbom(document.root, kind)) if kind else ()


def pins_of_text(text: SourceText) -> tuple[Pin, ...]:
    """What a text lists. Raises LockError for a lock that is broken."""
    if locks.is_toml(text.text):
        return tuple(locks.of_toml(text.text, text.source))
    return tuple(requirements.of_text(text.text, text.source))


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """One workload for each list."""
    workloads: list[Workload] = []
    unread: list[Unread] = []
    for document in documents:
        kind = form(document)
        seen = kind in ("cyclonedx", "spdx", "spdx3", "syft", "pip-inspect", "list")
        found = pins(document)
        if found:
            workloads.append(_workload(document.source, found, "reported" if seen else "declared", seen))
        else:
            unread.append(Unread(document.root.location, _none(kind)))
    for text in texts:
        place = Location(text.source, line=1, column=1)
        try:
            found = pins_of_text(text)
        except locks.LockError as error:
            unread.append(Unread(Location(text.source, line=error.line or 1, column=1), str(error)))
            continue
        if found:
            workloads.append(_workload(text.source, found, "declared", seen=False))
        else:
            unread.append(Unread(place, _none("")))
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def _none(kind: str) -> str:
    return "this list names no package of Python" if kind else EXPECTED


def _workload(source: str, found: Sequence[Pin], origin: Origin, seen: bool) -> Workload:
    basis: Basis = "seen" if seen else "asked"
    return Workload(
        namespace="files",
        kind=KIND,
        name=os.path.basename(source),
        source=source,
        location=Location(source, line=1, column=1),
        observations=states(FACT, found, origin=origin, basis=basis),
    )
