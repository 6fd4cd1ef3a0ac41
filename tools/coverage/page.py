"""The page ``docs/reference/coverage.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from askew.app import registry
from tools.coverage.measure import ENGINES, KINDS, STATES, Measured, totals

_COLUMNS = 6  # engines side by side in one table
_HEAD = """\
# Coverage on real files

Made by `python -m tools.coverage CORPUS`, which reads a research corpus of public deployment files (Kubernetes
manifests, live dumps, compose files, units, charts, values and engine configurations of open-source repositories).
The corpus is chosen, not random, so these are shares of the corpus and not of the world. It is not part of
the project.
"""


def page(found: Measured) -> str:
    """The page as Markdown."""
    return "\n".join((_HEAD, *_flags(found), *_facts(found), *_by_fact(found), *_files(found))) + "\n"


def shares(found: Measured) -> str:
    """What the page of engines says of each engine that the corpus has, as JSON."""
    rows = []
    for name in seen(found):
        one = found.launches[name]
        known = one.mapped + one.variables
        total = known + len(one.unmapped) + len(one.strange)
        rows.append(f' "{name}": {{"launches": {one.count}, "total": {total}, "known": {known}}}')
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _flags(found: Measured) -> Iterator[str]:
    yield "## Arguments and variables of launches\n"
    yield "An argument, a setting of an engine's file or a variable of the engine counts as known when a table maps it"
    yield "to a fact or declares it irrelevant, with its reason.\n"
    yield "| engine | launches | arguments | known | variables | known | share |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name in seen(found):
        one = found.launches[name]
        arguments, variables = one.mapped + len(one.unmapped), one.variables + len(one.strange)
        yield (
            f"| {_title(name)} | {one.count} | {arguments} | {one.mapped} | {variables} | {one.variables} "
            f"| {one.share:.1%} |"
        )
    yield ""
    unseen = [_title(name) for name in ENGINES if not found.launches[name].count]
    if unseen:
        yield f"No launch of {', '.join(unseen)} is in the corpus: their own cases stand for them.\n"
    yield "Not known, and therefore compared as text (`runtime.arguments.unmapped`, `runtime.env`):\n"
    rest = [
        (name, *row)
        for name in ENGINES
        for row in sorted({*found.launches[name].unmapped, *found.launches[name].strange})
    ]
    if not rest:
        yield "none.\n"
        return
    yield "| engine | name | where |"
    yield "|---|---|---|"
    for name, argument, place in rest:
        yield f"| {_title(name)} | `{_cell(argument)}` | `{_cell(place)}` |"
    yield ""


def seen(found: Measured) -> list[str]:
    """The engines of which the corpus has a launch."""
    return [name for name in ENGINES if found.launches[name].count]


def _facts(found: Measured) -> Iterator[str]:
    yield "## Facts by category\n"
    yield "Of every fact of the first milestone in every launch: *known* has a value, *absent* is known to be unset,"
    yield "*unknown* says why and how to see it, *unsupported* has no counterpart in the engine, and *not seen* has"
    yield "nothing in the file that could say it.\n"
    yield f"| engine | category | {' | '.join(STATES)} |"
    yield "|---|---|" + "---:|" * len(STATES)
    for name in seen(found):
        for category, counter in sorted(totals(found.launches[name]).items()):
            yield f"| {_title(name)} | {category} | {_shares(counter)} |"
    yield ""


def _by_fact(found: Measured) -> Iterator[str]:
    yield "## Facts\n"
    yield "Share of the launches in which the fact is known or known to be absent; ✗: the engine cannot express it."
    names = seen(found)
    for part in (names[start : start + _COLUMNS] for start in range(0, len(names), _COLUMNS)):
        yield f"\n| fact | {' | '.join(map(_title, part))} |"
        yield "|---|" + "---:|" * len(part)
        for key in sorted(found.launches[part[0]].facts):
            yield f"| `{key}` | {' | '.join(_known(found.launches[name].facts[key]) for name in part)} |"
    yield ""


def _known(counter: Counter[str]) -> str:
    if counter["unsupported"] and counter["unsupported"] == counter.total():
        return "✗"
    return f"{(counter['known'] + counter['absent']) / max(1, counter.total()):.0%}"


def _files(found: Measured) -> Iterator[str]:
    yield "## Files\n"
    yield "*In part*: a workload was read although something else in the file could not be. What is refused holds no"
    yield "workload, or is no manifest as it stands (a chart's template, a values file): its reason is below.\n"
    yield "| kind | files | read | of these in part | refused |"
    yield "|---|---:|---:|---:|---:|"
    for kind in KINDS:
        if (one := found.files.get(kind)) is not None:
            refused = one.refused.total()
            yield f"| {kind} | {one.read + refused} | {one.read} | {one.partly} | {refused} |"
    yield ""
    yield "| kind | files | why nothing of it is compared |"
    yield "|---|---:|---|"
    for kind in KINDS:
        if (one := found.files.get(kind)) is not None:
            rows = sorted(one.refused.items(), key=lambda row: (-row[1], row[0]))
            for why, count in rows[:12]:
                yield f"| {kind} | {count} | {_cell(why)} |"
            if rest := sum(count for _, count in rows[12:]):
                yield f"| {kind} | {rest} | {len(rows) - 12} other reasons |"


def _shares(counter: Counter[str]) -> str:
    return " | ".join(f"{counter[state] / max(1, counter.total()):.0%}" for state in STATES)


def _title(name: str) -> str:
    return registry.recognition(name).title


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("{{", "{ {").replace("<", "&lt;")
