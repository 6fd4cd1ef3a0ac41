"""Which platform reads what: every document and every text goes to the one that it belongs to.

Platforms are imported only when something is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import import_module

import msgspec

from askew.app import registry
from askew.collectors.interface import Evidence, Text
from askew.evidence.document import Document
from askew.evidence.redaction import MARKER
from askew.platforms.interface import MODEL_PARTS, PlatformReading, Unread
from askew.report.model import InputError
from askew.resolve.workload import Workload

_MASK = re.compile(r"\*+")
_RECORD = "#record"  # after the name of a file beside a model: what a record of training is reduced to
_COMMAND = "cmd:"


class _Shares(msgspec.Struct, kw_only=True):
    """What goes where. ``files`` are of engines: the engine's name, the source and its text."""

    kubernetes: list[Document] = []
    compose: list[Document] = []
    models: list[Document] = []
    records: list[Document] = []
    packages: list[Document] = []
    answers: list[Document] = []
    golden: list[Document] = []
    containers: list[Document] = []
    of_models: list[Text] = []
    beside: list[Text] = []
    units: list[Text] = []
    commands: list[Text] = []
    mounted: list[Text] = []
    files: list[tuple[str, str, str]] = []


def readings(
    evidence: Sequence[Evidence], is_contract: Callable[[Document], bool]
) -> tuple[PlatformReading, list[InputError]]:
    """What all sources hold, in their order. What a source whose scheme says what it is holds otherwise is an error.

    ``is_contract`` tells the documents that no platform reads.
    """
    plain = [part for part in evidence if not part.platform]
    documents = [document for part in plain for document in part.documents]
    reading = _read(_shares(documents, [text for part in plain for text in part.texts], is_contract))
    workloads = list(reading.workloads)
    errors: list[InputError] = []
    for part in evidence:
        if part.platform and (part.documents or part.texts):
            found: PlatformReading = import_module(f"askew.platforms.{part.platform}.read").read(
                part.documents, part.texts
            )
            workloads.extend(found.workloads)
            errors.extend(_not_read(unread) for unread in found.unread)
    return PlatformReading(workloads=tuple(workloads), unread=reading.unread), errors


def _not_read(unread: Unread) -> InputError:
    at = unread.location
    hint = "correct the file at this place, or point at another"
    return InputError(source=at.source, line=at.line, column=at.column, message=unread.reason, hint=hint)


def _shares(documents: Sequence[Document], texts: Sequence[Text], is_contract: Callable[[Document], bool]) -> _Shares:
    shares = _Shares()
    shares.compose = [one for one in documents if one.root["services"].is_mapping and not one.root["kind"].exists]
    mounted = _mounted(shares.compose)
    for document in documents:
        kindless = not document.root["kind"].exists
        if kindless and document.root["services"].is_mapping:
            continue
        if document.source.startswith(mounted) and kindless:
            shares.mounted.append(Text(source=document.source, text=_readable(document)))
        elif (engine := _configures(document)) is not None:
            shares.files.append((engine, document.root.location.source, _readable(document)))
        elif document.source.endswith(".json") and _describes_a_model(document):
            shares.models.append(document)
            if _records_training(document):  # an adapter's file says of which model it was trained
                shares.records.append(document)
        elif is_contract(document):
            continue
        elif kindless and _is_golden(document):
            shares.golden.append(document)
        elif kindless and _records_training(document):
            shares.records.append(document)
        elif kindless and _lists_packages(document):
            shares.packages.append(document)
        elif kindless and _describes_what_is_served(document):
            shares.answers.append(document)
        elif kindless and _shows_containers(document):
            shares.containers.append(document)
        else:
            shares.kubernetes.append(document)
    for text in texts:
        if text.source.endswith(MODEL_PARTS):
            shares.of_models.append(text)
        elif text.source.endswith(_RECORD):
            shares.beside.append(text)
        elif text.source.startswith(_COMMAND):
            shares.commands.append(text)
        elif text.source.startswith(mounted):
            shares.mounted.append(text)
        elif text.source.endswith(".jinja"):
            continue  # a template of something else, or one that no mount puts anywhere
        elif (engine := registry.engine_of_file(text.source, text=text.text)) is not None:
            shares.files.append((engine, text.source, text.text))
        else:
            shares.units.append(text)
    return shares


def _read(shares: _Shares) -> PlatformReading:
    workloads: list[Workload] = []
    unread: list[Unread] = []
    if shares.kubernetes:
        from askew.platforms.kubernetes.read import read as read_kubernetes

        objects = read_kubernetes(shares.kubernetes)
        workloads.extend(objects.workloads)
        unread.extend(Unread(refused.location, refused.reason) for refused in objects.refused)
        unread.extend(Unread(at, problem.message) for problem in objects.problems for at in problem.locations[:1])
    described: tuple[Workload, ...] = ()
    if shares.models or shares.of_models:
        from askew.platforms.huggingface.read import read as read_model

        described = read_model(shares.models, shares.of_models).workloads
    if shares.records or shares.beside:
        from askew.platforms.training.read import into
        from askew.platforms.training.read import read as read_records

        records = read_records(shares.records, (*shares.beside, *shares.of_models))
        described = into(records.workloads, described)
    workloads.extend(described)
    if shares.packages:
        from askew.platforms.packages.read import read as read_packages

        workloads.extend(read_packages(shares.packages, ()).workloads)
    if shares.answers:
        from askew.platforms.metadata import read as read_metadata

        workloads.extend(read_metadata(shares.answers).workloads)
    if shares.golden:
        from askew.platforms.golden import read as read_golden

        workloads.extend(read_golden(shares.golden).workloads)
    if shares.containers:
        from askew.platforms.docker.read import read as read_containers

        workloads.extend(read_containers(shares.containers).workloads)
    if shares.files:
        from askew.platforms import engine_files

        files = (engine_files.EngineFile(engine=e, source=s, text=t, line=1) for e, s, t in shares.files)
        workloads.extend(engine_files.read(files).workloads)
    parts: list[PlatformReading] = []
    if shares.compose:
        from askew.platforms.compose import read as read_compose

        parts.append(read_compose(shares.compose, (*shares.mounted, *shares.units, *shares.commands)))
    if shares.units:
        from askew.platforms.systemd import read as read_units

        parts.append(read_units(shares.units))
    if shares.commands:
        from askew.platforms.command import read as read_command

        parts.append(read_command(shares.commands))
    for part in parts:
        workloads.extend(part.workloads)
        unread.extend(part.unread)
    return PlatformReading(workloads=tuple(workloads), unread=tuple(unread))


def _mounted(compose: Sequence[Document]) -> tuple[str, ...]:
    """Where files lie that compose files mount into their services: they belong to these, and are no sources."""
    if not compose:
        return ()
    from askew.platforms.compose.read import mounted_files
    from askew.platforms.interface import sibling

    return tuple(sorted({sibling(one.source, name) for one in compose for name in mounted_files(one)} - {".", ""}))


def _readable(document: Document) -> str:
    """The text of a redacted file as its engine can read it: a mask of asterisks would be an alias of YAML, and two
    masks of one length the same key, so that the marker of each secret stands in their place."""
    lines = list(document.lines)
    secrets: list[tuple[int, int, list[str]]] = []
    pending = [document.root]
    while pending:
        node = pending.pop()
        value = node.value
        if isinstance(value, dict):
            pending.extend(child for _, child in node.items())
        elif isinstance(value, list):
            pending.extend(node.each())
        elif isinstance(value, str) and (markers := MARKER.findall(value)):
            secrets.append((node.location.line, node.location.column, markers))
    for row, column, markers in sorted(secrets, reverse=True):
        line = lines[row - 1] if 0 < row <= len(lines) else ""
        masks = [found.span() for found in _MASK.finditer(line, max(column - 1, 0))]
        for (start, end), marker in reversed(list(zip(masks, markers, strict=False))):
            quote = line[start - 1] if start and line[start - 1] in "\"'" else ""  # the closing one is masked too
            line = line[:start] + marker + quote + line[end:].removeprefix(quote)
        if line:
            lines[row - 1] = line
    return "\n".join(lines)


def _describes_a_model(document: Document) -> bool:
    from askew.platforms.huggingface.read import describes_a_model

    return describes_a_model(document)


def _records_training(document: Document) -> bool:
    from askew.platforms.training.shape import is_record

    return is_record(document)


def _is_golden(document: Document) -> bool:
    return str(document.root["schema"].value).startswith("askew/golden")


def _lists_packages(document: Document) -> bool:
    from askew.platforms.packages.read import shows_what_is_installed

    return shows_what_is_installed(document)


def _describes_what_is_served(document: Document) -> bool:
    from askew.platforms.metadata import form

    return bool(form(document))


def _shows_containers(document: Document) -> bool:
    root = document.root
    if not (root.is_sequence or root["HostConfig"].is_mapping):
        return False
    from askew.platforms.docker.read import shows_containers

    return shows_containers(document)


def _configures(document: Document) -> str | None:
    """The engine whose configuration a YAML or JSON file is; None for manifests and everything else."""
    root = document.root
    if not root.is_mapping or root["kind"].exists or root["apiVersion"].exists:
        return None
    listed = (
        f"{key}[].{inner}"
        for key, node in root.items()
        if node.is_sequence
        for entry in list(node.each())[:20]
        for inner, _ in entry.items()
    )
    keys = {*(key for key, _ in root.items()), *listed}
    return registry.engine_of_file(root.location.source, keys, " ".join(key for key, _ in root.items()))
