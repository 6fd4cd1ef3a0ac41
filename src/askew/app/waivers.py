"""Findings that somebody accepted: in ``askew.toml``, in a comment beside the line, or in an annotation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from askew.app import registry
from askew.app.config import Config, is_date
from askew.app.errors import UsageError
from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.findings.finding import Finding, Waiver
from askew.resolve.workload import Snapshot

# `# askew: ignore[rule, other-rule] the reason  until=2026-12-31`; rules are names of checks or fact keys,
# globs allowed.
_COMMENT = re.compile(r"#\s*askew:\s*ignore\[([^\]]*)\]\s*(.*)$")
_UNTIL = re.compile(r"\s*\buntil[= ](\S+)\s*")

# What a comment waives: source → line → (rule globs, waiver).
Comments = Mapping[str, Mapping[int, tuple[tuple[str, ...], Waiver]]]


def verify(config: Config) -> None:
    """Raise UsageError for a waiver of ``askew.toml`` whose rule no fact or check can have: it would look like
    protection that is not there."""
    names = (*FACTS, *registry.check_names(), "workload-added", "workload-removed") if config.waivers else ()
    for entry in config.waivers:
        if not any(fnmatchcase(name, entry.rule) for name in names):
            from difflib import get_close_matches

            near = get_close_matches(entry.rule, names, n=3, cutoff=0.6)
            raise UsageError(
                f"{entry.waiver.location}: no rule is called '{entry.rule}'",
                f"did you mean {' or '.join(near)}?" if near else "`askew explain` lists every fact and check",
            )


def comments(documents: Iterable[Document]) -> Comments:
    """The waivers written as comments, by source and line. One without a reason, or with an end that is no date, waives
    nothing: who wrote it meant it to end."""
    out: dict[str, dict[int, tuple[tuple[str, ...], Waiver]]] = {}
    for document in documents:
        for line, text in document.comments():
            if (match := _COMMENT.search(text)) is None:
                continue
            rules = tuple(rule.strip() for rule in match[1].split(",") if rule.strip())
            expires, reason = "", match[2]
            if (until := _UNTIL.search(reason)) is not None:
                if not is_date(until[1]):
                    continue
                expires, reason = until[1], (reason[: until.start()] + " " + reason[until.end() :]).strip()
            if rules and reason:
                waiver = Waiver(
                    reason=reason, expires=expires, location=Location(source=document.source, line=line, column=1)
                )
                out.setdefault(document.source, {})[line] = (rules, waiver)
    return out


def apply(
    findings: Iterable[Finding], config: Config, written: Comments, snapshots: Sequence[Snapshot], today: str
) -> Iterator[Finding]:
    """The findings, each with the waiver that accepts it; an expired waiver accepts nothing, and is told."""
    for finding in findings:
        found = list(_waivers(finding, config, written, snapshots))
        valid = next((w for w in found if not w.expires or w.expires >= today), None)
        if valid is not None:
            yield msgspec.structs.replace(finding, waiver=valid)
        elif found:
            told = f"It was waived until {found[0].expires} ({found[0].location}): {found[0].reason}"
            yield msgspec.structs.replace(finding, impact=f"{finding.impact} {told}".strip())
        else:
            yield finding


def _waivers(finding: Finding, config: Config, written: Comments, snapshots: Sequence[Snapshot]) -> Iterator[Waiver]:
    for rule in config.waivers:
        named = _matches((rule.rule,), finding)
        workload = not rule.workload or fnmatchcase(finding.workload, rule.workload)
        fact = not rule.fact or any(fnmatchcase(key, rule.fact) for key in finding.facts)
        if named and workload and fact:
            yield rule.waiver
    if written:
        for place in finding.target.locations if finding.target is not None else ():
            lines = written.get(place.source, {})
            for line in (place.line, place.line - 1):  # on the line itself, or alone on the line above
                if line in lines and _matches(lines[line][0], finding):
                    yield lines[line][1]
    for snapshot in snapshots:
        for rule_name, reason in snapshot.workload.ignores.items():
            if snapshot.id == finding.workload and reason and _matches((rule_name,), finding):
                yield Waiver(reason=reason, location=snapshot.workload.location)


def _matches(rules: Iterable[str], finding: Finding) -> bool:
    return any(fnmatchcase(name, rule) for rule in rules for name in (finding.rule, *finding.facts))
