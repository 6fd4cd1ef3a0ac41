"""What the formats share: making text harmless, values and origins in words, which findings belong together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from askew.evidence.location import Location
from askew.evidence.redaction import shown
from askew.facts.catalogue import FACTS
from askew.facts.types import SEVERITIES, Value
from askew.findings.finding import Finding, Kind, places
from askew.report.model import Role, WorkloadReport
from askew.resolve.observation import Origin
from askew.resolve.workload import EngineIdentity, Resolved

# Everything that moves the cursor, colours, rings or reorders: C0 and C1 controls, line separators, and the
# bidirectional overrides of Unicode TR 36, with which a value can be made to look like another.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
DEFAULTS: frozenset[Origin] = frozenset(("engine-default", "platform-default"))
_HEADLINE = 100  # characters of a summary
_EXCERPT = 300  # characters of a value in an annotation
_PLACES: Mapping[Kind, int] = {"difference": 1, "check": 4, "pattern": 4}  # a check is proved by all of its places
_UNITS = frozenset({"bytes", "seconds", "tokens", "cores"})

ORIGINS: Mapping[Origin, str] = {
    "measured": "measured",
    "reported": "reported",
    "explicit": "explicit",
    "env": "environment",
    "config-file": "config file",
    "declared": "declared",
    "contract": "contract",
    "lock": "lock",
    "assumed": "assumed",
    "model": "model config",
    "derived": "derived",
    "catalogue": "catalogue",
    "engine-default": "engine default",
    "platform-default": "platform default",
}


# -- text --------------------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """``text`` as a program may read it: markers of secrets replaced, and encodable in UTF-8."""
    out = shown(text)
    return out if out.isascii() else out.encode("utf-8", "backslashreplace").decode()


def clean(text: str) -> str:
    """``text`` as a terminal may show it, on one line: what moves the cursor or reorders the text becomes an escape."""
    out = shown(text)
    return out if out.isascii() and out.isprintable() else _CONTROL.sub(_escaped, out)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _NAMED.get(match[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def many(count: int, one: str, several: str = "") -> str:
    """``1 finding``, ``3 findings``."""
    return f"{count} {one if count == 1 else several or one + 's'}"


# -- facts and sides ---------------------------------------------------------------------------------------------------


def unit(key: str, entry: str = "") -> str | None:
    """The unit of a fact's numbers, or of one entry of a map fact, where it has one."""
    fact = FACTS.get(key)
    if fact is None:
        return None
    kind = fact.type.of(entry)
    return kind.name if kind.name in _UNITS else None


def value(side: Resolved) -> str:
    """One side's value for people, or what stands in its place."""
    if side.state == "absent":
        return "not set"
    if side.state == "unsupported":
        return "not supported by this engine"
    if side.state == "unknown":
        return clean(side.text) if side.text else "unknown"
    return shown_as(side.fact, side.value, side.key)


def shown_as(key: str, raw: Value, entry: str = "") -> str:
    """A canonical value by the type of the fact ``key``; one entry of a map by the type of the entry."""
    fact = FACTS.get(key)
    if fact is None:
        return clean(str(raw))
    kind = fact.type.of(entry)
    return clean(kind.show(raw))


def origin(side: Resolved) -> str:
    """Who says so, in words; nothing where nobody does."""
    if side.state == "unknown":
        return "not resolved" if side.text else ""
    if side.state in ("absent", "unsupported") and side.origin in DEFAULTS:
        return ""
    words = ORIGINS.get(side.origin, side.origin)
    return words if side.confidence == "certain" else f"{words}, {side.confidence}"


def citations(known: Resolved) -> tuple[str, ...]:
    """The public sources of a value that nobody wrote."""
    given = frozenset(places(known))  # a map of a tokenizer's tokens has thousands
    return tuple(str(at) for at in known.locations if at not in given)


def everywhere(finding: Finding) -> tuple[Location, ...]:
    """The places of a finding: the target's first, then the reference's."""
    return tuple(at for side in (finding.target, finding.reference) if side is not None for at in places(side))


def place(at: Location) -> str:
    """``deploy.yaml:31``; source and path where there are no lines."""
    return clean(f"{at.source.removesuffix(':')}:{at.line}" if at.line else str(at))


def file_of(at: Location) -> str | None:
    """The path of the file of a location, relative where that can be; None for stdin, URLs, commands, live objects."""
    import os.path

    source = at.source
    if not source or source == "-" or _SCHEME.match(source):
        return None
    if os.path.isabs(source):
        here = os.getcwd() + os.sep
        return os.path.normpath(source[len(here) :]) if source.startswith(here) else source
    return os.path.normpath(source)


def engines(workload: WorkloadReport) -> str:
    """``vllm 0.7.3 → 0.8.5``, ``vllm → sglang 0.4.6``, or nothing."""
    now, before = _engine(workload.engine), _engine(workload.reference_engine)
    if not before or before == now:
        return now
    if not now:
        return before
    if workload.engine and workload.reference_engine and workload.engine.name == workload.reference_engine.name:
        # A contract names no release: that is no change of release.
        if not workload.reference_engine.version:
            return now
        return f"{before} → {clean(workload.engine.version or 'unknown version')}"
    return f"{before} → {now}"


def _engine(identity: EngineIdentity | None) -> str:
    return "" if identity is None else clean(identity.name + (f" {identity.version}" if identity.version else ""))


def headline(finding: Finding) -> str:
    """The finding in one line; one that is not certain says so.

    Where two long values would drown it, or their difference lies in a secret, the name alone: the sides follow.
    """
    sure = "" if finding.confidence == "certain" else f" ({finding.confidence})"
    left, right = finding.reference, finding.target
    if finding.kind == "difference" and left is not None and right is not None:
        if left.value != right.value and value(left) == value(right):
            return f"{name(finding)} differs in what is redacted{sure}"
        if len(finding.summary) > _HEADLINE and " → " in finding.summary:
            return f"{name(finding)} differs{sure}"
    return clean(finding.summary) + sure


def sides(finding: Finding, limit: int) -> list[tuple[Role, Resolved, str]]:
    """The sides there are, each with its value for people, cut to ``limit`` characters where the two differ."""
    left, right = finding.reference, finding.target
    texts = excerpts(value(left) if left is not None else "", value(right) if right is not None else "", limit)
    out: list[tuple[Role, Resolved, str]] = []
    if left is not None:
        out.append(("reference", left, texts[0]))
    if right is not None:
        out.append(("target", right, texts[1]))
    return out


def lines(finding: Finding) -> Iterator[str]:
    """The finding in a few lines, for annotations and test reports: sides with origin and place, impact, fix."""
    for role, side, text in sides(finding, _EXCERPT):
        parts = [text, origin(side), *(place(at) for at in places(side)[: _PLACES[finding.kind]])]
        yield f"{role}: " + ", ".join(part for part in parts if part)
    if finding.impact:
        yield clean(finding.impact)
    for remedy in finding.remedies[:1]:
        yield f"fix: {clean(remedy.action)}"


def name(finding: Finding) -> str:
    """The rule, with the key of a map fact."""
    return clean(finding.rule + (f"[{finding.key}]" if finding.key else ""))


# -- findings ----------------------------------------------------------------------------------------------------------


class Selection(msgspec.Struct, frozen=True):
    """The findings of one workload: to show, each with what is told beside it; waived; known before."""

    live: tuple[tuple[Finding, tuple[Finding, ...]], ...]
    waived: tuple[Finding, ...]
    existing: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that are shown, the folded ones too."""
        return tuple(finding for first, more in self.live for finding in (first, *more))


def select(workload: WorkloadReport) -> Selection:
    """Sort the findings of a workload by what is done with them, worst first."""
    ordered = sorted(workload.findings, key=lambda finding: SEVERITIES.index(finding.severity))
    waived = tuple(f for f in ordered if f.waiver is not None)
    existing = tuple(f for f in ordered if f.waiver is None and f.baseline == "existing")
    live = [f for f in ordered if f.waiver is None and f.baseline != "existing"]
    return Selection(tuple(_folded(live)), waived, existing)


def _folded(findings: Sequence[Finding]) -> Iterator[tuple[Finding, tuple[Finding, ...]]]:
    """Differences that one change at one place makes are told together, under the worst of them."""
    groups: dict[object, list[Finding]] = {}
    for index, finding in enumerate(findings):
        groups.setdefault(_one_change(finding) or index, []).append(finding)
    for group in groups.values():
        yield group[0], tuple(group[1:])


def _one_change(finding: Finding) -> object:
    """What findings must share to be one change: both places, and facts that follow from one another (an image's tag
    and the release of the engine in it). Places alone would not do: the settings of a one-line command share one."""
    left, right = finding.reference, finding.target
    if finding.kind != "difference" or left is None or right is None or finding.rule not in FACTS:
        return None
    if not _written(left) or not _written(right):
        return None
    fact = FACTS[finding.rule]
    family = fact.settled_by or fact.follows or fact.key
    key = finding.key if family == fact.key else ""  # a GPU label among node selectors follows a fact without keys
    return (family, key, places(left), places(right))


def _written(side: Resolved) -> bool:
    """Whether the side's place shows its value. A default is shown where it would stand: that is nothing in common."""
    return bool(places(side)) and side.state in ("known", "redacted") and side.origin not in DEFAULTS


def tally(findings: Iterable[Finding]) -> str:
    """``3 findings (1 high, 2 medium)``."""
    found = tuple(findings)
    by = [(s, sum(1 for f in found if f.severity == s)) for s in SEVERITIES]
    parts = ", ".join(f"{count} {severity}" for severity, count in by if count)
    return many(len(found), "finding") + (f" ({parts})" if parts else "")


def excerpts(left: str, right: str, limit: int) -> tuple[str, str]:
    """Two long values cut to where they differ, so that the difference is in sight; ``limit`` characters each."""
    if len(left) <= limit and len(right) <= limit:
        return left, right
    common = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        common += 1
    start = max(0, common - limit // 4) if common > limit // 2 else 0
    return _cut(left, start, limit), _cut(right, start, limit)


def _cut(text: str, start: int, limit: int) -> str:
    before = f"…({start} alike) " if start else ""
    part = text[start : start + limit]
    rest = len(text) - start - len(part)
    return f"{before}{part}" + (f"… ({rest} more)" if rest > 0 else "")
