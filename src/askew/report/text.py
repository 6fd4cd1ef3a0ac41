"""The report for people: what changed, where it stands on both sides, what to do. No colour unless asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from askew.facts.types import Value
from askew.findings.finding import Finding, places
from askew.report import present
from askew.report.model import Report, Role, UnknownFact, WorkloadReport
from askew.report.present import DEFAULTS, ORIGINS, clean, many, place
from askew.report.style import NARROWEST, Style, columns, wrap
from askew.resolve.workload import Hop, MemberValue, Resolved, Shadowed

_SEVERITY_STYLE = {"critical": "1;31", "high": "31", "medium": "33", "low": "36", "info": "2"}
_VERDICT_STYLE = {"skewed": "1;31", "incomplete": "1;33", "aligned": "1;32"}
_SIGN: dict[Role, str] = {"reference": "-", "target": "+"}
_SIGN_STYLE = {"-": "31", "+": "32", " ": ""}
_LONG = 240  # characters of one value; -v shows all
_FEW = 4
_MOST_MEMBERS = 6


def render(report: Report, *, color: bool, width: int, verbose: bool) -> str:
    """The whole report. ``width`` is in columns; anything below 40 is taken as 40."""
    style = Style(color)
    room = max(width, NARROWEST)
    blocks: list[list[str]] = [list(_sources(report, style, room))]
    aligned: list[str] = []
    for workload in report.workloads:
        lines = list(_workload(workload, style, room, verbose))
        if len(lines) == 1:
            aligned.extend(lines)
            continue
        if aligned:
            blocks.append(aligned)
            aligned = []
        blocks.append(lines)
    blocks.append(aligned)
    blocks.append(list(_verdict(report, style, room)))
    return "\n\n".join("\n".join(block).rstrip("\n") for block in blocks if block) + "\n"


# -- the frame ---------------------------------------------------------------------------------------------------------


def _sources(report: Report, style: Style, width: int) -> Iterator[str]:
    """Who is compared with whom; it is also the legend of the signs."""
    paired = any(source.role == "reference" for source in report.sources)
    for source in report.sources:
        sign = _SIGN[source.role] if paired else " "
        label = f"{sign} {source.role:<9}  " if paired else ""
        line = style.paint(label, _SIGN_STYLE[sign]) + clean(source.uri)
        if source.status == "complete":
            yield line
            continue
        reason = f": {clean(source.reason)}" if source.reason else ""
        yield line
        yield from wrap(f"{source.status}{reason}", width, "    ", style, "33")
    for assumed in report.assumed:
        yield from wrap(f"assumed: {clean(assumed.fact)} = {clean(assumed.value)} (--assume)", width, "", style, "33")


def _verdict(report: Report, style: Style, width: int) -> Iterator[str]:
    selections = [present.select(workload) for workload in report.workloads]
    live = [finding for selection in selections for finding in selection.findings]
    waived = sum(len(selection.waived) for selection in selections)
    existing = sum(len(selection.existing) for selection in selections)
    parts: list[str] = []
    if live:
        hit = sum(1 for selection in selections if selection.live)
        where = f" in {hit} of {many(len(selections), 'workload')}" if len(selections) > 1 else ""
        below = report.verdict != "skewed"
        parts.append(present.tally(live) + where + (f", none at or above {report.fail_on}" if below else ""))
    elif report.workloads:
        parts.append("no differences" if report.command == "diff" else "no findings")
    else:
        parts.append("no workload was compared" if report.command == "diff" else "no workload was checked")
    if waived:
        parts.append(f"{waived} waived")
    if existing:
        parts.append(f"{existing} known before")
    if report.verdict == "incomplete":
        parts.append("not everything could be seen")
    if report.errors:
        parts.append(many(len(report.errors), "input") + " could not be read")
    word = style.paint(report.verdict, _VERDICT_STYLE[report.verdict])
    text = "; ".join(parts)
    first, *rest = wrap(f"{report.verdict}: {text}", width, "", style)
    yield word + first[len(report.verdict) :]
    yield from rest
    declared = sum(w.coverage.declared for w in report.workloads)
    if declared:
        verified = sum(w.coverage.verified for w in report.workloads)
        unknown = sum(w.coverage.unknown for w in report.workloads)
        missing = f"; {unknown} not seen" if unknown else ""
        yield from wrap(
            f"coverage: {verified} of {declared} settings of the reference verified{missing}", width, "", style, "2"
        )


# -- one workload ------------------------------------------------------------------------------------------------------


def _workload(workload: WorkloadReport, style: Style, width: int, verbose: bool) -> Iterator[str]:
    selection = present.select(workload)
    yield _title(workload, selection, style)
    label = max((len(finding.severity) for finding, _ in selection.live), default=0)
    told: set[str] = set()  # several keys of one map have one impact: it is said once
    for category in dict.fromkeys(finding.category for finding, _ in selection.live):
        yield "  " + style.paint(category, "4") if style.color else f"  {category}"
        for finding, also in selection.live:
            if finding.category == category:
                impact = "" if finding.impact in told else finding.impact
                told.add(finding.impact)
                yield from _finding(finding, also, impact, style, width, label, verbose)
                yield ""
    if selection.existing:
        yield from _existing(selection.existing, style, width, verbose)
    if selection.waived:
        yield from _waived(selection.waived, style, width)
    yield from _unknown(workload.unknown, style, width, verbose)


def _title(workload: WorkloadReport, selection: present.Selection, style: Style) -> str:
    title = style.paint(clean(workload.id), "1")
    if workload.reference_id and workload.reference_id != workload.id:
        title = clean(workload.reference_id) + " → " + title
    engine = present.engines(workload)
    title += f"  {engine}" if engine else ""
    if workload.presence != "both":
        title += "  only in the " + ("target" if workload.presence == "added" else "reference")
    if workload.members:
        title += "  with " + ", ".join(f"{clean(m.role)} ×{m.pods}" for m in workload.members)
    if not selection.live:
        coverage = workload.coverage
        seen = f", {coverage.verified} of {coverage.declared} verified" if coverage.declared else ""
        title += f"  {style.paint(workload.verdict, _VERDICT_STYLE[workload.verdict])}{seen}"
    return title


def _finding(
    finding: Finding, also: Sequence[Finding], impact: str, style: Style, width: int, label: int, verbose: bool
) -> Iterator[str]:
    severity = style.paint(finding.severity.upper().ljust(label), _SEVERITY_STYLE[finding.severity])
    hang = " " * (6 + label)
    first, *rest = wrap(present.headline(finding), width, hang, style)
    yield f"    {severity}  {first[len(hang) :]}"
    yield from rest
    yield from _sides(finding, style, width, verbose)
    for other in also:
        yield from wrap(f"also: {clean(other.summary)}", width, "      ", style)
    if impact:
        yield from wrap(clean(impact), width, "      ", style, "2")
    for remedy in finding.remedies if verbose else finding.remedies[:1]:
        at = f" ({place(remedy.location)})" if remedy.location is not None and remedy.location.source else ""
        yield from wrap(f"fix: {clean(remedy.action)}{at if verbose else ''}", width, "      ", style, hang=5)
        if verbose:
            yield from _remedy(remedy.text, remedy.verify, remedy.undo, style)
    if verbose and finding.playbook:
        yield from wrap(f"playbook: {clean(finding.playbook)}", width, "      ", style, "2")


def _remedy(text: str, verify: str, undo: str, style: Style) -> Iterator[str]:
    for word, said in (("write", text), ("verify", verify), ("undo", undo)):
        if said:
            yield _command(word, said, "           ", style)


def _command(word: str, said: str, indent: str, style: Style) -> str:
    """Something to copy: never wrapped, since a terminal that wraps it itself still copies one line."""
    return indent + style.paint(f"{word}: {clean(said)}", "2")


def _sides(finding: Finding, style: Style, width: int, verbose: bool) -> Iterator[str]:
    found = present.sides(finding, sys.maxsize if verbose else _LONG)
    # A check looks at one side: nothing was taken away or added.
    shown = [(_SIGN[role] if len(found) > 1 else " ", side, text) for role, side, text in found]
    cells = [(text, present.origin(side), _where(finding, side)) for _, side, text in shown]
    for (sign, side, _), lines in zip(shown, columns(cells, width, "        "), strict=True):
        mark = style.paint(sign, _SIGN_STYLE[sign])
        yield f"      {mark} {lines[0][8:]}".rstrip()
        yield from lines[1:]
        yield from _beneath(finding, side, style, width, verbose)


def _where(finding: Finding, side: Resolved) -> str:
    """The place; a check is proved by all of its places, a difference by the first on each side. Where members differ,
    each value is shown with its own."""
    if any(one.location is not None for one in side.values):
        return ""
    found = list(dict.fromkeys(place(at) for at in places(side)))
    if finding.kind == "difference":
        return found[0] if found else ""
    more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
    return ", ".join(found[:_FEW]) + more


def _beneath(finding: Finding, side: Resolved, style: Style, width: int, verbose: bool) -> Iterator[str]:
    """What else tells how the side came about: hops, values that lost, and with -v the reasons."""
    if len(side.hops) == 1 and finding.kind == "difference":
        yield from wrap(f"at {clean(side.hops[0].name)}", width, "          ", style, "2")
    elif len(side.hops) > 1:
        cells = [
            (f"{clean(hop.name)}: {_shown(side, hop.value)}", ORIGINS.get(hop.origin, hop.origin), _at(hop))
            for hop in side.hops
        ]
        for lines in columns(cells, width, "          "):
            yield from (style.paint(line, "2") for line in lines)
    if side.values:
        alike = _alike(side, verbose)
        cells = [
            (
                f"{clean(one.member)}{f' and {count - 1} more' if count > 1 else ''}: "
                + ("not set" if one.value is None else _shown(side, one.value)),
                "",
                place(one.location) if one.location else "",
            )
            for one, count in alike[: None if verbose else _MOST_MEMBERS]
        ]
        for lines in columns(cells, width, "          "):
            yield from (style.paint(line, "2") for line in lines)
        if len(alike) > len(cells):
            rest = sum(count for _, count in alike[len(cells) :])
            yield style.paint(f"          and {rest} more, shown with -v", "2")
    for lost in side.shadowed:
        if verbose or lost.origin not in DEFAULTS:
            at = _at(lost)
            words = f"overrides {_shown(side, lost.value)} ({ORIGINS.get(lost.origin, lost.origin)}"
            yield from wrap(words + (f", {at})" if at else ")"), width, "          ", style, "2")
    if side.state == "unknown" and side.reason:
        yield from wrap(clean(side.reason), width, "          ", style)
    if side.state == "unknown" and side.observe_with:
        yield _command("see", side.observe_with, "          ", style)
    if verbose:
        for reason in side.because:
            yield from wrap(f"because: {clean(reason)}", width, "          ", style, "2", hang=9)
        for other in places(side)[1:] if finding.kind == "difference" else ():
            yield from wrap(f"also at {place(other)}", width, "          ", style, "2")


def _alike(side: Resolved, verbose: bool) -> list[tuple[MemberValue, int]]:
    """The first member with each value, and how many have it; with -v each member by itself."""
    if verbose:
        return [(one, 1) for one in side.values]
    counted: dict[str, tuple[MemberValue, int]] = {}
    for one in side.values:
        first, count = counted.get(repr(one.value), (one, 0))
        counted[repr(one.value)] = (first, count + 1)
    return sorted(counted.values(), key=lambda group: -group[1])


def _shown(side: Resolved, raw: Value) -> str:
    return present.excerpts(present.shown_as(side.fact, raw, side.key), "", _LONG)[0]


def _at(known: Shadowed | Hop) -> str:
    return next((place(at) for at in places(known)), "")


# -- what is not a finding to act on -----------------------------------------------------------------------------------


def _existing(findings: Sequence[Finding], style: Style, width: int, verbose: bool) -> Iterator[str]:
    yield from wrap(
        f"known before: {present.tally(findings)}{'' if verbose else ', shown with -v'}", width, "  ", style
    )
    if verbose:
        for finding in findings:
            yield from wrap(f"{finding.severity}  {clean(finding.summary)}", width, "    ", style, "2")


def _waived(findings: Sequence[Finding], style: Style, width: int) -> Iterator[str]:
    yield f"  waived ({len(findings)})"
    for finding in findings:
        waiver = finding.waiver
        if waiver is None:
            continue
        until = f", until {clean(waiver.expires)}" if waiver.expires else ""
        owner = f", {clean(waiver.owner)}" if waiver.owner else ""
        at = f" ({place(waiver.location)})" if waiver.location.source else ""
        text = f"{present.name(finding)}: {clean(waiver.reason)}{owner}{until}{at}"
        yield from wrap(text, width, "    ", style, "2", hang=2)


def _unknown(unknown: Sequence[UnknownFact], style: Style, width: int, verbose: bool) -> Iterator[str]:
    """Grouped by reason: many facts are unseen for one reason."""
    groups: dict[tuple[Role, str, str], list[str]] = {}
    for one in unknown:
        name = clean(one.fact) + (f"[{clean(one.key)}]" if one.key else "")
        groups.setdefault((one.side, clean(one.reason), clean(one.observe_with)), []).append(name)
    if not groups:
        return
    yield f"  not seen ({len(unknown)})"
    shown = list(groups.items()) if verbose else list(groups.items())[:_FEW]
    for (side, reason, observe), names in shown:
        where = "" if side == "target" else " (reference)"
        yield from wrap(f"{', '.join(names)}{where}: {reason}", width, "    ", style, hang=2)
        if observe:
            yield _command("see", observe, "      ", style)
    rest = sum(len(names) for _, names in groups.items()) - sum(len(names) for _, names in shown)
    if rest:
        yield f"    and {rest} more, shown with -v"
