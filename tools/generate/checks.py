"""``docs/reference/checks.md``: every check, from its docstring and its cases."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from inspect import getdoc
from pathlib import Path

from askew.app import registry
from askew.app._index import CHECKS
from askew.checks.interface import Check
from tools.generate.facts import anchor
from tools.generate.markdown import GENERATED, cell

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "checks.md"


def render() -> str:
    """The text of the page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    checks = list(registry.checks())
    yield "# Checks"
    yield ""
    yield GENERATED
    yield ""
    yield (
        "A check looks at one deployment alone: do its settings fit together, and do they fit the platform? "
        "`askew check` runs all of them. The name of a check is what [waivers](../waivers.md), `--only` and `--ignore` "
        "take; `askew explain NAME` prints its section. The cases of each check are run as tests."
    )
    yield ""
    yield "| check | about | severity | confidence |"
    yield "|---|---|---|---|"
    for check in checks:
        yield f"| [{check.id}](#{check.id}) | {cell(check.title)} | {check.severity} | {check.confidence} |"
    for check in checks:
        yield from _check(check)


def _check(check: Check) -> Iterator[str]:
    title, _, body = (getdoc(sys.modules[CHECKS[check.id]]) or "").partition("\n")
    yield ""
    yield f"## {check.id}"
    yield ""
    yield f"**{title.strip()}.**"
    yield ""
    yield (
        f"Category: {check.category}. Severity: {check.severity}. Confidence: {check.confidence}. Reads: "
        + ", ".join(f"[`{fact}`](facts.md#{anchor(fact)})" for fact in check.facts)
    )
    yield ""
    # The sections of the docstring go one level down, below the name of the check.
    yield re.sub(r"(?m)^## ", "### ", body.strip())
    fires = [case.name for case in check.cases if case.fires]
    clean = [case.name for case in check.cases if not case.fires]
    yield ""
    yield "### Cases"
    yield ""
    if fires:
        yield "- Reported: " + "; ".join(fires) + "."
    if clean:
        yield "- Not reported: " + "; ".join(clean) + "."


OUTPUTS: Mapping[Path, Callable[[], str]] = {PATH: render}
