"""The page ``docs/reference/coverage.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from askew.app import registry
from tools.coverage.measure import ENGINES, KINDS, STATES, Measured, totals

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


def _flags(found: Measured) -> Iterator[str]:
    yield "## Arguments of launches\n"
    yield "An argument counts as known when a table maps it to a fact or declares it irrelevant, with its reason.\n"
    yield "| engine | launches | arguments | known | share |"
    yield "|---|---:|---:|---:|---:|"
    for name in ENGINES:
        one = found.launches[name]
        total = one.mapped + len(one.unmapped)
        yield f"| {_title(name)} | {one.count} | {total} | {one.mapped} | {one.share:.1%} |"
    yield ""
    yield "Not known, and therefore compared as text (`runtime.arguments.unmapped`):\n"
    rest = [(name, *row) for name in ENGINES for row in sorted(set(found.launches[name].unmapped))]
    if not rest:
        yield "none.\n"
        return
    yield "| engine | argument | where |"
    yield "|---|---|---|"
    for name, argument, place in rest:
        yield f"| {_title(name)} | `{_cell(argument)}` | `{_cell(place)}` |"
    yield ""


def _facts(found: Measured) -> Iterator[str]:
    yield "## Facts by category\n"
    yield "Of every fact of the first milestone in every launch: *known* has a value, *absent* is known to be unset,"
    yield "*unknown* says why and how to see it, *unsupported* has no counterpart in the engine, and *not seen* has"
    yield "nothing in the file that could say it.\n"
    yield f"| engine | category | {' | '.join(STATES)} |"
    yield "|---|---|" + "---:|" * len(STATES)
    for name in ENGINES:
        for category, counter in sorted(totals(found.launches[name]).items()):
            yield f"| {_title(name)} | {category} | {_shares(counter)} |"
    yield ""


def _by_fact(found: Measured) -> Iterator[str]:
    yield "## Facts\n"
    yield "Share of the launches in which the fact is known or known to be absent.\n"
    yield f"| fact | {' | '.join(map(_title, ENGINES))} |"
    yield "|---|" + "---:|" * len(ENGINES)
    for key in sorted(found.launches[ENGINES[0]].facts):
        cells = []
        for name in ENGINES:
            counter = found.launches[name].facts[key]
            said = counter["known"] + counter["absent"]
            unsupported = counter["unsupported"] and counter["unsupported"] == counter.total()
            cells.append("unsupported" if unsupported else f"{said / max(1, counter.total()):.0%}")
        yield f"| `{key}` | {' | '.join(cells)} |"
    yield ""


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
