"""One side of a comparison: collect its sources, read them, resolve every workload."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import cast

import msgspec

from askew.app import registry, sources
from askew.app.errors import UsageError
from askew.app.hops import passed_on
from askew.app.snapshots import snapshots
from askew.collectors.interface import Evidence, Text
from askew.contract.interface import Contract
from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.evidence.redaction import MARKER, Redactor
from askew.facts.catalogue import fact
from askew.facts.types import Value
from askew.platforms.interface import MODEL_PARTS, PlatformReading, Unread
from askew.report.model import Assumption, InputError, Role, SourceStatus
from askew.resolve.observation import Observation
from askew.resolve.workload import Snapshot, Workload

Progress = Callable[[str], None]
_ENGINE_FILE = "EngineFile"  # platforms.engine_files.KIND, which only sources with such files import


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one side is: its workloads, or the contract that describes them, and how the collection ended."""

    role: Role
    uri: str
    statuses: tuple[SourceStatus, ...]
    snapshots: tuple[Snapshot, ...] = ()
    contracts: tuple[Contract, ...] = ()
    errors: tuple[InputError, ...] = ()
    notes: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()


def load(
    uri: str, role: Role, redactor: Redactor, assumed: Sequence[Observation] = (), progress: Progress | None = None
) -> Side:
    """Read one side. What cannot be read is in ``errors`` and lowers the status; nothing is raised for it.

    Raises UsageError for a source that is not one (unknown scheme, empty).
    """
    requests = sources.parse(uri)
    uri = redactor.text(uri)
    evidence: list[Evidence] = []
    for request in requests:
        if progress is not None:
            progress(f"reading {redactor.text(request.uri)}")
            request = msgspec.structs.replace(request, progress=progress)
        evidence.append(registry.collector(request.scheme).collect(request, redactor))
    documents = tuple(document for part in evidence for document in part.documents)
    reading, refused = _readings(evidence)
    contracts, contract_errors = _contracts(documents)
    workloads = passed_on(_joined(reading.workloads) if len(requests) > 1 else reading.workloads)
    resolved = tuple(s for workload in workloads for s in snapshots(workload, assumed))
    errors = [
        InputError(source=e.source, message=e.message, hint=e.hint, line=e.line, column=e.column)
        for part in evidence
        for e in part.errors
    ]
    errors.extend(contract_errors)
    errors.extend(refused)
    unreadable = tuple(_unreadable(resolved))
    errors.extend(unreadable)
    statuses = [
        SourceStatus(role=role, uri=redactor.text(part.uri), status=part.status, reason=part.reason)
        for part in evidence
    ]
    named = {error.source for error in refused}
    for index, part in enumerate(evidence):
        if part.platform and statuses[index].status == "complete" and named & set(_sources(part)):
            nothing = not any(one.source in set(_sources(part)) for one in reading.workloads)
            statuses[index] = msgspec.structs.replace(
                statuses[index], status="failed" if nothing else "partial", reason="not everything could be read"
            )
        doubts = [error for document in part.documents for error in _doubts(document)]
        errors.extend(doubts)
        if doubts and statuses[index].status == "complete":
            statuses[index] = msgspec.structs.replace(
                statuses[index], status="partial", reason="not everything could be taken as it is written"
            )
        if unreadable and statuses[index].status == "complete":
            statuses[index] = msgspec.structs.replace(
                statuses[index], status="partial", reason="a file of an engine could not be read"
            )
    notes = [f"{unread.location}: {unread.reason}" for unread in reading.unread]
    if not resolved and not contracts and not errors:
        errors.append(_nothing_to_compare(uri, documents, notes))
        statuses = [msgspec.structs.replace(s, status="failed", reason="no workload found") for s in statuses]
    return Side(
        role=role,
        uri=uri,
        statuses=tuple(statuses),
        snapshots=_distinct(resolved),
        contracts=contracts,
        errors=tuple(errors),
        notes=tuple(notes),
        documents=documents,
    )


def assumptions(texts: Sequence[str]) -> tuple[tuple[Observation, ...], tuple[Assumption, ...]]:
    """Parse ``--assume fact=value``. Raises UsageError for an unknown fact or a value its type does not read."""
    from askew.facts.catalogue import UnknownFact

    observations: list[Observation] = []
    stated: list[Assumption] = []
    for text in texts:
        key, equals, raw = text.partition("=")
        if not equals or not raw:
            raise UsageError(
                f"--assume {text}: no value", "write fact=value, for example hardware.gpu.model=h100-80gb-sxm"
            )
        try:
            value = _assumed_value(key, raw)
        except UnknownFact as error:
            raise UsageError(f"--assume {text}: {error.args[0]}", "`askew explain` lists every fact") from None
        except ValueError as error:
            raise UsageError(f"--assume {text}: {error}", f"`askew explain {key}` shows examples") from None
        at = Location(source=f"--assume {text}")
        if fact(key).type.keyed and not isinstance(value, dict):
            raise UsageError(f"--assume {text}: {key} is a map", f"write JSON, for example {key}={{…}}")
        observations.append(Observation(fact=key, value=value, origin="assumed", locations=(at,)))
        stated.append(Assumption(fact=key, value=raw))
    return tuple(observations), tuple(stated)


def _assumed_value(key: str, raw: str) -> Value:
    declared = fact(key)
    if key == "hardware.gpu.model":
        from askew.knowledge.gpus import gpu

        models: list[Value] = [*sorted(member for name in raw.split(",") for member in gpu(name))]
        return declared.type.parse(models)
    given: Value = raw
    if raw[:1] in "[{":
        try:
            given = cast(Value, msgspec.json.decode(raw))
        except msgspec.DecodeError as error:
            raise ValueError(f"not valid JSON: {error}") from None
    return declared.type.parse(given)


def _unreadable(found: Sequence[Snapshot]) -> Iterator[InputError]:
    """Files of engines that their engine could not read: the rest of the workload is compared all the same."""
    seen: set[tuple[str, Location | None]] = set()
    for problem in (problem for snapshot in found for problem in snapshot.problems if problem.kind == "unreadable"):
        at = problem.locations[0] if problem.locations else None
        if (problem.message, at) not in seen:
            seen.add((problem.message, at))
            yield InputError(
                source=at.source if at else "",
                line=at.line if at else 0,
                column=at.column if at else 0,
                message=problem.message,
                hint=problem.suggestion or "correct the file at this place",
            )


def _readings(evidence: Sequence[Evidence]) -> tuple[PlatformReading, list[InputError]]:
    """What all sources hold, in their order. What a source whose scheme says what it is holds otherwise is an error."""
    plain = [part for part in evidence if not part.platform]
    reading = _read(
        tuple(document for part in plain for document in part.documents),
        tuple(text for part in plain for text in part.texts),
    )
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


def _sources(part: Evidence) -> Iterator[str]:
    yield from (document.source for document in part.documents)
    yield from (text.source for text in part.texts)


def _read(documents: tuple[Document, ...], texts: tuple[Text, ...]) -> PlatformReading:
    """Give every document to the platform it belongs to. Platforms are imported only when something is theirs."""
    kubernetes: list[Document] = []
    files: list[tuple[str, str, str, int]] = []
    models: list[Document] = []
    records: list[Document] = []
    packages: list[Document] = []
    units: list[Text] = []
    compose = [one for one in documents if one.root["services"].is_mapping and not one.root["kind"].exists]
    mounted = _mounted(compose)
    for document in (one for one in documents if one not in compose):
        kindless = not document.root["kind"].exists
        if document.source.startswith(mounted) and kindless:
            units.append(Text(source=document.source, text=_readable(document)))
        elif (engine := _configures(document)) is not None:
            files.append((engine, document.root.location.source, _readable(document), 1))
        elif document.source.endswith(".json") and _describes_a_model(document):
            models.append(document)
            if _records_training(document):  # an adapter's file says of which model it was trained
                records.append(document)
        elif _is_contract(document):
            continue
        elif kindless and _records_training(document):
            records.append(document)
        elif kindless and _lists_packages(document):
            packages.append(document)
        else:
            kubernetes.append(document)
    lists = [text for text in texts if text.source.endswith(MODEL_PARTS)]
    beside = [text for text in texts if text.source.endswith("#record")]
    for text in (text for text in texts if text not in lists and text not in beside):
        named = registry.engine_of_file(text.source, text=text.text) if not text.source.startswith("cmd:") else None
        if named is not None and not text.source.startswith(mounted):
            files.append((named, text.source, text.text, 1))
        else:
            units.append(text)
    workloads: list[Workload] = []
    unread: list[Unread] = []
    if kubernetes:
        from askew.platforms.kubernetes.read import read as read_kubernetes

        objects = read_kubernetes(kubernetes)
        workloads.extend(objects.workloads)
        unread.extend(Unread(refused.location, refused.reason) for refused in objects.refused)
        unread.extend(Unread(at, problem.message) for problem in objects.problems for at in problem.locations[:1])
    described: tuple[Workload, ...] = ()
    if models or lists:
        from askew.platforms.huggingface.read import read as read_model

        described = read_model(models, lists).workloads
    if records or beside:
        from askew.platforms.training.read import into
        from askew.platforms.training.read import read as read_records

        described = into(read_records(records, (*beside, *lists)).workloads, described)
    workloads.extend(described)
    if packages:
        from askew.platforms.packages.read import read as read_packages

        workloads.extend(read_packages(packages, ()).workloads)
    if files:
        from askew.platforms import engine_files

        read = (engine_files.EngineFile(engine=e, source=s, text=t, line=n) for e, s, t, n in files)
        workloads.extend(engine_files.read(read).workloads)
    if compose or units:
        for name, share in (
            ("compose", compose),
            ("systemd", [t for t in units if not t.source.startswith(("cmd:", *mounted))]),
            ("command", [t for t in units if t.source.startswith("cmd:")]),
        ):
            if share:
                module = import_module(f"askew.platforms.{name}")
                part = module.read(share, units) if name == "compose" else module.read(share)
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


_MASK = re.compile(r"\*+")


def _describes_a_model(document: Document) -> bool:
    from askew.platforms.huggingface.read import describes_a_model

    return describes_a_model(document)


def _records_training(document: Document) -> bool:
    from askew.platforms.training.shape import is_record

    return is_record(document)


def _lists_packages(document: Document) -> bool:
    from askew.platforms.packages.read import shows_what_is_installed

    return shows_what_is_installed(document)


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


def _doubts(document: Document) -> Iterator[InputError]:
    """What is written twice or behind a tag: which of two values is meant is not for Askew to guess. Compose has tags
    of its own (``!reset``, ``!override``), which change nothing in a file that is read alone."""
    compose = document.root["services"].is_mapping
    for problem in document.problems:
        tag = problem.message.startswith("the tag ")
        if tag and compose:
            continue
        at = problem.location
        yield InputError(
            source=at.source,
            line=at.line,
            column=at.column,
            message=problem.message,
            hint="write the plain value" if tag else "keep one of the two",
        )


def _is_contract(document: Document) -> bool:
    root = document.root
    return (root["kind"].value == "ModelSpec" and str(root["apiVersion"].value).startswith("piqc.ai/")) or _is_lock(
        document
    )


def _is_lock(document: Document) -> bool:
    return str(document.root["schema"].value).startswith("askew/lock/")


def _contracts(documents: tuple[Document, ...]) -> tuple[tuple[Contract, ...], tuple[InputError, ...]]:
    contracts: list[Contract] = []
    errors: list[InputError] = []
    for document in documents:
        if not _is_contract(document):
            continue
        module = "lock" if _is_lock(document) else "modelspec"
        found, problems = import_module(f"askew.contract.{module}").read(document)
        contracts.extend(found)
        errors.extend(
            InputError(
                source=p.location.source, line=p.location.line, column=p.location.column, message=p.message, hint=p.hint
            )
            for p in problems
        )
    return tuple(contracts), tuple(errors)


def _joined(workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
    """Joined sources describe one workload: what the later ones say is pooled into the first.

    Sources that each hold several workloads are a fleet, and stay as they are.
    """
    files = [one for one in workloads if one.kind == _ENGINE_FILE]
    launched = [one for one in workloads if one.kind != _ENGINE_FILE and one.containers]
    if files and len(launched) == 1:
        from askew.platforms import engine_files

        into = engine_files.joined(files, launched[0])
        workloads = tuple(into if one is launched[0] else one for one in workloads if one.kind != _ENGINE_FILE)
    if len({(w.source, w.kind) for w in workloads}) != len(workloads):
        return _with_descriptions(workloads)
    if len(workloads) < 2:
        return workloads
    first = next((one for one in workloads if one.containers), workloads[0])
    others = [one for one in workloads if one is not first]
    return (
        msgspec.structs.replace(
            first,
            containers=tuple(c for w in workloads for c in w.containers) if not first.containers else first.containers,
            observations=(*first.observations, *(o for w in others for o in _all_observations(w))),
        ),
    )


def _with_descriptions(workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
    """Several workloads of one source, and descriptions of a model that starts nothing itself (its files, its training,
    the packages of its image): they are of the one workload that an engine serves, where there is one."""
    served = [one for one in workloads if _serves(one)]
    described = [one for one in workloads if not one.containers]
    if len(served) != 1 or not described or len({(one.source, one.kind) for one in described}) != len(described):
        return workloads
    more = tuple(observation for one in described for observation in one.observations)
    into = msgspec.structs.replace(served[0], observations=(*served[0].observations, *more))
    return tuple(into if one is served[0] else one for one in workloads if one.containers)


def _serves(workload: Workload) -> bool:
    return any(
        registry.recognise(process) is not None
        for container in workload.containers
        for process in (container.processes or (container.launch,))
    )


def _all_observations(workload: Workload) -> tuple[Observation, ...]:
    return (*workload.observations, *(o for c in workload.containers for o in c.observations))


def _distinct(found: tuple[Snapshot, ...]) -> tuple[Snapshot, ...]:
    """The same object may be named twice in a directory (base and rendered): later ones get a number, none is
    hidden."""
    seen: dict[str, int] = {}
    out: list[Snapshot] = []
    for snapshot in found:
        count = seen[snapshot.id] = seen.get(snapshot.id, 0) + 1
        out.append(snapshot if count == 1 else msgspec.structs.replace(snapshot, id=f"{snapshot.id}~{count}"))
    return tuple(out)


def _nothing_to_compare(uri: str, documents: tuple[Document, ...], notes: Sequence[str]) -> InputError:
    kinds = sorted({str(d.root["kind"].value) for d in documents if d.root["kind"].exists})
    seen = f"; it holds {', '.join(kinds[:8])}" if kinds else f"; {notes[0]}" if notes else ""
    return InputError(
        source=uri,
        message=f"no workload found{seen}",
        hint="point at something that runs containers: a Deployment, an InferenceService, a compose file, a unit, "
        "or cmd:'vllm serve …'",
    )
