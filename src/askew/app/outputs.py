"""Golden outputs in a comparison: two recordings, or a recording and what a server gave just now.

Outputs agree within tolerances, which no digest does. Here the digests of a pair are made to say what the outputs
say, and what parts them is put beside: each input with its output on either side, and what else is known to differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from askew.app.load import Side, load
from askew.app.pipeline import Options, peers
from askew.evidence.document import Document, Node
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.findings.describe import shown
from askew.platforms.golden import KIND
from askew.probe.golden import FORMAT, Checked, Golden, between, changes
from askew.report.model import Report, SourceStatus
from askew.resolve.workload import MemberValue, Resolved, Snapshot, Workload

_FACT = "model.golden_outputs"
_ARROW = " → "  # compare.telling shows such pieces side by side
_MOST = 100  # inputs that a finding shows
_MOST_CHANGES = 2


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """One input whose outputs differ, where each stands, short."""

    label: str
    reference: str
    target: str
    at: Location
    now: Location


def told_apart(reference: Side, target: Side) -> tuple[Side, Side]:
    """Both sides, each pair of recordings compared output by output, within the tolerance of the reference's."""
    first, second = _recordings(reference.documents), _recordings(target.documents)
    if not first or not second:
        return reference, target
    left, right = list(reference.snapshots), list(target.snapshots)
    for place, there in enumerate(right):
        at = _pair(left, there)
        if at is None:
            continue
        here = left[at]
        a, b = first.get(_source(here)), second.get(_source(there))
        if a is not None and b is not None and here.facts[_FACT].value != there.facts[_FACT].value:
            left[at], right[place] = _compared(here, there, a, b)
    return (
        msgspec.structs.replace(reference, snapshots=tuple(left)),
        msgspec.structs.replace(target, snapshots=tuple(right)),
    )


def verification(file: str, golden: Golden, checked: Checked, options: Options) -> Report:
    """What a verification found, as a comparison of the file with the server."""
    redactor = Redactor()
    reference = load(file, "reference", redactor)
    url = Location(checked.url + checked.path)
    missing = sum(one.outcome in ("failed", "unasked") for one in checked.results)
    first = next((one.why for one in checked.results if one.outcome in ("failed", "unasked")), "")
    reason = redactor.text(f"{missing} of {len(checked.results)} inputs have no result: {first}") if missing else ""
    if not missing and not checked.digest:
        reason = "all texts part where two tokens were as likely, and none is the same to its end"
    status = SourceStatus(
        role="target",
        uri=redactor.text(checked.url),
        status="complete" if not missing else "failed" if missing == len(checked.results) else "partial",
        reason=reason,
    )
    told = Resolved(
        fact=_FACT,
        state="known" if checked.digest else "unknown",
        value=checked.digest or None,
        origin="measured",
        basis="seen",
        locations=(url,),
        reason=reason,
        observe_with=FACTS[_FACT].observe_with,
        missing=not checked.digest,
    )
    workload = Workload(namespace="files", kind=KIND, name=golden.model or "model", source=url.source, location=url)
    now = Snapshot(workload=workload, id=workload.id, facts={_FACT: told})
    if len(reference.snapshots) == 1:
        here = reference.snapshots[0]
        cases = _cases(reference.documents)
        parts = [
            _Part(
                label=f"input {one.number}",
                reference=redactor.text(one.recorded or one.why),
                target=redactor.text(one.now or one.why),
                at=_output(cases, one.number) or here.workload.location,
                now=url,
            )
            for one in checked.results
            if one.outcome == "different"
        ]
        here, now = _with(here, now, parts, changed(checked))
        reference = msgspec.structs.replace(reference, snapshots=(here,))
    target = Side(role="target", uri=status.uri, statuses=(status,), snapshots=(now,))
    return peers("golden verify", reference, target, options)


def changed(checked: Checked) -> list[tuple[str, str, str]]:
    """What the server says otherwise of itself than when it was recorded, for people: the fact, then, now."""
    redactor = Redactor()
    return [
        (one.fact, redactor.text(_shown(one.fact, one.recorded)), redactor.text(_shown(one.fact, one.now)))
        for one in checked.changed
    ]


def _recordings(documents: Sequence[Document]) -> Mapping[str, tuple[Golden, Node]]:
    found: dict[str, tuple[Golden, Node]] = {}
    for document in documents:
        if document.root["schema"].value == FORMAT:
            try:
                golden = msgspec.convert(document.root.value, Golden)
            except msgspec.ValidationError:
                continue
            found[document.source] = golden, document.root["cases"]
    return found


def _source(snapshot: Snapshot) -> str:
    return snapshot.facts[_FACT].locations[0].source if snapshot.facts[_FACT].locations else ""


def _pair(references: Sequence[Snapshot], target: Snapshot) -> int | None:
    """The place of the snapshot that a target's is compared with: of the same name, or the only one there is."""
    if _FACT not in target.facts:
        return None
    places = [place for place, one in enumerate(references) if _FACT in one.facts]
    same = [place for place in places if references[place].id == target.id]
    return same[0] if len(same) == 1 else places[0] if len(places) == 1 else None


def _compared(
    here: Snapshot, there: Snapshot, first: tuple[Golden, Node], second: tuple[Golden, Node]
) -> tuple[Snapshot, Snapshot]:
    a, b = first[0], second[0]
    found = between(a, b)
    if found is None or not (found.same or found.different):
        return here, there
    if not found.different:
        if found.missing:
            return here, there  # the digests say nothing of each other, and neither do all outputs
        return here, _stating(there, str(here.facts[_FACT].value))
    name, digest = (str(one.facts[_FACT].value).partition(":") for one in (here, there))
    parts = [
        _Part(
            label=f"input {number}",
            reference=one.recorded or one.why,
            target=one.now or one.why,
            at=_output(first[1], number) or here.workload.location,
            now=_output(second[1], place) or there.workload.location,
        )
        for number, place, one in found.different
    ]
    there = _stating(there, f"{name[0]}:{digest[2]}")
    moved = [
        (one.fact, _shown(one.fact, one.recorded), _shown(one.fact, one.now)) for one in changes(a.served, b.served)
    ]
    return _with(here, there, parts, moved)


def _stating(snapshot: Snapshot, value: str) -> Snapshot:
    resolved = msgspec.structs.replace(snapshot.facts[_FACT], value=value)
    return msgspec.structs.replace(snapshot, facts={**snapshot.facts, _FACT: resolved})


def _with(
    here: Snapshot, there: Snapshot, parts: Sequence[_Part], moved: Sequence[tuple[str, str, str]]
) -> tuple[Snapshot, Snapshot]:
    """Both snapshots, with the outputs that part them and what their servers say otherwise of themselves."""
    if not parts:
        return here, there
    some = parts[:_MOST]
    pieces = [(one.label, one.reference, one.target) for one in some]
    pieces[1:1] = moved[:_MOST_CHANGES]
    out: list[Snapshot] = []
    for side, snapshot in enumerate((here, there)):
        resolved = snapshot.facts[_FACT]
        places = tuple(dict.fromkeys(one.now if side else one.at for one in some))
        resolved = msgspec.structs.replace(
            resolved,
            locations=places,
            because=tuple(f"{label}{_ARROW}{(right if side else left)}" for label, left, right in pieces),
            values=tuple(
                MemberValue(
                    member=one.label, value=one.target if side else one.reference, location=one.now if side else one.at
                )
                for one in some
            ),
        )
        out.append(msgspec.structs.replace(snapshot, facts={**snapshot.facts, _FACT: resolved}))
    return out[0], out[1]


def _shown(key: str, value: object) -> str:
    try:
        return shown(FACTS[key], cast(Value, value))
    except (TypeError, ValueError, AttributeError, KeyError):  # a file can state anything
        return str(value)[:200]


def _cases(documents: Sequence[Document]) -> Node | None:
    return next((one.root["cases"] for one in documents if one.root["schema"].value == FORMAT), None)


def _output(cases: Node | None, number: int) -> Location | None:
    if cases is None:
        return None
    node = cases[number - 1]["output"]
    return node.location if node.exists else None
