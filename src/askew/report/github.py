"""GitHub workflow commands: annotations at the line in a pull request.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions. The text comes from inspected files,
so a line break in it must never begin a command of its own: controls are written as escapes first, then the command's
own escaping is applied.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.evidence.location import Location
from askew.facts.types import Severity
from askew.findings.finding import Finding
from askew.report import present
from askew.report.model import Report
from askew.report.present import clean, everywhere, file_of

_COMMAND: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "notice",
    "info": "notice",
}


def render(report: Report) -> str:
    """One command per finding that is neither waived nor known before, then the verdict."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    for error in report.errors:
        at = Location(source=error.source, line=error.line, column=error.column)
        hint = [f"hint: {clean(error.hint)}"] if error.hint else []
        yield _command("error", at, "askew: unreadable input", [clean(error.message), *hint])
    selections = [present.select(workload) for workload in report.workloads]
    for workload, selection in zip(report.workloads, selections, strict=True):
        for finding in selection.findings:
            title = f"{present.name(finding)} ({clean(workload.id)})"
            yield _command(
                _COMMAND[finding.severity], _place(finding), title, [present.headline(finding), *present.lines(finding)]
            )
    live = [finding for selection in selections for finding in selection.findings]
    waived = sum(len(selection.waived) for selection in selections)
    more = f", {waived} waived" if waived else ""
    yield f"askew: {report.verdict}, {present.tally(live)}{more}"


def _place(finding: Finding) -> Location | None:
    """The first place that is a file: annotations stand in files."""
    return next((at for at in everywhere(finding) if file_of(at) is not None), None)


def _command(name: str, at: Location | None, title: str, lines: list[str]) -> str:
    properties = []
    file = file_of(at) if at is not None else None
    if at is not None and file is not None:
        properties.append(f"file={_property(clean(file))}")
        if at.line:
            properties.append(f"line={at.line}")
        if at.column:
            properties.append(f"col={at.column}")
    properties.append(f"title={_property(title)}")
    return f"::{name} {','.join(properties)}::{_data(chr(10).join(lines))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
