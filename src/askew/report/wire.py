"""``askew/report/v1`` and ``askew/facts/v1``: what other programs read.

One rule for what is missing: every field is always there, null where there is none, ``[]`` where there are none. The
version grows by addition only; a reader ignores fields it does not know and takes an unknown word of an enumeration as
*other*. Enumerations are therefore plain text here, with the words of today as examples. Values are canonical (dtype
names, bytes, seconds, tokens). The marker of a secret is written ``<redacted>``, wherever it stands.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from askew.evidence import location as evidence
from askew.evidence.redaction import is_redacted
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.findings import finding as findings
from askew.findings.finding import places
from askew.report import model
from askew.report.present import citations, plain, unit
from askew.resolve import workload as resolved
from askew.resolve.workload import Resolved

REPORT = "askew/report/v1"
FACTS_FORMAT = "askew/facts/v1"


def _words(description: str, *words: str) -> Meta:
    """An open enumeration: the words known today are examples, others may be added."""
    return Meta(description=description, extra_json_schema={"examples": [*words]})


Severity = Annotated[str, _words("How bad it is.", "critical", "high", "medium", "low", "info")]
Confidence = Annotated[str, _words("How sure the statement is.", "certain", "likely", "possible")]
Verdict = Annotated[str, _words("Over findings that are not waived.", "aligned", "skewed", "incomplete")]
Role = Annotated[str, _words("Which side.", "reference", "target")]
Origin = Annotated[
    str,
    _words(
        "How a value is known; null where nothing shows one.",
        *("measured", "reported", "explicit", "env", "config-file", "declared", "contract", "lock", "assumed", "model"),
        *("derived", "catalogue", "engine-default", "platform-default"),
    ),
]
Category = Annotated[
    str,
    _words(
        "The category of the fact.",
        "model",
        "runtime",
        "hardware",
        "serving",
        "orchestration",
        "performance",
        "governance",
    ),
]
Anything = Annotated[object, Meta(description="A canonical value; null where it is absent or unknown.")]


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a source. ``line`` and ``column`` begin at 1; null where the source has none."""

    source: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    object: str | None = None


class Shadowed(msgspec.Struct, frozen=True, kw_only=True):
    """A value that lost to the effective one."""

    value: Anything = None
    origin: Origin | None = None
    location: Location | None = None
    locations: list[Location] = []


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """The value at one hop between client and engine."""

    name: str
    value: Anything = None
    origin: Origin | None = None
    location: Location | None = None


class MemberValue(msgspec.Struct, frozen=True, kw_only=True):
    """The value in one member of a workload, where members differ."""

    member: str
    value: Anything = None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a finding. ``location`` is the first of ``locations``; ``text`` is an unresolved expression."""

    state: Annotated[str, _words("Whether there is a value.", "known", "unknown", "absent", "unsupported", "redacted")]
    value: Anything = None
    origin: Origin | None = None
    confidence: Confidence | None = None
    location: Location | None = None
    shadowed: list[Shadowed] = []
    locations: list[Location] = []
    basis: Annotated[str, _words("Asked for, or seen at work.", "asked", "seen")] | None = None
    observed_at: str | None = None
    hops: list[Hop] = []
    values: list[MemberValue] = []
    because: list[str] = []
    reason: str | None = None
    observe_with: str | None = None
    text: str | None = None


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """A reversible step that removes the finding."""

    action: str
    text: str | None = None
    location: Location | None = None
    verify: str | None = None
    undo: str | None = None
    safe: bool = True


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody accepted the finding. ``expires`` is an ISO date."""

    reason: str
    owner: str | None = None
    expires: str | None = None
    location: Location | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A difference, a failed check or a matched pattern.

    ``fingerprint`` is made of rule, fact, key and workload, without values and lines; ``id`` is the same, told apart
    where one report has it twice.
    """

    id: str
    kind: Annotated[str, _words("What found it.", "difference", "check", "pattern")]
    rule: str
    fact: str | None = None
    facts: list[str] = []
    key: str | None = None
    unit: str | None = None
    category: Category
    severity: Severity
    confidence: Confidence
    summary: str
    impact: str | None = None
    reference: Side | None = None
    target: Side | None = None
    remedies: list[Remedy] = []
    playbook: str | None = None
    fingerprint: str
    waiver: Waiver | None = None
    baseline: Annotated[str, _words("Against --baseline.", "new", "existing")] | None = None


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that the reference states, or a check needed, and that a side does not show."""

    fact: str
    side: Role
    reason: str
    observe_with: str | None = None
    key: str | None = None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Of what the reference states, how much was verified in the target."""

    declared: int = 0
    verified: int = 0
    unknown: int = 0


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine runs; ``version`` is null where no source tells."""

    name: str
    version: str | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a workload that runs in pods of its own."""

    id: str
    role: str
    pods: int = 1


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """Findings about one workload. ``id`` is ``namespace/Kind/name[/container][#role]``."""

    id: str
    reference_id: str | None = None
    presence: Annotated[str, _words("On which side it is.", "both", "added", "removed")] = "both"
    verdict: Verdict
    engine: Engine | None = None
    reference_engine: Engine | None = None
    members: list[Member] = []
    findings: list[Finding] = []
    unknown: list[Unknown] = []
    coverage: Coverage = Coverage()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """How the collection of a source ended."""

    role: Role
    uri: str
    status: Annotated[str, _words("How it ended.", "complete", "partial", "failed", "skipped")]
    reason: str | None = None


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--assume`` supplied."""

    fact: str
    value: str


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """An input that could not be read."""

    source: str
    line: int | None = None
    column: int | None = None
    message: str
    hint: str | None = None


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote this."""

    name: str = "askew"
    version: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What ``askew diff`` and ``askew check`` write. ``notes`` name what was passed over."""

    schema: str
    tool: Tool = Tool()
    generated_at: str | None = None
    command: str
    verdict: Verdict
    fail_on: Severity = "medium"
    sources: list[Source] = []
    workloads: list[Workload] = []
    assumed: list[Assumed] = []
    errors: list[Error] = []
    notes: list[str] = []


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a map fact, with its own origin and place."""

    state: str
    value: Anything = None
    origin: Origin | None = None
    location: Location | None = None
    reason: str | None = None


class KnownFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact with a value; null says that it is known to be absent. ``entries`` are the keys of a map."""

    value: Anything = None
    origin: Origin | None = None
    confidence: Confidence
    location: Location | None = None
    shadowed: list[Shadowed] = []
    state: str
    unit: str | None = None
    because: list[str] = []
    hops: list[Hop] = []
    entries: dict[str, Entry] = {}


class UnknownFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact without a value: ``unknown`` says why, ``observe_with`` how to see it."""

    unknown: str
    observe_with: str | None = None
    location: Location | None = None
    text: str | None = None


class FactsWorkload(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one workload. A fact is a KnownFact or an UnknownFact, told apart by the field ``unknown``."""

    id: str
    engine: Engine | None = None
    facts: dict[str, Anything]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What ``askew facts`` writes."""

    schema: str
    tool: Tool = Tool()
    sources: list[Source] = []
    workloads: list[FactsWorkload] = []
    assumed: list[Assumed] = []
    errors: list[Error] = []


# -- writing -----------------------------------------------------------------------------------------------------------


def encode(document: Report | Facts) -> bytes:
    """Indented JSON in UTF-8, ending in a newline; equal documents give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def decode(data: bytes) -> Report:
    """Read a report. Unknown fields are passed over. Raises ValueError for anything that is no report of version 1."""
    try:
        document = msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not an {REPORT} report: {error}") from None
    if document.schema != REPORT:
        raise ValueError(f"expected the schema {REPORT}, got {document.schema[:80]!r}")
    return document


def fingerprints(data: bytes) -> frozenset[str]:
    """The fingerprints of the findings of a JSON report. Raises ValueError for what is no report of version 1."""
    return frozenset(one.fingerprint for workload in decode(data).workloads for one in workload.findings)


def report(source: model.Report) -> Report:
    """The report as it is written. Order is the report's own."""
    seen: dict[str, int] = {}
    return Report(
        schema=REPORT,
        tool=Tool(version=source.tool_version or None),
        generated_at=source.generated_at or None,
        command=source.command,
        verdict=source.verdict,
        fail_on=source.fail_on,
        sources=_sources(source.sources),
        workloads=[_workload(workload, seen) for workload in source.workloads],
        assumed=_assumed(source.assumed),
        errors=_errors(source.errors),
        notes=[plain(note) for note in source.notes],
    )


def facts(
    workloads: list[FactsWorkload],
    sources: tuple[model.SourceStatus, ...],
    errors: tuple[model.InputError, ...],
    assumed: tuple[model.Assumption, ...],
    version: str,
) -> Facts:
    """What ``askew facts`` writes, around the facts of each workload."""
    return Facts(
        schema=FACTS_FORMAT,
        tool=Tool(version=version or None),
        sources=_sources(sources),
        workloads=workloads,
        assumed=_assumed(assumed),
        errors=_errors(errors),
    )


def fact(one: Resolved) -> KnownFact | UnknownFact:
    """One resolved fact as ``askew facts`` writes it."""
    where = _places(one)
    if one.state in ("unknown", "unsupported"):
        reason = one.reason or (
            "this engine has no such setting" if one.state == "unsupported" else "no source shows it"
        )
        return UnknownFact(
            unknown=plain(reason),
            observe_with=_or_none(one.observe_with),
            location=_first(where),
            text=_or_none(one.text),
        )
    return KnownFact(
        value=_value(one.value),
        origin=one.origin,
        confidence=one.confidence,
        location=_first(where),
        shadowed=[_shadowed(lost) for lost in one.shadowed],
        state=_state(one),
        unit=unit(one.fact, one.key),
        because=_because(one),
        hops=[_hop(hop) for hop in one.hops],
        entries={plain(key): _entry(entry) for key, entry in one.entries.items()},
    )


def engine(identity: resolved.EngineIdentity | None) -> Engine | None:
    """The engine of a workload."""
    return None if identity is None else Engine(name=plain(identity.name), version=_or_none(identity.version or ""))


def _entry(one: Resolved) -> Entry:
    shown = one.state != "unknown"
    return Entry(
        state=_state(one),
        value=_value(one.value),
        origin=one.origin if shown or places(one) else None,
        location=_first(_places(one)),
        reason=_or_none(one.reason),
    )


def _workload(source: model.WorkloadReport, seen: dict[str, int]) -> Workload:
    return Workload(
        id=plain(source.id),
        reference_id=_or_none(source.reference_id),
        presence=source.presence,
        verdict=source.verdict,
        engine=engine(source.engine),
        reference_engine=engine(source.reference_engine),
        members=[Member(id=plain(m.id), role=plain(m.role), pods=m.pods) for m in source.members],
        findings=[_finding(finding, seen) for finding in source.findings],
        unknown=[
            Unknown(
                fact=plain(u.fact),
                side=u.side,
                reason=plain(u.reason),
                observe_with=_or_none(u.observe_with),
                key=_or_none(u.key),
            )
            for u in source.unknown
        ],
        coverage=Coverage(
            declared=source.coverage.declared, verified=source.coverage.verified, unknown=source.coverage.unknown
        ),
    )


def _finding(source: findings.Finding, seen: dict[str, int]) -> Finding:
    mark = findings.fingerprint(source)
    seen[mark] = seen.get(mark, 0) + 1
    about = source.facts[0] if source.facts else ""
    return Finding(
        id=mark if seen[mark] == 1 else f"{mark}-{seen[mark]}",
        kind=source.kind,
        rule=plain(source.rule),
        fact=_or_none(about),
        facts=[plain(key) for key in source.facts],
        key=_or_none(source.key),
        unit=unit(about, source.key) if about in FACTS else None,
        category=source.category,
        severity=source.severity,
        confidence=source.confidence,
        summary=plain(source.summary),
        impact=_or_none(source.impact),
        reference=_side(source.reference),
        target=_side(source.target),
        remedies=[
            Remedy(
                action=plain(r.action),
                text=_or_none(r.text),
                location=_place(r.location) if r.location else None,
                verify=_or_none(r.verify),
                undo=_or_none(r.undo),
                safe=r.safe,
            )
            for r in source.remedies
        ],
        playbook=_or_none(source.playbook),
        fingerprint=mark,
        waiver=_waiver(source.waiver),
        baseline=source.baseline,
    )


def _waiver(source: findings.Waiver | None) -> Waiver | None:
    if source is None:
        return None
    return Waiver(
        reason=plain(source.reason),
        owner=_or_none(source.owner),
        expires=_or_none(source.expires),
        location=_place(source.location),
    )


def _side(source: Resolved | None) -> Side | None:
    if source is None:
        return None
    where = _places(source)
    seen = source.state != "unknown"
    return Side(
        state=_state(source),
        value=_value(source.value) if seen else None,
        # The origin of something unknown is that of the place that hides it; without a place there is none.
        origin=source.origin if seen or where else None,
        confidence=source.confidence if seen else None,
        location=_first(where),
        shadowed=[_shadowed(lost) for lost in source.shadowed],
        locations=where,
        basis=source.basis if seen or where else None,
        hops=[_hop(hop) for hop in source.hops],
        values=[MemberValue(member=plain(one.member), value=_value(one.value)) for one in source.values],
        because=_because(source),
        reason=_or_none(source.reason),
        observe_with=_or_none(source.observe_with),
        text=_or_none(source.text),
    )


def _state(source: Resolved) -> str:
    return "redacted" if isinstance(source.value, str) and is_redacted(source.value) else source.state


def _because(source: Resolved) -> list[str]:
    """Reasons, and the public source of a default: it is no place in what the user gave."""
    return [plain(text) for text in (*source.because, *citations(source)) if text]


def _shadowed(source: resolved.Shadowed) -> Shadowed:
    where = _places(source)
    return Shadowed(value=_value(source.value), origin=source.origin, location=_first(where), locations=where)


def _hop(source: resolved.Hop) -> Hop:
    return Hop(
        name=plain(source.name),
        value=_value(source.value),
        origin=source.origin,
        location=_first(_places(source)),
    )


def _places(known: Resolved | resolved.Shadowed | resolved.Hop) -> list[Location]:
    return [_place(at) for at in places(known)]


def _place(at: evidence.Location) -> Location:
    return Location(
        source=plain(at.source),
        path=_or_none(at.path),
        line=at.line or None,
        column=at.column or None,
        object=_or_none(at.object),
    )


def _first(places: list[Location]) -> Location | None:
    return places[0] if places else None


def _value(value: Value) -> Value:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): _value(item) for key, item in value.items()}
    return value


def _sources(sources: tuple[model.SourceStatus, ...]) -> list[Source]:
    return [Source(role=s.role, uri=plain(s.uri), status=s.status, reason=_or_none(s.reason)) for s in sources]


def _assumed(assumed: tuple[model.Assumption, ...]) -> list[Assumed]:
    return [Assumed(fact=plain(a.fact), value=plain(a.value)) for a in assumed]


def _errors(errors: tuple[model.InputError, ...]) -> list[Error]:
    return [
        Error(
            source=plain(e.source),
            line=e.line or None,
            column=e.column or None,
            message=plain(e.message),
            hint=_or_none(e.hint),
        )
        for e in errors
    ]


def _or_none(text: str) -> str | None:
    return plain(text) if text else None
