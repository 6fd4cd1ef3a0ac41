"""Reports that nobody would write by hand."""

from __future__ import annotations

from hypothesis import strategies as st

from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import SEVERITIES
from askew.findings.finding import Finding, Remedy, Waiver
from askew.report.model import (
    Assumption,
    Coverage,
    InputError,
    Report,
    SourceStatus,
    UnknownFact,
    WorkloadReport,
)
from askew.resolve.observation import PRECEDENCE
from askew.resolve.workload import EngineIdentity, Hop, Member, Resolved, Shadowed
from tests.report.samples import MARKER

# Dense in what breaks formats: escapes, markup, line ends, separators, bidirectional overrides, half a surrogate pair.
_CHARACTERS = st.sampled_from([*"ab:,%|`<>&\"'[](){}#@/\\$-_ =?\n\r\t\x1b\x00\x07\x7f\x85\u2028\u202e\ud800é模😀"])
text = st.one_of(
    st.text(_CHARACTERS, max_size=12),
    st.just(f"x {MARKER} y"),
    st.just(MARKER),
    st.text(max_size=6),
    st.just("a b " * 20),
)
name = st.one_of(
    st.sampled_from(["deploy.yaml", "dir/a.yaml", "-", "k8s:prod/llm", "cmd:vllm serve m", "/abs/x.yaml"]), text
)
locations = st.builds(
    Location,
    source=name,
    path=text,
    line=st.integers(0, 9999),
    column=st.integers(0, 200),
    object=st.one_of(st.just(""), text),
)
places = st.lists(locations, max_size=2).map(tuple)
numbers = st.one_of(st.integers(-(2**64), 2**64), st.floats(allow_nan=False, allow_infinity=False))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=5,
)
origins = st.sampled_from(PRECEDENCE)
facts = st.sampled_from(
    ["runtime.dtype", "runtime.env", "runtime.max_model_len", "serving.request_timeout", "model.id"]
)
assert all(key in FACTS for key in ("runtime.dtype", "runtime.env", "runtime.max_model_len", "model.id"))
confidences = st.sampled_from(["certain", "likely", "possible"])


@st.composite
def sides(draw, fact: str, key: str) -> Resolved:
    state = draw(st.sampled_from(["known", "unknown", "absent", "unsupported", "redacted"]))
    return Resolved(
        fact=fact,
        key=key,
        state=state,
        value=draw(values) if state == "known" else MARKER if state == "redacted" else None,
        origin=draw(origins),
        confidence=draw(confidences),
        basis=draw(st.sampled_from(["asked", "seen"])),
        locations=draw(places),
        shadowed=draw(
            st.lists(st.builds(Shadowed, value=values, origin=origins, locations=places), max_size=2).map(tuple)
        ),
        hops=draw(
            st.lists(st.builds(Hop, name=text, value=values, origin=origins, locations=places), max_size=3).map(tuple)
        ),
        because=draw(st.lists(text, max_size=2).map(tuple)),
        reason=draw(text),
        observe_with=draw(text),
        text=draw(text) if state == "unknown" else "",
    )


remedies = st.builds(
    Remedy, action=text, verify=text, undo=text, text=text, location=st.none() | locations, safe=st.booleans()
)
waivers = st.builds(Waiver, reason=text, location=locations, owner=text, expires=st.sampled_from(["", "2026-12-31"]))


@st.composite
def findings(draw) -> Finding:
    kind = draw(st.sampled_from(["difference", "check", "pattern"]))
    fact = draw(facts)
    key = draw(text) if fact == "runtime.env" else ""
    return Finding(
        kind=kind,
        rule=fact if kind == "difference" else draw(st.sampled_from(["floating-image-tag", "idle-gpus"])),
        facts=(fact,),
        category=FACTS[fact].category,
        severity=draw(st.sampled_from(SEVERITIES)),
        confidence=draw(confidences),
        summary=draw(text),
        workload=draw(text),
        impact=draw(text),
        key=key,
        reference=draw(st.none() | sides(fact, key)),
        target=draw(sides(fact, key)),
        remedies=draw(st.lists(remedies, max_size=2).map(tuple)),
        playbook=draw(text),
        waiver=draw(st.none() | waivers),
        baseline=draw(st.sampled_from([None, "new", "existing"])),
    )


verdicts = st.sampled_from(["aligned", "skewed", "incomplete"])
roles = st.sampled_from(["reference", "target"])
engines = st.none() | st.builds(EngineIdentity, name=text, version=st.none() | text)
counts = st.integers(0, 99)
workloads = st.builds(
    WorkloadReport,
    id=text,
    verdict=verdicts,
    findings=st.lists(findings(), max_size=3).map(tuple),
    reference_id=text,
    engine=engines,
    reference_engine=engines,
    presence=st.sampled_from(["both", "added", "removed"]),
    members=st.lists(st.builds(Member, text, text, st.just(()), counts), max_size=1).map(tuple),
    unknown=st.lists(
        st.builds(UnknownFact, fact=facts, side=roles, reason=text, observe_with=text, key=text), max_size=2
    ).map(tuple),
    coverage=st.builds(Coverage, declared=counts, verified=counts, unknown=counts),
)
reports = st.builds(
    Report,
    command=st.sampled_from(["diff", "check"]),
    verdict=verdicts,
    sources=st.lists(
        st.builds(
            SourceStatus,
            role=roles,
            uri=name,
            status=st.sampled_from(["complete", "partial", "failed", "skipped"]),
            reason=text,
        ),
        max_size=2,
    ).map(tuple),
    workloads=st.lists(workloads, max_size=2).map(tuple),
    fail_on=st.sampled_from(SEVERITIES),
    assumed=st.lists(st.builds(Assumption, fact=facts, value=text), max_size=1).map(tuple),
    errors=st.lists(
        st.builds(InputError, source=name, message=text, hint=text, line=st.integers(0, 9), column=st.integers(0, 9)),
        max_size=1,
    ).map(tuple),
    notes=st.lists(text, max_size=1).map(tuple),
    generated_at=st.sampled_from(["", "2026-01-02T03:04:05Z"]),
    tool_version=st.sampled_from(["", "0.1.0"]),
)
