"""A comment for a pull request: a table per workload, the reasons and steps folded beneath.

Whatever comes from inspected files stands in code spans or is escaped: it cannot mention people or become a heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from askew.findings.finding import Finding, places
from askew.report import present
from askew.report.model import Report, UnknownFact, WorkloadReport
from askew.report.present import clean, many, place
from askew.resolve.workload import Resolved

# GitHub refuses a comment above 65,536 characters, GitLab one above a million.
_LARGEST = 60_000
_LONG = 160
_MOST = 50  # findings of one workload
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~@&$]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;"}
_TICKS = re.compile("`+")


def render(report: Report) -> str:
    """Markdown of at most about 60,000 characters; what did not fit is counted."""
    blocks = [_title(report), *_frame(report)]
    room = _LARGEST - sum(len(block) for block in blocks)
    left = 0
    for workload in report.workloads:
        text = _workload(workload)
        if len(text) + 2 > room:
            text = _brief(workload)
        if len(text) + 2 > room:
            left += 1
            continue
        room -= len(text) + 2
        blocks.append(text)
    if left:
        blocks.append(f"{many(left, 'workload')} more: too long for a comment, see `--format text` or `json`.")
    return "\n\n".join(blocks) + "\n"


def _title(report: Report) -> str:
    selections = [present.select(workload) for workload in report.workloads]
    live = [finding for selection in selections for finding in selection.findings]
    parts = [present.tally(live) if live else "nothing found" if report.workloads else "no workload was compared"]
    for count, word in (
        (sum(len(s.waived) for s in selections), "waived"),
        (sum(len(s.existing) for s in selections), "known before"),
    ):
        if count:
            parts.append(f"{count} {word}")
    declared = sum(w.coverage.declared for w in report.workloads)
    if declared:
        parts.append(f"{sum(w.coverage.verified for w in report.workloads)} of {declared} settings verified")
    return f"### Askew: {report.verdict}\n\n" + "; ".join(parts)


def _frame(report: Report) -> Iterator[str]:
    lines = []
    for source in report.sources:
        state = ""
        if source.status != "complete":
            reason = f": {_escape(source.reason)}" if source.reason else ""
            state = f" **{source.status}**{reason}"
        lines.append(f"- {source.role} {_code(source.uri)}{state}")
    lines.extend(f"- assumed {_code(f'{one.fact} = {one.value}')}" for one in report.assumed)
    for error in report.errors:
        where = error.source + (f":{error.line}" if error.line else "")
        lines.append(f"- unreadable {_code(where)}: {_escape(error.message)}")
    if lines:
        yield "\n".join(lines)


def _workload(workload: WorkloadReport) -> str:
    selection = present.select(workload)
    engine = present.engines(workload)
    blocks = [f"#### {_code(workload.id)}" + (f" {_escape(engine)}" if engine else "")]
    if not selection.live:
        blocks[0] += f": {workload.verdict}"
    else:
        rows = ["| | | reference | target |", "|---|---|---|---|"]
        rows.extend(_row(finding, also) for finding, also in selection.live[:_MOST])
        blocks.append("\n".join(rows))
        if len(selection.live) > _MOST:
            blocks.append(f"and {len(selection.live) - _MOST} more; `--format text` or `json` shows all.")
        blocks.append(
            _folded("Why, and how to fix it", "\n".join(_why([first for first, _ in selection.live[:_MOST]])))
        )
    if selection.existing:
        blocks.append(_folded(f"Known before ({len(selection.existing)})", _list(selection.existing)))
    if selection.waived:
        blocks.append(_folded(f"Waived ({len(selection.waived)})", "\n".join(_waived(selection.waived))))
    if workload.unknown:
        blocks.append(_folded(f"Not seen ({len(workload.unknown)})", "\n".join(_unknown(workload.unknown))))
    return "\n\n".join(blocks)


def _brief(workload: WorkloadReport) -> str:
    found = present.tally(present.select(workload).findings)
    return f"#### {_code(workload.id)}: {workload.verdict}, {found}; `--format text` or `json` shows them."


def _row(finding: Finding, also: Sequence[Finding]) -> str:
    what = _code(present.name(finding)) if finding.kind == "difference" else _escape(finding.summary)
    if finding.confidence != "certain":
        what += f" ({finding.confidence})"
    for other in also:
        what += f"<br>also {_code(_short(clean(other.summary)))}"
    told = {role: _cell(side, text) for role, side, text in present.sides(finding, _LONG)}
    # A bar ends a cell even inside a code span, unless it is escaped.
    cells = (
        cell.replace("|", "\\|")
        for cell in (f"**{finding.severity}**", what, told.get("reference", ""), told.get("target", ""))
    )
    return f"| {' | '.join(cells)} |"


def _cell(side: Resolved, text: str) -> str:
    where = _code(place(places(side)[0])) if places(side) else ""
    parts = [_code(text), present.origin(side), where]
    reason = f"<br>{_escape(side.reason)}" if side.state == "unknown" and side.reason else ""
    return "<br>".join([parts[0], " ".join(part for part in parts[1:] if part)]).removesuffix("<br>") + reason


def _why(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"- {_code(present.name(finding))}: {_escape(finding.impact or finding.summary)}"
        for remedy in finding.remedies[:1]:
            yield f"  - fix: {_escape(remedy.action)}"
            if remedy.verify:
                yield f"  - verify: {_code(remedy.verify)}"


def _list(findings: Sequence[Finding]) -> str:
    return "\n".join(f"- {finding.severity} {_code(_short(clean(finding.summary)))}" for finding in findings)


def _waived(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        if finding.waiver is not None:
            until = f", until {_escape(finding.waiver.expires)}" if finding.waiver.expires else ""
            owner = f", {_escape(finding.waiver.owner)}" if finding.waiver.owner else ""
            yield f"- {_code(present.name(finding))}: {_escape(finding.waiver.reason)}{owner}{until}"


def _unknown(unknown: Sequence[UnknownFact]) -> Iterator[str]:
    for one in unknown:
        name = one.fact + (f"[{one.key}]" if one.key else "")
        observe = f"; see {_code(one.observe_with)}" if one.observe_with else ""
        yield f"- {_code(name)} ({one.side}): {_escape(one.reason)}{observe}"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _short(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"


def _code(text: str) -> str:
    """A code span with enough backticks around it."""
    inner = clean(text)
    if not inner.strip():
        return ""
    longest = max((len(run) for run in _TICKS.findall(inner)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if inner.startswith("`") or inner.endswith("`") else ""
    return f"{fence}{padding}{inner}{padding}{fence}"


def _escape(text: str) -> str:
    """Prose from elsewhere, so that Markdown, HTML and mentions of people or issues do not read it as theirs."""
    return _SPECIAL.sub(_escaped, clean(text))


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if found in "@#":  # GitHub looks for mentions after it has read escapes and entities; a comment parts the text
        return found + "<!-- -->"
    return _ENTITIES.get(found) or "\\" + found
