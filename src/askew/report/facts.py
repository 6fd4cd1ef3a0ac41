"""What is known of a source: a table for people, ``askew/facts/v1`` for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from askew import __version__
from askew.facts.catalogue import FACTS
from askew.facts.types import Fact
from askew.findings.finding import places
from askew.report import present
from askew.report.model import Assumption, InputError, SourceStatus
from askew.report.present import DEFAULTS, ORIGINS, clean, many, place
from askew.report.style import NARROWEST, Style, wrap
from askew.resolve.workload import Resolved, Snapshot

_LONG = 200  # characters of one value


def render_facts(
    snapshots: Sequence[Snapshot],
    statuses: Sequence[SourceStatus],
    errors: Sequence[InputError],
    assumed: Sequence[Assumption],
    format: str,
    *,
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    color: bool = False,
    width: int = 100,
) -> str:
    """The facts of every workload as text or json.

    ``only`` and ``ignore`` are globs over fact keys; a category or a leading part of a key stands for all beneath it.
    Raises ValueError for a format that there is none of.
    """
    if format == "json":
        from askew.report import wire

        workloads = [
            wire.FactsWorkload(
                id=present.plain(snapshot.id),
                engine=wire.engine(snapshot.engine),
                facts={fact.key: wire.fact(one) for fact, one in _chosen(snapshot, only, ignore)},
            )
            for snapshot in snapshots
        ]
        document = wire.facts(workloads, tuple(statuses), tuple(errors), tuple(assumed), __version__)
        return wire.encode(document).decode()
    if format != "text":
        raise ValueError(f"there is no format {format!r} for facts; choose text or json")
    style, room = Style(color), max(width, NARROWEST)
    blocks = [list(_sources(statuses, assumed, style, room))]
    blocks.extend(list(_workload(snapshot, only, ignore, style, room)) for snapshot in snapshots)
    if not snapshots:
        blocks.append(["no workload was found"])
    return "\n\n".join("\n".join(block).rstrip("\n") for block in blocks if block) + "\n"


def _chosen(snapshot: Snapshot, only: Sequence[str], ignore: Sequence[str]) -> Iterator[tuple[Fact, Resolved]]:
    """The facts that were asked for, in the order of the vocabulary."""
    for key, fact in FACTS.items():
        one = snapshot.facts.get(key)
        if one is None or (only and not any(_matches(key, pattern) for pattern in only)):
            continue
        if not any(_matches(key, pattern) for pattern in ignore):
            yield fact, one


def _matches(key: str, pattern: str) -> bool:
    if key == pattern or key.startswith(f"{pattern}."):
        return True
    from fnmatch import fnmatchcase

    return fnmatchcase(key, pattern)


def _sources(
    statuses: Sequence[SourceStatus], assumed: Sequence[Assumption], style: Style, width: int
) -> Iterator[str]:
    for status in statuses:
        if status.status != "complete":
            reason = f": {clean(status.reason)}" if status.reason else ""
            yield from wrap(f"{clean(status.uri)}: {status.status}{reason}", width, "", style, "33")
    for one in assumed:
        yield from wrap(f"assumed: {clean(one.fact)} = {clean(one.value)} (--assume)", width, "", style, "33")


def _workload(
    snapshot: Snapshot, only: Sequence[str], ignore: Sequence[str], style: Style, width: int
) -> Iterator[str]:
    engine = ""
    if snapshot.engine is not None:
        engine = "  " + clean(f"{snapshot.engine.name} {snapshot.engine.version or ''}".strip())
    yield style.paint(clean(snapshot.id), "1") + engine
    chosen = list(_chosen(snapshot, only, ignore))
    shown = [(fact, one) for fact, one in chosen if one.state not in ("unknown", "unsupported")]
    hidden = [one for _, one in chosen if one.state in ("unknown", "unsupported")]
    for category in dict.fromkeys(fact.category for fact, _ in chosen):
        yield ""
        yield "  " + style.paint(category, "4")
        rows = [row for fact, one in shown if fact.category == category for row in _rows(one)]
        yield from _table(rows, style, width)
        yield from _unknown([one for one in hidden if FACTS[one.fact].category == category], style, width)
    if not chosen:
        yield "  no fact was asked for that this workload has"
        return
    yield ""
    missing = sum(1 for one in hidden if one.state == "unknown")
    yield f"  {many(len(shown), 'fact')} known, {missing} not seen"


# A row: name, value, origin, place, and the lines beneath it.
_Row = tuple[str, str, str, str, list[str]]


def _rows(one: Resolved) -> Iterator[_Row]:
    """One row per fact; a map has one per key, since each has its own place."""
    if not one.entries:
        yield _row(one.fact, one)
        return
    for key, entry in one.entries.items():
        if entry.state == "unknown" and entry.missing:
            continue  # this deployment has no such setting
        yield _row(f"{one.fact}[{clean(key)}]", entry)
    if one.reason:
        yield f"{one.fact}[…]", "more keys are not seen", "", "", [clean(one.reason)]


def _row(name: str, one: Resolved) -> _Row:
    beneath = []
    if one.state == "unknown" and one.reason:
        beneath.append(clean(one.reason))
    for hop in one.hops if len(one.hops) > 1 else ():
        at = next((f", {place(where)}" for where in places(hop)), "")
        beneath.append(f"{clean(hop.name)}: {present.shown_as(one.fact, hop.value)} ({ORIGINS[hop.origin]}{at})")
    for lost in one.shadowed:
        if lost.origin not in DEFAULTS:
            at = next((f", {place(where)}" for where in places(lost)), "")
            text = _cut(present.shown_as(one.fact, lost.value, one.key))
            beneath.append(f"overrides {text} ({ORIGINS[lost.origin]}{at})")
    if one.origin == "measured":  # what a figure rests on is half of it
        beneath.extend(clean(text) for text in one.because)
    at = next((place(where) for where in places(one)), "")
    # That nothing is set is itself known from somewhere.
    origin = ORIGINS[one.origin] if one.state == "absent" else present.origin(one)
    return name, _cut(present.value(one)), origin, at, beneath


def _cut(text: str) -> str:
    return present.excerpts(text, "", _LONG)[0]


def _table(rows: Sequence[_Row], style: Style, width: int) -> Iterator[str]:
    """Aligned where a row fits the width; a row that does not goes on several lines and does not widen the others."""
    if not rows:
        return
    names = min(max(len(row[0]) for row in rows), max(18, width // 2))
    fitting = [row for row in rows if len(row[0]) <= names and len(row[1]) <= width // 3]
    values = max((len(row[1]) for row in fitting), default=0)
    origins = max((len(row[2]) for row in fitting), default=0)
    for name, value, origin, at, beneath in rows:
        line = f"    {name.ljust(names)}  {value.ljust(values)}  {origin.ljust(origins)}  {at}".rstrip()
        if len(name) <= names and len(value) <= values and len(line) <= width:
            yield line
        else:
            yield f"    {name}"
            yield from wrap(value, width, "      ", style)
            tail = "  ".join(part for part in (origin, at) if part)
            if tail:
                yield f"        {tail}"
        for text in beneath:
            yield from wrap(text, width, "        ", style, "2", hang=2)


def _unknown(facts: Sequence[Resolved], style: Style, width: int) -> Iterator[str]:
    """Grouped by reason, since many facts are unseen for one reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in facts:
        if one.state == "unsupported":
            groups.setdefault(("not supported by this engine", ""), []).append(one.fact)
            continue
        text = f"{clean(one.text)}: " if one.text else ""
        at = next((f" ({place(where)})" for where in places(one)), "")
        reason = f"{text}{clean(one.reason or 'no source shows it')}{at}"
        groups.setdefault((reason, clean(one.observe_with)), []).append(one.fact)
    for (reason, observe), names in groups.items():
        yield from wrap(f"not seen: {', '.join(names)}", width, "    ", style, hang=2)
        yield from wrap(reason, width, "        ", style, "2")
        if observe:
            yield "        " + style.paint(f"see: {observe}", "2")
