"""Which files belong to a file: what compose files and units name beside themselves, what kustomizations patch.

Nothing is interpreted here beyond names of files.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterable

from askew.collectors.interface import Text
from askew.collectors.reading import DATA_EXTENSIONS, Reader, is_compose, is_text_name, is_variables
from askew.evidence.document import Document, Node
from askew.evidence.yaml import read
from askew.platforms.interface import sibling

_UNIT_FILES = re.compile(r"^[^\S\n]*(?:EnvironmentFile|Pod|Image)[^\S\n]*=[^\S\n]*-?(.+?)[^\S\n]*$", re.MULTILINE)
# What makes the built objects differ from the files (kubectl.docs.kubernetes.io/references/kustomize/kustomization/).
_TRANSFORMS = (
    "patches", "patchesStrategicMerge", "patchesJson6902", "images", "replicas", "configMapGenerator",
    "secretGenerator", "components", "replacements", "vars", "helmCharts", "helmChartInflationGenerator",
    "transformers", "generators",
)  # fmt: skip


# What a mounted file may be that a program reads as its settings; nothing else of a mount is looked at.
_SETTINGS = (
    ".yaml", ".yml", ".json", ".conf", ".cfg", ".config", ".ini", ".toml", ".properties", ".pbtxt", ".txt", ".py",
)  # fmt: skip
_UNITS = (".service", ".container", ".pod", ".kube")
_MAX_FILES = 64


def add_references(
    reader: Reader, source: str, load: Callable[[str], bytes | None], entries: Callable[[str], list[str]]
) -> None:
    """Read the files that a single compose file or unit names and that lie at or below its folder.

    ``load`` gives the content of a file by its name relative to that folder, None where there is none, which is no
    error; ``entries`` the names of what lies in a directory beside it. Nothing outside the folder is asked for: a
    compose file must not make anyone read /etc/shadow.
    """
    settings = {name for name in _mounted(reader.documents) if name.endswith(_SETTINGS) or is_text_name(name)}
    pending = [*references(source, reader.documents, reader.texts), *sorted(settings)]
    if source.endswith(_UNITS):
        folder = os.path.basename(source).rsplit(":", 1)[-1] + ".d"
        pending += sorted(name for name in entries(folder) if name.endswith(".conf"))
    taken = {sibling(source, os.path.basename(source.rpartition(":")[2]))}
    while pending and len(taken) < _MAX_FILES:
        name = pending.pop(0)
        label = sibling(source, name)
        if os.path.isabs(name) or os.path.normpath(name).startswith("..") or label in taken:
            continue
        taken.add(label)
        data = load(name)
        if data is None:
            continue
        text = reader.add_text(label, data, variables=name not in settings and not _is_configuration(name))
        if text is not None:
            pending += [os.path.join(os.path.dirname(name), more) for more in references(label, (), (text,))]


def _mounted(documents: Iterable[Document]) -> list[str]:
    """What compose files mount into their services."""
    found = [document for document in documents if is_compose(document)]
    if not found:
        return []
    from askew.platforms.compose.read import mounted_files

    return [name for document in found for name in mounted_files(document)]


def _is_configuration(name: str) -> bool:
    """Whether a sibling is a unit, a drop-in or YAML; everything else that is named so is a file of variables."""
    extension = os.path.splitext(name)[1]
    return extension in DATA_EXTENSIONS or extension == ".conf" or (is_text_name(name) and not is_variables(name))


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
            found += references(source, read(text.text, text.source, dialect="yaml"), ())
        elif text.source.endswith((*_UNITS, ".conf")):
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
