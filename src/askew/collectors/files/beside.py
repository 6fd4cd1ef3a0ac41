"""Which files belong to a file: what compose files and units name beside themselves, what kustomizations patch.

Nothing is interpreted here beyond names of files.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable

from askew.collectors.interface import Text
from askew.collectors.reading import is_compose
from askew.evidence.document import Document, Node

_UNIT_FILES = re.compile(r"^\s*(?:EnvironmentFile|Pod|Image)\s*=\s*-?(.+?)\s*$", re.MULTILINE)
_EXTENDS = re.compile(r"^\s*(?:file|env_file|path)\s*:\s*['\"]?([^\s'\"#]+)", re.MULTILINE)
# What makes the built objects differ from the files (kubectl.docs.kubernetes.io/references/kustomize/kustomization/).
_TRANSFORMS = (
    "patches", "patchesStrategicMerge", "patchesJson6902", "images", "replicas", "configMapGenerator",
    "secretGenerator", "components", "replacements", "vars", "helmCharts", "helmChartInflationGenerator",
    "transformers", "generators",
)  # fmt: skip


def references(source: str, documents: Iterable[Document], texts: Iterable[Text]) -> list[str]:
    """Names of the files that a compose file (``.env`` too) or a unit refers to, relative to its folder."""
    found: list[str] = []
    for document in documents:
        if not is_compose(document):
            continue
        found.append(".env")
        for entry in _listed(document.root["include"]):
            found += _paths(entry) + _paths(entry["path"])
        for _, service in document.root["services"].items():
            found += _paths(service["extends"]["file"])
            for entry in _listed(service["env_file"]):
                found += _paths(entry) + _paths(entry["path"])
    for text in texts:
        if text.source.endswith((".yaml", ".yml")):
            found += _EXTENDS.findall(text.text)
        elif text.source.endswith((".service", ".container", ".pod", ".kube", ".conf")):
            found += [os.path.basename(name) for name in _UNIT_FILES.findall(text.text)]
    return [name for name in found if name and "$" not in name]


def charts_and_patches(document: Document, source: str, patches: set[str], notes: list[str]) -> None:
    """Note a kustomization that changes its resources, and which files it takes as patches: they are no objects."""
    root = document.root
    if any(root[key] for key in _TRANSFORMS):
        folder = os.path.dirname(source) or "."
        notes.append(
            f"{folder} is a kustomization that changes its resources: kustomize:{folder} shows what is applied"
        )
    names: list[str] = []
    for entry in root["patches"].each():
        names += _paths(entry["path"])
    for entry in root["patchesStrategicMerge"].each():
        names += _paths(entry)
    for entry in root["patchesJson6902"].each():
        names += _paths(entry["path"])
    patches.update(os.path.normpath(os.path.join(os.path.dirname(source), name)) for name in names if "\n" not in name)


def _listed(node: Node) -> list[Node]:
    return list(node.each()) if node.is_sequence else [node]


def _paths(node: Node) -> list[str]:
    return [node.value] if isinstance(node.value, str) else [n.value for n in node.each() if isinstance(n.value, str)]
