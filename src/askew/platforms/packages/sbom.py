"""Software bills of materials: SPDX 2 and 3 and CycloneDX as JSON, Syft's own JSON, ``pip inspect``, ``pip list``.

Only packages of Python count, told by their package URL (``pkg:pypi/…``, ``pkg:conda/…``), and the interpreter.
Sources: https://spdx.github.io/spdx-spec/v2.3/package-information/, https://cyclonedx.org/docs/1.6/json/,
https://github.com/package-url/purl-spec and https://pip.pypa.io/en/stable/reference/inspect-report/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.evidence.document import Node
from askew.platforms.packages.pin import LOOK, Pin
from askew.resolve.observation import Unknown

_PURL = re.compile(r"pkg:(pypi|conda)/(?:[^@?#]{1,200}/)?([^/@?#]{1,200})(?:@([^?#]{1,200}))?", re.IGNORECASE)
_PYTHON = re.compile(r"pkg:generic/(?:[^@?#]{1,200}/)?python(?:3(?:\.\d+)?)?@([^?#]{1,100})", re.IGNORECASE)
_MOST = 500_000  # components of one image; large ones have ten thousand


def form(root: Node) -> str:
    """Which of these a JSON document is; empty for none."""
    if root["bomFormat"].text() == "CycloneDX":
        return "cyclonedx"
    if isinstance(root["spdxVersion"].value, str) and root["packages"].is_sequence:
        return "spdx"
    if root["@context"].exists and root["@graph"].is_sequence and "spdx" in str(root["@context"].value)[:500]:
        return "spdx3"
    if root["artifacts"].is_sequence and root["descriptor"].is_mapping:
        return "syft"
    if root["installed"].is_sequence and root["pip_version"].exists:
        return "pip-inspect"
    first = root[0] if root.is_sequence else None
    if first is not None and isinstance(first["name"].value, str) and isinstance(first["version"].value, str):
        return "list"
    return ""


def of_sbom(root: Node, kind: str) -> Iterator[Pin]:
    """The packages of a document of this form, each once as it is listed."""
    if kind == "cyclonedx":
        yield from _components(root)
    elif kind == "spdx":
        for entry in list(root["packages"].each())[:_MOST]:
            purls = [ref["referenceLocator"] for ref in entry["externalRefs"].each()]
            yield from _of_purls(purls, entry["versionInfo"])
    elif kind == "spdx3":
        for entry in list(root["@graph"].each())[:_MOST]:
            purl = next((node for key, node in entry.items() if key.endswith("packageUrl")), None)
            version = next((node for key, node in entry.items() if key.endswith("packageVersion")), entry["version"])
            others = [one["identifier"] for one in entry["externalIdentifier"].each()]
            yield from _of_purls([purl, *others] if purl is not None else others, version)
    elif kind == "syft":
        for entry in list(root["artifacts"].each())[:_MOST]:
            yield from _of_purls([entry["purl"]], entry["version"])
    elif kind == "pip-inspect":
        for entry in list(root["installed"].each())[:_MOST]:
            yield _pin(entry["metadata"]["name"], entry["metadata"]["version"])
        python = root["environment"]["python_full_version"]
        if python.text():
            yield Pin("python", python.text() or "", python.location)
    elif kind == "list":
        for entry in list(root.each())[:_MOST]:
            if isinstance(entry["name"].value, str):
                yield _pin(entry["name"], entry["version"])


def _components(root: Node) -> Iterator[Pin]:
    """Components, and those inside of them, without recursion."""
    pending = [root["components"]]
    seen = 0
    while pending and seen < _MOST:
        for entry in pending.pop().each():
            seen += 1
            yield from _of_purls([entry["purl"]], entry["version"])
            if entry["components"].is_sequence:
                pending.append(entry["components"])


def _of_purls(purls: list[Node], version: Node) -> Iterator[Pin]:
    for node in purls[:50]:
        text = node.text() or ""
        match = _PURL.match(text)
        if match is not None:
            known = version.text() or (match[3] or "").replace("%2B", "+").replace("%2b", "+")
            place = version.location if version.text() else node.location
            yield Pin(match[2], known or Unknown("the list gives no version", LOOK), place)
            return
        python = _PYTHON.match(text)
        if python is not None:
            yield Pin("python", python[1], node.location)
            return


def _pin(name: Node, version: Node) -> Pin:
    known = version.text()
    return Pin(name.text() or "", known or Unknown("the list gives no version", LOOK), version.location)
