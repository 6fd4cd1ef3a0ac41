"""JUnit XML, in the form that GitLab and Jenkins read: a suite per workload, a test case per finding.

A finding that decides the verdict fails; one that was waived or known before is skipped; one below the threshold passes
and says so in its output. A workload without findings has one case that passes.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.findings.finding import Finding, counts
from askew.report import present
from askew.report.model import InputError, Report, WorkloadReport
from askew.report.present import clean, everywhere


def render(report: Report) -> str:
    """The document, indented, in UTF-8."""
    suites = [_suite(workload, report) for workload in report.workloads]
    if report.errors:
        suites.insert(0, _inputs(report.errors))
    tests = sum(s.count("<testcase ") for s in suites)
    failures = sum(s.count("<failure ") for s in suites)
    errors = sum(s.count("<error ") for s in suites)
    name = _attribute(f"askew {report.command}")
    head = f'<testsuites name={name} tests="{tests}" failures="{failures}" errors="{errors}">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *suites, "</testsuites>", ""])


def _suite(workload: WorkloadReport, report: Report) -> str:
    cases = [_case(workload, finding, report) for finding in workload.findings]
    cases.extend(_unseen(workload))
    if not workload.findings:
        cases.append(f"    <testcase classname={_attribute(clean(workload.id))} name={_attribute(_passing(report))}/>")
    return _wrapped(clean(workload.id), cases, report.generated_at)


def _passing(report: Report) -> str:
    return "agrees with its reference" if report.command == "diff" else "passes every check"


def _wrapped(name: str, cases: list[str], when: str = "") -> str:
    text = "\n".join(cases)
    failures, errors, skipped = (text.count(f"<{word} ") for word in ("failure", "error", "skipped"))
    at = f" timestamp={_attribute(when.removesuffix('Z'))}" if when else ""
    counted = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    head = f"  <testsuite name={_attribute(name)} {counted}{at}>"
    return "\n".join([head, text, "  </testsuite>"])


def _case(workload: WorkloadReport, finding: Finding, report: Report) -> str:
    first = next(iter(everywhere(finding)), None)
    file = present.file_of(first) if first is not None else None
    at = f" file={_attribute(clean(file))}" if file is not None else ""
    if first is not None and file is not None and first.line:
        at += f' line="{first.line}"'
    head = f"    <testcase classname={_attribute(clean(workload.id))} name={_attribute(present.name(finding))}{at}>"
    return "\n".join([head, f"      {_outcome(finding, report)}", "    </testcase>"])


def _outcome(finding: Finding, report: Report) -> str:
    said = _attribute(present.headline(finding))
    if finding.waiver is not None:
        waiver = finding.waiver
        until = f" until {clean(waiver.expires)}" if waiver.expires else ""
        return f"<skipped message={_attribute(f'waived{until}: {clean(waiver.reason)}')}/>"
    if finding.baseline == "existing":
        return f"<skipped message={_attribute('known before')}/>"
    body = _text("\n".join(present.lines(finding)))
    if not counts(finding, report.fail_on):
        return f"<system-out>{_text(finding.severity + ': ')}{_text(present.headline(finding))}\n{body}</system-out>"
    return f"<failure type={_attribute(finding.severity)} message={said}>{body}</failure>"


def _unseen(workload: WorkloadReport) -> Iterator[str]:
    for one in workload.unknown:
        name = clean(one.fact) + (f"[{clean(one.key)}]" if one.key else "")
        reason = f"not seen in the {one.side}: {clean(one.reason)}"
        yield "\n".join(
            [
                f"    <testcase classname={_attribute(clean(workload.id))} name={_attribute(name + ' is known')}>",
                f"      <skipped message={_attribute(reason)}/>",
                "    </testcase>",
            ]
        )


def _inputs(errors: tuple[InputError, ...]) -> str:
    cases = []
    for error in errors:
        where = clean(error.source) + (f":{error.line}" if error.line else "")
        hint = _text(f"hint: {clean(error.hint)}" if error.hint else "")
        cases.append(
            f'    <testcase classname="inputs" name={_attribute(where)}>\n'
            f'      <error type="unreadable" message={_attribute(clean(error.message))}>{hint}</error>\n'
            f"    </testcase>"
        )
    return _wrapped("inputs", cases)


def _attribute(text: str) -> str:
    from xml.sax.saxutils import quoteattr

    return quoteattr(text)


def _text(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(text)
