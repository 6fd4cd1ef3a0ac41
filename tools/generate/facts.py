"""``docs/reference/facts.md``: every fact by category, with the arguments that set it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from askew.app import registry
from askew.facts.catalogue import by_category
from askew.facts.types import Fact
from askew.findings.describe import shown
from tools.generate.markdown import GENERATED, cell, code

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "facts.md"

# Whatever no table of an engine knows, and all that the environment holds: no one argument sets these.
CATCH_ALL = frozenset(("runtime.arguments.unmapped", "runtime.env"))

_COMBINE = {
    "precedence": "the strongest source wins",
    "smallest": "the smallest over the hops between client and engine",
    "all": "what all sources of the strongest kind say, together",
}


def render() -> str:
    """The text of the page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Facts"
    yield ""
    yield GENERATED
    yield ""
    grouped = by_category()
    total = sum(map(len, grouped.values()))
    yield (
        f"Askew knows {total} facts. [Concepts](../concepts.md) says what a fact is; `askew explain NAME` prints the "
        "entry of one. ★ marks the facts that manifests and command lines themselves show. The others come from what "
        "only other sources show (a model's own files, a running engine, a measurement), or refine one with a star."
    )
    for category, facts in grouped.items():
        yield ""
        yield f"## {category}"
        yield ""
        yield "| fact | type | severity | meaning |"
        yield "|---|---|---|---|"
        for fact in facts:
            star = " ★" if fact.milestone == 1 else ""
            link = f"[`{fact.key}`](#{anchor(fact.key)}){star}"
            yield f"| {link} | {fact.type.name} | {fact.severity} | {cell(fact.brief)} |"
        for fact in facts:
            yield from _fact(fact)


def anchor(key: str) -> str:
    """The id that Markdown renderers give the heading of a fact: dots vanish."""
    return key.replace(".", "")


def _fact(fact: Fact) -> Iterator[str]:
    yield ""
    yield f"### {fact.key}"
    yield ""
    yield fact.brief
    yield ""
    yield f"Why it matters: {fact.why}"
    yield ""
    yield f"- Type: {fact.type.name}. Severity of a difference: {fact.severity}. Stability: {fact.stability}."
    yield "- Examples: " + "; ".join(code(shown(fact, value)) for value in fact.examples)
    yield f"- Effective value: {_COMBINE[fact.combine]}."
    if fact.follows:
        yield f"- Where it is not stated it follows [`{fact.follows}`](#{anchor(fact.follows)})."
    if fact.settled_by:
        yield f"- Equal [`{fact.settled_by}`](#{anchor(fact.settled_by)}) on both sides settles it."
    if not fact.compared:
        yield "- Evidence for checks only: a difference of it alone is no finding."
    if fact.observe_with:
        yield f"- See it: {fact.observe_with}"
    flags = [
        f"{registry.recognition(name).title} {code(flag)}"
        for name in registry.engine_names()
        if fact.key not in CATCH_ALL and (flag := registry.engine(name).flag_for(fact.key, None))
    ]
    if flags:
        yield "- Set by: " + ", ".join(flags)
    checks = [check.id for check in registry.checks() if fact.key in check.facts]
    if checks:
        yield "- Read by checks: " + ", ".join(f"[{name}](checks.md#{name})" for name in checks)


OUTPUTS: Mapping[Path, Callable[[], str]] = {PATH: render}
