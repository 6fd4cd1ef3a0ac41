"""The comparison behind every command: load both sides, match, compare, check, waive, judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec

from askew import __version__
from askew.app import registry, waivers
from askew.app.config import Config
from askew.app.errors import UsageError
from askew.app.load import Progress, Side, assumptions, load
from askew.app.match import covers, match
from askew.app.severity import skew_of_records, weight
from askew.app.spelled import with_defaults
from askew.checks.interface import Needs, Subject
from askew.compare.compare import Comparison, Difference, Mode, compare
from askew.compare.telling import told
from askew.contract.interface import Contract
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import FACTS
from askew.facts.types import SEVERITIES, Severity
from askew.findings.describe import describe
from askew.findings.finding import Finding, counts, fingerprint, make, places
from askew.remedy.differences import remedies
from askew.report.model import (
    Assumption,
    Coverage,
    InputError,
    Report,
    Role,
    SourceStatus,
    UnknownFact,
    Verdict,
    WorkloadReport,
)
from askew.resolve.observation import Observation
from askew.resolve.workload import Resolved, Snapshot

_OUTPUTS = "model.golden_outputs"
FlagFor = Callable[[str], str | None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for, apart from the sources.

    ``only`` and ``ignore`` are globs over fact keys and rules. ``baseline`` are fingerprints of findings known before.
    ``today`` is an ISO date, ``now`` an RFC 3339 time: the pipeline reads no clock. ``allowed`` are options that every
    source is given whose collector takes them (see ``load``).
    """

    fail_on: Severity = "medium"
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    assume: tuple[str, ...] = ()
    mapping: tuple[tuple[str, str], ...] = ()
    checks: bool = False
    baseline: frozenset[str] | None = None
    config: Config = Config()
    today: str = ""
    now: str = ""
    progress: Progress | None = None
    allowed: tuple[tuple[str, str], ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one source: the resolved snapshots, and how the collection ended."""

    side: Side
    assumed: tuple[Assumption, ...] = ()


def _loaded(uri: str, role: Role, redactor: Redactor, assumed: Sequence[Observation], options: Options) -> Side:
    return load(uri, role, redactor, assumed, options.progress, options.allowed)


def facts(uri: str, options: Options) -> Facts:
    """Everything known about a source."""
    observations, assumed = assumptions(options.assume)
    return Facts(side=_loaded(uri, "target", Redactor(), observations, options), assumed=assumed)


def diff(reference_uri: str, target_uri: str, options: Options) -> Report:
    """Compare two sources. Raises UsageError for a request that makes no sense."""
    if reference_uri == "-" and target_uri == "-":
        raise UsageError("both sides are '-'", "stdin can be read once: give the other side as a file")
    observations, assumed = assumptions(options.assume)
    redactor = Redactor()
    reference = _loaded(reference_uri, "reference", redactor, observations, options)
    target = _loaded(target_uri, "target", redactor, observations, options)
    reference, target = _by_outputs(reference, target)
    if reference.contracts and not reference.snapshots:
        workloads = _against_contracts(reference.contracts, target, options, explicit=True, with_checks=options.checks)
    else:
        peers = reference.snapshots or tuple(c.snapshot for c in reference.contracts)
        others = target.snapshots or tuple(c.snapshot for c in target.contracts)
        workloads = _between_peers(peers, others, options)
    return _report("diff", (reference, target), workloads, options, assumed)


def check(target_uri: str, against: str | None, options: Options) -> Report:
    """Compare a source with what was intended, and run every check on it.

    ``against`` is any source; without it, contracts are given by ``found`` in the working directory (see ``cli``).
    """
    observations, assumed = assumptions(options.assume)
    redactor = Redactor()
    target = _loaded(target_uri, "target", redactor, observations, options)
    sides: tuple[Side, ...] = (target,)
    if against is None:
        workloads = [_checked(snapshot, None, options) for snapshot in target.snapshots]
    else:
        reference = _loaded(against, "reference", redactor, observations, options)
        reference, target = _by_outputs(reference, target)
        sides = (reference, target)
        if reference.contracts:
            workloads = _against_contracts(reference.contracts, target, options, explicit=True, with_checks=True)
        else:
            workloads = _between_peers(reference.snapshots, target.snapshots, options, with_checks=True)
    return _report("check", sides, workloads, options, assumed)


def check_found(target_uri: str, found: Sequence[str], options: Options) -> Report:
    """``check`` against the contracts found in the working directory: each applies to the workloads that it covers."""
    observations, assumed = assumptions(options.assume)
    redactor = Redactor()
    references = [_loaded(path, "reference", redactor, (), options) for path in found]
    target = _loaded(target_uri, "target", redactor, observations, options)
    contracts = tuple(c for side in references for c in side.contracts)
    workloads = _against_contracts(contracts, target, options, explicit=False, with_checks=True)
    return _report("check", (*references, target), workloads, options, assumed)


def peers(command: str, reference: Side, target: Side, options: Options) -> Report:
    """Compare two sides of which neither is a contract, however they came about."""
    return _report(
        command, (reference, target), _between_peers(reference.snapshots, target.snapshots, options), options, ()
    )


def _by_outputs(reference: Side, target: Side) -> tuple[Side, Side]:
    """Both sides; where both recorded what a model gave, with what these outputs say of each other."""
    if not all(any(_OUTPUTS in one.facts for one in side.snapshots) for side in (reference, target)):
        return reference, target
    from askew.app.outputs import told_apart

    return told_apart(reference, target)


def _between_peers(
    references: Sequence[Snapshot], targets: Sequence[Snapshot], options: Options, *, with_checks: bool | None = None
) -> list[WorkloadReport]:
    if not references or not targets:
        return []  # one side could not be read: its error says so; nothing was added or removed
    matches = match(references, targets, options.mapping)
    out = [_compared(a, b, "peers", options, with_checks=with_checks) for a, b in matches.pairs]
    out.extend(_presence(snapshot, "removed", options) for snapshot in matches.removed)
    out.extend(_presence(snapshot, "added", options) for snapshot in matches.added)
    return out


def _against_contracts(
    contracts: Sequence[Contract], target: Side, options: Options, *, explicit: bool, with_checks: bool
) -> list[WorkloadReport]:
    """Every workload of the target against what covers it. A contract that was named applies to the only
    workload there is."""
    out: list[WorkloadReport] = []
    locks = [c.snapshot for c in contracts if c.kind == "lock"]
    specs = [c for c in contracts if c.kind == "modelspec"]
    locked = match(locks, target.snapshots, options.mapping, lone=explicit) if locks else None
    pairs = {id(b): a for a, b in locked.pairs} if locked is not None else {}
    mapped = {t: r for r, t in options.mapping}
    alone = explicit and len(specs) == 1 and len(target.snapshots) == 1
    used: set[int] = set()
    for snapshot in target.snapshots:
        wanted = mapped.get(snapshot.id) or mapped.get(snapshot.workload.name)
        spec = next(
            (
                c
                for c in specs
                if (wanted == c.snapshot.workload.name if wanted else alone or covers(c.snapshot, snapshot))
            ),
            None,
        )
        lock = pairs.get(id(snapshot))
        report = _checked(snapshot, spec.snapshot if spec else None, options) if with_checks else None
        parts = [report] if report else []
        if spec is not None:
            used.add(id(spec))
            parts.append(_compared(spec.snapshot, snapshot, "contract", options, with_checks=False))
        if lock is not None:
            parts.append(_compared(lock, snapshot, "peers", options, with_checks=False))
        if parts:
            out.append(_merged(parts))
        elif explicit:
            out.append(WorkloadReport(id=snapshot.id, verdict="aligned", engine=snapshot.engine, presence="added"))
    if explicit:
        unused = [c.snapshot for c in specs if id(c) not in used] if target.snapshots else []
        gone = list(locked.removed) if locked is not None and target.snapshots else []
        out.extend(_presence(snapshot, "removed", options) for snapshot in (*unused, *gone))
        if locked is not None:
            out = [
                r if not any(s.id == r.id for s in locked.added) or specs else _added(r, locked.added, options)
                for r in out
            ]
    return out


def _added(report: WorkloadReport, added: Sequence[Snapshot], options: Options) -> WorkloadReport:
    snapshot = next(s for s in added if s.id == report.id)
    return _merged([_presence(snapshot, "added", options), report])


def _merged(parts: Sequence[WorkloadReport]) -> WorkloadReport:
    """One workload seen by several comparisons. A difference found against contract and lock alike is one finding."""
    last = parts[-1]
    findings: dict[str, Finding] = {}
    unknown: dict[tuple[str, str, str], UnknownFact] = {}
    for part in parts:
        for finding in part.findings:
            findings.setdefault(fingerprint(finding), finding)
        for entry in part.unknown:
            unknown.setdefault((entry.fact, entry.key, entry.side), entry)
    return msgspec.structs.replace(
        last,
        reference_id=next((p.reference_id for p in reversed(parts) if p.reference_id), ""),
        presence=parts[0].presence if parts[0].presence != "both" else last.presence,
        findings=tuple(findings.values()),
        unknown=tuple(unknown.values()),
        coverage=Coverage(
            declared=sum(p.coverage.declared for p in parts),
            verified=sum(p.coverage.verified for p in parts),
            unknown=sum(p.coverage.unknown for p in parts),
        ),
    )


def _compared(
    reference: Snapshot,
    target: Snapshot,
    mode: Mode,
    options: Options,
    *,
    with_checks: bool | None = None,
) -> WorkloadReport:
    filled = with_defaults(target, reference)
    if mode == "peers":
        reference = with_defaults(reference, target)
    target = filled
    comparison: Comparison = compare(reference, target, mode)
    flag_for = _flag_for(target)
    differences: Sequence[Difference] = comparison.differences
    more: dict[str, str] = {}
    if any(one.fact.key.startswith("model.tokenizer.") for one in differences):
        from askew.app.apart import tokenizers_apart

        differences, more = tokenizers_apart(differences, reference, target)
    findings = [_difference(d, reference, target, flag_for, more.get(d.fact.key, "")) for d in differences]
    unknown = [
        UnknownFact(
            fact=u.fact.key, key=u.key, side=u.side, reason=u.resolved.reason, observe_with=u.resolved.observe_with
        )
        for u in comparison.unverified
        if _selected((u.fact.key,), options)
    ]
    if mode == "contract":
        unknown.extend(
            UnknownFact(fact=p.fact, side="reference", reason=p.message, observe_with="")
            for p in reference.problems
            if p.fact and _selected((p.fact,), options)
        )
    if with_checks if with_checks is not None else options.checks:
        before = {fingerprint(f): f for f in _check_findings(reference, None)[0]} if with_checks is None else {}
        known = {(f.rule, f.key, f.facts) for f in before.values()}
        failed, needs = _check_findings(target, None)
        findings.extend(f for f in failed if (f.rule, f.key, f.facts) not in known)
        unknown.extend(n for n in needs if _selected((n.fact,), options))
    if mode == "peers":
        findings.extend(skew_of_records(reference, target))
    return WorkloadReport(
        id=target.id,
        reference_id=reference.id,
        verdict="aligned",
        engine=target.engine,
        reference_engine=reference.engine,
        members=target.workload.members,
        findings=tuple(findings),
        unknown=tuple(unknown),
        coverage=Coverage(declared=comparison.declared, verified=comparison.verified, unknown=comparison.unknown),
    )


def _checked(snapshot: Snapshot, contract: Snapshot | None, options: Options) -> WorkloadReport:
    findings, needs = _check_findings(snapshot, contract)
    return WorkloadReport(
        id=snapshot.id,
        verdict="aligned",
        engine=snapshot.engine,
        members=snapshot.workload.members,
        findings=tuple(findings),
        unknown=tuple(n for n in needs if _selected((n.fact,), options)),
    )


def _check_findings(snapshot: Snapshot, contract: Snapshot | None) -> tuple[list[Finding], list[UnknownFact]]:
    findings: list[Finding] = []
    needs: dict[str, UnknownFact] = {}
    subject = Subject(snapshot=snapshot, contract=contract)
    for rule in registry.checks():
        for outcome in rule.run(subject):
            if isinstance(outcome, Needs):
                resolved = snapshot.facts.get(outcome.fact)
                reason = outcome.reason or (resolved.reason if resolved else "") or "no source shows it"
                observe = (resolved.observe_with if resolved else "") or FACTS[outcome.fact].observe_with
                needs.setdefault(
                    outcome.fact,
                    UnknownFact(
                        fact=outcome.fact, side="target", reason=f"{reason} (needed by {rule.id})", observe_with=observe
                    ),
                )
            else:
                findings.append(outcome)
    return findings, list(needs.values())


def _difference(difference: Difference, reference: Snapshot, target: Snapshot, flag_for: FlagFor, more: str) -> Finding:
    """``more`` is told behind the impact."""
    fact = difference.fact
    left, right, apart = told(fact, difference.reference, difference.target)
    left, right = _placed(left, reference), _placed(right, target)
    apart += "." if apart and more else ""
    severity, impact = weight(difference, reference, target)
    return make(
        Finding(
            kind="difference",
            rule=fact.key,
            facts=(fact.key,),
            key=difference.key,
            category=fact.category,
            severity=severity,
            confidence=difference.confidence,
            summary=describe(fact, difference.key, left, right),
            impact=" ".join(part for part in (impact, apart[:1].upper() + apart[1:], more) if part),
            workload=target.id,
            reference=left,
            target=right,
            remedies=remedies(difference, target, flag_for, reference),
            playbook=fact.playbook,
        )
    )


def _placed(resolved: Resolved, snapshot: Snapshot) -> Resolved:
    """A side that nobody wrote is shown at the launch or object where it would stand; what it cites moves to
    ``because``."""
    here = snapshot.launch.location if snapshot.launch is not None else snapshot.workload.location
    shown = places(resolved)
    if shown == resolved.locations and shown:
        return resolved
    given = frozenset(shown)
    cited = tuple(f"see {at}" for at in resolved.locations if at not in given)
    return msgspec.structs.replace(resolved, locations=shown or (here,), because=resolved.because + cited)


def _flag_for(target: Snapshot) -> FlagFor:
    identity = target.engine
    if identity is None or identity.name not in registry.engine_names():
        return lambda fact: None
    engine = registry.engine(identity.name)
    return lambda fact: engine.flag_for(fact, identity.version)


def _presence(snapshot: Snapshot, presence: str, options: Options) -> WorkloadReport:
    gone = presence == "removed"
    kind = Resolved(
        fact="orchestration.kind",
        state="known",
        value=snapshot.workload.kind,
        origin="explicit",
        locations=(snapshot.workload.location,),
    )
    missing = Resolved(fact="orchestration.kind", state="absent", origin="explicit")
    side = "the reference" if gone else "the target"
    finding = make(
        Finding(
            kind="difference",
            rule=f"workload-{presence}",
            facts=("orchestration.kind",),
            category="orchestration",
            severity="medium",
            confidence="certain",
            summary=f"{snapshot.id} is only in {side}",
            impact="Nothing on the other side can be compared with it. If it was renamed, say so with --map OLD=NEW.",
            workload=snapshot.id,
            reference=kind if gone else missing,
            target=missing if gone else kind,
        )
    )
    return WorkloadReport(
        id=snapshot.id,
        reference_id=snapshot.id if gone else "",
        verdict="aligned",
        engine=snapshot.engine,
        presence="removed" if gone else "added",
        findings=(finding,),
    )


def _selected(names: Iterable[str], options: Options) -> bool:
    keys = tuple(names)
    ignored = (*options.ignore, *options.config.ignore)
    if any(_glob(key, pattern) for key in keys[:1] for pattern in ignored):
        return False
    return not options.only or any(_glob(key, pattern) for key in keys for pattern in options.only)


def _glob(key: str, pattern: str) -> bool:
    return fnmatchcase(key, pattern) or key.startswith(f"{pattern}.")


def _report(
    command: str,
    sides: Sequence[Side],
    workloads: Iterable[WorkloadReport],
    options: Options,
    assumed: tuple[Assumption, ...],
) -> Report:
    statuses = tuple(status for side in sides for status in side.statuses)
    errors = tuple(error for side in sides for error in side.errors)
    written = waivers.comments(document for side in sides for document in side.documents)
    snapshots = [s for side in sides for s in side.snapshots if s.workload.ignores]
    finished = tuple(_finished(w, options, written, snapshots) for w in workloads)
    return Report(
        command=command,
        verdict=_overall(finished, statuses, errors),
        sources=statuses,
        workloads=tuple(sorted(finished, key=_worst_first)),
        fail_on=options.fail_on,
        assumed=assumed,
        errors=errors,
        notes=tuple(note for side in sides for note in side.notes),
        generated_at=options.now,
        tool_version=__version__,
    )


def _finished(
    workload: WorkloadReport,
    options: Options,
    written: waivers.Comments,
    snapshots: Sequence[Snapshot],
) -> WorkloadReport:
    chosen = [f for f in workload.findings if _selected((f.rule, *f.facts), options)]
    waived = waivers.apply(chosen, options.config, written, snapshots, options.today)
    known = options.baseline
    marked = [
        f if known is None else msgspec.structs.replace(f, baseline="existing" if fingerprint(f) in known else "new")
        for f in waived
    ]
    findings = tuple(sorted(marked, key=_finding_order))
    verdict = _verdict(
        findings, options.fail_on, bool(workload.unknown) and any(_of_reference(u) for u in workload.unknown)
    )
    return msgspec.structs.replace(workload, findings=findings, verdict=verdict)


def _of_reference(entry: UnknownFact) -> bool:
    return "(needed by " not in entry.reason


def _verdict(findings: Iterable[Finding], fail_on: Severity, unknown: bool) -> Verdict:
    if any(counts(finding, fail_on) for finding in findings):
        return "skewed"
    return "incomplete" if unknown else "aligned"


def _overall(
    workloads: Sequence[WorkloadReport], statuses: Sequence[SourceStatus], errors: Sequence[InputError]
) -> Verdict:
    verdicts = {w.verdict for w in workloads}
    if "skewed" in verdicts:
        return "skewed"
    if "incomplete" in verdicts or errors or any(s.status != "complete" for s in statuses):
        return "incomplete"
    return "aligned"


def _finding_order(finding: Finding) -> tuple[bool, int, str, str, str]:
    return (finding.waiver is not None, SEVERITIES.index(finding.severity), finding.category, finding.rule, finding.key)


def _worst_first(workload: WorkloadReport) -> tuple[int, int, str]:
    live = [SEVERITIES.index(f.severity) for f in workload.findings if f.waiver is None]
    return (0 if workload.verdict == "skewed" else 1, min(live, default=len(SEVERITIES)), workload.id)


def exit_code(report: Report, *, strict: bool = False) -> int:
    """0 aligned, 1 findings at or above ``fail_on``, 2 an input was unreadable, 3 incomplete with ``strict``."""
    if report.errors:
        return 2
    if report.verdict == "skewed":
        return 1
    return 3 if strict and report.verdict == "incomplete" else 0
