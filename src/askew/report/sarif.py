"""SARIF 2.1.0, as GitHub code scanning takes it.

The standard: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html (OASIS).

GitHub shows a result at a file and refuses one without; a result about something that is no file (a live object, a
command, stdin) therefore has a logical location and, as artifact, its source by name.
"""

from __future__ import annotations

import re

import msgspec

from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Severity, Value
from askew.findings.finding import Finding, fingerprint, places
from askew.report import present
from askew.report.model import InputError, Report, WorkloadReport
from askew.report.present import file_of, plain

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL: dict[Severity, str] = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
_LINK = re.compile(r"\[(?=[^\[\]]*\]\()")
_PLACEHOLDER = re.compile(r"\{(\d+)\}")

Json = dict[str, Value]


def render(report: Report) -> str:
    """One run with one result per finding. Every result names its rule, its place and its fingerprint."""
    found = [(workload, finding) for workload in report.workloads for finding in workload.findings]
    first: dict[str, Finding] = {}
    for _, finding in found:
        first.setdefault(finding.rule, finding)
    rules = sorted(first)
    order = {rule: index for index, rule in enumerate(rules)}
    driver: Json = {
        "name": "askew",
        "fullName": "Askew: training-serving configuration skew",
        "rules": [_rule(first[rule]) for rule in rules],
    }
    if report.tool_version:
        driver["semanticVersion"] = report.tool_version
    invocation: Json = {
        "executionSuccessful": not report.errors,
        "toolExecutionNotifications": [_notification(error) for error in report.errors],
    }
    if report.generated_at:
        invocation["endTimeUtc"] = report.generated_at
    run: Json = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": [_result(workload, finding, order[finding.rule]) for workload, finding in found],
        "properties": {"command": report.command, "verdict": report.verdict, "failOn": report.fail_on},
    }
    document: Json = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _rule(finding: Finding) -> Json:
    fact = FACTS.get(finding.rule)
    brief = fact.brief if fact is not None else finding.rule.replace("-", " ").capitalize()
    why = fact.why if fact is not None else finding.impact or brief
    more = f"`askew explain {finding.rule}` tells more."
    rule: Json = {
        "id": plain(finding.rule),
        "name": plain(finding.rule),
        "shortDescription": {"text": _message(brief)},
        "fullDescription": {"text": _message(why)},
        "help": {"text": _message(f"{why}\n\n{more}"), "markdown": plain(f"{why}\n\n{more}")},
        "defaultConfiguration": {"level": _LEVEL[fact.severity if fact is not None else finding.severity]},
        "properties": {"tags": [finding.category, finding.kind]},
    }
    return rule


def _result(workload: WorkloadReport, finding: Finding, index: int) -> Json:
    target = places(finding.target) if finding.target is not None else ()
    reference = places(finding.reference) if finding.reference is not None else ()
    # Where the target is no file, a file of the reference (a contract, last-good) is the place that people can open.
    everywhere = (*target, *reference)
    primary = next((at for at in everywhere if file_of(at) is not None), everywhere[0] if everywhere else None)
    related = [at for at in dict.fromkeys((*reference, *target)) if at is not primary]
    result: Json = {
        "ruleId": plain(finding.rule),
        "ruleIndex": index,
        "level": _LEVEL[finding.severity],
        "kind": "fail",
        "message": {"text": _message("\n".join((present.headline(finding), *present.lines(finding))))},
        "locations": [_location(primary, workload.id)] if primary is not None else [],
        "partialFingerprints": {"askew/v1": fingerprint(finding)},
        "properties": {
            "severity": finding.severity,
            "confidence": finding.confidence,
            "category": finding.category,
            "kind": finding.kind,
            "workload": plain(workload.id),
            "facts": [plain(fact) for fact in finding.facts],
        },
    }
    if related:
        result["relatedLocations"] = [
            {
                **_location(at, workload.id),
                "id": number,
                "message": {"text": "reference" if at in reference else "target"},
            }
            for number, at in enumerate(related, 1)
        ]
    if finding.waiver is not None:
        waiver = finding.waiver
        suppression: Json = {"kind": "external", "status": "accepted", "justification": plain(waiver.reason)}
        details: Json = {}
        if waiver.owner:
            details["owner"] = plain(waiver.owner)
        if waiver.expires:
            details["expires"] = plain(waiver.expires)
        if details:
            suppression["properties"] = details
        if waiver.location.source:
            suppression["location"] = _location(waiver.location, "")
        result["suppressions"] = [suppression]
    if finding.baseline is not None:
        result["baselineState"] = "unchanged" if finding.baseline == "existing" else "new"
    return result


def _message(text: str) -> str:
    """Say ``[text](1)`` and ``{0}`` literally, which SARIF reads as a link and a placeholder (3.11.5, 3.11.6)."""
    return _PLACEHOLDER.sub(r"{{\1}}", _LINK.sub(r"\\[", plain(text)))


def _location(at: Location, workload: str) -> Json:
    path = file_of(at)
    logical: list[Value] = []
    name = at.object or at.path or at.source or "unknown"
    if at.object or at.path or path is None:
        logical.append(
            {
                "name": plain(at.path or name),
                "fullyQualifiedName": plain(
                    " ".join(part for part in (at.object or workload, at.path) if part) or name
                ),
                "kind": "resource" if at.object else "member",
            }
        )
    artifact: Json = {"uri": _uri(at.source if path is None else path, is_file=path is not None)}
    if path is None:
        artifact["description"] = {"text": _message(f"not a file: {at.source}")}
    elif not path.startswith(("/", "..")):
        artifact["uriBaseId"] = "%SRCROOT%"
    physical: Json = {"artifactLocation": artifact}
    if at.line:
        region: Json = {"startLine": at.line}
        if at.column:
            region["startColumn"] = at.column
        physical["region"] = region
    location: Json = {"physicalLocation": physical}
    if logical:
        location["logicalLocations"] = logical
    return location


def _uri(source: str, *, is_file: bool) -> str:
    """A relative reference (RFC 3986), ``file:`` for an absolute path; the name of what is no file, in one segment."""
    from urllib.parse import quote

    text = plain(source)
    if not is_file:
        return quote("stdin" if text == "-" else text or "unknown", safe="")
    if text.startswith("/"):
        return "file://" + quote(text, safe="/")
    return quote(text, safe="/")


def _notification(error: InputError) -> Json:
    at = Location(source=error.source, line=error.line, column=error.column)
    hint = f"\nHint: {error.hint}" if error.hint else ""
    return {
        "level": "error",
        "message": {"text": _message(error.message + hint)},
        "locations": [_location(at, "")],
        "descriptor": {"id": "unreadable-input"},
    }
