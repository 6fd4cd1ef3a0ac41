"""What changes when only an engine's version changes: a list for people, ``askew/defaults/v1`` for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from askew.facts.types import SEVERITIES, Severity
from askew.report.present import clean, many
from askew.report.style import NARROWEST, Style, wrap

JsonData: TypeAlias = Annotated[object, Meta(description="JSON; null where there is none, or no single one.")]

DEFAULTS_FORMAT = "askew/defaults/v1"

# default: another value; rule: decided at start, by the GPU or other settings; env: a variable that is not read any
# more; metric: a metric that is not there any more; api: a field of a request; dependency: what is built in.
Kind: TypeAlias = Literal[
    "default", "rule", "added", "removed", "renamed", "env", "metric", "api", "image", "dependency"
]
Effect: TypeAlias = Literal["quality", "latency", "throughput", "memory", "compatibility", "observability"]

_ORDER = {severity: index for index, severity in enumerate(SEVERITIES)}
_LONG = 60  # characters of one value
_SHOWN = 3  # of the public queries of a metric
_COLOURS: dict[str, str] = {"critical": "1;31", "high": "31", "medium": "33", "low": "36", "info": "2"}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change. ``condition`` says where it holds, None: wherever the setting is left to the engine.

    ``old`` and ``new`` are None where there is no value; where there is no single one, ``old_depends`` and
    ``new_depends`` say on what it depends. ``used_at`` are the places in the source of
    ``--flags`` that rely on what changed; ``queried_by`` are public dashboards, rules and autoscalers that do.
    """

    name: str
    kind: Kind
    aliases: tuple[str, ...] = ()
    fact: str | None = None
    old: JsonData = None
    new: JsonData = None
    condition: str | None = None
    effects: tuple[Effect, ...] = ()
    severity: Severity
    summary: str
    sources: tuple[str, ...] = ()
    used_at: tuple[str, ...] = ()
    old_depends: str | None = None
    new_depends: str | None = None
    queried_by: tuple[str, ...] = ()


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """All changes from one release of an engine to another, worst first. ``notes`` say which release stands for
    another that was asked for."""

    schema: str = DEFAULTS_FORMAT
    engine: str
    old: str
    new: str
    notes: tuple[str, ...] = ()
    changes: tuple[Change, ...]


def worst_first(change: Change) -> tuple[int, bool, str, str]:
    """A key that sorts changes for people: by severity; of equals, what changes unasked before what is new."""
    return _ORDER[change.severity], change.kind == "added", change.name, change.condition or ""


def render_defaults(
    found: Defaults, format: str, *, color: bool = False, width: int = 100, verbose: bool = False
) -> str:
    """The changes as text or json. Text folds what is merely new into one paragraph unless ``verbose``.

    Raises ValueError for a format that there is none of.
    """
    if format == "json":
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    if format != "text":
        raise ValueError(f"there is no format {format!r} for defaults; choose text or json")
    return "\n".join(_text(found, Style(color), max(width, NARROWEST), verbose=verbose)) + "\n"


def _text(found: Defaults, style: Style, width: int, *, verbose: bool) -> Iterator[str]:
    yield style.paint(f"{found.engine} {found.old} → {found.new}", "1")
    for note in found.notes:
        yield from wrap(clean(note), width, "", style)
    folded = [one for one in found.changes if one.kind == "added" and not verbose]
    shown = [one for one in found.changes if one.kind != "added" or verbose]
    if not found.changes:
        yield "no change that this build knows of"
        return
    for group in _grouped(shown, whole=verbose):
        yield ""
        if len(group) == 1:
            yield from _change(group[0], style, width)
        elif group[0].kind != "metric":
            yield from _by_condition(group, style, width)
        else:
            yield from _metrics(group, style, width)
    if folded:
        yield ""
        names = ", ".join(clean(one.name) for one in folded)
        yield from wrap(f"new ({len(folded)}): {names}", width, "", style, "2", hang=2)
    yield ""
    yield f"{many(len(shown), 'change')}, {len(folded)} only new" if folded else many(len(shown), "change")


def _grouped(changes: Sequence[Change], *, whole: bool) -> list[list[Change]]:
    """Changes in the order in which people are told: of one severity, metrics that go in the same way come last and
    together, unless ``whole`` or where the deployment asks for them. One setting that changes otherwise on other GPUs
    is told once."""
    groups: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        key: tuple[object, ...] = (id(change),)
        if change.kind == "metric" and not whole and not change.used_at:
            key = (change.severity, _fate(change), change.condition)
        elif change.kind == "rule" and change.fact and not (change.old_depends or change.new_depends):
            key = (change.name, change.fact, change.severity, change.summary)
        groups.setdefault(key, []).append(change)
    together = [group[0].kind == "metric" and len(group) > 1 for group in groups.values()]
    order = sorted(zip(groups.values(), together, strict=True), key=lambda one: (_ORDER[one[0][0].severity], one[1]))
    return [group for group, _ in order]


def _by_condition(group: Sequence[Change], style: Style, width: int) -> Iterator[str]:
    """One setting with other values under other conditions."""
    first = group[0]
    label = style.paint(first.severity.upper(), _COLOURS[first.severity])
    yield f"{label}  {style.paint(clean(first.name), '1')}"
    yield from wrap(clean(first.summary), width, "  ", style)
    for one in group:
        yield from wrap(
            f"{_value(one.old)} → {_value(one.new)} {clean(one.condition or '')}".rstrip(), width, "  ", style
        )
    if first.effects:
        yield from wrap(f"affects: {', '.join(first.effects)}", width, "  ", style)
    for source in dict.fromkeys(source for one in group for source in one.sources):
        yield "  " + style.paint(f"source: {clean(source)}", "2")


def _fate(metric: Change) -> str:
    """What happens to a metric, without its name: ``is gone``."""
    return metric.summary.removeprefix(f"the metric {metric.name} ").split("; ", 1)[0]


def _metrics(group: Sequence[Change], style: Style, width: int) -> Iterator[str]:
    first = group[0]
    label = style.paint(first.severity.upper(), _COLOURS[first.severity])
    fate = _fate(first).replace("is ", "are ", 1)
    yield f"{label}  {style.paint(f'{len(group)} metrics {fate}', '1')}"
    if first.condition:
        yield from wrap(clean(first.condition), width, "  ", style)
    yield from wrap("autoscalers, alerts and dashboards that ask for them get nothing", width, "  ", style)
    for one in group:
        heir = f"  (ask for {clean(str(one.new))})" if one.new else ""
        yield from wrap(f"{clean(one.name)}{heir}", width, "    ", style)
    asking = list(dict.fromkeys(query for one in group for query in one.queried_by))
    for query in asking[:_SHOWN]:
        yield from wrap(f"asked for by {clean(query)}", width, "  ", style, hang=2)
    if len(asking) > _SHOWN:
        yield f"  asked for by {len(asking) - _SHOWN} more public ones, which --format json lists"
    yield "  " + style.paint("sources: --verbose", "2")


def _change(change: Change, style: Style, width: int) -> Iterator[str]:
    label = style.paint(change.severity.upper(), _COLOURS[change.severity])
    yield f"{label}  {style.paint(clean(change.name), '1')}"
    yield from wrap(clean(change.summary), width, "  ", style)
    field = change.kind == "api" and change.old is None and change.new is None  # one that came or went
    if change.kind in ("default", "rule", "dependency", "image", "api") and not field:
        old = "depends" if change.old_depends else _value(change.old)
        new = "depends" if change.new_depends else _value(change.new)
        yield from wrap(f"{old} → {new}", width, "  ", style)
        for side, reason in (("before", change.old_depends), ("after", change.new_depends)):
            if reason:
                yield from wrap(f"{side}: {clean(reason)}", width, "  ", style)
    tail = []
    if change.condition:
        tail.append(clean(change.condition))
    if change.effects:
        tail.append(f"affects: {', '.join(change.effects)}")
    for line in tail:
        yield from wrap(line, width, "  ", style)
    for place in change.used_at:
        yield f"  used at: {clean(place)}"
    for query in change.queried_by[:_SHOWN]:
        yield from wrap(f"asked for by {clean(query)}", width, "  ", style, hang=2)
    if len(change.queried_by) > _SHOWN:
        yield f"  asked for by {len(change.queried_by) - _SHOWN} more public ones, which --format json lists"
    for source in change.sources:
        yield "  " + style.paint(f"source: {clean(source)}", "2")


def _value(value: JsonData) -> str:
    text = "not set" if value is None else msgspec.json.encode(value).decode()
    text = clean(text)
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
