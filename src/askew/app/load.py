"""One side of a comparison: collect its sources, read them, resolve every workload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import cast

import msgspec

from askew.app import registry, sources
from askew.app.errors import UsageError
from askew.app.hops import passed_on
from askew.app.reading import readings
from askew.app.snapshots import running, snapshots
from askew.collectors.interface import Evidence, Request
from askew.contract.interface import Contract
from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import fact
from askew.facts.types import Value
from askew.report.model import Assumption, InputError, Role, SourceStatus
from askew.resolve.observation import Observation
from askew.resolve.workload import Snapshot, Workload

Progress = Callable[[str], None]
_LOG = "log"  # the platform of captured logs
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
    uri: str,
    role: Role,
    redactor: Redactor,
    assumed: Sequence[Observation] = (),
    progress: Progress | None = None,
    allowed: tuple[tuple[str, str], ...] = (),
) -> Side:
    """Read one side. What cannot be read is in ``errors`` and lowers the status; nothing is raised for it.

    ``allowed`` are options for every source whose collector takes them, such as ``("logs", "on")``; those of its own
    URI decide.

    Raises UsageError for a source that is not one (unknown scheme, empty).
    """
    given = list(collected(sources.parse(uri), redactor, progress, allowed))
    # What a bundle holds keeps the name it had where it was captured.
    uri = redactor.text("+".join(part.uri for part in given))
    evidence = [part for whole in given for part in (whole.parts or (whole,))]
    documents = tuple(document for part in evidence for document in part.documents)
    reading, refused = readings(evidence, _is_contract)
    contracts, contract_errors = _contracts(documents)
    workloads = passed_on(_joined(reading.workloads) if len(evidence) > 1 else reading.workloads)
    resolved = tuple(_with_template(s) for workload in workloads for s in snapshots(workload, assumed))
    errors = [
        InputError(
            source=redactor.text(e.source),
            message=redactor.text(e.message),
            hint=redactor.text(e.hint),
            line=e.line,
            column=e.column,
        )
        for part in evidence
        for e in part.errors
    ]
    errors.extend(contract_errors)
    errors.extend(refused)
    unreadable = tuple(_unreadable(resolved))
    errors.extend(unreadable)
    statuses = [
        SourceStatus(role=role, uri=redactor.text(part.uri), status=part.status, reason=redactor.text(part.reason))
        for part in evidence
    ]
    named = {error.source for error in refused}
    for index, part in enumerate(evidence):
        held = set(_sources(part)) if part.platform else set()
        if statuses[index].status == "complete" and named & held:
            nothing = not any(one.source in held for one in reading.workloads)
            statuses[index] = msgspec.structs.replace(
                statuses[index], status="failed" if nothing else "partial", reason="not everything could be read"
            )
        if part.platform == _LOG and (said := _says_nothing(part, resolved)) is not None:
            errors.append(said)
            statuses[index] = msgspec.structs.replace(statuses[index], status="failed", reason=said.message)
            silent = {text.source for text in part.texts}
            resolved = tuple(one for one in resolved if one.workload.containers or one.workload.source not in silent)
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


def collected(
    requests: Sequence[Request],
    redactor: Redactor,
    progress: Progress | None = None,
    allowed: tuple[tuple[str, str], ...] = (),
    *,
    keep: bool = False,
) -> Iterator[Evidence]:
    """What each request gives, in order. With ``keep``, an interrupted one ends it with what was read until then, where
    its collector can say that."""
    for request in requests:
        if progress is not None:
            progress(f"reading {redactor.text(request.uri)}")
        collector = registry.collector(request.scheme)
        takes: tuple[str, ...] = getattr(collector, "takes", ())
        more = tuple(one for one in allowed if one[0] in takes)
        request = msgspec.structs.replace(request, progress=progress, options=(*more, *request.options), keep=keep)
        found = collector.collect(request, redactor)
        yield found
        if found.interrupted:
            return


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


def _with_template(snapshot: Snapshot) -> Snapshot:
    """With the facts of the chat template that the launch names."""
    source = snapshot.facts.get("model.chat_template.source")
    if source is None or source.state != "known" or not source.value:
        return snapshot
    from askew.app.templates import with_template

    return with_template(snapshot)


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


def _says_nothing(part: Evidence, found: Sequence[Snapshot]) -> InputError | None:
    """The error of a log in which no engine was heard; the rest of the workload is compared all the same."""
    logs = {text.source for text in part.texts}
    if not logs or any(at.source in logs for snapshot in found for at in _places(snapshot)):
        return None
    engines = {one.engine.name for one in found if one.engine is not None and one.launch is not None}
    whose = engines.pop() if len(engines) == 1 else "a known engine"
    return InputError(
        source=part.uri,
        message=f"no line of it is one that {whose} writes when it starts",
        hint="give the log from the start of the process on: kubectl logs POD (with --previous after a crash), "
        "docker logs NAME, journalctl -u UNIT",
    )


def _places(snapshot: Snapshot) -> Iterator[Location]:
    """Where all that is known of a workload was seen, also what lost to something better."""
    for resolved in snapshot.facts.values():
        for one in (resolved, *resolved.entries.values()):
            yield from one.locations
            for lost in one.shadowed:
                yield from lost.locations


def _sources(part: Evidence) -> Iterator[str]:
    yield from (document.source for document in part.documents)
    yield from (text.source for text in part.texts)


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
            told=tuple(one for w in workloads for one in w.told),
        ),
    )


def _with_descriptions(workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
    """Several workloads of one source, and descriptions of a model that starts nothing itself (its files, its training,
    the packages of its image): they are of the one workload that an engine serves, where there is one."""
    served = [one for one in workloads if any(running(one))]
    described = [one for one in workloads if not one.containers]
    if len(served) != 1 or not described or len({(one.source, one.kind) for one in described}) != len(described):
        return workloads
    into = msgspec.structs.replace(
        served[0],
        observations=(*served[0].observations, *(o for one in described for o in one.observations)),
        told=(*served[0].told, *(one for w in described for one in w.told)),
    )
    return tuple(into if one is served[0] else one for one in workloads if one.containers)


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
